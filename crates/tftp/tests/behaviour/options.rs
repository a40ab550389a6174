//! What both sides agree on (RFC 2347 to 2349, RFC 7440).

use super::*;

#[test]
fn servers_that_know_no_options_are_served_without() {
    let options = Options { block_size: Some(1428), window_size: Some(8), ..Options::default() };
    let mut receiver = Receiver::request("f", Mode::Octet, &options, NO_LIMIT, &Timing::default(), NOW);
    sent!(receiver, NOW);
    receiver.handle(&data(1, &[1; 512]), NOW);
    assert_eq!(sent!(receiver, NOW), [bytes_of(&ack(1))]);

    let mut sender = Sender::request("f", Mode::Octet, &options, &Timing::default(), NOW);
    sent!(sender, NOW);
    sender.handle(&ack(0), NOW);
    sender.supply(Chunk { offset: 0, bytes: [1; 2000].into(), last: true }, NOW);
    let packets = sent!(sender, NOW);
    assert_eq!((packets.len(), packets[0].len()), (1, 516));
}

#[test]
fn options_nobody_asked_for_are_refused_by_error_8() {
    let options = Options { block_size: Some(100), ..Options::default() };
    for wrong in [b"\0\x06blksize\x00101\0".as_slice(), b"\0\x06windowsize\x002\0", b"\0\x06blksize\x004\0"] {
        let oack = Packet::decode(wrong).unwrap();
        let mut receiver = Receiver::request("f", Mode::Octet, &options, NO_LIMIT, &Timing::default(), NOW);
        sent!(receiver, NOW);
        receiver.handle(&oack, NOW);
        let mut sender = Sender::request("f", Mode::Octet, &options, &Timing::default(), NOW);
        sent!(sender, NOW);
        sender.handle(&oack, NOW);
        for (packets, outcome) in
            [(sent!(receiver, NOW), receiver.outcome()), (sent!(sender, NOW), sender.outcome())]
        {
            assert!(packets[0].starts_with(b"\0\x05\0\x08"), "{packets:?}");
            assert_eq!(outcome, Some(&Err(Failure::OptionRefused)));
        }
    }
}

#[test]
fn a_window_larger_than_sane_is_cut() {
    let mut sender = sender(b"\0\x01f\0octet\0windowsize\x0065535\0", &[1; 200_000]);
    assert_eq!(sent!(sender, NOW), [b"\0\x06windowsize\x0064\0"]);
    sender.handle(&ack(0), NOW);
    assert_eq!(sent!(sender, NOW).len(), 64);
}

#[test]
fn the_timeout_option_is_kept_to_from_1_to_255() {
    for (asked, answered, first) in [("1", true, 1), ("255", true, 255), ("0", false, 3), ("256", false, 3)] {
        let read = format!("\0\x01f\0octet\0tsize\x000\0timeout\0{asked}\0");
        let timing = Timing { first: MS * 3000, ..Timing::default() };
        let mut sender = Sender::answer(&request(read.as_bytes()), Some(9), &Limits::default(), &timing, NOW);
        let oack = sent!(sender, NOW).remove(0);
        assert_eq!(oack.windows(7).any(|window| window == b"timeout"), answered, "{asked}");
        assert_eq!(sender.next_deadline(), Some(NOW + MS * 1000 * first), "{asked}");
    }
}

#[test]
fn a_wrong_tsize_neither_pads_nor_cuts() {
    for told in [0, 3, 5000] {
        let read = b"\0\x01f\0octet\0tsize\x000\0";
        let mut sender =
            Sender::answer(&request(read), Some(told), &Limits::default(), &Timing::default(), NOW);
        sender.supply(Chunk { offset: 0, bytes: [1; 700].into(), last: true }, NOW);
        assert_eq!(sent!(sender, NOW), [format!("\0\x06tsize\0{told}\0").into_bytes()]);
        sender.handle(&ack(0), NOW);
        assert_eq!(sent!(sender, NOW)[0].len(), 516);
        sender.handle(&ack(1), NOW);
        assert_eq!(sent!(sender, NOW)[0].len(), 4 + 188);
        sender.handle(&ack(2), NOW);
        assert_eq!(sender.outcome(), Some(&Ok(700)));

        let write = format!("\0\x02f\0octet\0tsize\0{told}\0");
        let mut receiver = receiver(write.as_bytes());
        assert_eq!(receiver.announced_size(), Some(told));
        receiver.handle(&data(1, &[7; 512]), NOW);
        receiver.handle(&data(2, &[7; 188]), NOW);
        assert_eq!(store_all(&mut receiver, NOW), [7; 700]);
        assert_eq!(receiver.outcome(), Some(&Ok(700)));
    }
}

#[test]
fn netascii_leaves_tsize_unanswered() {
    let mut sender = sender(b"\0\x01f\0netascii\0tsize\x000\0blksize\x00100\0", b"a\n");
    assert_eq!(sent!(sender, NOW), [b"\0\x06blksize\x00100\0"]);
    let mut without = self::sender(b"\0\x01f\0netascii\0tsize\x000\0", b"a\n");
    assert_eq!(sent!(without, NOW), [b"\0\x03\0\x01a\r\n"], "nothing is left to agree to");
}
