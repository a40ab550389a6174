//! Whoever has no ticket gets nothing, and takes nothing from who has one.

use std::net::SocketAddr;
use std::time::Duration;

use engine::file_server::{Cause, News};
use iadms::files::Files;
use iadms::net::ftp::{FtpServer, FtpSettings};
use tokio::sync::mpsc;
use upgrade::{Direction, RunId, Ticket};

use crate::client::Client;
use crate::world::{DEVICE, OTHER_DEVICE, PASSWORD, World, bytes, settings, ticket, world};

#[tokio::test(flavor = "multi_thread")]
async fn only_the_device_with_the_password_logs_in() {
    let world = world().await;
    world.readable("image", &bytes(1000)).await;
    for (user, password, address) in [
        ("7", "wrong", DEVICE),
        ("7", "", DEVICE),
        ("8", PASSWORD, DEVICE),
        ("anonymous", PASSWORD, DEVICE),
        ("7", PASSWORD, OTHER_DEVICE),
    ] {
        let mut client = Client::connect(world.address, address).await;
        assert_eq!(client.log_in(user, password).await, 530, "{user} {password} {address}");
        assert_eq!(client.command("SIZE image").await, 530);
        assert_eq!(client.command("EPSV").await, 530);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_wrong_passwords_keep_no_device_behind_the_same_address_out() {
    let world = world().await;
    world.readable("image", &bytes(1000)).await;
    for _ in 0..20 {
        let mut guesser = Client::connect(world.address, DEVICE).await;
        for guess in 0..10 {
            assert_eq!(guesser.log_in("7", &format!("guess{guess}")).await, 530);
        }
    }
    let mut client = Client::logged_in(&world).await;
    assert_eq!(client.retrieve("image").await, (bytes(1000), 226));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_refusal_leaves_the_ticket_to_its_owner() {
    let world = world().await;
    let stored = world.readable("image", &bytes(1000)).await;
    world.writable("backup", 1000).await;
    let content = upgrade::Content::Stored { digest: stored.digest };
    let others = Ticket { content, size: 1000, ..ticket("others", Direction::Read) };
    world.open(Ticket { run: RunId(8), ..others.clone() }).await;
    let moved = Ticket {
        name: upgrade::TicketName("moved".to_owned()),
        address: OTHER_DEVICE.parse().unwrap(),
        ..others
    };
    world.open(moved).await;

    let mut client = Client::logged_in(&world).await;
    for (name, code) in [
        ("nothing", 550),
        ("others", 550),
        ("moved", 550),
        ("backup", 550),
        ("../image", 553),
        ("/folder/image", 553),
        ("//image", 553),
        ("..", 550),
        ("%2e%2e", 550),
    ] {
        assert_eq!(client.retrieve(name).await, (Vec::new(), code), "{name}");
    }
    for (name, code) in [("nothing", 550), ("image", 550), ("/folder/backup", 553)] {
        assert_eq!(client.store(name, b"bytes").await, code, "{name}");
    }
    assert_eq!(client.retrieve("/image").await, (bytes(1000), 226));
    assert_eq!(client.store("backup", &bytes(1000)).await, 226);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_listed_renamed_made_or_removed() {
    let world = world().await;
    world.readable("image", &bytes(1000)).await;
    let mut client = Client::logged_in(&world).await;
    for (command, code) in [
        ("DELE image", 502),
        ("MKD folder", 502),
        ("RMD /", 502),
        ("RNFR image", 350),
        ("RNTO other", 502),
        ("CWD folder", 550),
        ("CWD ..", 550),
        ("CWD /", 250),
        ("MDTM image", 502),
        ("REST 100", 502),
        ("STAT /", 451),
        ("SITE MD5 image", 502),
        ("AUTH TLS", 502),
        ("NONSENSE", 500),
        ("STRU F", 200),
        ("TYPE I", 200),
        ("MODE S", 200),
        ("NOOP", 200),
        ("SYST", 215),
        ("PWD", 257),
    ] {
        client.send(command).await;
        let reply = client.line().await;
        assert_eq!(reply[..3].parse(), Ok(code), "{command}: {reply}");
    }
    for command in ["LIST", "NLST", "MLSD"] {
        let _data = client.data().await;
        assert_eq!(client.command(command).await, 150, "{command}");
        let code = client.reply().await;
        assert!((500..=599).contains(&code), "{command}: {code}");
    }
    assert_eq!(client.retrieve("image").await, (bytes(1000), 226));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_larger_than_its_ticket_is_not_kept() {
    let world = world().await;
    world.writable("backup", 1000).await;
    let mut client = Client::logged_in(&world).await;
    for size in [1001, 3_000_000] {
        assert_eq!(client.store("backup", &bytes(size)).await, 552);
        assert_eq!(world.end("backup").await, News::Failed { cause: Cause::TooLarge { limit: 1000 } });
        assert_eq!(world.kept_and_unfinished(), (0, 0));
    }
    assert_eq!(client.store("backup", &bytes(1000)).await, 226);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_file_is_not_sent_as_if_it_were_whole() {
    let world = world().await;
    let stored = world.readable("image", &bytes(1_000_000)).await;
    std::fs::write(world.files.path(stored.digest), bytes(1000)).unwrap();
    let mut client = Client::logged_in(&world).await;
    let (_, code) = client.retrieve("image").await;
    assert_eq!(code, 451);
    assert!(matches!(world.end("image").await, News::Failed { cause: Cause::Storage(_) }));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_log_in_has_to_leave() {
    let world =
        World::at("127.0.0.1:0", FtpSettings { login_limit: Duration::from_millis(200), ..settings() }).await;
    world.readable("image", &bytes(1000)).await;
    let mut device = Client::logged_in(&world).await;
    let mut stranger = Client::connect(world.address, OTHER_DEVICE).await;
    assert!(stranger.closed().await);
    assert_eq!(device.retrieve("image").await, (bytes(1000), 226), "who has logged in stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_make_room_for_devices_and_devices_for_nobody() {
    let world = World::at("127.0.0.1:0", FtpSettings { connections: 2, ..settings() }).await;
    world.readable("image", &bytes(1000)).await;
    let mut strangers = Vec::new();
    for _ in 0..2 {
        strangers.push(Client::connect(world.address, OTHER_DEVICE).await);
    }
    let mut one = Client::logged_in(&world).await;
    let mut other = Client::logged_in(&world).await;
    for mut stranger in strangers {
        assert!(stranger.closed().await);
    }
    let mut refused = tokio::net::TcpStream::connect(world.address).await.unwrap();
    let mut reply = String::new();
    tokio::io::AsyncReadExt::read_to_string(&mut refused, &mut reply).await.unwrap();
    assert!(reply.starts_with("421 "), "{reply}");
    assert_eq!(one.command("NOOP").await, 200);
    assert_eq!(other.command("NOOP").await, 200);
    drop((one, other));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_in_use_is_told_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let files = Files::open(folder.path()).unwrap();
    let bind = |address: SocketAddr| {
        FtpServer::bind(address, mpsc::channel(1).0, files.clone(), FtpSettings::default())
    };
    let first = bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let port = first.address().port();
    let error = bind(first.address()).unwrap_err();
    assert_eq!(error.to_string(), format!("FTP port {port} of 127.0.0.1 is in use by another program"));
    let error = bind("192.0.2.1:0".parse().unwrap()).unwrap_err();
    assert_eq!(error.to_string(), "this host has no address 192.0.2.1");
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_keeps_no_device_from_its_file() {
    const SEED: u64 = 0x0f7b;
    println!("seed {SEED:#x}");
    let world = world().await;
    world.readable("image", &bytes(1000)).await;
    let mut random = SEED;
    let mut draw = |below: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % below
    };
    let words: [&[u8]; 14] = [
        b"USER 7\r\n",
        b"PASS secret\r\n",
        b"PASV\r\n",
        b"EPSV\r\n",
        b"RETR image",
        b"\r\n",
        b"STOR ",
        b"\xff\xf4\xf2ABOR\r\n",
        b"PORT 127,0,0,1,999,1\r\n",
        b"REST 99999999999999999999\r\n",
        b"\0\0\0",
        b"\n",
        b"QUIT",
        b"RETR \xc3\x28\r\n",
    ];
    let mut talkers = Vec::new();
    for _ in 0..100 {
        let mut talker = tokio::net::TcpStream::connect(world.address).await.unwrap();
        for _ in 0..draw(30) {
            let word = usize::try_from(draw(words.len() as u64)).unwrap();
            // It may be sent away already.
            let _ = tokio::io::AsyncWriteExt::write_all(&mut talker, words[word]).await;
        }
        let line = vec![b'A'; usize::try_from(draw(100_000)).unwrap()];
        let _ = tokio::io::AsyncWriteExt::write_all(&mut talker, &line).await;
        talkers.push(talker);
    }
    // One of the talkers may have had the file: then it is not there any more for anybody.
    let content = upgrade::Content::Stored { digest: world.files.add(&mut &b"other"[..]).unwrap().digest };
    world.open(Ticket { content, size: 5, ..ticket("other", Direction::Read) }).await;
    let mut client = Client::logged_in(&world).await;
    assert_eq!(client.retrieve("other").await, (b"other".to_vec(), 226));
}
