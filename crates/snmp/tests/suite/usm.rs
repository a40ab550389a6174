//! SNMPv3 between our manager, our agent and our receiver of notifications: what both understand, and what neither takes. That
//! others understand it too is seen where net-snmp is (tests/interop).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use snmp::agent::{self, Agent, Engine, Outcome};
use snmp::manager::*;
use snmp::usm::*;
use snmp::*;

use crate::device::{Device, WRITABLE};
use crate::samples::name;
use crate::usm_notifications::{at, receiver};

pub(crate) const SECOND: Duration = Duration::from_secs(1);

pub(crate) fn user(name: &str, authentication: Authentication, privacy: Privacy) -> User {
    let user = User::new(name).unwrap().authenticating(authentication, b"maplesyrup").unwrap();
    user.encrypting(privacy, b"rupryselpam").unwrap()
}

pub(crate) fn anna() -> User {
    user("anna", Authentication::Sha256, Privacy::Aes128)
}

pub(crate) fn engine_id(own: &[u8]) -> EngineId {
    EngineId::of_enterprise(32473, own)
}

pub(crate) fn uptime() -> ObjectIdentifier {
    name("1.3.6.1.2.1.1.3.0")
}

pub(crate) fn address() -> SocketAddr {
    "192.0.2.1:161".parse().unwrap()
}

/// One manager, one device, and all that goes between them.
struct Lab {
    manager: Manager,
    agent: Agent,
    authority: Authority,
    boots: u32,
    booted: Duration,
    device: Device,
    now: Duration,
    sent: Vec<Vec<u8>>,
    answered: Vec<Vec<u8>>,
    outcomes: Vec<Outcome>,
}

impl Lab {
    fn new(users: &[User]) -> Lab {
        let settings = agent::Settings { read_write_users: users.to_vec(), ..agent::Settings::default() };
        Lab {
            manager: Manager::new(Settings { jitter_percent: 0, ..Settings::default() }, 7),
            agent: Agent::new(settings, 9),
            authority: Authority::new(engine_id(b"device 1")),
            boots: 3,
            booted: Duration::ZERO,
            device: Device::with_holes(),
            now: 1000 * SECOND,
            sent: Vec::new(),
            answered: Vec::new(),
            outcomes: Vec::new(),
        }
    }

    fn ask(&mut self, user: &Arc<User>, request: Request) -> RequestKey {
        let target =
            Target { address: address(), principal: Arc::clone(user).into(), timeout: SECOND, retries: 1 };
        self.manager.request(&target, request).unwrap()
    }

    fn at(&self) -> EngineTime {
        EngineTime::after(self.boots, self.now - self.booted)
    }

    fn respond(&mut self, datagram: &[u8]) -> Vec<u8> {
        let mut response = Vec::new();
        let at = self.at();
        let engine = Engine { authority: &mut self.authority, at };
        let outcome = self.agent.respond(datagram, Some(engine), &mut self.device, &mut response);
        self.outcomes.push(outcome);
        response
    }

    /// Until nothing is under way any more.
    fn run(&mut self) -> Vec<Result<Vec<VarBind>, Failure>> {
        let mut datagram = Vec::new();
        while let Some(deadline) = self.manager.next_deadline() {
            self.now = self.now.max(deadline);
            while self.manager.poll_transmit(self.now, &mut datagram).is_some() {
                self.sent.push(datagram.clone());
                let response = self.respond(&datagram.clone());
                self.answered.push(response.clone());
                self.manager.handle(address(), &response, self.now);
            }
        }
        let mut outcomes = Vec::new();
        while let Some((_, outcome)) = self.manager.poll_event() {
            outcomes.push(outcome.map(|response| response.varbinds()));
        }
        outcomes
    }

    fn get(&mut self, user: &Arc<User>) -> Result<Vec<VarBind>, Failure> {
        self.ask(user, Request::Get(vec![uptime()]));
        let outcomes = self.run();
        assert_eq!(outcomes.len(), 1);
        outcomes.into_iter().next().unwrap()
    }

    fn set(&mut self, user: &Arc<User>) -> Result<Vec<VarBind>, Failure> {
        let varbind = VarBind::new(WRITABLE.join(&[1, 0]), Value::Integer(5));
        self.ask(user, Request::set(vec![varbind]));
        self.run().into_iter().next().unwrap()
    }
}

#[test]
fn everything_that_authenticates_and_encrypts_is_understood_by_both() {
    for authentication in Authentication::ALL {
        for privacy in Privacy::ALL {
            let user = user("anna", authentication, privacy);
            let mut lab = Lab::new(std::slice::from_ref(&user));
            let user = Arc::new(user);
            let expected = vec![VarBind::new(uptime(), Value::TimeTicks(4711))];
            assert_eq!(lab.get(&user), Ok(expected.clone()), "{authentication} {privacy}");
            // It asked for the engine's id, and then what it wants; the next time that alone.
            assert_eq!(lab.sent.len(), 2, "{authentication} {privacy}");
            assert_eq!(lab.get(&user), Ok(expected), "{authentication} {privacy}");
            assert_eq!(lab.sent.len(), 3, "{authentication} {privacy}");
            assert!(!lab.sent[2].windows(4).any(|part| part == [0x2b, 6, 1, 2]), "its question can be read");
            assert!(
                !lab.answered[2].windows(4).any(|part| part == [0x2b, 6, 1, 2]),
                "its answer can be read"
            );
            assert!(lab.set(&user).is_ok(), "{authentication} {privacy}");
            assert_eq!(lab.device.committed.len(), 1);
        }
    }
}

#[test]
fn users_that_only_authenticate_and_users_that_nobody_proves_are_asked_for_as_well() {
    for user in [
        User::new("anna").unwrap(),
        User::new("anna").unwrap().authenticating(Authentication::Sha512, b"maplesyrup").unwrap(),
    ] {
        let mut lab = Lab::new(std::slice::from_ref(&user));
        let level = user.level();
        let user = Arc::new(user);
        assert!(lab.get(&user).is_ok(), "{level:?}");
        assert!(lab.set(&user).is_ok(), "{level:?}");
    }
}

/// What is written with a time that somebody made up could be held back until that time.
#[test]
fn a_set_goes_out_only_with_a_time_that_the_device_has_proven() {
    let mut lab = Lab::new(&[anna()]);
    assert!(lab.set(&Arc::new(anna())).is_ok());
    let asked: Vec<_> = lab.outcomes.iter().map(|outcome| format!("{outcome:?}")).collect();
    assert_eq!(asked[..2], ["Reported(UnknownEngineId)", "Reported(NotInTimeWindow)"]);
    assert_eq!((asked.len(), lab.device.committed.len()), (3, 1));
}

#[test]
fn many_questions_at_once_ask_for_the_engine_once() {
    let mut lab = Lab::new(&[anna()]);
    let user = Arc::new(anna());
    for _ in 0..20 {
        lab.ask(&user, Request::Get(vec![uptime()]));
    }
    assert!(lab.run().into_iter().all(|outcome| outcome.is_ok()));
    assert_eq!(lab.sent.len(), 21);
}

#[test]
fn who_asks_for_the_engine_in_vain_is_followed_by_the_next() {
    let mut lab = Lab::new(&[anna()]);
    let user = Arc::new(anna());
    let first = lab.ask(&user, Request::Get(vec![uptime()]));
    lab.ask(&user, Request::Get(vec![uptime()]));
    let mut datagram = Vec::new();
    assert!(lab.manager.poll_transmit(lab.now, &mut datagram).is_some());
    assert!(lab.manager.poll_transmit(lab.now, &mut datagram).is_none(), "the second waits for the first");
    assert!(lab.manager.cancel(first));
    assert!(lab.run().into_iter().all(|outcome| outcome.is_ok()));
    // And nobody answers at all: both are given up.
    let mut manager = Manager::new(Settings::default(), 8);
    let target = Target { address: address(), principal: user.into(), timeout: SECOND, retries: 1 };
    let keys = [(); 2].map(|()| manager.request(&target, Request::Get(vec![uptime()])).unwrap());
    let mut now = SECOND;
    while let Some(deadline) = manager.next_deadline() {
        now = now.max(deadline);
        while manager.poll_transmit(now, &mut datagram).is_some() {}
    }
    assert_eq!(manager.poll_event(), Some((keys[0], Err(Failure::Timeout))));
    assert_eq!(manager.poll_event(), Some((keys[1], Err(Failure::Timeout))));
}

#[test]
fn what_a_device_does_not_take_is_told_with_its_reason() {
    let asked = |user: User, known: User| Lab::new(&[known]).get(&Arc::new(user));
    let other = |passphrase: &[u8]| {
        User::new("anna").unwrap().authenticating(Authentication::Sha256, passphrase).unwrap()
    };
    let bare = User::new("anna").unwrap();
    let stranger = user("berta", Authentication::Sha256, Privacy::Aes128);
    let reported = |kind| Err(Failure::Reported(kind));
    assert_eq!(asked(stranger, anna()), reported(ReportKind::UnknownUserName));
    assert_eq!(asked(other(b"maplesirup"), anna()), reported(ReportKind::WrongDigest));
    assert_eq!(asked(other(b"maplesyrup"), bare), reported(ReportKind::UnsupportedSecurityLevel));
    let other_secret = other(b"maplesyrup").encrypting(Privacy::Aes128, b"another secret").unwrap();
    assert_eq!(asked(other_secret, anna()), reported(ReportKind::DecryptionError));
    // The right digest is not enough where the user encrypts.
    let status = ErrorStatus::AuthorizationError;
    assert_eq!(asked(other(b"maplesyrup"), anna()), Err(Failure::ErrorStatus { status, index: 0 }));
}

#[test]
fn users_that_may_only_read_write_nothing() {
    let settings = agent::Settings { read_only_users: vec![anna()], ..agent::Settings::default() };
    let mut lab = Lab { agent: Agent::new(settings, 9), ..Lab::new(&[]) };
    let user = Arc::new(anna());
    assert!(lab.get(&user).is_ok());
    let refused = Failure::ErrorStatus { status: ErrorStatus::NoAccess, index: 1 };
    assert_eq!(lab.set(&user), Err(refused));
    assert_eq!(lab.device.committed.len(), 0);
}

#[test]
fn what_was_sent_once_is_taken_no_more_when_it_is_old_or_the_device_has_started() {
    let mut lab = Lab::new(&[anna()]);
    let user = Arc::new(anna());
    assert!(lab.set(&user).is_ok());
    let captured = lab.sent.last().unwrap().clone();
    lab.now += 151 * SECOND;
    let report = lab.respond(&captured);
    assert_eq!(lab.outcomes.last(), Some(&Outcome::Reported(ReportKind::NotInTimeWindow)));
    // The captured message wants to know; who sent it again learns nothing but the time.
    assert!(!report.is_empty());
    lab.now -= 151 * SECOND;
    lab.boots += 1;
    lab.respond(&captured);
    assert_eq!(lab.outcomes.last(), Some(&Outcome::Reported(ReportKind::NotInTimeWindow)));
    assert_eq!(lab.device.committed.len(), 1);
}

#[test]
fn a_device_that_has_started_again_is_asked_on() {
    let mut lab = Lab::new(&[anna()]);
    let user = Arc::new(anna());
    assert!(lab.set(&user).is_ok());
    (lab.boots, lab.booted) = (4, lab.now);
    assert!(lab.set(&user).is_ok());
    assert_eq!((lab.device.committed.len(), lab.manager.poll_regression()), (2, None));
}

/// Such devices exist; each start of theirs is the first one.
#[test]
fn a_device_that_forgets_how_often_it_started_is_asked_on_and_told_of() {
    let mut lab = Lab::new(&[anna()]);
    let user = Arc::new(anna());
    assert!(lab.set(&user).is_ok());
    (lab.boots, lab.booted) = (1, lab.now);
    assert!(lab.set(&user).is_ok());
    let told = at(1, 0);
    let regression = Regression { peer: address(), engine: engine_id(b"device 1"), known: 3, told };
    assert_eq!(lab.manager.poll_regression(), Some(regression));
    assert_eq!((lab.device.committed.len(), lab.manager.poll_regression()), (2, None));
}

#[test]
fn another_engine_at_the_address_is_found_out() {
    let mut lab = Lab::new(&[anna()]);
    let user = Arc::new(anna());
    assert!(lab.get(&user).is_ok());
    lab.authority = Authority::new(engine_id(b"device 2"));
    assert!(lab.set(&user).is_ok());
    assert_eq!(lab.device.committed.len(), 1);
}

/// A clock that is ahead, as somebody on the way may pretend: nothing of it is believed that is not proven.
#[test]
fn a_made_up_time_hinders_nobody() {
    let mut lab = Lab::new(&[anna()]);
    let user = Arc::new(anna());
    lab.ask(&user, Request::Get(vec![uptime()]));
    let mut datagram = Vec::new();
    lab.manager.poll_transmit(lab.now, &mut datagram).unwrap();
    let honest = lab.boots;
    lab.boots = 1 << 30;
    let forged = lab.respond(&datagram.clone());
    lab.boots = honest;
    lab.manager.handle(address(), &forged, lab.now);
    assert!(lab.run().into_iter().all(|outcome| outcome.is_ok()));
    assert!(lab.set(&user).is_ok());
}

#[test]
fn answers_that_nobody_has_proven_are_not_taken() {
    let mut lab = Lab::new(&[anna()]);
    let user = Arc::new(anna());
    assert!(lab.get(&user).is_ok());
    lab.ask(&user, Request::Get(vec![uptime()]));
    let mut datagram = Vec::new();
    lab.manager.poll_transmit(lab.now, &mut datagram).unwrap();
    let honest = lab.respond(&datagram.clone());
    for place in 0..honest.len() {
        for bit in 0..8 {
            let mut flipped = honest.clone();
            flipped[place] ^= 1 << bit;
            lab.manager.handle(address(), &flipped, lab.now);
            assert_eq!(lab.manager.poll_event(), None, "bit {bit} of octet {place}");
        }
    }
    lab.manager.handle(address(), &honest, lab.now);
    assert!(matches!(lab.manager.poll_event(), Some((_, Ok(_)))));
    lab.manager.handle(address(), &honest, lab.now);
    assert_eq!((lab.manager.poll_event(), lab.manager.counters().unmatched > 0), (None, true));
}

#[test]
fn a_request_with_one_bit_changed_does_nothing() {
    let mut lab = Lab::new(&[anna()]);
    let user = Arc::new(anna());
    assert!(lab.set(&user).is_ok());
    let honest = lab.sent.last().unwrap().clone();
    for place in 0..honest.len() {
        for bit in 0..8 {
            let mut flipped = honest.clone();
            flipped[place] ^= 1 << bit;
            lab.respond(&flipped);
            assert_eq!(lab.device.committed.len(), 1, "bit {bit} of octet {place}");
        }
    }
    lab.respond(&honest);
    assert_eq!(lab.device.committed.len(), 2);
    let wrong = lab.authority.statistics().of(ReportKind::WrongDigest);
    assert!(wrong > 0 && wrong < 8 * honest.len() as u32, "{wrong}");
}

/// A forged Report bears another engine's id, and must not make the time forgotten that was proven.
#[test]
fn what_an_engine_has_proven_is_kept_until_another_one_has_proven_itself() {
    let mut lab = Lab::new(&[anna()]);
    let user = Arc::new(anna());
    lab.get(&user).unwrap();
    let before = lab.sent.len();
    lab.ask(&user, Request::set(vec![VarBind::new(WRITABLE.join(&[1, 0]), Value::Integer(5))]));
    let mut set = Vec::new();
    lab.manager.poll_transmit(lab.now, &mut set).unwrap();
    // Somebody on the way answers first, as another engine.
    let (at, mut stranger, mut report) = (lab.at(), Authority::new(engine_id(b"stranger")), Vec::new());
    let engine = Engine { authority: &mut stranger, at };
    lab.agent.respond(&set, Some(engine), &mut lab.device, &mut report);
    lab.manager.handle(address(), &report, lab.now);
    assert!(lab.run()[0].is_ok());
    // The stranger is asked for its time, to which the device says who it is, and then there is the SET: nobody asks the device for
    // its time.
    assert_eq!((lab.sent.len() - before, lab.device.committed.len()), (2, 1));
}

proptest! {
    #[test]
    fn whatever_comes_in_breaks_nobody(datagram in proptest::collection::vec(any::<u8>(), 0..200), place in 0..150_usize) {
        let mut lab = Lab::new(&[anna()]);
        let user = Arc::new(anna());
        lab.ask(&user, Request::Get(vec![uptime()]));
        let mut honest = Vec::new();
        lab.manager.poll_transmit(lab.now, &mut honest).unwrap();
        let mut torn = honest.clone();
        let place = place.min(torn.len());
        torn.splice(place.., datagram.iter().copied());
        for strange in [&datagram, &torn] {
            lab.respond(strange);
            lab.manager.handle(address(), strange, lab.now);
            let _ = receiver().receive(strange, at(9, 9), SECOND, &mut Vec::new());
        }
        prop_assert_eq!(lab.device.committed.len(), 0);
    }
}
