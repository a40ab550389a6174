//! The asking side under every misfortune of the network.

use std::net::SocketAddr;
use std::time::Duration;

use snmp::manager::*;
use snmp::*;

use crate::samples::{encoded, name};

const SECOND: Duration = Duration::from_secs(1);

struct Asking {
    manager: Manager,
    now: Duration,
    sent: Vec<(SocketAddr, Vec<u8>)>,
}

fn peer() -> SocketAddr {
    "192.0.2.1:161".parse().unwrap()
}

fn target() -> Target {
    Target { address: peer(), principal: Security::v2c("public").into(), timeout: 2 * SECOND, retries: 2 }
}

fn get() -> Request {
    Request::Get(vec![name("1.3.6.1.2.1.1.3.0")])
}

/// The answer an honest agent gives to a datagram: the same names, each with the value 7.
fn answer(datagram: &[u8]) -> Vec<u8> {
    changed_answer(datagram, |_| ())
}

fn changed_answer(datagram: &[u8], change: impl FnOnce(&mut Message)) -> Vec<u8> {
    let mut message = Message::decode(datagram).unwrap().into_owned();
    let pdu = pdu(&mut message);
    pdu.operation = Operation::Response { status: ErrorStatus::NoError, index: 0 };
    for varbind in &mut pdu.varbinds {
        varbind.value = Value::Integer(7);
    }
    change(&mut message);
    encoded(&message)
}

fn pdu(message: &mut Message) -> &mut Pdu {
    match &mut message.body {
        Body::Pdu(pdu) => pdu,
        Body::TrapV1(_) => unreachable!("the manager sends no traps"),
    }
}

impl Asking {
    fn new() -> Asking {
        let settings = Settings { jitter_percent: 0, ..Settings::default() };
        Asking { manager: Manager::new(settings, 1), now: 100 * SECOND, sent: Vec::new() }
    }

    fn ask(&mut self, request: Request) -> RequestKey {
        let key = self.manager.request(&target(), request).unwrap();
        self.transmit();
        key
    }

    fn transmit(&mut self) {
        let mut datagram = b"left from before".to_vec();
        while let Some(peer) = self.manager.poll_transmit(self.now, &mut datagram) {
            self.sent.push((peer, datagram.clone()));
        }
    }

    fn last_sent(&self) -> &[u8] {
        &self.sent.last().unwrap().1
    }

    fn receive(&mut self, datagram: &[u8]) {
        self.manager.handle(peer(), datagram, self.now);
    }

    fn run_until_idle(&mut self) {
        while let Some(deadline) = self.manager.next_deadline() {
            self.now = self.now.max(deadline);
            self.transmit();
        }
    }
}

#[test]
fn a_request_is_sent_answered_and_over() {
    let mut asking = Asking::new();
    let key = asking.ask(get());
    assert_eq!(asking.sent.len(), 1);
    assert_eq!(asking.sent[0].0, peer());
    assert_eq!(asking.manager.next_deadline(), Some(102 * SECOND));
    asking.now += SECOND;
    asking.receive(&answer(asking.last_sent()).clone());
    let varbinds = vec![VarBind::new(name("1.3.6.1.2.1.1.3.0"), 7)];
    let response = Response::new(peer(), &varbinds, SECOND);
    assert_eq!(response.varbinds(), varbinds);
    assert_eq!(response.values().collect::<Vec<_>>(), [Value::Integer(7)]);
    assert_eq!(asking.manager.poll_event(), Some((key, Ok(response))));
    assert_eq!(asking.manager.poll_event(), None);
    assert_eq!(asking.manager.next_deadline(), None);
    assert_eq!(asking.manager.outstanding(), 0);
}

#[test]
fn a_question_written_before_is_the_same_datagram_as_a_get_of_its_names() {
    let names = vec![name("1.3.6.1.2.1.1.3.0"), name("1.3.6.1.4.1.32473.1.1.1.0")];
    let (mut written, mut named) = (Asking::new(), Asking::new());
    let key = written.ask(Request::Ask(Question::new(&names)));
    named.ask(Request::Get(names));
    assert_eq!(written.sent, named.sent);
    let other_names = |message: &mut Message| pdu(message).varbinds.reverse();
    let about_others = changed_answer(written.last_sent(), other_names);
    written.receive(&about_others);
    let malformed = Err(Failure::Malformed(MalformedResponse::OtherObjects));
    assert_eq!(written.manager.poll_event(), Some((key, malformed)));
}

#[test]
fn a_request_that_waits_to_be_sent_is_due_at_once() {
    let mut asking = Asking::new();
    assert_eq!(asking.manager.next_deadline(), None);
    asking.manager.request(&target(), get()).unwrap();
    assert_eq!(asking.manager.next_deadline(), Some(Duration::ZERO));
    asking.transmit();
    assert_eq!(asking.manager.next_deadline(), Some(102 * SECOND));
}

#[test]
fn a_lost_answer_leads_to_the_same_datagram_again_after_twice_the_wait_each_time() {
    let mut asking = Asking::new();
    let key = asking.ask(get());
    let mut sent_at = Vec::new();
    while let Some(deadline) = asking.manager.next_deadline() {
        asking.now = deadline;
        asking.transmit();
        sent_at.push((asking.now.as_secs(), asking.sent.len()));
    }
    assert_eq!(sent_at, [(102, 2), (106, 3), (114, 3)]);
    assert!(asking.sent.iter().all(|sent| *sent == asking.sent[0]));
    assert_eq!(asking.manager.poll_event(), Some((key, Err(Failure::Timeout))));
    let counters = asking.manager.counters();
    assert_eq!((counters.sent, counters.repeated, counters.timed_out), (3, 2, 1));
}

#[test]
fn an_unanswered_set_is_not_repeated_unless_the_caller_says_so() {
    let varbinds = vec![VarBind::new(name("1.3.6.1.2.1.1.5.0"), "iad")];
    for (request, sendings) in
        [(Request::set(varbinds.clone()), 1), (Request::Set { varbinds, retries: 1 }, 2)]
    {
        let mut asking = Asking::new();
        let key = asking.ask(request);
        asking.run_until_idle();
        assert_eq!(asking.sent.len(), sendings);
        assert_eq!(asking.manager.poll_event(), Some((key, Err(Failure::Timeout))));
    }
}

#[test]
fn an_answer_to_the_first_sending_counts_after_the_second() {
    let mut asking = Asking::new();
    asking.ask(get());
    let first = answer(asking.last_sent());
    asking.now += 2 * SECOND;
    asking.transmit();
    assert_eq!(asking.sent.len(), 2);
    asking.receive(&first);
    assert!(matches!(asking.manager.poll_event(), Some((_, Ok(_)))));
    asking.run_until_idle();
    assert_eq!(asking.sent.len(), 2);
}

#[test]
fn an_answer_that_comes_between_the_end_of_the_wait_and_the_repetition_counts() {
    let mut asking = Asking::new();
    asking.ask(get());
    let late = answer(asking.last_sent());
    asking.now += 3 * SECOND;
    asking.receive(&late);
    asking.transmit();
    assert!(matches!(asking.manager.poll_event(), Some((_, Ok(_)))));
    assert_eq!(asking.sent.len(), 1);
}

#[test]
fn late_and_doubled_answers_are_counted_and_change_nothing() {
    let mut asking = Asking::new();
    asking.ask(get());
    let good = answer(asking.last_sent());
    asking.receive(&good);
    asking.receive(&good);
    assert!(matches!(asking.manager.poll_event(), Some((_, Ok(_)))));
    assert_eq!(asking.manager.poll_event(), None);
    asking.ask(get());
    let late = answer(asking.last_sent());
    asking.run_until_idle();
    assert!(matches!(asking.manager.poll_event(), Some((_, Err(Failure::Timeout)))));
    asking.receive(&late);
    assert_eq!(asking.manager.poll_event(), None);
    assert_eq!(asking.manager.counters().unmatched, 2);
}

#[test]
fn an_answer_from_another_address_or_port_is_none() {
    let mut asking = Asking::new();
    asking.ask(get());
    let good = answer(asking.last_sent());
    for other in ["192.0.2.2:161", "192.0.2.1:1161", "[::ffff:192.0.2.2]:161"] {
        asking.manager.handle(other.parse().unwrap(), &good, asking.now);
    }
    assert_eq!(asking.manager.poll_event(), None);
    assert_eq!(asking.manager.counters().wrong_peer, 3);
    // The same address as a socket for both families shows it.
    asking.manager.handle("[::ffff:192.0.2.1]:161".parse().unwrap(), &good, asking.now);
    assert!(matches!(asking.manager.poll_event(), Some((_, Ok(_)))));
}

#[test]
fn a_link_local_answer_must_come_over_the_same_link_where_the_system_tells() {
    for (asked, answering, counts) in [
        ("[fe80::1%3]:161", "[fe80::1%3]:161", true),
        ("[fe80::1%3]:161", "[fe80::1%4]:161", false),
        ("[fe80::1%3]:161", "[fe80::1]:161", true),
        ("[fe80::1]:161", "[fe80::1%4]:161", true),
    ] {
        let mut asking = Asking::new();
        let target = Target { address: asked.parse().unwrap(), ..target() };
        asking.manager.request(&target, get()).unwrap();
        asking.transmit();
        let good = answer(asking.last_sent());
        asking.manager.handle(answering.parse().unwrap(), &good, asking.now);
        assert_eq!(asking.manager.poll_event().is_some(), counts, "{asked} {answering}");
    }
}

#[test]
fn an_answer_with_another_version_or_community_is_none() {
    let mut asking = Asking::new();
    asking.ask(get());
    for security in [Security::v1("public"), Security::v2c("private"), Security::v2c("")] {
        let wrong = changed_answer(asking.last_sent(), |message| message.security = security);
        asking.receive(&wrong);
    }
    assert_eq!(asking.manager.poll_event(), None);
    assert_eq!(asking.manager.counters().wrong_security, 3);
    assert_eq!(asking.manager.outstanding(), 1);
}

#[test]
fn requests_traps_and_noise_are_counted_and_change_nothing() {
    let mut asking = Asking::new();
    asking.ask(get());
    let reflected = asking.last_sent().to_vec();
    asking.receive(&reflected);
    let trap = changed_answer(asking.last_sent(), |message| pdu(message).operation = Operation::Trap);
    asking.receive(&trap);
    asking.receive(b"noise");
    let counters = asking.manager.counters();
    assert_eq!((counters.unexpected, counters.undecodable), (2, 1));
    assert_eq!(asking.manager.poll_event(), None);
}

#[test]
fn an_error_in_the_answer_names_the_status_and_the_place() {
    let mut asking = Asking::new();
    let key = asking.ask(Request::set(vec![VarBind::new(name("1.3.6.1.2.1.1.5.0"), "iad")]));
    let status = ErrorStatus::InconsistentValue;
    let refused = changed_answer(asking.last_sent(), |message| {
        pdu(message).operation = Operation::Response { status, index: 1 }
    });
    asking.receive(&refused);
    assert_eq!(asking.manager.poll_event(), Some((key, Err(Failure::ErrorStatus { status, index: 1 }))));
    let key = asking.ask(get());
    let status = ErrorStatus::TooBig;
    let too_big = changed_answer(asking.last_sent(), |message| {
        pdu(message).operation = Operation::Response { status, index: 0 };
        pdu(message).varbinds.clear();
    });
    asking.receive(&too_big);
    assert_eq!(asking.manager.poll_event(), Some((key, Err(Failure::TooBig))));
}

#[test]
fn an_answer_that_says_too_big_is_understood_whatever_else_it_holds() {
    let mut asking = Asking::new();
    let key = asking.ask(get());
    let status = ErrorStatus::TooBig;
    let mut broken = changed_answer(asking.last_sent(), |message| {
        pdu(message).operation = Operation::Response { status, index: 0 }
    });
    // The type of the value becomes one that does not exist.
    let place = broken.len() - 3;
    broken[place] = 0x4f;
    asking.receive(&broken);
    assert_eq!(asking.manager.poll_event(), Some((key, Err(Failure::TooBig))));
}

#[test]
fn an_answer_about_other_objects_or_with_broken_ones_is_malformed() {
    let mut asking = Asking::new();
    let key = asking.ask(get());
    let other = changed_answer(asking.last_sent(), |message| {
        pdu(message).varbinds[0].name = name("1.3.6.1.2.1.1.4.0")
    });
    asking.receive(&other);
    let failure = Failure::Malformed(MalformedResponse::OtherObjects);
    assert_eq!(asking.manager.poll_event(), Some((key, Err(failure))));
    let key = asking.ask(get());
    let mut broken = answer(asking.last_sent());
    // The type of the value, three bytes before the end, becomes one that does not exist.
    let place = broken.len() - 3;
    broken[place] = 0x4f;
    asking.receive(&broken);
    let failure = Failure::Malformed(MalformedResponse::Undecodable(DecodeError::UnknownTag));
    assert_eq!(asking.manager.poll_event(), Some((key, Err(failure))));
}

#[test]
fn a_cancelled_request_has_no_outcome() {
    let mut asking = Asking::new();
    let key = asking.ask(get());
    assert!(asking.manager.cancel(key));
    assert!(!asking.manager.cancel(key));
    let good = answer(asking.last_sent());
    asking.receive(&good);
    asking.run_until_idle();
    assert_eq!(asking.manager.poll_event(), None);
    let unsent = asking.manager.request(&target(), get()).unwrap();
    assert!(asking.manager.cancel(unsent));
    asking.transmit();
    assert_eq!(asking.sent.len(), 1);
}

#[test]
fn a_guessed_answer_before_the_request_was_sent_is_none() {
    let mut first = Asking::new();
    first.ask(get());
    let guess = answer(first.last_sent());
    let mut asking = Asking::new();
    asking.manager.request(&target(), get()).unwrap();
    asking.receive(&guess);
    assert_eq!(asking.manager.counters().unmatched, 1);
    asking.transmit();
    asking.receive(&guess);
    assert_eq!(asking.manager.counters().answered, 1);
}

#[test]
fn request_ids_differ_while_under_way_and_from_seed_to_seed() {
    let ids = |seed| {
        let all = Settings { at_once: 2000, burst: 2000, ..Settings::default() };
        let mut manager = Manager::new(all, seed);
        let mut datagram = Vec::new();
        for _ in 0..2000 {
            manager.request(&target(), get()).unwrap();
        }
        let mut ids = Vec::new();
        while manager.poll_transmit(SECOND, &mut datagram).is_some() {
            match Message::decode(&datagram).unwrap().body {
                Body::Pdu(pdu) => ids.push(pdu.request_id),
                Body::TrapV1(_) => unreachable!("the manager sends no traps"),
            }
        }
        ids
    };
    let first = ids(1);
    assert_eq!(first, ids(1));
    assert!(first.iter().all(|&id| id > 0));
    let distinct: std::collections::BTreeSet<_> = first.iter().collect();
    assert_eq!(distinct.len(), 2000);
    assert_eq!(ids(2).iter().filter(|id| distinct.contains(id)).count(), 0);
}

#[test]
fn waits_are_lengthened_by_chance_and_end_at_the_longest_wait() {
    let settings = Settings { maximum_wait: 3 * SECOND, jitter_percent: 50, ..Settings::default() };
    let mut manager = Manager::new(settings, 7);
    let target = Target { retries: 4, ..target() };
    manager.request(&target, get()).unwrap();
    let mut now = Duration::ZERO;
    let mut waits = Vec::new();
    let mut datagram = Vec::new();
    while manager.poll_transmit(now, &mut datagram).is_some() {
        let deadline = manager.next_deadline().unwrap();
        waits.push(deadline - now);
        now = deadline;
    }
    assert_eq!(waits.len(), 5);
    assert!((2 * SECOND..=3 * SECOND).contains(&waits[0]), "{waits:?}");
    assert!(waits[1..].iter().all(|wait| (3 * SECOND..=4500 * SECOND / 1000).contains(wait)), "{waits:?}");
    assert!(waits[1..].windows(2).any(|pair| pair[0] != pair[1]), "{waits:?}");
}

/// Agents of small devices drop what they cannot take at once.
#[test]
fn one_agent_is_asked_so_many_things_at_once_and_the_rest_in_turn() {
    let settings = Settings { jitter_percent: 0, at_once: 2, ..Settings::default() };
    let mut asking = Asking { manager: Manager::new(settings, 1), ..Asking::new() };
    let keys: Vec<_> = (0..6).map(|_| asking.ask(get())).collect();
    assert_eq!(asking.sent.len(), 2);
    // Another agent is not kept waiting.
    let other = Target { address: "192.0.2.2:161".parse().unwrap(), ..target() };
    asking.manager.request(&other, get()).unwrap();
    asking.transmit();
    assert_eq!(asking.sent.len(), 3);
    // Who waits and is not wanted any more is passed over.
    assert!(asking.manager.cancel(keys[2]));
    asking.receive(&answer(&asking.sent[0].1.clone()));
    asking.transmit();
    assert_eq!(asking.sent.len(), 4);
    // Whose time is over makes room as well; all have an outcome in the end.
    asking.run_until_idle();
    let mut outcomes = Vec::new();
    while let Some((key, _)) = asking.manager.poll_event() {
        outcomes.push(key);
    }
    for key in [0, 1, 3, 4, 5] {
        assert!(outcomes.contains(&keys[key]), "request {key}");
    }
    assert_eq!((outcomes.len(), asking.manager.outstanding()), (6, 0));
    // What was on the way at once never was more.
    let asked = |at: &(SocketAddr, Vec<u8>)| at.0 == peer();
    assert_eq!(asking.sent.iter().filter(|sent| asked(sent)).count(), 1 + 4 * 3, "each but one three times");
}

/// Whoever was next and is cancelled before it was sent leaves its place to the one after it.
#[test]
fn who_waits_in_turn_is_not_forgotten_with_the_one_before() {
    let settings = Settings { jitter_percent: 0, at_once: 1, ..Settings::default() };
    let mut asking = Asking { manager: Manager::new(settings, 1), ..Asking::new() };
    let keys: Vec<_> = (0..3).map(|_| asking.ask(get())).collect();
    assert_eq!(asking.sent.len(), 1);
    // The second one's turn has come, and nobody wants it any more.
    asking.receive(&answer(&asking.sent[0].1.clone()));
    assert!(asking.manager.cancel(keys[1]));
    asking.transmit();
    assert_eq!(asking.sent.len(), 2, "the third one");
    asking.receive(&answer(&asking.sent[1].1.clone()));
    let ended: Vec<_> = std::iter::from_fn(|| asking.manager.poll_event()).map(|(key, _)| key).collect();
    assert_eq!((ended, asking.manager.outstanding()), (vec![keys[0], keys[2]], 0));
}

#[test]
fn no_more_goes_out_in_a_second_than_is_said() {
    let settings = Settings { jitter_percent: 0, per_second: 100, burst: 10, ..Settings::default() };
    let mut manager = Manager::new(settings, 1);
    for agent in 0..1000_u16 {
        let [high, low] = agent.to_be_bytes();
        let address = SocketAddr::from(([10, 0, high, low], 161));
        manager.request(&Target { address, retries: 0, timeout: 100 * SECOND, ..target() }, get()).unwrap();
    }
    let (began, mut now, mut datagram) = (100 * SECOND, 100 * SECOND, Vec::new());
    let mut sent = Vec::new();
    while sent.len() < 1000 {
        now = now.max(manager.next_deadline().unwrap());
        while manager.poll_transmit(now, &mut datagram).is_some() {
            sent.push(now - began);
        }
    }
    assert_eq!(sent.iter().filter(|at| at.is_zero()).count(), 11, "a burst, and the one that is due");
    for from in 0..9 {
        let within = |at: &&Duration| **at >= from * SECOND && **at < (from + 1) * SECOND;
        assert!(sent.iter().filter(within).count() <= 110, "second {from}");
    }
    let all = sent.last().unwrap();
    assert!((9 * SECOND..11 * SECOND).contains(all), "{all:?}");
}
