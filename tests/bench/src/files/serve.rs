//! Servers that are libraries, each in a process of its own: our file server as the manager runs it, with a ticket for each
//! client, and async-tftp.

use core::time::Duration;
use std::fs::File;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_tftp::server::TftpServerBuilder;
use clap::Args;
use engine::FileServer;
use engine::file_server::{Order, Settings};
use iadms::daemon::clock::Clock;
use iadms::files::Files;
use iadms::net::file_server::{Connections, run};
use iadms::net::sockets::Sockets;
use iadms::net::storage::Storage;
use tftp::Limits;
use tokio::sync::mpsc;
use upgrade::ticket::{Content, Direction, Protocol, Ticket, TicketName};
use upgrade::{DeviceId, RunId, Time};

use super::load;
use super::server::Server;
use crate::Error;

/// What our file server serves.
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
    #[arg(long)]
    writes: bool,
}

/// async-tftp, until the process is killed.
pub(crate) async fn serve_async_tftp(address: SocketAddr, folder: &Path) -> Result<(), Error> {
    let server = TftpServerBuilder::with_dir_rw(folder)?.bind(address).build().await?;
    Ok(server.serve().await?)
}

/// The manager's file server, until the process is killed.
pub(crate) async fn serve_ours(ours: &Ours) -> Result<(), Error> {
    let data = ours.folder.join("data");
    std::fs::create_dir(&data)?;
    let files = Files::open(&data)?;
    let content = if ours.writes {
        Content::Arriving
    } else {
        Content::Stored { digest: files.add(&mut File::open(ours.folder.join("image"))?)?.digest }
    };
    let clock = Clock::after(Time::default());
    let (order, orders) = mpsc::unbounded_channel();
    for client in 0..ours.clients {
        order.send(Order::Open(ours.ticket(client, content.clone(), clock)))?;
    }
    let (answers, stored) = mpsc::unbounded_channel();
    let (reports, mut reported) = mpsc::unbounded_channel();
    // The director would read them.
    tokio::spawn(async move { while reported.recv().await.is_some() {} });
    let (_ftp, ftp) = mpsc::channel(1);
    let requests = Sockets::bind(ours.address)?;
    let connections = Connections {
        transfers: Some(requests.beside()?),
        requests,
        orders,
        reports,
        storage: Storage::start(&files, &answers)?,
        stored,
        ftp,
        figures: Arc::default(),
    };
    let settings = Settings { limits: Limits::default(), ..Settings::default() };
    run(FileServer::new(settings), connections, clock).await?;
    Ok(())
}

impl Ours {
    fn ticket(&self, client: u32, content: Content, clock: Clock) -> Ticket {
        Ticket {
            name: TicketName(Server::Ours.file_name(client, self.writes)),
            run: RunId(client.into()),
            device: DeviceId(client.into()),
            address: IpAddr::V4(load::address(client)),
            direction: if self.writes { Direction::Write } else { Direction::Read },
            protocol: Protocol::Tftp,
            content,
            size: self.bytes,
            expires: clock.now() + Duration::from_secs(3600),
            password: String::new(),
        }
    }
}
