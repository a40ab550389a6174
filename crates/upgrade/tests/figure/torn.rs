//! A look takes several messages, and a device may end its work between two answers: then the look tells that it is done,
//! beside what was before. Found by a scenario in worlds where datagrams are late.

use upgrade::ConfigurationSet;
use upgrade::profile::{Command, Scope};
use upgrade::reading::{OperationState, Reading};
use upgrade::run::{Event, Goal, Outcome, Step};

use crate::device::{Fault, Work};
use crate::world::{World, choices, stored};

/// The step is under way, and a look at it comes that is in parts older than its end.
fn looked_at_while_it_ended(mut world: World, step: Step) -> World {
    world = world.until_underway(step);
    let before = world.device.reading(Scope::Whole, world.now);
    let is_done = |work: &Work| work.state == OperationState::Done;
    world.until(|world| world.device.work.as_ref().is_some_and(is_done));
    assert_eq!(world.run.current_step(), Some(step), "{}", world.told());
    let after = world.device.reading(Scope::Whole, world.now);
    world.forget_answers();
    let Reading { at, uptime, boots, operation, .. } = after;
    let reading = Reading { at, uptime, boots, operation, ..before };
    let asked = world.run.asked;
    assert!(world.give(&Event::Read { asked, reading: reading.into() }), "{}", world.told());
    world
}

#[test]
fn what_is_done_has_not_failed_because_a_look_is_in_parts_older_than_that() {
    for step in [Step::Downloading, Step::Activating, Step::Restoring, Step::Confirming] {
        let world = looked_at_while_it_ended(World::upgrade().begin(), step).on();
        assert_eq!(world.outcome(), Outcome::Succeeded, "{step}: {}", world.told());
        assert!(world.failures().is_empty(), "{step}: {:?}", world.failures());
    }
}

#[test]
fn what_only_pretends_to_be_done_fails_at_the_second_look() {
    let world = World::upgrade().fault(Command::Restore, [Fault::Pretend]).begin();
    let world = looked_at_while_it_ended(world, Step::Restoring).on();
    assert_eq!(
        world.failures(),
        [
            "restoring failed: the device says that it is done, but its default-parameters is not the one restored"
        ]
    );
}

/// What is found beside loaded software is remembered as nobody's work. What was seen there while it was still written is not it, and
/// what is there in truth would be taken for somebody's, and keep the run from loading another image. Found by a world.
#[test]
fn what_was_there_before_software_was_loaded_is_not_taken_for_what_came_with_it() {
    let mut world = World::upgrade().begin().until_underway(Step::Downloading);
    let before = world.device.reading(Scope::Whole, world.now);
    let is_done = |work: &Work| work.state == OperationState::Done;
    world.until(|world| world.device.work.as_ref().is_some_and(is_done));
    let after = world.device.reading(Scope::Whole, world.now);
    let torn = Reading { configuration: before.configuration, ..after.clone() };
    assert_ne!(torn.other_configuration(), after.other_configuration());
    world.forget_answers();
    let asked = world.run.asked;
    assert!(world.give(&Event::Read { asked, reading: torn.into() }), "{}", world.told());
    let world = world.until_underway(Step::Activating);
    assert_eq!(world.run.left_there.as_ref(), Some(&after.other_configuration()));
}

/// Shown by a reviewer: where what is found is a mixture of what is known, the revision may be newer than the settings that it is
/// seen beside, and was commanded with.
#[test]
fn a_look_that_is_in_parts_older_hides_no_edit_where_a_part_was_restored() {
    let mut set = stored();
    let first = set.files.keys().next().unwrap().clone();
    set.files.retain(|kind, _| *kind == first);
    let mut world = World::new(Goal::Restore { set }, choices()).begin().until_underway(Step::Restoring);
    let is_done = |work: &Work| work.state == OperationState::Done;
    world.until(|world| world.device.work.as_ref().is_some_and(is_done));
    world.forget_answers();
    assert!(world.give(&Event::Cancelled));
    let before = world.device.reading(Scope::Whole, world.now);
    world.edit();
    let edited = world.device.running().files.clone();
    let torn =
        Reading { configuration: before.configuration, ..world.device.reading(Scope::Whole, world.now) };
    world.forget_answers();
    let asked = world.run.asked;
    world.before_counts = false;
    assert!(world.give(&Event::Read { asked, reading: torn.into() }));
    let world = world.on();
    let is_kept =
        |kept: &ConfigurationSet| edited.iter().all(|(kind, file)| kept.files.get(kind) == Some(file));
    assert!(world.kept.iter().any(is_kept), "{}", world.told());
}

/// Found by the deterministic world: a device was where its roll-back was to bring it before that led it away.
#[test]
fn what_runs_is_looked_at_once_a_roll_back_has_ended() {
    let mut world = World::upgrade().fault(Command::Confirm, [Fault::Fail("flash")]).begin();
    world = world.until_underway(Step::RollingBack);
    let is_done = |work: &Work| work.state == OperationState::Done;
    world.until(|world| world.device.work.as_ref().is_some_and(is_done));
    world.forget_answers();
    let before = world.device.reading(Scope::Whole, world.now);
    world.device.slide();
    let asked = world.run.asked;
    assert!(world.give(&Event::Read { asked, reading: before.into() }), "{}", world.told());
    assert_eq!(world.run.current_step(), Some(Step::RollingBack), "{}", world.told());
    let world = world.on();
    assert_eq!(
        (world.device.running().version.as_str(), &world.device.running().files),
        ("1.0", &world.before.1)
    );
}

/// Found by the deterministic world: a restore that was cancelled was applied while the look that was to tell whether it is to be
/// undone was answered in parts.
#[test]
fn what_was_restored_since_is_not_taken_for_undone() {
    let mut world = World::new(Goal::Restore { set: stored() }, choices()).begin();
    world = world.until_underway(Step::Restoring);
    let before = world.device.reading(Scope::Whole, world.now);
    let is_done = |work: &Work| work.state == OperationState::Done;
    world.until(|world| world.device.work.as_ref().is_some_and(is_done));
    assert!(world.give(&Event::Cancelled));
    assert_eq!(world.run.current_step(), Some(Step::RestoringOriginal), "{}", world.told());
    world.forget_answers();
    let after = world.device.reading(Scope::Whole, world.now);
    let torn = Reading { operation: after.operation, ..before };
    let asked = world.run.asked;
    assert!(world.give(&Event::Read { asked, reading: torn.into() }), "{}", world.told());
    let world = world.on();
    assert_eq!(world.outcome(), Outcome::Cancelled, "{}", world.told());
    assert_eq!(&world.device.running().files, &world.before.1, "{}", world.told());
}
