//! Files go both ways, whole and once.

use std::time::Duration;

use engine::file_server::News;
use iadms::net::ftp::FtpSettings;
use suppaftp::tokio::AsyncFtpStream;
use suppaftp::types::FileType;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::client::Client;
use crate::world::{PASSWORD, RUN, World, bytes, settings, world};

const PIECE: usize = 256 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn a_device_reads_files_of_every_size() {
    let world = world().await;
    for size in [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE + 7] {
        let name = format!("image{size}");
        let stored = world.readable(&name, &bytes(size)).await;
        let mut client = Client::logged_in(&world).await;
        assert_eq!(client.command(&format!("SIZE {name}")).await, 213);
        let (read, code) = client.retrieve(&name).await;
        assert_eq!((read == bytes(size), code), (true, 226), "{size} bytes");
        let done = News::Done { size: size as u64, sha256: stored.digest };
        assert_eq!(world.end(&name).await, done);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_device_writes_is_stored_before_it_hears_so() {
    let world = world().await;
    for (number, size) in [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE + 7].into_iter().enumerate() {
        let name = format!("backup{size}");
        // The last byte that fits.
        world.writable(&name, size as u64).await;
        let mut client = Client::logged_in(&world).await;
        assert_eq!(client.store(&format!("/{name}"), &bytes(size)).await, 226, "{size} bytes");
        let News::Done { size: told, sha256 } = world.end(&name).await else {
            panic!("{size} bytes not done")
        };
        assert_eq!(told, size as u64);
        assert_eq!(world.files.read(sha256).unwrap(), bytes(size));
        assert_eq!(world.kept_and_unfinished(), (number + 1, 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_is_used_up_by_one_whole_transfer() {
    let world = world().await;
    world.readable("image", &bytes(1000)).await;
    world.readable("other", b"keeps the password good").await;
    let mut client = Client::logged_in(&world).await;
    assert_eq!(client.retrieve("image").await, (bytes(1000), 226));
    assert_eq!(client.retrieve("image").await, (Vec::new(), 550));
    assert_eq!(client.command("SIZE image").await, 550);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_connection_serves_one_file_after_another() {
    let world = world().await;
    world.readable("image1", &bytes(1000)).await;
    world.writable("backup", 1000).await;
    world.readable("image2", &bytes(2000)).await;
    let mut client = Client::logged_in(&world).await;
    assert_eq!(client.retrieve("image1").await, (bytes(1000), 226));
    assert_eq!(client.store("backup", &bytes(500)).await, 226);
    assert_eq!(client.retrieve("image2").await, (bytes(2000), 226));
    assert_eq!(client.command("QUIT").await, 221);
    assert!(client.closed().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_common_client_is_served_in_passive_and_in_active_mode() {
    let world = world().await;
    for (active, image, backup) in [(false, "image1", "backup1"), (true, "image2", "backup2")] {
        world.readable(image, &bytes(PIECE + 1)).await;
        world.writable(backup, 1000).await;
        let mut client = AsyncFtpStream::connect(world.address).await.unwrap();
        if active {
            client = client.active_mode(Duration::from_secs(60));
        }
        client.login(RUN.to_string(), PASSWORD.to_owned()).await.unwrap();
        client.transfer_type(FileType::Binary).await.unwrap();
        assert_eq!(client.size(image).await.unwrap(), PIECE + 1);
        let mut download = client.retr_as_stream(image).await.unwrap();
        let mut read = Vec::new();
        download.read_to_end(&mut read).await.unwrap();
        download.finish().await.unwrap();
        assert!(read == bytes(PIECE + 1), "active: {active}");
        assert_eq!(client.put_file(backup, &mut bytes(900).as_slice()).await.unwrap(), 900);
        assert!(matches!(world.end(backup).await, News::Done { size: 900, .. }));
        client.quit().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_address_and_ports_of_the_passive_mode_can_be_set() {
    let passive_host = Some("192.0.2.9".parse().unwrap());
    let world = World::at("127.0.0.1:0", FtpSettings { passive_host, ..settings() }).await;
    world.readable("image", b"bytes").await;
    let mut client = Client::logged_in(&world).await;
    client.send("PASV").await;
    let line = client.line().await;
    assert!(line.starts_with("227 ") && line.contains("(192,0,2,9,"), "{line}");

    // A port that was free just now.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let world = World::at("127.0.0.1:0", FtpSettings { passive_ports: port..=port, ..settings() }).await;
    world.readable("image", b"bytes").await;
    let mut client = Client::logged_in(&world).await;
    client.send("EPSV").await;
    let line = client.line().await;
    assert!(line.starts_with("229 ") && line.contains(&format!("(|||{port}|)")), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_appended() {
    let world = world().await;
    world.readable("image", b"bytes").await;
    world.writable("backup", 1000).await;
    let mut client = Client::logged_in(&world).await;
    for (name, code) in [("image", 502), ("backup", 226)] {
        let mut data = client.data().await;
        assert_eq!(client.command(&format!("APPE {name}")).await, 150);
        // A refused transfer may be reset.
        let _ = data.write_all(b"all there is").await;
        drop(data);
        assert_eq!(client.reply().await, code, "{name}");
    }
    let News::Done { sha256, .. } = world.end("backup").await else { panic!("the backup is not done") };
    assert_eq!(world.files.read(sha256).unwrap(), b"all there is");
    assert_eq!(client.retrieve("image").await, (b"bytes".to_vec(), 226));
}

#[tokio::test(flavor = "multi_thread")]
async fn devices_with_ipv6_are_served() {
    let world = World::at("[::1]:0", settings()).await;
    let stored = world.files.add(&mut bytes(PIECE).as_slice()).unwrap();
    let content = upgrade::Content::Stored { digest: stored.digest };
    let ticket = crate::world::ticket("image", upgrade::Direction::Read);
    let address = "::1".parse().unwrap();
    world.open(upgrade::Ticket { address, content, size: stored.size, ..ticket }).await;
    let mut client = Client::connect(world.address, "::1").await;
    assert_eq!(client.log_in(&RUN.to_string(), PASSWORD).await, 230);
    let (read, code) = client.retrieve("image").await;
    assert_eq!((read == bytes(PIECE), code), (true, 226));
}

#[tokio::test(flavor = "multi_thread")]
async fn progress_is_told_while_a_file_arrives() {
    let world = world().await;
    world.writable("backup", 1 << 40).await;
    let mut client = Client::logged_in(&world).await;
    let mut data = client.data().await;
    assert_eq!(client.command("STOR backup").await, 150);
    let progress = world.wait_for("backup", |news| matches!(news, News::Progress { .. }));
    tokio::pin!(progress);
    let mut written = 0;
    let told = loop {
        data.write_all(&bytes(PIECE)).await.unwrap();
        written += PIECE as u64;
        if let Ok(told) = tokio::time::timeout(Duration::from_millis(20), &mut progress).await {
            break told;
        }
    };
    let News::Progress { bytes: told } = told else { panic!("no progress was told: {told:?}") };
    assert!(told > 0 && told <= written, "{told} of {written}");
}
