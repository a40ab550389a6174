//! Files go no faster than is allowed, both ways, and one that waits for that can be ended.

use core::num::NonZeroU64;
use std::time::{Duration, Instant};

use engine::file_server::{Cause, News, Rates, Settings};

use crate::client::Client;
use crate::world::{World, bytes, settings};

const SIZE: usize = 300_000;

async fn limited(bytes_each_second: u64) -> World {
    let rates = Rates { all: None, each: NonZeroU64::new(bytes_each_second) };
    World::limited("127.0.0.1:0", settings(), Settings { rates, ..Settings::default() }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_read_and_written_no_faster_than_is_allowed() {
    let world = limited(500_000).await;
    world.readable("image", &bytes(SIZE)).await;
    world.writable("backup", SIZE as u64).await;
    let mut client = Client::logged_in(&world).await;
    let begun = Instant::now();
    assert_eq!(client.retrieve("image").await, (bytes(SIZE), 226));
    let read = begun.elapsed();
    assert_eq!(client.store("backup", &bytes(SIZE)).await, 226);
    let written = begun.elapsed() - read;
    for took in [read, written] {
        assert!(took > Duration::from_millis(500), "300,000 bytes took {took:?}");
    }
    let News::Done { sha256, .. } = world.end("backup").await else { panic!("it is not stored") };
    assert_eq!(world.files.read(sha256).unwrap(), bytes(SIZE));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_begin_yet_waits_for_its_turn_and_how_far_it_is_is_told() {
    // One at a time has a share worth having.
    let rates = Rates { all: NonZeroU64::new(8000), each: None };
    let world = World::limited("127.0.0.1:0", settings(), Settings { rates, ..Settings::default() }).await;
    world.writable("first", 16_000).await;
    world.writable("second", 1000).await;
    let mut one = Client::logged_in(&world).await;
    let mut other = Client::logged_in(&world).await;
    let storing = tokio::spawn(async move { one.store("first", &bytes(16_000)).await });
    world.wait_for("first", |news| matches!(news, News::Progress { .. })).await;
    assert_eq!(other.store("second", &bytes(1000)).await, 226);
    assert_eq!(storing.await.unwrap(), 226);
    let News::Done { size: 1000, .. } = world.end("second").await else { panic!("it is not stored") };
    let begun_last = world.wait_for("second", |news| matches!(news, News::Begun { .. })).await;
    assert_eq!(begun_last, News::Begun { size: None });
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_leave_ends_with_its_ticket() {
    // The second piece would have to wait for hours.
    let world = limited(1).await;
    world.readable("image", &bytes(SIZE)).await;
    let mut client = Client::logged_in(&world).await;
    let reading = tokio::spawn(async move { client.retrieve("image").await });
    world.wait_for("image", |news| matches!(news, News::Begun { .. })).await;
    world.withdraw("image");
    assert_eq!(world.end("image").await, News::Failed { cause: Cause::Withdrawn });
    let (read, code) = reading.await.unwrap();
    assert!(read.len() < SIZE && code == 426, "{} bytes, {code}", read.len());
}
