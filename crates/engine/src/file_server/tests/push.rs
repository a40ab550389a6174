//! Files that are written to devices that wait for them (row S18).

use tftp::{ErrorCode, Options, Packet};
use upgrade::TicketName;

use super::world::{SECOND, World, address, bytes};
use crate::file_server::{CHUNK_BYTES, Cause, News, Order, Port, Refusal, Settings};

const WAITS: &str = "127.0.5.1:69";
const TAKES: &str = "127.0.5.1:2000";

#[test]
fn an_image_is_written_to_a_device_that_waits_for_it_and_its_ticket_is_used_up() {
    let mut world = World::new();
    let image = bytes(3 * CHUNK_BYTES + 17, 1);
    let sha256 = world.offer_to_push("image1", &image);
    world.wait_for_file(WAITS, TAKES);
    world.run_for(SECOND);
    assert_eq!(world.packets_to.len(), 0, "before it is told to, it writes nothing");
    world.push("image1", WAITS);
    // As long as the device shows that it waits, it is told again.
    world.push("image1", WAITS);
    world.run_for(SECOND * 20);
    assert_eq!(world.requests, ["image1"]);
    assert_eq!(world.device(TAKES).received, image);
    let size = image.len() as u64;
    let begun = News::Begun { size: Some(size) };
    assert_eq!(world.news("image1"), [News::Ready, begun, News::Done { size, sha256 }]);
    assert_eq!(world.server.transfers(), 0);

    let packets = world.packets_to.clone();
    world.push("image1", WAITS);
    world.run_for(SECOND * 20);
    assert_eq!(world.packets_to, packets, "once means once");
}

#[test]
fn lost_packets_delay_and_change_nothing() {
    for seed in 1..=20 {
        let mut world = World::with_loss(20, seed);
        let image = bytes(100_000, seed);
        let sha256 = world.offer_to_push("image1", &image);
        world.wait_for_file(WAITS, TAKES);
        world.push("image1", WAITS);
        world.run_for(SECOND * 600);
        assert_eq!(world.device(TAKES).received, image);
        // A device that was acknowledged waits for so long only whether that arrived.
        let ended = [News::Done { size: 100_000, sha256 }, News::Failed { cause: Cause::Unconfirmed }];
        assert!(world.news("image1").last().is_some_and(|news| ended.contains(news)));
    }
}

#[test]
fn a_device_that_does_not_answer_is_written_to_again_when_that_is_ordered() {
    let mut world = World::new();
    let image = bytes(10_000, 1);
    let sha256 = world.offer_to_push("image1", &image);
    world.push("image1", WAITS);
    world.run_for(SECOND * 300);
    assert_eq!(world.news("image1"), [News::Ready, News::Failed { cause: Cause::Silent }]);
    world.wait_for_file(WAITS, TAKES);
    world.push("image1", WAITS);
    world.run_for(SECOND * 20);
    assert_eq!(world.news("image1").last(), Some(&News::Done { size: 10_000, sha256 }));
}

#[test]
fn nothing_is_written_but_what_is_to_be_to_whom_it_is() {
    let mut world = World::new();
    let image = bytes(10_000, 1);
    world.offer_to_push("image1", &image);
    world.offer("image2", &image);
    world.expect("backup1", 100);
    world.push("image1", "127.0.5.2:69");
    for name in ["image2", "backup1", "nowhere"] {
        world.push(name, WAITS);
    }
    world.run_for(SECOND * 60);
    assert!(world.packets_to.is_empty(), "{:?}", world.packets_to);
    world.read(TAKES, "image1", &Options::default());
    world.run_for(SECOND);
    assert_eq!(world.refusals(), [Refusal::OtherProtocol], "nor is it there to be fetched");
}

#[test]
fn what_else_comes_from_the_device_is_no_answer() {
    let mut world = World::new();
    let image = bytes(10_000, 1);
    let sha256 = world.offer_to_push("image1", &image);
    world.wait_for_file(WAITS, TAKES);
    world.push("image1", WAITS);
    let error = Packet::Error { code: ErrorCode::NotDefined, message: b"no more" };
    for packet in [Packet::Acknowledgement { block: 3 }, Packet::Data { block: 0, bytes: b"" }, error] {
        let mut late = Vec::new();
        packet.encode(&mut late);
        world.packet(Port::Transfers, "127.0.5.1:3000", &late);
    }
    world.run_for(SECOND * 20);
    assert_eq!(world.news("image1").last(), Some(&News::Done { size: 10_000, sha256 }));
}

#[test]
fn a_device_refuses_from_where_it_was_asked() {
    let mut world = World::new();
    world.offer_to_push("image1", &bytes(10_000, 1));
    world.push("image1", WAITS);
    let mut refused = Vec::new();
    Packet::Error { code: ErrorCode::DiskFull, message: b"no room" }.encode(&mut refused);
    world.packet(Port::Transfers, WAITS, &refused);
    let last = world.news("image1").pop();
    assert!(matches!(last, Some(News::Failed { cause: Cause::Device(_) })), "{last:?}");
    // It may be asked again at once. What went to it before is over.
    world.run_for(SECOND / 100);
    world.wait_for_file(WAITS, TAKES);
    world.push("image1", WAITS);
    world.run_for(SECOND * 20);
    assert_eq!(world.requests, ["image1"]);
}

#[test]
fn it_waits_until_there_is_room() {
    let mut world = World::with(Settings { most_transfers: 1, ..Settings::default() });
    let (other, image) = (bytes(400_000, 2), bytes(10_000, 1));
    world.offer_to("127.0.5.2:0", "other", &other);
    let sha256 = world.offer_to_push("image1", &image);
    world.read("127.0.5.2:2000", "other", &Options::default());
    world.run_for(SECOND / 100);
    world.wait_for_file(WAITS, TAKES);
    world.push("image1", WAITS);
    assert_eq!(world.server.waiting(), 1);
    world.run_for(SECOND * 20);
    assert_eq!(world.news("image1").last(), Some(&News::Done { size: 10_000, sha256 }));
    let ended = |name| world.all_news(name).last().map(|(at, _)| *at).unwrap();
    assert!(ended("other") < ended("image1"));
}

#[test]
fn a_ticket_that_is_withdrawn_ends_what_is_written() {
    let mut world = World::new();
    let image = bytes(4_000_000, 1);
    world.offer_to_push("image1", &image);
    world.wait_for_file(WAITS, TAKES);
    world.push("image1", WAITS);
    world.run_for(SECOND / 20);
    world.order(Order::Withdraw(TicketName("image1".into())));
    world.run_for(SECOND * 20);
    assert_eq!(world.news("image1").last(), Some(&News::Failed { cause: Cause::Withdrawn }));
    assert!(world.device(TAKES).outcome().is_some_and(Result::is_err), "the device is told");
    assert_eq!(world.server.transfers(), 0);
    assert!(!world.devices.contains_key(&address("127.0.5.1:2001")));
}
