//! Pieces of stored files, read once and shared by all transfers that need them at the same time.

use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use upgrade::Digest;

use super::message::{CHUNK_BYTES, TransferId};

/// When a piece that storage was asked for and never gave is asked for once more, if somebody needs it.
const ASK_AGAIN: Duration = Duration::from_secs(10);

/// A piece of a stored file: the file and its first byte, a multiple of [`CHUNK_BYTES`].
pub(super) type Place = (Digest, u64);

/// Which pieces are in memory and which are on their way. It keeps none alive: a piece lives as long as a transfer
/// holds it, so memory follows the transfers and not the files.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    at_hand: BTreeMap<Place, Shared>,
    awaited: BTreeMap<Place, Awaited>,
}

#[derive(Debug)]
struct Awaited {
    asked_at: Duration,
    transfers: Vec<TransferId>,
}

#[derive(Debug)]
struct Shared {
    bytes: Weak<[u8]>,
    last: bool,
}

/// Where a transfer gets a piece from.
pub(super) enum Found {
    /// It is in memory, and whether the file ends with it.
    AtHand(Arc<[u8]>, bool),
    /// It has to be read from storage: nobody has asked for it yet.
    ToRead,
    /// It is on its way.
    OnItsWay,
}

/// The place that holds this byte of a file.
pub(super) fn place(file: Digest, offset: u64) -> Place {
    (file, offset - offset % CHUNK_BYTES as u64)
}

impl Chunks {
    /// Looks for a piece on behalf of a transfer, which waits for it from now on where it is not at hand.
    pub(super) fn find(&mut self, place: Place, transfer: TransferId, now: Duration) -> Found {
        let shared = self.at_hand.get(&place).and_then(|shared| Some((shared.bytes.upgrade()?, shared.last)));
        if let Some((bytes, last)) = shared {
            return Found::AtHand(bytes, last);
        }
        match self.awaited.get_mut(&place) {
            Some(awaited) => {
                awaited.transfers.push(transfer);
                if now < awaited.asked_at.saturating_add(ASK_AGAIN) {
                    return Found::OnItsWay;
                }
                awaited.asked_at = now;
            }
            None => {
                self.awaited.insert(place, Awaited { asked_at: now, transfers: vec![transfer] });
            }
        }
        Found::ToRead
    }

    /// A piece has come: who waits for it.
    pub(super) fn arrived(&mut self, place: Place, bytes: &Arc<[u8]>, last: bool) -> Vec<TransferId> {
        self.at_hand.retain(|_, shared| shared.bytes.strong_count() > 0);
        self.at_hand.insert(place, Shared { bytes: Arc::downgrade(bytes), last });
        self.awaited.remove(&place).map(|awaited| awaited.transfers).unwrap_or_default()
    }

    /// A piece will not come: who waited for it.
    pub(super) fn unreadable(&mut self, place: Place) -> Vec<TransferId> {
        self.awaited.remove(&place).map(|awaited| awaited.transfers).unwrap_or_default()
    }

    /// How many transfers wait.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.awaited.values().map(|awaited| awaited.transfers.len()).sum()
    }

    /// A transfer has ended and waits no longer.
    pub(super) fn ended(&mut self, transfer: TransferId) {
        self.awaited.retain(|_, awaited| {
            awaited.transfers.retain(|waiting| *waiting != transfer);
            !awaited.transfers.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const PLACE: Place = (Digest([1; 32]), 0);

    fn at_hand(chunks: &mut Chunks) -> bool {
        matches!(chunks.find(PLACE, TransferId(9), SECOND), Found::AtHand(..))
    }

    #[test]
    fn a_piece_is_asked_for_once_until_storage_has_been_silent_for_long() {
        let mut chunks = Chunks::default();
        assert!(matches!(chunks.find(PLACE, TransferId(1), SECOND), Found::ToRead));
        assert!(matches!(chunks.find(PLACE, TransferId(2), SECOND * 10), Found::OnItsWay));
        assert!(matches!(chunks.find(PLACE, TransferId(3), SECOND * 11), Found::ToRead));
        assert!(matches!(chunks.find(PLACE, TransferId(4), SECOND * 12), Found::OnItsWay));
        chunks.ended(TransferId(2));
        let bytes: Arc<[u8]> = [0].into();
        assert_eq!(chunks.arrived(PLACE, &bytes, true), [1, 3, 4].map(TransferId));
    }

    #[test]
    fn when_nobody_waits_any_more_the_next_one_asks() {
        let mut chunks = Chunks::default();
        chunks.find(PLACE, TransferId(1), SECOND);
        chunks.ended(TransferId(1));
        assert!(chunks.awaited.is_empty());
        assert!(matches!(chunks.find(PLACE, TransferId(2), SECOND), Found::ToRead));
    }

    #[test]
    fn a_piece_lives_as_long_as_a_transfer_holds_it() {
        let mut chunks = Chunks::default();
        let bytes: Arc<[u8]> = [0].into();
        chunks.arrived(PLACE, &bytes, false);
        assert!(at_hand(&mut chunks));
        drop(bytes);
        assert!(!at_hand(&mut chunks));
    }
}
