//! The six packets of TFTP (RFC 1350 section 5, RFC 2347), decoded as borrowed slices and encoded into the
//! caller's buffer.

mod error_code;

pub use error_code::ErrorCode;

use crate::options::OptionList;
use crate::text::split_text;

/// Bytes of a DATA packet before its contents.
pub const DATA_HEADER: usize = 4;

const READ_REQUEST: u16 = 1;
const WRITE_REQUEST: u16 = 2;
const DATA: u16 = 3;
const ACKNOWLEDGEMENT: u16 = 4;
const ERROR: u16 = 5;
const OPTION_ACKNOWLEDGEMENT: u16 = 6;

/// A TFTP packet, borrowed from the datagram it came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packet<'a> {
    /// RRQ or WRQ: opens a transfer.
    Request(Request<'a>),
    /// DATA: one block of the file.
    Data {
        /// The block's number; after 65,535 comes 0.
        block: u16,
        /// The contents; fewer than the block size end the file.
        bytes: &'a [u8],
    },
    /// ACK: everything up to this block has arrived.
    Acknowledgement {
        /// The last block that arrived in order.
        block: u16,
    },
    /// ERROR: ends the transfer and is not answered.
    Error {
        /// Why.
        code: ErrorCode,
        /// The same for people, as it stood in the packet: not necessarily UTF-8.
        message: &'a [u8],
    },
    /// OACK: the options the server agreed to (RFC 2347).
    OptionAcknowledgement(OptionList<'a>),
}

/// What opens a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request<'a> {
    /// Who sends the file to whom.
    pub direction: Direction,
    /// The file's name.
    pub filename: &'a str,
    /// How its bytes are represented.
    pub mode: Mode,
    /// The options asked for, known and unknown.
    pub options: OptionList<'a>,
}

/// Which way the file goes, as the client sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// RRQ: the client reads the file.
    Read,
    /// WRQ: the client writes the file.
    Write,
}

/// How the file's bytes are represented in the blocks. `mail` is obsolete (RFC 1350 section 1) and not decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// As they are.
    Octet,
    /// Text whose lines end with CR LF on the wire ([`crate::netascii`]).
    Netascii,
}

/// Why a datagram is no TFTP packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// It ends before its fields do.
    #[error("the packet is cut short")]
    CutShort,
    /// The first two bytes name no packet of TFTP.
    #[error("there is no TFTP operation {0}")]
    UnknownOperation(u16),
    /// A file name that is not UTF-8, or empty.
    #[error("the file name is empty or not text")]
    BadFilename,
    /// A transfer mode that is neither netascii nor octet.
    #[error("the transfer mode is neither octet nor netascii")]
    UnknownMode,
}

impl<'a> Packet<'a> {
    /// Reads one datagram.
    ///
    /// Nothing is copied, and no bytes make it panic. Options are looked at only when asked for.
    ///
    /// # Errors
    /// [`DecodeError`] for whatever is not a whole packet of RFC 1350 or 2347.
    pub fn decode(datagram: &'a [u8]) -> Result<Self, DecodeError> {
        let (operation, body) = split_number(datagram)?;
        match operation {
            READ_REQUEST => Request::decode(Direction::Read, body).map(Self::Request),
            WRITE_REQUEST => Request::decode(Direction::Write, body).map(Self::Request),
            DATA => split_number(body).map(|(block, bytes)| Self::Data { block, bytes }),
            ACKNOWLEDGEMENT => split_number(body).map(|(block, _)| Self::Acknowledgement { block }),
            ERROR => split_number(body).map(|(code, text)| Self::Error {
                code: ErrorCode::from(code),
                // Some implementations forget the terminating zero.
                message: text.split(|&byte| byte == 0).next().unwrap_or_default(),
            }),
            OPTION_ACKNOWLEDGEMENT => Ok(Self::OptionAcknowledgement(OptionList::new(body))),
            other => Err(DecodeError::UnknownOperation(other)),
        }
    }

    /// Appends the packet to `buffer`.
    pub fn encode(&self, buffer: &mut Vec<u8>) {
        match *self {
            Self::Request(request) => request.encode(buffer),
            Self::Data { block, bytes } => {
                encode_data_header(block, buffer);
                buffer.extend_from_slice(bytes);
            }
            Self::Acknowledgement { block } => push_numbers(buffer, ACKNOWLEDGEMENT, block),
            Self::Error { code, message } => {
                push_numbers(buffer, ERROR, code.into());
                buffer.extend(message.iter().filter(|&&byte| byte != 0));
                buffer.push(0);
            }
            Self::OptionAcknowledgement(options) => {
                buffer.extend_from_slice(&OPTION_ACKNOWLEDGEMENT.to_be_bytes());
                buffer.extend_from_slice(options.as_bytes());
            }
        }
    }
}

impl<'a> Request<'a> {
    fn decode(direction: Direction, body: &'a [u8]) -> Result<Self, DecodeError> {
        let (filename, rest) = split_text(body).ok_or(DecodeError::CutShort)?;
        let (mode, options) = split_text(rest).ok_or(DecodeError::CutShort)?;
        let filename = str::from_utf8(filename).map_err(|_| DecodeError::BadFilename)?;
        if filename.is_empty() {
            return Err(DecodeError::BadFilename);
        }
        let mode = match mode {
            octet if octet.eq_ignore_ascii_case(b"octet") => Mode::Octet,
            text if text.eq_ignore_ascii_case(b"netascii") => Mode::Netascii,
            _ => return Err(DecodeError::UnknownMode),
        };
        Ok(Self { direction, filename, mode, options: OptionList::new(options) })
    }

    fn encode(&self, buffer: &mut Vec<u8>) {
        let operation = match self.direction {
            Direction::Read => READ_REQUEST,
            Direction::Write => WRITE_REQUEST,
        };
        buffer.extend_from_slice(&operation.to_be_bytes());
        buffer.extend_from_slice(self.filename.as_bytes());
        buffer.push(0);
        buffer.extend_from_slice(match self.mode {
            Mode::Octet => b"octet\0".as_slice(),
            Mode::Netascii => b"netascii\0",
        });
        buffer.extend_from_slice(self.options.as_bytes());
    }
}

/// Appends what stands before the contents of a DATA packet.
pub(crate) fn encode_data_header(block: u16, buffer: &mut Vec<u8>) {
    push_numbers(buffer, DATA, block);
}

/// A block's number on the wire: after 65,535 comes 0.
pub(crate) fn wire_number(block: u64) -> u16 {
    (block & 0xffff) as u16
}

fn push_numbers(buffer: &mut Vec<u8>, first: u16, second: u16) {
    buffer.extend_from_slice(&first.to_be_bytes());
    buffer.extend_from_slice(&second.to_be_bytes());
}

fn split_number(bytes: &[u8]) -> Result<(u16, &[u8]), DecodeError> {
    let (number, rest) = bytes.split_first_chunk().ok_or(DecodeError::CutShort)?;
    Ok((u16::from_be_bytes(*number), rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoded(packet: &Packet<'_>) -> Vec<u8> {
        let mut buffer = Vec::new();
        packet.encode(&mut buffer);
        buffer
    }

    #[test]
    fn packets_look_as_in_the_rfc() {
        let request = Packet::decode(b"\0\x01backup\0NetASCII\0blksize\x001428\0").unwrap();
        let Packet::Request(read) = request else { panic!("{request:?}") };
        assert_eq!((read.direction, read.filename, read.mode), (Direction::Read, "backup", Mode::Netascii));
        assert_eq!(read.options.requested().block_size, Some(1428));
        assert_eq!(encoded(&request), b"\0\x01backup\0netascii\0blksize\x001428\0");

        let table: [(Packet<'_>, &[u8]); 5] = [
            (Packet::Data { block: 0x0102, bytes: b"xyz" }, b"\0\x03\x01\x02xyz"),
            (Packet::Data { block: 7, bytes: b"" }, b"\0\x03\0\x07"),
            (Packet::Acknowledgement { block: 65_535 }, b"\0\x04\xff\xff"),
            (Packet::Error { code: ErrorCode::DiskFull, message: b"full" }, b"\0\x05\0\x03full\0"),
            (Packet::OptionAcknowledgement(OptionList::new(b"tsize\x009\0")), b"\0\x06tsize\x009\0"),
        ];
        for (packet, bytes) in table {
            assert_eq!(encoded(&packet), bytes);
            assert_eq!(Packet::decode(bytes), Ok(packet));
        }
    }

    #[test]
    fn what_is_no_packet_says_why() {
        let table: [(&[u8], DecodeError); 9] = [
            (b"", DecodeError::CutShort),
            (b"\0", DecodeError::CutShort),
            (b"\0\x07\0\0", DecodeError::UnknownOperation(7)),
            (b"\0\x01name", DecodeError::CutShort),
            (b"\0\x02name\0octet", DecodeError::CutShort),
            (b"\0\x02\0octet\0", DecodeError::BadFilename),
            (b"\0\x02\xff\xfe\0octet\0", DecodeError::BadFilename),
            (b"\0\x01name\0mail\0", DecodeError::UnknownMode),
            (b"\0\x04\0", DecodeError::CutShort),
        ];
        for (bytes, error) in table {
            assert_eq!(Packet::decode(bytes), Err(error), "{bytes:?}");
        }
    }

    #[test]
    fn an_error_without_its_terminating_zero_is_read() {
        let packet = Packet::decode(b"\0\x05\0\x01gone").unwrap();
        assert_eq!(packet, Packet::Error { code: ErrorCode::FileNotFound, message: b"gone" });
    }

    proptest! {
        #[test]
        fn no_bytes_panic_and_what_decodes_encodes_to_the_same_packet(
            operation in 0u8..8,
            body in prop::collection::vec(prop_oneof![Just(0u8), any::<u8>(), 0x20u8..0x7f], 0..600),
        ) {
            let mut datagram = vec![0, operation];
            datagram.extend(body);
            if let Ok(packet) = Packet::decode(&datagram) {
                let again = encoded(&packet);
                prop_assert_eq!(Packet::decode(&again), Ok(packet));
            }
        }
    }
}
