//! Loopback addresses and ports that no other test uses: tests run beside each other, and many foreign servers cannot
//! choose a free port themselves and say which.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicU32, Ordering};

/// An address within 127.0.0.0/8 that no other running test has. Its first part comes from the process's id and the rest
/// is counted, as the runner may put each test into a process of its own or many into one.
#[must_use]
pub fn own_address() -> Ipv4Addr {
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    // Process ids follow each other: the processes that run at the same time differ in their last 16 bits.
    let [.., a, b] = std::process::id().to_be_bytes();
    let taken = TAKEN.fetch_add(1, Ordering::Relaxed);
    let host = u8::try_from(1 + taken % 250).unwrap_or(u8::MAX);
    Ipv4Addr::new(127, a, b, host)
}

/// A UDP port of `address` that is free now.
///
/// # Panics
///
/// When the address is not one of this machine's.
#[must_use]
pub fn free_udp_port(address: impl Into<IpAddr>) -> u16 {
    let socket = UdpSocket::bind(SocketAddr::new(address.into(), 0)).unwrap();
    socket.local_addr().unwrap().port()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_is_a_loopback_address_of_its_own() {
        let (one, other) = (own_address(), own_address());
        assert!(one.is_loopback() && other.is_loopback());
        assert_ne!(one, other);
        assert_ne!(free_udp_port(one), 0);
    }
}
