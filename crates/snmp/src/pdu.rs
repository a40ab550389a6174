//! Protocol data units of SNMPv1 (RFC 1157 section 4.1) and SNMPv2 (RFC 3416 section 3).

use crate::ber::{DecodeError, Reader, Writer, tag};
use crate::varbind::{Bound, read_varbinds, write_varbinds};
use crate::{EncodeError, ErrorStatus, Octets, Question, TrapV1, VarBind, Version};

/// What a message asks or says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body<B = Vec<u8>> {
    /// Every PDU but the trap of SNMPv1.
    Pdu(Pdu<B>),
    /// The trap of SNMPv1, which has its own shape.
    TrapV1(TrapV1<B>),
}

/// A PDU of the shape that all but the trap of SNMPv1 have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pdu<B = Vec<u8>> {
    /// Chosen by the sender of a request, repeated in the response.
    pub request_id: i32,
    /// What is asked or answered.
    pub operation: Operation,
    /// The objects it is about.
    pub varbinds: Vec<VarBind<B>>,
}

/// The kind of a [`Pdu`] with the fields only that kind has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Read these objects.
    Get,
    /// Read the objects that follow these.
    GetNext,
    /// Read many that follow (RFC 3416 section 4.2.3); SNMPv1 does not have it.
    GetBulk {
        /// How many of the first variable bindings are read once.
        non_repeaters: u32,
        /// How often the others are repeated.
        max_repetitions: u32,
    },
    /// The answer to a request, or to an INFORM.
    Response {
        /// What went wrong, if anything.
        status: ErrorStatus,
        /// Which variable binding was wrong, counted from 1; 0 for none.
        index: u32,
    },
    /// Write these objects, all or none.
    Set,
    /// A notification that is to be answered; SNMPv1 does not have it.
    Inform,
    /// A notification without an answer, in the shape of SNMPv2.
    Trap,
    /// A word between SNMP engines (RFC 3412 section 7), SNMPv3 only.
    Report,
}

impl<B: Octets> Body<B> {
    /// The variable bindings.
    pub fn varbinds(&self) -> &[VarBind<B>] {
        match self {
            Body::Pdu(pdu) => &pdu.varbinds,
            Body::TrapV1(trap) => &trap.varbinds,
        }
    }

    /// The same with octets of its own.
    pub fn into_owned(self) -> Body {
        match self {
            Body::Pdu(pdu) => Body::Pdu(pdu.into_owned()),
            Body::TrapV1(trap) => Body::TrapV1(trap.into_owned()),
        }
    }

    pub(crate) fn write(&self, writer: &mut Writer<'_>) {
        match self {
            Body::Pdu(pdu) => pdu.write(writer),
            Body::TrapV1(trap) => trap.write(writer),
        }
    }
}

impl<'a> Body<&'a [u8]> {
    pub(crate) fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let (tag, content) = reader.element()?;
        let mut content = Reader::new(content);
        if tag == tag::TRAP_V1 {
            return TrapV1::read(&mut content).map(Body::TrapV1);
        }
        let Head { request_id, operation } = Head::read(tag, &mut content)?;
        Ok(Body::Pdu(Pdu { request_id, operation, varbinds: read_varbinds(&mut content)? }))
    }
}

impl<B: Octets> Pdu<B> {
    /// The same with octets of its own.
    pub fn into_owned(self) -> Pdu {
        Pdu {
            request_id: self.request_id,
            operation: self.operation,
            varbinds: self.varbinds.into_iter().map(VarBind::into_owned).collect(),
        }
    }

    pub(crate) fn write(&self, writer: &mut Writer<'_>) {
        write(self.operation, self.request_id, writer, |writer| write_varbinds(&self.varbinds, writer));
    }

    /// The PDU alone, to be put into messages.
    pub(crate) fn encode(&self, version: Version) -> Result<Vec<u8>, EncodeError> {
        check(version, self.operation, &self.varbinds)?;
        let mut encoded = Vec::with_capacity(USUAL_SIZE + USUAL_VARBIND_SIZE * self.varbinds.len());
        let mut writer = Writer::new(&mut encoded);
        self.write(&mut writer);
        writer.finish();
        Ok(encoded)
    }
}

/// Whether the version has the operation and all the values.
pub(crate) fn check<B: Octets>(
    version: Version,
    operation: Operation,
    varbinds: &[VarBind<B>],
) -> Result<(), EncodeError> {
    if !operation.is_of(version) {
        return Err(EncodeError::NotInVersion(version));
    }
    values_are_of(version, varbinds)
}

/// Whether the version has all the values.
pub(crate) fn values_are_of(version: Version, varbinds: &[impl Bound]) -> Result<(), EncodeError> {
    if version == Version::V1 && !varbinds.iter().all(Bound::is_of_v1) {
        return Err(EncodeError::ValueNotInV1);
    }
    Ok(())
}

/// Bytes that a PDU without its variable bindings seldom exceeds.
const USUAL_SIZE: usize = 24;

/// Bytes that a variable binding seldom exceeds on average.
pub(crate) const USUAL_VARBIND_SIZE: usize = 32;

/// A GET of this question.
pub(crate) fn encode_get(request_id: i32, question: &Question) -> Vec<u8> {
    let mut encoded = Vec::with_capacity(USUAL_SIZE + question.written.len());
    let mut writer = Writer::new(&mut encoded);
    write(Operation::Get, request_id, &mut writer, |writer| writer.elements(&question.written));
    writer.finish();
    encoded
}

/// Writes a PDU around the list of variable bindings that `varbinds` writes.
pub(crate) fn write(
    operation: Operation,
    request_id: i32,
    writer: &mut Writer<'_>,
    varbinds: impl FnOnce(&mut Writer<'_>),
) {
    let (tag, status, index) = operation.fields();
    writer.constructed(tag, |writer| {
        varbinds(writer);
        writer.integer(index);
        writer.integer(status);
        writer.integer(request_id);
    });
}

/// The request id of a PDU, where that can be read.
pub(crate) fn request_id(mut reader: Reader<'_>) -> Option<i32> {
    let (_, content) = reader.element().ok()?;
    Reader::new(content).integer32().ok()
}

/// A PDU whose variable bindings are still to be read; they may be broken.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OpenedPdu<'a> {
    pub(crate) head: Head,
    pub(crate) varbinds: Reader<'a>,
}

impl<'a> OpenedPdu<'a> {
    pub(crate) fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let (tag, content) = reader.element()?;
        let mut varbinds = Reader::new(content);
        Ok(OpenedPdu { head: Head::read(tag, &mut varbinds)?, varbinds })
    }
}

/// The part of a PDU before its variable bindings, which can be read even where they are broken.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Head {
    pub(crate) request_id: i32,
    pub(crate) operation: Operation,
}

impl Head {
    pub(crate) fn read(tag: u8, content: &mut Reader<'_>) -> Result<Head, DecodeError> {
        // Requests carry the error fields too; what they hold there is ignored (RFC 3416 section 4.1).
        let request_id = content.integer32()?;
        let status = content.integer32()?;
        let index = content.integer32()?;
        let operation = match tag {
            tag::GET => Operation::Get,
            tag::GET_NEXT => Operation::GetNext,
            tag::GET_BULK => {
                // Negative counts mean zero (RFC 3416 section 4.2.3).
                let [non_repeaters, max_repetitions] =
                    [status, index].map(|count| count.max(0).unsigned_abs());
                Operation::GetBulk { non_repeaters, max_repetitions }
            }
            tag::RESPONSE => Operation::Response {
                status: ErrorStatus::from_code(status),
                index: index.max(0).unsigned_abs(),
            },
            tag::SET => Operation::Set,
            tag::INFORM => Operation::Inform,
            tag::TRAP_V2 => Operation::Trap,
            tag::REPORT => Operation::Report,
            _ => return Err(DecodeError::UnknownTag),
        };
        Ok(Head { request_id, operation })
    }
}

impl Operation {
    /// Whether the version has it: RFC 1157 section 4.1, RFC 3416 section 3, RFC 3412 section 7.
    pub(crate) fn is_of(self, version: Version) -> bool {
        match version {
            Version::V1 => {
                matches!(self, Self::Get | Self::GetNext | Self::Set | Self::Response { .. })
            }
            Version::V2c => self != Self::Report,
            Version::V3 => true,
        }
    }

    /// The tag and the two numbers after the request id.
    fn fields(self) -> (u8, i32, i32) {
        let number = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
        match self {
            Operation::Get => (tag::GET, 0, 0),
            Operation::GetNext => (tag::GET_NEXT, 0, 0),
            Operation::GetBulk { non_repeaters, max_repetitions } => {
                (tag::GET_BULK, number(non_repeaters), number(max_repetitions))
            }
            Operation::Response { status, index } => (tag::RESPONSE, status.code(), number(index)),
            Operation::Set => (tag::SET, 0, 0),
            Operation::Inform => (tag::INFORM, 0, 0),
            Operation::Trap => (tag::TRAP_V2, 0, 0),
            Operation::Report => (tag::REPORT, 0, 0),
        }
    }
}
