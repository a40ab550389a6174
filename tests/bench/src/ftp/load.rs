//! Clients of an FTP server (RFC 959, RFC 2428, RFC 4217) that read a file all at once and compare each byte.

use core::time::Duration;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::HOST;
use crate::Error;
use crate::moved::Moved;

/// Bytes that are read at once.
const PIECE: usize = 256 * 1024;

/// What the clients do.
#[derive(Clone)]
pub(crate) struct Load {
    pub(crate) clients: u32,
    pub(crate) file: Arc<[u8]>,
    pub(crate) tls: Option<TlsConnector>,
    /// User, password and file of a client.
    pub(crate) login: fn(u32) -> (String, String, String),
    /// No transfer is waited for longer.
    pub(crate) limit: Duration,
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A client that trusts one certificate.
pub(crate) fn trusting(certificate: &CertificateDer<'static>) -> Result<TlsConnector, Error> {
    let mut trusted = RootCertStore::empty();
    trusted.add(certificate.clone())?;
    let client = ClientConfig::builder_with_provider(Arc::new(default_provider()));
    let client = client.with_safe_default_protocol_versions()?.with_root_certificates(trusted);
    Ok(TlsConnector::from(Arc::new(client.with_no_client_auth())))
}

/// Lets all clients begin at once, and returns when the last has ended.
pub(crate) async fn run(load: &Load, server: SocketAddr) -> Moved {
    let begun = Instant::now();
    let mut clients = JoinSet::new();
    for client in 0..load.clients {
        let load = load.clone();
        clients.spawn(async move {
            let read = tokio::time::timeout(load.limit, read(&load, client, server)).await;
            read.map_err(|_| "it took too long".to_owned())?.map_err(|error| error.to_string())
        });
    }
    let mut moved = Moved::default();
    for ended in clients.join_all().await {
        moved.count(ended.map(|()| load.file.len() as u64));
    }
    moved.took = begun.elapsed();
    moved
}

async fn read(load: &Load, client: u32, server: SocketAddr) -> Result<(), Error> {
    let mut control = Control::of(TcpStream::connect(server).await?);
    control.reply("220").await?;
    if let Some(tls) = &load.tls {
        control.command("AUTH TLS", "234").await?;
        control = Control::of(tls.connect(ServerName::try_from(HOST)?, control.0.into_inner()).await?);
        control.command("PBSZ 0", "200").await?;
        control.command("PROT P", "200").await?;
    }
    let (user, password, name) = (load.login)(client);
    control.command(&format!("USER {user}"), "331").await?;
    control.command(&format!("PASS {password}"), "230").await?;
    control.command("TYPE I", "200").await?;
    let passive = control.command("EPSV", "229").await?;
    let port = passive.split('|').nth(3).ok_or("no port")?.parse()?;
    let data = TcpStream::connect(SocketAddr::new(server.ip(), port)).await?;
    control.command(&format!("RETR {name}"), "150").await?;
    let mut data: Box<dyn Stream> = match &load.tls {
        Some(tls) => Box::new(tls.connect(ServerName::try_from(HOST)?, data).await?),
        None => Box::new(data),
    };
    let mut piece = vec![0; PIECE];
    let mut read = 0;
    loop {
        let bytes = match data.read(&mut piece).await {
            Ok(bytes) => bytes,
            // Some servers end TLS with the connection.
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => 0,
            Err(error) => return Err(error.into()),
        };
        if bytes == 0 {
            break;
        }
        if load.file.get(read..read + bytes) != piece.get(..bytes) {
            return Err("the bytes are other ones".into());
        }
        read += bytes;
    }
    if read != load.file.len() {
        return Err(format!("{read} bytes came").into());
    }
    drop(data);
    control.reply("226").await?;
    Ok(())
}

struct Control(BufReader<Box<dyn Stream>>);

impl Control {
    fn of(stream: impl Stream + 'static) -> Self {
        Self(BufReader::new(Box::new(stream)))
    }

    async fn command(&mut self, command: &str, wanted: &str) -> Result<String, Error> {
        self.0.write_all(format!("{command}\r\n").as_bytes()).await?;
        self.0.flush().await?;
        self.reply(wanted).await
    }

    /// The last line of the next reply.
    async fn reply(&mut self, wanted: &str) -> Result<String, Error> {
        let mut line = String::new();
        while self.0.read_line(&mut line).await? > 0 {
            if line.as_bytes().get(3) == Some(&b' ') {
                return if line.starts_with(wanted) { Ok(line) } else { Err(line.into()) };
            }
            line.clear();
        }
        Err("the server closed the control connection".into())
    }
}
