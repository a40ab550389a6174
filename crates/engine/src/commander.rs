//! The commander: SNMP requests to many devices over one socket.
//!
//! Pure. A look at a device may take several messages; the commander splits it, asks again for less where an agent
//! cannot fit an answer, leaves out what an SNMPv1 agent does not have, and answers once. A SET is one message,
//! sent once: whether an unanswered one arrived, only a look can tell.

use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;

use snmp::manager::{
    Failure, Manager, Principal, Regression, Request, RequestKey, Response, Settings, SplitLimits, Target,
    split,
};
use snmp::usm::{EngineId, ReportKind, User};
use snmp::{ErrorStatus, ObjectIdentifier, Question, VarBind};
use upgrade::{Oid, RunId, Time, Value};

use crate::access::{Access, Credentials, from_wire, to_wire, to_wire_name};
use crate::datagram::{Datagram, Transmit};

/// Who asks, to be told with the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Asker {
    /// A run, with the number it gave the request.
    Run {
        /// The run.
        run: RunId,
        /// Its number for the request.
        asked: u32,
    },
    /// Somebody at the command line.
    Probe(u64),
}

/// What is asked of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// Who asks.
    pub asker: Asker,
    /// The device.
    pub access: Access,
    /// What.
    pub what: What,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// The values of these objects.
    Get(Arc<[Oid]>),
    /// To take these values, all or none.
    Set(Vec<(Oid, Value)>),
}

/// A device's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Who asked.
    pub asker: Asker,
    /// When it was there, however long it then waits for whoever asked.
    pub at: Time,
    /// What came of it.
    pub outcome: Outcome,
    /// Who has proven to have answered; SNMPv3 alone proves it.
    pub proof: Option<Proof>,
}

/// What an answer of SNMPv3 has proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proof {
    /// The engine.
    pub engine: EngineId,
    /// Whether it knows the secrets of before the credential was rotated, and not the new ones.
    pub superseded: bool,
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The values asked for; none where a SET was taken.
    Values(Vec<(Oid, Value)>),
    /// No answer. A SET may have arrived or not.
    Unanswered,
    /// The device refused.
    Refused(String),
}

/// Requests of all runs.
#[derive(Debug)]
pub struct Commander {
    manager: Manager,
    /// As whom devices are asked by SNMPv3.
    credentials: Credentials,
    asked: BTreeMap<Asker, Asked>,
    /// Whose request a message is a part of.
    askers: BTreeMap<RequestKey, Asker>,
    answers: VecDeque<(Asker, Outcome, Option<Proof>)>,
    /// As whom devices were last answered that know a rotated credential.
    taken: BTreeMap<SocketAddr, Principal>,
    /// The looks asked last: devices of one kind are all looked at in the same way.
    looks: VecDeque<Look>,
}

/// A look, split and written once for all devices that are asked it.
#[derive(Debug)]
struct Look {
    objects: Arc<[Oid]>,
    parts: Vec<(Question, Arc<[Oid]>)>,
}

/// So many looks are remembered: two for each of some kinds of device.
const MOST_LOOKS: usize = 32;

/// A request, which may take several messages.
#[derive(Debug)]
struct Asked {
    target: Target,
    /// As whom else it may be asked; nobody where it is a SET.
    others: Vec<Principal>,
    /// What a look is about; nothing where it is a SET.
    objects: Arc<[Oid]>,
    values: Vec<(Oid, Value)>,
    open: BTreeMap<RequestKey, Part>,
    proof: Option<Proof>,
}

#[derive(Debug)]
enum Part {
    Get(Arc<[Oid]>),
    Set,
}

impl Commander {
    /// A commander without requests. `seed` is random: nobody may guess the ids of requests.
    pub fn new(seed: u64) -> Self {
        Self {
            manager: Manager::new(Settings::default(), seed),
            credentials: Credentials::new(),
            asked: BTreeMap::new(),
            askers: BTreeMap::new(),
            answers: VecDeque::new(),
            taken: BTreeMap::new(),
            looks: VecDeque::new(),
        }
    }

    /// From now on devices are asked as these users.
    pub fn know(&mut self, credentials: Credentials) {
        self.credentials = credentials;
        self.taken.clear();
    }

    /// Takes a request. Each gets one [`Answer`], by its asker. What the same run, or the same probe, asked before is
    /// forgotten: nobody waits for its answer.
    pub fn ask(&mut self, ask: Ask) {
        self.forget(ask.asker);
        let Ask { asker, access, what } = ask;
        let principals = match &what {
            What::Get(_) => access.reading(&self.credentials),
            What::Set(_) => access.writing(&self.credentials),
        };
        let mut others = match principals {
            Ok(principals) => principals,
            Err(unknown) => return self.answer(asker, Outcome::Refused(unknown.to_string()), None),
        };
        if others.is_empty() {
            return self.answer(asker, Outcome::Refused("the credential has no user".into()), None);
        }
        // What it took last comes first.
        let taken = self.taken.get(&access.address);
        let first = others.iter().position(|principal| Some(principal) == taken).unwrap_or(0);
        let target = access.target(others.remove(first));
        match what {
            What::Get(objects) => self.get(asker, target, others, objects),
            What::Set(writes) => self.set(asker, target, &writes),
        }
    }

    /// Takes datagrams that came in.
    pub fn handle(&mut self, datagrams: &[Datagram<'_>], now: Duration) {
        for datagram in datagrams {
            self.manager.handle(datagram.peer, datagram.bytes, now);
        }
        self.gather();
    }

    /// Puts the next datagram to send into `buffer`.
    pub fn poll_transmit(&mut self, now: Duration, buffer: &mut Vec<u8>) -> Option<Transmit> {
        let peer = self.manager.poll_transmit(now, buffer);
        self.gather();
        let peer: SocketAddr = peer?;
        Some(Transmit { peer, local: None, segment_size: buffer.len(), length: buffer.len() })
    }

    /// The next answer. To be asked right after what came in was handled: `now` is told as the moment it was there.
    pub fn poll_answer(&mut self, now: Duration) -> Option<Answer> {
        let (asker, outcome, proof) = self.answers.pop_front()?;
        Some(Answer { asker, at: Time::from(now), outcome, proof })
    }

    /// The next engine that was found, in a fresh answer, to count its starts anew: it has forgotten them. Its notifications are
    /// taken again once the listener knows.
    pub fn poll_regression(&mut self) -> Option<Regression> {
        self.manager.poll_regression()
    }

    /// When [`Commander::poll_transmit`] is due although nothing came in.
    pub fn next_deadline(&self) -> Option<Duration> {
        self.manager.next_deadline()
    }

    fn forget(&mut self, asker: Asker) {
        let earlier = match asker {
            Asker::Run { run, .. } => {
                Asker::Run { run, asked: u32::MIN }..=Asker::Run { run, asked: u32::MAX }
            }
            Asker::Probe(_) => asker..=asker,
        };
        let earlier: Vec<_> = self.asked.range(earlier).map(|(asker, _)| *asker).collect();
        earlier.into_iter().for_each(|asker| drop(self.end(asker)));
    }

    /// Takes the request out, with the messages that are still under way for it.
    fn end(&mut self, asker: Asker) -> Option<Asked> {
        let asked = self.asked.remove(&asker)?;
        for key in asked.open.keys() {
            self.askers.remove(key);
            self.manager.cancel(*key);
        }
        Some(asked)
    }

    fn get(&mut self, asker: Asker, target: Target, others: Vec<Principal>, objects: Arc<[Oid]>) {
        let values = Vec::with_capacity(objects.len());
        let open = BTreeMap::new();
        let asked = Asked { target, others, objects: Arc::clone(&objects), values, open, proof: None };
        self.asked.insert(asker, asked);
        for (question, part) in self.look(objects) {
            self.send(asker, Request::Ask(question), Part::Get(part));
        }
        self.finish(asker);
    }

    /// The messages that ask for these objects, and what each asks for.
    fn look(&mut self, objects: Arc<[Oid]>) -> Vec<(Question, Arc<[Oid]>)> {
        if let Some(known) = self.looks.iter().find(|look| Arc::ptr_eq(&look.objects, &objects)) {
            return known.parts.clone();
        }
        let named = |oid: &Oid| Some((oid.clone(), to_wire_name(oid)?));
        let (asked, names): (Vec<_>, Vec<_>) = objects.iter().filter_map(named).unzip();
        let mut rest = asked.as_slice();
        let part = |names: &[ObjectIdentifier]| {
            let (part, after) = rest.split_at_checked(names.len())?;
            rest = after;
            Some((Question::new(names), part.into()))
        };
        let parts: Vec<_> = split(&names, SplitLimits::default()).map_while(part).collect();
        if self.looks.len() == MOST_LOOKS {
            self.looks.pop_front();
        }
        self.looks.push_back(Look { objects, parts: parts.clone() });
        parts
    }

    fn set(&mut self, asker: Asker, target: Target, writes: &[(Oid, Value)]) {
        let varbind = |(oid, value): &(Oid, Value)| Some(VarBind::new(to_wire_name(oid)?, to_wire(value)?));
        let Some(varbinds) = writes.iter().map(varbind).collect::<Option<Vec<_>>>() else {
            return self.answer(asker, Outcome::Refused("the profile's command is no SNMP".into()), None);
        };
        let (objects, open) = (Arc::default(), BTreeMap::new());
        let (others, values) = (Vec::new(), Vec::new());
        let asked = Asked { target, others, objects, values, open, proof: None };
        self.asked.insert(asker, asked);
        self.send(asker, Request::set(varbinds), Part::Set);
    }

    fn send_part(&mut self, asker: Asker, objects: &[Oid]) {
        let names: Vec<_> = objects.iter().filter_map(to_wire_name).collect();
        self.send(asker, Request::Get(names), Part::Get(objects.into()));
    }

    fn send(&mut self, asker: Asker, request: Request, part: Part) {
        let Some(asked) = self.asked.get_mut(&asker) else { return };
        match self.manager.request(&asked.target, request) {
            Ok(key) => {
                asked.open.insert(key, part);
                self.askers.insert(key, asker);
            }
            Err(error) => self.conclude(asker, Outcome::Refused(error.to_string())),
        }
    }

    fn gather(&mut self) {
        while let Some((key, result)) = self.manager.poll_event() {
            let Some(asker) = self.askers.remove(&key) else { continue };
            match self.asked.get_mut(&asker).and_then(|asked| asked.open.remove(&key)) {
                Some(Part::Get(objects)) => self.got(asker, &objects, result),
                Some(Part::Set) => {
                    self.note_proof(asker, result.as_ref().ok().and_then(|response| response.engine));
                    self.conclude(asker, result.map_or_else(not_set, |_| Outcome::Values(Vec::new())));
                }
                None => {}
            }
        }
    }

    fn got(&mut self, asker: Asker, objects: &[Oid], result: Result<Response, Failure>) {
        match result {
            // The answer to a GET is about the objects asked for, in their order.
            Ok(response) => {
                self.note_proof(asker, response.engine);
                let values = response.values().map(from_wire);
                self.gathered(asker, objects.iter().cloned().zip(values));
            }
            // SNMPv1 has no exceptions: one object that is not there fails all of them (RFC 1157 section 4.1.2).
            Err(Failure::ErrorStatus { status: ErrorStatus::NoSuchName, index }) => {
                let position = usize::try_from(index).ok().and_then(|index| index.checked_sub(1));
                let absent = position.and_then(|position| Some((position, objects.get(position)?)));
                match absent {
                    Some((position, absent)) => {
                        self.gathered(asker, [(absent.clone(), Value::Absent)]);
                        let mut rest = objects.to_vec();
                        rest.remove(position);
                        if !rest.is_empty() {
                            self.send_part(asker, &rest);
                        }
                    }
                    // It does not say which.
                    None if objects.len() > 1 => self.send_halves(asker, objects),
                    None => {}
                }
            }
            Err(Failure::TooBig) if objects.len() > 1 => self.send_halves(asker, objects),
            Err(Failure::Reported(kind)) if is_about_secrets(kind) => {
                return self.ask_as_another(asker, kind);
            }
            Err(failure) => return self.conclude(asker, failed(failure)),
        }
        self.finish(asker);
    }

    /// The device does not know the secrets: it may know those of before they were rotated. A SET is never sent anew: who is
    /// commanded was looked at before, and is commanded as whom it answered.
    fn ask_as_another(&mut self, asker: Asker, kind: ReportKind) {
        let Some(mut asked) = self.end(asker) else { return };
        let Some(principal) = asked.others.pop() else {
            return self.answer(asker, failed(Failure::Reported(kind)), None);
        };
        asked.target.principal = principal;
        self.get(asker, asked.target, asked.others, asked.objects);
    }

    fn note_proof(&mut self, asker: Asker, engine: Option<EngineId>) {
        let (Some(asked), Some(engine)) = (self.asked.get_mut(&asker), engine) else { return };
        let Target { address, principal, .. } = &asked.target;
        let is_it = |users: &&Arc<[_]>| users.iter().any(|user| is_user(principal, user));
        let rotated = self.credentials.values().filter(|users| users.len() > 1).find(is_it);
        let superseded =
            rotated.and_then(|users| users.first()).is_some_and(|first| !is_user(principal, first));
        if rotated.is_some() {
            self.taken.insert(*address, principal.clone());
        }
        asked.proof = Some(Proof { engine, superseded });
    }

    fn gathered(&mut self, asker: Asker, values: impl IntoIterator<Item = (Oid, Value)>) {
        if let Some(asked) = self.asked.get_mut(&asker) {
            asked.values.extend(values);
        }
    }

    fn send_halves(&mut self, asker: Asker, objects: &[Oid]) {
        for half in objects.chunks(objects.len().div_ceil(2).max(1)) {
            self.send_part(asker, half);
        }
    }

    /// Answers a look once nothing of it is open any more.
    fn finish(&mut self, asker: Asker) {
        if self.asked.get(&asker).is_some_and(|asked| asked.open.is_empty())
            && let Some(asked) = self.end(asker)
        {
            self.answer(asker, Outcome::Values(asked.values), asked.proof);
        }
    }

    fn conclude(&mut self, asker: Asker, outcome: Outcome) {
        if let Some(asked) = self.end(asker) {
            self.answer(asker, outcome, asked.proof);
        }
    }

    fn answer(&mut self, asker: Asker, outcome: Outcome, proof: Option<Proof>) {
        self.answers.push_back((asker, outcome, proof));
    }
}

/// Whether a Report says that its agent does not know the secrets with which it was asked.
const fn is_about_secrets(kind: ReportKind) -> bool {
    match kind {
        ReportKind::UnsupportedSecurityLevel
        | ReportKind::UnknownUserName
        | ReportKind::WrongDigest
        | ReportKind::DecryptionError => true,
        ReportKind::NotInTimeWindow | ReportKind::UnknownEngineId => false,
    }
}

fn is_user(principal: &Principal, user: &Arc<User>) -> bool {
    matches!(principal, Principal::User(own) if Arc::ptr_eq(own, user))
}

/// A Report, or an answer that cannot be read, speaks of one copy of a SET: another one may still be taken, or has been.
fn not_set(failure: Failure) -> Outcome {
    match failure {
        Failure::ErrorStatus { .. } | Failure::TooBig | Failure::Unwritten(_) => failed(failure),
        _ => Outcome::Unanswered,
    }
}

fn failed(failure: Failure) -> Outcome {
    match failure {
        Failure::Timeout => Outcome::Unanswered,
        failure => Outcome::Refused(failure.to_string()),
    }
}
