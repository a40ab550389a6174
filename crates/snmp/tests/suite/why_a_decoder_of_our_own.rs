//! Evidence for the decision not to use snmp-parser as the only decoder: each message here is one that real agents send.
//! snmp-parser 0.11 drops it whole, or keeps less of it than is needed; ours takes it.

use snmp::*;
use snmp_parser::{ObjectSyntax, VarBindValue, parse_snmp_v2c};

use crate::samples::{encoded, name};

fn response(request_id: i32, community: &[u8], value: Value) -> Message {
    let operation = Operation::Response { status: ErrorStatus::NoError, index: 0 };
    let varbinds = vec![VarBind::new(name("1.3.6.1.2.1.1.1.0"), value)];
    Message::new(Security::v2c(community), Pdu { request_id, operation, varbinds })
}

fn read_by_us(datagram: &[u8]) -> Message {
    Message::decode(datagram).unwrap().into_owned()
}

#[test]
fn snmp_parser_reads_the_message_that_the_others_here_differ_from() {
    let message = response(1, b"public", Value::Counter32(u32::MAX));
    let datagram = encoded(&message);
    assert!(parse_snmp_v2c(&datagram).is_ok());
    assert_eq!(read_by_us(&datagram), message);
}

#[test]
fn snmp_parser_drops_a_message_with_a_negative_request_id() {
    for request_id in [-1, -70_000, i32::MIN] {
        let message = response(request_id, b"public", Value::Integer(1));
        let datagram = encoded(&message);
        assert!(parse_snmp_v2c(&datagram).is_err());
        assert_eq!(read_by_us(&datagram), message);
    }
}

#[test]
fn snmp_parser_drops_a_message_whose_community_is_not_utf_8() {
    let message = response(1, b"caf\xe9", Value::Integer(1));
    let datagram = encoded(&message);
    assert!(parse_snmp_v2c(&datagram).is_err());
    assert_eq!(read_by_us(&datagram), message);
}

#[test]
fn snmp_parser_drops_a_message_with_an_unsigned_value_without_its_leading_zero_byte() {
    for (value, tag) in [
        (Value::Counter32(0xfedc_ba98), 0x41),
        (Value::Gauge32(0xfedc_ba98), 0x42),
        (Value::TimeTicks(0xfedc_ba98), 0x43),
    ] {
        // As sent by agents that write the number as if it had a sign.
        let message = response(1, b"public", value);
        let placeholder = encoded(&response(1, b"public", Value::IpAddress([0xfe, 0xdc, 0xba, 0x98].into())));
        let mut datagram = placeholder;
        let place = datagram.len() - 6;
        datagram[place] = tag;
        assert!(parse_snmp_v2c(&datagram).is_err());
        assert_eq!(read_by_us(&datagram), message);
    }
}

#[test]
fn snmp_parser_reads_an_empty_string_as_a_value_without_a_type() {
    let value_of = |datagram: &[u8]| {
        let (_, message) = parse_snmp_v2c(datagram).unwrap();
        let value = &message.vars_iter().next().unwrap().val;
        format!("{value:?}")
    };
    let empty_string = encoded(&response(1, b"public", Value::from("")));
    let untyped = format!("{:?}", VarBindValue::Value(ObjectSyntax::Empty));
    assert_eq!(value_of(&empty_string), untyped);
    // So does an empty object identifier read, which is "none" and not "".
    let mut empty_name = empty_string.clone();
    let place = empty_name.len() - 2;
    empty_name[place] = 0x06;
    assert_eq!(value_of(&empty_name), untyped);
    let null = encoded(&response(1, b"public", Value::Null));
    let ours = |datagram: &[u8]| read_by_us(datagram).body.varbinds()[0].value.clone();
    assert_eq!(ours(&empty_string), Value::from(""));
    assert_eq!(ours(&empty_name), Value::from(ObjectIdentifier::ZERO_DOT_ZERO));
    assert_eq!(ours(&null), Value::Null);
}
