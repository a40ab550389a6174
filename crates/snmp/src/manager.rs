//! The asking side, pure: requests to many agents over one socket, matched with their answers, repeated and given up in
//! time (RFC 3416 section 4; how long to wait is left open there and is ours).
//!
//! The caller owns socket and clock. It hands received datagrams to [`Manager::handle`], sends what
//! [`Manager::poll_transmit`] gives until that gives nothing more, takes outcomes from [`Manager::poll_event`], and comes
//! back at [`Manager::next_deadline`] at the latest.

mod engines;
mod outstanding;
mod pace;
mod principal;
mod request;
mod split;
mod v3;
mod walk;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use chacha20::ChaCha8Rng;
use chacha20::rand_core::{Rng, SeedableRng};

use crate::Operation;
use crate::message::{Opened, encode_with, is_v3, within_size};
use engines::Engines;
use outstanding::Outstanding;
use pace::Pace;
use v3::Written;

pub use principal::Principal;
pub use request::{Failure, MalformedResponse, Request, RequestError, RequestKey, Response, Target};
pub use split::{SplitLimits, split};
pub use v3::Regression;
pub use walk::{Walk, WalkFailure, WalkStep};

/// What holds for all requests of a [`Manager`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// The longest wait for an answer, however often the wait was doubled before.
    pub maximum_wait: Duration,
    /// How much longer than planned a wait may become by chance, in percent, so that a crowd that was sent to at once does not
    /// come back at once.
    pub jitter_percent: u32,
    /// The most requests under way to one agent, 1 or more; others wait. Agents of small devices drop what they cannot take at once.
    pub at_once: usize,
    /// Datagrams that go out in a second at the most, on the average, 1 or more.
    pub per_second: u32,
    /// Datagrams that may go out at once, although the average says fewer.
    pub burst: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            maximum_wait: Duration::from_secs(60),
            jitter_percent: 25,
            at_once: 8,
            per_second: 20_000,
            burst: 256,
        }
    }
}

/// What a [`Manager`] has seen so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Datagrams sent, repetitions included.
    pub sent: u64,
    /// Of them, repetitions.
    pub repeated: u64,
    /// Answers taken, whatever they said.
    pub answered: u64,
    /// Requests given up without an answer.
    pub timed_out: u64,
    /// Datagrams that are no SNMP message, or whose security cannot be handled.
    pub undecodable: u64,
    /// Messages that are no responses.
    pub unexpected: u64,
    /// Responses to nothing that is waited for: late, doubled, or made up.
    pub unmatched: u64,
    /// Responses with an awaited request id from another address than was asked.
    pub wrong_peer: u64,
    /// Responses with an awaited request id, but another version or community than was asked with, or not proven to be the
    /// user's.
    pub wrong_security: u64,
}

/// All requests under way.
#[derive(Debug)]
pub struct Manager {
    settings: Settings,
    random: ChaCha8Rng,
    /// By request id.
    outstanding: BTreeMap<i32, Outstanding>,
    /// When the wait for each request that was sent ends.
    deadlines: BTreeSet<(Duration, RequestKey)>,
    /// To be sent or repeated now. Keys of requests that are gone are skipped.
    queue: VecDeque<RequestKey>,
    events: VecDeque<(RequestKey, Result<Response, Failure>)>,
    engines: Engines,
    pace: Pace,
    regressions: VecDeque<Regression>,
    /// The last one used.
    salt: u64,
    counters: Counters,
    next_serial: u64,
}

impl Manager {
    /// A manager without requests. Request ids follow from `seed`, which should be one nobody can guess.
    pub fn new(settings: Settings, seed: u64) -> Manager {
        Manager {
            pace: Pace::new(&settings),
            settings,
            salt: ChaCha8Rng::seed_from_u64(!seed).next_u64(),
            random: ChaCha8Rng::seed_from_u64(seed),
            outstanding: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            queue: VecDeque::new(),
            events: VecDeque::new(),
            engines: Engines::default(),
            regressions: VecDeque::new(),
            counters: Counters::default(),
            next_serial: 0,
        }
    }

    /// Takes up a request; it is sent by the next [`poll_transmit`](Self::poll_transmit), and its wait begins then.
    ///
    /// A repetition is the same datagram with the same request id. A [`Request::Set`] is repeated as often as it says itself,
    /// every other request as often as the target says.
    ///
    /// # Errors
    /// The request cannot be written in the target's version, or is too long.
    pub fn request(&mut self, target: &Target, request: Request) -> Result<RequestKey, RequestError> {
        let key = RequestKey { serial: self.next_serial, request_id: self.unused_request_id() };
        let repetitions = request.repetitions(target);
        let writes = request.writes();
        let pdu = request.encode(target.principal.version(), key.request_id)?;
        within_size(pdu.len() + target.principal.overhead())?;
        self.next_serial += 1;
        self.outstanding.insert(key.request_id, Outstanding::new(key, target, pdu, writes, repetitions));
        self.queue.push_back(key);
        Ok(key)
    }

    /// Forgets a request; no event will come for it. `false` if it is not under way (any more).
    pub fn cancel(&mut self, key: RequestKey) -> bool {
        if !self.is_outstanding(key) {
            return false;
        }
        self.remove(key);
        true
    }

    /// Takes a datagram that `peer` sent.
    pub fn handle(&mut self, peer: SocketAddr, datagram: &[u8], now: Duration) {
        if is_v3(datagram) {
            return self.handle_v3(peer, datagram, now);
        }
        let answer = match Opened::new(datagram) {
            Ok(answer) => answer,
            Err(_) => return self.counters.undecodable += 1,
        };
        if !matches!(answer.pdu.head.operation, Operation::Response { .. }) {
            return self.counters.unexpected += 1;
        }
        let Some(outstanding) =
            self.outstanding.get(&answer.pdu.head.request_id).filter(|request| request.was_sent())
        else {
            return self.counters.unmatched += 1;
        };
        if !outstanding.was_asked_of(peer) {
            return self.counters.wrong_peer += 1;
        }
        let is_principal = match &outstanding.principal {
            Principal::Community(asked) => {
                (asked.version(), asked.community())
                    == (answer.security.version(), answer.security.community())
            }
            Principal::User(_) => false,
        };
        let Some(outcome) = outstanding.judge(&answer.pdu, now).filter(|_| is_principal) else {
            return self.counters.wrong_security += 1;
        };
        self.counters.answered += 1;
        let request_id = outstanding.key.request_id;
        self.conclude(request_id, outcome);
    }

    /// Puts the next datagram to be sent into `datagram`, in place of what that held, and says to whom. Waits that are over
    /// by `now` lead to repetitions and failures first.
    pub fn poll_transmit(&mut self, now: Duration, datagram: &mut Vec<u8>) -> Option<SocketAddr> {
        self.end_waits(now);
        while self.pace.free_at() <= now
            && let Some(key) = self.queue.pop_front()
        {
            let Some(request) =
                self.outstanding.get_mut(&key.request_id).filter(|request| request.key == key)
            else {
                continue;
            };
            if !request.has_begun && !self.pace.begins(request.peer, key) {
                continue;
            }
            request.has_begun = true;
            datagram.clear();
            let written = match &request.principal {
                Principal::Community(security) => {
                    encode_with(security, 0, datagram, |writer| writer.elements(&request.pdu))
                        .map(|()| Written::Sent)
                }
                Principal::User(user) => {
                    let user = Arc::clone(user);
                    self.write_v3(key.request_id, &user, now, datagram)
                }
            };
            match written {
                Ok(Written::Sent) => {}
                Ok(Written::Waits) => continue,
                Err(error) => {
                    self.conclude(key.request_id, Err(Failure::Unwritten(error)));
                    continue;
                }
            }
            let Some(request) = self.outstanding.get_mut(&key.request_id) else { continue };
            self.counters.sent += 1;
            self.pace.sent(now);
            self.counters.repeated += u64::from(request.was_sent());
            let wait = request.planned_wait(self.settings.maximum_wait);
            let wait = lengthened(wait, self.settings.jitter_percent, &mut self.random);
            let deadline = now.saturating_add(wait);
            request.sent(now, deadline);
            self.deadlines.insert((deadline, key));
            return Some(request.peer);
        }
        None
    }

    /// The next outcome. Every request that is not cancelled has one.
    pub fn poll_event(&mut self) -> Option<(RequestKey, Result<Response, Failure>)> {
        self.events.pop_front()
    }

    /// The next engine that was found to count its starts anew.
    pub fn poll_regression(&mut self) -> Option<Regression> {
        self.regressions.pop_front()
    }

    /// When [`poll_transmit`](Self::poll_transmit) has something to do: what is over if it has now, `None` if nothing is under way.
    pub fn next_deadline(&self) -> Option<Duration> {
        let sending = (!self.queue.is_empty()).then(|| self.pace.free_at());
        let waiting = self.deadlines.first().map(|&(deadline, _)| deadline);
        sending.into_iter().chain(waiting).min()
    }

    /// Requests that have no outcome yet.
    pub fn outstanding(&self) -> usize {
        self.outstanding.len()
    }

    /// What was seen so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    fn end_waits(&mut self, now: Duration) {
        while let Some(&(deadline, key)) = self.deadlines.first() {
            if deadline > now {
                return;
            }
            self.deadlines.pop_first();
            let Some(request) = self.outstanding.get_mut(&key.request_id) else { continue };
            if request.may_repeat() {
                self.queue.push_back(key);
            } else {
                self.counters.timed_out += 1;
                self.conclude(key.request_id, Err(Failure::Timeout));
            }
        }
    }

    fn is_outstanding(&self, key: RequestKey) -> bool {
        self.outstanding.get(&key.request_id).is_some_and(|request| request.key == key)
    }

    fn conclude(&mut self, request_id: i32, outcome: Result<Response, Failure>) {
        if let Some(request) = self.outstanding.get(&request_id) {
            let key = request.key;
            self.remove(key);
            self.events.push_back((key, outcome));
        }
    }

    fn remove(&mut self, key: RequestKey) {
        let Some(request) = self.outstanding.remove(&key.request_id) else { return };
        if let Some(deadline) = request.deadline() {
            self.deadlines.remove(&(deadline, key));
        }
        if request.user().is_some() {
            self.queue.extend(self.engines.over(request.peer, key));
        }
        if request.has_begun {
            let outstanding = &mut self.outstanding;
            let begins = |key: &RequestKey| {
                let next = outstanding.get_mut(&key.request_id).filter(|other| other.key == *key);
                next.map(|next| next.has_begun = true).is_some()
            };
            self.queue.extend(self.pace.over(request.peer, begins));
        }
    }

    /// Positive, since some agents answer negative request ids wrongly, and not zero.
    fn unused_request_id(&mut self) -> i32 {
        loop {
            let request_id = (self.random.next_u32() >> 1) as i32;
            if request_id != 0 && !self.outstanding.contains_key(&request_id) {
                return request_id;
            }
        }
    }
}

/// `wait`, longer by up to `percent` of it.
fn lengthened(wait: Duration, percent: u32, random: &mut ChaCha8Rng) -> Duration {
    let share = u64::from(random.next_u32()) * u64::from(percent.min(100));
    // `share` is in hundredths of 2^-32.
    let extra = wait.as_nanos().saturating_mul(u128::from(share)) / (100 << 32);
    wait.saturating_add(Duration::from_nanos(u64::try_from(extra).unwrap_or(u64::MAX)))
}
