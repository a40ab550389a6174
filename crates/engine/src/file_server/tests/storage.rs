//! Storage that is slow, full, broken or silent.

use tftp::{ErrorCode, Failure, Options};
use upgrade::{Content, Direction};

use super::transfers::fast;
use super::world::{Health, SECOND, World, bytes, digest, ticket};
use crate::file_server::{Cause, FromStorage, News, Order, TransferId};

const DEVICE: &str = "127.0.5.1:2000";

#[test]
fn slow_storage_slows_transfers_and_breaks_none() {
    let mut world = World::new();
    world.storage.delay = SECOND * 3;
    let image = bytes(600_000, 1);
    let sha256 = world.offer("image1", &image);
    world.expect("backup1", 1 << 20);
    let backup = bytes(900_000, 2);
    world.read(DEVICE, "image1", &fast());
    world.write("127.0.5.1:2001", "backup1", &backup, &fast());
    world.run_for(SECOND * 120);
    assert_eq!(world.news("image1").last(), Some(&News::Done { size: 600_000, sha256 }));
    assert_eq!(world.news("backup1").last(), Some(&News::Done { size: 900_000, sha256: digest(&backup) }));
    assert!(world.packets_to.values().sum::<u64>() < 2000, "nothing is sent over and over meanwhile");
}

#[test]
fn a_full_disk_is_error_3_and_leaves_nothing_behind() {
    let mut world = World::new();
    world.storage.health = Health::Full;
    world.expect("backup1", 1 << 20);
    world.write(DEVICE, "backup1", &bytes(200_000, 2), &Options::default());
    world.run_for(SECOND * 20);
    assert_eq!(world.news("backup1").last(), Some(&News::Failed { cause: Cause::NoRoom }));
    let Some(Err(Failure::Peer { code, .. })) = world.device(DEVICE).outcome() else { panic!() };
    assert_eq!(*code, ErrorCode::DiskFull);
    assert!(world.storage.unfinished.is_empty() && world.uploads(&[]).is_empty());

    world.storage.health = Health::Good;
    world.write(DEVICE, "backup1", &bytes(200_000, 2), &Options::default());
    world.run_for(SECOND * 20);
    assert!(matches!(world.news("backup1").last(), Some(News::Done { .. })), "the ticket stayed good");
}

#[test]
fn storage_that_fails_at_the_very_end_is_no_success_for_the_device() {
    let mut world = World::new();
    world.storage.delay = SECOND;
    world.expect("backup1", 1 << 20);
    world.write(DEVICE, "backup1", &bytes(1000, 2), &Options::default());
    world.storage.health = Health::Broken;
    world.run_for(SECOND * 20);
    let cause = Cause::Storage("the disk is gone".to_owned());
    assert_eq!(world.news("backup1").last(), Some(&News::Failed { cause }));
    assert!(matches!(world.device(DEVICE).outcome(), Some(Err(Failure::Peer { .. }))));
}

#[test]
fn an_unreadable_image_ends_all_who_wait_for_it() {
    let mut world = World::new();
    let gone = Content::Stored { digest: digest(b"gone") };
    world.order(Order::Open(ticket("image1", Direction::Read, gone.clone(), 100)));
    world.order(Order::Open(ticket("image2", Direction::Read, gone, 100)));
    world.read(DEVICE, "image1", &fast());
    world.read("127.0.5.1:2001", "image2", &fast());
    world.run_for(SECOND * 5);
    for name in ["image1", "image2"] {
        let cause = Cause::Storage("the disk is gone".to_owned());
        assert_eq!(world.news(name).last(), Some(&News::Failed { cause }));
    }
    assert_eq!(world.storage.reads, 1);
}

#[test]
fn silent_storage_ends_a_transfer_in_bounded_time_and_is_asked_again_by_the_next() {
    let mut world = World::new();
    world.offer("image1", &bytes(5000, 1));
    world.expect("backup1", 100);
    world.storage.health = Health::Silent;
    world.read(DEVICE, "image1", &fast());
    world.write("127.0.5.1:2001", "backup1", b"x", &Options::default());
    world.run_for(SECOND * 40);
    let cause = Cause::Storage("no answer".to_owned());
    assert_eq!(world.news("image1").last(), Some(&News::Failed { cause: cause.clone() }));
    assert_eq!(world.news("backup1").last(), Some(&News::Failed { cause }));
    world.storage.health = Health::Good;
    world.read(DEVICE, "image1", &fast());
    world.run_for(SECOND * 10);
    assert!(matches!(world.news("image1").last(), Some(News::Done { .. })));
}

#[test]
fn a_stored_file_of_another_size_than_told_is_neither_padded_nor_cut() {
    let mut world = World::new();
    let image = bytes(5000, 1);
    let sha256 = world.offer("other", &image);
    let content = Content::Stored { digest: sha256 };
    world.order(Order::Open(ticket("image1", Direction::Read, content, 4000)));
    world.read(DEVICE, "image1", &fast());
    world.run_for(SECOND * 10);
    assert_eq!(world.device(DEVICE).received, image);
    assert_eq!(world.news("image1").last(), Some(&News::Done { size: 5000, sha256 }));
}

#[test]
fn answers_for_transfers_that_are_gone_are_ignored() {
    let mut world = World::new();
    let stored = FromStorage::Stored { transfer: TransferId(99), size: 1, sha256: digest(b"x") };
    world.server.storage(stored, world.now);
    world.server.storage(FromStorage::Written { transfer: TransferId(99), offset: 5 }, world.now);
    let chunk = FromStorage::Chunk { file: digest(b"x"), offset: 0, bytes: [1].into(), last: true };
    world.server.storage(chunk, world.now);
    assert_eq!(world.server.poll_report(), None);
}

#[test]
fn storage_that_kept_another_size_has_failed() {
    let mut world = World::new();
    world.storage.health = Health::Silent;
    world.expect("backup1", 100);
    world.write(DEVICE, "backup1", b"whole", &Options::default());
    world.run_for(SECOND);
    let stored = FromStorage::Stored { transfer: TransferId(1), size: 4, sha256: digest(b"whol") };
    world.server.storage(stored, world.now);
    world.run_for(SECOND);
    let cause = Cause::Storage("it kept 4 bytes".to_owned());
    assert_eq!(world.news("backup1").last(), Some(&News::Failed { cause }));
    assert!(matches!(world.device(DEVICE).outcome(), Some(Err(Failure::Peer { .. }))));
}

#[test]
fn a_device_that_comes_later_shares_what_is_in_memory() {
    let mut world = World::new();
    let image = bytes(200_000, 1);
    let sha256 = world.offer("image1", &image);
    let content = Content::Stored { digest: sha256 };
    world.order(Order::Open(ticket("image2", Direction::Read, content, 200_000)));
    world.read(DEVICE, "image1", &Options::default());
    world.run_for(SECOND / 2);
    world.read("127.0.5.1:2001", "image2", &Options::default());
    world.run_for(SECOND * 10);
    assert!(world.device("127.0.5.1:2001").received == image);
    assert_eq!(world.storage.reads, 1);
}
