//! The FTP transfers of devices (RFC 959, passive mode): each is a task while it lasts, bound to the device's address on both of
//! its connections.

use core::time::Duration;
use std::io;
use std::net::{IpAddr, SocketAddr};

use socket2::{Domain, Protocol, Type};
use suppaftp::tokio::AsyncFtpStream;
use suppaftp::types::FileType;
use suppaftp::{FtpError, Mode, Status};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::mpsc;

use super::transfers::{Job, Owner, Report};
use crate::device::{Stall, TransferError};
use crate::transfer::Progress;

/// How many bytes are moved at a time.
const CHUNK: usize = 32 * 1024;

/// Who the device says it is.
#[derive(Debug, Clone)]
pub(crate) struct Login {
    pub(crate) user: String,
    pub(crate) password: String,
}

/// Moves one file, and reports. The transfer is cancelled by dropping it.
pub(crate) async fn carry(job: Job, login: Login, give_up: Duration, reports: mpsc::Sender<Report>) {
    let owner = job.owner;
    let moved = match &job.content {
        None => fetch(&job, &login, give_up, &reports).await,
        Some(content) => send(&job, content, &login, give_up, &reports).await,
    };
    let progress = match moved {
        Ok(()) => Progress::Finished,
        Err(error) => Progress::Failed(error),
    };
    let _ = reports.send(Report { owner, progress }).await;
}

async fn fetch(
    job: &Job,
    login: &Login,
    give_up: Duration,
    reports: &mpsc::Sender<Report>,
) -> Result<(), TransferError> {
    let mut server = connect(job, login, give_up).await?;
    let opened = within(give_up, server.retr_as_stream(&job.name)).await?;
    let mut stream = opened.map_err(|error| refusal(&error, TransferError::NotFound))?;
    let mut buffer = vec![0; CHUNK];
    let (mut stalls, mut received) = (job.stall, 0);
    loop {
        stall(&mut stalls, received).await;
        let count = within(give_up, stream.read(&mut buffer)).await?.map_err(|_| TransferError::Broken)?;
        let Some(bytes) = buffer.get(..count).filter(|bytes| !bytes.is_empty()) else { break };
        received += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        report(reports, job.owner, Progress::Received(bytes.to_vec())).await?;
    }
    within(give_up, stream.finish()).await?.map_err(|error| refusal(&error, TransferError::Broken))?;
    let _ = within(give_up, server.quit()).await;
    Ok(())
}

async fn send(
    job: &Job,
    content: &[u8],
    login: &Login,
    give_up: Duration,
    reports: &mpsc::Sender<Report>,
) -> Result<(), TransferError> {
    let mut server = connect(job, login, give_up).await?;
    let opened = within(give_up, server.put_with_stream(&job.name)).await?;
    let mut stream = opened.map_err(|error| refusal(&error, TransferError::Refused))?;
    let (mut stalls, mut sent) = (job.stall, 0);
    for bytes in content.chunks(CHUNK) {
        stall(&mut stalls, sent).await;
        within(give_up, stream.write_all(bytes)).await?.map_err(|_| TransferError::Broken)?;
        sent += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        report(reports, job.owner, Progress::Sent(sent)).await?;
    }
    within(give_up, stream.finish()).await?.map_err(|error| refusal(&error, TransferError::Broken))?;
    let _ = within(give_up, server.quit()).await;
    Ok(())
}

async fn connect(job: &Job, login: &Login, give_up: Duration) -> Result<AsyncFtpStream, TransferError> {
    let local = job.local;
    let stream =
        within(give_up, connect_from(local, job.server)).await.map_err(|_| TransferError::Unreachable)?;
    let stream = stream.map_err(|_| TransferError::Unreachable)?;
    let server = within(give_up, AsyncFtpStream::connect_with_stream(stream)).await?;
    let server = server.map_err(|_| TransferError::Unreachable)?;
    let mut server = server.passive_stream_builder(move |address| {
        Box::pin(async move {
            // The builder's future has to be Sync, which a connection in the making is not, but a task's handle is.
            let connected = tokio::spawn(connect_from(local, address)).await.map_err(io::Error::other);
            connected.and_then(|connected| connected).map_err(FtpError::ConnectionError)
        })
    });
    if local.is_ipv6() {
        server.set_mode(Mode::ExtendedPassive);
    }
    let logged_in = within(give_up, server.login(&login.user, &login.password)).await?;
    logged_in.map_err(|error| refusal(&error, TransferError::Refused))?;
    let binary = within(give_up, server.transfer_type(FileType::Binary)).await?;
    binary.map_err(|error| refusal(&error, TransferError::Broken))?;
    Ok(server)
}

/// Connects from the device's own address.
async fn connect_from(local: IpAddr, server: SocketAddr) -> io::Result<TcpStream> {
    let from = SocketAddr::from((local, 0));
    let socket = socket2::Socket::new(Domain::for_address(from), Type::STREAM, Some(Protocol::TCP))?;
    if local.is_ipv6() {
        socket.set_freebind_v6(true)?;
    }
    socket.bind(&from.into())?;
    socket.set_nonblocking(true)?;
    TcpSocket::from_std_stream(socket.into()).connect(server).await
}

/// What the server's answer means, `otherwise` where it may mean many things.
fn refusal(error: &FtpError, otherwise: TransferError) -> TransferError {
    let FtpError::UnexpectedResponse(response) = error else { return TransferError::Broken };
    match response.status {
        Status::NotLoggedIn | Status::InvalidCredentials | Status::BadFilename => TransferError::Refused,
        Status::ExceededStorage | Status::RequestedActionNotTaken => TransferError::DiskFull,
        Status::FileUnavailable => otherwise,
        Status::NotAvailable => TransferError::Unreachable,
        _ => TransferError::Broken,
    }
}

async fn within<T>(time: Duration, work: impl Future<Output = T>) -> Result<T, TransferError> {
    tokio::time::timeout(time, work).await.map_err(|_| TransferError::Broken)
}

/// Stands still if so many bytes are where it has to.
async fn stall(stall: &mut Option<Stall>, moved: u64) {
    match stall.take_if(|stall| moved >= stall.at).map(|stall| stall.time) {
        Some(Some(time)) => tokio::time::sleep(time).await,
        Some(None) => core::future::pending().await,
        None => {}
    }
}

async fn report(
    reports: &mpsc::Sender<Report>,
    owner: Owner,
    progress: Progress,
) -> Result<(), TransferError> {
    reports.send(Report { owner, progress }).await.map_err(|_| TransferError::Broken)
}
