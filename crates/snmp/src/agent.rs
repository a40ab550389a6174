//! The answering side, pure: checks the community, reads and writes the objects of a device, and answers in the requester's
//! version (RFC 1157 section 4.1, RFC 3416 section 4.2, RFC 3584 section 4).
//!
//! One [`Agent`] can answer for many devices, since the device is an argument of each call.

mod objects;
mod read;
mod set;
mod syntax;

pub use objects::{Instance, Objects, Refusal, UndoFailed, Writable};
pub use syntax::Syntax;

use crate::ber::Reader;
use crate::message::Opened;
use crate::pdu::Head;
use crate::security::check;
use crate::varbind::read_varbinds;
use crate::{
    Body, DecodeError, EncodeError, ErrorStatus, Message, Operation, Pdu, Security, VarBind, Version,
};

/// Who may do what, and how long answers may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Communities that may read.
    pub read_only: Vec<Vec<u8>>,
    /// Communities that may read and write.
    pub read_write: Vec<Vec<u8>>,
    /// The longest answer, in bytes. RFC 3417 section 3.2 asks for 484 at least.
    pub maximum_message_size: usize,
}

impl Default for Settings {
    /// `public` reads, `private` writes too, and an answer fits in one Ethernet frame over IPv6.
    fn default() -> Self {
        Settings {
            read_only: vec![b"public".to_vec()],
            read_write: vec![b"private".to_vec()],
            maximum_message_size: 1452,
        }
    }
}

/// What an agent has seen so far, named as in RFC 3418 (`snmp` group) and RFC 3412 (`snmpMPDStats`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// `snmpInPkts`: all datagrams.
    pub in_packets: u64,
    /// `snmpInASNParseErrs`: datagrams that are no message.
    pub in_asn_parse_errors: u64,
    /// `snmpInBadVersions`: messages of an unknown version.
    pub in_bad_versions: u64,
    /// `snmpInBadCommunityNames`: messages with a community nobody has.
    pub in_bad_community_names: u64,
    /// `snmpInBadCommunityUses`: SETs with a community that may only read.
    pub in_bad_community_uses: u64,
    /// `snmpUnknownSecurityModels`: messages of SNMPv3, which is not answered yet.
    pub unknown_security_models: u64,
    /// `snmpUnknownPDUHandlers`: responses and notifications, which nobody waits for here.
    pub unknown_pdu_handlers: u64,
    /// `snmpSilentDrops`: requests for which even an empty answer would be too long.
    pub silent_drops: u64,
}

/// What became of a datagram.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// There is an answer to send.
    Answered {
        /// What was asked.
        operation: Operation,
        /// What was answered.
        status: ErrorStatus,
    },
    /// There is no answer, and the reason is counted.
    Dropped(Dropped),
}

/// Why a datagram has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Dropped {
    /// It is no message that can be read.
    #[error("cannot read the message")]
    Undecodable(#[source] DecodeError),
    /// It is SNMPv3.
    #[error("message of an unknown security model")]
    UnknownSecurityModel,
    /// Nobody has this community. RFC 1157 section 4.1 answers nothing, so that communities cannot be found by trying.
    #[error("message with an unknown community")]
    UnknownCommunity,
    /// It is a response or a notification.
    #[error("message that asks for nothing")]
    NoRequest,
    /// Even an answer that says `tooBig` would be too long.
    #[error("request too long for any answer")]
    TooBig,
}

/// Answers requests to devices.
#[derive(Debug, Clone)]
pub struct Agent {
    settings: Settings,
    counters: Counters,
}

/// What a request comes to: the variable bindings of the answer, or an error.
type Answer = Result<Vec<VarBind>, Refusal>;

impl Agent {
    /// An agent that has seen nothing yet.
    pub fn new(settings: Settings) -> Agent {
        Agent { settings, counters: Counters::default() }
    }

    /// What was seen so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Handles a datagram for the device behind `objects`. The answer replaces what `response` holds; if there is none,
    /// `response` is empty.
    pub fn respond<O: Objects + ?Sized>(
        &mut self,
        datagram: &[u8],
        objects: &mut O,
        response: &mut Vec<u8>,
    ) -> Outcome {
        response.clear();
        match self.answer(datagram, objects, response) {
            Ok((operation, status)) => Outcome::Answered { operation, status },
            Err(dropped) => {
                response.clear();
                Outcome::Dropped(dropped)
            }
        }
    }

    fn answer<O: Objects + ?Sized>(
        &mut self,
        datagram: &[u8],
        objects: &mut O,
        response: &mut Vec<u8>,
    ) -> Result<(Operation, ErrorStatus), Dropped> {
        self.counters.in_packets += 1;
        let Opened { security, head: Head { request_id, operation }, varbinds } = self.open(datagram)?;
        let may_write = self.may_write(&security)?;
        let envelope = Envelope {
            security: security.into_owned(),
            request_id,
            maximum_message_size: self.settings.maximum_message_size,
        };
        let version = envelope.security.version();
        // What a GET asks for is read as it is answered.
        let asked = match operation {
            Operation::Get => Vec::new(),
            _ => self.read(varbinds)?,
        };
        let answer = match operation {
            Operation::Get => {
                let read = read::get(objects, version, varbinds);
                read.map_err(|error| self.undecodable(error))?
            }
            Operation::GetNext => read::get_next(objects, version, &asked),
            Operation::GetBulk { non_repeaters, max_repetitions } => {
                read::get_bulk(objects, &asked, non_repeaters, max_repetitions, envelope.room())
            }
            Operation::Set if !may_write => {
                self.counters.in_bad_community_uses += 1;
                // Nothing can be written in this community's view (RFC 3416 section 4.2.5 (1)).
                Err(Refusal { index: 1.min(asked.len()), status: ErrorStatus::NoAccess })
            }
            Operation::Set => set::set(objects, &asked, envelope.room()),
            Operation::Response { .. } | Operation::Inform | Operation::Trap | Operation::Report => {
                return Err(self.no_request());
            }
        };
        match envelope.write(answer, varbinds, response) {
            Ok(status) => Ok((operation, status)),
            Err(Unwritten::Undecodable(error)) => Err(self.undecodable(error)),
            Err(Unwritten::TooLong(_)) => {
                self.counters.silent_drops += 1;
                Err(Dropped::TooBig)
            }
        }
    }

    /// A message whose variable bindings are still to be read (RFC 1157 section 4.1: who asks is looked at first).
    fn open<'a>(&mut self, datagram: &'a [u8]) -> Result<Opened<'a>, Dropped> {
        let opened = match Opened::new(datagram) {
            Ok(opened) => opened,
            Err(error) => {
                // The trap of SNMPv1 has a shape of its own.
                let Ok(trap) = Message::decode(datagram) else { return Err(self.undecodable(error)) };
                self.may_write(&trap.security)?;
                return Err(self.no_request());
            }
        };
        if opened.head.operation.is_of(opened.security.version()) {
            Ok(opened)
        } else {
            Err(self.undecodable(DecodeError::PduOfOtherVersion))
        }
    }

    fn read<'a>(&mut self, mut varbinds: Reader<'a>) -> Result<Vec<VarBind<&'a [u8]>>, Dropped> {
        read_varbinds(&mut varbinds).map_err(|error| self.undecodable(error))
    }

    fn may_write(&mut self, security: &Security<&[u8]>) -> Result<bool, Dropped> {
        let community = match (check(security), security.community()) {
            (Ok(()), Some(community)) => community,
            _ => {
                self.counters.unknown_security_models += 1;
                return Err(Dropped::UnknownSecurityModel);
            }
        };
        let is_among = |communities: &[Vec<u8>]| communities.iter().any(|known| known == community);
        if is_among(&self.settings.read_write) {
            Ok(true)
        } else if is_among(&self.settings.read_only) {
            Ok(false)
        } else {
            self.counters.in_bad_community_names += 1;
            Err(Dropped::UnknownCommunity)
        }
    }

    fn undecodable(&mut self, error: DecodeError) -> Dropped {
        match error {
            DecodeError::UnknownVersion(_) => self.counters.in_bad_versions += 1,
            DecodeError::Encrypted => {
                self.counters.unknown_security_models += 1;
                return Dropped::UnknownSecurityModel;
            }
            _ => self.counters.in_asn_parse_errors += 1,
        }
        Dropped::Undecodable(error)
    }

    fn no_request(&mut self) -> Dropped {
        self.counters.unknown_pdu_handlers += 1;
        Dropped::NoRequest
    }
}

/// What goes around the variable bindings of an answer.
struct Envelope {
    security: Security,
    request_id: i32,
    maximum_message_size: usize,
}

/// The length fields of message, PDU and list may each grow by this much as the content grows.
const LENGTH_FIELDS_GROWTH: usize = 3 * 2;

impl Envelope {
    /// Bytes for variable bindings in an answer without an error.
    fn room(&self) -> usize {
        let mut empty = Vec::new();
        let operation = Operation::Response { status: ErrorStatus::NoError, index: 0 };
        let pdu = Pdu { request_id: self.request_id, operation, varbinds: Vec::new() };
        match Message::new(self.security.clone(), pdu).encode(&mut empty) {
            Ok(()) => self.maximum_message_size.saturating_sub(empty.len() + LENGTH_FIELDS_GROWTH),
            Err(_) => 0,
        }
    }

    /// Writes the answer, or if that is too long the one that says so (RFC 1157 section 4.1.2, RFC 3416 section 4.2.1).
    fn write(
        self,
        answer: Answer,
        asked: Reader<'_>,
        response: &mut Vec<u8>,
    ) -> Result<ErrorStatus, Unwritten> {
        let is_v1 = self.security.version() == Version::V1;
        let (status, index, varbinds) = match answer {
            Ok(varbinds) => (ErrorStatus::NoError, 0, varbinds),
            Err(Refusal { status: ErrorStatus::TooBig, .. }) => {
                (ErrorStatus::TooBig, 0, too_big(is_v1, asked)?)
            }
            Err(Refusal { index, status }) => {
                let status = if is_v1 { status.for_v1() } else { status };
                (status, index, sent_back(asked)?)
            }
        };
        let maximum = self.maximum_message_size;
        let index = u32::try_from(index).unwrap_or(u32::MAX);
        let operation = Operation::Response { status, index };
        let mut message =
            Message::new(self.security, Pdu { request_id: self.request_id, operation, varbinds });
        if encode_within(maximum, &message, response).is_ok() {
            return Ok(status);
        }
        let operation = Operation::Response { status: ErrorStatus::TooBig, index: 0 };
        let varbinds = too_big(is_v1, asked)?;
        message.body = Body::Pdu(Pdu { request_id: self.request_id, operation, varbinds });
        encode_within(maximum, &message, response)?;
        Ok(ErrorStatus::TooBig)
    }
}

/// Why there is no answer after all.
#[derive(Debug, thiserror::Error)]
enum Unwritten {
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

fn encode_within(maximum: usize, message: &Message, response: &mut Vec<u8>) -> Result<(), EncodeError> {
    response.clear();
    message.encode(response)?;
    if response.len() > maximum { Err(EncodeError::TooLarge(response.len())) } else { Ok(()) }
}
