//! Writing BER into the caller's buffer without an allocation per field: the message is written from its end to its
//! beginning, so that each length is known when its turn comes, and turned round once.

use super::tag;
use crate::ObjectIdentifier;

/// Appends one BER element to a buffer, back to front. What is written first comes last.
pub(crate) struct Writer<'a> {
    buffer: &'a mut Vec<u8>,
    start: usize,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(buffer: &'a mut Vec<u8>) -> Writer<'a> {
        let start = buffer.len();
        Writer { buffer, start }
    }

    /// Turns what was written the right way round; without this call the buffer holds it backwards.
    pub(crate) fn finish(self) {
        if let Some(written) = self.buffer.get_mut(self.start..) {
            written.reverse();
        }
    }

    /// Leaves the buffer as it was before.
    pub(crate) fn discard(self) {
        self.buffer.truncate(self.start);
    }

    /// Bytes written so far.
    pub(crate) fn written(&self) -> usize {
        self.buffer.len() - self.start
    }

    /// A constructed element whose content `write` writes, last part first.
    pub(crate) fn constructed(&mut self, tag: u8, write: impl FnOnce(&mut Self)) {
        let before = self.written();
        write(self);
        self.header(tag, self.written() - before);
    }

    /// An element with these content octets.
    pub(crate) fn octets(&mut self, tag: u8, content: &[u8]) {
        self.buffer.extend(content.iter().rev());
        self.header(tag, content.len());
    }

    /// An element whose content is zeros, so many.
    pub(crate) fn zeros(&mut self, tag: u8, length: usize) {
        self.buffer.resize(self.buffer.len() + length, 0);
        self.header(tag, length);
    }

    /// Elements that were written before.
    pub(crate) fn elements(&mut self, written: &[u8]) {
        self.buffer.extend(written.iter().rev());
    }

    /// An INTEGER, in as few bytes as it takes.
    pub(crate) fn integer(&mut self, value: i32) {
        let length = integer_length(value);
        self.buffer.extend(value.to_le_bytes().into_iter().take(length));
        self.header(tag::INTEGER, length);
    }

    /// An unsigned number, with a leading zero byte where it would otherwise read as negative.
    pub(crate) fn unsigned(&mut self, tag: u8, value: u64) {
        let length = unsigned_length(value);
        self.buffer.extend(value.to_le_bytes().into_iter().chain([0]).take(length));
        self.header(tag, length);
    }

    /// An object identifier. Names of fewer than two arcs, which BER lacks, are filled up with zeros.
    pub(crate) fn object_identifier(&mut self, name: &ObjectIdentifier) {
        let before = self.written();
        let (joint, rest) = joint_arc(name);
        for &arc in rest.iter().rev() {
            self.arc(u64::from(arc));
        }
        self.arc(joint);
        self.header(tag::OBJECT_IDENTIFIER, self.written() - before);
    }

    fn arc(&mut self, arc: u64) {
        let mut continued = 0;
        let mut left = arc;
        loop {
            self.buffer.push((left & 0x7f) as u8 | continued);
            left >>= 7;
            continued = 0x80;
            if left == 0 {
                break;
            }
        }
    }

    fn header(&mut self, tag: u8, length: usize) {
        if length < 0x80 {
            self.buffer.push(length as u8);
        } else {
            let bytes = length_bytes(length);
            self.buffer.extend(length.to_le_bytes().into_iter().take(bytes));
            self.buffer.push(0x80 | bytes as u8);
        }
        self.buffer.push(tag);
    }
}

/// Bytes of a whole element with this many bytes of content.
pub(crate) fn element_length(content: usize) -> usize {
    let length = if content < 0x80 { 1 } else { 1 + length_bytes(content) };
    1 + length + content
}

/// Bytes of content of an INTEGER.
pub(crate) fn integer_length(value: i32) -> usize {
    let magnitude_bits = 32 - (if value < 0 { !value } else { value }).leading_zeros() as usize;
    magnitude_bits / 8 + 1
}

/// Bytes of content of an unsigned number.
pub(crate) fn unsigned_length(value: u64) -> usize {
    (64 - value.leading_zeros() as usize) / 8 + 1
}

/// Bytes of content of an object identifier.
pub(crate) fn object_identifier_length(name: &ObjectIdentifier) -> usize {
    let (joint, rest) = joint_arc(name);
    arc_length(joint) + rest.iter().map(|&arc| arc_length(u64::from(arc))).sum::<usize>()
}

/// The number that stands for the first two arcs (X.690 section 8.19.4), and the arcs after them.
fn joint_arc(name: &ObjectIdentifier) -> (u64, &[u32]) {
    match name.arcs() {
        [] => (0, &[]),
        [first] => (u64::from(*first) * 40, &[]),
        [first, second, rest @ ..] => (u64::from(*first) * 40 + u64::from(*second), rest),
    }
}

fn arc_length(arc: u64) -> usize {
    // Nearly all arcs, and cheaper without the division.
    if arc < 0x80 {
        return 1;
    }
    (64 - arc.leading_zeros() as usize).div_ceil(7).max(1)
}

fn length_bytes(length: usize) -> usize {
    (usize::BITS as usize - length.leading_zeros() as usize).div_ceil(8)
}
