//! FTP at the same tickets.

use std::net::IpAddr;

use upgrade::{Content, Direction, Protocol, RunId, TicketName};

use super::world::{SECOND, World, digest, ticket};
use crate::file_server::{Cause, News, Order, Refusal};

const DEVICE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 5, 1));
const STRANGER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 5, 2));
const RUN: RunId = RunId(7);

/// A world with a ticket to read 1,000 bytes and one to write, both by FTP for 127.0.5.1.
fn world() -> World {
    let mut world = World::new();
    let image = Content::Stored { digest: digest(b"image") };
    for (name, direction, content) in
        [("image1", Direction::Read, image), ("backup1", Direction::Write, Content::Arriving)]
    {
        let mut ticket = ticket(name, direction, content, 1000);
        ticket.protocol = Protocol::Ftp;
        ticket.password = format!("secret of {name}");
        world.order(Order::Open(ticket));
    }
    world
}

#[test]
fn only_the_device_of_the_run_with_the_password_logs_in() {
    let mut world = world();
    let now = world.now;
    let mut without_password = ticket("open", Direction::Read, Content::Arriving, 1);
    without_password.protocol = Protocol::Ftp;
    world.order(Order::Open(without_password));
    let mut login = |user, password, address| world.server.ftp_login(user, password, address, now);
    assert_eq!(login("7", "secret of backup1", DEVICE), Ok(RUN));
    for (user, password, address) in [
        ("7", "secret of backup", DEVICE),
        ("7", "secret of backup12", DEVICE),
        ("7", "", DEVICE),
        ("8", "secret of backup1", DEVICE),
        ("anonymous", "secret of backup1", DEVICE),
        ("7", "secret of backup1", STRANGER),
    ] {
        assert_eq!(login(user, password, address), Err(Refusal::WrongPassword), "{user} {password}");
    }
    let later = now + SECOND * 3600;
    assert_eq!(world.server.ftp_login("7", "secret of backup1", DEVICE, later), Err(Refusal::WrongPassword));
    world.pump();
    assert_eq!(world.refusals(), [Refusal::WrongPassword; 7], "the operator can see who tries");
}

#[test]
fn a_ticket_is_good_for_one_whole_transfer() {
    let mut world = world();
    let now = world.now;
    assert_eq!(world.server.ftp_size(RUN, "image1", DEVICE, now), Ok(1000));
    let grant = world.server.ftp_begin(RUN, "image1", DEVICE, Direction::Read, now).unwrap();
    assert!(!grant.is_paced, "nothing is limited");
    assert_eq!((grant.size, grant.content), (1000, Content::Stored { digest: digest(b"image") }));
    world.server.ftp_progress(grant.transfer, 500);
    world.pump();
    world.server.ftp_end(grant.transfer, Ok((1000, digest(b"image"))));
    world.server.ftp_progress(grant.transfer, 1000);
    world.server.ftp_end(grant.transfer, Err(Cause::Silent));
    world.pump();
    let news: Vec<_> = world.all_news("image1").into_iter().map(|(_, news)| news).collect();
    let done = News::Done { size: 1000, sha256: digest(b"image") };
    let begun = News::Begun { size: Some(1000) };
    assert_eq!(news, [News::Ready, begun, News::Progress { bytes: 500 }, done]);
    let again = world.server.ftp_begin(RUN, "image1", DEVICE, Direction::Read, now);
    assert_eq!(again, Err(Refusal::UnknownName));
}

#[test]
fn each_refusal_leaves_the_ticket_to_its_owner() {
    let mut world = world();
    let now = world.now;
    for (run, name, address, direction, refusal) in [
        (RUN, "nothing", DEVICE, Direction::Read, Refusal::UnknownName),
        (RunId(8), "image1", DEVICE, Direction::Read, Refusal::UnknownName),
        (RUN, "image1", STRANGER, Direction::Read, Refusal::OtherDevice),
        (RUN, "image1", DEVICE, Direction::Write, Refusal::OtherDirection),
    ] {
        assert_eq!(world.server.ftp_begin(run, name, address, direction, now), Err(refusal));
    }
    world.pump();
    assert_eq!(world.refusals().len(), 4);
    let later = now + SECOND * 3600;
    let expired = world.server.ftp_begin(RUN, "image1", DEVICE, Direction::Read, later);
    assert_eq!(expired, Err(Refusal::UnknownName));
    assert!(world.server.ftp_begin(RUN, "/image1", DEVICE, Direction::Read, now).is_ok());
}

#[test]
fn a_broken_upload_is_discarded_and_may_be_begun_again() {
    let mut world = world();
    let now = world.now;
    let first = world.server.ftp_begin(RUN, "backup1", DEVICE, Direction::Write, now).unwrap();
    world.storage.unfinished.insert(first.transfer, b"half".to_vec());
    // The device begins anew before the first connection is known to be dead.
    let second = world.server.ftp_begin(RUN, "backup1", DEVICE, Direction::Write, now).unwrap();
    assert_eq!(world.server.poll_ftp_stop(), Some(first.transfer));
    world.server.ftp_end(first.transfer, Err(Cause::Silent));
    world.pump();
    assert!(world.storage.unfinished.is_empty());
    world.server.ftp_end(second.transfer, Ok((4, digest(b"full"))));
    world.pump();
    let begun = News::Begun { size: None };
    let replaced = News::Failed { cause: Cause::Replaced };
    let done = News::Done { size: 4, sha256: digest(b"full") };
    assert_eq!(world.news("backup1"), [News::Ready, begun.clone(), replaced, begun, done]);
    assert_eq!(world.server.transfers(), 0);
}

#[test]
fn a_withdrawn_ticket_stops_its_transfer() {
    let mut world = world();
    let now = world.now;
    let grant = world.server.ftp_begin(RUN, "backup1", DEVICE, Direction::Write, now).unwrap();
    world.order(Order::Withdraw(TicketName("backup1".to_owned())));
    assert_eq!(world.server.poll_ftp_stop(), Some(grant.transfer));
    world.server.ftp_end(grant.transfer, Err(Cause::Silent));
    world.pump();
    assert_eq!(world.news("backup1").last(), Some(&News::Failed { cause: Cause::Withdrawn }));
}
