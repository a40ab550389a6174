//! Messages written out by hand, byte by byte, from the RFCs.

use snmp::notification::{Notification, NotificationError};
use snmp::security::HeaderV3;
use snmp::*;

use crate::samples::{encoded, name};

/// GET of `sysDescr.0` in SNMPv1, community `public`, request id 0x1234.
const GET_V1: &[u8] = &[
    0x30, 0x27, 0x02, 0x01, 0x00, 0x04, 0x06, b'p', b'u', b'b', b'l', b'i', b'c', 0xa0, 0x1a, 0x02, 0x02,
    0x12, 0x34, 0x02, 0x01, 0x00, 0x02, 0x01, 0x00, 0x30, 0x0e, 0x30, 0x0c, 0x06, 0x08, 0x2b, 0x06, 0x01,
    0x02, 0x01, 0x01, 0x01, 0x00, 0x05, 0x00,
];

fn get(version: fn(&'static str) -> Security) -> Message {
    let varbinds = vec![VarBind::unset(name("1.3.6.1.2.1.1.1.0"))];
    Message::new(version("public"), Pdu { request_id: 0x1234, operation: Operation::Get, varbinds })
}

#[test]
fn a_get_of_version_1() {
    assert_eq!(encoded(&get(Security::v1)), GET_V1);
    assert_eq!(Message::decode(GET_V1).unwrap().into_owned(), get(Security::v1));
}

#[test]
fn a_response_with_one_value_of_every_type() {
    let values: [(&[u8], Value); 17] = [
        (&[0x02, 0x01, 0x80], Value::Integer(-128)),
        (&[0x02, 0x02, 0x00, 0x80], Value::Integer(128)),
        (&[0x02, 0x04, 0x80, 0, 0, 0], Value::Integer(i32::MIN)),
        (&[0x04, 0x00], Value::from("")),
        (&[0x04, 0x02, 0xc3, 0x28], Value::OctetString(vec![0xc3, 0x28])),
        (&[0x05, 0x00], Value::Null),
        (&[0x06, 0x01, 0x00], Value::ObjectIdentifier(ObjectIdentifier::ZERO_DOT_ZERO)),
        (&[0x06, 0x07, 0x2b, 0x8f, 0xff, 0xff, 0xff, 0x7f, 0x00], Value::from(name("1.3.4294967295.0"))),
        (&[0x40, 0x04, 192, 0, 2, 1], Value::IpAddress([192, 0, 2, 1].into())),
        (&[0x41, 0x05, 0x00, 0xff, 0xff, 0xff, 0xff], Value::Counter32(u32::MAX)),
        (&[0x42, 0x01, 0x00], Value::Gauge32(0)),
        (&[0x43, 0x02, 0x01, 0x00], Value::TimeTicks(256)),
        (&[0x44, 0x02, 0x05, 0x00], Value::Opaque(vec![0x05, 0x00])),
        (&[0x46, 0x09, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], Value::Counter64(u64::MAX)),
        (&[0x80, 0x00], Value::NoSuchObject),
        (&[0x81, 0x00], Value::NoSuchInstance),
        (&[0x82, 0x00], Value::EndOfMibView),
    ];
    for (bytes, value) in values {
        // 1.3 = value, in a RESPONSE with request id -1 and no error, of SNMPv2c with an empty community.
        let around = |tag: u8, content: &[&[u8]]| {
            let content = content.concat();
            [&[tag, u8::try_from(content.len()).unwrap()], &content[..]].concat()
        };
        let varbind = around(0x30, &[&[0x06, 0x01, 0x2b], bytes]);
        let fields = [0x02, 0x01, 0xff, 0x02, 0x01, 0x00, 0x02, 0x01, 0x00];
        let pdu = around(0xa2, &[&fields, &around(0x30, &[&varbind])]);
        let datagram = around(0x30, &[&[0x02, 0x01, 0x01, 0x04, 0x00], &pdu]);
        let operation = Operation::Response { status: ErrorStatus::NoError, index: 0 };
        let varbinds = vec![VarBind { name: name("1.3"), value }];
        let message = Message::new(Security::v2c(""), Pdu { request_id: -1, operation, varbinds });
        assert_eq!(Message::decode(&datagram).unwrap().into_owned(), message);
        assert_eq!(encoded(&message), datagram);
    }
}

#[test]
fn the_uinteger32_of_old_agents_is_read_as_gauge32() {
    let mut datagram = GET_V1.to_vec();
    datagram[39] = 0x47;
    assert_eq!(Message::decode(&datagram), Err(DecodeError::Integer));
    datagram.splice(39.., [0x47, 0x01, 0x09]);
    for place in [1, 14, 26, 28] {
        datagram[place] += 1;
    }
    assert_eq!(Message::decode(&datagram).unwrap().body.varbinds()[0].value, Value::Gauge32(9));
}

#[test]
fn a_get_bulk_keeps_its_two_numbers_and_negative_ones_mean_none() {
    let mut datagram = encoded(&get(Security::v2c));
    datagram[13] = 0xa5;
    datagram[21] = 0x01;
    datagram[24] = 0x0a;
    let operation = |datagram: &[u8]| match Message::decode(datagram).unwrap().body {
        Body::Pdu(pdu) => pdu.operation,
        Body::TrapV1(_) => panic!("a request became a trap"),
    };
    assert_eq!(operation(&datagram), Operation::GetBulk { non_repeaters: 1, max_repetitions: 10 });
    datagram[21] = 0xff;
    datagram[24] = 0x80;
    assert_eq!(operation(&datagram), Operation::GetBulk { non_repeaters: 0, max_repetitions: 0 });
}

#[test]
fn lengths_in_long_form_and_padding_after_the_message_are_read() {
    let mut datagram = vec![0x30, 0x84, 0x00, 0x00, 0x00, 0x27];
    datagram.extend(&GET_V1[2..]);
    datagram.extend([0x00; 7]);
    assert_eq!(Message::decode(&datagram).unwrap().into_owned(), get(Security::v1));
}

#[test]
fn an_indefinite_length_is_refused() {
    // Both before fewer and before more bytes than 128, which is what the length byte would mean as a number.
    for padding in [2, 200] {
        let mut datagram = vec![0x30, 0x80];
        datagram.extend(&GET_V1[2..]);
        datagram.extend(vec![0x00; padding]);
        assert_eq!(Message::decode(&datagram), Err(DecodeError::Length));
    }
}

#[test]
fn a_name_of_129_arcs_is_refused_and_one_of_128_is_read() {
    for (arcs, fits) in [(128, true), (129, false)] {
        let name: ObjectIdentifier = [1, 3].into_iter().chain(std::iter::repeat_n(5, arcs - 2)).collect();
        let pdu = Pdu { request_id: 1, operation: Operation::Get, varbinds: vec![VarBind::unset(name)] };
        let datagram = encoded(&Message::new(Security::v2c("public"), pdu));
        assert_eq!(Message::decode(&datagram).is_ok(), fits);
    }
}

#[test]
fn an_empty_name_is_read_as_zero_dot_zero_and_an_arc_above_32_bits_refused() {
    let with_name = |content: &[u8]| {
        let mut datagram = GET_V1[..27].to_vec();
        let length = u8::try_from(content.len()).unwrap();
        datagram[1] = 0x27 - 8 + length;
        datagram[14] = 0x1a - 8 + length;
        datagram[26] = 0x0e - 8 + length;
        datagram.extend([0x30, 4 + length, 0x06, length]);
        datagram.extend(content);
        datagram.extend([0x05, 0x00]);
        datagram
    };
    let read = |content: &[u8]| {
        Message::decode(&with_name(content)).map(|message| message.body.varbinds()[0].name.clone())
    };
    assert_eq!(read(&[]), Ok(ObjectIdentifier::ZERO_DOT_ZERO));
    assert_eq!(read(&[0x2b, 0x8f, 0xff, 0xff, 0xff, 0x7f]), Ok(name("1.3.4294967295")));
    assert_eq!(read(&[0x2b, 0x90, 0x80, 0x80, 0x80, 0x00]), Err(DecodeError::ObjectIdentifier));
    assert_eq!(read(&[0x90, 0x80, 0x80, 0x80, 0x4f]), Ok(name("2.4294967295")));
    assert_eq!(read(&[0x2b, 0x80]), Err(DecodeError::ObjectIdentifier));
    assert_eq!(read(&[0xff; 30]), Err(DecodeError::ObjectIdentifier));
    // 2^70 + 5, of which 64 bits would keep only the 5.
    let wrapping = [0x2b, 0x81, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x05];
    assert_eq!(read(&wrapping), Err(DecodeError::ObjectIdentifier));
}

#[test]
fn pdus_that_a_version_does_not_have_are_neither_read_nor_written() {
    let mut bulk_in_v1 = GET_V1.to_vec();
    bulk_in_v1[13] = 0xa5;
    assert_eq!(Message::decode(&bulk_in_v1), Err(DecodeError::PduOfOtherVersion));
    let mut unknown_version = GET_V1.to_vec();
    unknown_version[4] = 2;
    assert_eq!(Message::decode(&unknown_version), Err(DecodeError::UnknownVersion(2)));
    let inform = Pdu { request_id: 1, operation: Operation::Inform, varbinds: vec![] };
    let refused = Message::new(Security::v1("public"), inform).encode(&mut Vec::new());
    assert_eq!(refused, Err(EncodeError::NotInVersion(Version::V1)));
    let report = Pdu { request_id: 1, operation: Operation::Report, varbinds: vec![] };
    let refused = Message::new(Security::v2c("public"), report).encode(&mut Vec::new());
    assert_eq!(refused, Err(EncodeError::NotInVersion(Version::V2c)));
    let varbinds = vec![VarBind { name: name("1.3"), value: Value::Counter64(1) }];
    let counter64 = Pdu { request_id: 1, operation: Operation::Set, varbinds };
    let refused = Message::new(Security::v1("public"), counter64).encode(&mut Vec::new());
    assert_eq!(refused, Err(EncodeError::ValueNotInV1));
}

/// The discovery message of RFC 3414 section 4: an empty GET without authentication.
const DISCOVERY_V3: &[u8] = &[
    0x30, 0x38, 0x02, 0x01, 0x03, 0x30, 0x0e, 0x02, 0x01, 0x07, 0x02, 0x03, 0x00, 0xff, 0xe3, 0x04, 0x01,
    0x04, 0x02, 0x01, 0x03, 0x04, 0x10, 0x30, 0x0e, 0x04, 0x00, 0x02, 0x01, 0x00, 0x02, 0x01, 0x00, 0x04,
    0x00, 0x04, 0x00, 0x04, 0x00, 0x30, 0x11, 0x04, 0x00, 0x04, 0x00, 0xa0, 0x0b, 0x02, 0x01, 0x09, 0x02,
    0x01, 0x00, 0x02, 0x01, 0x00, 0x30, 0x00,
];

#[test]
fn a_plain_message_of_version_3_is_read_but_nobody_is_made_responsible_for_it() {
    let message = Message::decode(DISCOVERY_V3).unwrap().into_owned();
    let pdu = Pdu { request_id: 9, operation: Operation::Get, varbinds: vec![] };
    let header = HeaderV3 {
        message_id: 7,
        maximum_size: 65_507,
        authenticated: false,
        reportable: true,
        model: 3,
        parameters: DISCOVERY_V3[23..39].to_vec(),
        context_engine_id: vec![],
        context_name: vec![],
    };
    assert_eq!(message, Message::new(Security::V3(header), pdu));
    assert_eq!(encoded(&message), DISCOVERY_V3);
    assert_eq!(Notification::decode(DISCOVERY_V3), Err(NotificationError::Unproven));
}

#[test]
fn an_encrypted_message_of_version_3_is_refused_as_such() {
    let mut datagram = DISCOVERY_V3.to_vec();
    datagram[17] = 0x07;
    assert_eq!(Message::decode(&datagram), Err(DecodeError::Encrypted));
}

#[test]
fn communities_do_not_show_in_debug_output() {
    assert!(!format!("{:?}", get(Security::v2c)).contains("public"));
    assert!(!format!("{:?}", get(Security::v1)).contains("112"));
}
