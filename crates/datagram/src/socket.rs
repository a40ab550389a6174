//! The socket itself: batched receiving, segmented sending.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd};
use std::sync::atomic::{AtomicUsize, Ordering};

use quinn_udp::UdpSocketState;
use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::UdpSocket;

use crate::batch::Batch;
use crate::bind::{self, BindError, SocketOptions};
use crate::drops;
use crate::outbox::Outbox;

/// Most bytes in one segmented send: all segments together travel the stack as one UDP datagram.
const MAX_SEGMENTED_BYTES: usize = 65_000;

/// A UDP socket within a tokio runtime. Any number of tasks may use it at once.
#[derive(Debug)]
pub struct Socket {
    io: UdpSocket,
    state: UdpSocketState,
    address: SocketAddr,
    /// Most segments the kernel takes in one send; 1 where it cannot segment.
    max_segments: usize,
    /// Segments of this size and above were refused: they do not fit the path's MTU, or the interface cannot
    /// segment.
    refused_segment_size: AtomicUsize,
}

/// One datagram to send, or several of equal size to one peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transmit<'a> {
    /// Who gets it.
    pub peer: SocketAddr,
    /// The address of ours it comes from; the system chooses where there is none.
    pub local: Option<IpAddr>,
    /// The contents, all datagrams together.
    pub bytes: &'a [u8],
    /// Bytes of each datagram where there are several; the last may be shorter.
    pub segment_size: Option<usize>,
}

impl Socket {
    /// Opens a socket; port 0 lets the system choose one. It has to be called within a tokio runtime.
    ///
    /// `0.0.0.0` and `[::]` take datagrams to every address of this host, each of its own family.
    ///
    /// # Errors
    /// [`BindError`] where the port is taken, is not permitted, or the address is not of this host.
    pub fn bind(address: SocketAddr, options: &SocketOptions) -> Result<Self, BindError> {
        let socket = bind::bind(address, options)?;
        Self::prepare(socket).map_err(|cause| BindError::Other { address, cause })
    }

    fn prepare(socket: std::net::UdpSocket) -> io::Result<Self> {
        let address = socket.local_addr()?;
        let state = UdpSocketState::new((&socket).into())?;
        bind::allow_fragments(SockRef::from(&socket), address)?;
        Ok(Self {
            max_segments: state.max_gso_segments().max(1),
            io: UdpSocket::from_std(socket)?,
            state,
            address,
            refused_segment_size: AtomicUsize::new(usize::MAX),
        })
    }

    /// The address it is bound to, with the port the system chose.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits for datagrams and takes as many as there are, up to a batch.
    ///
    /// It may be cancelled without losing any. What an unreachable peer makes the network answer (ICMP) does not
    /// end it.
    ///
    /// # Errors
    /// Whatever the system reports about the socket itself.
    pub async fn receive(&self, batch: &mut Batch) -> io::Result<()> {
        loop {
            match self.io.async_io(Interest::READABLE, || self.receive_now(batch)).await {
                Err(error) if is_about_a_peer(&error) => {}
                outcome => return outcome,
            }
        }
    }

    /// Takes the datagrams that are there already; the batch is empty where there are none.
    ///
    /// # Errors
    /// As [`Socket::receive`].
    pub fn try_receive(&self, batch: &mut Batch) -> io::Result<()> {
        loop {
            batch.clear();
            match self.receive_now(batch) {
                Err(error) if is_about_a_peer(&error) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                outcome => return outcome,
            }
        }
    }

    /// Sends one datagram or several, waiting for room in the send buffer.
    ///
    /// # Errors
    /// What the system says of this peer, source address or size. Other peers are not concerned by it.
    pub async fn send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        for part in self.parts(transmit) {
            let sent = self.io.async_io(Interest::WRITABLE, || self.send_now(&part)).await;
            match sent {
                Err(error) if self.blames_segmentation(&part, &error) => {
                    for single in singles(&part) {
                        self.io.async_io(Interest::WRITABLE, || self.send_now(&single)).await?;
                    }
                    self.remember_refusal(&part);
                }
                outcome => outcome?,
            }
        }
        Ok(())
    }

    /// Sends all that waits in the outbox, waiting for room in the send buffer, and empties it.
    ///
    /// What the system will not send is left out and told to `refused`, each with its peer: others are not concerned by it.
    pub async fn send_all(&self, outbox: &mut Outbox, mut refused: impl FnMut(SocketAddr, &io::Error)) {
        let mut done = 0;
        while let Some(peer) = outbox.peer(done) {
            let socket = self.io.as_fd().as_raw_fd();
            let sent = self.io.async_io(Interest::WRITABLE, || outbox.send_from(done, socket)).await;
            done += gone(sent, peer, &mut refused);
        }
        outbox.clear();
    }

    /// The same for as many as there is room for in the send buffer, without waiting: the others are refused.
    pub fn try_send_all(&self, outbox: &mut Outbox, mut refused: impl FnMut(SocketAddr, &io::Error)) {
        let mut done = 0;
        while let Some(peer) = outbox.peer(done) {
            let sent = outbox.send_from(done, self.io.as_fd().as_raw_fd());
            done += gone(sent, peer, &mut refused);
        }
        outbox.clear();
    }

    /// Sends what there is room for in the send buffer, without waiting.
    ///
    /// # Errors
    /// As [`Socket::send`], and `WouldBlock` where there was no room; some of several datagrams may have gone out.
    pub fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        for part in self.parts(transmit) {
            match self.send_now(&part) {
                Err(error) if self.blames_segmentation(&part, &error) => {
                    for single in singles(&part) {
                        self.send_now(&single)?;
                    }
                    self.remember_refusal(&part);
                }
                outcome => outcome?,
            }
        }
        Ok(())
    }

    /// Bytes the kernel really keeps for datagrams not yet received; Linux counts its own overhead in.
    ///
    /// # Errors
    /// Whatever the system reports.
    pub fn receive_buffer(&self) -> io::Result<usize> {
        self.state.recv_buffer_size((&self.io).into())
    }

    /// Bytes the kernel really keeps for datagrams not yet sent; Linux counts its own overhead in.
    ///
    /// # Errors
    /// Whatever the system reports.
    pub fn send_buffer(&self) -> io::Result<usize> {
        self.state.send_buffer_size((&self.io).into())
    }

    /// How many datagrams the kernel dropped so far because the receive buffer was full, if it tells.
    pub fn dropped(&self) -> Option<u64> {
        drops::dropped(self.io.as_fd(), self.address.is_ipv4())
    }

    fn receive_now(&self, batch: &mut Batch) -> io::Result<()> {
        batch.fill(|slices, metas| self.state.recv((&self.io).into(), slices, metas))
    }

    fn send_now(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        let transmit = quinn_udp::Transmit {
            destination: transmit.peer,
            ecn: None,
            contents: transmit.bytes,
            segment_size: transmit.segment_size,
            src_ip: transmit.local,
        };
        self.state.try_send((&self.io).into(), &transmit)
    }

    /// What goes out in one call each: as many segments as the kernel takes, or single datagrams.
    fn parts<'a>(&self, transmit: &Transmit<'a>) -> impl Iterator<Item = Transmit<'a>> + use<'a> {
        let whole = transmit.bytes.len();
        let size = transmit.segment_size.unwrap_or(whole).clamp(1, whole.max(1));
        let segmented = size < self.refused_segment_size.load(Ordering::Relaxed);
        let segments = if segmented { (MAX_SEGMENTED_BYTES / size).clamp(1, self.max_segments) } else { 1 };
        let Transmit { peer, local, bytes, .. } = *transmit;
        let part = move |bytes: &'a [u8]| {
            let segment_size = (bytes.len() > size).then_some(size);
            Transmit { peer, local, bytes, segment_size }
        };
        // An empty datagram has no chunks, and is one datagram all the same.
        let empty = bytes.is_empty().then(|| part(bytes));
        bytes.chunks(size * segments).map(part).chain(empty)
    }

    /// Whether the same datagrams may go out one by one: the kernel refuses to segment what it would fragment, and
    /// some interfaces do not segment at all.
    fn blames_segmentation(&self, part: &Transmit<'_>, error: &io::Error) -> bool {
        use nix::libc::{EINVAL, EIO, EMSGSIZE};
        part.segment_size.is_some() && matches!(error.raw_os_error(), Some(EINVAL | EIO | EMSGSIZE))
    }

    /// One by one they went, so it was the segmentation: segments of this size are not tried again.
    fn remember_refusal(&self, part: &Transmit<'_>) {
        if let Some(size) = part.segment_size {
            self.refused_segment_size.fetch_min(size, Ordering::Relaxed);
        }
    }
}

/// How many of those that wait are done with after a call: sent, or the first one refused.
fn gone(
    sent: io::Result<usize>,
    first: SocketAddr,
    refused: &mut impl FnMut(SocketAddr, &io::Error),
) -> usize {
    match sent {
        Ok(sent) => sent.max(1),
        Err(error) => {
            refused(first, &error);
            1
        }
    }
}

fn singles<'a>(part: &Transmit<'a>) -> impl Iterator<Item = Transmit<'a>> + use<'a> {
    let Transmit { peer, local, bytes, segment_size } = *part;
    let size = segment_size.unwrap_or(bytes.len()).max(1);
    bytes.chunks(size).map(move |bytes| Transmit { peer, local, bytes, segment_size: None })
}

/// Errors of one peer or path that the system reports on the socket that all share.
fn is_about_a_peer(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
    )
}
