//! The bytes a sender has at hand: chunks that many transfers share, a little ahead of what is being sent.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::netascii;
use crate::packet::Mode;

/// What a sender asks of storage: bytes of the file from `offset` on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need {
    /// The first byte needed.
    pub offset: u64,
    /// Bytes that are needed soon. More or fewer may be supplied; what is then still missing is asked for anew.
    pub length: usize,
}

/// Bytes of the file, shared with whoever else needs them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// Where in the file they begin: at the offset needed, or before it.
    pub offset: u64,
    /// The bytes.
    pub bytes: Arc<[u8]>,
    /// Whether the file ends with them. This alone says where it ends, whatever size was told.
    pub last: bool,
}

/// The encoded file as far as it is at hand.
#[derive(Debug)]
pub(super) struct Source {
    mode: Mode,
    pieces: VecDeque<Piece>,
    /// Where the pieces end in the encoded file.
    end: u64,
    /// Bytes of the file read so far, as storage counts them.
    read: u64,
    complete: bool,
    asked: bool,
}

/// Bytes of the encoded file, from `skipped` on in `bytes`.
#[derive(Debug)]
struct Piece {
    start: u64,
    end: u64,
    skipped: usize,
    bytes: Arc<[u8]>,
}

impl Source {
    pub(super) fn new(mode: Mode) -> Self {
        Self { mode, pieces: VecDeque::new(), end: 0, read: 0, complete: false, asked: false }
    }

    /// What is missing up to `until` in the encoded file, unless it has been asked for.
    pub(super) fn need(&mut self, until: u64) -> Option<Need> {
        if self.complete || self.asked || self.end >= until {
            return None;
        }
        self.asked = true;
        let length = usize::try_from(until - self.end).unwrap_or(usize::MAX);
        Some(Need { offset: self.read, length })
    }

    /// Takes a chunk that continues what is at hand. False where it does not.
    pub(super) fn supply(&mut self, chunk: Chunk) -> bool {
        let skipped = self.read.checked_sub(chunk.offset).and_then(|skipped| usize::try_from(skipped).ok());
        let Some(fresh) = skipped.and_then(|skipped| chunk.bytes.get(skipped..)) else { return false };
        if self.complete || (fresh.is_empty() && !chunk.last) {
            return false;
        }
        self.asked = false;
        self.complete = chunk.last;
        self.read += fresh.len() as u64;
        let (bytes, skipped) = match self.mode {
            Mode::Octet => (Arc::clone(&chunk.bytes), chunk.bytes.len() - fresh.len()),
            Mode::Netascii => {
                let mut encoded = Vec::new();
                netascii::encode(fresh, &mut encoded);
                (encoded.into(), 0)
            }
        };
        let start = self.end;
        self.end += (bytes.len() - skipped) as u64;
        if self.end > start {
            self.pieces.push_back(Piece { start, end: self.end, skipped, bytes });
        }
        true
    }

    /// Whether a block of `length` at `offset` can be sent: it is all there, or the file ends in it.
    pub(super) fn has(&self, offset: u64, length: usize) -> bool {
        self.complete || self.end.saturating_sub(offset) >= length as u64
    }

    /// Appends up to `length` bytes from `offset` on; fewer where the file ends.
    pub(super) fn copy(&self, offset: u64, length: usize, buffer: &mut Vec<u8>) {
        let mut next = offset;
        let mut missing = length;
        for piece in self.pieces.iter().skip_while(move |piece| piece.end <= offset) {
            let Some(at) = next.checked_sub(piece.start).and_then(|at| usize::try_from(at).ok()) else {
                return;
            };
            let here = piece.bytes.get(piece.skipped + at..).unwrap_or_default();
            let taken = here.get(..missing).unwrap_or(here);
            buffer.extend_from_slice(taken);
            next += taken.len() as u64;
            missing -= taken.len();
            if missing == 0 {
                return;
            }
        }
    }

    /// Lets go of what lies wholly before `offset`.
    pub(super) fn release(&mut self, offset: u64) {
        while self.pieces.front().is_some_and(|piece| piece.end <= offset) {
            self.pieces.pop_front();
        }
    }

    /// Lets go of everything.
    pub(super) fn clear(&mut self) {
        self.pieces = VecDeque::new();
    }

    /// Whether the end of the file is known.
    pub(super) fn is_complete(&self) -> bool {
        self.complete
    }

    /// Where what is at hand ends in the encoded file.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// Bytes of the file read so far, as storage counts them.
    pub(super) fn file_size(&self) -> u64 {
        self.read
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(offset: u64, bytes: &[u8], last: bool) -> Chunk {
        Chunk { offset, bytes: bytes.into(), last }
    }

    fn copied(source: &Source, offset: u64, length: usize) -> Vec<u8> {
        let mut buffer = Vec::new();
        source.copy(offset, length, &mut buffer);
        buffer
    }

    #[test]
    fn blocks_are_cut_across_shared_chunks() {
        let mut source = Source::new(Mode::Octet);
        assert_eq!(source.need(6), Some(Need { offset: 0, length: 6 }));
        assert_eq!(source.need(6), None, "asked once");
        assert!(source.supply(chunk(0, b"abcd", false)));
        assert!(!source.has(2, 4));
        assert_eq!(source.need(6), Some(Need { offset: 4, length: 2 }));
        assert!(source.supply(chunk(2, b"cdefgh", true)), "it may begin before what is needed");
        assert_eq!(copied(&source, 2, 4), b"cdef");
        assert_eq!(copied(&source, 6, 4), b"gh");
        assert_eq!(copied(&source, 8, 4), b"");
        source.release(5);
        assert_eq!(source.pieces.len(), 1);
        assert_eq!(source.file_size(), 8);
    }

    #[test]
    fn chunks_that_do_not_continue_are_ignored() {
        let mut source = Source::new(Mode::Octet);
        assert!(!source.supply(chunk(1, b"bcd", false)), "a hole");
        assert!(!source.supply(chunk(0, b"", false)), "nothing new");
        assert!(source.supply(chunk(0, b"ab", false)));
        assert!(!source.supply(chunk(0, b"ab", false)), "again");
        assert!(source.supply(chunk(2, b"", true)), "the end may come alone");
        assert!(!source.supply(chunk(2, b"more", true)));
        assert_eq!((source.end(), source.is_complete()), (2, true));
    }

    #[test]
    fn netascii_is_read_by_the_files_offsets_and_sent_by_the_encoded_ones() {
        let mut source = Source::new(Mode::Netascii);
        assert!(source.supply(chunk(0, b"a\nb", false)));
        assert_eq!(source.need(100), Some(Need { offset: 3, length: 96 }));
        assert!(source.supply(chunk(3, b"\n", true)));
        assert_eq!(copied(&source, 0, 100), b"a\r\nb\r\n");
        assert_eq!((source.end(), source.file_size()), (6, 4));
    }
}
