//! Our FTP server as the manager runs it, in a process of its own, with a ticket for each client.

use core::time::Duration;
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use clap::Args;
use engine::FileServer;
use engine::file_server::{Order, Settings};
use iadms::daemon::clock::Clock;
use iadms::files::Files;
use iadms::net::file_server::{Connections, run};
use iadms::net::ftp::{FtpServer, FtpSettings, Tls};
use iadms::net::sockets::Sockets;
use iadms::net::storage::Storage;
use tokio::sync::mpsc;
use upgrade::ticket::{Content, Direction, Protocol, Ticket, TicketName};
use upgrade::{DeviceId, RunId, Time};

use crate::Error;

/// What it serves.
#[derive(Debug, Args)]
pub(crate) struct Ours {
    #[arg(long)]
    address: SocketAddr,
    #[arg(long)]
    folder: PathBuf,
    #[arg(long)]
    clients: u32,
    #[arg(long)]
    bytes: u64,
}

/// How many calls of connections may wait, as in the manager.
const WAITING: usize = 1024;

/// User, password and file of a client: each has a run and a ticket of its own.
pub(crate) fn login(client: u32) -> (String, String, String) {
    (RunId(client.into()).to_string(), format!("password{client}"), format!("image{client:05}"))
}

/// Serves until the process is killed. As in the manager, the FTP server has a thread of its own.
pub(crate) fn serve(ours: &Ours) -> Result<(), Error> {
    let data = ours.folder.join("data");
    std::fs::create_dir(&data)?;
    let files = Files::open(&data)?;
    let digest = files.add(&mut File::open(ours.folder.join("image"))?)?.digest;
    let clock = Clock::after(Time::default());
    let (order, orders) = mpsc::unbounded_channel();
    for client in 0..ours.clients {
        let (_, password, name) = login(client);
        order.send(Order::Open(Ticket {
            name: TicketName(name),
            run: RunId(client.into()),
            device: DeviceId(client.into()),
            // All clients are at the one address from which the system reaches others of its own.
            address: Ipv4Addr::LOCALHOST.into(),
            direction: Direction::Read,
            protocol: Protocol::Ftp,
            content: Content::Stored { digest },
            size: ours.bytes,
            expires: clock.now() + Duration::from_secs(3600),
            password,
        }))?;
    }
    let (answers, stored) = mpsc::unbounded_channel();
    let (reports, mut reported) = mpsc::unbounded_channel();
    let (calls, ftp) = mpsc::channel(WAITING);
    let served = files.clone();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            // The director would read them.
            tokio::spawn(async move { while reported.recv().await.is_some() {} });
            let requests = Sockets::bind(([127, 0, 0, 1], 0).into())?;
            let connections = Connections {
                transfers: Some(requests.beside()?),
                requests,
                orders,
                reports,
                storage: Storage::start(&files, &answers)?,
                stored,
                ftp,
                figures: std::sync::Arc::default(),
            };
            run(FileServer::new(Settings::default()), connections, clock).await?;
            Ok::<(), Error>(())
        })
    });
    let [certificate, key] = ["certificate", "key"].map(|name| ours.folder.join(name));
    let settings =
        FtpSettings { tls: Some(Tls { certificate, key, required: false }), ..FtpSettings::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let server = FtpServer::bind(ours.address, calls, served, settings)?;
        server.run(std::future::pending()).await;
        Ok(())
    })
}
