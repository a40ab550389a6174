//! The listening socket of control connections.

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket};

/// Why the FTP server cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Somebody has the port.
    #[error("FTP port {} of {} is in use by another program", .address.port(), .address.ip())]
    InUse {
        /// The address asked for.
        address: SocketAddr,
    },
    /// Ports below 1024 are for privileged processes.
    #[error("no permission to open FTP port {} of {}", .address.port(), .address.ip())]
    NotPermitted {
        /// The address asked for.
        address: SocketAddr,
    },
    /// No interface has the address.
    #[error("this host has no address {}", .address.ip())]
    NoSuchAddress {
        /// The address asked for.
        address: SocketAddr,
    },
    /// Anything else.
    #[error("opening FTP port {} of {}", .address.port(), .address.ip())]
    Other {
        /// The address asked for.
        address: SocketAddr,
        /// What the system says.
        #[source]
        cause: io::Error,
    },
    /// What is to secure it cannot be used.
    #[error("the certificate of the FTP server, or its key, cannot be used")]
    Tls(#[source] Box<libunftp::ServerError>),
}

/// Listens, and tells where: port 0 has become the system's choice.
pub(super) fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), BindError> {
    open(address).map_err(|cause| match cause.kind() {
        io::ErrorKind::AddrInUse => BindError::InUse { address },
        io::ErrorKind::PermissionDenied => BindError::NotPermitted { address },
        io::ErrorKind::AddrNotAvailable => BindError::NoSuchAddress { address },
        _ => BindError::Other { address, cause },
    })
}

/// Bytes the system keeps of commands not yet read. Commands are short, and `libunftp` bounds no line: together with
/// the time there is to log in, this bounds what a stranger can make it hold.
const COMMAND_BUFFER_BYTES: u32 = 4096;

/// Connections that wait to be accepted: a whole campaign may connect in one moment.
const BACKLOG: u32 = 1024;

fn open(address: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if address.is_ipv6() {
        // PASV tells an IPv4 address, which libunftp takes from the socket: IPv4 needs one of its own.
        rustix::net::sockopt::set_ipv6_v6only(&socket, true)?;
    }
    // Connections that ended just now must not keep a restarted server from its port.
    socket.set_reuseaddr(true)?;
    socket.set_recv_buffer_size(COMMAND_BUFFER_BYTES)?;
    socket.bind(address)?;
    let listener = socket.listen(BACKLOG)?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}
