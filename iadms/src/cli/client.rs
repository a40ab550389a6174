//! The daemon's HTTP interface from outside: one connection over the Unix socket for each request.

use std::io::ErrorKind;
use std::marker::PhantomData;
use std::path::PathBuf;

use futures_lite::stream;
use http_body_util::{BodyExt as _, Empty, Full, StreamBody};
use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::AsyncReadExt as _;
use tokio::net::UnixStream;
use upgrade::StoredFile;

use super::exit::Failure;
use crate::daemon::Refusal;

/// The way to the daemon.
#[derive(Debug, Clone)]
pub struct Client {
    socket: PathBuf,
}

/// Bytes of a file sent at once.
const PIECE: usize = 64 * 1024;

impl Client {
    /// To the daemon that listens at `socket`.
    pub const fn new(socket: PathBuf) -> Self {
        Self { socket }
    }

    /// Reads a resource.
    ///
    /// # Errors
    ///
    /// No daemon answers, or it refuses.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        read(self.send(Method::GET, path, Empty::new()).await?).await
    }

    /// Removes a resource.
    ///
    /// # Errors
    ///
    /// No daemon answers, or it refuses.
    pub async fn delete(&self, path: &str) -> Result<(), Failure> {
        read(self.send(Method::DELETE, path, Empty::new()).await?).await
    }

    /// Gives a resource something.
    ///
    /// # Errors
    ///
    /// No daemon answers, or it refuses.
    pub async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, Failure> {
        read(self.send(Method::POST, path, Full::new(json(body)?)).await?).await
    }

    /// Replaces a resource.
    ///
    /// # Errors
    ///
    /// No daemon answers, or it refuses.
    pub async fn put<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, Failure> {
        read(self.send(Method::PUT, path, Full::new(json(body)?)).await?).await
    }

    /// Has the daemon store a file.
    ///
    /// # Errors
    ///
    /// The file cannot be read, no daemon answers, or it refuses.
    pub async fn upload(&self, file: tokio::fs::File) -> Result<StoredFile, Failure> {
        let pieces = stream::unfold(Some(file), async |file| {
            let mut file = file?;
            let mut piece = vec![0; PIECE];
            match file.read(&mut piece).await {
                Ok(0) => None,
                Ok(length) => {
                    piece.truncate(length);
                    Some((Ok(Frame::data(Bytes::from(piece))), Some(file)))
                }
                Err(error) => Some((Err(error), None)),
            }
        });
        let body = StreamBody::new(Box::pin(pieces));
        read(self.send(Method::PUT, "/files", body).await?).await
    }

    /// The bytes of a stored file.
    ///
    /// # Errors
    ///
    /// No daemon answers, or it has no such file.
    pub async fn fetch(&self, file: &StoredFile) -> Result<Vec<u8>, Failure> {
        let response = self.send(Method::GET, &format!("/files/{}", file.digest), Empty::new()).await?;
        let response = accepted(response).await?;
        let bytes = response.into_body().collect().await.map_err(|error| broken(&error))?.to_bytes();
        Ok(bytes.to_vec())
    }

    /// A stream of values, one a line.
    ///
    /// # Errors
    ///
    /// No daemon answers, or it refuses.
    pub async fn lines<T: DeserializeOwned>(&self, path: &str) -> Result<Lines<T>, Failure> {
        let response = accepted(self.send(Method::GET, path, Empty::new()).await?).await?;
        Ok(Lines { body: response.into_body(), pending: Vec::new(), kind: PhantomData })
    }

    async fn send<B>(&self, method: Method, path: &str, body: B) -> Result<Response<Incoming>, Failure>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let stream = UnixStream::connect(&self.socket).await.map_err(|error| self.unreachable(&error))?;
        let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = handshake.map_err(|error| broken(&error))?;
        // What ends the connection early ends the response too, and is told there.
        tokio::spawn(async move { drop(connection.await) });
        let request = Request::builder().method(method).uri(path).header("host", "iadms");
        let request = request.header("content-type", "application/json").body(body);
        let request =
            request.map_err(|error| Failure::of(&error, "this is a fault of the program; report it"))?;
        sender.send_request(request).await.map_err(|error| broken(&error))
    }

    fn unreachable(&self, error: &std::io::Error) -> Failure {
        let socket = self.socket.display();
        match error.kind() {
            ErrorKind::NotFound | ErrorKind::ConnectionRefused => Failure::new(
                format!("no daemon answers on {socket}"),
                "start it with `iadms serve`, or say where it listens: --socket PATH or IADMS_SOCKET",
            ),
            ErrorKind::PermissionDenied => Failure::new(
                format!("this user may not use {socket}"),
                "run the command as the user that runs `iadms serve`",
            ),
            _ => Failure::new(
                format!("cannot connect to {socket}: {error}"),
                "check the path given by --socket",
            ),
        }
    }
}

/// Values as they come.
#[derive(Debug)]
pub struct Lines<T> {
    body: Incoming,
    pending: Vec<u8>,
    kind: PhantomData<T>,
}

impl<T: DeserializeOwned> Lines<T> {
    /// The next value; none once the daemon has said all.
    ///
    /// # Errors
    ///
    /// The connection broke, as it does when the daemon ends.
    pub async fn next(&mut self) -> Result<Option<T>, Failure> {
        loop {
            if let Some(end) = self.pending.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.pending.drain(..=end).collect();
                return serde_json::from_slice(&line).map(Some).map_err(|error| strange(&error));
            }
            match self.body.frame().await {
                None => return Ok(None),
                Some(Ok(frame)) => self.pending.extend(frame.into_data().unwrap_or_default()),
                Some(Err(error)) => return Err(broken(&error)),
            }
        }
    }
}

/// Text as it may stand in a path or a query (RFC 3986 section 2.1).
pub fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

async fn accepted(response: Response<Incoming>) -> Result<Response<Incoming>, Failure> {
    if response.status().is_success() {
        return Ok(response);
    }
    let status = response.status();
    let bytes = response.into_body().collect().await.map_err(|error| broken(&error))?.to_bytes();
    Err(match serde_json::from_slice::<Refusal>(&bytes) {
        Ok(refusal) => refusal.into(),
        Err(_) => Failure::new(
            format!("the daemon answered {status}: {}", String::from_utf8_lossy(&bytes)),
            "use the command line of the same version as the daemon",
        ),
    })
}

async fn read<T: DeserializeOwned>(response: Response<Incoming>) -> Result<T, Failure> {
    let body = accepted(response).await?.into_body();
    let bytes = body.collect().await.map_err(|error| broken(&error))?.to_bytes();
    serde_json::from_slice(&bytes).map_err(|error| strange(&error))
}

fn json(body: &impl Serialize) -> Result<Bytes, Failure> {
    let written = serde_json::to_vec(body).map(Bytes::from);
    written.map_err(|error| Failure::of(&error, "this is a fault of the program; report it"))
}

fn broken(error: &dyn std::error::Error) -> Failure {
    let next = "see whether `iadms serve` still runs; runs go on where they stood once it does";
    Failure::of(error, next).prefixed("the connection to the daemon broke")
}

fn strange(error: &serde_json::Error) -> Failure {
    let next = "use the command line of the same version as the daemon";
    Failure::of(error, next).prefixed("the daemon's answer cannot be understood")
}

impl Failure {
    fn prefixed(mut self, with: &str) -> Self {
        self.error = format!("{with}: {}", self.error);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::encoded;

    #[test]
    fn what_an_operator_mistypes_reaches_the_daemon_as_typed() {
        assert_eq!(encoded("iad-1.north_2"), "iad-1.north_2");
        assert_eq!(encoded("a/b c?"), "a%2Fb%20c%3F");
        assert_eq!(encoded("ü"), "%C3%BC");
    }
}
