//! The ports of data connections in passive mode (PASV, RFC 959; EPSV, RFC 2428).

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use libunftp::options::Binder;
use tokio::net::TcpSocket;

/// The range, taken in turn by all connections: two that ask at the same moment never try the same port, as long as
/// the range has ports left. (`libunftp` by itself draws at random and gives up after nine used ones.)
#[derive(Debug, Clone)]
pub(super) struct PassivePorts {
    range: RangeInclusive<u16>,
    turn: Arc<AtomicUsize>,
}

impl PassivePorts {
    pub(super) fn new(range: RangeInclusive<u16>) -> Self {
        Self { range, turn: Arc::default() }
    }

    fn next(&self) -> Option<u16> {
        let ports = self.range.len();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed).checked_rem(ports)?;
        self.range.clone().nth(turn)
    }

    fn bind_one_of(&self, address: IpAddr) -> io::Result<TcpSocket> {
        for _ in 0..self.range.len() {
            let Some(port) = self.next() else { break };
            let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
            // The last transfer on this port may be waiting for stray packets still.
            socket.set_reuseaddr(true)?;
            match socket.bind(SocketAddr::new(address, port)) {
                Ok(()) => return Ok(socket),
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                Err(error) => return Err(error),
            }
        }
        tracing::warn!(range = ?self.range, "no port is left for a data connection by FTP");
        Err(io::ErrorKind::AddrInUse.into())
    }
}

#[async_trait]
impl Binder for PassivePorts {
    async fn bind(&mut self, address: IpAddr, _: RangeInclusive<u16>) -> io::Result<TcpSocket> {
        self.bind_one_of(address)
    }
}
