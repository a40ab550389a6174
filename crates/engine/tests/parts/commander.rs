//! Requests to agents that answer in pieces, in SNMPv1, too little, wrongly or not at all.

mod secured;

use core::time::Duration;
use std::net::SocketAddr;

use engine::access::Version;
use engine::commander::{Answer, Ask, Asker, Outcome, What};
use engine::datagram::Datagram;
use engine::{Access, Commander};
use snmp::{Body, ErrorStatus, Message, ObjectIdentifier, Operation, Pdu, Security, Value as Wire, VarBind};
use upgrade::{Oid, RunId, Value};

/// How the agent answers GETs.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Manner {
    Well,
    /// As an agent of SNMPv1 that lacks each object whose last number is a multiple of this.
    Lacks(u32),
    /// The same, but it does not say which.
    LacksSome(u32),
    /// It fits so many objects into an answer.
    Fits(usize),
    Refuses,
    /// The names in its answers are no object identifiers.
    Confused,
    Silent,
}

struct World {
    commander: Commander,
    now: Duration,
    manner: Manner,
    /// What arrived at the agent.
    requests: Vec<(Vec<u8>, Pdu)>,
}

fn agent() -> SocketAddr {
    ([192, 0, 2, 7], 161).into()
}

fn access(version: Version) -> Access {
    Access {
        address: agent(),
        version,
        read_community: "readers".into(),
        write_community: "writers".into(),
        credential: None,
        engine: None,
        answer_ms: 1000,
        repeats: 3,
    }
}

fn outcomes(answers: &[Answer]) -> Vec<(Asker, Outcome)> {
    answers.iter().map(|answer| (answer.asker, answer.outcome.clone())).collect()
}

fn asker(run: u64, asked: u32) -> Asker {
    Asker::Run { run: RunId(run), asked }
}

#[test]
fn each_kind_of_value_has_its_counterpart() {
    let oid: Oid = "1.3.6.1.4.1.32473.1".parse().unwrap();
    let name = ObjectIdentifier::new([1, 3, 6, 1, 4, 1, 32473, 1]);
    let pairs = [
        (Wire::Integer(-5), Value::Integer(-5)),
        (Wire::OctetString(b"x".to_vec()), Value::Octets(b"x".to_vec())),
        (Wire::ObjectIdentifier(name), Value::Oid(oid)),
        (Wire::IpAddress([192, 0, 2, 7].into()), Value::Address([192, 0, 2, 7])),
        (Wire::Counter64(1 << 40), Value::Counter(1 << 40)),
        (Wire::Gauge32(9), Value::Unsigned(9)),
        (Wire::TimeTicks(100), Value::Ticks(100)),
        (Wire::Null, Value::Absent),
    ];
    let mut world = World::new(Manner::Well);
    let writes = objects(8).into_iter().zip(pairs.iter().map(|(_, ours)| ours.clone())).collect();
    world.ask(asker(1, 1), Version::V2c, What::Set(writes));
    world.exchange();
    for (sent, (wire, ours)) in world.requests[0].1.varbinds.iter().zip(&pairs) {
        assert_eq!(sent.value, *wire);
        assert_eq!(engine::access::from_wire(wire.clone()), *ours);
    }
    assert_eq!(engine::access::from_wire(Wire::<Vec<u8>>::Counter32(7)), Value::Counter(7));
    assert_eq!(engine::access::from_wire(Wire::Opaque(b"y".to_vec())), Value::Octets(b"y".to_vec()));
    for nothing in [Wire::<Vec<u8>>::NoSuchObject, Wire::NoSuchInstance, Wire::EndOfMibView] {
        assert_eq!(engine::access::from_wire(nothing), Value::Absent);
    }
}

/// Found by the deterministic world: the device changed its software between two messages of one look.
#[test]
fn what_a_command_presumes_is_seen_at_one_moment() {
    let mut world = World::new(Manner::Well);
    let profile = crate::profile();
    world.ask(asker(1, 1), Version::V2c, What::Get(profile.questions(upgrade::profile::Scope::Whole)));
    world.exchange();
    assert!(world.requests.len() > 1, "a whole look takes several messages");
    let first: Vec<String> =
        world.requests[0].1.varbinds.iter().map(|varbind| varbind.name.to_string()).collect();
    for object in [
        "unique-id",
        "boots",
        "uptime",
        "revision",
        "software-version",
        "software-role",
        "operation-id",
        "operation-state",
        "operation-digests",
    ] {
        let oid = profile.objects[object].oid.to_string();
        assert!(first.iter().any(|name| name.starts_with(&oid)), "{object} is asked for later");
    }
}

fn objects(count: u32) -> Vec<Oid> {
    (1..=count).map(|n| format!("1.3.6.1.4.1.32473.1.{n}").parse().unwrap()).collect()
}

impl World {
    fn new(manner: Manner) -> Self {
        Self { commander: Commander::new(7), now: Duration::ZERO, manner, requests: Vec::new() }
    }

    fn get(&mut self, asker: Asker, count: u32) {
        self.ask(asker, Version::V2c, What::Get(objects(count).into()));
    }

    fn ask(&mut self, asker: Asker, version: Version, what: What) {
        self.commander.ask(Ask { asker, access: access(version), what });
    }

    /// Takes what is to be sent to the agent, and lets that answer.
    fn exchange(&mut self) {
        let mut buffer = Vec::new();
        while let Some(transmit) = self.commander.poll_transmit(self.now, &mut buffer) {
            assert_eq!((transmit.peer, transmit.length), (agent(), buffer.len()));
            let message = Message::decode(&buffer).unwrap().into_owned();
            let (Security::V1 { community } | Security::V2c { community }) = message.security.clone() else {
                panic!("version 3");
            };
            let Body::Pdu(pdu) = message.body else { panic!("a trap") };
            let names: Vec<_> = pdu.varbinds.iter().map(|varbind| varbind.name.clone()).collect();
            self.requests.push((community, pdu.clone()));
            let Some((status, index)) = self.respond(&names) else { continue };
            let good = status == ErrorStatus::NoError;
            let answered = names.into_iter().map(|name| {
                let value = if good { Wire::Integer(last(&name)) } else { Wire::Null };
                VarBind::new(name, value)
            });
            let operation = Operation::Response { status, index };
            let pdu = Pdu { request_id: pdu.request_id, operation, varbinds: answered.collect() };
            let mut bytes = Vec::new();
            Message::new(message.security, pdu).encode(&mut bytes).unwrap();
            if self.manner == Manner::Confused {
                let name = bytes.windows(3).position(|octets| matches!(octets, [6, _, 0x2b])).unwrap();
                bytes[name] = 0;
            }
            self.commander.handle(&[Datagram { peer: agent(), local: None, bytes: &bytes }], self.now);
        }
    }

    fn respond(&self, names: &[ObjectIdentifier]) -> Option<(ErrorStatus, u32)> {
        let lacking = |every: u32| {
            let lacks = |name: &ObjectIdentifier| last(name) % i32::try_from(every).unwrap() == 0;
            names.iter().position(lacks).map(|position| u32::try_from(position).unwrap() + 1)
        };
        Some(match self.manner {
            Manner::Silent => return None,
            Manner::Refuses => (ErrorStatus::GenErr, 1),
            Manner::Fits(most) if names.len() > most => (ErrorStatus::TooBig, 0),
            Manner::Lacks(every) => match lacking(every) {
                Some(index) => (ErrorStatus::NoSuchName, index),
                None => (ErrorStatus::NoError, 0),
            },
            Manner::LacksSome(every) if lacking(every).is_some() => (ErrorStatus::NoSuchName, 0),
            Manner::Well | Manner::Fits(_) | Manner::LacksSome(_) | Manner::Confused => {
                (ErrorStatus::NoError, 0)
            }
        })
    }

    /// All answers, however long they take.
    fn answers(&mut self) -> Vec<Answer> {
        let mut answers = Vec::new();
        for _ in 0..1000 {
            self.exchange();
            answers.extend(std::iter::from_fn(|| self.commander.poll_answer(self.now)));
            match self.commander.next_deadline() {
                Some(due) => self.now = self.now.max(due),
                None => return answers,
            }
        }
        panic!("it goes on for ever");
    }
}

fn last(name: &ObjectIdentifier) -> i32 {
    i32::try_from(*name.arcs().last().unwrap()).unwrap()
}

fn values(answer: &Answer) -> Vec<(Oid, Value)> {
    let Outcome::Values(values) = &answer.outcome else { panic!("{answer:?}") };
    let mut values = values.clone();
    values.sort_by(|a, b| a.0.cmp(&b.0));
    values
}

fn all(count: u32, lacking: impl Fn(u32) -> bool) -> Vec<(Oid, Value)> {
    let value = |n| if lacking(n) { Value::Absent } else { Value::Integer(i32::try_from(n).unwrap()) };
    objects(count).into_iter().zip(1..).map(|(oid, n)| (oid, value(n))).collect()
}

#[test]
fn a_long_look_takes_several_messages_and_has_one_answer() {
    let mut world = World::new(Manner::Well);
    world.get(asker(1, 1), 200);
    let answers = world.answers();
    assert_eq!(answers.len(), 1);
    assert_eq!(answers[0].asker, asker(1, 1));
    assert_eq!(values(&answers[0]), all(200, |_| false));
    assert!(world.requests.len() > 3);
    assert!(world.requests.iter().all(|(community, _)| community == b"readers"));
}

#[test]
fn a_look_at_nothing_is_answered_too() {
    let mut world = World::new(Manner::Silent);
    world.get(asker(1, 1), 0);
    assert_eq!(outcomes(&world.answers()), [(asker(1, 1), Outcome::Values(Vec::new()))]);
}

#[test]
fn objects_that_an_agent_of_version_1_lacks_are_left_out_one_by_one() {
    for manner in [Manner::Lacks(7), Manner::LacksSome(7)] {
        let mut world = World::new(manner);
        world.ask(asker(1, 1), Version::V1, What::Get(objects(30).into()));
        let answers = world.answers();
        assert_eq!(answers.len(), 1);
        let told: Vec<_> =
            values(&answers[0]).into_iter().filter(|(_, value)| *value != Value::Absent).collect();
        let expected: Vec<_> =
            all(30, |n| n % 7 == 0).into_iter().filter(|(_, value)| *value != Value::Absent).collect();
        assert_eq!(told, expected, "{manner:?}");
    }
}

#[test]
fn an_agent_that_lacks_all_of_it_is_asked_a_bounded_number_of_times() {
    let mut world = World::new(Manner::LacksSome(1));
    world.ask(asker(1, 1), Version::V1, What::Get(objects(32).into()));
    assert_eq!(world.answers().len(), 1);
    assert!(world.requests.len() <= 63, "{}", world.requests.len());
}

#[test]
fn an_answer_that_is_too_big_is_asked_for_in_halves() {
    let mut world = World::new(Manner::Fits(5));
    world.get(asker(1, 1), 33);
    let answers = world.answers();
    assert_eq!(answers.len(), 1);
    assert_eq!(values(&answers[0]), all(33, |_| false));
    let mut hopeless = World::new(Manner::Fits(0));
    hopeless.get(asker(1, 1), 33);
    assert!(matches!(&hopeless.answers()[..], [Answer { outcome: Outcome::Refused(_), .. }]));
}

#[test]
fn an_agent_that_refuses_or_is_silent_is_told_of_once() {
    let mut refuses = World::new(Manner::Refuses);
    refuses.get(asker(1, 1), 200);
    let answers = refuses.answers();
    assert!(
        matches!(&answers[..], [Answer { outcome: Outcome::Refused(why), .. }] if why.contains("genErr")),
        "{answers:?}"
    );
    let mut silent = World::new(Manner::Silent);
    silent.get(asker(1, 1), 200);
    assert_eq!(outcomes(&silent.answers()), [(asker(1, 1), Outcome::Unanswered)]);
    assert!(silent.requests.len() > 4, "a look is repeated");
}

#[test]
fn a_set_is_sent_once_with_the_community_that_may_write() {
    let set = || {
        What::Set(vec![
            (objects(1).remove(0), Value::Integer(5)),
            (objects(2).remove(1), Value::Octets(b"x".to_vec())),
        ])
    };
    let mut silent = World::new(Manner::Silent);
    silent.ask(asker(1, 1), Version::V2c, set());
    assert_eq!(outcomes(&silent.answers()), [(asker(1, 1), Outcome::Unanswered)]);
    assert_eq!(silent.requests.len(), 1);
    assert_eq!(silent.requests[0].0, b"writers");
    assert_eq!(silent.requests[0].1.operation, Operation::Set);
    assert_eq!(silent.requests[0].1.varbinds.len(), 2);
    let mut well = World::new(Manner::Well);
    well.ask(asker(1, 1), Version::V2c, set());
    assert_eq!(outcomes(&well.answers()), [(asker(1, 1), Outcome::Values(Vec::new()))]);
    let mut refuses = World::new(Manner::Refuses);
    refuses.ask(asker(1, 1), Version::V2c, set());
    assert!(matches!(&refuses.answers()[..], [Answer { outcome: Outcome::Refused(_), .. }]));
}

#[test]
fn what_cannot_be_said_in_the_version_is_refused_at_once() {
    let mut world = World::new(Manner::Well);
    let what = What::Set(vec![(objects(1).remove(0), Value::Counter(5))]);
    world.ask(asker(1, 1), Version::V1, what);
    assert!(matches!(&world.answers()[..], [Answer { outcome: Outcome::Refused(_), .. }]));
    assert_eq!(world.requests.len(), 0);
}

#[test]
fn what_a_run_asked_before_is_forgotten() {
    let mut world = World::new(Manner::Silent);
    world.get(asker(1, 1), 200);
    world.exchange();
    let sent = world.requests.len();
    world.get(asker(1, 2), 1);
    world.get(asker(2, 1), 1);
    world.get(Asker::Probe(1), 1);
    world.manner = Manner::Well;
    let asked: Vec<_> = world.answers().into_iter().map(|answer| answer.asker).collect();
    assert_eq!(asked, [asker(1, 2), asker(2, 1), Asker::Probe(1)], "one of run 1, and the others' too");
    assert_eq!(world.requests.len(), sent + 3, "what is forgotten is not repeated");
}

#[test]
fn garbage_and_answers_to_nothing_are_no_answers() {
    let mut world = World::new(Manner::Silent);
    world.get(asker(1, 1), 3);
    world.exchange();
    let pdu: Pdu = Pdu {
        request_id: world.requests[0].1.request_id,
        operation: Operation::Response { status: ErrorStatus::NoError, index: 0 },
        varbinds: Vec::new(),
    };
    let mut forged = Vec::new();
    Message::new(Security::v2c("guessed"), pdu).encode(&mut forged).unwrap();
    for bytes in [&b""[..], b"garbage", &forged] {
        world.commander.handle(&[Datagram { peer: agent(), local: None, bytes }], world.now);
    }
    assert_eq!(world.commander.poll_answer(world.now), None);
    assert_eq!(world.answers().len(), 1);
}

/// Who answers has heard the SET, and may have done as it says.
#[test]
fn a_set_whose_answer_cannot_be_understood_is_not_refused() {
    let mut world = World::new(Manner::Confused);
    let writes = vec![(objects(1).remove(0), Value::Integer(5))];
    world.ask(asker(1, 1), Version::V2c, What::Set(writes));
    world.exchange();
    assert_eq!(outcomes(&world.answers()), [(asker(1, 1), Outcome::Unanswered)]);
}
