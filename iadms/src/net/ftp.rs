//! The FTP server (RFC 959, RFC 2428 section 3): devices read and write what their tickets allow, and nothing else.
//!
//! `libunftp` speaks the protocol. Whoever logs in, reads or writes is judged by the file server's task, which has
//! the tickets; the bytes go straight to and from the stored files. What FTP leaves open is decided so:
//! - The end of an upload looks the same whether the file or the device's program has ended. A control connection
//!   that is gone by then proves the latter, and the file is not taken. A device that aborts (ABOR) and stays
//!   connected cannot be told from one that has finished: its own word, size and digest have to decide.
//! - A download is done once the system has taken its last byte to send. Whether the device has it, it says itself.
//! - Transfers are not resumed (REST): the next one begins at the first byte.
//! - Over IPv6 only the passive mode (EPSV) is served: EPRT is unknown to `libunftp`.

mod connection;
mod desk;
mod disk;
mod download;
mod guests;
mod listen;
mod login;
mod passive_ports;
mod pieces;
mod secured;
mod serve;
mod tickets;
mod transfer;
mod upload;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

pub use desk::{Beginning, FtpCall};
pub use listen::BindError;
pub use secured::Tls;

use self::disk::Disk;
use self::guests::Guests;
use self::passive_ports::PassivePorts;
use self::pieces::Pieces;
use crate::files::Files;

/// What the FTP server goes by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FtpSettings {
    /// Ports for data connections in passive mode; 0 to 0 leaves each to the system.
    pub passive_ports: RangeInclusive<u16>,
    /// The address told in passive mode (PASV), where devices reach this host under another one than it has itself.
    pub passive_host: Option<Ipv4Addr>,
    /// Control connections at once.
    pub connections: usize,
    /// How long a connection may take to log in.
    pub login_limit: Duration,
    /// How long a connection may be without command or transfer; whole seconds.
    pub idle_limit: Duration,
    /// How long a transfer may stand still. Some devices write their flash memory meanwhile, for minutes; whoever
    /// waits for the file may withdraw its ticket long before.
    pub stall_limit: Duration,
    /// What secures it by TLS (RFC 4217), for devices that ask for that.
    pub tls: Option<Tls>,
    /// How long a wrong user or password waits for its answer. It slows guessing and keeps nobody else waiting.
    pub refusal_delay: Duration,
}

impl Default for FtpSettings {
    fn default() -> Self {
        Self {
            passive_ports: 0..=0,
            passive_host: None,
            connections: 500,
            login_limit: Duration::from_secs(10),
            idle_limit: Duration::from_secs(300),
            stall_limit: Duration::from_secs(300),
            tls: None,
            refusal_delay: Duration::from_secs(1),
        }
    }
}

/// An FTP server that listens on one address.
#[derive(Debug)]
pub struct FtpServer {
    listener: TcpListener,
    address: SocketAddr,
    service: Arc<Service>,
}

/// What all connections share.
#[derive(Debug)]
struct Service {
    desk: mpsc::Sender<FtpCall>,
    disk: Disk,
    pieces: Pieces,
    guests: Guests,
    ports: PassivePorts,
    settings: FtpSettings,
    /// Transfers under way.
    transfers: watch::Sender<usize>,
}

impl FtpServer {
    /// Listens on `address`; port 0 leaves the port to the system. An IPv6 address does not take IPv4 along.
    ///
    /// # Errors
    ///
    /// The address cannot be had, or the certificate or its key cannot be used.
    pub fn bind(
        address: SocketAddr,
        desk: mpsc::Sender<FtpCall>,
        files: Files,
        settings: FtpSettings,
    ) -> Result<Self, BindError> {
        let (listener, address) = listen::listen(address)?;
        let service = Arc::new(Service {
            desk,
            disk: Disk::new(files),
            pieces: Pieces::default(),
            guests: Guests::new(settings.connections),
            ports: PassivePorts::new(settings.passive_ports.clone()),
            settings,
            transfers: watch::Sender::new(0),
        });
        serve::try_settings(&service).map_err(BindError::Tls)?;
        Ok(Self { listener, address, service })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves devices until `shutdown` is ready. Then it ends all transfers, tells the desk, and waits a little for
    /// all of them to have ended.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let Self { listener, service, .. } = self;
        let closing = watch::Sender::new(false);
        let mut connections = JoinSet::new();
        tokio::pin!(shutdown);
        loop {
            tokio::select! {
                () = &mut shutdown => break,
                accepted = listener.accept() => match accepted {
                    Ok((stream, peer)) => {
                        admit(&service, stream, peer, closing.subscribe(), &mut connections);
                    }
                    Err(error) => rest_after(&error).await,
                },
                Some(_) = connections.join_next() => {}
            }
        }
        drop(listener);
        closing.send_replace(true);
        let mut transfers = service.transfers.subscribe();
        let all_ended = async {
            // The service has the sending side.
            let _ = transfers.wait_for(|under_way| *under_way == 0).await;
            while connections.join_next().await.is_some() {}
        };
        if tokio::time::timeout(SHUTDOWN_LIMIT, all_ended).await.is_err() {
            tracing::warn!("FTP connections are cut off: they did not end in time");
        }
    }
}

/// How long connections have for their end when the server shuts down.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(5);

fn admit(
    service: &Arc<Service>,
    stream: TcpStream,
    peer: SocketAddr,
    closing: watch::Receiver<bool>,
    connections: &mut JoinSet<()>,
) {
    match service.guests.admit() {
        Some(guest) => {
            connections.spawn(serve::serve(Arc::clone(service), stream, peer, guest, closing));
        }
        None => {
            tracing::warn!(%peer, "an FTP connection is refused: there are too many");
            connections.spawn(refuse(stream));
        }
    }
}

/// Says that there is no room, to whoever is quick enough to hear it.
async fn refuse(mut stream: TcpStream) {
    let reply = stream.write_all(b"421 Too many connections, try again later\r\n");
    // The peer may have gone: there is nothing more to tell it.
    let _ = tokio::time::timeout(Duration::from_secs(1), reply).await;
}

/// Nothing can be accepted while the system has no more file descriptors; asking at once again would only burn time.
async fn rest_after(error: &io::Error) {
    tracing::warn!(%error, "cannot accept an FTP connection");
    tokio::time::sleep(Duration::from_millis(100)).await;
}
