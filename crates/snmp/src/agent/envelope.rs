//! What goes around an answer: a community, or what proves and hides it for a user; and answers that are too long.

use super::Refusal;
use crate::ber::{DecodeError, Reader, Writer};
use crate::message::encode_with;
use crate::pdu::{self, values_are_of};
use crate::usm::{EngineTime, Header, Keys, Seal, Sealed};
use crate::varbind::{Bound, read_varbinds, write_varbinds};
use crate::{EncodeError, ErrorStatus, Operation, Security, VarBind, Version};

/// What goes around the variable bindings of an answer.
pub(super) struct Envelope<'a> {
    around: Around<'a>,
    request_id: i32,
    maximum_message_size: usize,
}

/// Who is answered, and how that is proven.
enum Around<'a> {
    Community(Security),
    User(Seal<'a>),
}

/// The length fields of message, PDU and list may each grow by this much as the content grows.
const LENGTH_FIELDS_GROWTH: usize = 3 * 2;

/// Those of the scoped PDU and of the octets that hide it as well, and what DES adds to fill its last block.
const LENGTH_FIELDS_GROWTH_V3: usize = 5 * 2 + 7;

impl<'a> Envelope<'a> {
    /// Around the answer to who knows a community.
    pub(super) fn community(
        security: &Security<&[u8]>,
        request_id: i32,
        maximum_message_size: usize,
    ) -> Self {
        let around = Around::Community(security.clone().into_owned());
        Envelope { around, request_id, maximum_message_size }
    }

    /// Around the answer to a user, as well protected as the request.
    pub(super) fn user(
        sealed: &Sealed<'a>,
        keys: &'a Keys,
        at: EngineTime,
        salt: u64,
        request_id: i32,
        maximum_message_size: usize,
    ) -> Self {
        let their_maximum = usize::try_from(sealed.header.maximum_size).unwrap_or(usize::MAX);
        let around = Around::User(Seal {
            header: Header { reportable: false, ..sealed.header },
            level: sealed.level,
            engine: sealed.engine,
            at,
            keys: Some(keys),
            salt,
            context_engine: sealed.engine,
            context_name: &[],
        });
        Envelope { around, request_id, maximum_message_size: maximum_message_size.min(their_maximum) }
    }

    pub(super) fn version(&self) -> Version {
        match &self.around {
            Around::Community(security) => security.version(),
            Around::User(_) => Version::V3,
        }
    }

    /// Bytes for variable bindings in an answer without an error.
    pub(super) fn room(&self) -> usize {
        let mut empty = Vec::new();
        match self.encode(ErrorStatus::NoError, 0, &[] as &[VarBind], &mut empty) {
            Ok(()) => self.maximum_message_size.saturating_sub(empty.len() + self.growth()),
            Err(_) => 0,
        }
    }

    /// What a message grows by as its content does, beside that content.
    fn growth(&self) -> usize {
        match &self.around {
            Around::Community(_) => LENGTH_FIELDS_GROWTH,
            Around::User(_) => LENGTH_FIELDS_GROWTH_V3,
        }
    }

    /// Writes the answer, or if that is too long the one that says so (RFC 1157 section 4.1.2, RFC 3416 section 4.2.1).
    pub(super) fn write(
        &self,
        answer: Result<Vec<impl Bound>, Refusal>,
        asked: Reader<'_>,
        response: &mut Vec<u8>,
    ) -> Result<ErrorStatus, Unwritten> {
        let refusal = match answer {
            Ok(found) if self.encode_within(ErrorStatus::NoError, 0, &found, response).is_ok() => {
                return Ok(ErrorStatus::NoError);
            }
            Ok(_) => Refusal { index: 0, status: ErrorStatus::TooBig },
            Err(refusal) => refusal,
        };
        let is_v1 = self.version() == Version::V1;
        if refusal.status != ErrorStatus::TooBig {
            let status = if is_v1 { refusal.status.for_v1() } else { refusal.status };
            let index = u32::try_from(refusal.index).unwrap_or(u32::MAX);
            if self.encode_within(status, index, &sent_back(asked)?, response).is_ok() {
                return Ok(status);
            }
        }
        self.encode_within(ErrorStatus::TooBig, 0, &too_big(is_v1, asked)?, response)?;
        Ok(ErrorStatus::TooBig)
    }

    fn encode_within(
        &self,
        status: ErrorStatus,
        index: u32,
        varbinds: &[impl Bound],
        response: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        response.clear();
        self.encode(status, index, varbinds, response)?;
        if response.len() > self.maximum_message_size {
            Err(EncodeError::TooLarge(response.len()))
        } else {
            Ok(())
        }
    }

    fn encode(
        &self,
        status: ErrorStatus,
        index: u32,
        varbinds: &[impl Bound],
        response: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        values_are_of(self.version(), varbinds)?;
        let operation = Operation::Response { status, index };
        let pdu = |writer: &mut Writer<'_>| {
            pdu::write(operation, self.request_id, writer, |writer| write_varbinds(varbinds, writer));
        };
        match &self.around {
            Around::Community(security) => encode_with(security, varbinds.len(), response, pdu),
            Around::User(seal) => seal.write(response, pdu),
        }
    }
}

/// Why there is no answer after all.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unwritten {
    /// The request is broken behind what was looked at.
    #[error(transparent)]
    Undecodable(#[from] DecodeError),
    /// It is too long, whatever it says.
    #[error(transparent)]
    TooLong(#[from] EncodeError),
}

/// The variable bindings of an answer that says `tooBig`: in SNMPv1 those of the request.
fn too_big(is_v1: bool, asked: Reader<'_>) -> Result<Vec<VarBind>, DecodeError> {
    if is_v1 { sent_back(asked) } else { Ok(Vec::new()) }
}

fn sent_back(mut asked: Reader<'_>) -> Result<Vec<VarBind>, DecodeError> {
    Ok(read_varbinds(&mut asked)?.into_iter().map(VarBind::into_owned).collect())
}
