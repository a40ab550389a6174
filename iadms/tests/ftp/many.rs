//! Many devices at once, each with its own file.

use engine::file_server::News;
use iadms::net::ftp::FtpSettings;
use tokio::task::JoinSet;
use upgrade::{Content, Direction, RunId, Ticket};

use crate::client::Client;
use crate::world::{PASSWORD, World, bytes, settings, ticket};

const DEVICES: u64 = 100;
const SIZE: usize = 300_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_devices_back_up_and_download_at_once() {
    let world = World::at("127.0.0.1:0", FtpSettings { connections: 100, ..settings() }).await;
    let image = world.files.add(&mut bytes(SIZE).as_slice()).unwrap();
    let mut devices = JoinSet::new();
    for number in 0..DEVICES {
        let address = format!("127.0.1.{}", number + 1);
        let common =
            Ticket { run: RunId(number), address: address.parse().unwrap(), ..ticket("", Direction::Read) };
        let name = |what: &str| upgrade::TicketName(format!("{what}{number}"));
        let content = Content::Stored { digest: image.digest };
        world.open(Ticket { name: name("image"), content, size: image.size, ..common.clone() }).await;
        let direction = Direction::Write;
        world.open(Ticket { name: name("backup"), direction, size: SIZE as u64, ..common }).await;
        let server = world.address;
        devices.spawn(async move {
            let mut client = Client::connect(server, &address).await;
            assert_eq!(client.log_in(&number.to_string(), PASSWORD).await, 230);
            let mut configuration = bytes(SIZE);
            configuration[0] = u8::try_from(number).unwrap();
            assert_eq!(client.store(&format!("backup{number}"), &configuration).await, 226);
            let (read, code) = client.retrieve(&format!("image{number}")).await;
            assert_eq!((read == bytes(SIZE), code), (true, 226));
        });
    }
    while let Some(device) = devices.join_next().await {
        device.unwrap();
    }
    for number in 0..DEVICES {
        assert!(matches!(world.end(&format!("image{number}")).await, News::Done { .. }));
        let News::Done { sha256, .. } = world.end(&format!("backup{number}")).await else {
            panic!("device {number} has no backup")
        };
        assert_eq!(u64::from(world.files.read(sha256).unwrap()[0]), number);
    }
}
