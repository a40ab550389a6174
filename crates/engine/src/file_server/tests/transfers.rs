//! Whole transfers, broken ones, and those begun again.

use core::time::Duration;

use tftp::{Options, Packet};
use upgrade::TicketName;

use super::world::{SECOND, World, address, bytes, digest};
use crate::file_server::{CHUNK_BYTES, Cause, News, Order, Port, Refusal};

const DEVICE: &str = "127.0.5.1:2000";
const SAME_DEVICE_ANOTHER_PORT: &str = "127.0.5.1:2001";

pub(super) fn fast() -> Options {
    Options { block_size: Some(1428), window_size: Some(16), transfer_size: Some(0), timeout_s: None }
}

#[test]
fn an_image_is_read_whole_and_its_ticket_is_used_up() {
    let mut world = World::new();
    let image = bytes(3 * CHUNK_BYTES + 17, 1);
    let sha256 = world.offer("image1", &image);
    assert_eq!(world.news("image1"), [News::Ready]);
    world.read(DEVICE, "image1", &fast());
    world.run_for(SECOND * 20);
    let size = image.len() as u64;
    assert_eq!(world.device(DEVICE).received, image);
    assert_eq!(world.device(DEVICE).port, Port::Transfers, "answers come from the transfers' port");
    let begun = News::Begun { size: Some(size) };
    assert_eq!(world.news("image1"), [News::Ready, begun, News::Done { size, sha256 }]);
    assert_eq!(world.storage.reads, 4);
    assert_eq!(world.server.transfers(), 0);

    world.read(SAME_DEVICE_ANOTHER_PORT, "image1", &fast());
    world.run_for(SECOND * 20);
    assert_eq!(world.refusals(), [Refusal::UnknownName], "once means once");
    assert!(world.device(SAME_DEVICE_ANOTHER_PORT).received.is_empty());
}

#[test]
fn a_backup_is_written_beside_and_acknowledged_when_it_is_stored() {
    let mut world = World::new();
    world.storage.delay = SECOND * 2;
    let backup = bytes(200_000, 2);
    world.expect("backup1", 1 << 20);
    world.write(DEVICE, "backup1", &backup, &Options::default());
    world.run_for(SECOND);
    assert!(world.uploads(&[]).is_empty(), "nothing is kept before all of it is there");
    assert_eq!(world.storage.unfinished.len(), 1);
    world.run_for(SECOND);
    assert_eq!(world.uploads(&[]), [&backup]);
    assert_eq!(world.device(DEVICE).outcome(), None, "storage has not answered yet");
    assert_eq!(world.news("backup1"), [News::Ready, News::Begun { size: None }]);
    world.run_for(SECOND * 20);
    assert_eq!(world.device(DEVICE).outcome(), Some(&Ok(200_000)));
    let done = News::Done { size: 200_000, sha256: digest(&backup) };
    assert_eq!(world.news("backup1").last(), Some(&done));
}

#[test]
fn an_empty_backup_is_a_file_too() {
    let mut world = World::new();
    world.expect("backup1", 10);
    world.write(DEVICE, "backup1", b"", &fast());
    world.run_for(SECOND * 20);
    assert_eq!(world.news("backup1").last(), Some(&News::Done { size: 0, sha256: digest(b"") }));
}

#[test]
fn lost_packets_delay_and_change_nothing() {
    for seed in 0..30 {
        let mut world = World::with_loss(20, seed);
        let image = bytes(100_000, seed);
        let sha256 = world.offer("image1", &image);
        world.expect("backup1", 1 << 20);
        let backup = bytes(30_000, seed + 1);
        world.read(DEVICE, "image1", &fast());
        world.write(SAME_DEVICE_ANOTHER_PORT, "backup1", &backup, &Options::default());
        world.run_for(SECOND * 600);
        assert_eq!(world.news("image1").last(), Some(&News::Done { size: 100_000, sha256 }), "seed {seed}");
        assert_eq!(world.uploads(&[sha256]), [&backup], "seed {seed}");
        let done = |news: &News| matches!(news, News::Done { .. });
        assert_eq!(world.news("backup1").iter().filter(|news| done(news)).count(), 1, "never doubled");
        assert_eq!(world.server.transfers(), 0);
    }
}

#[test]
fn progress_is_told_once_a_second_and_never_after_the_end() {
    let mut world = World::new();
    world.offer("image1", &bytes(1_000_000, 1));
    world.read(DEVICE, "image1", &Options::default());
    world.run_for(SECOND * 60);
    let news = world.all_news("image1");
    let progress: Vec<_> = news.iter().filter(|(_, news)| matches!(news, News::Progress { .. })).collect();
    assert!(progress.len() > 3);
    for pair in progress.windows(2) {
        assert!(pair[1].0 - pair[0].0 >= SECOND);
        assert!(matches!((&pair[0].1, &pair[1].1),
            (News::Progress { bytes: before }, News::Progress { bytes: after }) if before < after));
    }
    assert!(matches!(news.last(), Some((_, News::Done { .. }))));
}

#[test]
fn a_device_that_loses_power_frees_its_ticket_and_may_ask_again() {
    let mut world = World::new();
    let backup = bytes(1_000_000, 2);
    world.expect("backup1", 2_000_000);
    world.write(DEVICE, "backup1", &backup, &Options::default());
    world.run_for(SECOND);
    world.device(DEVICE).dead = true;
    world.run_for(SECOND * 40);
    assert_eq!(world.news("backup1").last(), Some(&News::Failed { cause: Cause::Silent }));
    assert!(world.storage.unfinished.is_empty(), "the unfinished file is removed");
    world.write(SAME_DEVICE_ANOTHER_PORT, "backup1", &backup, &fast());
    world.run_for(SECOND * 20);
    assert!(matches!(world.news("backup1").last(), Some(News::Done { size: 1_000_000, .. })));
    assert_eq!(world.uploads(&[]), [&backup]);
}

#[test]
fn a_restarted_device_need_not_wait_for_its_dead_transfer() {
    let mut world = World::new();
    let image = bytes(1_000_000, 2);
    world.offer("image1", &image);
    world.read(DEVICE, "image1", &Options::default());
    world.run_for(SECOND);
    world.device(DEVICE).dead = true;
    world.run_for(SECOND * 4);
    // From another port, as most do, and from the same one, as some do.
    world.read(SAME_DEVICE_ANOTHER_PORT, "image1", &Options::default());
    world.run_for(SECOND);
    world.device(SAME_DEVICE_ANOTHER_PORT).dead = true;
    world.run_for(SECOND * 4);
    world.read(SAME_DEVICE_ANOTHER_PORT, "image1", &fast());
    world.run_for(SECOND * 20);
    assert_eq!(world.device(SAME_DEVICE_ANOTHER_PORT).received, image);
    let begun = News::Begun { size: Some(1_000_000) };
    let replaced = News::Failed { cause: Cause::Replaced };
    let expected = [&News::Ready, &begun, &replaced, &begun, &replaced, &begun];
    assert_eq!(world.news("image1").iter().take(6).collect::<Vec<_>>(), expected);
    assert!(matches!(world.news("image1").last(), Some(News::Done { .. })));
}

#[test]
fn a_transfer_that_never_moved_makes_room_at_once() {
    let mut world = World::new();
    let image = bytes(400_000, 2);
    world.offer("image1", &image);
    world.packet(Port::Requests, DEVICE, b"\0\x01image1\0octet\0");
    world.read(SAME_DEVICE_ANOTHER_PORT, "image1", &fast());
    world.run_for(SECOND * 20);
    assert!(world.refusals().is_empty());
    assert_eq!(world.device(SAME_DEVICE_ANOTHER_PORT).received, image);
}

#[test]
fn a_ticket_whose_transfer_broke_still_expires() {
    let mut world = World::new();
    world.offer("image1", &bytes(1000, 2));
    world.packet(Port::Requests, DEVICE, b"\0\x01image1\0octet\0");
    world.run_for(SECOND * 4000);
    let failed = |cause| News::Failed { cause };
    let begun = News::Begun { size: Some(1000) };
    assert_eq!(world.news("image1"), [News::Ready, begun, failed(Cause::Silent), failed(Cause::Expired)]);
}

#[test]
fn a_second_request_while_the_transfer_moves_is_refused_and_disturbs_nothing() {
    let mut world = World::new();
    let image = bytes(400_000, 2);
    world.offer("image1", &image);
    world.read(DEVICE, "image1", &Options::default());
    world.run_for(SECOND / 2);
    world.read(SAME_DEVICE_ANOTHER_PORT, "image1", &Options::default());
    world.run_for(SECOND * 20);
    assert_eq!(world.refusals(), [Refusal::Busy]);
    assert_eq!(world.device(DEVICE).received, image);
    assert_eq!(world.news("image1").len(), 3);
}

#[test]
fn a_repeated_request_is_answered_again_and_begins_nothing() {
    let mut world = World::new();
    world.offer("image1", &bytes(100, 2));
    let request = b"\0\x01image1\0octet\0blksize\x0064\0";
    for _ in 0..3 {
        world.packet(Port::Requests, DEVICE, request);
    }
    world.run_for(SECOND / 10);
    let answers: Vec<_> = world.stray_answers.iter().map(|(_, _, bytes)| bytes.as_slice()).collect();
    assert_eq!(answers, [b"\0\x06blksize\x0064\0"; 3]);
    assert_eq!(world.news("image1").len(), 2, "ready, begun");
}

#[test]
fn what_comes_late_for_a_transfer_that_has_ended_is_not_answered_by_an_error() {
    let mut world = World::new();
    world.expect("backup1", 100);
    world.offer("image1", b"short");
    world.write(DEVICE, "backup1", b"short", &Options::default());
    world.read(SAME_DEVICE_ANOTHER_PORT, "image1", &Options::default());
    world.run_for(SECOND);
    let packets = world.packets_to.clone();
    world.packet(Port::Requests, DEVICE, b"\0\x02backup1\0octet\0");
    world.packet(Port::Transfers, SAME_DEVICE_ANOTHER_PORT, b"\0\x04\0\x01");
    world.packet(Port::Requests, SAME_DEVICE_ANOTHER_PORT, b"\0\x01image1\0octet\0");
    world.run_for(SECOND);
    assert_eq!(world.packets_to, packets);
    assert!(world.refusals().is_empty());
}

#[test]
fn who_asks_and_says_nothing_more_gets_few_packets() {
    let mut world = World::new();
    world.offer("image1", &bytes(1_000_000, 2));
    world.packet(Port::Requests, DEVICE, b"\0\x01image1\0octet\0blksize\x001428\0windowsize\x0064\0");
    world.run_for(SECOND * 300);
    let packets = world.packets_to[&address(DEVICE)];
    assert!(packets <= 14, "{packets}");
    assert_eq!(world.news("image1").last(), Some(&News::Failed { cause: Cause::Silent }));
    assert_eq!(world.server.transfers(), 0);
}

#[test]
fn a_device_that_gives_up_is_quoted() {
    let mut world = World::new();
    world.offer("image1", &bytes(100, 2));
    world.packet(Port::Requests, DEVICE, b"\0\x01image1\0octet\0");
    world.packet(Port::Transfers, DEVICE, b"\0\x05\0\x03flash is full\0");
    world.run_for(SECOND * 3);
    let words = "error 3 (disk full): flash is full".to_owned();
    assert_eq!(world.news("image1").last(), Some(&News::Failed { cause: Cause::Device(words) }));
    assert_eq!(world.server.transfers(), 0);
}

#[test]
fn a_lost_last_acknowledgement_leaves_it_open_whether_the_device_has_the_file() {
    let mut world = World::new();
    world.offer("image1", &bytes(100, 2));
    world.packet(Port::Requests, DEVICE, b"\0\x01image1\0octet\0");
    world.run_for(SECOND * 60);
    assert_eq!(world.news("image1").last(), Some(&News::Failed { cause: Cause::Unconfirmed }));
}

#[test]
fn a_withdrawn_ticket_ends_its_transfer_and_the_device_is_told() {
    let mut world = World::new();
    world.expect("backup1", 2_000_000);
    world.write(DEVICE, "backup1", &bytes(1_000_000, 2), &Options::default());
    world.run_for(SECOND);
    world.order(Order::Withdraw(TicketName("backup1".to_owned())));
    world.run_for(SECOND);
    assert_eq!(world.news("backup1").last(), Some(&News::Failed { cause: Cause::Withdrawn }));
    assert!(matches!(world.device(DEVICE).outcome(), Some(Err(tftp::Failure::Peer { .. }))));
    assert!(world.storage.unfinished.is_empty());
    world.write(SAME_DEVICE_ANOTHER_PORT, "backup1", b"x", &Options::default());
    world.run_for(SECOND);
    assert_eq!(world.refusals(), [Refusal::UnknownName]);
}

#[test]
fn a_ticket_expires_used_or_not() {
    let mut world = World::new();
    world.offer("unused", &bytes(100, 2));
    world.expect("used", 2_000_000);
    world.run_for(SECOND * 3599);
    world.write(DEVICE, "used", &bytes(1_000_000, 2), &Options::default());
    world.run_for(SECOND * 2);
    assert_eq!(world.news("unused"), [News::Ready, News::Failed { cause: Cause::Expired }]);
    assert_eq!(world.news("used").last(), Some(&News::Failed { cause: Cause::Expired }));
    assert!(matches!(world.device(DEVICE).outcome(), Some(Err(tftp::Failure::Peer { .. }))));
    world.read(SAME_DEVICE_ANOTHER_PORT, "unused", &fast());
    world.run_for(SECOND);
    assert_eq!(world.refusals(), [Refusal::UnknownName]);
}

/// Found by the deterministic world: an order to open it again was on its way while its transfer ended.
#[test]
fn a_ticket_that_was_used_up_is_not_opened_again() {
    let mut world = World::new();
    let image = bytes(100, 2);
    world.offer("image1", &image);
    world.read(DEVICE, "image1", &fast());
    world.run_for(SECOND);
    assert!(matches!(world.news("image1").last(), Some(News::Done { .. })));
    world.offer("image1", &image);
    assert_eq!(world.server.tickets(), 0);
    world.read(SAME_DEVICE_ANOTHER_PORT, "image1", &fast());
    world.run_for(SECOND);
    assert_eq!(world.refusals(), [Refusal::UnknownName]);
    world.run_for(SECOND * 3600);
    world.offer("image1", &image);
    assert_eq!(world.server.tickets(), 1, "its name is forgotten with its time");
}

#[test]
fn a_ticket_opened_again_is_ready_again_and_its_transfer_goes_on() {
    let mut world = World::new();
    let image = bytes(400_000, 2);
    world.offer("image1", &image);
    world.read(DEVICE, "image1", &Options::default());
    world.run_for(SECOND / 2);
    world.offer("image1", &image);
    world.run_for(SECOND * 20);
    assert_eq!(world.device(DEVICE).received, image);
    assert_eq!(world.news("image1").iter().filter(|news| **news == News::Ready).count(), 2);
}

#[test]
fn a_ticket_opened_again_for_longer_lasts_longer_and_its_transfer_goes_on() {
    let mut world = World::new();
    let image = bytes(400_000, 2);
    let content = upgrade::Content::Stored { digest: world.offer("image1", &image) };
    world.read(DEVICE, "image1", &Options::default());
    world.run_for(SECOND / 2);
    let longer = super::world::ticket("image1", upgrade::Direction::Read, content, image.len() as u64);
    let expires = longer.expires + SECOND * 3600;
    world.order(Order::Open(upgrade::Ticket { expires, ..longer }));
    world.run_for(SECOND * 20);
    assert_eq!(world.device(DEVICE).received, image);
    assert!(matches!(world.news("image1").last(), Some(News::Done { .. })));

    world.expect("backup1", 100);
    let longer = super::world::ticket("backup1", upgrade::Direction::Write, upgrade::Content::Arriving, 100);
    world.order(Order::Open(upgrade::Ticket { expires: longer.expires + SECOND * 3600, ..longer }));
    world.run_for(SECOND * 3700);
    assert!(!world.news("backup1").contains(&News::Failed { cause: Cause::Expired }), "it lasts longer now");
    world.run_for(SECOND * 3600);
    assert_eq!(world.news("backup1").last(), Some(&News::Failed { cause: Cause::Expired }));
}

#[test]
fn another_transfer_from_the_same_port_ends_the_first() {
    let mut world = World::new();
    world.offer("image1", &bytes(400_000, 2));
    world.offer("image2", &bytes(400_000, 3));
    world.read(DEVICE, "image1", &Options::default());
    world.run_for(SECOND / 2);
    world.read(DEVICE, "image2", &Options::default());
    world.run_for(SECOND * 20);
    assert_eq!(world.news("image1").last(), Some(&News::Failed { cause: Cause::Replaced }));
    assert!(matches!(world.news("image2").last(), Some(News::Done { .. })));
}

#[test]
fn a_whole_fleet_reads_each_piece_of_the_image_once() {
    let mut world = World::new();
    let image = bytes(2 * CHUNK_BYTES + 5, 2);
    let sha256 = world.offer("image0", &image);
    let content = upgrade::Content::Stored { digest: sha256 };
    for number in 1..=50 {
        let mut ticket = super::world::ticket(
            &format!("image{number}"),
            upgrade::Direction::Read,
            content.clone(),
            image.len() as u64,
        );
        ticket.address = format!("127.0.6.{number}").parse().unwrap();
        world.order(Order::Open(ticket));
    }
    for number in 1..=50 {
        world.read(&format!("127.0.6.{number}:69"), &format!("image{number}"), &fast());
    }
    world.run_for(SECOND * 30);
    for number in 1..=50 {
        assert!(world.device(&format!("127.0.6.{number}:69")).received == image, "{number}");
    }
    assert_eq!(world.storage.reads, 3);
}

#[test]
fn netascii_turns_line_ends_and_counts_the_file_as_it_is_stored() {
    let mut world = World::new();
    world.expect("backup1", 100);
    world.packet(Port::Requests, DEVICE, b"\0\x02backup1\0netascii\0");
    let mut data = Vec::new();
    Packet::Data { block: 1, bytes: b"one\r\ntwo\r\n" }.encode(&mut data);
    world.packet(Port::Transfers, DEVICE, &data);
    world.run_for(Duration::from_millis(10));
    assert_eq!(world.uploads(&[]), [b"one\ntwo\n"]);
    assert!(matches!(world.news("backup1").last(), Some(News::Done { size: 8, .. })));
}
