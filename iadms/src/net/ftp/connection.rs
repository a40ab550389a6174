//! One control connection, from its first byte to its end.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use engine::file_server::{Cause, Refusal};
use libunftp::options::{ActivePassiveMode, PassiveHost, SiteMd5};
use libunftp::{Server, ServerBuilder, ServerError};
use rustix::net::{Shutdown, shutdown};
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::sync::{oneshot, watch};
use upgrade::RunId;

use super::desk::{Denied, FtpCall};
use super::guests::Guest;
use super::login::{Device, Door};
use super::tickets::Tickets;
use super::{FtpSettings, Service};

/// What everything on one control connection shares.
#[derive(Debug)]
pub(super) struct Connection {
    service: Arc<Service>,
    peer: IpAddr,
    guest: Guest,
    line: watch::Sender<Line>,
}

/// Whether the control connection lasts. Without it no transfer goes on (RFC 959 section 3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    /// It does.
    Open,
    /// The device has closed or lost it.
    Lost,
    /// We close it.
    Closed,
}

impl Line {
    /// Why a transfer ends with it.
    pub(super) fn cause(self) -> Cause {
        match self {
            Self::Open | Self::Lost => Cause::Device("its control connection is gone".to_owned()),
            Self::Closed => Cause::Storage("the FTP server closes the connection".to_owned()),
        }
    }
}

impl Connection {
    pub(super) fn service(&self) -> &Service {
        &self.service
    }

    pub(super) fn peer(&self) -> IpAddr {
        self.peer
    }

    /// Sees the control connection end.
    pub(super) fn line(&self) -> watch::Receiver<Line> {
        self.line.subscribe()
    }

    /// Asks the desk whether somebody may log in.
    pub(super) async fn log_in(&self, user: &str, password: &str) -> Result<RunId, Denied> {
        let (user, password) = (user.to_owned(), password.to_owned());
        let run = self.ask(|reply| FtpCall::Login { user, password, address: self.peer, reply }).await?;
        self.guest.logged_in();
        Ok(run)
    }

    /// Asks the desk, and waits for its answer.
    pub(super) async fn ask<T>(
        &self,
        call: impl FnOnce(oneshot::Sender<Result<T, Refusal>>) -> FtpCall,
    ) -> Result<T, Denied> {
        let (reply, answer) = oneshot::channel();
        self.service.desk.send(call(reply)).await.map_err(|_| Denied::NobodyThere)?;
        Ok(answer.await.map_err(|_| Denied::NobodyThere)??)
    }
}

/// Serves one control connection to its end.
pub(super) async fn serve(
    service: Arc<Service>,
    stream: TcpStream,
    peer: SocketAddr,
    (guest, leave): (Guest, oneshot::Receiver<()>),
    mut closing: watch::Receiver<bool>,
) {
    let login_limit = service.settings.login_limit;
    // libunftp looks at the connection only between commands, and not during a transfer: we do.
    let (stream, watched) = match doubled(stream) {
        Ok(both) => both,
        Err(error) => return tracing::warn!(%peer, %error, "an FTP connection cannot be served"),
    };
    let line = watch::Sender::new(Line::Open);
    let connection = Arc::new(Connection { service, peer: peer.ip(), guest, line });
    let server = match libunftp(&connection) {
        Ok(server) => server,
        Err(error) => return tracing::error!(%error, "libunftp refuses its settings"),
    };
    let served = server.service(stream);
    tokio::pin!(served);
    let too_late = async {
        tokio::time::sleep(login_limit).await;
        if !connection.guest.is_stranger() {
            std::future::pending::<()>().await;
        }
    };
    let (ended, may_read_on) = tokio::select! {
        // Nothing but the end of it is told.
        _ = &mut served => (Line::Lost, false),
        // Nobody sends urgent data. The closed reading side, which is told along with it, is what is waited for.
        _ = watched.ready(Interest::PRIORITY) => (Line::Lost, true),
        () = too_late => (Line::Closed, false),
        // Whether told or dropped: it has to leave.
        _ = leave => (Line::Closed, false),
        _ = closing.wait_for(|closing| *closing) => (Line::Closed, false),
    };
    connection.line.send_replace(ended);
    if may_read_on {
        // The last commands may wait to be read: QUIT, as a rule.
        let _ = tokio::time::timeout(LAST_COMMANDS, &mut served).await;
    }
    // It may be closed already.
    let _ = shutdown(&watched, Shutdown::Both);
}

/// How long a closed connection has for what came before.
const LAST_COMMANDS: Duration = Duration::from_secs(5);

/// The stream, and the same stream once more.
fn doubled(stream: TcpStream) -> std::io::Result<(TcpStream, TcpStream)> {
    let stream = stream.into_std()?;
    let watched = TcpStream::from_std(stream.try_clone()?)?;
    Ok((TcpStream::from_std(stream)?, watched))
}

fn libunftp(connection: &Arc<Connection>) -> Result<Server<Tickets, Device>, ServerError> {
    let Service { settings, ports, .. } = connection.service();
    let FtpSettings { passive_ports, passive_host, idle_limit, .. } = settings;
    let door = Arc::new(Door(Arc::clone(connection)));
    let tickets = Arc::clone(connection);
    ServerBuilder::<Tickets, Device>::with_user_detail_provider(
        Box::new(move || Tickets(Arc::clone(&tickets))),
        Arc::clone(&door) as _,
    )
    .authenticator(door)
    .greeting("File server ready")
    .active_passive_mode(ActivePassiveMode::ActiveAndPassive)
    .passive_host(passive_host.map_or(PassiveHost::FromConnection, PassiveHost::Ip))
    .passive_ports(passive_ports.clone())
    .binder(ports.clone())
    .idle_session_timeout(idle_limit.as_secs().max(1))
    .sitemd5(SiteMd5::None)
    .build()
}
