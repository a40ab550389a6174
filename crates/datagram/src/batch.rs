//! Datagrams received in one call.

use std::io::IoSliceMut;
use std::net::{IpAddr, SocketAddr};

use quinn_udp::{BATCH_SIZE, RecvMeta};

/// Room for the largest datagram, and for the most the kernel joins into one (GRO).
const SLOT_BYTES: usize = 64 * 1024;

/// Room for the datagrams of one call, used again for the next one: nothing is allocated for a datagram.
#[derive(Debug)]
pub struct Batch {
    room: Vec<u8>,
    metas: [RecvMeta; BATCH_SIZE],
    filled: usize,
}

/// One datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received<'a> {
    /// Who sent it.
    pub peer: SocketAddr,
    /// The address of ours it was sent to, from which an answer has to come. None where it was sent to many
    /// (broadcast, multicast) or the system does not tell.
    pub local: Option<IpAddr>,
    /// Its contents.
    pub bytes: &'a [u8],
}

impl Batch {
    /// An empty batch. Its 2 MiB are taken from the system only as far as they are used.
    pub fn new() -> Self {
        Self { room: vec![0; SLOT_BYTES * BATCH_SIZE], metas: [RecvMeta::default(); BATCH_SIZE], filled: 0 }
    }

    /// The datagrams of the last call, in the order of their arrival.
    pub fn iter(&self) -> impl Iterator<Item = Received<'_>> {
        let slots = self.room.chunks(SLOT_BYTES).zip(&self.metas).take(self.filled);
        slots.flat_map(|(slot, meta)| {
            let joined = slot.get(..meta.len).unwrap_or_default();
            let local = meta.dst_ip.map(|address| address.to_canonical()).filter(is_one_host);
            let datagram = move |bytes| Received { peer: meta.addr, local, bytes };
            // An empty datagram has no chunks, and is one datagram all the same.
            let empty = joined.is_empty().then(|| datagram(joined));
            joined.chunks(meta.stride.max(1)).map(datagram).chain(empty)
        })
    }

    /// Whether the last call brought nothing.
    pub fn is_empty(&self) -> bool {
        self.filled == 0
    }

    /// Forgets the datagrams of the last call.
    pub fn clear(&mut self) {
        self.filled = 0;
    }

    /// Lets `receive` fill the batch.
    pub(crate) fn fill<E>(
        &mut self,
        receive: impl FnOnce(&mut [IoSliceMut<'_>], &mut [RecvMeta]) -> Result<usize, E>,
    ) -> Result<(), E> {
        self.filled = 0;
        let mut slots = self.room.chunks_mut(SLOT_BYTES);
        let mut slices: [IoSliceMut<'_>; BATCH_SIZE] =
            std::array::from_fn(|_| IoSliceMut::new(slots.next().unwrap_or_default()));
        self.filled = receive(&mut slices, &mut self.metas)?;
        Ok(())
    }
}

impl Default for Batch {
    fn default() -> Self {
        Self::new()
    }
}

fn is_one_host(address: &IpAddr) -> bool {
    let is_broadcast = matches!(address, IpAddr::V4(v4) if v4.is_broadcast());
    !address.is_multicast() && !address.is_unspecified() && !is_broadcast
}
