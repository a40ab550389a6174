//! What examiners who read the code have shown: an operator's word that came to nothing, and what others only tried.

use std::time::Duration;

use upgrade::profile::{Command, ConvertedBy};
use upgrade::reading::OperationState;
use upgrade::run::{Answer, Event, Goal, Outcome, Step};

use crate::device::Fault;
use crate::world::{ALL, World, all_converted, choices, image};

/// An operation that had ended as it was to be stopped is stopped all the same: what follows it waits for the operator.
#[test]
fn what_is_to_be_stopped_and_ends_by_itself_is_not_gone_on_with() {
    let mut world = World::upgrade();
    world.notified = false;
    let mut world = world.begin().until_underway(Step::Downloading);
    world.until(|world| world.device.work.as_ref().is_some_and(|work| work.state == OperationState::Done));
    assert!(world.give(&Event::StopOperation));
    let world = world.on();
    world.assert_asks(&ALL, "downloading failed: it was stopped by an operator");
    assert_eq!(world.count(Command::Reset), 0, "{}", world.told());
    let world = world.answer(Answer::Again);
    world.assert_upgraded(&world.before.1);
}

/// An upgrade failed and was asked about; then others had the device try what was loaded.
fn others_try_what_was_loaded() -> World {
    let mut world = World::upgrade().fault(Command::Confirm, [Fault::Fail("flash")]).play();
    world.before_counts = false;
    world.device.slide();
    world.device.trial = Some(world.now + Duration::from_secs(600));
    world.device.show_ended("of another manager", OperationState::Done, world.now);
    world.answer(Answer::End)
}

#[test]
fn what_others_only_try_is_not_what_a_device_was_left_with() {
    let world = others_try_what_was_loaded();
    assert_eq!(world.outcome(), Outcome::EndedByOperator, "{}", world.told());
    assert_eq!(world.run.leaves().map(|left| left.version), Some("1.0".into()));
    let told = "; the device runs 2.0 on trial, which this run leaves to whoever tries it";
    assert!(world.ending().reason.ends_with(told), "{}", world.told());
}

#[test]
fn who_ends_a_run_is_told_that_others_only_try_the_software_of_before() {
    let mut world = World::upgrade().fault(Command::Confirm, [Fault::Fail("flash")]).play();
    world.before_counts = false;
    world.device.trial = Some(world.now + Duration::from_secs(600));
    world.device.show_ended("of another manager", OperationState::Done, world.now);
    let world = world.answer(Answer::End);
    let told = "; the device runs 1.0 on trial, which this run leaves to whoever tries it";
    assert!(world.ending().reason.ends_with(told), "{}", world.told());
}

/// A device that went by itself to where it is to be rolled back to left settings that are later than the backup.
#[test]
fn what_was_changed_before_a_device_rolled_back_by_itself_is_not_left_behind() {
    let mut world = World::new(Goal::RollBack, choices()).fault(Command::RollBack, [Fault::SetLost]).begin();
    world.until(|world| world.count(Command::RollBack) == 1);
    world.before_counts = false;
    world.edit();
    let edited = world.device.running().files.clone();
    world.device.slide();
    let world = world.on();
    let kept = world.kept.iter().any(|kept| kept.files == edited);
    assert!(world.device.running().files == edited || kept, "{}", world.told());
}

/// What an operator edited is for a format, and not for an image.
#[test]
fn what_an_operator_edited_stays_with_another_image_of_its_format() {
    let mut world = World::converting(image("2.0", 2));
    world.profile.conversion = vec![ConvertedBy::Operator];
    let world = world.fault(Command::Download, [Fault::Fail("flash")]).play();
    let edited = all_converted(&world.before.1);
    let world = world.answer(Answer::Edited(edited.clone()));
    world.assert_asks(&ALL, "downloading failed: the device reports: flash");
    let mut world = world;
    world.device.image = ("2.1".into(), 2, image("2.1", 2).digest);
    let world = world.answer(Answer::OtherImage(image("2.1", 2).into()));
    assert_eq!(world.outcome(), Outcome::Succeeded, "{}", world.told());
    assert_eq!((world.device.running().version.as_str(), &world.device.running().files), ("2.1", &edited));
}

/// A trial of others goes on after a reset: who had the device reset is told.
#[test]
fn who_resets_a_device_that_others_have_on_trial_is_told_so() {
    let mut world = World::new(Goal::Reset, choices()).begin().until_underway(Step::Resetting);
    world.until(|world| world.device.work.as_ref().is_some_and(|work| work.state == OperationState::Done));
    world.device.trial = Some(world.now + Duration::from_secs(6000));
    let world = world.on();
    assert_eq!(world.outcome(), Outcome::Succeeded, "{}", world.told());
    let told =
        "the device has restarted; the device runs 1.0 on trial, which this run leaves to whoever tries it";
    assert_eq!(world.ending().reason, told);
}
