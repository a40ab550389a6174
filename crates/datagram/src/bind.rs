//! Opening a socket with the options it needs: socket2 has most of them, rustix those for path MTU and forced buffer
//! sizes, nix the one that lets IPv6 fragment.

use std::io;
use std::net::{SocketAddr, UdpSocket};

use nix::sys::socket::{setsockopt, sockopt::Ipv6DontFrag};
use rustix::net::sockopt::{
    Ipv4PathMtuDiscovery, Ipv6PathMtuDiscovery, set_ip_mtu_discover, set_ipv6_mtu_discover,
    set_socket_recv_buffer_size_force, set_socket_send_buffer_size_force,
};
use socket2::{Domain, Protocol, SockRef, Type};

/// How a socket is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SocketOptions {
    /// Bytes the kernel should keep for datagrams not yet received. It may give less.
    pub receive_buffer: usize,
    /// Bytes the kernel should keep for datagrams not yet sent. It may give less.
    pub send_buffer: usize,
    /// Bind to addresses, and send from addresses, that no interface has (IP_FREEBIND, IPV6_FREEBIND): a
    /// simulator answers for many that are only routed here.
    pub freebind: bool,
}

impl Default for SocketOptions {
    /// 4 MiB each way, addresses of this host only.
    fn default() -> Self {
        Self { receive_buffer: 4 << 20, send_buffer: 4 << 20, freebind: false }
    }
}

/// Why a socket could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Somebody has it.
    #[error("UDP port {} of {} is in use by another socket", .address.port(), .address.ip())]
    InUse {
        /// The address asked for.
        address: SocketAddr,
    },
    /// Ports below 1024 are for privileged processes.
    #[error("no permission to open UDP port {} of {}", .address.port(), .address.ip())]
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
    #[error("opening UDP port {} of {}", .address.port(), .address.ip())]
    Other {
        /// The address asked for.
        address: SocketAddr,
        /// What the system says.
        #[source]
        cause: io::Error,
    },
}

/// A bound, non-blocking socket. An IPv6 one leaves IPv4 to others, so that both wildcards can be open.
pub(crate) fn bind(address: SocketAddr, options: &SocketOptions) -> Result<UdpSocket, BindError> {
    open(address, options).map_err(|cause| match cause.kind() {
        io::ErrorKind::AddrInUse => BindError::InUse { address },
        io::ErrorKind::PermissionDenied => BindError::NotPermitted { address },
        io::ErrorKind::AddrNotAvailable => BindError::NoSuchAddress { address },
        _ => BindError::Other { address, cause },
    })
}

/// Lets the system fragment what does not fit the path. quinn-udp forbids it, for QUIC finds the path's MTU by
/// itself; SNMP messages and large TFTP blocks have only fragments to travel in.
pub(crate) fn allow_fragments(socket: SockRef<'_>, address: SocketAddr) -> io::Result<()> {
    if address.is_ipv4() {
        set_ip_mtu_discover(&*socket, Ipv4PathMtuDiscovery::WANT)?;
    } else {
        set_ipv6_mtu_discover(&*socket, Ipv6PathMtuDiscovery::WANT)?;
        setsockopt(&*socket, Ipv6DontFrag, &false)?;
    }
    Ok(())
}

fn open(address: SocketAddr, options: &SocketOptions) -> io::Result<UdpSocket> {
    let socket = socket2::Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    if options.freebind && address.is_ipv4() {
        socket.set_freebind_v4(true)?;
    } else if options.freebind {
        socket.set_freebind_v6(true)?;
    }
    // The privileged call passes the system's limit; the other takes what the limit allows.
    if set_socket_recv_buffer_size_force(&socket, options.receive_buffer).is_err() {
        socket.set_recv_buffer_size(options.receive_buffer)?;
    }
    if set_socket_send_buffer_size_force(&socket, options.send_buffer).is_err() {
        socket.set_send_buffer_size(options.send_buffer)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}
