//! The control socket: a Unix socket on which each line is a request in JSON, answered by a line.

use std::io;
use std::path::{Path, PathBuf};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use super::message::{Message, Request, Response};

/// A longer line is refused.
const LINE_LIMIT: u64 = 1 << 20;

/// A simulator cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// Nobody answers on this socket.
    #[error("no simulator answers on {path}")]
    Unreachable {
        /// The socket.
        path: PathBuf,
        /// What the system says.
        #[source]
        cause: io::Error,
    },
    /// What came back is no answer.
    #[error("the simulator's answer cannot be read")]
    Answer(#[source] serde_json::Error),
}

/// Asks the simulator behind this socket.
///
/// # Errors
/// When it does not answer.
pub async fn ask(path: &Path, request: &Request) -> Result<Response, ControlError> {
    let unreachable = |cause| ControlError::Unreachable { path: path.to_owned(), cause };
    let mut line = serde_json::to_vec(request).map_err(ControlError::Answer)?;
    line.push(b'\n');
    let stream = UnixStream::connect(path).await.map_err(unreachable)?;
    let (reader, mut writer) = stream.into_split();
    writer.write_all(&line).await.map_err(unreachable)?;
    let mut answer = String::new();
    BufReader::new(reader).read_line(&mut answer).await.map_err(unreachable)?;
    serde_json::from_str(&answer).map_err(ControlError::Answer)
}

/// Opens the socket, in place of one that a simulator left behind.
pub(crate) async fn listen(path: &Path) -> io::Result<UnixListener> {
    match UnixListener::bind(path) {
        Err(error)
            if error.kind() == io::ErrorKind::AddrInUse && UnixStream::connect(path).await.is_err() =>
        {
            std::fs::remove_file(path)?;
            UnixListener::bind(path)
        }
        bound => bound,
    }
}

/// Answers whoever connects.
pub(crate) async fn serve(listener: UnixListener, core: mpsc::Sender<Message>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(serve_connection(stream, core.clone()));
                }
                Err(error) => tracing::warn!(%error, "a control connection is lost"),
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve_connection(stream: UnixStream, core: mpsc::Sender<Message>) {
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    loop {
        let mut line = String::new();
        match (&mut reader).take(LINE_LIMIT).read_line(&mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let response = match serde_json::from_str(&line) {
            Ok(request) => forward(request, &core).await,
            Err(error) => Response::Refused { reason: format!("cannot read the request: {error}") },
        };
        let Ok(mut answer) = serde_json::to_vec(&response) else { return };
        answer.push(b'\n');
        if writer.write_all(&answer).await.is_err() {
            return;
        }
    }
}

async fn forward(request: Request, core: &mpsc::Sender<Message>) -> Response {
    let (reply, answer) = oneshot::channel();
    let stopped = || Response::Refused { reason: "the simulator is stopping".to_owned() };
    if core.send(Message::Ask(request, reply)).await.is_err() {
        return stopped();
    }
    answer.await.unwrap_or_else(|_| stopped())
}
