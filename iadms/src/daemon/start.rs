//! Starting the daemon: each part of the engine gets its sockets and its thread, and all of them each other's messages.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use datagram::BindError;
use engine::access::Credentials;
use engine::{Commander, FileServer, Listener};
use snmp::usm::EngineId;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::clock::Clock;
use super::director::{Addresses, Connections};
use super::part::{Part, PartError, Parts};
use super::{Handle, Ports, channel, director};
use crate::config::{FtpListen, ServeOptions};
use crate::credential::SealedCredential;
use crate::files::{FileError, Files};
use crate::net;
use crate::net::ftp::{self, FtpCall, FtpServer, FtpSettings};
use crate::net::sockets::Sockets;
use crate::net::storage::Storage;

use crate::profiles::{Catalogue, CatalogueError};
use crate::seal::{Key, KeyError, KeyId};
use crate::store::{Store, StoreError};

/// The enterprise number of our modules and engines, which is for documentation (RFC 5612).
const ENTERPRISE: u32 = 32473;

/// Notifications that wait for the director; more wait in the listener, where their number is bounded too.
const WAITING_NEWS: usize = 4096;

/// FTP's questions that wait for the file server.
const WAITING_FTP: usize = 1024;

/// A daemon that runs.
#[derive(Debug)]
pub struct Running {
    /// What the API does with it.
    pub handle: Handle,
    /// Its store.
    pub store: Store,
    /// Its files.
    pub files: Files,
    /// Its profiles.
    pub catalogue: Arc<Catalogue>,
    /// What seals its secrets.
    pub key: Option<Arc<Key>>,
    /// Its clock.
    pub clock: Clock,
    /// Where it listens.
    pub ports: Ports,
    parts: Parts,
}

/// Why a daemon cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The folders of files.
    #[error(transparent)]
    Files(#[from] FileError),
    /// The profiles.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    /// A UDP port.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The FTP port.
    #[error(transparent)]
    Ftp(#[from] ftp::BindError),
    /// The key of secrets.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// There is none, and it is needed.
    #[error("credential {credential:?} is sealed under the key {sealed}, and there is none here")]
    NoKey {
        /// A credential.
        credential: String,
        /// Its key.
        sealed: KeyId,
    },
    /// It is another one.
    #[error("credential {credential:?} is sealed under the key {sealed}; the key here is {given}")]
    OtherKey {
        /// A credential.
        credential: String,
        /// Its key.
        sealed: KeyId,
        /// The one that is here.
        given: KeyId,
    },
    /// The system.
    #[error("cannot {0}")]
    System(&'static str, #[source] std::io::Error),
}

/// Starts the daemon.
///
/// # Errors
///
/// What cannot be had, with its name.
pub async fn start(options: &ServeOptions) -> Result<Running, StartError> {
    let catalogue = Arc::new(Catalogue::open(&options.profiles)?);
    let key = options.key.clone().or_else(Key::handed_over).map(|path| Key::read(&path)).transpose()?;
    let key = key.map(Arc::new);
    let store = Store::open(&options.data).await?;
    tracing::info!(sqlite = %store.sqlite(), schema = store.schema(), "the database is sound");
    if !options.lost_key {
        opens_all(key.as_deref(), &store.credentials().await?)?;
    }
    let files = Files::open(&options.data)?;
    let clock = Clock::after(store.last_time().await?);
    let seed = random()?;

    let no_thread = |error| StartError::System("start a thread", error);
    let commander = Part::new("SNMP commander").map_err(no_thread)?;
    let receiver = Part::new("notification receiver").map_err(no_thread)?;
    let file_server = Part::new("file server").map_err(no_thread)?;
    let notifications = receiver.open(|| Sockets::bind(options.notifications))?;
    let requests = file_server.open(|| Sockets::bind(options.tftp))?;
    let single_port = options.tftp_single_port;
    let transfers = (!single_port).then(|| file_server.open(|| requests.beside())).transpose()?;
    let commands = commander.open(|| match options.snmp_address {
        Some(address) => Sockets::bind(SocketAddr::new(address, 0)),
        None => Sockets::unbound(),
    })?;
    let (calls, ftp) = mpsc::channel(WAITING_FTP);
    let ftp_part = Part::new("FTP server").map_err(no_thread)?;
    let ftp_servers = match options.ftp {
        FtpListen::At(address) => {
            let settings = FtpSettings {
                passive_ports: options.ftp_passive_ports.0.clone(),
                passive_host: options.server_address.iter().find_map(|address| match address {
                    IpAddr::V4(address) => Some(*address),
                    IpAddr::V6(_) => None,
                }),
                tls: options.ftp_tls.settings(),
                ..FtpSettings::default()
            };
            ftp_part.open(|| ftp_servers(address, &calls, &files, &settings))?
        }
        FtpListen::Off => Vec::new(),
    };
    let ports = Ports {
        notifications: notifications.address(),
        tftp: requests.address(),
        ftp: ftp_servers.last().map(FtpServer::address),
    };

    let (handle, receiving) = channel();
    let (asks, asked) = mpsc::unbounded_channel();
    let (answering, answers) = mpsc::unbounded_channel();
    let (hearing, news) = mpsc::channel(WAITING_NEWS);
    let (committed, receipts) = mpsc::unbounded_channel();
    let (knowing, known) = mpsc::unbounded_channel();
    let (credentials, users) = watch::channel(Credentials::new());
    let (regressing, regressions) = mpsc::unbounded_channel();
    let (orders, ordered) = mpsc::unbounded_channel();
    let (reporting, reports) = mpsc::unbounded_channel();
    let (telling, told) = mpsc::unbounded_channel();
    let (storing, stored) = mpsc::unbounded_channel();
    let storage = Storage::start(&files, &storing).map_err(no_thread)?;
    let figures = Arc::default();
    let transferring = Arc::default();

    let mut parts = Parts::default();
    let answered = move |answer| drop(answering.send(answer));
    let run = net::commander::run(Commander::new(seed), commands, asked, users, regressing, answered, clock);
    parts.start(commander, run).map_err(no_thread)?;
    // INFORMs of SNMPv3 are sent to an engine of ours: a new one with each start, which nobody has heard of before.
    let (own, salt) = (random()?, random()?);
    let engine = EngineId::of_enterprise(ENTERPRISE, &[own, random()?].map(u64::to_be_bytes).concat());
    let listener = Listener::new(engine, salt);
    let inlets = net::listener::Inlets { known, committed: receipts, regressions };
    let run = net::listener::run(listener, notifications, inlets, hearing, Arc::clone(&figures), clock);
    parts.start(receiver, run).map_err(no_thread)?;
    let connections = net::file_server::Connections {
        requests,
        transfers,
        orders: ordered,
        reports: reporting,
        storage,
        stored,
        ftp,
        figures: Arc::clone(&transferring),
    };
    let run = net::file_server::run(FileServer::new(options.file_limits.settings()), connections, clock);
    parts.start(file_server, run).map_err(no_thread)?;
    let northbound = Part::new("northbound sender").map_err(no_thread)?;
    let sockets = northbound.open(Sockets::unbound)?;
    parts
        .start(northbound, net::northbound::run(seed.rotate_left(32), sockets, told, clock))
        .map_err(no_thread)?;
    if !ftp_servers.is_empty() {
        parts.start(ftp_part, serve_ftp(ftp_servers)).map_err(no_thread)?;
    }
    let connections = Connections {
        store: store.clone(),
        files: files.clone(),
        // A converter runs in another folder than this process does.
        folder: std::path::absolute(&options.data)
            .map_err(|error| StartError::System("find the current folder", error))?,
        catalogue: Arc::clone(&catalogue),
        addresses: Addresses { told: options.server_address.clone(), ports },
        asks,
        answers,
        news,
        committed,
        known: knowing,
        credentials,
        key: key.clone(),
        orders,
        reports,
        northbound: telling,
        receiving,
        figures,
        transfers: transferring,
    };
    parts.spawn(async move { director::run(connections, clock).await.map_err(PartError::from) });
    tracing::info!(data = %Path::new(&options.data).display(), ?ports, "the daemon runs");
    Ok(Running { handle, store, files, catalogue, key, clock, ports, parts })
}

impl Running {
    /// Waits until a part of the daemon ends, which none does by itself.
    pub async fn ended(&mut self) -> PartError {
        self.parts.ended().await
    }

    /// Ends all parts at once, as a loss of power would, and closes the store in good order.
    pub async fn stop(self) {
        self.parts.stop().await;
        self.store.close().await;
    }
}

/// A manager that cannot speak to devices that runs are about would let these fail.
fn opens_all(key: Option<&Key>, credentials: &[SealedCredential]) -> Result<(), StartError> {
    for credential in credentials {
        for user in credential.users() {
            let (credential, sealed) = (credential.name.clone(), user.secrets.key.clone());
            match key {
                None => return Err(StartError::NoKey { credential, sealed }),
                Some(key) if *key.id() != sealed => {
                    return Err(StartError::OtherKey { credential, sealed, given: key.id().clone() });
                }
                Some(_) => {}
            }
        }
    }
    Ok(())
}

/// As with UDP, `[::]` stands for all addresses of both families, on the same port; where the system has no IPv6, of
/// IPv4. The last one's address tells of all.
fn ftp_servers(
    address: SocketAddr,
    calls: &mpsc::Sender<FtpCall>,
    files: &Files,
    settings: &FtpSettings,
) -> Result<Vec<FtpServer>, ftp::BindError> {
    let bind = |address| FtpServer::bind(address, calls.clone(), files.clone(), settings.clone());
    if address.ip() != IpAddr::V6(Ipv6Addr::UNSPECIFIED) {
        return Ok(vec![bind(address)?]);
    }
    let v4 = bind(SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), address.port()))?;
    let same_port = SocketAddr::new(address.ip(), v4.address().port());
    match bind(same_port) {
        Ok(v6) => Ok(vec![v4, v6]),
        Err(error @ ftp::BindError::InUse { .. }) => Err(error),
        Err(_) => Ok(vec![v4]),
    }
}

/// Serves until one of them ends, which none does.
async fn serve_ftp(servers: Vec<FtpServer>) -> std::io::Result<()> {
    let mut serving = JoinSet::new();
    for server in servers {
        serving.spawn(server.run(std::future::pending()));
    }
    let ended = serving.join_next().await.unwrap_or(Ok(()));
    ended.map_err(std::io::Error::other)
}

fn random() -> Result<u64, StartError> {
    getrandom::u64().map_err(|error| StartError::System("get random numbers", std::io::Error::other(error)))
}
