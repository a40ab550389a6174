//! How fast files go over, how many at once, and that nobody is left out for it.

use core::num::NonZeroU64;
use core::time::Duration;
use std::collections::BTreeMap;
use std::net::IpAddr;

use tftp::Options;
use upgrade::{Content, Direction, Protocol, Ticket, TicketName};

use super::world::{SECOND, World, address, bytes, digest, ticket};
use crate::file_server::{Cause, FtpGrant, Link, News, Order, Rates, Refusal, Settings, TransferId};

fn peer(number: usize) -> String {
    format!("127.0.5.1:{}", 3000 + number)
}

fn name(number: usize) -> String {
    format!("image{number}")
}

fn limited(all: Option<u64>, each: Option<u64>) -> Settings {
    let rates = Rates { all: all.and_then(NonZeroU64::new), each: each.and_then(NonZeroU64::new) };
    Settings { rates, ..Settings::default() }
}

fn windows(blocks: u16) -> Options {
    Options { block_size: Some(1428), window_size: Some(blocks), ..Options::default() }
}

/// So many devices read a file each, with these windows.
fn reading(settings: Settings, size: usize, sizes_of_windows: &[u16]) -> World {
    let mut world = World::with(settings);
    for (number, blocks) in sizes_of_windows.iter().enumerate() {
        world.offer(&name(number), &bytes(size, number as u64));
        world.read(&peer(number), &name(number), &windows(*blocks));
    }
    world
}

fn assert_all_read(world: &mut World, size: usize, devices: usize) {
    assert_eq!(world.refusals(), []);
    for number in 0..devices {
        assert_eq!(world.device(&peer(number)).received, bytes(size, number as u64), "device {number}");
    }
}

/// Bytes that went over in each second, both ways.
fn each_second(world: &World) -> Vec<usize> {
    let mut seconds = BTreeMap::<u64, usize>::new();
    world.moved.iter().for_each(|(at, _, bytes)| *seconds.entry(at.as_secs()).or_default() += bytes);
    seconds.into_values().collect()
}

#[test]
fn all_together_are_no_faster_than_the_rate_in_any_second() {
    let mut world = reading(limited(Some(100_000), None), 200_000, &[1, 4, 16, 16, 64]);
    world.run_for(SECOND * 60);
    assert_all_read(&mut world, 200_000, 5);
    let seconds = each_second(&world);
    // Acknowledgements and the first packets are counted here, and not slowed.
    assert!(seconds.iter().all(|bytes| *bytes <= 108_000), "{seconds:?}");
    // A million bytes: the rate is used as well.
    assert!((10..13).contains(&seconds.len()), "{seconds:?}");
}

#[test]
fn who_has_the_larger_window_has_no_larger_share() {
    let mut world = reading(limited(Some(100_000), None), 150_000, &[1, 64]);
    world.run_for(SECOND * 2);
    let received = [0, 1].map(|number| world.device(&peer(number)).received.len());
    let (less, more) = (received[0].min(received[1]), received[0].max(received[1]));
    assert!(less > 60_000 && more < less * 3 / 2, "{received:?}");
    world.run_for(SECOND * 20);
    assert_all_read(&mut world, 150_000, 2);
}

#[test]
fn each_is_no_faster_than_its_own_rate_and_holds_up_nobody() {
    let mut world = reading(limited(None, Some(50_000)), 150_000, &[16, 16]);
    world.run_for(SECOND * 10);
    assert_all_read(&mut world, 150_000, 2);
    for number in 0..2 {
        let own = |(_, to, _): &&(Duration, std::net::SocketAddr, usize)| *to == address(&peer(number));
        let times: Vec<_> = world.moved.iter().filter(own).map(|(at, ..)| *at).collect();
        let took = *times.last().unwrap() - times[0];
        assert!(took > SECOND * 28 / 10 && took < SECOND * 4, "{took:?}");
    }
}

#[test]
fn what_a_device_writes_is_slowed_too() {
    let mut world = World::with(limited(None, Some(50_000)));
    let backup = bytes(150_000, 9);
    world.expect("backup", 1 << 20);
    world.write(&peer(0), "backup", &backup, &windows(4));
    world.run_for(SECOND * 2);
    assert!(world.uploads(&[]).is_empty());
    world.run_for(SECOND * 3);
    assert_eq!(world.uploads(&[]), [&backup]);
    let seconds = each_second(&world);
    assert!(seconds.iter().all(|bytes| *bytes < 60_000), "{seconds:?}");
}

#[test]
fn those_for_whom_there_is_no_room_wait_and_are_served_in_their_turn() {
    let settings = Settings { most_transfers: 2, ..limited(None, Some(100_000)) };
    let mut world = reading(settings, 100_000, &[16; 6]);
    world.run_for(Duration::from_millis(10));
    assert_eq!((world.server.active, world.server.waiting()), (2, 4));
    world.run_for(SECOND * 20);
    assert_all_read(&mut world, 100_000, 6);
    assert_eq!((world.server.active, world.server.waiting()), (0, 0));
    let done = |number: usize| {
        let news = world.all_news(&name(number));
        news.iter().find(|(_, news)| matches!(news, News::Done { .. })).unwrap().0
    };
    let order: Vec<Duration> = (0..6).map(done).collect();
    assert!(order.is_sorted() && order[5] - order[0] > SECOND, "{order:?}");
}

#[test]
fn who_gives_up_waiting_and_whose_ticket_ends_hold_nobody() {
    const SIZE: usize = 420_000;
    let settings = Settings { most_transfers: 1, ..limited(None, Some(20_000)) };
    let mut world = reading(settings, SIZE, &[16; 4]);
    world.run_for(Duration::from_millis(10));
    assert_eq!(world.server.waiting(), 3);
    world.device(&peer(1)).dead = true;
    world.order(Order::Withdraw(TicketName(name(2))));
    assert_eq!(world.server.waiting(), 2);
    world.run_for(SECOND * 60);
    let received = [0, 1, 2, 3].map(|number| world.device(&peer(number)).received.len());
    assert_eq!(received, [SIZE, 0, 0, SIZE]);
    assert_eq!(world.refusals(), [Refusal::UnknownName], "whose ticket has ended is told when it asks again");
    let stray = world.stray_answers.iter().filter(|(_, to, _)| *to == address(&peer(1))).count();
    assert_eq!(stray, 0, "nobody is there who could be served");
}

#[test]
fn the_time_that_a_device_proposes_is_not_agreed_to() {
    let mut world = World::with_loss(10, 5);
    let image = bytes(100_000, 1);
    world.offer(&name(0), &image);
    world.read(&peer(0), &name(0), &Options { timeout_s: Some(3), ..windows(1) });
    // Seventy blocks, of which one in five is lost on its way or with its answer.
    world.run_for(SECOND * 10);
    assert_eq!(world.device(&peer(0)).received, image);
}

/// A device of this network.
fn at(network: u8, number: usize) -> String {
    format!("10.{network}.0.1:{}", 3000 + number)
}

/// The link to this network.
fn link(network: u8, rate: u64) -> Link {
    Link { network: format!("10.{network}.0.0/16").parse().unwrap(), rate: NonZeroU64::new(rate).unwrap() }
}

/// Bytes that went over to this network in each second.
fn each_second_to(world: &World, network: u8) -> Vec<usize> {
    let mut seconds = BTreeMap::<u64, usize>::new();
    for (at, to, bytes) in &world.moved {
        if to.ip().to_string().starts_with(&format!("10.{network}.")) {
            *seconds.entry(at.as_secs()).or_default() += bytes;
        }
    }
    seconds.into_values().collect()
}

#[test]
fn a_thin_link_is_not_flooded_and_keeps_nobody_waiting_behind_another() {
    let settings = Settings { links: vec![link(1, 50_000), link(2, 200_000)], ..Settings::default() };
    let mut world = World::with(settings);
    for (network, number) in [(1, 0), (1, 1), (2, 2), (3, 3)] {
        world.offer_to(&at(network, number), &name(number), &bytes(100_000, number as u64));
        world.read(&at(network, number), &name(number), &windows(16));
    }
    world.run_for(SECOND * 10);
    assert_eq!(world.refusals(), []);
    for (network, number) in [(1, 0), (1, 1), (2, 2), (3, 3)] {
        assert_eq!(
            world.device(&at(network, number)).received,
            bytes(100_000, number as u64),
            "device {number}"
        );
    }
    let [thin, other, none] = [1, 2, 3].map(|network| each_second_to(&world, network));
    assert!(thin.iter().all(|bytes| *bytes <= 54_000) && (4..6).contains(&thin.len()), "{thin:?}");
    assert!(other.iter().all(|bytes| *bytes <= 212_000) && other.len() <= 2, "{other:?}");
    assert_eq!(none.len(), 1, "{none:?}");
}

#[test]
fn those_for_whom_a_link_is_too_thin_wait_and_others_begin() {
    // Two at once have a share worth having.
    let settings = Settings { links: vec![link(1, 10_000)], ..Settings::default() };
    let mut world = World::with(settings);
    for number in 0..5 {
        world.offer_to(&at(1, number), &name(number), &bytes(10_000, number as u64));
        world.read(&at(1, number), &name(number), &windows(1));
    }
    world.run_for(Duration::from_millis(10));
    assert_eq!((world.server.active, world.server.waiting()), (2, 3));
    world.offer_to(&at(2, 5), &name(5), &bytes(10_000, 5));
    world.read(&at(2, 5), &name(5), &windows(1));
    world.run_for(SECOND);
    assert_eq!(world.device(&at(2, 5)).received, bytes(10_000, 5));
    assert_eq!(world.server.waiting(), 3);
    world.run_for(SECOND * 15);
    assert_eq!(world.refusals(), []);
    assert!((0..5).all(|number| world.device(&at(1, number)).received == bytes(10_000, number as u64)));
    assert_eq!((world.server.active, world.server.waiting()), (0, 0));
}

/// Transfers by FTP that each want to move a piece as soon as the one before has moved.
struct Ftp {
    grants: Vec<FtpGrant>,
    moved: Vec<(Duration, TransferId, usize)>,
}

const PIECE: usize = 256 * 1024;

fn ftp(world: &mut World, transfers: u8) -> Ftp {
    let grants = (0..transfers).map(|number| {
        let (name, address) = (format!("ftp{number}"), IpAddr::from([10, 1, 0, 100 + number]));
        let content = Content::Stored { digest: digest(&[number]) };
        let ticket = ticket(&name, Direction::Read, content, 1 << 30);
        let ticket = Ticket { protocol: Protocol::Ftp, address, ..ticket };
        let run = ticket.run;
        world.order(Order::Open(ticket));
        world.server.ftp_begin(run, &name, address, Direction::Read, world.now).unwrap()
    });
    Ftp { grants: grants.collect(), moved: Vec::new() }
}

impl Ftp {
    /// Asks, and moves what there is leave for, for so long.
    fn run_for(&mut self, world: &mut World, span: Duration) {
        let until = world.now + span;
        let mut waiting = Vec::new();
        let mut asking: Vec<_> = self.grants.iter().map(|grant| grant.transfer).collect();
        while world.now < until {
            for transfer in asking.drain(..) {
                world.server.ftp_ask(transfer, PIECE, world.now);
                waiting.push(transfer);
            }
            world.run_for(Duration::from_millis(1));
            while let Some((transfer, bytes)) = world.server.poll_ftp_leave() {
                assert!(waiting.contains(&transfer) && bytes > 0, "{transfer}: {bytes}");
                waiting.retain(|other| *other != transfer);
                asking.push(transfer);
                self.moved.push((world.now, transfer, bytes));
            }
        }
    }

    fn bytes(&self, number: usize) -> usize {
        let own = self.grants[number].transfer;
        self.moved.iter().filter(|(_, transfer, _)| *transfer == own).map(|(.., bytes)| bytes).sum()
    }

    fn each_second(&self) -> Vec<usize> {
        let mut seconds = BTreeMap::<u64, usize>::new();
        self.moved.iter().for_each(|(at, _, bytes)| *seconds.entry(at.as_secs()).or_default() += bytes);
        seconds.into_values().collect()
    }
}

#[test]
fn by_ftp_nobody_is_faster_than_each_and_all_may_be() {
    let mut world = World::with(limited(Some(100_000), Some(40_000)));
    let mut four = ftp(&mut world, 4);
    assert!(four.grants.iter().all(|grant| grant.is_paced));
    four.run_for(&mut world, SECOND * 5);
    let seconds = four.each_second();
    assert!(seconds.iter().all(|bytes| *bytes <= 107_000), "{seconds:?}");
    let shares = [0, 1, 2, 3].map(|number| four.bytes(number));
    assert!(shares.iter().all(|share| (110_000..140_000).contains(share)), "{shares:?}");
    // Alone it has no more than its own rate.
    let mut world = World::with(limited(Some(100_000), Some(40_000)));
    let mut one = ftp(&mut world, 1);
    one.run_for(&mut world, SECOND * 5);
    assert!((195_000..206_000).contains(&one.bytes(0)), "{}", one.bytes(0));
}

#[test]
fn by_ftp_too_so_many_begin_as_each_has_a_share_worth_having() {
    let mut world = World::with(Settings { links: vec![link(1, 10_000)], ..Settings::default() });
    let mut two = ftp(&mut world, 2);
    let (address, now) = (IpAddr::from([10, 1, 0, 102]), world.now);
    let content = Content::Stored { digest: digest(b"third") };
    let third = ticket("third", Direction::Read, content, 1000);
    world.order(Order::Open(Ticket { protocol: Protocol::Ftp, address, ..third }));
    let has_room = |world: &World, name: &str, last: u8| {
        world.server.ftp_has_room(name, IpAddr::from([10, 1, 0, last]), Direction::Read, now)
    };
    assert!(!has_room(&world, "third", 102), "two have 4 KiB a second each");
    assert!(has_room(&world, "ftp0", 100), "it takes the place of its own, which is dead");
    assert!(has_room(&world, "nothing", 102), "who is refused needs no room");
    // Nor do those by TFTP take from them what they were let begin for.
    world.offer_to(&at(1, 0), &name(0), &bytes(1000, 1));
    world.read(&at(1, 0), &name(0), &windows(1));
    two.run_for(&mut world, SECOND);
    assert_eq!(world.server.waiting(), 1);
    assert!(!world.server.ftp_may_begin());
    world.server.ftp_end(two.grants[0].transfer, Err(Cause::Silent));
    assert!(world.server.ftp_may_begin());
    world.run_for(SECOND * 2);
    assert_eq!(world.device(&at(1, 0)).received.len(), 1000);
    assert!(has_room(&world, "third", 102) && world.server.ftp_may_begin());
    // Whose ticket ends while it waits is told so.
    world.order(Order::Withdraw(TicketName("third".to_owned())));
    assert!(world.server.ftp_may_begin());
}

#[test]
fn a_link_is_shared_by_both_protocols_and_what_is_not_asked_for_takes_nothing() {
    let mut world = World::with(Settings { links: vec![link(1, 100_000)], ..Settings::default() });
    world.offer_to(&at(1, 0), &name(0), &bytes(1_000_000, 1));
    world.read(&at(1, 0), &name(0), &windows(16));
    let mut two = ftp(&mut world, 2);
    two.run_for(&mut world, SECOND * 4);
    let by_tftp = world.device(&at(1, 0)).received.len();
    let shares = [by_tftp, two.bytes(0), two.bytes(1)];
    assert!(shares.iter().all(|share| (110_000..160_000).contains(share)), "{shares:?}");
    assert!(shares.iter().sum::<usize>() <= 420_000, "{shares:?}");
    // They have all that was asked for, and ask no more.
    let before = world.device(&at(1, 0)).received.len();
    two.grants.iter().for_each(|grant| world.server.ftp_end(grant.transfer, Err(Cause::Silent)));
    world.run_for(SECOND * 4);
    let alone = world.device(&at(1, 0)).received.len() - before;
    assert!((380_000..420_000).contains(&alone), "{alone}");
}
