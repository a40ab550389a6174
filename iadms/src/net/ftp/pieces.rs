//! Pieces of stored files, in memory once however many read them.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use engine::file_server::Cause;
use tokio::sync::OnceCell;
use upgrade::Digest;

use super::disk::Disk;
use super::transfer::PIECE_BYTES;

/// So many pieces are kept for whoever reads the same file a little later: 16 MiB.
const MOST: usize = 64;

/// A piece, once somebody has read it.
pub(super) type Piece = Arc<OnceCell<Vec<u8>>>;

/// The pieces that were asked for last.
#[derive(Debug, Default)]
pub(super) struct Pieces(Mutex<Latest>);

#[derive(Debug, Default)]
struct Latest {
    pieces: HashMap<(Digest, u64), Piece>,
    /// In the order in which they were asked for first.
    order: VecDeque<(Digest, u64)>,
}

impl Pieces {
    /// The piece of a file of so many bytes that begins at this offset, whole; its file never changes. Whoever asks first reads it,
    /// all others wait for that.
    pub(super) async fn read(
        &self,
        disk: &Disk,
        digest: Digest,
        offset: u64,
        size: u64,
    ) -> Result<Piece, Cause> {
        let piece = self.piece((digest, offset));
        let read = || async {
            let length = usize::try_from(size.saturating_sub(offset))
                .map_or(PIECE_BYTES, |rest| rest.min(PIECE_BYTES));
            let bytes = disk.work(move |files| {
                let mut bytes = vec![0; length];
                let read = files.read_range(digest, offset, &mut bytes)?;
                bytes.truncate(read);
                Ok(bytes)
            });
            match bytes.await? {
                bytes if bytes.len() == length => Ok(bytes),
                _ => Err(Cause::Storage(format!("the stored file {digest} is shorter than its ticket says"))),
            }
        };
        piece.get_or_try_init(read).await?;
        Ok(piece)
    }

    fn piece(&self, key: (Digest, u64)) -> Piece {
        // Each change leaves both in step, or one key too many in the order.
        let Latest { pieces, order } = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = pieces.get(&key) {
            return Arc::clone(known);
        }
        if order.len() >= MOST
            && let Some(oldest) = order.pop_front()
        {
            pieces.remove(&oldest);
        }
        order.push_back(key);
        Arc::clone(pieces.entry(key).or_default())
    }
}

#[cfg(test)]
mod tests {
    use engine::file_server::Cause;

    use super::{MOST, PIECE_BYTES, Pieces};
    use crate::files::Files;
    use crate::net::ftp::disk::Disk;

    #[tokio::test]
    async fn a_piece_is_read_once_and_the_oldest_makes_room() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::open(folder.path()).unwrap();
        let content: Vec<u8> = (0..=255).cycle().take(PIECE_BYTES + 5).collect();
        let stored = files.add(&mut content.as_slice()).unwrap();
        let (pieces, disk) = (Pieces::default(), Disk::new(files));
        let read = |offset, size| pieces.read(&disk, stored.digest, offset, size);

        let first = read(0, stored.size).await.unwrap();
        let last = read(PIECE_BYTES as u64, stored.size).await.unwrap();
        let bytes = [first.get().unwrap().as_slice(), last.get().unwrap()].concat();
        assert_eq!(bytes, content);
        let again = read(0, stored.size).await.unwrap();
        assert!(std::sync::Arc::ptr_eq(&first, &again));

        for other in 0..MOST as u64 {
            let short = read(PIECE_BYTES as u64 * 2 + other, u64::MAX).await.unwrap_err();
            assert!(matches!(short, Cause::Storage(_)), "{short}");
        }
        let anew = read(0, stored.size).await.unwrap();
        assert!(!std::sync::Arc::ptr_eq(&first, &anew));
        assert_eq!(anew.get(), first.get());
    }
}
