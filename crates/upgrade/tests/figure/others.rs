//! What others made of a device that came up with its other software stays, unless it costs somebody settings (rows B8, H18).

use std::time::Duration;

use upgrade::profile::{Command, ConvertedBy};
use upgrade::reading::OperationState;
use upgrade::run::{Answer, AnswerKind, Event, Goal, Outcome, Step};

use crate::device::{Fault, file};
use crate::world::{ALL, World, all_converted, choices, image, stored};

/// A restart touches no software, and what others made of the device is theirs.
#[test]
fn what_others_made_of_a_device_that_was_to_be_restarted_stays() {
    let mut world = World::new(Goal::Reset, choices()).fault(Command::Reset, [Fault::Refuse]).play();
    world.device.slide();
    world.before_counts = false;
    world.edit();
    let theirs = world.device.running().files.clone();
    world.device.show_ended("of another manager", OperationState::Done, world.now);
    let world = world.answer(Answer::End);
    assert_eq!(world.outcome(), Outcome::EndedByOperator, "{}", world.told());
    assert_eq!((world.count(Command::RollBack), &world.device.running().files), (0, &theirs));
    assert!(world.ending().reason.ends_with("; the device runs 0.9 by now, which this run leaves as it is"));
}

/// Found by the deterministic world: another manager reset the device, which came up with its other software.
#[test]
fn what_others_failed_at_and_a_fall_back_are_no_reason_for_other_software() {
    for (answer, state, boot_reason) in [
        (Answer::Again, OperationState::Failed, None),
        (Answer::End, OperationState::Failed, None),
        (Answer::Again, OperationState::Done, Some("fallback")),
        (Answer::End, OperationState::Done, Some("fallback")),
    ] {
        let mut world = World::upgrade().fault(Command::Reset, [Fault::FallBack]).play();
        world.device.slide();
        world.device.boot_reason = boot_reason;
        world.device.show_ended("of another manager", state, world.now);
        let mut world = world.answer(answer);
        if !world.run.is_over() {
            world.assert_asks(&ALL, "preflight failed: the device runs 2.0, not 1.0");
            world.device.boot_reason = None;
            world = world.answer(Answer::Again);
            world.assert_upgraded(&world.before.1);
        }
    }
}

/// Shown by an examiner: a run that was cancelled let calls in again, and said nothing of what the device ran by then.
#[test]
fn what_others_made_of_the_device_before_calls_were_let_in_stays_and_the_end_says_so() {
    let mut world = World::new(Goal::Reset, choices());
    world.device.calls = 1;
    let mut world = world.begin().until_step(Step::Draining).fault(Command::OpenCalls, [Fault::Refuse]);
    assert!(world.give(&Event::Cancelled), "{}", world.told());
    let mut world = world.until_step(Step::OpeningCalls);
    world.device.slide();
    world.device.show_ended("of another manager", OperationState::Done, world.now);
    world.before_counts = false;
    let world = world.on();
    let world = if world.run.is_over() { world } else { world.answer(Answer::Again) };
    assert_eq!(
        (world.outcome(), world.count(Command::RollBack)),
        (Outcome::Cancelled, 0),
        "{}",
        world.told()
    );
    let reason = "cancelled by an operator; the device runs 0.9 by now, which this run leaves as it is";
    assert_eq!(world.ending().reason, reason);
}

/// Found by the deterministic world: what would be loaded next goes over the only copy of what a person changed.
#[test]
fn what_others_made_of_the_device_does_not_stay_where_it_left_settings_that_are_in_no_backup() {
    let mut world = World::upgrade().fault(Command::Confirm, [Fault::Fail("flash")]).play();
    world.edit();
    world.device.slide();
    world.device.show_ended("of another manager", OperationState::Done, world.now);
    let world = world.answer(Answer::Again);
    world.assert_asks(&ALL, "preflight failed: the device runs 2.0, not 1.0");
    let world = world.answer(Answer::Again);
    world.assert_upgraded(&world.before.1);
}

/// Others may be in the middle of their own work.
#[test]
fn what_others_made_of_the_device_while_a_question_was_open_stays_and_the_end_says_so() {
    let mut world = World::upgrade().fault(Command::Confirm, [Fault::Fail("flash")]).play();
    world.device.slide();
    world.device.show_ended("of another manager", OperationState::Done, world.now);
    world.before_counts = false;
    let world = world.answer(Answer::End);
    assert_eq!(world.outcome(), Outcome::EndedByOperator, "{}", world.told());
    assert_eq!(world.count(Command::RollBack), 1, "{}", world.told());
    let reason = "confirming failed: the device reports: flash; the device runs 2.0 by now, which this run leaves as it is";
    assert_eq!(world.ending().reason, reason);
}

/// Found by the deterministic world: another manager's reset made what a device had slid to before it look like somebody's work.
#[test]
fn what_others_did_to_a_device_that_was_to_be_brought_back_does_not_keep_it_there() {
    let mut world = World::upgrade().fault(Command::Confirm, [Fault::Fail("flash")]).play();
    world.device.slide();
    let mut world = world.fault(Command::RollBack, vec![Fault::Refuse; 4]).answer(Answer::Again);
    assert!(world.question().lost, "{}", world.told());
    world.device.show_ended("of another manager", OperationState::Done, world.now);
    let world = world.answer(Answer::Again);
    world.assert_asks(&ALL, "the device runs 2.0, not 1.0");
    assert_eq!(world.device.running().version, "1.0", "{}", world.told());
}

/// Found by the deterministic world: a restart made run what others were about to try, and the way back from there was not heeded.
#[test]
fn what_a_reset_made_run_on_trial_is_left_once_it_can_be() {
    let world = World::new(Goal::Reset, choices()).begin().until_underway(Step::Resetting);
    let mut world = world.fault(Command::RollBack, vec![Fault::Refuse; 4]);
    world.device.slide();
    let mut world = world.on();
    assert!(world.question().lost, "{}", world.told());
    world.device.trial = Some(world.now + Duration::from_secs(600));
    world.device.show_ended("of another manager", OperationState::Done, world.now);
    let world = world.answer(Answer::Again);
    assert_eq!(world.device.running().version, "1.0", "{}", world.told());
}

/// Found by the deterministic world: another manager's reset hid why it ran what it had slid to, without anybody's settings.
#[test]
fn what_runs_with_the_settings_that_it_came_with_is_nobodys_work() {
    let mut world =
        World::upgrade().fault(Command::Restore, [Fault::Refuse]).begin().until_step(Step::Draining);
    let standby = 1 - world.device.running;
    let factory = world.before.1.keys().map(|kind| (kind.clone(), file("as delivered"))).collect();
    world.device.slots[standby].files = factory;
    let mut world = world.on();
    world.assert_asks(&ALL, "restoring failed");
    world.device.slide();
    world.device.show_ended("of another manager", OperationState::Done, world.now);
    let world = world.answer(Answer::End);
    assert_eq!(world.outcome(), Outcome::EndedByOperator, "{}", world.told());
    assert_eq!((world.device.running().version.as_str(), world.count(Command::RollBack)), ("1.0", 2));
    assert_eq!(world.device.running().files, world.before.1);
}

/// Found by the deterministic world: what runs was the software of before, and would have gone back by itself to what was to be
/// loaded over.
#[test]
fn nothing_is_loaded_or_restarted_while_others_have_it_try_what_runs() {
    for (step, command) in [
        (Step::BackingUp, Command::Backup),
        (Step::Downloading, Command::Download),
        (Step::Draining, Command::Reset),
    ] {
        let mut world = World::upgrade().begin().until_step(step);
        world.device.trial = Some(world.now + Duration::from_secs(100));
        world.before_counts = false;
        let world = world.on();
        let why = "the device runs 1.0 on trial; it must be confirmed or fall back first";
        world.assert_asks(
            if step != Step::BackingUp { &ALL } else { &[AnswerKind::Again, AnswerKind::End] },
            why,
        );
        assert_eq!(world.count(command), 0, "{step}: {}", world.told());
    }
}

/// Another manager has upgraded it to 3.0, where a person changed settings.
fn upgraded_by_others(world: &mut World) {
    let (files, aside) = (world.device.running().files.clone(), 1 - world.device.running);
    let slot = &mut world.device.slots[aside];
    (slot.version, slot.digest, slot.files) = ("3.0".into(), Some(file("3.0").digest), files);
    world.device.slide();
    world.device.edit();
    world.device.show_ended("of another manager", OperationState::Done, world.now);
    world.before_counts = false;
}

/// Shown by a reviewer: edited files were gone on with, without a look at the device.
#[test]
fn what_others_upgraded_to_while_files_were_edited_stays() {
    let mut world = World::converting(image("2.0", 2));
    world.profile.conversion = vec![ConvertedBy::Operator];
    let mut world = world.play();
    upgraded_by_others(&mut world);
    let theirs = world.device.running().clone();
    let files = all_converted(&world.run.backup.clone().unwrap().files);
    let world = world.answer(Answer::Edited(files));
    let question = world.question().failure.as_ref().unwrap().to_string();
    assert!(question.contains("the device was left with 1.0 and runs 3.0 by now"), "{question}");
    let running = world.device.running();
    assert_eq!(
        (&running.version, &running.files, world.count(Command::RollBack)),
        (&theirs.version, &theirs.files, 0)
    );
}

/// Shown by a reviewer: a backup commanded a roll-back, and a restore wrote an old backup over today's settings.
#[test]
fn what_restarts_during_a_backup_and_falls_silent_is_not_brought_back_by_a_backup_or_a_restore() {
    for goal in [Goal::Backup, Goal::Restore { set: stored() }] {
        let restores = matches!(goal, Goal::Restore { .. });
        let world = World::new(goal, choices()).fault(Command::Restore, [Fault::Fail("flash")]);
        let mut world =
            if restores { world.play() } else { world.fault(Command::Backup, [Fault::Refuse]).play() };
        world.edit();
        assert!(world.give(&Event::Answered(Answer::Again)));
        let commands = world.count(Command::Restore);
        let failed = world.failures().len();
        let mut world = world.fault(Command::Backup, [Fault::PowerLoss]);
        world.until(|world| world.failures().len() > failed);
        world.device.silent_until = world.now + Duration::from_secs(3600);
        let mut world = world.on();
        world.device.silent_until = world.now;
        world.before_counts = false;
        assert!(world.give(&Event::Answered(Answer::Again)));
        world.until(|world| world.count(Command::Backup) > 2 || world.run.is_over());
        assert_eq!(
            (world.count(Command::RollBack), world.count(Command::Restore)),
            (0, commands),
            "{}",
            world.told()
        );
        assert_eq!(world.device.running().files, world.before.1);
    }
}

/// Shown by an examiner, with the programs: another manager loaded other bytes under that version while this one held.
#[test]
fn what_is_not_the_image_that_was_loaded_is_not_made_to_run_and_not_confirmed() {
    let not_so = "what the device holds as 2.0 is not the image that was loaded";
    for step in [Step::Draining, Step::Activating, Step::Soaking] {
        let mut world = World::upgrade().begin();
        world.device.calls = u32::from(step == Step::Draining);
        world = match step {
            Step::Activating => world.until_underway(step),
            _ => world.until_step(step),
        };
        let held = if step == Step::Soaking { world.device.running } else { 1 - world.device.running };
        world.device.slots[held].digest = Some(upgrade::Digest([7; 32]));
        world.device.calls = 0;
        let world = world.on();
        world.assert_asks(&ALL, not_so);
        assert_eq!(world.count(Command::Confirm), 0, "{step}");
        assert_eq!(world.count(Command::Reset) > 0, step != Step::Draining, "{step}");
    }
}

/// Found by the deterministic world: others loaded other bytes under that version and made them run, right after a person had changed
/// settings. What it left is later than the backup.
#[test]
fn what_was_changed_before_others_made_another_image_run_is_what_it_goes_back_to() {
    let mut world = World::upgrade().fault(Command::Reset, [Fault::SetLost]).begin();
    world.until(|world| world.count(Command::Reset) == 1);
    world.before_counts = false;
    world.edit();
    let edited = world.device.running().files.clone();
    world.device.slots[1 - world.device.running].digest = Some(upgrade::Digest([7; 32]));
    world.device.slide();
    let world = world.on();
    world.assert_asks(&ALL, "what the device holds as 2.0 is not the image that was loaded");
    assert_eq!(world.device.running().files, edited, "{}", world.told());
    assert_eq!(world.count(Command::Restore), 0, "{}", world.told());
}

/// Shown by an examiner with a world: the roll-back came late, and another manager's reset before it made what the device had taken by
/// itself look like somebody's work. It was asked about there.
#[test]
fn what_is_reset_by_others_before_it_could_be_rolled_back_is_rolled_back_still() {
    let mut world = World::upgrade().fault(Command::RollBack, [Fault::SetLost]).begin();
    world = world.until_underway(Step::Downloading);
    world.until(|world| world.device.work.as_ref().is_some_and(|work| work.state == OperationState::Done));
    world.device.slide();
    world.until(|world| world.count(Command::RollBack) == 1);
    world.device.boots += 1;
    world.device.booted = world.now;
    world.device.show_ended("of another manager", OperationState::Done, world.now);
    let world = world.on();
    assert!(!world.question().lost, "{}", world.told());
    assert_eq!(world.device.running().version, "1.0", "{}", world.told());
}
