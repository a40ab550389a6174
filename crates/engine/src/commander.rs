//! The commander: SNMP requests to many devices over one socket.
//!
//! Pure. A look at a device may take several messages; the commander splits it, asks again for less where an agent
//! cannot fit an answer, leaves out what an SNMPv1 agent does not have, and answers once. A SET is one message,
//! sent once: whether an unanswered one arrived, only a look can tell.

use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

use snmp::manager::{Failure, Manager, Request, RequestKey, Response, Settings, SplitLimits, Target, split};
use snmp::{ErrorStatus, ObjectIdentifier, VarBind};
use upgrade::{Oid, RunId, Value};

use crate::access::{Access, from_wire, from_wire_name, to_wire, to_wire_name};
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
    Get(Vec<Oid>),
    /// To take these values, all or none.
    Set(Vec<(Oid, Value)>),
}

/// A device's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Who asked.
    pub asker: Asker,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The values asked for, or a SET taken.
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
    /// Which part of which request a message is.
    messages: BTreeMap<RequestKey, (Asker, Part)>,
    gathering: BTreeMap<Asker, Gathering>,
    answers: VecDeque<Answer>,
}

#[derive(Debug)]
enum Part {
    Get(Vec<ObjectIdentifier>),
    Set,
}

/// A look that takes several messages.
#[derive(Debug)]
struct Gathering {
    target: Target,
    values: Vec<(Oid, Value)>,
    open: usize,
}

impl Commander {
    /// A commander without requests. `seed` is random: nobody may guess the ids of requests.
    pub fn new(seed: u64) -> Self {
        Self {
            manager: Manager::new(Settings::default(), seed),
            messages: BTreeMap::new(),
            gathering: BTreeMap::new(),
            answers: VecDeque::new(),
        }
    }

    /// Takes a request. Each gets one [`Answer`], by its asker; an asker's earlier request is forgotten.
    pub fn ask(&mut self, ask: Ask) {
        self.forget(ask.asker);
        match ask.what {
            What::Get(objects) => self.get(ask.asker, ask.access.reading(), &objects),
            What::Set(writes) => self.set(ask.asker, &ask.access.writing(), &writes),
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

    /// The next answer.
    pub fn poll_answer(&mut self) -> Option<Answer> {
        self.answers.pop_front()
    }

    /// When [`Commander::poll_transmit`] is due although nothing came in.
    pub fn next_deadline(&self) -> Option<Duration> {
        self.manager.next_deadline()
    }

    fn forget(&mut self, asker: Asker) {
        if self.gathering.remove(&asker).is_none() && !matches!(asker, Asker::Run { .. }) {
            return;
        }
        let stale: Vec<_> =
            self.messages.iter().filter(|(_, (own, _))| *own == asker).map(|(key, _)| *key).collect();
        for key in stale {
            self.messages.remove(&key);
            self.manager.cancel(key);
        }
    }

    fn get(&mut self, asker: Asker, target: Target, objects: &[Oid]) {
        let names: Vec<_> = objects.iter().filter_map(to_wire_name).collect();
        self.gathering.insert(asker, Gathering { target, values: Vec::new(), open: 0 });
        self.send_parts(asker, split(&names, SplitLimits::default()));
        self.finish(asker);
    }

    fn send_parts<'a>(&mut self, asker: Asker, parts: impl Iterator<Item = &'a [ObjectIdentifier]>) {
        let Some(gathering) = self.gathering.get_mut(&asker) else { return };
        for names in parts {
            let request = Request::Get(names.to_vec());
            match self.manager.request(&gathering.target, request) {
                Ok(key) => {
                    gathering.open += 1;
                    self.messages.insert(key, (asker, Part::Get(names.to_vec())));
                }
                Err(error) => {
                    self.gathering.remove(&asker);
                    self.answer(asker, Outcome::Refused(error.to_string()));
                    return;
                }
            }
        }
    }

    fn set(&mut self, asker: Asker, target: &Target, writes: &[(Oid, Value)]) {
        let varbind = |(oid, value): &(Oid, Value)| Some(VarBind::new(to_wire_name(oid)?, to_wire(value)?));
        let Some(varbinds) = writes.iter().map(varbind).collect::<Option<Vec<_>>>() else {
            return self.answer(asker, Outcome::Refused("the profile's command is no SNMP".into()));
        };
        match self.manager.request(target, Request::set(varbinds)) {
            Ok(key) => {
                self.messages.insert(key, (asker, Part::Set));
            }
            Err(error) => self.answer(asker, Outcome::Refused(error.to_string())),
        }
    }

    fn gather(&mut self) {
        while let Some((key, result)) = self.manager.poll_event() {
            match self.messages.remove(&key) {
                Some((asker, Part::Get(names))) => self.got(asker, names, result),
                Some((asker, Part::Set)) => {
                    let outcome = match result {
                        Ok(response) => Outcome::Values(values(response)),
                        Err(Failure::Timeout) => Outcome::Unanswered,
                        Err(failure) => Outcome::Refused(failure.to_string()),
                    };
                    self.answer(asker, outcome);
                }
                None => {}
            }
        }
    }

    fn got(&mut self, asker: Asker, mut names: Vec<ObjectIdentifier>, result: Result<Response, Failure>) {
        let Some(gathering) = self.gathering.get_mut(&asker) else { return };
        gathering.open -= 1;
        match result {
            Ok(response) => gathering.values.extend(values(response)),
            // SNMPv1 has no exceptions: one object that is not there fails all of them (RFC 1157 section 4.1.2).
            Err(Failure::ErrorStatus { status: ErrorStatus::NoSuchName, index }) => {
                let position = usize::try_from(index).unwrap_or(0).wrapping_sub(1);
                if position < names.len() {
                    let absent = names.remove(position);
                    gathering.values.push((from_wire_name(&absent), Value::Absent));
                } else {
                    names.clear();
                }
                if !names.is_empty() {
                    self.send_parts(asker, std::iter::once(names.as_slice()));
                }
            }
            Err(Failure::TooBig) if names.len() > 1 => {
                let half = names.len() / 2;
                self.send_parts(asker, names.chunks(half.max(1)));
            }
            Err(failure) => {
                self.forget(asker);
                self.gathering.remove(&asker);
                let outcome = match failure {
                    Failure::Timeout => Outcome::Unanswered,
                    failure => Outcome::Refused(failure.to_string()),
                };
                return self.answer(asker, outcome);
            }
        }
        self.finish(asker);
    }

    fn finish(&mut self, asker: Asker) {
        if self.gathering.get(&asker).is_some_and(|gathering| gathering.open == 0)
            && let Some(gathering) = self.gathering.remove(&asker)
        {
            self.answer(asker, Outcome::Values(gathering.values));
        }
    }

    fn answer(&mut self, asker: Asker, outcome: Outcome) {
        self.answers.push_back(Answer { asker, outcome });
    }
}

fn values(response: Response) -> Vec<(Oid, Value)> {
    let pair = |varbind: &VarBind| (from_wire_name(&varbind.name), from_wire(&varbind.value));
    response.varbinds.iter().map(pair).collect()
}
