//! Two other implementations read what is written here, and what one of them writes is read here, for each kind of PDU.

use proptest::prelude::*;
use rasn::types::{Integer, ObjectIdentifier as OtherName, OctetString};
use rasn_snmp::v2::VarBindValue;
use rasn_snmp::{v1, v2, v2c, v3};
use snmp::security::HeaderV3;
use snmp::*;
use snmp_parser::{ObjectSyntax, PduType, SnmpGenericMessage, SnmpMessage, SnmpPdu};

use crate::samples::{any_message_v2, any_trap_v1, encoded, name};

fn other_name(name: &ObjectIdentifier) -> OtherName {
    OtherName::new(name.arcs().to_vec()).unwrap()
}

fn octets(octets: &[u8]) -> OctetString {
    OctetString::from(octets.to_vec())
}

/// The same value as the other implementation has it; it can hold as Opaque only what it encoded itself.
fn other_value(value: &Value) -> VarBindValue {
    use rasn_smi::v2::{Counter64, ObjectSyntax, ToOpaque};
    let syntax: ObjectSyntax = match value {
        Value::Integer(value) => ObjectSyntax::from(Integer::from(*value)),
        Value::OctetString(content) => octets(content).into(),
        Value::ObjectIdentifier(name) => other_name(name).into(),
        Value::IpAddress(address) => rasn_smi::v1::IpAddress(address.octets().into()).into(),
        Value::Counter32(value) => rasn_smi::v1::Counter(*value).into(),
        Value::Gauge32(value) => rasn_smi::v1::Gauge(*value).into(),
        Value::TimeTicks(value) => rasn_smi::v1::TimeTicks(*value).into(),
        Value::Opaque(content) => octets(&content[2..]).to_opaque().unwrap().into(),
        Value::Counter64(value) => Counter64(*value).into(),
        Value::Null => return VarBindValue::Unspecified,
        Value::NoSuchObject => return VarBindValue::NoSuchObject,
        Value::NoSuchInstance => return VarBindValue::NoSuchInstance,
        Value::EndOfMibView => return VarBindValue::EndOfMibView,
    };
    VarBindValue::Value(syntax)
}

fn other_pdu(pdu: &Pdu) -> v2::Pdus {
    let bindings = |varbind: &VarBind| v2::VarBind {
        name: other_name(&varbind.name),
        value: other_value(&varbind.value),
    };
    let variable_bindings: Vec<_> = pdu.varbinds.iter().map(bindings).collect();
    let request_id = pdu.request_id;
    let (error_status, error_index) = match pdu.operation {
        Operation::Response { status, index } => (u32::try_from(status.code()).unwrap(), index),
        _ => (0, 0),
    };
    let bulk = variable_bindings.clone();
    let other = v2::Pdu { request_id, error_status, error_index, variable_bindings };
    match pdu.operation {
        Operation::Get => v2::Pdus::GetRequest(v2::GetRequest(other)),
        Operation::GetNext => v2::Pdus::GetNextRequest(v2::GetNextRequest(other)),
        Operation::GetBulk { non_repeaters, max_repetitions } => {
            v2::Pdus::GetBulkRequest(v2::GetBulkRequest(v2::BulkPdu {
                request_id,
                non_repeaters,
                max_repetitions,
                variable_bindings: bulk,
            }))
        }
        Operation::Response { .. } => v2::Pdus::Response(v2::Response(other)),
        Operation::Set => v2::Pdus::SetRequest(v2::SetRequest(other)),
        Operation::Inform => v2::Pdus::InformRequest(v2::InformRequest(other)),
        Operation::Trap => v2::Pdus::Trap(v2::Trap(other)),
        Operation::Report => v2::Pdus::Report(v2::Report(other)),
    }
}

/// The message as the other implementation writes it.
fn written_by_rasn(message: &Message) -> Vec<u8> {
    let Body::Pdu(pdu) = &message.body else { panic!("traps of version 1 are compared elsewhere") };
    let data = other_pdu(pdu);
    match &message.security {
        Security::V2c { community } => {
            let message = v2c::Message { version: Integer::from(1), community: octets(community), data };
            rasn::ber::encode(&message).unwrap()
        }
        Security::V3(header) => {
            let flags = u8::from(header.authenticated) | if header.reportable { 4 } else { 0 };
            let message = v3::Message {
                version: Integer::from(3),
                global_data: v3::HeaderData {
                    message_id: Integer::from(header.message_id),
                    max_size: Integer::from(header.maximum_size),
                    flags: octets(&[flags]),
                    security_model: Integer::from(header.model),
                },
                security_parameters: octets(&header.parameters),
                scoped_data: v3::ScopedPduData::CleartextPdu(v3::ScopedPdu {
                    engine_id: octets(&header.context_engine_id),
                    name: octets(&header.context_name),
                    data,
                }),
            };
            rasn::ber::encode(&message).unwrap()
        }
        Security::V1 { .. } => panic!("version 1 is compared elsewhere"),
    }
}

/// Keeps to what the other implementation can hold.
fn expressible_in_rasn(mut message: Message) -> Message {
    if let Body::Pdu(pdu) = &mut message.body {
        if let Operation::Response { status, .. } = &mut pdu.operation {
            *status = ErrorStatus::from_code(status.code().max(0));
        }
        for varbind in &mut pdu.varbinds {
            if let Value::Opaque(content) = &mut varbind.value {
                content.truncate(100);
                let length = u8::try_from(content.len()).unwrap();
                content.splice(0..0, [4, length]);
            }
        }
    }
    message
}

proptest! {
    #[test]
    fn rasn_writes_the_same_bytes_for_every_message_of_version_2_and_3(
        message in any_message_v2().prop_map(expressible_in_rasn),
    ) {
        let bytes = written_by_rasn(&message);
        prop_assert_eq!(&bytes, &encoded(&message));
        prop_assert_eq!(Message::decode(&bytes).unwrap().into_owned(), message);
    }

    #[test]
    fn rasn_reads_every_trap_of_version_1(message in any_trap_v1()) {
        let read: v1::Message<v1::Trap> = rasn::ber::decode(&encoded(&message)).unwrap();
        let Body::TrapV1(trap) = &message.body else { panic!("no trap") };
        prop_assert_eq!(read.data.enterprise, other_name(&trap.enterprise));
        prop_assert_eq!(read.data.generic_trap, Integer::from(trap.generic.code()));
        prop_assert_eq!(read.data.specific_trap, Integer::from(trap.specific));
        prop_assert_eq!(read.data.time_stamp.0, trap.uptime);
        prop_assert_eq!(read.data.variable_bindings.len(), trap.varbinds.len());
    }
}

const OPERATIONS: [(Operation, PduType); 8] = [
    (Operation::Get, PduType::GetRequest),
    (Operation::GetNext, PduType::GetNextRequest),
    (Operation::GetBulk { non_repeaters: 1, max_repetitions: 20 }, PduType::GetBulkRequest),
    (Operation::Response { status: ErrorStatus::InconsistentValue, index: 3 }, PduType::Response),
    (Operation::Set, PduType::SetRequest),
    (Operation::Inform, PduType::InformRequest),
    (Operation::Trap, PduType::TrapV2),
    (Operation::Report, PduType::Report),
];

fn sample(request_id: i32, operation: Operation) -> Pdu {
    let values = [
        Value::Integer(-70_000),
        Value::from("iad-8"),
        Value::from(name("1.3.6.1.4.1.32473.1.3.1")),
        Value::IpAddress([198, 51, 100, 7].into()),
        Value::Counter32(u32::MAX),
        Value::Gauge32(1 << 31),
        Value::TimeTicks(4_000_000_000),
        Value::Opaque(vec![4, 1, 7]),
        Value::Counter64(u64::MAX),
        Value::Null,
        Value::NoSuchObject,
        Value::NoSuchInstance,
        Value::EndOfMibView,
    ];
    let varbinds = (1..).zip(values);
    let varbinds =
        varbinds.map(|(index, value)| VarBind::new(name("1.3.6.1.4.1.32473").child(index), value)).collect();
    Pdu { request_id, operation, varbinds }
}

/// The value as snmp-parser has it, in our terms.
fn ours(value: &snmp_parser::VarBindValue<'_>) -> Value {
    match value {
        snmp_parser::VarBindValue::Value(syntax) => match syntax {
            ObjectSyntax::Number(value) => Value::Integer(*value),
            ObjectSyntax::String(content) => Value::OctetString(content.to_vec()),
            ObjectSyntax::Object(name) => Value::ObjectIdentifier(crate::samples::name(&name.to_id_string())),
            ObjectSyntax::IpAddress(snmp_parser::NetworkAddress::IPv4(address)) => Value::IpAddress(*address),
            ObjectSyntax::Counter32(value) => Value::Counter32(*value),
            ObjectSyntax::Gauge32(value) => Value::Gauge32(*value),
            ObjectSyntax::TimeTicks(value) => Value::TimeTicks(*value),
            ObjectSyntax::Opaque(content) => Value::Opaque(content.to_vec()),
            ObjectSyntax::Counter64(value) => Value::Counter64(*value),
            other => panic!("{other:?} was not written"),
        },
        snmp_parser::VarBindValue::Unspecified => Value::Null,
        snmp_parser::VarBindValue::NoSuchObject => Value::NoSuchObject,
        snmp_parser::VarBindValue::NoSuchInstance => Value::NoSuchInstance,
        snmp_parser::VarBindValue::EndOfMibView => Value::EndOfMibView,
    }
}

fn assert_same(read: &SnmpPdu<'_>, written: &Pdu) {
    let varbinds = read.vars_iter().map(|variable| {
        let name = crate::samples::name(&variable.oid.to_id_string());
        VarBind { name, value: ours(&variable.val) }
    });
    assert_eq!(varbinds.collect::<Vec<_>>(), written.varbinds);
    let fields = match read {
        SnmpPdu::Generic(pdu) => (pdu.req_id, pdu.err.0, pdu.err_index),
        SnmpPdu::Bulk(pdu) => (pdu.req_id, pdu.non_repeaters, pdu.max_repetitions),
        SnmpPdu::TrapV1(_) => panic!("a trap of version 1 was not written"),
    };
    let expected = match written.operation {
        Operation::Response { status, index } => (status.code().unsigned_abs(), index),
        Operation::GetBulk { non_repeaters, max_repetitions } => (non_repeaters, max_repetitions),
        _ => (0, 0),
    };
    assert_eq!(fields, (written.request_id.unsigned_abs(), expected.0, expected.1));
}

#[test]
fn snmp_parser_reads_every_kind_of_pdu_of_version_2c() {
    for (operation, kind) in OPERATIONS.into_iter().filter(|&(operation, _)| operation != Operation::Report) {
        let pdu = sample(0x7fff_ffff, operation);
        let datagram = encoded(&Message::new(Security::v2c("public"), pdu.clone()));
        let (rest, read) = snmp_parser::parse_snmp_v2c(&datagram).unwrap();
        assert_eq!((rest, read.version, &read.community[..]), (&[][..], 1, "public"));
        assert_eq!(read.pdu_type(), kind);
        assert_same(&read.pdu, &pdu);
    }
}

#[test]
fn snmp_parser_reads_every_kind_of_pdu_of_version_3() {
    for (operation, kind) in OPERATIONS {
        let pdu = sample(5, operation);
        let header = HeaderV3 {
            message_id: 77,
            maximum_size: 65_507,
            authenticated: false,
            reportable: true,
            model: 2,
            parameters: b"parameters".to_vec(),
            context_engine_id: b"engine".to_vec(),
            context_name: b"context".to_vec(),
        };
        let datagram = encoded(&Message::new(Security::V3(header), pdu.clone()));
        let (rest, read) = snmp_parser::parse_snmp_v3(&datagram).unwrap();
        assert!(rest.is_empty());
        assert_eq!((read.header_data.msg_id, read.header_data.msg_max_size), (77, 65_507));
        assert!(read.header_data.is_reportable() && !read.header_data.is_authenticated());
        let snmp_parser::ScopedPduData::Plaintext(scoped) = read.data else { panic!("encrypted") };
        assert_eq!((scoped.ctx_engine_id, scoped.ctx_engine_name), (&b"engine"[..], &b"context"[..]));
        assert_eq!(scoped.data.pdu_type(), kind);
        assert_same(&scoped.data, &pdu);
    }
}

#[test]
fn snmp_parser_reads_every_kind_of_pdu_of_version_1() {
    let of_v1 = OPERATIONS.into_iter().filter(|(operation, _)| {
        matches!(operation, Operation::Get | Operation::GetNext | Operation::Set | Operation::Response { .. })
    });
    for (operation, kind) in of_v1 {
        let mut pdu = sample(5, operation);
        pdu.varbinds
            .retain(|varbind| !varbind.value.is_exception() && varbind.value.kind() != ValueKind::Counter64);
        let datagram = encoded(&Message::new(Security::v1("public"), pdu.clone()));
        let (_, SnmpGenericMessage::V1(SnmpMessage { pdu: read, .. })) =
            snmp_parser::parse_snmp_generic_message(&datagram).unwrap()
        else {
            panic!("another version")
        };
        assert_eq!(read.pdu_type(), kind);
        assert_same(&read, &pdu);
    }
}

#[test]
fn snmp_parser_reads_a_trap_of_version_1() {
    let trap = TrapV1 {
        enterprise: name("1.3.6.1.4.1.32473.1"),
        agent_address: [192, 0, 2, 9].into(),
        generic: GenericTrap::EnterpriseSpecific,
        specific: 17,
        uptime: 360_000,
        varbinds: vec![VarBind::new(name("1.3.6.1.4.1.32473.1.1.1.0"), "iad-8")],
    };
    let datagram = encoded(&Message { security: Security::v1("public"), body: Body::TrapV1(trap) });
    let (_, read) = snmp_parser::parse_snmp_v1(&datagram).unwrap();
    let SnmpPdu::TrapV1(read) = read.pdu else { panic!("no trap") };
    assert_eq!(read.enterprise.to_id_string(), "1.3.6.1.4.1.32473.1");
    assert_eq!(read.agent_addr, snmp_parser::NetworkAddress::IPv4([192, 0, 2, 9].into()));
    assert_eq!((read.generic_trap.0, read.specific_trap, read.timestamp), (6, 17, 360_000));
    assert_eq!(ours(&read.var[0].val), Value::from("iad-8"));
}
