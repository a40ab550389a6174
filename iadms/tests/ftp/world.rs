//! An FTP server with stored files, tickets and somebody at the desk.

use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use engine::FileServer;
use engine::file_server::{News, Order, Report, Settings};
use iadms::daemon::clock::Clock;
use iadms::files::Files;
use iadms::net::file_server::{self, Connections};
use iadms::net::ftp::{FtpServer, FtpSettings};
use iadms::net::sockets::Sockets;
use iadms::net::storage::Storage;
use tempfile::TempDir;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use upgrade::{Content, DeviceId, Direction, Protocol, RunId, StoredFile, Ticket, TicketName, Time};

/// Whatever is waited for has happened by then, on however slow a machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
pub(crate) const DEVICE: &str = "127.0.0.1";
pub(crate) const OTHER_DEVICE: &str = "127.0.0.2";
pub(crate) const RUN: RunId = RunId(7);
pub(crate) const PASSWORD: &str = "secret";

pub(crate) struct World {
    pub(crate) files: Files,
    pub(crate) address: SocketAddr,
    folder: TempDir,
    orders: mpsc::UnboundedSender<Order>,
    reports: tokio::sync::Mutex<mpsc::UnboundedReceiver<Report>>,
    heard: Mutex<BTreeMap<TicketName, Vec<News>>>,
    shutdown: Mutex<Option<oneshot::Sender<()>>>,
    server: Mutex<Option<JoinHandle<()>>>,
}

/// Settings for tests: nobody has to wait for the answer to a wrong password.
pub(crate) fn settings() -> FtpSettings {
    FtpSettings { refusal_delay: Duration::ZERO, ..FtpSettings::default() }
}

pub(crate) async fn world() -> World {
    World::at("127.0.0.1:0", settings()).await
}

impl World {
    pub(crate) async fn at(address: &str, settings: FtpSettings) -> Self {
        Self::limited(address, settings, Settings::default()).await
    }

    /// One whose file server limits how fast files go over.
    pub(crate) async fn limited(address: &str, settings: FtpSettings, limits: Settings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::open(folder.path()).unwrap();
        let (calls, called) = mpsc::channel(16);
        let (orders, ordered) = mpsc::unbounded_channel();
        let (reported, reports) = mpsc::unbounded_channel();
        let (storing, stored) = mpsc::unbounded_channel();
        let requests = Sockets::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let desk = Connections {
            transfers: Some(requests.beside().unwrap()),
            requests,
            orders: ordered,
            reports: reported,
            storage: Storage::start(&files, &storing).unwrap(),
            stored,
            ftp: called,
            figures: Arc::default(),
        };
        let clock = Clock::after(Time::from_millis(0));
        tokio::spawn(file_server::run(FileServer::new(limits), desk, clock));
        let server = FtpServer::bind(address.parse().unwrap(), calls, files.clone(), settings).unwrap();
        let address = server.address();
        let (shutdown, shut_down) = oneshot::channel();
        let server = tokio::spawn(server.run(async {
            let _ = shut_down.await;
        }));
        Self {
            files,
            address,
            folder,
            orders,
            reports: reports.into(),
            heard: Mutex::default(),
            shutdown: Some(shutdown).into(),
            server: Some(server).into(),
        }
    }

    /// Stores a file and opens a ticket to read it.
    pub(crate) async fn readable(&self, name: &str, bytes: &[u8]) -> StoredFile {
        let stored = self.files.add(&mut &*bytes).unwrap();
        let content = Content::Stored { digest: stored.digest };
        self.open(Ticket { content, size: stored.size, ..ticket(name, Direction::Read) }).await;
        stored
    }

    /// Opens a ticket to write up to `size` bytes.
    pub(crate) async fn writable(&self, name: &str, size: u64) {
        self.open(Ticket { content: Content::Arriving, size, ..ticket(name, Direction::Write) }).await;
    }

    pub(crate) async fn open(&self, ticket: Ticket) {
        let name = ticket.name.clone();
        self.orders.send(Order::Open(ticket)).unwrap();
        self.wait_for(&name.0, |news| *news == News::Ready).await;
    }

    pub(crate) fn withdraw(&self, name: &str) {
        self.orders.send(Order::Withdraw(TicketName(name.to_owned()))).unwrap();
    }

    /// Waits for news of a ticket that has not been waited for yet.
    pub(crate) async fn wait_for(&self, name: &str, awaited: impl Fn(&News) -> bool) -> News {
        let found = async {
            let mut reports = self.reports.lock().await;
            loop {
                let heard = self.take_heard(name, &awaited);
                if let Some(news) = heard {
                    return news;
                }
                if let Report::Ticket { name, news, .. } = reports.recv().await.unwrap() {
                    self.heard.lock().unwrap().entry(name).or_default().push(news);
                }
            }
        };
        tokio::time::timeout(PATIENCE, found).await.unwrap_or_else(|_| panic!("no such news of {name}"))
    }

    /// Waits for the end of a transfer.
    pub(crate) async fn end(&self, name: &str) -> News {
        self.wait_for(name, |news| matches!(news, News::Done { .. } | News::Failed { .. })).await
    }

    /// Files that are stored, and those half written.
    pub(crate) fn kept_and_unfinished(&self) -> (usize, usize) {
        let count = |folder: &str| fs::read_dir(self.folder.path().join(folder)).unwrap().count();
        (count("files"), count("incoming"))
    }

    /// Ends the server, and waits for its end.
    pub(crate) async fn shut_down(&self) {
        let _ = self.shutdown.lock().unwrap().take().unwrap().send(());
        let server = self.server.lock().unwrap().take().unwrap();
        tokio::time::timeout(PATIENCE, server).await.unwrap().unwrap();
    }

    fn take_heard(&self, name: &str, awaited: impl Fn(&News) -> bool) -> Option<News> {
        let mut heard = self.heard.lock().unwrap();
        let news = heard.get_mut(&TicketName(name.to_owned()))?;
        let position = news.iter().position(awaited)?;
        Some(news.remove(position))
    }
}

/// A ticket of [`RUN`] for [`DEVICE`], without content.
pub(crate) fn ticket(name: &str, direction: Direction) -> Ticket {
    Ticket {
        name: TicketName(name.to_owned()),
        run: RUN,
        device: DeviceId(1),
        address: DEVICE.parse::<IpAddr>().unwrap(),
        direction,
        protocol: Protocol::Ftp,
        content: Content::Arriving,
        size: 0,
        expires: Time::from(Duration::from_secs(10_000_000_000)),
        password: PASSWORD.to_owned(),
    }
}

/// Bytes that differ from place to place.
pub(crate) fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|place| (place / 7 + place / 65_536) as u8).collect()
}
