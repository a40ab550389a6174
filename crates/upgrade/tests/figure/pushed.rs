//! Images that are written to the device (row S18).

use core::time::Duration;

use upgrade::Protocol;
use upgrade::profile::Command;
use upgrade::reading::Capability;
use upgrade::run::{Answer, Outcome, Step};

use crate::device::Fault;
use crate::world::World;

#[test]
fn an_image_is_written_to_a_device_that_waits_for_it() {
    let world = World::upgrade().pushed().play();
    world.assert_upgraded(&world.before.1);
    assert_eq!((world.count(Command::Download), world.pushes), (1, 1));
    assert_eq!(world.failures(), [] as [&str; 0]);
}

#[test]
fn only_the_image_is_pushed() {
    let world = World::upgrade().pushed().begin().until_step(Step::BackingUp);
    let world = world.until_underway(Step::BackingUp);
    assert!(world.tickets.values().all(|ticket| ticket.protocol == Protocol::Tftp));
    let world = world.until_underway(Step::Downloading);
    assert_eq!(world.tickets.len(), 1);
    assert!(world.tickets.values().all(|ticket| ticket.protocol == Protocol::Push));
}

#[test]
fn as_long_as_nothing_is_written_it_is_told_again() {
    let mut world = World::upgrade().pushed();
    world.push_takes = Duration::from_secs(12);
    let world = world.play();
    world.assert_upgraded(&world.before.1);
    assert!(world.pushes > 1, "{} times", world.pushes);
}

#[test]
fn a_device_that_nobody_writes_to_is_asked_about() {
    let mut world = World::upgrade().pushed();
    world.push_takes = Duration::from_secs(100_000);
    let world = world.play();
    assert_eq!(world.question().failure.as_ref().map(|failure| failure.step), Some(Step::Downloading));
    let mut world = world;
    world.push_takes = Duration::from_millis(1);
    let world = world.answer(Answer::Again);
    world.assert_upgraded(&world.before.1);
}

#[test]
fn a_manager_that_is_killed_while_the_device_waits_writes_it() {
    let mut world = World::upgrade().pushed();
    world.push_takes = Duration::from_secs(100_000);
    let mut world = world.begin().until_underway(Step::Downloading);
    world.push_takes = Duration::from_millis(1);
    world.kill_manager();
    let world = world.on();
    world.assert_upgraded(&world.before.1);
    assert_eq!(world.count(Command::Download), 1);
}

#[test]
fn a_notification_hastens_the_look_that_shows_that_it_waits() {
    let mut world = World::upgrade().pushed().fault(Command::Download, [Fault::AnswerLost]);
    world.notified = true;
    let world = world.play();
    world.assert_upgraded(&world.before.1);
}

#[test]
fn what_the_device_or_its_profile_cannot_is_told_before() {
    let mut world = World::upgrade().pushed();
    world.device.cannot(Capability::Push);
    let world = world.play();
    assert_eq!(world.outcome(), Outcome::Refused);
    assert_eq!(world.ending().reason, "the device does not transfer by push");
    let mut world = World::upgrade().pushed();
    world.device.cannot(Capability::Tftp);
    assert_eq!(world.play().outcome(), Outcome::Refused);
    let mut world = World::upgrade().pushed();
    world.profile.objects.remove("operation-port");
    let reason = world.play().ending().reason.clone();
    assert!(reason.contains("operation-port"), "{reason}");
}
