//! Datagrams sent in one call.

use std::io::{self, IoSlice};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::Range;
use std::os::fd::RawFd;

use nix::libc;
use nix::sys::socket::{ControlMessage, MsgFlags, MultiHeaders, SockaddrStorage, sendmmsg};

/// Datagrams that wait to be sent together, each to a peer of its own.
#[derive(Debug, Default)]
pub struct Outbox {
    bytes: Vec<u8>,
    waiting: Vec<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    peer: SocketAddr,
    local: Option<IpAddr>,
    bytes: Range<usize>,
}

impl Outbox {
    /// Datagrams that one call sends at most: more of them save next to nothing.
    pub const MOST_AT_ONCE: usize = 64;

    /// Adds a datagram for this peer, from this address of ours; where there is none the system chooses.
    pub fn push(&mut self, peer: SocketAddr, local: Option<IpAddr>, bytes: &[u8]) {
        let begin = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        self.waiting.push(Waiting { peer, local, bytes: begin..self.bytes.len() });
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Forgets all that wait.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.waiting.clear();
    }

    /// Whom the datagram at this place is for.
    pub(crate) fn peer(&self, place: usize) -> Option<SocketAddr> {
        self.waiting.get(place).map(|waiting| waiting.peer)
    }

    /// Sends those from this place on, as many as one call takes, and tells how many it took: at least one.
    ///
    /// # Errors
    /// What the system says of the first of them; none was sent then.
    pub(crate) fn send_from(&self, place: usize, socket: RawFd) -> io::Result<usize> {
        let waiting = self.waiting.get(place..).unwrap_or_default();
        // One call has one source address.
        let local = waiting.first().and_then(|first| first.local);
        let together = waiting.iter().take(Self::MOST_AT_ONCE).take_while(|waiting| waiting.local == local);
        let (slices, peers): (Vec<_>, Vec<_>) = together
            .map(|waiting| {
                let bytes = self.bytes.get(waiting.bytes.clone()).unwrap_or_default();
                ([IoSlice::new(bytes)], Some(SockaddrStorage::from(waiting.peer)))
            })
            .unzip();
        let send = |from: &[ControlMessage<'_>], room| {
            let mut headers = MultiHeaders::preallocate(slices.len(), room);
            sendmmsg(socket, &mut headers, &slices, &peers, from, MsgFlags::empty()).map(|sent| sent.count())
        };
        let sent = match local {
            // Any address given here, 0.0.0.0 included, takes the place of the one that the socket is bound to.
            None => send(&[], None),
            Some(IpAddr::V4(local)) => {
                let [own, any] = [local, Ipv4Addr::UNSPECIFIED]
                    .map(|address| libc::in_addr { s_addr: u32::from_ne_bytes(address.octets()) });
                let info = libc::in_pktinfo { ipi_ifindex: 0, ipi_spec_dst: own, ipi_addr: any };
                send(&[ControlMessage::Ipv4PacketInfo(&info)], Some(nix::cmsg_space!(libc::in_pktinfo)))
            }
            Some(IpAddr::V6(local)) => {
                let own = libc::in6_addr { s6_addr: local.octets() };
                let info = libc::in6_pktinfo { ipi6_ifindex: 0, ipi6_addr: own };
                send(&[ControlMessage::Ipv6PacketInfo(&info)], Some(nix::cmsg_space!(libc::in6_pktinfo)))
            }
        };
        Ok(sent?)
    }
}
