//! Traps of both shapes and INFORMs are read as one thing, and built so that others read them.

use std::time::Duration;

use snmp::manager::{Manager, Settings, Target};
use snmp::notification::*;
use snmp::*;

use crate::samples::{encoded, name};

const ENTERPRISE: ObjectIdentifier = ObjectIdentifier::new([1, 3, 6, 1, 4, 1, 32473, 1]);
const DONE: ObjectIdentifier = ObjectIdentifier::new([1, 3, 6, 1, 4, 1, 32473, 1, 0, 3]);

fn unique_id() -> VarBind {
    VarBind::new(ENTERPRISE.join(&[1, 3, 0]), "iad-000017")
}

fn done() -> Event {
    Event { name: DONE, uptime: 123_456, varbinds: vec![unique_id()] }
}

fn borrowed(varbinds: &[VarBind]) -> Vec<VarBind<&[u8]>> {
    fn borrow(varbind: &VarBind) -> VarBind<&[u8]> {
        let octets = varbind.value.as_octets().unwrap();
        VarBind { name: varbind.name.clone(), value: Value::OctetString(octets) }
    }
    varbinds.iter().map(borrow).collect()
}

#[test]
fn a_trap_of_version_2_is_read_with_name_and_uptime_taken_out() {
    let datagram = encoded(&done().trap(Security::v2c("traps"), 9));
    let varbinds = [unique_id()];
    let expected = Notification {
        kind: NotificationKind::Trap { request_id: 9 },
        security: Security::V2c { community: &b"traps"[..] },
        name: DONE,
        uptime: Some(123_456),
        varbinds: borrowed(&varbinds),
    };
    let notification = Notification::decode(&datagram).unwrap();
    assert_eq!(notification, expected);
    assert_eq!(notification.response(), None);
    assert_eq!(notification.agent_address(), None);
}

#[test]
fn name_and_uptime_stand_first_on_the_wire() {
    let trap = done().trap(Security::v2c("traps"), 9);
    let names: Vec<_> = trap.body.varbinds().iter().map(|varbind| varbind.name.to_string()).collect();
    assert_eq!(names, ["1.3.6.1.2.1.1.3.0", "1.3.6.1.6.3.1.1.4.1.0", "1.3.6.1.4.1.32473.1.1.3.0"]);
}

#[test]
fn a_trap_that_puts_its_name_last_or_leaves_the_uptime_out_is_read_all_the_same() {
    let varbinds = vec![unique_id(), VarBind::new(SNMP_TRAP_OID, DONE)];
    let pdu = Pdu { request_id: 9, operation: Operation::Trap, varbinds };
    let datagram = encoded(&Message::new(Security::v2c("traps"), pdu));
    let notification = Notification::decode(&datagram).unwrap();
    assert_eq!((notification.name, notification.uptime), (DONE, None));
    assert_eq!(notification.varbinds, borrowed(&[unique_id()]));
}

#[test]
fn only_the_first_uptime_is_the_notifications_own() {
    let mut event = done();
    event.varbinds = vec![VarBind::new(SYS_UP_TIME, Value::TimeTicks(5))];
    let datagram = encoded(&event.trap(Security::v2c("traps"), 1));
    let notification = Notification::decode(&datagram).unwrap();
    assert_eq!(notification.uptime, Some(123_456));
    assert_eq!(notification.varbinds.len(), 1);
    assert_eq!(notification.varbinds[0].value, Value::TimeTicks(5));
}

#[test]
fn what_has_no_name_or_notifies_of_nothing_is_refused() {
    let read = |operation, varbinds| {
        let pdu = Pdu { request_id: 9, operation, varbinds };
        Notification::decode(&encoded(&Message::new(Security::v2c("traps"), pdu))).map(|_| ())
    };
    let misnamed = VarBind::new(SNMP_TRAP_OID, "coldStart");
    assert_eq!(read(Operation::Trap, vec![unique_id()]), Err(NotificationError::NoName));
    assert_eq!(read(Operation::Trap, vec![misnamed]), Err(NotificationError::NoName));
    assert_eq!(read(Operation::Set, vec![unique_id()]), Err(NotificationError::OtherPdu));
    assert!(matches!(Notification::decode(b"noise"), Err(NotificationError::Decode(_))));
}

#[test]
fn an_inform_is_sent_by_the_manager_answered_by_the_receiver_and_then_done() {
    let receiver = "[2001:db8::162]:162".parse().unwrap();
    let target = Target {
        address: receiver,
        principal: Security::v2c("informs").into(),
        timeout: Duration::from_secs(1),
        retries: 3,
    };
    let mut manager = Manager::new(Settings::default(), 5);
    let key = manager.request(&target, done().inform()).unwrap();
    let (mut inform, mut repeated, mut answer) = (Vec::new(), Vec::new(), Vec::new());
    manager.poll_transmit(Duration::ZERO, &mut inform).unwrap();
    // The answer to the first is lost; the receiver knows the repetition by its request id.
    let second = manager.next_deadline().unwrap();
    manager.poll_transmit(second, &mut repeated).unwrap();
    assert_eq!(repeated, inform);
    let notification = Notification::decode(&repeated).unwrap();
    assert!(matches!(notification.kind, NotificationKind::Inform { request_id } if request_id > 0));
    assert_eq!((&notification.name, notification.uptime), (&DONE, Some(123_456)));
    notification.response().unwrap().encode(&mut answer).unwrap();
    // The answer repeats all that the INFORM holds (RFC 3416 section 4.2.7).
    let asked = Message::decode(&inform).unwrap();
    assert_eq!(Message::decode(&answer).unwrap().body.varbinds(), asked.body.varbinds());
    manager.handle(receiver, &answer, second);
    let (answered, outcome) = manager.poll_event().unwrap();
    assert_eq!(answered, key);
    assert!(outcome.is_ok());
}

fn trap_v1(generic: GenericTrap, specific: i32) -> Vec<u8> {
    let trap = TrapV1 {
        enterprise: ENTERPRISE,
        agent_address: [192, 0, 2, 9].into(),
        generic,
        specific,
        uptime: 77,
        varbinds: vec![unique_id()],
    };
    encoded(&Message { security: Security::v1("traps"), body: Body::TrapV1(trap) })
}

#[test]
fn a_trap_of_version_1_gets_the_name_it_has_in_version_2() {
    for (generic, specific, expected) in [
        (GenericTrap::ColdStart, 0, "1.3.6.1.6.3.1.1.5.1"),
        (GenericTrap::WarmStart, 9, "1.3.6.1.6.3.1.1.5.2"),
        (GenericTrap::LinkDown, 0, "1.3.6.1.6.3.1.1.5.3"),
        (GenericTrap::EgpNeighborLoss, 0, "1.3.6.1.6.3.1.1.5.6"),
        (GenericTrap::EnterpriseSpecific, 3, "1.3.6.1.4.1.32473.1.0.3"),
        (GenericTrap::EnterpriseSpecific, -1, "1.3.6.1.4.1.32473.1.0.4294967295"),
        (GenericTrap::Other(7), 3, "1.3.6.1.4.1.32473.1.0.3"),
        (GenericTrap::Other(-1), 3, "1.3.6.1.4.1.32473.1.0.3"),
    ] {
        let datagram = trap_v1(generic, specific);
        let notification = Notification::decode(&datagram).unwrap();
        assert_eq!(notification.name, name(expected));
        assert_eq!(notification.uptime, Some(77));
        assert_eq!(notification.varbinds, borrowed(&[unique_id()]));
        assert_eq!(notification.agent_address(), Some([192, 0, 2, 9].into()));
        assert_eq!(notification.response(), None);
    }
}

#[test]
fn an_event_told_in_version_1_is_read_as_the_same_event() {
    let coldly = Event { name: COLD_START, ..done() };
    for event in [done(), coldly] {
        let datagram = encoded(&event.clone().trap_v1("traps", [192, 0, 2, 9].into()).unwrap());
        let notification = Notification::decode(&datagram).unwrap();
        assert_eq!((notification.name, notification.uptime), (event.name, Some(event.uptime)));
        assert_eq!(notification.varbinds, borrowed(&event.varbinds));
    }
    let nameless = Event { name: ObjectIdentifier::new([]), ..done() };
    assert_eq!(nameless.trap_v1("traps", [0, 0, 0, 0].into()), Err(InexpressibleInV1));
}

#[test]
fn the_enterprise_of_a_trap_in_version_1_follows_from_its_name() {
    let told = |event: Event| match event.trap_v1("traps", [192, 0, 2, 9].into()).unwrap().body {
        Body::TrapV1(trap) => (trap.enterprise, trap.generic, trap.specific),
        Body::Pdu(_) => panic!("no trap of version 1"),
    };
    let named = |name| Event { name, ..done() };
    let specific = GenericTrap::EnterpriseSpecific;
    assert_eq!(told(named(DONE)), (ENTERPRISE, specific, 3));
    // Without the zero before the last arc only that one is taken off (RFC 3584 section 3.2 (1)).
    assert_eq!(told(named(ENTERPRISE.child(8))), (ENTERPRISE, specific, 8));
    assert_eq!(told(named(WARM_START)), (SNMP_TRAPS, GenericTrap::WarmStart, 0));
    let mut stated = named(COLD_START);
    stated.varbinds.push(VarBind::new(SNMP_TRAP_ENTERPRISE, ENTERPRISE));
    assert_eq!(told(stated), (ENTERPRISE, GenericTrap::ColdStart, 0));
    // The standard traps end at the sixth.
    assert_eq!(told(named(SNMP_TRAPS.child(7))), (SNMP_TRAPS, specific, 7));
}

#[test]
fn a_sender_that_does_not_know_its_address_says_none() {
    let datagram = encoded(&done().trap_v1("traps", [0, 0, 0, 0].into()).unwrap());
    assert_eq!(Notification::decode(&datagram).unwrap().agent_address(), None);
}

#[test]
fn a_proxys_word_on_the_agents_address_is_kept() {
    let mut event = done();
    event.varbinds.push(VarBind::new(SNMP_TRAP_ADDRESS, Value::IpAddress([198, 51, 100, 3].into())));
    let datagram = encoded(&event.trap(Security::v2c("traps"), 1));
    assert_eq!(Notification::decode(&datagram).unwrap().agent_address(), Some([198, 51, 100, 3].into()));
}
