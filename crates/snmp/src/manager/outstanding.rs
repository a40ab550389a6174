//! One request under way: what was sent, to whom, how often, and whether a response answers it.

use std::net::SocketAddr;
use std::time::Duration;

use super::{Failure, MalformedResponse, Principal, RequestKey, Response, Target};
use crate::ber::{DecodeError, Reader, object_identifier, tag};
use crate::pdu::OpenedPdu;
use crate::varbind::{pairs, written_names};
use crate::{ErrorStatus, Operation};

#[derive(Debug)]
pub(super) struct Outstanding {
    pub(super) key: RequestKey,
    pub(super) peer: SocketAddr,
    pub(super) principal: Principal,
    /// What is asked, without what goes around it.
    pub(super) pdu: Vec<u8>,
    /// Whether it changes something at the agent.
    pub(super) writes: bool,
    /// Whether its turn has come.
    pub(super) has_begun: bool,
    /// How often it was sent anew because the agent told its id, or its time.
    pub(super) corrections: u32,
    /// For the id of its engine, or for the time there, and not yet for what is wanted.
    pub(super) asks_for_engine: bool,
    timeout: Duration,
    repetitions: u32,
    sendings: u32,
    first_sent: Duration,
    deadline: Option<Duration>,
}

impl Outstanding {
    pub(super) fn new(
        key: RequestKey,
        target: &Target,
        pdu: Vec<u8>,
        writes: bool,
        repetitions: u32,
    ) -> Outstanding {
        Outstanding {
            key,
            peer: target.address,
            principal: target.principal.clone(),
            pdu,
            writes,
            has_begun: false,
            corrections: 0,
            asks_for_engine: false,
            timeout: target.timeout,
            repetitions,
            sendings: 0,
            first_sent: Duration::ZERO,
            deadline: None,
        }
    }

    /// A response to what was not sent yet can only be a guess.
    pub(super) fn was_sent(&self) -> bool {
        self.sendings > 0
    }

    pub(super) fn may_repeat(&self) -> bool {
        self.sendings <= self.repetitions
    }

    pub(super) fn deadline(&self) -> Option<Duration> {
        self.deadline
    }

    /// How long to wait after the next sending: twice as long each time.
    pub(super) fn planned_wait(&self, maximum: Duration) -> Duration {
        let factor = 1_u32.checked_shl(self.sendings).unwrap_or(u32::MAX);
        self.timeout.saturating_mul(factor).min(maximum.max(self.timeout))
    }

    /// The agent has told what was missing: what is wanted is sent for the first time now.
    pub(super) fn corrected(&mut self) {
        self.sendings = 0;
        self.corrections += 1;
    }

    pub(super) fn sent(&mut self, now: Duration, deadline: Duration) {
        if self.sendings == 0 && self.corrections == 0 {
            self.first_sent = now;
        }
        self.sendings += 1;
        self.deadline = Some(deadline);
    }

    /// Whether `peer` is the one asked. A socket for both families shows IPv4 addresses as mapped ones, and not every system
    /// tells the scope of an address.
    pub(super) fn was_asked_of(&self, peer: SocketAddr) -> bool {
        let same_scope = match (self.peer, peer) {
            (SocketAddr::V6(asked), SocketAddr::V6(answering)) => {
                let scopes = [asked.scope_id(), answering.scope_id()];
                scopes.contains(&0) || asked.scope_id() == answering.scope_id()
            }
            _ => true,
        };
        same_scope
            && self.peer.port() == peer.port()
            && self.peer.ip().to_canonical() == peer.ip().to_canonical()
    }

    /// What a response means that was given to the one who asked; `None` if it is none.
    pub(super) fn judge(&self, answer: &OpenedPdu<'_>, now: Duration) -> Option<Result<Response, Failure>> {
        // The request is read back rather than kept twice.
        let asked = OpenedPdu::read(&mut Reader::new(&self.pdu)).ok()?;
        let malformed = |reason| Some(Err(Failure::Malformed(reason)));
        match answer.head.operation {
            Operation::Response { status: ErrorStatus::NoError, .. } => match compared(&asked, answer) {
                Ok((list, true)) => Some(Ok(Response {
                    peer: self.peer,
                    list: list.to_vec(),
                    elapsed: now.saturating_sub(self.first_sent),
                    engine: None,
                })),
                Ok((_, false)) => malformed(MalformedResponse::OtherObjects),
                Err(error) => malformed(MalformedResponse::Undecodable(error)),
            },
            // What else such an answer holds does not matter, and some agents leave it out.
            Operation::Response { status: ErrorStatus::TooBig, .. } => Some(Err(Failure::TooBig)),
            Operation::Response { status, index } => Some(Err(Failure::ErrorStatus { status, index })),
            _ => None,
        }
    }
}

/// The variable bindings of an answer, all of them in order, and whether they are about the objects asked for. Only
/// reading depends on that: callers take values by their position.
fn compared<'a>(asked: &OpenedPdu<'_>, answer: &OpenedPdu<'a>) -> Result<(&'a [u8], bool), DecodeError> {
    let list = answer.varbinds.clone().expect(tag::SEQUENCE)?;
    let mut names = written_names(asked.varbinds);
    let (mut as_many, mut same) = (true, true);
    for pair in pairs(list) {
        let (name, _) = pair?;
        let expected = names.next();
        // Nearly all agents send the names back byte for byte.
        if expected != Some(name) {
            let name = object_identifier(name)?;
            same &= expected.map(object_identifier) == Some(Ok(name));
        }
        as_many &= expected.is_some();
    }
    as_many &= names.next().is_none();
    let is_about = match asked.head.operation {
        Operation::Get => as_many && same,
        Operation::GetNext => as_many,
        _ => true,
    };
    Ok((list, is_about))
}
