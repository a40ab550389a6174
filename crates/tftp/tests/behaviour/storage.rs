//! What goes over is only acknowledged once it is kept, and kept no longer than it is needed.

use super::*;

#[test]
fn the_last_ack_waits_for_storage() {
    let mut receiver = receiver(b"\0\x02f\0octet\0");
    assert_eq!(sent!(receiver, NOW), [bytes_of(&ack(0))]);
    receiver.handle(&data(1, &[1; 512]), NOW);
    assert_eq!(sent!(receiver, NOW), [bytes_of(&ack(1))]);
    receiver.handle(&data(2, b"end"), NOW);
    let write = receiver.poll_write().unwrap();
    assert_eq!((write.offset, write.bytes.len(), write.last), (0, 515, true));
    assert_eq!(receiver.poll_write(), None);
    receiver.handle(&data(2, b"end"), NOW + MS * 900);
    assert!(sent!(receiver, NOW + MS * 5000).is_empty());
    assert_eq!(receiver.outcome(), None);
    receiver.stored(NOW + MS * 6000);
    assert_eq!(sent!(receiver, NOW + MS * 6000), [bytes_of(&ack(2))]);
    assert_eq!(receiver.outcome(), Some(&Ok(515)));
}

#[test]
fn an_ack_that_was_due_does_not_go_out_for_the_last_block_too_early() {
    let mut receiver = receiver(b"\0\x02f\0octet\0windowsize\x002\0");
    sent!(receiver, NOW);
    // They come in one batch: the ACK of the window is due when the end of the file is there.
    receiver.handle(&data(1, &[1; 512]), NOW);
    receiver.handle(&data(2, &[1; 512]), NOW);
    receiver.handle(&data(3, b"end"), NOW);
    assert!(sent!(receiver, NOW).is_empty(), "storage has nothing yet");
    store_all(&mut receiver, NOW);
    assert_eq!(sent!(receiver, NOW), [bytes_of(&ack(3))]);
}

#[test]
fn a_sender_lets_go_of_what_was_acknowledged() {
    let mut sender =
        Sender::answer(&request(b"\0\x01f\0octet\0"), None, &Limits::default(), &Timing::default(), NOW);
    let piece: Arc<[u8]> = [1; 1024].into();
    sender.poll_need();
    sender.supply(Chunk { offset: 0, bytes: Arc::clone(&piece), last: false }, NOW);
    for block in 1..=2 {
        assert_eq!(Arc::strong_count(&piece), 2, "block {block} may have to be sent again");
        assert_eq!(blocks(&sent!(sender, NOW)), [block]);
        sender.handle(&ack(block), NOW);
    }
    assert_eq!(Arc::strong_count(&piece), 1);
    assert_eq!(sender.poll_need().map(|need| need.offset), Some(1024));
}

#[test]
fn storage_that_fails_is_an_error_and_no_ack() {
    for (failure, code) in [
        (Failure::DiskFull, ErrorCode::DiskFull),
        (Failure::Storage("gone".to_owned()), ErrorCode::NotDefined),
    ] {
        let mut receiver = receiver(b"\0\x02f\0octet\0");
        sent!(receiver, NOW);
        receiver.handle(&data(1, b"all"), NOW);
        receiver.fail(failure.clone());
        receiver.stored(NOW);
        let packets = sent!(receiver, NOW);
        assert!(matches!(Packet::decode(&packets[0]), Ok(Packet::Error { code: told, .. }) if told == code));
        assert_eq!((packets.len(), receiver.outcome()), (1, Some(&Err(failure))));
        assert!(receiver.is_over());
    }
}

#[test]
fn slow_storage_withholds_acks_and_bounds_memory() {
    let mut receiver = receiver(b"\0\x02f\0octet\0blksize\x0065464\0");
    sent!(receiver, NOW);
    let mut block = 0;
    let mut taken = 0;
    // The peer sends the next block whenever the last one is acknowledged.
    while taken < 10 {
        block += 1;
        taken += 1;
        receiver.handle(&data(block, &[1; 65_464]), NOW);
        if sent!(receiver, NOW).is_empty() {
            break;
        }
    }
    assert_eq!(block, 5, "a little more than 256 KiB");
    let mut written = 0;
    while let Some(write) = receiver.poll_write() {
        written += write.bytes.len() as u64;
    }
    assert!(sent!(receiver, NOW + MS * 20_000).is_empty());
    receiver.written(written, NOW + MS * 20_000);
    assert_eq!(sent!(receiver, NOW + MS * 20_000), [bytes_of(&ack(5))]);
    assert!(receiver.next_deadline().unwrap() > NOW + MS * 20_000, "the peer's silence counts from here");
}
