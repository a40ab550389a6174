//! Runs with other goals than an upgrade: the other software, or a restart.

use upgrade::profile::Command;
use upgrade::run::{Answer, AnswerKind, Goal, Outcome, Policy, Step};

use crate::device::{BOOT, Fault};
use crate::world::{World, choices};

fn roll_back() -> World {
    World::new(Goal::RollBack, choices())
}

fn reset() -> World {
    World::new(Goal::Reset, choices())
}

#[test]
fn the_software_in_the_other_buffer_runs_with_todays_configuration() {
    let world = roll_back().play();
    assert_eq!(world.outcome(), Outcome::Succeeded, "{}", world.told());
    assert_eq!(world.device.running().version, "0.9");
    assert_eq!(world.device.running().files, world.before.1);
}

#[test]
fn software_that_cannot_read_it_keeps_the_configuration_it_had() {
    let mut world = roll_back();
    world.device.slots[1].format = 0;
    let theirs = world.device.slots[1].files.clone();
    let world = world.play();
    assert_eq!(world.outcome(), Outcome::Succeeded);
    assert_eq!(world.device.running().files, theirs);
    assert_eq!(world.kept.len(), 1);
}

#[test]
fn a_roll_back_that_fails_leaves_todays_software() {
    for fault in [Fault::Refuse, Fault::Fail("no"), Fault::PowerLoss, Fault::Hang] {
        let world = roll_back().fault(Command::RollBack, [fault.clone()]).play();
        world.assert_asks(&[AnswerKind::Again, AnswerKind::End], "rolling back failed");
        let world = world.answer(Answer::Again);
        assert_eq!(world.outcome(), Outcome::Succeeded, "{fault:?}: {}", world.told());
        assert_eq!(world.device.running().version, "0.9");
    }
}

#[test]
fn a_roll_back_whose_restore_fails_comes_back_to_todays_software() {
    let world = roll_back().fault(Command::Restore, [Fault::Fail("not applied")]).play();
    world.assert_asks(&[AnswerKind::Again, AnswerKind::End], "not applied");
    assert_eq!(world.device.running().version, "1.0");
    let world = world.answer(Answer::Again);
    assert_eq!(world.device.running().version, "0.9");
    assert_eq!(world.device.running().files, world.before.1);
}

#[test]
fn settings_changed_before_a_roll_back_are_backed_up_and_come_along() {
    for hides_revision in [false, true] {
        let mut world = roll_back();
        world.device.calls = 2;
        world.device.hides_revision = hides_revision;
        let mut world = world.begin().until_step(Step::Draining);
        world.edit();
        world.device.calls = 0;
        let world = world.on();
        assert_eq!(world.outcome(), Outcome::Succeeded);
        assert_eq!(world.kept.len(), 3, "twice today's, and what the other software had");
        assert_eq!(world.device.running().files, world.before.1);
    }
}

/// Found by the deterministic world: the last look at the settings is older than the command.
#[test]
fn settings_changed_right_before_the_roll_back_are_backed_up_and_come_along() {
    let mut world = roll_back().begin().until_step(Step::RollingBack);
    world.until(|world| world.run.is_commanding());
    world.edit();
    let world = world.on();
    assert_eq!(world.outcome(), Outcome::Succeeded, "{}", world.told());
    assert_eq!((world.kept.len(), world.count(Command::RollBack)), (3, 2));
    assert_eq!(world.device.running().files, world.before.1);
}

/// Found by the deterministic world: that software had run, and what a person had changed there was in no backup.
#[test]
fn what_the_other_software_had_is_backed_up_before_todays_settings_are_restored_over_it() {
    for killed in [false, true] {
        let world = roll_back();
        let theirs = world.device.slots[1].files.clone();
        let mut world = world.begin().until_step(Step::RollingBack).until_underway(Step::BackingUp);
        if killed {
            world.kill_manager();
        }
        let world = world.on();
        assert_eq!(world.outcome(), Outcome::Succeeded, "{}", world.told());
        assert!(world.kept.iter().any(|kept| kept.files == theirs), "{}", world.told());
        assert_eq!(world.device.running().files, world.before.1);
    }
    for fault in [Fault::Refuse, Fault::Fail("no"), Fault::PowerLoss, Fault::Hang] {
        let world = roll_back();
        let theirs = world.device.slots[1].files.clone();
        let world = world.begin().until_step(Step::RollingBack);
        let world = world.fault(Command::Backup, [fault.clone()]).on();
        world.assert_asks(&[AnswerKind::Again, AnswerKind::End], "backing up failed");
        assert_eq!(world.device.slots[1].files, theirs, "{}", world.told());
        let world = world.answer(Answer::Again);
        assert_eq!(world.outcome(), Outcome::Succeeded, "{fault:?}: {}", world.told());
    }
}

#[test]
fn a_killed_manager_rolls_back_no_further() {
    let mut world = roll_back();
    world.dies_after = Some(Command::RollBack);
    let world = world.play();
    assert_eq!(world.outcome(), Outcome::Succeeded);
    assert_eq!((world.device.running().version.as_str(), world.count(Command::RollBack)), ("0.9", 1));
}

#[test]
fn equal_versions_in_both_buffers_leave_no_calls_closed() {
    let mut world = roll_back();
    world.device.slots[1].version = "1.0".into();
    let world = world.play();
    assert_eq!(world.outcome(), Outcome::Succeeded, "{}", world.told());
}

#[test]
fn a_reset_that_ends_in_the_other_software_has_failed() {
    let mut world = reset().begin().until_underway(Step::Resetting);
    world.device.slide();
    let world = world.on();
    world.assert_asks(
        &[AnswerKind::Again, AnswerKind::End],
        "restarting failed: the device runs 0.9, not 1.0",
    );
    assert_eq!(world.count(Command::RollBack), 1);
}

#[test]
fn a_reset_is_proven_by_a_restart() {
    let world = reset().play();
    assert_eq!(world.outcome(), Outcome::Succeeded);
    assert_eq!(world.device.boots, 8);
    assert!(world.sets.contains(&Command::CloseCalls));
    assert!(world.now.as_millis() > 1_000_000_000 + u64::try_from(BOOT.as_millis()).unwrap());
}

#[test]
fn a_reset_that_never_comes_is_asked_about() {
    for fault in [Fault::Pretend, Fault::Hang, Fault::Refuse, Fault::Fail("no")] {
        let world = reset().fault(Command::Reset, [fault.clone()]).play();
        world.assert_asks(&[AnswerKind::Again, AnswerKind::End], "restarting failed");
        let world = world.answer(Answer::Again);
        assert_eq!(world.outcome(), Outcome::Succeeded, "{fault:?}: {}", world.told());
    }
}

#[test]
fn a_device_that_dies_of_its_reset_is_lost() {
    let world = reset().fault(Command::Reset, [Fault::Dies]).play();
    assert!(world.question().lost);
    assert_eq!(world.answer(Answer::End).outcome(), Outcome::DeviceLost);
    let mut world = reset().fault(Command::Reset, [Fault::Dies]);
    world.run.choices.policy = Policy::Never;
    assert_eq!(world.play().outcome(), Outcome::DeviceLost);
}

#[test]
fn a_killed_manager_resets_once() {
    let mut world = reset();
    world.dies_after = Some(Command::Reset);
    let world = world.play();
    assert_eq!((world.outcome(), world.device.boots), (Outcome::Succeeded, 8));
    let mut world = reset().begin().until_underway(Step::Resetting);
    world.kill_manager();
    let world = world.on();
    assert_eq!((world.outcome(), world.device.boots), (Outcome::Succeeded, 8));
}
