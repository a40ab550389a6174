//! The answering side, pure: checks who asks, reads and writes the objects of a device, and answers in the requester's
//! version (RFC 1157 section 4.1, RFC 3416 section 4.2, RFC 3584 section 4; for SNMPv3 RFC 3412 section 7 and RFC 3414).
//!
//! One [`Agent`] can answer for many devices, since the device and its engine are arguments of each call.

mod envelope;
mod objects;
mod read;
mod set;
mod syntax;

pub use objects::{Instance, Objects, Refusal, UndoFailed, Writable};
pub use syntax::Syntax;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::ber::Reader;
use crate::message::{Opened, is_v3};
use crate::pdu::OpenedPdu;
use crate::usm::{Authority, EngineTime, ReportKind, Sealed, Unopened, User, Users, by_name};
use crate::varbind::{Bound, read_varbinds};
use crate::{DecodeError, ErrorStatus, Message, Operation, Security, VarBind};
use envelope::{Envelope, Unwritten};

/// Who may do what, and how long answers may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Communities that may read.
    pub read_only: Vec<Vec<u8>>,
    /// Communities that may read and write.
    pub read_write: Vec<Vec<u8>>,
    /// Users of SNMPv3 that may read.
    pub read_only_users: Vec<User>,
    /// Users of SNMPv3 that may read and write.
    pub read_write_users: Vec<User>,
    /// The longest answer, in bytes. RFC 3417 section 3.2 asks for 484 at least.
    pub maximum_message_size: usize,
}

impl Default for Settings {
    /// `public` reads, `private` writes too, there are no users, and an answer fits in one Ethernet frame over IPv6.
    fn default() -> Self {
        Settings {
            read_only: vec![b"public".to_vec()],
            read_write: vec![b"private".to_vec()],
            read_only_users: Vec::new(),
            read_write_users: Vec::new(),
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
    /// `snmpUnknownSecurityModels`: messages of SNMPv3 with another security model than the user-based one, or to a device
    /// that has no engine.
    pub unknown_security_models: u64,
    /// `snmpUnknownPDUHandlers`: responses and notifications, which nobody waits for here, and what is about other engines.
    pub unknown_pdu_handlers: u64,
    /// `usmStats`: messages of SNMPv3 that were not taken; each engine counts its own by reason.
    pub reported: u64,
    /// `snmpSilentDrops`: requests for which even an empty answer would be too long.
    pub silent_drops: u64,
}

/// What became of a datagram.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The user-based security model does not take it. There is a Report to send if the sender may be told.
    Reported(ReportKind),
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
    /// It is SNMPv3 with another security model than the user-based one, or the device has no engine.
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
    users: Users,
    counters: Counters,
    /// The last one used to encrypt.
    salt: u64,
}

/// The engine of a device that speaks SNMPv3.
#[derive(Debug)]
pub struct Engine<'a> {
    /// Its id, and the keys of those who have spoken to it.
    pub authority: &'a mut Authority,
    /// What its clock shows.
    pub at: EngineTime,
}

/// What a request comes to: the variable bindings of the answer, or an error.
type Answer = Result<Vec<VarBind>, Refusal>;

impl Agent {
    /// An agent that has seen nothing yet. `salt` is random: what is encrypted is never encrypted with the same one again.
    pub fn new(settings: Settings, salt: u64) -> Agent {
        let users = settings.read_only_users.iter().chain(&settings.read_write_users);
        // An agent tells its users apart by their names (RFC 3414 section 5, usmUserTable): the last one has the name.
        let users: BTreeMap<_, _> = users.map(|user| (user.name(), Arc::new(user.clone()))).collect();
        let users = by_name(users.into_values());
        Agent { settings, users, counters: Counters::default(), salt }
    }

    /// What was seen so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Handles a datagram for the device behind `objects`, which may have an engine for SNMPv3. The answer replaces what
    /// `response` holds; if there is none, `response` is empty.
    pub fn respond<O: Objects + ?Sized>(
        &mut self,
        datagram: &[u8],
        engine: Option<Engine<'_>>,
        objects: &mut O,
        response: &mut Vec<u8>,
    ) -> Outcome {
        response.clear();
        self.counters.in_packets += 1;
        let outcome = match is_v3(datagram) {
            true => self.answer_user(datagram, engine, objects, response),
            false => self.answer_community(datagram, objects, response),
        };
        outcome.unwrap_or_else(|dropped| {
            response.clear();
            Outcome::Dropped(dropped)
        })
    }

    fn answer_community<O: Objects + ?Sized>(
        &mut self,
        datagram: &[u8],
        objects: &mut O,
        response: &mut Vec<u8>,
    ) -> Result<Outcome, Dropped> {
        let Opened { security, pdu } = self.open(datagram)?;
        let may_write = self.may_write(&security)?;
        let envelope =
            Envelope::community(&security, pdu.head.request_id, self.settings.maximum_message_size);
        self.answer(&envelope, &pdu, may_write, objects, response)
    }

    /// In the order of RFC 3414 section 3.2, and who may do what after that.
    fn answer_user<O: Objects + ?Sized>(
        &mut self,
        datagram: &[u8],
        engine: Option<Engine<'_>>,
        objects: &mut O,
        response: &mut Vec<u8>,
    ) -> Result<Outcome, Dropped> {
        let sealed = Sealed::read(datagram).map_err(|error| self.undecodable(error))?;
        let Some(Engine { authority, at }) = engine else {
            return Err(self.undecodable(DecodeError::SecurityModel(crate::security::USER_BASED)));
        };
        let keys = match authority.receive(&sealed, at, &self.users) {
            Ok(keys) => keys.clone(),
            Err(kind) => return Ok(self.report(authority, &sealed, at, kind, response)),
        };
        let mut scratch = Vec::new();
        let scoped = match sealed.open(&keys, &mut scratch) {
            Ok(scoped) => scoped,
            Err(Unopened::Report(kind)) => return Ok(self.report(authority, &sealed, at, kind, response)),
            Err(Unopened::Decode(error)) => return Err(self.undecodable(error)),
        };
        let pdu = OpenedPdu::read(&mut scoped.pdu.clone()).map_err(|error| self.undecodable(error))?;
        if scoped.context_engine != authority.id().as_ref() || !scoped.context_name.is_empty() {
            self.counters.unknown_pdu_handlers += 1;
            return Err(Dropped::NoRequest);
        }
        self.salt = self.salt.wrapping_add(1);
        let most = self.settings.maximum_message_size;
        let envelope = Envelope::user(&sealed, &keys, at, self.salt, pdu.head.request_id, most);
        // Who can do better must (RFC 3415 section 3.2: the view of a user is that of a level).
        let is_named = |user: &&User| user.name() == sealed.user;
        let may_write = self.settings.read_write_users.iter().any(|user| is_named(&user));
        if sealed.level < keys.level() {
            let refused: Answer = Err(Refusal { index: 0, status: ErrorStatus::AuthorizationError });
            return self.finish(&envelope, pdu.head.operation, refused, pdu.varbinds, response);
        }
        self.answer(&envelope, &pdu, may_write, objects, response)
    }

    fn report(
        &mut self,
        authority: &mut Authority,
        sealed: &Sealed<'_>,
        at: EngineTime,
        kind: ReportKind,
        response: &mut Vec<u8>,
    ) -> Outcome {
        self.counters.reported += 1;
        if authority.report(sealed, at, kind, response).is_err() {
            response.clear();
        }
        Outcome::Reported(kind)
    }

    fn answer<O: Objects + ?Sized>(
        &mut self,
        envelope: &Envelope<'_>,
        &OpenedPdu { head, varbinds }: &OpenedPdu<'_>,
        may_write: bool,
        objects: &mut O,
        response: &mut Vec<u8>,
    ) -> Result<Outcome, Dropped> {
        let operation = head.operation;
        let version = envelope.version();
        // What a GET asks for is read as it is answered.
        let asked = match operation {
            Operation::Get => Vec::new(),
            _ => self.read(varbinds)?,
        };
        let answer = match operation {
            Operation::Get => {
                let found = read::get(objects, version, varbinds);
                let found = found.map_err(|error| self.undecodable(error))?;
                return self.finish(envelope, operation, found, varbinds, response);
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
        self.finish(envelope, operation, answer, varbinds, response)
    }

    fn finish(
        &mut self,
        envelope: &Envelope<'_>,
        operation: Operation,
        answer: Result<Vec<impl Bound>, Refusal>,
        asked: Reader<'_>,
        response: &mut Vec<u8>,
    ) -> Result<Outcome, Dropped> {
        match envelope.write(answer, asked, response) {
            Ok(status) => Ok(Outcome::Answered { operation, status }),
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
        if opened.pdu.head.operation.is_of(opened.security.version()) {
            Ok(opened)
        } else {
            Err(self.undecodable(DecodeError::PduOfOtherVersion))
        }
    }

    fn read<'a>(&mut self, mut varbinds: Reader<'a>) -> Result<Vec<VarBind<&'a [u8]>>, Dropped> {
        read_varbinds(&mut varbinds).map_err(|error| self.undecodable(error))
    }

    fn may_write(&mut self, security: &Security<&[u8]>) -> Result<bool, Dropped> {
        let Some(community) = security.community() else {
            self.counters.unknown_security_models += 1;
            return Err(Dropped::UnknownSecurityModel);
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
            DecodeError::SecurityModel(_) => {
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
