//! Asking by SNMPv3: first an engine's id is found out, for what is written its time as well, and only then is asked what is
//! wanted (RFC 3412 section 7, RFC 3414 sections 3 and 4).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::engines::Knowledge;
use super::outstanding::Outstanding;
use super::{Failure, Manager};
use crate::ber::Writer;
use crate::message::within_size;
use crate::pdu::{self, OpenedPdu};
use crate::usm::{
    EngineId, EngineTime, Header, Report, ReportKind, Seal, Sealed, SecurityLevel, Untimely, User,
};
use crate::varbind::{read_varbinds, write_varbinds};
use crate::{EncodeError, MAXIMUM_MESSAGE_SIZE, Operation, VarBind};

/// How often one request is sent anew because its agent told its id or its time: one that tells another each time is given up.
const MOST_CORRECTIONS: u32 = 4;

/// An engine counts its starts anew: it has forgotten them, or is another one with the same id. What was said to it or by it
/// before may be said again by anybody who has heard it, so people should know (RFC 3414 section 2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Regression {
    /// Where it was asked.
    pub peer: SocketAddr,
    /// The engine.
    pub engine: EngineId,
    /// How often it had started, as was known.
    pub known: u32,
    /// What its clock shows now.
    pub told: EngineTime,
}

/// What is put into a datagram.
pub(super) enum Written {
    /// The datagram is there.
    Sent,
    /// Another request asks for the engine's id.
    Waits,
}

/// A message of SNMPv3 that belongs to a request.
enum Meaning {
    /// What was missing is known now: the request is sent anew.
    Corrected,
    /// The request has an outcome.
    Over(Result<super::Response, Failure>),
}

/// Why a message of SNMPv3 is not taken.
enum Ignored {
    Undecodable,
    Unmatched,
    WrongPeer,
    WrongSecurity,
    Unexpected,
}

impl Manager {
    /// Puts a request into `datagram`, or what has to be asked before it.
    pub(super) fn write_v3(
        &mut self,
        request_id: i32,
        user: &Arc<User>,
        now: Duration,
        datagram: &mut Vec<u8>,
    ) -> Result<Written, EncodeError> {
        let salt = self.next_salt();
        let Some(request) = self.outstanding.get_mut(&request_id) else { return Ok(Written::Waits) };
        let header =
            Header { message_id: request_id, maximum_size: MAXIMUM_MESSAGE_SIZE as u32, reportable: true };
        let engine = match self.engines.knowledge(request.peer, request.key) {
            Knowledge::Known(engine) => engine,
            Knowledge::Wait => return Ok(Written::Waits),
            Knowledge::Ask => {
                request.asks_for_engine = true;
                let seal = Seal {
                    header,
                    level: SecurityLevel::NoAuthNoPriv,
                    engine: &[],
                    at: EngineTime::default(),
                    keys: None,
                    salt,
                    context_engine: &[],
                    context_name: &[],
                };
                seal.write(datagram, |writer| nothing(request_id, writer))?;
                return Ok(Written::Sent);
            }
        };
        let (id, clock, told) = (engine.id, engine.clock, engine.told);
        // Time is only of interest where somebody proves who they are.
        let authenticates = user.level() > SecurityLevel::NoAuthNoPriv;
        request.asks_for_engine = request.writes && authenticates && clock.is_none();
        let at = match clock {
            _ if request.asks_for_engine => EngineTime::default(),
            Some(clock) => clock.reading(now),
            None => told.reading(now),
        };
        let level = if request.asks_for_engine { SecurityLevel::AuthNoPriv } else { user.level() };
        let seal = Seal {
            header,
            level,
            engine: id.as_ref(),
            at,
            keys: Some(engine.keys(user)),
            salt,
            context_engine: id.as_ref(),
            context_name: &[],
        };
        let pdu = &request.pdu;
        match request.asks_for_engine {
            true => seal.write(datagram, |writer| nothing(request_id, writer))?,
            false => seal.write(datagram, |writer| writer.elements(pdu))?,
        }
        within_size(datagram.len())?;
        Ok(Written::Sent)
    }

    /// Takes a datagram that begins like a message of SNMPv3.
    pub(super) fn handle_v3(&mut self, peer: SocketAddr, datagram: &[u8], now: Duration) {
        let (request_id, meaning) = match self.meaning(peer, datagram, now) {
            Ok(known) => known,
            Err(ignored) => {
                let counters = &mut self.counters;
                return match ignored {
                    Ignored::Undecodable => counters.undecodable += 1,
                    Ignored::Unmatched => counters.unmatched += 1,
                    Ignored::WrongPeer => counters.wrong_peer += 1,
                    Ignored::WrongSecurity => counters.wrong_security += 1,
                    Ignored::Unexpected => counters.unexpected += 1,
                };
            }
        };
        match meaning {
            Meaning::Corrected => self.correct(request_id),
            Meaning::Over(outcome) => {
                self.counters.answered += 1;
                self.conclude(request_id, outcome);
            }
        }
    }

    fn meaning(
        &mut self,
        peer: SocketAddr,
        datagram: &[u8],
        now: Duration,
    ) -> Result<(i32, Meaning), Ignored> {
        let sealed = Sealed::read(datagram).map_err(|_| Ignored::Undecodable)?;
        let request_id = sealed.header.message_id;
        let request = self.outstanding.get(&request_id).filter(|request| request.was_sent());
        let request = request.ok_or(Ignored::Unmatched)?;
        if !request.was_asked_of(peer) {
            return Err(Ignored::WrongPeer);
        }
        let super::Principal::User(user) = &request.principal else { return Err(Ignored::WrongSecurity) };
        let user = Arc::clone(user);
        if sealed.level == SecurityLevel::NoAuthNoPriv && user.level() > SecurityLevel::NoAuthNoPriv {
            return self.unproven(&sealed, request_id, now).map(|meaning| (request_id, meaning));
        }
        let Some(engine) =
            self.engines.get_mut(request.peer).filter(|engine| engine.id.as_ref() == sealed.engine)
        else {
            return self.unproven(&sealed, request_id, now).map(|meaning| (request_id, meaning));
        };
        let keys = engine.keys(&user);
        if keys.name() != sealed.user || sealed.authenticate(keys).is_err() || !sealed.at.is_valid() {
            return Err(Ignored::WrongSecurity);
        }
        let mut scratch = Vec::new();
        let scoped = sealed.open(keys, &mut scratch).map_err(|_| Ignored::Undecodable)?;
        let pdu = OpenedPdu::read(&mut scoped.pdu.clone()).map_err(|_| Ignored::Undecodable)?;
        let is_report = pdu.head.operation == Operation::Report;
        // Only a Report may be less protected than what it is about.
        if sealed.level < user.level() && !is_report && !request.asks_for_engine {
            return Err(Ignored::WrongSecurity);
        }
        if sealed.level > SecurityLevel::NoAuthNoPriv {
            // The message bears the id of this request, which nobody could know before: it is of now, whatever its clock shows.
            if let Some(Err(Untimely::BootsWentBack { known, .. })) =
                engine.clock.as_mut().map(|clock| clock.judge(sealed.at, now))
            {
                let regression = Regression { peer: request.peer, engine: engine.id, known, told: sealed.at };
                self.regressions.push_back(regression);
            }
            engine.proven(sealed.at, now);
        }
        let proven = (sealed.level > SecurityLevel::NoAuthNoPriv).then_some(engine.id);
        let asks_for_engine = request.asks_for_engine;
        let meaning = match pdu.head.operation {
            Operation::Report => {
                let kind = report(&pdu);
                let untimely = kind == Some(ReportKind::NotInTimeWindow);
                if untimely && sealed.level > SecurityLevel::NoAuthNoPriv {
                    self.corrected(request_id, kind)
                } else if sealed.level == SecurityLevel::NoAuthNoPriv {
                    return self.unproven(&sealed, request_id, now).map(|meaning| (request_id, meaning));
                } else {
                    Meaning::Over(Err(reported(kind)))
                }
            }
            Operation::Response { .. } if asks_for_engine => self.corrected(request_id, None),
            Operation::Response { .. } => {
                let judged = self.outstanding.get(&request_id).and_then(|request| request.judge(&pdu, now));
                let judged = judged.ok_or(Ignored::Unexpected)?;
                Meaning::Over(judged.map(|response| super::Response { engine: proven, ..response }))
            }
            _ => return Err(Ignored::Unexpected),
        };
        Ok((request_id, meaning))
    }

    /// A message whose sender has not proven anything: only a Report may be.
    fn unproven(&mut self, sealed: &Sealed<'_>, request_id: i32, now: Duration) -> Result<Meaning, Ignored> {
        let scoped = sealed.plain().map_err(|_| Ignored::WrongSecurity)?;
        let pdu = OpenedPdu::read(&mut scoped.pdu.clone()).map_err(|_| Ignored::Undecodable)?;
        if pdu.head.operation != Operation::Report {
            return Err(Ignored::WrongSecurity);
        }
        let kind = report(&pdu);
        match kind {
            Some(ReportKind::UnknownEngineId) => {
                let Some(request) = self.outstanding.get(&request_id) else { return Err(Ignored::Unmatched) };
                let id = EngineId::new(sealed.engine).map_err(|_| Ignored::Undecodable)?;
                if !sealed.at.is_valid() {
                    return Err(Ignored::Undecodable);
                }
                let waiting = self.engines.discovered(request.peer, id, sealed.at, now);
                self.queue.extend(waiting);
                Ok(self.corrected(request_id, kind))
            }
            // The time is believed only where it is proven.
            Some(ReportKind::NotInTimeWindow) => Err(Ignored::WrongSecurity),
            _ => Ok(Meaning::Over(Err(reported(kind)))),
        }
    }

    fn corrected(&self, request_id: i32, kind: Option<ReportKind>) -> Meaning {
        match self.outstanding.get(&request_id) {
            Some(request) if request.corrections < MOST_CORRECTIONS => Meaning::Corrected,
            _ => Meaning::Over(Err(reported(kind))),
        }
    }

    /// The request is sent anew, at once.
    fn correct(&mut self, request_id: i32) {
        if let Some(request) = self.outstanding.get_mut(&request_id) {
            if let Some(deadline) = request.deadline() {
                self.deadlines.remove(&(deadline, request.key));
            }
            request.corrected();
            self.queue.push_back(request.key);
        }
    }

    /// No two messages have the same: keys stay the same for years.
    fn next_salt(&mut self) -> u64 {
        self.salt = self.salt.wrapping_add(1);
        self.salt
    }
}

impl Outstanding {
    /// As whom the request is made, where that is a user.
    pub(super) fn user(&self) -> Option<Arc<User>> {
        match &self.principal {
            super::Principal::User(user) => Some(Arc::clone(user)),
            super::Principal::Community(_) => None,
        }
    }
}

/// A GET of nothing: what is wanted is the Report.
fn nothing(request_id: i32, writer: &mut Writer<'_>) {
    pdu::write(Operation::Get, request_id, writer, |writer| write_varbinds(&[] as &[VarBind], writer));
}

fn report(pdu: &OpenedPdu<'_>) -> Option<ReportKind> {
    let varbinds: Vec<VarBind<&[u8]>> = read_varbinds(&mut pdu.varbinds.clone()).ok()?;
    Report::read(&varbinds).kind
}

fn reported(kind: Option<ReportKind>) -> Failure {
    kind.map_or(Failure::ReportedOtherwise, Failure::Reported)
}
