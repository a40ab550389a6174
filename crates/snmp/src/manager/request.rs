//! What a manager is asked to ask, and what becomes of it.

use std::net::SocketAddr;
use std::time::Duration;

use super::Principal;
use crate::ber::object_identifier;
use crate::pdu::encode_get;
use crate::usm::{EngineId, ReportKind};
use crate::varbind::{listed, pairs};
use crate::{
    DecodeError, EncodeError, ErrorStatus, ObjectIdentifier, Operation, Pdu, Question, Value, VarBind,
    Version,
};

/// Whom to ask, and how patiently.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The agent. An answer from anywhere else is none.
    pub address: SocketAddr,
    /// As whom it is asked.
    pub principal: Principal,
    /// How long to wait for the first answer; each repetition doubles the wait.
    pub timeout: Duration,
    /// How often a request other than a SET is repeated before it is given up.
    pub retries: u32,
}

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Read these objects.
    Get(Vec<ObjectIdentifier>),
    /// Read the objects of this question.
    Ask(Question),
    /// Read the objects that follow these.
    GetNext(Vec<ObjectIdentifier>),
    /// Read many objects that follow these; not in SNMPv1.
    GetBulk {
        /// How many of the first names are read once.
        non_repeaters: u32,
        /// How often the others are repeated.
        max_repetitions: u32,
        /// Where to begin.
        names: Vec<ObjectIdentifier>,
    },
    /// Write these objects, all or none.
    Set {
        /// Objects and their new values.
        varbinds: Vec<VarBind>,
        /// How often the SET is repeated if no answer comes. Anything but zero risks that it is done twice, since the answer
        /// may have been what was lost: better look at the device.
        retries: u32,
    },
    /// Notify another manager and have it confirmed. The variable bindings begin with `sysUpTime.0` and `snmpTrapOID.0`
    /// (RFC 3416 section 4.2.7), as [`notification::varbinds`](crate::notification::varbinds) puts them.
    Inform(Vec<VarBind>),
}

impl Request {
    /// A SET that is sent once.
    pub fn set(varbinds: Vec<VarBind>) -> Request {
        Request::Set { varbinds, retries: 0 }
    }

    pub(super) fn repetitions(&self, target: &Target) -> u32 {
        match self {
            Request::Set { retries, .. } => *retries,
            _ => target.retries,
        }
    }

    /// Whether it changes something at the agent.
    pub(super) fn writes(&self) -> bool {
        matches!(self, Request::Set { .. })
    }

    /// The PDU.
    pub(super) fn encode(self, version: Version, request_id: i32) -> Result<Vec<u8>, EncodeError> {
        let unset = |names: Vec<ObjectIdentifier>| names.into_iter().map(VarBind::unset).collect();
        let (operation, varbinds) = match self {
            Request::Ask(question) => return Ok(encode_get(request_id, &question)),
            Request::Get(names) => (Operation::Get, unset(names)),
            Request::GetNext(names) => (Operation::GetNext, unset(names)),
            Request::GetBulk { non_repeaters, max_repetitions, names } => {
                (Operation::GetBulk { non_repeaters, max_repetitions }, unset(names))
            }
            Request::Set { varbinds, .. } => (Operation::Set, varbinds),
            Request::Inform(varbinds) => (Operation::Inform, varbinds),
        };
        Pdu { request_id, operation, varbinds }.encode(version)
    }
}

/// Names a request of one [`Manager`](super::Manager), for good: no two requests have the same key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestKey {
    pub(super) serial: u64,
    pub(super) request_id: i32,
}

/// Why a request cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The message cannot be written.
    #[error("cannot write the request")]
    Encode(#[from] EncodeError),
}

/// An answer without an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// Who answered: always who was asked.
    pub peer: SocketAddr,
    /// From the first sending to the answer, repetitions included.
    pub elapsed: Duration,
    /// The engine that has proven to have answered; none where nothing is proven.
    pub engine: Option<EngineId>,
    /// Read once before: all of it is in order.
    pub(super) list: Vec<u8>,
}

impl Response {
    /// An answer with these objects and values.
    pub fn new(peer: SocketAddr, varbinds: &[VarBind], elapsed: Duration) -> Response {
        Response { peer, elapsed, engine: None, list: listed(varbinds) }
    }

    /// The objects and their values. For a [`Request::Get`] or [`Request::Ask`] they are those asked for, in the same
    /// order; in SNMPv2c each may be an exception, such as [`Value::NoSuchObject`].
    pub fn varbinds(&self) -> Vec<VarBind> {
        let owned = |(name, value): (&[u8], Value<&[u8]>)| {
            let name = object_identifier(name).ok()?;
            Some(VarBind { name, value: value.into_owned() })
        };
        pairs(&self.list).filter_map(|pair| owned(pair.ok()?)).collect()
    }

    /// The values alone, in the order of [`varbinds`](Self::varbinds): who asked for objects knows their names.
    pub fn values(&self) -> impl Iterator<Item = Value<&[u8]>> {
        pairs(&self.list).filter_map(|pair| pair.ok().map(|(_, value)| value))
    }
}

/// Why a request has no good answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// No answer came, not even to the last repetition. Whether the request was received is not known.
    #[error("no answer")]
    Timeout,
    /// The agent refuses the request.
    #[error("agent answers {status} for variable binding {index}")]
    ErrorStatus {
        /// Its reason.
        status: ErrorStatus,
        /// Which variable binding, counted from 1; 0 for none in particular.
        index: u32,
    },
    /// The answer would not fit in one message: ask for less at once.
    #[error("answer does not fit in one message")]
    TooBig,
    /// The agent cannot take requests of this user (RFC 3414 section 3.2). Who says so has not been proven, but knows what
    /// was asked.
    #[error("agent reports: {0}")]
    Reported(ReportKind),
    /// The agent cannot take the request, for a reason that is none of the user-based security model.
    #[error("agent reports that it cannot take the request")]
    ReportedOtherwise,
    /// The message cannot be written after all.
    #[error("cannot write the request")]
    Unwritten(#[source] EncodeError),
    /// The agent answers, but not so that the answer could be used.
    #[error("malformed answer")]
    Malformed(#[source] MalformedResponse),
}

/// What is wrong with an answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MalformedResponse {
    /// It cannot be read.
    #[error("answer cannot be read")]
    Undecodable(#[source] DecodeError),
    /// It is about other objects than were asked for.
    #[error("answer is about other objects than were asked for")]
    OtherObjects,
}
