//! Connections break, devices fall silent, tickets are withdrawn: what is half there is never taken for a file.

use std::time::Duration;

use engine::file_server::{Cause, News};
use iadms::net::ftp::FtpSettings;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::Client;
use crate::world::{World, bytes, settings, world};

/// More than the system keeps for a connection on both sides together.
const MUCH: usize = 32 << 20;

/// A device that has written a part of its file.
async fn writing(world: &World) -> (Client, TcpStream) {
    world.writable("backup", 1 << 30).await;
    let mut client = Client::logged_in(world).await;
    let mut data = client.data().await;
    assert_eq!(client.command("STOR backup").await, 150);
    data.write_all(&bytes(1_000_000)).await.unwrap();
    world.wait_for("backup", |news| matches!(news, News::Begun { .. })).await;
    (client, data)
}

/// A device that has read a part of its file.
async fn reading(world: &World) -> (Client, TcpStream) {
    world.readable("image", &bytes(MUCH)).await;
    let mut client = Client::logged_in(world).await;
    let mut data = client.data().await;
    assert_eq!(client.command("RETR image").await, 150);
    data.read_exact(&mut [0; 1000]).await.unwrap();
    (client, data)
}

fn is_the_devices(news: &News) -> bool {
    matches!(news, News::Failed { cause: Cause::Device(_) })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_whose_control_connection_is_lost_is_not_taken() {
    let world = world().await;
    let (client, data) = writing(&world).await;
    drop(client);
    let end = world.end("backup").await;
    assert!(is_the_devices(&end), "{end:?}");
    drop(data);
    world.shut_down().await;
    assert_eq!(world.kept_and_unfinished(), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_control_connection_is_noticed_though_commands_wait_for_the_transfer() {
    let world = world().await;
    let (mut client, _data) = writing(&world).await;
    client.send("SYST").await;
    client.send("TYPE I").await;
    drop(client);
    let end = world.end("backup").await;
    assert!(is_the_devices(&end), "{end:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_quits_before_the_reply_has_written_nothing() {
    let world = world().await;
    let (mut client, data) = writing(&world).await;
    client.send("QUIT").await;
    drop(client);
    drop(data);
    let end = world.end("backup").await;
    assert!(is_the_devices(&end), "{end:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_whose_data_connection_is_reset_is_not_taken_and_may_be_repeated() {
    let world = world().await;
    let (mut client, data) = writing(&world).await;
    data.set_zero_linger().unwrap();
    drop(data);
    assert_eq!(client.reply().await, 426);
    let end = world.end("backup").await;
    assert!(is_the_devices(&end), "{end:?}");
    assert_eq!(world.kept_and_unfinished(), (0, 0));
    assert_eq!(client.store("backup", &bytes(1000)).await, 226);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_that_the_device_breaks_off_is_not_done_and_may_be_repeated() {
    let world = world().await;
    let (mut client, data) = reading(&world).await;
    drop(data);
    assert_eq!(client.reply().await, 426);
    let end = world.end("image").await;
    assert!(is_the_devices(&end), "{end:?}");
    let (read, code) = client.retrieve("image").await;
    assert_eq!((read.len(), code), (MUCH, 226));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_whose_control_connection_is_lost_ends() {
    let world = world().await;
    let (client, _data) = reading(&world).await;
    drop(client);
    let end = world.end("image").await;
    assert!(is_the_devices(&end), "{end:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_falls_silent_is_given_up() {
    let settings = FtpSettings { stall_limit: Duration::from_millis(300), ..settings() };
    let world = World::at("127.0.0.1:0", settings).await;
    let (_writer, _written) = writing(&world).await;
    assert_eq!(world.end("backup").await, News::Failed { cause: Cause::Silent });
    let (_reader, _read) = reading(&world).await;
    assert_eq!(world.end("image").await, News::Failed { cause: Cause::Silent });
    world.shut_down().await;
    assert_eq!(world.kept_and_unfinished(), (1, 0), "the image alone is stored");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_withdrawn_ticket_stops_its_transfer_at_once() {
    let world = world().await;
    let (mut writer, written) = writing(&world).await;
    let (mut reader, read) = reading(&world).await;
    for (name, client, data) in [("backup", &mut writer, written), ("image", &mut reader, read)] {
        world.withdraw(name);
        assert_eq!(world.end(name).await, News::Failed { cause: Cause::Withdrawn });
        assert_eq!(client.reply().await, 426, "{name}");
        drop(data);
    }
    assert_eq!(world.kept_and_unfinished(), (1, 0), "the image alone is stored");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_begins_anew_replaces_its_own_dead_transfer() {
    let world = world().await;
    let (mut dead, _data) = writing(&world).await;
    let mut restarted = Client::logged_in(&world).await;
    assert_eq!(restarted.store("backup", &bytes(1000)).await, 226);
    assert_eq!(world.end("backup").await, News::Failed { cause: Cause::Replaced });
    assert!(matches!(world.end("backup").await, News::Done { size: 1000, .. }));
    assert_eq!(dead.reply().await, 426);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_shuts_down_ends_its_transfers_first() {
    let world = world().await;
    let (mut client, _data) = writing(&world).await;
    world.shut_down().await;
    assert!(matches!(world.end("backup").await, News::Failed { cause: Cause::Storage(_) }));
    assert_eq!(world.kept_and_unfinished(), (0, 0));
    assert!(client.closed().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_connection_is_closed() {
    let settings = FtpSettings { idle_limit: Duration::from_secs(1), ..settings() };
    let world = World::at("127.0.0.1:0", settings).await;
    world.readable("image", &bytes(1000)).await;
    let mut client = Client::logged_in(&world).await;
    assert_eq!(client.reply().await, 221);
    assert!(client.closed().await);
}
