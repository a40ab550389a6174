//! Netascii (RFC 1350 section 1, RFC 764): a line ends with CR LF, a carriage return alone is CR NUL.

const NUL: u8 = 0;
const LF: u8 = b'\n';
const CR: u8 = b'\r';

/// Appends `text`, whose lines end with LF, in netascii. Any bytes come back from [`Decoder`] as they were.
pub fn encode(text: &[u8], encoded: &mut Vec<u8>) {
    encoded.reserve(text.len());
    for &byte in text {
        match byte {
            LF => encoded.extend_from_slice(&[CR, LF]),
            CR => encoded.extend_from_slice(&[CR, NUL]),
            other => encoded.push(other),
        }
    }
}

/// Turns netascii back into text whose lines end with LF, whatever the blocks it comes in.
#[derive(Debug, Default)]
pub struct Decoder {
    /// A carriage return ended the last block; what follows decides what it meant.
    after_return: bool,
}

impl Decoder {
    /// Appends the meaning of the next `encoded` bytes to `text`.
    pub fn decode(&mut self, encoded: &[u8], text: &mut Vec<u8>) {
        text.reserve(encoded.len());
        for &byte in encoded {
            match (std::mem::take(&mut self.after_return), byte) {
                (true, LF) => text.push(LF),
                (true, NUL) => text.push(CR),
                // Not netascii, but some send it: the bytes are kept as they came.
                (true, CR) => {
                    text.push(CR);
                    self.after_return = true;
                }
                (true, other) => text.extend_from_slice(&[CR, other]),
                (false, CR) => self.after_return = true,
                (false, other) => text.push(other),
            }
        }
    }

    /// Appends a carriage return that ended the file.
    pub fn finish(&mut self, text: &mut Vec<u8>) {
        if std::mem::take(&mut self.after_return) {
            text.push(CR);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decoded(blocks: &[&[u8]]) -> Vec<u8> {
        let mut decoder = Decoder::default();
        let mut text = Vec::new();
        blocks.iter().for_each(|block| decoder.decode(block, &mut text));
        decoder.finish(&mut text);
        text
    }

    #[test]
    fn line_ends_split_across_blocks_are_one_line_end() {
        assert_eq!(decoded(&[b"a\r", b"\nb\r", b"\0c"]), b"a\nb\rc");
        assert_eq!(decoded(&[b"\r", b"\r", b"x\r"]), b"\r\rx\r");
        assert_eq!(decoded(&[b"lone\n"]), b"lone\n");
    }

    #[test]
    fn lines_end_with_return_and_line_feed() {
        let mut encoded = Vec::new();
        encode(b"one\ntwo\r\n", &mut encoded);
        assert_eq!(encoded, b"one\r\ntwo\r\0\r\n");
    }

    proptest! {
        #[test]
        fn any_bytes_survive_in_any_blocks(
            text in prop::collection::vec(prop_oneof![Just(CR), Just(LF), Just(NUL), any::<u8>()], 0..200),
            block in 1usize..20,
        ) {
            let mut encoded = Vec::new();
            encode(&text, &mut encoded);
            let blocks: Vec<&[u8]> = encoded.chunks(block).collect();
            prop_assert_eq!(decoded(&blocks), text);
        }
    }
}
