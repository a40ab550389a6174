//! Whom a notification tells of, when an INFORM is answered, and what is lost in a flood (rows B2, B13).

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use engine::Listener;
use engine::datagram::Datagram;
use engine::listener::{DeviceIndex, Heard, Learnt};
use snmp::notification::Event;
use snmp::usm::{Authentication, EngineId, EngineTime, Privacy, User};
use snmp::{Body, Message, Operation, Pdu, Security, Value, VarBind};
use upgrade::DeviceId;
use upgrade::profile::NotificationKind;

use crate::profile;

const KITCHEN: DeviceId = DeviceId(1);
const CELLAR: DeviceId = DeviceId(2);

/// Not told its unique id yet.
const ATTIC: DeviceId = DeviceId(3);

/// The time of the engine here, and by the clock here.
const AT: EngineTime = EngineTime { boots: 1, time: 100 };
const NOW: Duration = Duration::from_secs(100);

fn engine(name: &str) -> EngineId {
    EngineId::of_text(32473, name)
}

fn anna() -> Arc<User> {
    let user = User::new("anna").unwrap().authenticating(Authentication::Sha256, b"maplesyrup").unwrap();
    Arc::new(user.encrypting(Privacy::Aes128, b"rupryselpam").unwrap())
}

fn address(last: u8) -> IpAddr {
    [192, 0, 2, last].into()
}

fn listener() -> Listener {
    let profile = Arc::new(profile());
    let mut listener = Listener::new(EngineId::of_text(32473, "manager"), 1);
    listener.know(DeviceIndex {
        by_unique_id: [("IAD-1".into(), KITCHEN), ("IAD-2".into(), CELLAR)].into(),
        by_address: [(address(1), KITCHEN), (address(2), CELLAR), (address(3), ATTIC)].into(),
        by_engine: [(engine("IAD-1"), KITCHEN)].into(),
        users: [(KITCHEN, [anna()].into()), (CELLAR, [anna()].into())].into(),
        believed: vec![anna()],
        profiles: [KITCHEN, CELLAR, ATTIC].into_iter().map(|device| (device, Arc::clone(&profile))).collect(),
    });
    listener
}

/// `iadOperationProgress`, from whom it says.
fn event(unique_id: Option<&str>) -> Event {
    let object = |oid: &str, value| VarBind::new(oid.parse::<snmp::ObjectIdentifier>().unwrap(), value);
    let text = |text: &str| Value::OctetString(text.as_bytes().to_vec());
    let mut varbinds = vec![
        object("1.3.6.1.4.1.32473.1.1.5.1.0", text("r5.abc-1")),
        object("1.3.6.1.4.1.32473.1.1.5.15.0", Value::Gauge32(42)),
    ];
    if let Some(id) = unique_id {
        varbinds.insert(0, object("1.3.6.1.4.1.32473.1.1.1.3.0", text(id)));
    }
    Event { name: "1.3.6.1.4.1.32473.1.0.2".parse().unwrap(), uptime: 1234, varbinds }
}

fn trap(unique_id: Option<&str>) -> Vec<u8> {
    let mut bytes = Vec::new();
    event(unique_id).trap(Security::v2c("public"), 9).encode(&mut bytes).unwrap();
    bytes
}

fn inform(request_id: i32) -> Vec<u8> {
    written(request_id, event(Some("IAD-1")))
}

/// As long as a datagram may be.
fn long_inform(request_id: i32) -> Vec<u8> {
    let mut event = event(Some("IAD-1"));
    let name: snmp::ObjectIdentifier = "1.3.6.1.4.1.32473.1.1.5.17.0".parse().unwrap();
    event.varbinds.push(VarBind::new(name, Value::OctetString(vec![b'x'; 64_000])));
    written(request_id, event)
}

fn written(request_id: i32, event: Event) -> Vec<u8> {
    let varbinds = snmp::notification::varbinds(event.uptime, event.name, event.varbinds);
    let mut bytes = Vec::new();
    let pdu = Pdu { request_id, operation: Operation::Inform, varbinds };
    Message::new(Security::v2c("public"), pdu).encode(&mut bytes).unwrap();
    bytes
}

fn give(listener: &mut Listener, from: IpAddr, bytes: &[u8]) {
    let peer = SocketAddr::new(from, 5000);
    listener.handle(&[Datagram { peer, local: Some(address(254)), bytes }], AT, NOW);
}

fn hear(from: IpAddr, bytes: &[u8]) -> Heard {
    let mut listener = listener();
    give(&mut listener, from, bytes);
    listener.poll_heard().unwrap()
}

#[test]
fn a_device_is_known_by_its_unique_id_wherever_it_calls_from() {
    for from in [address(1), address(2), address(77)] {
        assert_eq!(hear(from, &trap(Some("IAD-1"))).device, Some(KITCHEN), "{from}");
    }
}

#[test]
fn only_without_a_unique_id_is_a_device_known_by_its_address() {
    assert_eq!(hear(address(2), &trap(None)).device, Some(CELLAR));
    let mapped = IpAddr::V6(std::net::Ipv4Addr::new(192, 0, 2, 2).to_ipv6_mapped());
    assert_eq!(hear(mapped, &trap(None)).device, Some(CELLAR), "as a socket for both families tells it");
    assert_eq!(hear(address(77), &trap(None)).device, None);
}

#[test]
fn a_stranger_at_a_known_address_is_not_taken_for_the_device() {
    assert_eq!(hear(address(1), &trap(Some("IAD-99"))).device, None);
    assert_eq!(hear(address(3), &trap(Some("IAD-99"))).device, Some(ATTIC), "whose id is not known yet");
}

#[test]
fn a_name_in_another_object_is_no_unique_id() {
    let mut forged = event(None);
    forged.varbinds.push(VarBind::new(
        "1.3.6.1.4.1.32473.1.1.5.17.0".parse::<snmp::ObjectIdentifier>().unwrap(),
        Value::OctetString(b"IAD-2".to_vec()),
    ));
    let mut bytes = Vec::new();
    forged.trap(Security::v2c("public"), 9).encode(&mut bytes).unwrap();
    assert_eq!(hear(address(1), &bytes).device, Some(KITCHEN));
}

#[test]
fn a_notification_says_what_the_devices_profile_makes_of_it() {
    let heard = hear(address(1), &trap(Some("IAD-1")));
    let notice = heard.notice.unwrap();
    assert_eq!((notice.kind, notice.progress), (NotificationKind::Progress, Some(42)));
    assert_eq!(notice.operation.as_deref(), Some("r5.abc-1"));
    assert_eq!((heard.version, heard.inform, heard.uptime), ("v2c", false, Some(1234)));
    assert_eq!(hear(address(77), &trap(None)).notice, None);
}

#[test]
fn a_trap_of_version_1_says_the_same() {
    let mut bytes = Vec::new();
    event(Some("IAD-1")).trap_v1("public", [192, 0, 2, 1].into()).unwrap().encode(&mut bytes).unwrap();
    let heard = hear(address(77), &bytes);
    assert_eq!((heard.version, heard.device), ("v1", Some(KITCHEN)));
    assert_eq!(heard.notice.unwrap().kind, NotificationKind::Progress);
}

#[test]
fn an_inform_is_answered_once_it_is_committed_and_not_before() {
    let mut listener = listener();
    let mut buffer = Vec::new();
    give(&mut listener, address(1), &inform(11));
    give(&mut listener, address(1), &trap(None));
    give(&mut listener, address(2), &inform(12));
    let heard: Vec<_> = std::iter::from_fn(|| listener.poll_heard()).collect();
    assert_eq!(heard.iter().map(|heard| heard.inform).collect::<Vec<_>>(), [true, false, true]);
    assert_eq!(listener.poll_transmit(&mut buffer), None);
    heard.iter().rev().for_each(|heard| listener.committed(heard.receipt));
    listener.committed(heard[0].receipt);
    listener.committed(999);
    let mut answers = Vec::new();
    while let Some(transmit) = listener.poll_transmit(&mut buffer) {
        assert_eq!((transmit.local, transmit.length), (Some(address(254)), buffer.len()));
        let Body::Pdu(pdu) = Message::decode(&buffer).unwrap().into_owned().body else { panic!("a trap") };
        assert!(matches!(pdu.operation, Operation::Response { .. }));
        answers.push((transmit.peer.ip(), pdu.request_id));
    }
    assert_eq!(answers, [(address(2), 12), (address(1), 11)]);
}

#[test]
fn garbage_is_counted_and_no_more() {
    let mut listener = listener();
    let whole = trap(Some("IAD-1"));
    let mut bytes = Vec::new();
    let get: Pdu = Pdu { request_id: 1, operation: Operation::Get, varbinds: Vec::new() };
    Message::new(Security::v2c("public"), get).encode(&mut bytes).unwrap();
    give(&mut listener, address(1), &bytes);
    for cut in 0..whole.len() {
        give(&mut listener, address(1), &whole[..cut]);
    }
    assert_eq!(listener.poll_heard(), None);
    assert_eq!(listener.counters().undecodable, whole.len() as u64 + 1);
    assert!(!listener.take_gap());
    give(&mut listener, address(77), &trap(None));
    assert_eq!((listener.counters().heard, listener.counters().unknown), (1, 1));
}

#[test]
fn what_nobody_takes_in_time_becomes_a_gap() {
    let mut listener = listener();
    let bytes = inform(1);
    let peer = SocketAddr::new(address(1), 5000);
    let many = vec![Datagram { peer, local: None, bytes: &bytes }; 65_536];
    listener.handle(&many, AT, NOW);
    assert!(!listener.take_gap());
    listener.handle(&many[..3], AT, NOW);
    assert_eq!(listener.counters().overflowed, 3);
    assert!(listener.take_gap());
    assert!(!listener.take_gap(), "told once");
    assert_eq!(std::iter::from_fn(|| listener.poll_heard()).count(), 65_536);
    listener.note_gap();
    assert!(listener.take_gap());
}

#[test]
fn what_waits_is_bounded_in_bytes_and_what_was_taken_counts_no_more() {
    let mut listener = listener();
    let bytes = long_inform(1);
    let many = (32 << 20) / bytes.len();
    let peer = SocketAddr::new(address(1), 5000);
    let datagrams = vec![Datagram { peer, local: None, bytes: &bytes }; many + 1];
    for round in 1..=3 {
        listener.handle(&datagrams, AT, NOW);
        assert_eq!(listener.counters().overflowed, round, "one each time");
        let heard: Vec<_> = std::iter::from_fn(|| listener.poll_heard()).collect();
        assert_eq!(heard.len(), many);
        heard.iter().for_each(|heard| listener.committed(heard.receipt));
        let mut buffer = Vec::new();
        let answered = std::iter::from_fn(|| listener.poll_transmit(&mut buffer)).count();
        assert_eq!(answered, many, "each that was heard");
    }
}

#[test]
fn what_waits_for_its_commit_is_bounded_too() {
    let mut listener = listener();
    let bytes = long_inform(1);
    let peer = SocketAddr::new(address(1), 5000);
    let mut receipts = Vec::new();
    for _ in 0..(32 << 20) / bytes.len() + 10 {
        listener.handle(&[Datagram { peer, local: None, bytes: &bytes }], AT, NOW);
        receipts.extend(listener.poll_heard().map(|heard| heard.receipt));
    }
    assert_eq!(listener.counters().overflowed, 0, "each is taken at once");
    receipts.into_iter().for_each(|receipt| listener.committed(receipt));
    let mut buffer = Vec::new();
    let answered = std::iter::from_fn(|| listener.poll_transmit(&mut buffer)).count();
    assert_eq!(answered, (32 << 20) / bytes.len(), "the sender repeats the others");
}

/// A trap of SNMPv3 that the engine has sent, of whom it says.
fn proven(sender: &str, at: EngineTime, unique_id: Option<&str>, request_id: i32) -> Vec<u8> {
    let (mut bytes, id) = (Vec::new(), engine(sender));
    let trap = event(unique_id).trap_v3(&anna().localized(&id), &id, at, request_id, 7).encode(&mut bytes);
    trap.unwrap();
    bytes
}

fn at(boots: u32, time: u32) -> EngineTime {
    EngineTime { boots, time }
}

#[test]
fn who_has_proven_who_it_is_speaks_for_itself_and_for_nobody_else() {
    let mut listener = listener();
    let mut device = |bytes: Vec<u8>| {
        give(&mut listener, address(2), &bytes);
        let heard = listener.poll_heard().unwrap();
        (heard.device, heard.version, heard.engine.is_some())
    };
    // Whatever it says, and from wherever: its engine is that of the kitchen.
    assert_eq!(device(proven("IAD-1", at(3, 5), Some("IAD-2"), 1)), (Some(KITCHEN), "v3", true));
    assert_eq!(device(proven("IAD-1", at(3, 5), None, 2)), (Some(KITCHEN), "v3", true));
    // An engine that nobody knows may be that of the cellar, and is not that of the kitchen.
    assert_eq!(device(proven("IAD-7", at(3, 5), Some("IAD-2"), 3)), (Some(CELLAR), "v3", true));
    assert_eq!(device(proven("IAD-7", at(3, 5), Some("IAD-1"), 4)), (None, "v3", true));
}

#[test]
fn a_device_that_forgot_how_often_it_started_is_to_be_asked_and_is_believed_after_that() {
    let mut listener = listener();
    give(&mut listener, address(1), &proven("IAD-1", at(9, 100), None, 1));
    give(&mut listener, address(1), &proven("IAD-1", at(1, 5), None, 2));
    assert_eq!(std::iter::from_fn(|| listener.poll_heard()).count(), 1);
    assert_eq!((listener.poll_doubted(), listener.poll_doubted()), (Some(KITCHEN), None));
    assert_eq!(listener.counters().unproven, 1);
    listener.restarted_anew(&engine("IAD-1"), at(1, 6), NOW);
    give(&mut listener, address(1), &proven("IAD-1", at(1, 7), None, 3));
    assert_eq!(std::iter::from_fn(|| listener.poll_heard()).count(), 1);
    // One that comes twice is no news, and nobody is doubted for it.
    give(&mut listener, address(1), &proven("IAD-1", at(1, 7), None, 3));
    assert_eq!((listener.poll_heard(), listener.poll_doubted()), (None, None));
}

#[test]
fn an_inform_of_version_3_is_told_whom_it_is_for_and_answered_after_its_commit() {
    use snmp::manager::{Manager, Settings, Target};
    let mut listener = listener();
    let mut manager = Manager::new(Settings::default(), 3);
    let to = SocketAddr::new(address(254), 162);
    let target = Target { address: to, principal: anna().into(), timeout: NOW, retries: 0 };
    let key = manager.request(&target, event(Some("IAD-1")).inform()).unwrap();
    let (mut sent, mut buffer) = (Vec::new(), Vec::new());
    manager.poll_transmit(NOW, &mut sent).unwrap();
    give(&mut listener, address(1), &sent);
    let report = listener.poll_transmit(&mut buffer).unwrap();
    manager.handle(to, &buffer[..report.length], NOW);
    manager.poll_transmit(NOW, &mut sent).unwrap();
    give(&mut listener, address(1), &sent);
    assert!(listener.poll_transmit(&mut buffer).is_none(), "nothing is committed yet");
    let heard = listener.poll_heard().unwrap();
    assert_eq!((heard.device, heard.inform), (Some(KITCHEN), true));
    listener.committed(heard.receipt);
    let answer = listener.poll_transmit(&mut buffer).unwrap();
    manager.handle(to, &buffer[..answer.length], NOW);
    assert!(matches!(manager.poll_event(), Some((answered, Ok(_))) if answered == key));
}

#[test]
fn what_is_learnt_of_a_device_takes_the_place_of_what_it_was_known_by() {
    let mut listener = listener();
    let hear = |listener: &mut Listener, from: u8, bytes: Vec<u8>| {
        give(listener, address(from), &bytes);
        listener.poll_heard().map(|heard| heard.device)
    };
    // Another engine speaks for the kitchen by now; the one of before is that of nobody known.
    listener.learn(Learnt::Engine(engine("IAD-9"), KITCHEN));
    assert_eq!(hear(&mut listener, 77, proven("IAD-9", at(1, 5), None, 1)), Some(Some(KITCHEN)));
    assert_eq!(hear(&mut listener, 1, proven("IAD-1", at(1, 5), None, 2)), Some(None));
    // It speaks for the cellar since, and no longer for the kitchen, which may prove another one.
    listener.learn(Learnt::Engine(engine("IAD-9"), CELLAR));
    assert_eq!(hear(&mut listener, 1, proven("IAD-9", at(1, 6), Some("IAD-1"), 3)), Some(Some(CELLAR)));
    assert_eq!(hear(&mut listener, 1, proven("IAD-7", at(1, 5), None, 4)), Some(Some(KITCHEN)));
    // What it is remembered to have sent is remembered still.
    assert_eq!(hear(&mut listener, 1, proven("IAD-9", at(1, 6), Some("IAD-1"), 3)), None);
    // The attic tells who it is for the first time, and then that it is another unit.
    listener.learn(Learnt::UniqueId("IAD-3".into(), ATTIC));
    assert_eq!(hear(&mut listener, 77, trap(Some("IAD-3"))), Some(Some(ATTIC)));
    listener.learn(Learnt::UniqueId("IAD-4".into(), ATTIC));
    assert_eq!(hear(&mut listener, 77, trap(Some("IAD-3"))), Some(None));
    assert_eq!(hear(&mut listener, 77, trap(Some("IAD-4"))), Some(Some(ATTIC)));
    // The unit of the cellar was carried there: nobody else is it any more.
    listener.learn(Learnt::UniqueId("IAD-2".into(), ATTIC));
    assert_eq!(hear(&mut listener, 77, trap(Some("IAD-2"))), Some(Some(ATTIC)));
    assert_eq!(hear(&mut listener, 2, trap(Some("IAD-5"))), Some(Some(CELLAR)), "it may be named anew");
}
