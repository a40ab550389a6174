//! The personality, asked by SNMP messages.

use core::time::Duration;

use snmp::agent::{Agent, Settings as AgentSettings};
use snmp::{Body, ErrorStatus, Message, ObjectIdentifier, Operation, Pdu, Security, Value, VarBind};

use super::names::{IAD_MIB, Scalar, scalar};
use super::*;
use crate::device::{Durable, Settings};

fn device(change: impl FnOnce(&mut Settings)) -> Device {
    let mut settings = Settings::numbered(7);
    settings.timing.boot = Duration::ZERO;
    change(&mut settings);
    let durable = Durable::delivered(&settings, "1.0", 1, 4000);
    let device = Device::boot(settings, durable, 1, Duration::ZERO);
    assert!(device.answers());
    device
}

fn ask(
    device: &mut Device,
    operation: Operation,
    varbinds: Vec<VarBind>,
) -> (ErrorStatus, u32, Vec<VarBind>) {
    let mut request = Vec::new();
    Message::new(Security::v2c("private"), Pdu { request_id: 1, operation, varbinds })
        .encode(&mut request)
        .unwrap();
    let mut answer = Vec::new();
    let mut objects = IadObjects::new(device, Duration::from_secs(60));
    let settings = AgentSettings { maximum_message_size: 60_000, ..AgentSettings::default() };
    Agent::new(settings, 1).respond(&request, None, &mut objects, &mut answer);
    objects.finish();
    let message = Message::decode(&answer).unwrap();
    let Body::Pdu(pdu) = message.body else { panic!("no PDU") };
    let Operation::Response { status, index } = pdu.operation else { panic!("no response") };
    (status, index, pdu.varbinds.into_iter().map(VarBind::into_owned).collect())
}

fn set(device: &mut Device, values: &[(Scalar, Value)]) -> (ErrorStatus, u32) {
    let varbinds =
        values.iter().map(|(name, value)| VarBind { name: scalar(*name).child(0), value: value.clone() });
    let (status, index, _) = ask(device, Operation::Set, varbinds.collect());
    (status, index)
}

fn get(device: &mut Device, name: ObjectIdentifier) -> Value {
    ask(device, Operation::Get, vec![VarBind::unset(name)]).2.remove(0).value
}

fn text(text: &str) -> Value {
    Value::OctetString(text.as_bytes().to_vec())
}

#[test]
fn a_walk_shows_every_object_once_and_in_order() {
    for (dual_image, expected) in [(true, 46 + 7 * 2 + 4 * 8), (false, 46 + 7 + 4 * 4)] {
        let mut device = device(|settings| settings.capabilities.dual_image = dual_image);
        let mut name = ObjectIdentifier::new([1, 3]);
        let mut seen = 0;
        loop {
            let (_, _, mut next) = ask(&mut device, Operation::GetNext, vec![VarBind::unset(name.clone())]);
            let next = next.remove(0);
            if next.value == Value::EndOfMibView {
                break;
            }
            assert!(next.name > name);
            assert_eq!(get(&mut device, next.name.clone()), next.value);
            name = next.name;
            seen += 1;
        }
        assert_eq!(seen, expected);
    }
}

#[test]
fn the_values_are_those_of_the_device() {
    let mut device = device(|_| {});
    let mut read = |arcs: &[u32]| get(&mut device, IAD_MIB.join(arcs));
    assert_eq!(read(&[1, 1, 3, 0]), text("IAD-000007"));
    assert_eq!(read(&[1, 2, 1, 1, 2, 1]), text("1.0"));
    assert_eq!(read(&[1, 2, 1, 1, 4, 1]), Value::Integer(1));
    assert_eq!(read(&[1, 2, 1, 1, 3, 2]), Value::Integer(1));
    assert_eq!(read(&[1, 3, 1, 1, 3, 1, 4]), Value::Gauge32(1));
    assert_eq!(read(&[1, 3, 1, 1, 5, 2, 1]), Value::Gauge32(0));
    assert_eq!(read(&[1, 2, 1, 1, 2, 3]), Value::NoSuchInstance);
    assert_eq!(read(&[1, 9, 1, 0]), Value::NoSuchObject);
    let engine = get(&mut device, ObjectIdentifier::new([1, 3, 6, 1, 6, 3, 10, 2, 1, 1, 0]));
    assert_eq!(engine, Value::OctetString([&[0x80, 0, 0x7e, 0xd9, 4][..], b"IAD-000007"].concat()));
    let uptime = get(&mut device, ObjectIdentifier::new([1, 3, 6, 1, 2, 1, 1, 3, 0]));
    assert_eq!(uptime, Value::TimeTicks(6000));
}

#[test]
fn one_set_configures_the_server_and_starts_the_operation() {
    let mut device = device(|_| {});
    let values = [
        (Scalar::OpCommand, Value::Integer(1)),
        (Scalar::OpId, text("run-1")),
        (Scalar::ServerAddress, text("127.0.0.1")),
        (Scalar::ServerPort, Value::Gauge32(6969)),
        (Scalar::ServerPassword, text("secret")),
        (Scalar::OpFileNames, text("one two")),
        (Scalar::OpKinds, text("1 2")),
    ];
    assert_eq!(set(&mut device, &values), (ErrorStatus::NoError, 0));
    assert_eq!(device.durable().server.password, "secret");
    assert_eq!(get(&mut device, scalar(Scalar::ServerPassword).child(0)), text(""));
    assert_eq!(get(&mut device, scalar(Scalar::OpState).child(0)), Value::Integer(3));
    assert_eq!(get(&mut device, scalar(Scalar::OpFileNames).child(0)), text("one two"));
    assert_eq!(set(&mut device, &values), (ErrorStatus::NoError, 0), "the same again");
    assert_eq!(device.counters().operation("run-1").map(|count| (count.seen, count.started)), Some((2, 1)));
    let other = [(Scalar::OpCommand, Value::Integer(4)), (Scalar::OpId, text("run-2"))];
    assert_eq!(set(&mut device, &other), (ErrorStatus::InconsistentValue, 2));
    assert_eq!(device.counters().operation("run-2").map(|count| (count.seen, count.started)), Some((1, 0)));
}

#[test]
fn a_bad_value_changes_nothing_at_all() {
    let mut device = device(|_| {});
    let bad = [
        (Scalar::ServerAddress, text("not an address"), ErrorStatus::WrongValue),
        (Scalar::ServerAddress, Value::Integer(1), ErrorStatus::WrongType),
        (Scalar::ServerPort, Value::Gauge32(70_000), ErrorStatus::WrongValue),
        (Scalar::OpCommand, Value::Integer(11), ErrorStatus::WrongValue),
        (Scalar::OpId, text(&"x".repeat(33)), ErrorStatus::WrongLength),
        (Scalar::OpId, text("a\nb"), ErrorStatus::WrongValue),
        (Scalar::OpKinds, text("1 5"), ErrorStatus::WrongValue),
        (Scalar::OpSizes, text("-1"), ErrorStatus::WrongValue),
        (Scalar::OpDigests, text("abc"), ErrorStatus::WrongValue),
        (Scalar::OpState, Value::Integer(1), ErrorStatus::NotWritable),
    ];
    for (name, value, status) in bad {
        let answer = set(&mut device, &[(Scalar::SysName, text("new")), (name, value.clone())]);
        assert_eq!(answer, (status, 2), "{name:?} = {value:?}");
        assert_eq!(device.durable().name, "iad-000007");
    }
}

#[test]
fn a_notification_carries_the_five_objects() {
    let mut device = device(|_| {});
    let effect = std::iter::from_fn(|| device.next_effect()).find_map(|effect| match effect {
        crate::device::Effect::Notify(notification) => Some(notification),
        _ => None,
    });
    let event = event(&device, &effect.unwrap(), Duration::from_secs(1));
    assert_eq!(event.name.to_string(), "1.3.6.1.4.1.32473.1.0.5");
    assert_eq!(event.uptime, 100);
    let names: Vec<String> = event.varbinds.iter().map(|varbind| varbind.name.to_string()).collect();
    let expected = ["1.1.3", "1.5.1", "1.5.2", "1.5.15", "1.5.16"];
    assert_eq!(names, expected.map(|name| format!("1.3.6.1.4.1.32473.1.{name}.0")));
}
