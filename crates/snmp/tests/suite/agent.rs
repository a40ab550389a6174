//! The answering side: reading, errors in both versions' words, communities, and answers that would be too long.

use proptest::collection::vec;
use proptest::prelude::*;
use snmp::agent::{Agent, Dropped, Outcome, Settings};
use snmp::*;

use crate::device::{Device, WRITABLE};
use crate::samples::{any_message, any_name, encoded, name};

const LIMIT: usize = 1452;

/// Asks an agent with a limit on its answers, and takes the answer apart.
fn ask_within(
    limit: usize,
    device: &mut Device,
    security: Security,
    operation: Operation,
    varbinds: Vec<VarBind>,
) -> Pdu {
    let mut agent = Agent::new(Settings { maximum_message_size: limit, ..Settings::default() }, 1);
    let request = encoded(&Message::new(security.clone(), Pdu { request_id: -5, operation, varbinds }));
    let mut response = b"left from before".to_vec();
    let outcome = agent.respond(&request, None, device, &mut response);
    assert!(response.len() <= limit);
    let message = Message::decode(&response).unwrap().into_owned();
    assert_eq!(message.security, security);
    let Body::Pdu(pdu) = message.body else { panic!("a response is no trap") };
    assert_eq!(pdu.request_id, -5);
    assert_eq!(outcome, Outcome::Answered { operation, status: outcome_of(&pdu).0 });
    pdu
}

fn ask(device: &mut Device, security: Security, operation: Operation, names: &[&str]) -> Pdu {
    ask_within(LIMIT, device, security, operation, unset(names))
}

fn unset(names: &[&str]) -> Vec<VarBind> {
    names.iter().map(|text| VarBind::unset(name(text))).collect()
}

fn outcome_of(pdu: &Pdu) -> (ErrorStatus, u32) {
    match pdu.operation {
        Operation::Response { status, index } => (status, index),
        other => panic!("{other:?} is no response"),
    }
}

fn v1() -> Security {
    Security::v1("public")
}

fn v2c() -> Security {
    Security::v2c("public")
}

#[test]
fn get_answers_values_and_tells_missing_objects_from_missing_instances() {
    let mut device = Device::with_holes();
    let names = ["1.3.6.1.2.1.1.3.0", "1.3.6.1.2.1.1.3.1", "1.3.6.1.2.1.77.1.0", "1.3.6.1.2.1.2.2.1.10.1"];
    let pdu = ask(&mut device, v2c(), Operation::Get, &names);
    assert_eq!(outcome_of(&pdu), (ErrorStatus::NoError, 0));
    let values: Vec<_> = pdu.varbinds.into_iter().map(|varbind| varbind.value).collect();
    assert_eq!(
        values,
        [Value::TimeTicks(4711), Value::NoSuchInstance, Value::NoSuchObject, Value::Counter64(u64::MAX - 1)]
    );
}

#[test]
fn get_in_version_1_fails_as_a_whole_at_the_first_missing_object_and_echoes_the_request() {
    let mut device = Device::with_holes();
    let names = ["1.3.6.1.2.1.1.3.0", "1.3.6.1.2.1.1.3.1", "1.3.6.1.2.1.77.1.0"];
    let pdu = ask(&mut device, v1(), Operation::Get, &names);
    assert_eq!(outcome_of(&pdu), (ErrorStatus::NoSuchName, 2));
    assert_eq!(pdu.varbinds, unset(&names));
}

#[test]
fn version_1_never_sees_a_counter64() {
    let mut device = Device::with_holes();
    let pdu = ask(&mut device, v1(), Operation::Get, &["1.3.6.1.2.1.2.2.1.10.1"]);
    assert_eq!(outcome_of(&pdu), (ErrorStatus::NoSuchName, 1));
    // All of the column but its last instance are 64 bits wide.
    let pdu = ask(&mut device, v1(), Operation::GetNext, &["1.3.6.1.2.1.2.2.1.10"]);
    assert_eq!(pdu.varbinds[0].name, name("1.3.6.1.2.1.2.2.1.10.4294967295"));
}

#[test]
fn get_next_at_the_end_says_so_in_each_versions_way() {
    let mut device = Device::with_holes();
    let names = ["1.3.6.1.2.1.1.1.0", "1.3.6.1.6.3.1.1.6.1.0"];
    let pdu = ask(&mut device, v2c(), Operation::GetNext, &names);
    assert_eq!(outcome_of(&pdu), (ErrorStatus::NoError, 0));
    assert_eq!(pdu.varbinds[0], VarBind::new(name("1.3.6.1.2.1.1.3.0"), Value::TimeTicks(4711)));
    assert_eq!(pdu.varbinds[1], VarBind::new(name("1.3.6.1.6.3.1.1.6.1.0"), Value::EndOfMibView));
    let pdu = ask(&mut device, v1(), Operation::GetNext, &names);
    assert_eq!(outcome_of(&pdu), (ErrorStatus::NoSuchName, 2));
}

#[test]
fn an_object_that_cannot_be_read_now_is_a_general_error() {
    let mut device =
        Device::with([("1.3.6.1.2.1.1.1.0", Value::from("fine")), ("1.3.6.1.2.1.1.2.0", Value::Null)]);
    for security in [v1(), v2c()] {
        let pdu =
            ask(&mut device, security.clone(), Operation::Get, &["1.3.6.1.2.1.1.1.0", "1.3.6.1.2.1.1.2.0"]);
        assert_eq!(outcome_of(&pdu), (ErrorStatus::GenErr, 2));
        let pdu = ask(&mut device, security, Operation::GetNext, &["1.3.6.1.2.1.1.1.0"]);
        assert_eq!(outcome_of(&pdu), (ErrorStatus::GenErr, 1));
    }
    let operation = Operation::GetBulk { non_repeaters: 1, max_repetitions: 1 };
    let pdu = ask(&mut device, v2c(), operation, &["1.3.6.1.2.1", "1.3.6.1.2.1.1.1.0"]);
    assert_eq!(outcome_of(&pdu), (ErrorStatus::GenErr, 2));
}

#[test]
fn get_bulk_reads_some_once_and_the_others_repeatedly_row_by_row() {
    let mut device = Device::with_holes();
    let operation = Operation::GetBulk { non_repeaters: 1, max_repetitions: 3 };
    let columns = ["1.3.6.1.2.1.1.3", "1.3.6.1.2.1.2.2.1.1", "1.3.6.1.2.1.2.2.1.2"];
    let pdu = ask(&mut device, v2c(), operation, &columns);
    let names: Vec<_> = pdu.varbinds.iter().map(|varbind| varbind.name.to_string()).collect();
    let column = |column: u32, row: u32| format!("1.3.6.1.2.1.2.2.1.{column}.{row}");
    assert_eq!(
        names,
        [
            "1.3.6.1.2.1.1.3.0".to_owned(),
            column(1, 1),
            column(2, 1),
            column(1, 2),
            column(2, 2),
            column(1, 4),
            column(2, 4)
        ]
    );
}

#[test]
fn get_bulk_stops_once_every_name_is_at_its_end() {
    let mut device = Device::with_holes();
    let operation = Operation::GetBulk { non_repeaters: 0, max_repetitions: 1000 };
    let pdu = ask(&mut device, v2c(), operation, &["1.3.6.1.6.3", "1.3.6.1.7"]);
    let values: Vec<_> = pdu.varbinds.iter().map(|varbind| varbind.value.clone()).collect();
    // The first name has one object left; then both are at their end, which is said once more.
    assert_eq!(values, [Value::Integer(1), Value::EndOfMibView, Value::EndOfMibView, Value::EndOfMibView]);
    assert_eq!(pdu.varbinds[2].name, name("1.3.6.1.6.3.1.1.6.1.0"));
}

#[test]
fn get_bulk_without_names_or_repetitions_answers_nothing() {
    let mut device = Device::with_holes();
    for (names, max_repetitions) in [(&[][..], 2_147_483_647), (&["1.3.6.1"][..], 0)] {
        let operation = Operation::GetBulk { non_repeaters: 0, max_repetitions };
        let pdu = ask(&mut device, v2c(), operation, names);
        assert_eq!((outcome_of(&pdu), pdu.varbinds), ((ErrorStatus::NoError, 0), vec![]));
    }
    let operation = Operation::GetBulk { non_repeaters: 2_147_483_647, max_repetitions: 5 };
    assert_eq!(ask(&mut device, v2c(), operation, &["1.3.6.1"]).varbinds.len(), 1);
}

#[test]
fn get_bulk_answers_as_much_as_fits_and_no_less() {
    let mut device = Device::with_holes();
    let operation = Operation::GetBulk { non_repeaters: 0, max_repetitions: 2_147_483_647 };
    let all = device.below(&name("1.3.6.1")).len();
    for limit in [60, 100, 484, 600, 1000] {
        let pdu = ask_within(limit, &mut device, v2c(), operation, unset(&["1.3.6.1"]));
        let taken: usize = pdu.varbinds.iter().map(VarBind::encoded_length).sum();
        let next = device.below(&name("1.3.6.1"))[pdu.varbinds.len()].encoded_length();
        assert!(pdu.varbinds.len() < all);
        // Around the variable bindings go at most 38 bytes with this community.
        assert!(taken + next + 38 > limit, "{taken} of {limit} bytes taken, though {next} more would fit");
    }
}

#[test]
fn an_answer_that_would_be_too_long_says_so_in_each_versions_way() {
    let text = "x".repeat(400);
    let mut device = Device::with([("1.3.6.1.2.1.1.1.0", Value::from(text))]);
    let names = ["1.3.6.1.2.1.1.1.0"; 2];
    let pdu = ask_within(484, &mut device, v2c(), Operation::Get, unset(&names));
    assert_eq!((outcome_of(&pdu), pdu.varbinds), ((ErrorStatus::TooBig, 0), vec![]));
    let pdu = ask_within(484, &mut device, v1(), Operation::Get, unset(&names));
    assert_eq!((outcome_of(&pdu), pdu.varbinds), ((ErrorStatus::TooBig, 0), unset(&names)));
}

#[test]
fn an_answer_of_just_the_longest_length_is_given() {
    let mut device = Device::with([("1.3.6.1.2.1.1.1.0", Value::from("x".repeat(100)))]);
    let get = |device: &mut Device, limit| {
        ask_within(limit, device, v2c(), Operation::Get, unset(&["1.3.6.1.2.1.1.1.0"]))
    };
    let answer = Message::new(v2c(), get(&mut device, LIMIT));
    let length = encoded(&answer).len();
    assert_eq!(outcome_of(&get(&mut device, length)), (ErrorStatus::NoError, 0));
    assert_eq!(outcome_of(&get(&mut device, length - 1)), (ErrorStatus::TooBig, 0));
}

#[test]
fn a_request_too_long_for_any_answer_is_dropped_and_counted() {
    let mut agent = Agent::new(Settings { maximum_message_size: 100, ..Settings::default() }, 1);
    let varbinds = unset(&["1.3.6.1.2.1.1.1.0"; 20]);
    let request =
        encoded(&Message::new(v1(), Pdu { request_id: 1, operation: Operation::GetNext, varbinds }));
    let mut response = b"left from before".to_vec();
    let outcome = agent.respond(&request, None, &mut Device::with_holes(), &mut response);
    assert_eq!(outcome, Outcome::Dropped(Dropped::TooBig));
    assert!(response.is_empty());
    assert_eq!(agent.counters().silent_drops, 1);
}

#[test]
fn a_wrong_community_is_not_answered_but_counted() {
    let mut agent = Agent::new(Settings::default(), 1);
    let mut device = Device::with_holes();
    let mut response = Vec::new();
    for community in ["", "publi", "publicc", "Public"] {
        let pdu = Pdu { request_id: 1, operation: Operation::Get, varbinds: vec![] };
        let request = encoded(&Message::new(Security::v2c(community), pdu));
        let outcome = agent.respond(&request, None, &mut device, &mut response);
        assert_eq!(outcome, Outcome::Dropped(Dropped::UnknownCommunity));
        assert!(response.is_empty());
    }
    let counters = agent.counters();
    assert_eq!((counters.in_packets, counters.in_bad_community_names), (4, 4));
}

#[test]
fn a_community_that_may_only_read_cannot_write() {
    let mut device = Device::default();
    let varbinds = vec![VarBind::new(WRITABLE.join(&[1, 0]), 5)];
    for (security, status) in [(v1(), ErrorStatus::NoSuchName), (v2c(), ErrorStatus::NoAccess)] {
        let pdu = ask_within(LIMIT, &mut device, security, Operation::Set, varbinds.clone());
        assert_eq!(outcome_of(&pdu), (status, 1));
    }
    assert!(device.objects.is_empty());
    let mut agent = Agent::new(Settings::default(), 1);
    let request = encoded(&Message::new(v2c(), Pdu { request_id: 1, operation: Operation::Set, varbinds }));
    agent.respond(&request, None, &mut device, &mut Vec::new());
    assert_eq!(agent.counters().in_bad_community_uses, 1);
}

#[test]
fn what_asks_for_nothing_or_cannot_be_read_is_dropped_and_counted() {
    let mut agent = Agent::new(Settings::default(), 1);
    let mut device = Device::with_holes();
    let mut response = Vec::new();
    let mut drop = |datagram: &[u8]| match agent.respond(datagram, None, &mut device, &mut response) {
        Outcome::Dropped(dropped) => dropped,
        Outcome::Answered { .. } | Outcome::Reported(_) => panic!("answered"),
    };
    let response_pdu = Operation::Response { status: ErrorStatus::NoError, index: 0 };
    for operation in [response_pdu, Operation::Trap, Operation::Inform] {
        let request = encoded(&Message::new(v2c(), Pdu { request_id: 1, operation, varbinds: vec![] }));
        assert_eq!(drop(&request), Dropped::NoRequest);
    }
    assert!(matches!(drop(b"noise"), Dropped::Undecodable(_)));
    let mut version_2 =
        encoded(&Message::new(v2c(), Pdu { request_id: 1, operation: Operation::Get, varbinds: vec![] }));
    version_2[4] = 2;
    assert_eq!(drop(&version_2), Dropped::Undecodable(DecodeError::UnknownVersion(2)));
    let counters = agent.counters();
    assert_eq!(counters.unknown_pdu_handlers, 3);
    assert_eq!((counters.in_asn_parse_errors, counters.in_bad_versions), (1, 1));
}

proptest! {
    #[test]
    fn whatever_comes_an_answer_is_a_readable_response_within_the_limit(
        mut message in any_message(),
        names in vec(any_name(), 0..4),
        limit in 0..2000_usize,
    ) {
        if !matches!(message.security, Security::V3(_)) {
            let version = message.security.version();
            message.security = if version == Version::V1 { Security::v1("private") } else { Security::v2c("private") };
        }
        let mut device = Device::with_holes();
        for name in names {
            device.objects.insert(name.clone(), Value::ObjectIdentifier(name));
        }
        let mut agent = Agent::new(Settings { maximum_message_size: limit, ..Settings::default() }, 1);
        let mut response = Vec::new();
        if let Outcome::Answered { .. } = agent.respond(&encoded(&message), None, &mut device, &mut response) {
            prop_assert!(response.len() <= limit);
            let answer = Message::decode(&response).unwrap().into_owned();
            prop_assert_eq!(&answer.security, &message.security);
            let (Body::Pdu(asked), Body::Pdu(answered)) = (message.body, answer.body) else { panic!("no PDU") };
            prop_assert_eq!(asked.request_id, answered.request_id);
        } else {
            prop_assert!(response.is_empty());
        }
    }
}
