//! SET: the whole or nothing, and the error that says why not.

use snmp::agent::{Agent, Outcome, Settings};
use snmp::*;

use crate::device::{Device, WRITABLE};
use crate::samples::{encoded, name};

fn set_in(security: Security, device: &mut Device, varbinds: &[VarBind]) -> (ErrorStatus, u32) {
    let pdu = Pdu { request_id: 1, operation: Operation::Set, varbinds: varbinds.to_vec() };
    let mut response = Vec::new();
    Agent::new(Settings::default(), 1).respond(
        &encoded(&Message::new(security, pdu)),
        None,
        device,
        &mut response,
    );
    let message = Message::decode(&response).unwrap().into_owned();
    let Body::Pdu(Pdu { operation: Operation::Response { status, index }, varbinds: echoed, .. }) =
        message.body
    else {
        panic!("no response")
    };
    assert_eq!(echoed, varbinds);
    (status, index)
}

fn set(device: &mut Device, varbinds: &[VarBind]) -> (ErrorStatus, u32) {
    set_in(Security::v2c("private"), device, varbinds)
}

fn number(index: u32, value: i32) -> VarBind {
    VarBind::new(WRITABLE.join(&[1, index]), value)
}

fn text(index: u32, value: &str) -> VarBind {
    VarBind::new(WRITABLE.join(&[2, index]), value)
}

#[test]
fn a_set_reaches_the_device_whole_and_in_order() {
    let mut device = Device::default();
    let varbinds = [text(0, "id-1"), number(0, 3), text(7, "more")];
    assert_eq!(set(&mut device, &varbinds), (ErrorStatus::NoError, 0));
    assert_eq!(device.committed, [varbinds.to_vec()]);
    assert_eq!(device.objects.len(), 3);
    assert_eq!(set_in(Security::v1("private"), &mut device, &[number(0, 4)]), (ErrorStatus::NoError, 0));
    assert_eq!(device.objects[&WRITABLE.join(&[1, 0])], Value::Integer(4));
}

#[test]
fn one_wrong_variable_binding_keeps_all_from_being_written() {
    let mut device = Device::default();
    let status = set(&mut device, &[number(0, 3), text(0, "much too long"), number(1, 101)]);
    assert_eq!(status, (ErrorStatus::WrongLength, 2));
    assert_eq!(device, Device::default());
}

#[test]
fn errors_of_version_2_and_what_version_1_says_instead() {
    let instance = |index, value: i32| VarBind::new(WRITABLE.join(&[3, index]), value);
    let not_text = VarBind::new(WRITABLE.join(&[2, 0]), Value::OctetString(vec![0xff, 0xff]));
    let unwritable = |place: &str| VarBind::new(name(place), 1);
    let outside = VarBind::new(WRITABLE.join(&[9, 0]), 1);
    // The checks come in this order (RFC 3416 section 4.2.5): each row would fail those below it, too, where it can.
    let rows = [
        (outside, ErrorStatus::NoAccess, ErrorStatus::NoSuchName),
        (unwritable("1.3.6.1.2.1.1.1.0"), ErrorStatus::NotWritable, ErrorStatus::NoSuchName),
        (VarBind::new(WRITABLE.join(&[2, 0]), 1), ErrorStatus::WrongType, ErrorStatus::BadValue),
        (
            VarBind::new(WRITABLE.join(&[3, 1]), Value::Gauge32(0)),
            ErrorStatus::WrongType,
            ErrorStatus::BadValue,
        ),
        (text(0, "x"), ErrorStatus::WrongLength, ErrorStatus::BadValue),
        (not_text, ErrorStatus::WrongValue, ErrorStatus::BadValue),
        (instance(1, 0), ErrorStatus::WrongValue, ErrorStatus::BadValue),
        (instance(1, 1), ErrorStatus::NoCreation, ErrorStatus::NoSuchName),
        (instance(2, 1), ErrorStatus::InconsistentName, ErrorStatus::NoSuchName),
        (instance(3, 1), ErrorStatus::NotWritable, ErrorStatus::NoSuchName),
    ];
    for (varbind, in_v2, in_v1) in rows {
        let mut device =
            Device { test_refuses: Some((0, ErrorStatus::ResourceUnavailable)), ..Device::default() };
        let varbinds = [number(0, 1), varbind];
        assert_eq!(set(&mut device, &varbinds), (in_v2, 2), "{varbinds:?}");
        assert_eq!(set_in(Security::v1("private"), &mut device, &varbinds), (in_v1, 2), "{varbinds:?}");
        assert!(device.committed.is_empty());
    }
}

#[test]
fn what_only_the_device_can_judge_is_answered_as_it_says() {
    let rows = [
        (ErrorStatus::InconsistentValue, ErrorStatus::BadValue),
        (ErrorStatus::InconsistentName, ErrorStatus::NoSuchName),
        (ErrorStatus::ResourceUnavailable, ErrorStatus::GenErr),
        (ErrorStatus::GenErr, ErrorStatus::GenErr),
    ];
    for (in_v2, in_v1) in rows {
        let mut device = Device { test_refuses: Some((1, in_v2)), ..Device::default() };
        let varbinds = [number(0, 1), number(1, 1)];
        assert_eq!(set(&mut device, &varbinds), (in_v2, 2));
        assert_eq!(set_in(Security::v1("private"), &mut device, &varbinds), (in_v1, 2));
        assert!(device.committed.is_empty());
    }
}

#[test]
fn a_commit_that_fails_half_way_is_undone() {
    let before = [number(0, 50), text(0, "old")];
    let mut device = Device::default();
    set(&mut device, &before);
    let objects = device.objects.clone();
    device.commit_fails_at = Some(2);
    let varbinds = [number(0, 60), number(1, 60), text(0, "new")];
    assert_eq!(set(&mut device, &varbinds), (ErrorStatus::CommitFailed, 3));
    assert_eq!(device.objects, objects);
    assert_eq!(set_in(Security::v1("private"), &mut device, &varbinds), (ErrorStatus::GenErr, 3));
    assert_eq!(device.objects, objects);
}

#[test]
fn a_commit_that_cannot_be_undone_says_so_without_a_place() {
    let mut device = Device { commit_fails_at: Some(1), undo_fails: true, ..Device::default() };
    let varbinds = [number(0, 60), number(1, 60)];
    assert_eq!(set(&mut device, &varbinds), (ErrorStatus::UndoFailed, 0));
    assert_eq!(set_in(Security::v1("private"), &mut device, &varbinds), (ErrorStatus::GenErr, 0));
}

#[test]
fn a_set_whose_answer_would_be_too_long_is_not_done() {
    let mut device = Device::default();
    let varbinds: Vec<_> = (0..40).map(|index| text(index, "text")).collect();
    let pdu = Pdu { request_id: 1, operation: Operation::Set, varbinds };
    let request = encoded(&Message::new(Security::v2c("private"), pdu));
    let limited = Settings { maximum_message_size: 484, ..Settings::default() };
    let outcome = Agent::new(limited, 1).respond(&request, None, &mut device, &mut Vec::new());
    assert_eq!(outcome, Outcome::Answered { operation: Operation::Set, status: ErrorStatus::TooBig });
    assert_eq!(device, Device::default());
    // The same is done by an agent that can answer it.
    let outcome = Agent::new(Settings::default(), 1).respond(&request, None, &mut device, &mut Vec::new());
    assert_eq!(outcome, Outcome::Answered { operation: Operation::Set, status: ErrorStatus::NoError });
    assert_eq!(device.objects.len(), 40);
}
