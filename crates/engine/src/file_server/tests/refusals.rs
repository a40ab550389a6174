//! Whoever is refused gets one error packet, the director a report, and nothing else changes.

use tftp::{ErrorCode, Options, Packet};
use upgrade::{Protocol, TicketName};

use super::transfers::fast;
use super::world::{SECOND, World, address, bytes, ticket};
use crate::file_server::{News, Order, Port, Refusal, Report};

const DEVICE: &str = "127.0.5.1:2000";
const STRANGER: &str = "127.0.5.2:2000";

/// A world with one ticket to read and one to write, for 127.0.5.1.
fn world() -> World {
    let mut world = World::new();
    world.offer("image1", &bytes(5000, 1));
    world.expect("backup1", 1000);
    world
}

/// Sends one packet; it has to be refused, and only that.
fn assert_refused(peer: &str, port: Port, packet: &[u8], reason: Refusal, code: ErrorCode) {
    let mut world = world();
    world.packet(port, peer, packet);
    world.run_for(SECOND * 60);
    assert_eq!(world.refusals(), [reason], "{packet:?}");
    let [(_, to, answer)] = world.stray_answers.as_slice() else {
        panic!("{packet:?}: {:?}", world.stray_answers)
    };
    assert_eq!(*to, address(peer));
    let Ok(Packet::Error { code: answered, message }) = Packet::decode(answer) else { panic!("{answer:?}") };
    assert_eq!(answered, code, "{packet:?}");
    assert!(!message.is_empty());
    assert_eq!(world.server.transfers(), 0);

    // The rightful owner is served as if nothing had been.
    world.read(DEVICE, "image1", &fast());
    world.run_for(SECOND * 20);
    assert!(matches!(world.news("image1").last(), Some(News::Done { size: 5000, .. })));
    world.write("127.0.5.1:2001", "backup1", b"kept", &Options::default());
    world.run_for(SECOND * 20);
    assert!(matches!(world.news("backup1").last(), Some(News::Done { size: 4, .. })));
}

#[test]
fn each_refusal_has_its_error() {
    use ErrorCode::{
        AccessViolation, DiskFull, FileNotFound, IllegalOperation, OptionRefused, UnknownTransferId,
    };
    let table: [(&str, Port, &[u8], Refusal, ErrorCode); 15] = [
        (DEVICE, Port::Requests, b"\0\x01nothing\0octet\0", Refusal::UnknownName, FileNotFound),
        (DEVICE, Port::Requests, b"\0\x01../../etc/passwd\0octet\0", Refusal::UnknownName, FileNotFound),
        (DEVICE, Port::Requests, b"\0\x02\0octet\0", Refusal::UnknownName, FileNotFound),
        (STRANGER, Port::Requests, b"\0\x01image1\0octet\0", Refusal::OtherDevice, AccessViolation),
        (STRANGER, Port::Requests, b"\0\x02backup1\0octet\0", Refusal::OtherDevice, AccessViolation),
        (DEVICE, Port::Requests, b"\0\x02image1\0octet\0", Refusal::OtherDirection, AccessViolation),
        (DEVICE, Port::Requests, b"\0\x01backup1\0octet\0", Refusal::OtherDirection, AccessViolation),
        (DEVICE, Port::Requests, b"\0\x02backup1\0octet\0tsize\x001001\0", Refusal::TooLarge, DiskFull),
        (DEVICE, Port::Requests, b"\0\x01image1\0mail\0", Refusal::IllegalOperation, IllegalOperation),
        (DEVICE, Port::Requests, b"\0\x01image1", Refusal::IllegalOperation, IllegalOperation),
        (DEVICE, Port::Requests, b"\0\x09what\0", Refusal::IllegalOperation, IllegalOperation),
        (DEVICE, Port::Requests, b"\0\x01image1\0octet\0blksize", Refusal::BadOptions, OptionRefused),
        (STRANGER, Port::Transfers, b"\0\x04\0\x01", Refusal::UnknownTransfer, UnknownTransferId),
        (STRANGER, Port::Requests, b"\0\x03\0\x01data", Refusal::UnknownTransfer, UnknownTransferId),
        (STRANGER, Port::Transfers, b"\0\x06blksize\x008\0", Refusal::UnknownTransfer, UnknownTransferId),
    ];
    for (peer, port, packet, reason, code) in table {
        assert_refused(peer, port, packet, reason, code);
    }
}

#[test]
fn a_ticket_for_ftp_is_no_ticket_for_tftp() {
    let mut world = world();
    let mut ftp = ticket("file1", upgrade::Direction::Write, upgrade::Content::Arriving, 100);
    ftp.protocol = Protocol::Ftp;
    world.order(Order::Open(ftp));
    world.packet(Port::Requests, DEVICE, b"\0\x02file1\0octet\0");
    world.run_for(SECOND);
    assert_eq!(world.refusals(), [Refusal::OtherProtocol]);
}

#[test]
fn errors_and_scraps_are_never_answered() {
    let mut world = world();
    for packet in [b"\0\x05\0\x04no\0".as_slice(), b"\0\x05\0", b"\0\x05", b"", b"\0"] {
        world.packet(Port::Requests, STRANGER, packet);
        world.packet(Port::Transfers, STRANGER, packet);
    }
    world.run_for(SECOND);
    assert!(world.stray_answers.is_empty());
    assert!(world.refusals().is_empty());
}

#[test]
fn an_upload_that_grows_too_large_is_ended_and_may_be_tried_again() {
    let mut world = world();
    world.write(DEVICE, "backup1", &bytes(1001, 3), &Options::default());
    world.run_for(SECOND * 5);
    let failed = News::Failed { cause: crate::file_server::Cause::TooLarge { limit: 1000 } };
    assert_eq!(world.news("backup1").last(), Some(&failed));
    let Some(Err(tftp::Failure::Peer { code, .. })) = world.device(DEVICE).outcome() else { panic!() };
    assert_eq!(*code, ErrorCode::DiskFull);
    assert!(world.storage.unfinished.is_empty());
    world.write(DEVICE, "backup1", &bytes(1000, 3), &Options::default());
    world.run_for(SECOND * 5);
    assert!(matches!(world.news("backup1").last(), Some(News::Done { size: 1000, .. })));
}

#[test]
fn zero_bytes_behind_the_options_and_a_slash_before_the_name_are_forgiven() {
    let mut world = world();
    world.packet(Port::Requests, DEVICE, b"\0\x01/image1\0octet\0tsize\x000\0\0\0\0\0\0\0");
    world.run_for(SECOND / 100);
    assert_eq!(world.stray_answers[0].2, b"\0\x06tsize\x005000\0");
}

#[test]
fn a_flood_of_refusals_is_bounded_and_counted() {
    let mut world = world();
    let datagram = |number: u16| crate::datagram::Datagram {
        peer: (std::net::Ipv4Addr::LOCALHOST, number).into(),
        local: None,
        bytes: b"\0\x01\x1b[31mguess\0octet\0",
    };
    let flood: Vec<_> = (1..=1000).map(datagram).collect();
    world.server.handle(Port::Requests, &flood, world.now);
    let mut buffer = Vec::new();
    let answers = std::iter::from_fn(|| world.server.poll_transmit(world.now, &mut buffer)).count();
    let reports: Vec<_> = std::iter::from_fn(|| world.server.poll_report()).collect();
    assert_eq!((answers, reports.len(), world.server.refusals_uncounted()), (256, 256, 744));
    assert!(matches!(&reports[0], Report::Refused { name: Some(name), .. } if name == "[31mguess"));
}

#[test]
fn no_bytes_from_anywhere_disturb_the_server() {
    let mut world = world();
    for seed in 0..3000u64 {
        let mut packet = bytes((seed % 60) as usize, seed);
        if seed % 3 > 0 && packet.len() > 1 {
            packet[0] = 0;
            packet[1] %= 8;
        }
        let peer = if seed % 2 == 0 { DEVICE } else { STRANGER };
        let port = if seed % 5 == 0 { Port::Transfers } else { Port::Requests };
        world.packet(port, peer, &packet);
    }
    world.run_for(SECOND);
    assert_eq!(world.server.transfers(), 0);
    assert_eq!(world.news("image1"), [News::Ready]);
    world.order(Order::Withdraw(TicketName("image1".to_owned())));
}
