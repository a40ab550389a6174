//! How fast messages are read and written, beside snmp-parser and rasn: `cargo bench -p snmp`.

use divan::{Bencher, black_box};
use snmp::notification::{Event, Notification};
use snmp::{Message, ObjectIdentifier, Security, Value, VarBind};

fn main() {
    divan::main();
}

const ENTERPRISE: ObjectIdentifier = ObjectIdentifier::new([1, 3, 6, 1, 4, 1, 32473, 1]);

/// The notification of progress that a device sends most often, with its five objects.
fn trap() -> Message {
    let object = |arcs: [u32; 3], value| VarBind { name: ENTERPRISE.join(&arcs), value };
    let varbinds = vec![
        object([1, 3, 0], Value::from("iad-000017")),
        object([5, 1, 0], Value::from("run-4711-download-1")),
        object([5, 2, 0], Value::Integer(2)),
        object([5, 15, 0], Value::Gauge32(42)),
        object([5, 16, 0], Value::Integer(0)),
    ];
    Event { name: ENTERPRISE.join(&[0, 2]), uptime: 8_640_000, varbinds }
        .trap(Security::v2c("traps"), 0x1234_5678)
}

fn datagram() -> Vec<u8> {
    let mut datagram = Vec::new();
    if let Err(error) = trap().encode(&mut datagram) {
        eprintln!("the sample cannot be written: {error}");
    }
    datagram
}

#[divan::bench]
fn read_a_trap(bencher: Bencher<'_, '_>) {
    let datagram = datagram();
    bencher.bench_local(|| Message::decode(black_box(&datagram)).is_ok());
}

#[divan::bench]
fn read_a_trap_as_a_notification(bencher: Bencher<'_, '_>) {
    let datagram = datagram();
    bencher.bench_local(|| Notification::decode(black_box(&datagram)).is_ok());
}

#[divan::bench]
fn read_a_trap_into_a_message_of_its_own(bencher: Bencher<'_, '_>) {
    let datagram = datagram();
    bencher.bench_local(|| Message::decode(black_box(&datagram)).map(Message::into_owned).is_ok());
}

#[divan::bench]
fn read_a_trap_with_snmp_parser(bencher: Bencher<'_, '_>) {
    let datagram = datagram();
    bencher.bench_local(|| snmp_parser::parse_snmp_v2c(black_box(&datagram)).is_ok());
}

#[divan::bench]
fn read_a_trap_with_rasn(bencher: Bencher<'_, '_>) {
    use rasn_snmp::{v2::Pdus, v2c};
    let datagram = datagram();
    bencher.bench_local(|| rasn::ber::decode::<v2c::Message<Pdus>>(black_box(&datagram)).is_ok());
}

#[divan::bench]
fn write_a_trap(bencher: Bencher<'_, '_>) {
    let message = trap();
    let mut datagram = Vec::new();
    bencher.bench_local(|| {
        datagram.clear();
        black_box(&message).encode(&mut datagram).is_ok()
    });
}
