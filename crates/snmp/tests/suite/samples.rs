//! Strategies and samples that several modules use.

use proptest::collection::vec;
use proptest::prelude::*;
use snmp::security::HeaderV3;
use snmp::*;

pub(crate) fn name(text: &str) -> ObjectIdentifier {
    text.parse().unwrap()
}

pub(crate) fn encoded(message: &Message) -> Vec<u8> {
    let mut datagram = Vec::new();
    message.encode(&mut datagram).unwrap();
    datagram
}

pub(crate) fn any_name() -> impl Strategy<Value = ObjectIdentifier> {
    let arcs = prop_oneof![0..300_u32, any::<u32>()];
    let first = prop_oneof![(0..2_u32, 0..40_u32), (Just(2_u32), any::<u32>())];
    (first, prop_oneof![4 => vec(arcs.clone(), 0..20), 1 => vec(arcs, 100..=126)]).prop_map(
        |((first, second), rest)| {
            let arcs: Vec<u32> = [first, second].into_iter().chain(rest).collect();
            ObjectIdentifier::from_arcs(&arcs).unwrap()
        },
    )
}

pub(crate) fn any_value() -> impl Strategy<Value = Value> {
    let octets = || prop_oneof![vec(any::<u8>(), 0..20), vec(any::<u8>(), 120..300)];
    prop_oneof![
        any::<i32>().prop_map(Value::Integer),
        octets().prop_map(Value::OctetString),
        Just(Value::Null),
        any_name().prop_map(Value::ObjectIdentifier),
        any::<[u8; 4]>().prop_map(|octets| Value::IpAddress(octets.into())),
        any::<u32>().prop_map(Value::Counter32),
        any::<u32>().prop_map(Value::Gauge32),
        any::<u32>().prop_map(Value::TimeTicks),
        octets().prop_map(Value::Opaque),
        any::<u64>().prop_map(Value::Counter64),
        Just(Value::NoSuchObject),
        Just(Value::NoSuchInstance),
        Just(Value::EndOfMibView),
    ]
}

pub(crate) fn any_varbinds() -> impl Strategy<Value = Vec<VarBind>> {
    vec((any_name(), any_value()).prop_map(|(name, value)| VarBind { name, value }), 0..8)
}

fn any_count() -> impl Strategy<Value = u32> {
    0..=u32::try_from(i32::MAX).unwrap()
}

pub(crate) fn any_operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        Just(Operation::Get),
        Just(Operation::GetNext),
        (any_count(), any_count()).prop_map(|(non_repeaters, max_repetitions)| Operation::GetBulk {
            non_repeaters,
            max_repetitions
        }),
        (any::<i32>(), any_count())
            .prop_map(|(code, index)| Operation::Response { status: ErrorStatus::from_code(code), index }),
        (0..19_i32, any_count())
            .prop_map(|(code, index)| Operation::Response { status: ErrorStatus::from_code(code), index }),
        Just(Operation::Set),
        Just(Operation::Inform),
        Just(Operation::Trap),
    ]
}

pub(crate) fn any_pdu() -> impl Strategy<Value = Pdu> {
    (any::<i32>(), any_operation(), any_varbinds()).prop_map(|(request_id, operation, varbinds)| Pdu {
        request_id,
        operation,
        varbinds,
    })
}

fn any_header_v3() -> impl Strategy<Value = HeaderV3> {
    let octets = || vec(any::<u8>(), 0..40);
    (any::<i32>(), any_count(), any::<bool>(), any::<bool>(), any::<i32>(), octets(), octets(), octets())
        .prop_map(
            |(
                message_id,
                maximum_size,
                authenticated,
                reportable,
                model,
                parameters,
                context_engine_id,
                context_name,
            )| {
                HeaderV3 {
                    message_id,
                    maximum_size,
                    authenticated,
                    reportable,
                    model,
                    parameters,
                    context_engine_id,
                    context_name,
                }
            },
        )
}

/// Messages that SNMPv2c and v3 have, with every PDU but the trap of SNMPv1.
pub(crate) fn any_message_v2() -> impl Strategy<Value = Message> {
    let security =
        prop_oneof![vec(any::<u8>(), 0..40).prop_map(Security::v2c), any_header_v3().prop_map(Security::V3),];
    (security, any_pdu()).prop_map(|(security, pdu)| Message::new(security, pdu))
}

pub(crate) fn any_trap_v1() -> impl Strategy<Value = Message> {
    let values_of_v1 = any_varbinds().prop_map(|mut varbinds| {
        varbinds
            .retain(|varbind| !varbind.value.is_exception() && varbind.value.kind() != ValueKind::Counter64);
        varbinds
    });
    (
        vec(any::<u8>(), 0..40),
        any_name(),
        any::<[u8; 4]>(),
        any::<i32>(),
        any::<i32>(),
        any::<u32>(),
        values_of_v1,
    )
        .prop_map(|(community, enterprise, address, generic, specific, uptime, varbinds)| Message {
            security: Security::v1(community),
            body: Body::TrapV1(TrapV1 {
                enterprise,
                agent_address: address.into(),
                generic: GenericTrap::from_code(generic),
                specific,
                uptime,
                varbinds,
            }),
        })
}

pub(crate) fn any_message() -> impl Strategy<Value = Message> {
    prop_oneof![4 => any_message_v2(), 1 => any_trap_v1()]
}
