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

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::net::{IpAddr, Ipv4Addr};

    use super::PassivePorts;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[tokio::test]
    async fn a_port_that_is_taken_is_passed_over_and_a_full_range_is_told() {
        let free = PassivePorts::new(0..=0).bind_one_of(HERE).unwrap().listen(1).unwrap();
        let port = free.local_addr().unwrap().port();
        let ports = PassivePorts::new(port..=port);
        assert_eq!(ports.bind_one_of(HERE).unwrap_err().kind(), ErrorKind::AddrInUse);
        drop(free);
        let listener = ports.bind_one_of(HERE).unwrap().listen(1).unwrap();
        assert_eq!(listener.local_addr().unwrap().port(), port);
    }

    #[test]
    fn the_ports_take_turns() {
        let ports = PassivePorts::new(50_000..=50_002);
        let turns: Vec<_> = std::iter::repeat_with(|| ports.next()).take(4).flatten().collect();
        assert_eq!(turns, [50_000, 50_001, 50_002, 50_000]);
        #[expect(clippy::reversed_empty_ranges, reason = "an operator may write it")]
        let none = PassivePorts::new(2..=1);
        assert_eq!(none.next(), None);
    }
}
