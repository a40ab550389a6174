//! One control connection, from its first byte to its end.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use libunftp::options::{ActivePassiveMode, PassiveHost, SiteMd5};
use libunftp::{Server, ServerBuilder, ServerError};
use rustix::net::{Shutdown, shutdown};
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::sync::{oneshot, watch};

use super::connection::{Connection, Line};
use super::guests::Guest;
use super::login::{Device, Door};
use super::tickets::Tickets;
use super::{FtpSettings, Service, secured};

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
    let connection = Arc::new(Connection::new(service, peer.ip(), guest));
    let server = match libunftp(&connection) {
        Ok(server) => server,
        Err(error) => return tracing::error!(%error, "libunftp refuses its settings"),
    };
    let served = server.service(stream);
    tokio::pin!(served);
    let too_late = async {
        tokio::time::sleep(login_limit).await;
        if !connection.is_strange() {
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
    connection.end(ended);
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
    let FtpSettings { passive_ports, passive_host, idle_limit, tls, .. } = settings;
    let door = Arc::new(Door(Arc::clone(connection)));
    let tickets = Arc::clone(connection);
    let server = ServerBuilder::<Tickets, Device>::with_user_detail_provider(
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
    .sitemd5(SiteMd5::None);
    secured::secured(server, tls.as_ref()).build()
}

/// Whether connections can be served as is set, before the first is there.
pub(super) fn try_settings(service: &Arc<Service>) -> Result<(), Box<ServerError>> {
    let Some((guest, _)) = service.guests.admit() else { return Ok(()) };
    let connection = Connection::new(Arc::clone(service), Ipv4Addr::UNSPECIFIED.into(), guest);
    libunftp(&Arc::new(connection)).map(drop).map_err(Box::new)
}
