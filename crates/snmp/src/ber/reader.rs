//! Reading BER from a datagram. It takes what real agents send, also where X.690 and RFC 3417 section 8 are stricter:
//! lengths in long form, unsigned numbers without their leading zero byte, an empty object identifier.

use asn1_rs::{FromBer, Header, Length};

use super::tag;
use crate::{MAXIMUM_ARCS, MAXIMUM_MESSAGE_SIZE, MAXIMUM_VARBINDS, ObjectIdentifier};

/// Why bytes are no SNMP message, or none that can be handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The datagram is longer than any UDP datagram can be.
    #[error("message is longer than {MAXIMUM_MESSAGE_SIZE} bytes")]
    TooLarge,
    /// A tag or length is broken off or cannot be read.
    #[error("broken BER header")]
    Header,
    /// An element says that it is longer than what contains it, or has the indefinite length.
    #[error("BER element longer than what contains it")]
    Length,
    /// Another element was expected here.
    #[error("tag {found:#04x} where {expected:#04x} belongs")]
    UnexpectedTag {
        /// The identifier byte that belongs here.
        expected: u8,
        /// The identifier byte found.
        found: u8,
    },
    /// A tag of more than one byte, or one that no SNMP value or PDU has.
    #[error("unknown type of value or PDU")]
    UnknownTag,
    /// An integer without bytes, or one that does not fit its type.
    #[error("integer is empty or does not fit its type")]
    Integer,
    /// An object identifier with more than 128 arcs, an arc above 32 bits, or broken off.
    #[error("broken object identifier")]
    ObjectIdentifier,
    /// An IpAddress that has not four bytes.
    #[error("IpAddress has not four bytes")]
    IpAddress,
    /// A value that carries no content has some.
    #[error("content in a NULL or exception value")]
    Content,
    /// More variable bindings than any caller asks for.
    #[error("more than {MAXIMUM_VARBINDS} variable bindings")]
    TooManyVarBinds,
    /// A version other than SNMPv1, v2c and v3.
    #[error("unknown SNMP version {0}")]
    UnknownVersion(i32),
    /// A PDU that this version does not have (RFC 1157 section 4.1, RFC 3416 section 3).
    #[error("PDU of another SNMP version")]
    PduOfOtherVersion,
    /// The scoped PDU of an SNMPv3 message is encrypted, and there is no key.
    #[error("encrypted SNMPv3 message")]
    Encrypted,
    /// A security model of SNMPv3 other than the user-based one (RFC 3412 section 7.2, `snmpUnknownSecurityModels`).
    #[error("SNMPv3 security model {0} is not supported")]
    SecurityModel(i32),
    /// The flags, the maximum size or the time of an SNMPv3 message are none (RFC 3412 section 6, RFC 3414 section 2.4).
    #[error("broken SNMPv3 header")]
    HeaderV3,
}

/// The bits of an identifier byte that say that more bytes of the tag follow (X.690 section 8.1.2.4).
const MORE_TAG_BYTES: u8 = 0x1f;

/// Walks the elements of one BER content, front to back.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(content: &'a [u8]) -> Reader<'a> {
        Reader { rest: content }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// What is not read yet.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The identifier byte and the content of the next element.
    pub(crate) fn element(&mut self) -> Result<(u8, &'a [u8]), DecodeError> {
        // Nearly every header is two bytes; the general way to read one takes a quarter of the time of a message.
        if let &[tag, length @ ..0x80, ref rest @ ..] = self.rest
            && tag & MORE_TAG_BYTES != MORE_TAG_BYTES
        {
            let (content, rest) = rest.split_at_checked(usize::from(length)).ok_or(DecodeError::Length)?;
            self.rest = rest;
            return Ok((tag, content));
        }
        // Looked at where it is, since moving a header out takes longer than reading it.
        let parsed = Header::from_ber(self.rest);
        let Ok((rest, header)) = &parsed else { return Err(DecodeError::Header) };
        let Some(&[tag]) = header.raw_tag() else { return Err(DecodeError::UnknownTag) };
        let Length::Definite(length) = header.length() else { return Err(DecodeError::Length) };
        let (content, rest) = rest.split_at_checked(length).ok_or(DecodeError::Length)?;
        self.rest = rest;
        Ok((tag, content))
    }

    /// The content of the next element, which must be a `tag`.
    pub(crate) fn expect(&mut self, tag: u8) -> Result<&'a [u8], DecodeError> {
        let (found, content) = self.element()?;
        if found == tag { Ok(content) } else { Err(DecodeError::UnexpectedTag { expected: tag, found }) }
    }

    /// The next element as an INTEGER of 32 bits.
    pub(crate) fn integer32(&mut self) -> Result<i32, DecodeError> {
        integer32(self.expect(tag::INTEGER)?)
    }
}

/// An integer of 32 bits. One above 2^31 comes from agents that count request ids unsigned, and is wrapped.
pub(crate) fn integer32(content: &[u8]) -> Result<i32, DecodeError> {
    // The cast keeps the low 32 bits, which is the wrapping meant.
    unsigned32(content).map(|value| value as i32)
}

/// An unsigned number of 32 bits. A negative one comes from agents that leave the leading zero byte out.
pub(crate) fn unsigned32(content: &[u8]) -> Result<u32, DecodeError> {
    let value = signed64(content)?;
    if (i64::from(i32::MIN)..=i64::from(u32::MAX)).contains(&value) {
        Ok(value as u32)
    } else {
        Err(DecodeError::Integer)
    }
}

/// An unsigned number of 64 bits, with or without its leading zero byte.
pub(crate) fn unsigned64(content: &[u8]) -> Result<u64, DecodeError> {
    match content {
        [0, rest @ ..] if rest.len() == 8 => Ok(signed64(rest)? as u64),
        _ => Ok(signed64(content)? as u64),
    }
}

/// Two's complement of one to eight bytes (X.690 section 8.3).
fn signed64(content: &[u8]) -> Result<i64, DecodeError> {
    let (&first, rest) = content.split_first().ok_or(DecodeError::Integer)?;
    if rest.len() > 7 {
        return Err(DecodeError::Integer);
    }
    let sign_extended = i64::from(i8::from_be_bytes([first]));
    Ok(rest.iter().fold(sign_extended, |value, &byte| (value << 8) | i64::from(byte)))
}

/// An object identifier (X.690 section 8.19).
pub(crate) fn object_identifier(content: &[u8]) -> Result<ObjectIdentifier, DecodeError> {
    let mut name = ObjectIdentifier::new([]);
    read_object_identifier(content, &mut name)?;
    Ok(name)
}

/// The same, in place of another name, since moving one takes as long as reading it.
pub(crate) fn read_object_identifier(content: &[u8], name: &mut ObjectIdentifier) -> Result<(), DecodeError> {
    if name.refill(|places| read_short(content, places)).is_some() {
        return Ok(());
    }
    name.clear();
    if content.is_empty() {
        // Some agents send this for "none"; net-snmp reads it as 0.0 too.
        *name = ObjectIdentifier::ZERO_DOT_ZERO;
        return Ok(());
    }
    let mut rest = content.iter();
    // The first two arcs share one number (X.690 section 8.19.4): up to 80 more than an arc.
    let joint = base_128(&mut rest)?;
    let first = (joint / 40).min(2);
    name.push(first as u32);
    name.push(arc(joint - first * 40)?);
    for _ in 2..MAXIMUM_ARCS {
        if rest.as_slice().is_empty() {
            return Ok(());
        }
        name.push(arc(base_128(&mut rest)?)?);
    }
    if rest.as_slice().is_empty() { Ok(()) } else { Err(DecodeError::ObjectIdentifier) }
}

/// The arcs of a name that is short, as nearly all are, and without fault; tells how many. The general way does more for each.
#[inline]
fn read_short(content: &[u8], places: &mut [u32]) -> Option<u8> {
    let (&joint @ ..0x80, rest) = content.split_first()? else { return None };
    let first = (joint / 40).min(2);
    let (before, places) = places.split_at_mut_checked(2)?;
    before.copy_from_slice(&[first, joint - first * 40].map(u32::from));
    let (mut number, mut length) = (0_u32, 0);
    for &byte in rest {
        number = (number << 7) | u32::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            *places.get_mut(usize::from(length))? = number;
            length += 1;
            number = 0;
        } else if number > u32::MAX >> 7 {
            return None;
        }
    }
    // The last byte ends an arc.
    content.last().filter(|last| **last & 0x80 == 0)?;
    Some(2 + length)
}

/// A number in groups of seven bits, which must be whole.
fn base_128(rest: &mut std::slice::Iter<'_, u8>) -> Result<u64, DecodeError> {
    let mut number: u64 = 0;
    for &byte in rest {
        number = (number << 7) | u64::from(byte & 0x7f);
        if number > u64::from(u32::MAX) + 80 {
            return Err(DecodeError::ObjectIdentifier);
        }
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(DecodeError::ObjectIdentifier)
}

fn arc(number: u64) -> Result<u32, DecodeError> {
    u32::try_from(number).map_err(|_| DecodeError::ObjectIdentifier)
}
