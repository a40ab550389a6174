//! Whole messages: what goes into one datagram (RFC 1157 section 4, RFC 1901 section 3, RFC 3412 section 6).

use crate::ber::{DecodeError, Reader, Writer, tag};
use crate::pdu::{OpenedPdu, USUAL_VARBIND_SIZE, values_are_of};
use crate::{Body, Octets, Pdu, Security, Version};

/// The longest message, in bytes: what fits in a UDP datagram over IPv4.
pub const MAXIMUM_MESSAGE_SIZE: usize = 65_507;

/// Bytes that a message without variable bindings seldom exceeds.
const USUAL_ENVELOPE_SIZE: usize = 64;

/// An SNMP message. `Message<&[u8]>` borrows its octets from the datagram it was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message<B = Vec<u8>> {
    /// Version, and who speaks.
    pub security: Security<B>,
    /// What is said.
    pub body: Body<B>,
}

/// Why a message cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The message would not fit in a datagram.
    #[error("message of {0} bytes is longer than {MAXIMUM_MESSAGE_SIZE}")]
    TooLarge(usize),
    /// The version does not have this PDU.
    #[error("{0} has no such PDU")]
    NotInVersion(Version),
    /// SNMPv1 has neither Counter64 nor the exceptions.
    #[error("SNMPv1 has no such value")]
    ValueNotInV1,
}

impl<'a> Message<&'a [u8]> {
    /// Reads a datagram. Bytes after the message are ignored, since some agents pad.
    ///
    /// # Errors
    /// The bytes are no SNMP message, or an encrypted one.
    pub fn decode(datagram: &'a [u8]) -> Result<Self, DecodeError> {
        let (security, mut pdu) = open(datagram)?;
        let message = Message { security, body: Body::read(&mut pdu)? };
        if !message.is_of_its_version() {
            return Err(DecodeError::PduOfOtherVersion);
        }
        Ok(message)
    }
}

impl<B: Octets> Message<B> {
    /// A message with a PDU of the shape that all but the trap of SNMPv1 have.
    pub fn new(security: Security<B>, pdu: Pdu<B>) -> Self {
        Message { security, body: Body::Pdu(pdu) }
    }

    /// Appends the message to `datagram`.
    ///
    /// # Errors
    /// The version does not have this PDU or one of its values, or the message is too long; `datagram` is as before.
    pub fn encode(&self, datagram: &mut Vec<u8>) -> Result<(), EncodeError> {
        if !self.is_of_its_version() {
            return Err(EncodeError::NotInVersion(self.security.version()));
        }
        values_are_of(self.security.version(), self.body.varbinds())?;
        let varbinds = self.body.varbinds().len();
        encode_with(&self.security, varbinds, datagram, |writer| self.body.write(writer))
    }

    /// The same with octets of its own.
    pub fn into_owned(self) -> Message {
        Message { security: self.security.into_owned(), body: self.body.into_owned() }
    }

    fn is_of_its_version(&self) -> bool {
        match (&self.body, self.security.version()) {
            (Body::TrapV1(_), version) => version == Version::V1,
            (Body::Pdu(pdu), version) => pdu.operation.is_of(version),
        }
    }
}

/// Appends the message around the PDU that `pdu` writes, with about so many variable bindings.
pub(crate) fn encode_with<B: Octets>(
    security: &Security<B>,
    varbinds: usize,
    datagram: &mut Vec<u8>,
    pdu: impl FnOnce(&mut Writer<'_>),
) -> Result<(), EncodeError> {
    datagram.reserve(USUAL_ENVELOPE_SIZE + USUAL_VARBIND_SIZE * varbinds);
    let mut writer = Writer::new(datagram);
    writer.constructed(tag::SEQUENCE, |writer| security.write(writer, pdu));
    within_maximum(writer)
}

/// Whether a message of this length fits in a datagram.
pub(crate) fn within_size(length: usize) -> Result<(), EncodeError> {
    if length > MAXIMUM_MESSAGE_SIZE { Err(EncodeError::TooLarge(length)) } else { Ok(()) }
}

/// Ends the writing of a message, unless that is too long for any datagram.
pub(crate) fn within_maximum(writer: Writer<'_>) -> Result<(), EncodeError> {
    let length = writer.written();
    if length > MAXIMUM_MESSAGE_SIZE {
        writer.discard();
        return Err(EncodeError::TooLarge(length));
    }
    writer.finish();
    Ok(())
}

/// A message whose variable bindings are still to be read; they may be broken.
pub(crate) struct Opened<'a> {
    pub(crate) security: Security<&'a [u8]>,
    pub(crate) pdu: OpenedPdu<'a>,
}

impl<'a> Opened<'a> {
    pub(crate) fn new(datagram: &'a [u8]) -> Result<Self, DecodeError> {
        let (security, mut pdu) = open(datagram)?;
        Ok(Opened { security, pdu: OpenedPdu::read(&mut pdu)? })
    }
}

/// Whether a datagram begins like a message of SNMPv3.
pub(crate) fn is_v3(datagram: &[u8]) -> bool {
    let version = || Reader::new(Reader::new(datagram).expect(tag::SEQUENCE)?).integer32();
    version() == Ok(Version::V3.code())
}

/// The security of a message, and its PDU still to be read.
fn open(datagram: &[u8]) -> Result<(Security<&[u8]>, Reader<'_>), DecodeError> {
    if datagram.len() > MAXIMUM_MESSAGE_SIZE {
        return Err(DecodeError::TooLarge);
    }
    let mut content = Reader::new(Reader::new(datagram).expect(tag::SEQUENCE)?);
    Security::read(&mut content)
}
