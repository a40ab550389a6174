//! Single rules of the RFCs, packet by packet.

#![allow(clippy::unwrap_used, clippy::panic, reason = "this is a test")]

use core::time::Duration;
use std::sync::Arc;

use proptest::prelude::*;
use tftp::{Chunk, ErrorCode, Failure, Limits, Mode, Options, Packet, Receiver, Request, Sender, Timing};

const NOW: Duration = Duration::from_secs(100);
const MS: Duration = Duration::from_millis(1);
const NO_LIMIT: u64 = u64::MAX;

/// Everything a side has to send now, packet by packet.
macro_rules! sent {
    ($side:expr, $now:expr) => {{
        let mut buffer = Vec::new();
        let mut packets: Vec<Vec<u8>> = Vec::new();
        while let Some(transmit) = $side.poll_transmit($now, &mut buffer) {
            packets.extend(buffer.chunks(transmit.segment_size).map(<[u8]>::to_vec));
        }
        packets
    }};
}

mod options;
mod storage;

fn request(bytes: &[u8]) -> Request<'_> {
    match Packet::decode(bytes) {
        Ok(Packet::Request(request)) => request,
        other => panic!("{other:?}"),
    }
}

/// A server that sends `file` to whoever sent this request.
fn sender(read_request: &[u8], file: &[u8]) -> Sender {
    let size = Some(file.len() as u64);
    let mut sender =
        Sender::answer(&request(read_request), size, &Limits::default(), &Timing::default(), NOW);
    assert!(sender.poll_need().is_some());
    sender.supply(Chunk { offset: 0, bytes: file.into(), last: true }, NOW);
    sender
}

/// A server that receives from whoever sent this request.
fn receiver(write_request: &[u8]) -> Receiver {
    Receiver::answer(&request(write_request), NO_LIMIT, &Limits::default(), &Timing::default(), NOW)
}

fn ack(block: u16) -> Packet<'static> {
    Packet::Acknowledgement { block }
}

fn data(block: u16, bytes: &[u8]) -> Packet<'_> {
    Packet::Data { block, bytes }
}

fn bytes_of(packet: &Packet<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    packet.encode(&mut bytes);
    bytes
}

/// The block numbers of DATA packets.
fn blocks(packets: &[Vec<u8>]) -> Vec<u16> {
    let number = |bytes: &Vec<u8>| match Packet::decode(bytes) {
        Ok(Packet::Data { block, .. }) => block,
        other => panic!("{other:?}"),
    };
    packets.iter().map(number).collect()
}

fn store_all(receiver: &mut Receiver, now: Duration) -> Vec<u8> {
    let mut file = Vec::new();
    while let Some(write) = receiver.poll_write() {
        file.extend(write.bytes);
        receiver.written(file.len() as u64, now);
        if write.last {
            receiver.stored(now);
        }
    }
    file
}

#[test]
fn a_file_of_whole_blocks_ends_with_an_empty_one() {
    for (size, expected) in [(0, vec![0]), (511, vec![511]), (512, vec![512, 0]), (1024, vec![512, 512, 0])] {
        let mut sender = sender(b"\0\x01f\0octet\0", &vec![1; size]);
        for (number, length) in expected.iter().enumerate() {
            let packets = sent!(sender, NOW);
            assert_eq!(packets.len(), 1);
            assert_eq!(packets[0].len(), 4 + length, "{size} bytes, block {}", number + 1);
            assert_eq!(sender.outcome(), None);
            sender.handle(&ack(number as u16 + 1), NOW);
        }
        assert_eq!(sender.outcome(), Some(&Ok(size as u64)));
        assert!(sender.is_over() && sent!(sender, NOW).is_empty());
    }
}

#[test]
fn a_repeated_ack_never_sends_data_again() {
    let mut sender = sender(b"\0\x01f\0octet\0", &[1; 2000]);
    assert_eq!(blocks(&sent!(sender, NOW)), [1]);
    sender.handle(&ack(1), NOW + MS);
    assert_eq!(blocks(&sent!(sender, NOW + MS)), [2]);
    for _ in 0..10 {
        sender.handle(&ack(1), NOW + MS * 2);
        sender.handle(&ack(0), NOW + MS * 2);
        assert!(sent!(sender, NOW + MS * 2).is_empty(), "only a time-out may");
    }
    assert_eq!(blocks(&sent!(sender, NOW + MS * 100)), [2]);
}

#[test]
fn a_gap_in_a_window_is_sent_again_from_there_and_the_first_block_too() {
    let mut sender = sender(b"\0\x01f\0octet\0windowsize\x004\0", &[1; 6000]);
    sent!(sender, NOW);
    sender.handle(&ack(0), NOW + MS);
    assert_eq!(blocks(&sent!(sender, NOW + MS)), [1, 2, 3, 4]);
    sender.handle(&ack(2), NOW + MS * 2);
    assert_eq!(blocks(&sent!(sender, NOW + MS * 2)), [3, 4, 5, 6]);
    // Blocks 1 and 2 were sent once, so this ACK says that block 3 is missing.
    sender.handle(&ack(2), NOW + MS * 3);
    assert_eq!(blocks(&sent!(sender, NOW + MS * 3)), [3, 4, 5, 6]);
}

#[test]
fn a_gap_is_reported_at_once_even_at_the_first_block_of_the_transfer() {
    let mut receiver = receiver(b"\0\x02f\0octet\0windowsize\x004\0");
    assert_eq!(sent!(receiver, NOW), [b"\0\x06windowsize\x004\0"]);
    receiver.handle(&data(2, &[2; 512]), NOW);
    assert_eq!(sent!(receiver, NOW), [bytes_of(&ack(0))]);
    receiver.handle(&data(3, &[3; 512]), NOW);
    receiver.handle(&data(4, &[4; 512]), NOW);
    assert!(sent!(receiver, NOW).is_empty(), "once is enough");
    receiver.handle(&data(1, &[1; 512]), NOW);
    receiver.handle(&data(2, &[2; 512]), NOW);
    receiver.handle(&data(4, &[4; 512]), NOW);
    assert_eq!(sent!(receiver, NOW), [bytes_of(&ack(2))]);
}

#[test]
fn a_lost_oack_is_sent_again_when_time_is_up_or_the_request_comes_again() {
    let read = b"\0\x01f\0octet\0blksize\x00100\0";
    let mut sender = sender(read, &[1; 50]);
    let oack = sent!(sender, NOW);
    assert_eq!(oack, [b"\0\x06blksize\x00100\0"]);
    assert_eq!(sender.next_deadline(), Some(NOW + MS * 1000));
    assert_eq!(sent!(sender, NOW + MS * 1000), oack);
    sender.handle(&Packet::Request(request(read)), NOW + MS * 1001);
    assert_eq!(sent!(sender, NOW + MS * 1001), oack);
    sender.handle(&ack(0), NOW + MS * 1002);
    assert_eq!(blocks(&sent!(sender, NOW + MS * 1002)), [1]);

    let write = b"\0\x02f\0octet\0blksize\x00100\0";
    let mut receiver = receiver(write);
    let oack = sent!(receiver, NOW);
    assert_eq!(sent!(receiver, NOW + MS * 1000), oack);
    receiver.handle(&Packet::Request(request(write)), NOW + MS * 1001);
    assert_eq!(sent!(receiver, NOW + MS * 1001), oack);
}

#[test]
fn a_repeated_oack_says_that_ack_0_was_lost() {
    let options = Options { block_size: Some(100), ..Options::default() };
    let mut receiver = Receiver::request("f", Mode::Octet, &options, NO_LIMIT, &Timing::default(), NOW);
    assert_eq!(sent!(receiver, NOW), [b"\0\x01f\0octet\0blksize\x00100\0"]);
    let oack = Packet::decode(b"\0\x06blksize\x00100\0").unwrap();
    for _ in 0..2 {
        receiver.handle(&oack, NOW);
        assert_eq!(sent!(receiver, NOW), [bytes_of(&ack(0))]);
    }
}

#[test]
fn a_carriage_return_at_the_very_end_is_kept() {
    let mut receiver = receiver(b"\0\x02f\0netascii\0");
    sent!(receiver, NOW);
    receiver.handle(&data(1, b"a\r\nb\r"), NOW);
    assert_eq!(store_all(&mut receiver, NOW), b"a\nb\r");
}

#[test]
fn a_repeated_last_block_is_acknowledged_for_a_while() {
    let mut receiver = receiver(b"\0\x02f\0octet\0");
    sent!(receiver, NOW);
    receiver.handle(&data(1, b"all"), NOW);
    store_all(&mut receiver, NOW);
    assert_eq!(sent!(receiver, NOW), [bytes_of(&ack(1))]);
    assert!(!receiver.is_over());
    receiver.handle(&data(1, b"all"), NOW + MS * 9000);
    assert_eq!(sent!(receiver, NOW + MS * 9000), [bytes_of(&ack(1))]);
    assert_eq!(receiver.next_deadline(), Some(NOW + MS * 10_000));
    assert!(sent!(receiver, NOW + MS * 10_000).is_empty());
    assert!(receiver.is_over());
    receiver.handle(&data(1, b"all"), NOW + MS * 10_001);
    assert!(sent!(receiver, NOW + MS * 10_001).is_empty());
}

/// Drives a side until it is over, without any answer, and counts what it sends.
macro_rules! left_alone {
    ($side:expr) => {{
        let mut packets = Vec::new();
        let mut now = NOW;
        while !$side.is_over() {
            packets.extend(sent!($side, now));
            now = $side.next_deadline().unwrap_or(now);
        }
        assert!(now <= NOW + MS * 30_000, "{now:?}");
        packets
    }};
}

#[test]
fn a_sender_without_its_last_ack_gives_up_quietly() {
    let mut sender = sender(b"\0\x01f\0octet\0", b"all");
    let packets = left_alone!(sender);
    assert!((5..=14).contains(&packets.len()), "{}", packets.len());
    assert_eq!(blocks(&packets), vec![1; packets.len()], "and without an error");
    assert_eq!(sender.outcome(), Some(&Err(Failure::Unconfirmed)));
}

#[test]
fn everyone_gives_up_on_a_silent_peer_after_few_packets() {
    let mut sender = sender(b"\0\x01f\0octet\0windowsize\x008\0", &[1; 100_000]);
    assert!(left_alone!(sender).len() <= 14);
    assert_eq!(sender.outcome(), Some(&Err(Failure::Silent)));
    let mut client = Receiver::request("f", Mode::Octet, &Options::default(), 9, &Timing::default(), NOW);
    assert!(left_alone!(client).len() <= 14);
    assert_eq!(client.outcome(), Some(&Err(Failure::Silent)));
    let mut server = receiver(b"\0\x02f\0octet\0");
    assert!(left_alone!(server).len() <= 14);
    assert_eq!(server.outcome(), Some(&Err(Failure::Silent)));
}

#[test]
fn a_receiver_waits_longer_than_a_sender_so_that_not_both_send_again() {
    let mut sender = sender(b"\0\x01f\0octet\0", &[1; 2000]);
    sent!(sender, NOW);
    let mut receiver = receiver(b"\0\x02f\0octet\0");
    sent!(receiver, NOW);
    assert_eq!(sender.next_deadline(), Some(NOW + MS * 1000));
    assert_eq!(receiver.next_deadline(), Some(NOW + MS * 2000));
    assert_eq!(sent!(receiver, NOW + MS * 2000), [bytes_of(&ack(0))]);
}

#[test]
fn a_sender_whose_storage_is_silent_says_so() {
    let mut sender =
        Sender::answer(&request(b"\0\x01f\0octet\0"), None, &Limits::default(), &Timing::default(), NOW);
    assert!(sender.poll_need().is_some());
    assert_eq!(sender.poll_need(), None, "asked once");
    let packets = left_alone!(sender);
    assert!(packets[0].starts_with(b"\0\x05\0\0"), "{packets:?}");
    assert_eq!(sender.outcome(), Some(&Err(Failure::StorageSilent)));
}

#[test]
fn an_error_of_the_peer_ends_it_without_an_answer() {
    let error = Packet::Error { code: ErrorCode::DiskFull, message: b"flash is full" };
    let failure = Failure::Peer { code: ErrorCode::DiskFull, message: "flash is full".to_owned() };
    let mut sender = sender(b"\0\x01f\0octet\0", &[1; 2000]);
    sent!(sender, NOW);
    sender.handle(&error, NOW);
    assert_eq!((sent!(sender, NOW).len(), sender.outcome()), (0, Some(&Err(failure.clone()))));
    let mut receiver = receiver(b"\0\x02f\0octet\0");
    sent!(receiver, NOW);
    receiver.handle(&error, NOW);
    assert_eq!((sent!(receiver, NOW).len(), receiver.outcome()), (0, Some(&Err(failure))));
}

#[test]
fn blocks_and_files_that_are_too_large_are_refused() {
    let mut large_block = receiver(b"\0\x02f\0octet\0blksize\x00100\0");
    sent!(large_block, NOW);
    large_block.handle(&data(1, &[1; 101]), NOW);
    assert!(sent!(large_block, NOW)[0].starts_with(b"\0\x05\0\x04"));
    assert_eq!(large_block.outcome(), Some(&Err(Failure::OversizedBlock)));

    let limited =
        |write: &[u8]| Receiver::answer(&request(write), 600, &Limits::default(), &Timing::default(), NOW);
    let mut announced = limited(b"\0\x02f\0octet\0tsize\x00601\0");
    assert!(sent!(announced, NOW)[0].starts_with(b"\0\x05\0\x03"));
    let mut grown = limited(b"\0\x02f\0octet\0");
    sent!(grown, NOW);
    grown.handle(&data(1, &[1; 512]), NOW);
    sent!(grown, NOW);
    grown.handle(&data(2, &[1; 89]), NOW);
    assert!(sent!(grown, NOW)[0].starts_with(b"\0\x05\0\x03"));
    assert_eq!(grown.outcome(), Some(&Err(Failure::TooLarge { limit: 600 })));
    assert_eq!(grown.poll_write(), None);
}

proptest! {
    #[test]
    fn no_packets_in_any_order_make_a_side_panic_or_babble(
        options in prop_oneof![Just(""), Just("blksize\08\0windowsize\x003\0"), Just("windowsize\x0090\0tsize\x000\0")],
        packets in prop::collection::vec((1u8..7, 0u16..8, 0usize..20, 0u32..3000), 1..80),
    ) {
        let read = format!("\0\x01f\0octet\0{options}");
        let write = format!("\0\x02f\0octet\0{options}");
        let asked = Options { block_size: Some(8), window_size: Some(3), ..Options::default() };
        let mut senders = [
            sender(read.as_bytes(), &[1; 90]),
            Sender::request("f", Mode::Netascii, &asked, &Timing::default(), NOW),
        ];
        senders[1].supply(Chunk { offset: 0, bytes: [b'\n'; 90].into(), last: true }, NOW);
        let mut receivers = [
            receiver(write.as_bytes()),
            Receiver::request("f", Mode::Netascii, &asked, 100, &Timing::default(), NOW),
        ];
        let mut now = NOW;
        let mut count = 0;
        for (operation, number, length, pause) in packets {
            now += Duration::from_millis(pause.into());
            count += 1;
            let mut bytes = vec![0, operation];
            match operation {
                1 | 2 => bytes.extend(b"f\0octet\0"),
                6 => bytes.extend(b"blksize\x008\0"),
                _ => bytes.extend(number.wrapping_sub(1).to_be_bytes()),
            }
            bytes.resize(bytes.len() + length, 0);
            let Ok(packet) = Packet::decode(&bytes) else { continue };
            for sender in &mut senders {
                sender.handle(&packet, now);
                sent!(sender, now);
                prop_assert!(sender.packets_sent() <= count * 64 + 64);
                prop_assert_eq!(sender.outcome().is_some(), sender.is_over());
            }
            for receiver in &mut receivers {
                receiver.handle(&packet, now);
                store_all(receiver, now);
                sent!(receiver, now);
                prop_assert!(receiver.packets_sent() <= count * 2 + 2);
            }
        }
    }
}
