//! A device whose software does not start any more takes what its other buffer holds, untried and without its settings
//! (rows H14, H16, H18).

use std::time::Duration;

use upgrade::profile::{Command, ConvertedBy};
use upgrade::reading::OperationState;
use upgrade::run::{Answer, AnswerKind, Choices, Event, Goal, Outcome, State, Step};

use crate::device::{Fault, file};
use crate::world::{ALL, World, choices, image, with_converter};

/// Found by the deterministic world: the old software did not start any more, so that the device took the new one by itself.
#[test]
fn a_device_that_takes_the_loaded_software_by_itself_is_brought_back_before_anybody_is_asked() {
    let mut world = World::upgrade().begin().until_step(Step::Draining);
    world.device.slide();
    let world = world.on();
    world.assert_asks(&ALL, "waiting to activate failed: the device runs 2.0, not 1.0");
    assert_eq!(world.count(Command::RollBack), 1);
    assert_eq!(world.count(Command::Reset), 0);
    let world = world.answer(Answer::Again);
    world.assert_upgraded(&world.before.1);
}

/// Found by the deterministic world: the backup had not come yet. What is loaded next goes over the software that it left.
#[test]
fn a_device_that_leaves_its_software_before_it_is_backed_up_is_brought_back_and_loses_nothing() {
    for fault in [Fault::PowerLoss, Fault::Hang] {
        let mut world =
            World::upgrade().fault(Command::Backup, [fault]).begin().until_underway(Step::BackingUp);
        // What its other buffer holds is without settings. The run has not looked at that when it asks first.
        world.before_counts = false;
        world.device.slide();
        let mut world = world.on();
        for _ in 0..3 {
            assert!(world.kept.iter().all(|kept| kept.files == world.before.1), "{}", world.told());
            if world.run.is_over() {
                break;
            }
            world = world.answer(Answer::Again);
            world.before_counts = true;
        }
        world.assert_upgraded(&world.before.1);
    }
}

/// Found by the deterministic world: the image that is wanted was loaded by an earlier run, and what the device shows of operations
/// is that run's. What slid to it bare is not upgraded.
#[test]
fn a_device_that_slides_to_what_is_wanted_is_not_there_already() {
    let mut world = World::upgrade();
    let (digest, standby) = (world.device.image.2, 1 - world.device.running);
    let slot = &mut world.device.slots[standby];
    (slot.version, slot.digest) = ("2.0".into(), Some(digest));
    world.device.show_ended("of an earlier run", OperationState::Done, world.now);
    world = world.begin().until_step(Step::ConfiguringServer);
    world.device.slide();
    world.device.silent_until = world.now + Duration::from_secs(600);
    let mut world = world.on();
    assert!(world.question().lost, "{}", world.told());
    world.device.silent_until = world.now;
    let world = world.answer(Answer::Again);
    world.assert_asks(&ALL, "preflight failed: the device runs 2.0, not 1.0");
    assert_eq!(world.count(Command::RollBack), 1, "{}", world.told());
    let world = world.answer(Answer::Again);
    world.assert_upgraded(&world.before.1);
}

fn let_it_pass(mut world: World) -> World {
    assert!(world.next());
    world.on()
}

/// Found by the deterministic world: the question was open for days, and whoever ends it is told of the old software.
#[test]
fn a_device_that_slides_while_a_question_is_open_is_brought_back_before_the_end() {
    let limit = Choices { question_limit_ms: Some(600_000), ..choices() };
    let upgrade = || Goal::Upgrade { image: image("2.0", 1).into() };
    type End = fn(World) -> World;
    let ends: [(End, Outcome); 3] = [
        (|world| world.answer(Answer::End), Outcome::EndedByOperator),
        (World::cancel, Outcome::Cancelled),
        (let_it_pass, Outcome::RolledBack),
    ];
    for (end, outcome) in ends {
        for silent in [0, 30] {
            let mut world =
                World::new(upgrade(), limit.clone()).fault(Command::Confirm, [Fault::Fail("flash")]).play();
            world.assert_asks(&ALL, "confirming failed: the device reports: flash");
            world.device.slide();
            world.device.silent_until = world.now + Duration::from_secs(silent);
            let world = end(world);
            assert_eq!(world.outcome(), outcome, "{}", world.told());
            assert_eq!(world.device.running().version, "1.0", "{}", world.told());
        }
    }
}

/// Found by the deterministic world: a restart is with the same software, until the run has ended.
#[test]
fn a_device_that_slid_after_a_failed_reset_is_brought_back_before_it_goes_on_or_ends() {
    let asked = || {
        let mut world = World::new(Goal::Reset, choices()).fault(Command::Reset, [Fault::Refuse]).play();
        world.device.slide();
        world
    };
    let world = asked().answer(Answer::End);
    assert_eq!(world.outcome(), Outcome::EndedByOperator, "{}", world.told());
    assert_eq!(world.device.running().version, "1.0");
    let world = asked().answer(Answer::Again);
    world.assert_asks(&[AnswerKind::Again, AnswerKind::End], "the device runs 0.9, not 1.0");
    assert_eq!(world.device.running().version, "1.0");
    let world = world.answer(Answer::Again);
    assert_eq!(world.outcome(), Outcome::Succeeded, "{}", world.told());
}

/// Found by the deterministic world: it slid to software that had its settings from before that failed, and what a person had just
/// changed on the old software was in no backup.
#[test]
fn settings_changed_before_it_takes_software_that_has_its_settings_by_itself_stay() {
    let image = image("2.1", 1);
    for answer in [Answer::Again, Answer::OtherImage(image.into()), Answer::End] {
        let mut world = World::upgrade().fault(Command::Confirm, [Fault::Fail("flash")]).play();
        world.edit();
        world.device.slide();
        let ends = answer == Answer::End;
        let world = world.answer(answer);
        if ends {
            assert_eq!(world.outcome(), Outcome::EndedByOperator);
            continue;
        }
        world.assert_asks(&ALL, "preflight failed: the device runs 2.0, not 1.0");
        assert_eq!(world.answer(Answer::End).outcome(), Outcome::EndedByOperator);
    }
}

/// Nobody knows whether it is as before.
#[test]
fn a_device_that_is_not_heard_at_the_end_of_a_question_is_lost() {
    let mut world = World::upgrade().fault(Command::Confirm, [Fault::Fail("flash")]).play();
    world.device.silent_until = world.now + Duration::from_secs(7 * 24 * 3600);
    let world = world.answer(Answer::End);
    assert_eq!(world.outcome(), Outcome::DeviceLost, "{}", world.told());
    let reason = "confirming failed: the device reports: flash, but nobody knows whether the device is as before: the device did not answer for 126 s (no answer)";
    assert_eq!(world.ending().reason, reason);
}

/// Found by the deterministic world: it was restarting, and came up with what was loaded.
#[test]
fn a_device_that_is_not_heard_when_it_is_cancelled_is_looked_for_once_something_is_loaded() {
    for (silent, outcome) in [(60, Outcome::Cancelled), (7 * 24 * 3600, Outcome::DeviceLost)] {
        let at = upgrade::Time::from_millis(2_000_000_000_000);
        let held = Choices { activate_at: Some(at), ..choices() };
        let mut world = World::new(Goal::Upgrade { image: image("2.0", 1).into() }, held).begin();
        world.until(|world| matches!(world.run.state, State::Holding { .. }));
        world.device.slide();
        world.device.silent_until = world.now + Duration::from_secs(silent);
        let world = world.cancel();
        assert_eq!(world.outcome(), outcome, "{}", world.told());
        assert_eq!(world.count(Command::RollBack), usize::from(outcome == Outcome::Cancelled));
    }
}

/// Found by the deterministic world: it was restarting when a backup that stood still was to be stopped.
#[test]
fn a_device_that_is_not_heard_when_a_backup_is_stopped_is_looked_for_before_anybody_is_asked() {
    for silent in [60, 7 * 24 * 3600] {
        let mut world = World::upgrade().begin().until_step(Step::Draining);
        world.edit();
        let mut world = world.fault(Command::Backup, [Fault::Hang]);
        world = world.until_step(Step::BackingUp).until_step(Step::Stopping);
        world.device.slide();
        world.device.silent_until = world.now + Duration::from_secs(silent);
        let mut world = world.on();
        if world.question().lost {
            world.device.silent_until = world.now;
            world = world.answer(Answer::Again);
        }
        assert_eq!(world.count(Command::RollBack), 1, "{}", world.told());
        assert!(!world.question().lost);
        let world = world.answer(Answer::Again);
        world.assert_upgraded(&world.before.1);
    }
}

/// Found by the deterministic world: nothing was loaded, and yet it ran what it was to be rolled back to.
#[test]
fn a_device_that_is_not_heard_when_a_backup_for_a_roll_back_is_stopped_is_asked_about_as_lost() {
    let mut world = World::new(Goal::RollBack, choices()).begin().until_step(Step::Draining);
    world.edit();
    let mut world = world.fault(Command::Backup, [Fault::Hang]);
    world = world.until_step(Step::BackingUp).until_step(Step::Stopping);
    world.device.slide();
    world.device.silent_until = world.now + Duration::from_secs(7 * 24 * 3600);
    let world = world.on();
    assert!(world.question().lost, "{}", world.told());
}

/// Found by the deterministic world: nobody had looked yet.
#[test]
fn a_device_that_slid_before_a_repeat_is_brought_back_where_that_is_cancelled() {
    let mut world = World::upgrade().fault(Command::Confirm, [Fault::Fail("flash")]).play();
    world.device.slide();
    assert!(world.give(&Event::Answered(Answer::Again)));
    assert!(matches!(world.run.state, State::Preflight(_)), "{}", world.told());
    let world = world.cancel();
    assert_eq!(world.outcome(), Outcome::Cancelled);
    assert_eq!(world.device.running().version, "1.0", "{}", world.told());
}

/// Found by the deterministic world: that it had restarted was seen by a look at the operation alone.
#[test]
fn a_device_that_restarts_during_a_backup_is_looked_at_as_a_whole_before_anybody_is_asked() {
    let mut world = World::upgrade().fault(Command::Confirm, [Fault::Fail("flash")]).play();
    world.edit();
    assert!(world.give(&Event::Answered(Answer::Again)));
    let mut world = world.fault(Command::Backup, [Fault::PowerLoss]).until_underway(Step::BackingUp);
    world.device.slide();
    let world = world.on();
    assert_eq!(world.device.running().version, "1.0", "{}", world.told());
    let world = world.answer(Answer::Again);
    world.assert_upgraded(&world.before.1);
}

/// Found by the deterministic world: what was changed on the old software after the backup is what its subscribers are owed.
#[test]
fn settings_changed_before_it_takes_the_loaded_software_by_itself_stay() {
    let mut world = World::upgrade().begin().until_step(Step::Draining);
    world.device.edit();
    let edited = world.device.running().files.clone();
    world.before.1.clone_from(&edited);
    world.device.slide();
    let world = world.on();
    world.assert_asks(&ALL, "waiting to activate failed: the device runs 2.0, not 1.0");
    assert_eq!((world.count(Command::RollBack), world.count(Command::Restore)), (1, 0), "{}", world.told());
    let world = world.answer(Answer::Again);
    world.assert_upgraded(&edited);
}

/// Found by the deterministic world: software that was confirmed did not start once more, while it was watched that the device
/// takes calls.
#[test]
fn what_left_the_software_that_was_reached_has_not_succeeded() {
    let confirmed: [(World, Step, &str); 2] = [
        (World::upgrade(), Step::Confirming, "confirming failed: the device runs 1.0, not 2.0"),
        (
            World::new(Goal::RollBack, choices()),
            Step::Restoring,
            "rolling back failed: the device runs 1.0, not 0.9",
        ),
    ];
    for (world, last, why) in confirmed {
        let mut world = world.begin().until_step(last);
        // A copy of that command may still arrive.
        world.run.told_to_close = Some(world.now);
        let mut world = world.until_step(Step::OpeningCalls);
        world.device.slide();
        let world = world.on();
        assert!(world.failures().iter().any(|failure| failure == why), "{}", world.told());
        assert_eq!(world.question().failure.as_ref().map(ToString::to_string).as_deref(), Some(why));
    }
}

/// Found by the deterministic world: the same while an operator was asked.
#[test]
fn a_device_that_takes_the_loaded_software_by_itself_is_brought_back_before_the_repeat() {
    let mut world = World::upgrade().fault(Command::CloseCalls, [Fault::Refuse]).play();
    world.device.slide();
    let world = world.answer(Answer::Again);
    world.assert_asks(&ALL, "preflight failed: the device runs 2.0, not 1.0");
    assert_eq!(world.count(Command::RollBack), 1);
    let world = world.answer(Answer::Again);
    world.assert_upgraded(&world.before.1);
}

#[test]
fn a_device_that_rolls_back_by_itself_while_somebody_is_asked_gets_todays_configuration_there() {
    let mut world = World::new(Goal::RollBack, choices()).fault(Command::CloseCalls, [Fault::Refuse]).play();
    world.assert_asks(&[AnswerKind::Again, AnswerKind::End], "stopping new calls failed");
    world.device.slide();
    let world = world.answer(Answer::Again);
    assert_eq!(world.outcome(), Outcome::Succeeded, "{}", world.told());
    assert_eq!((world.device.running().version.as_str(), world.count(Command::RollBack)), ("0.9", 0));
    assert_eq!(world.device.running().files, world.before.1);
}

/// Found by the deterministic world: it was said to be there with its configuration of before, which nobody had backed up.
#[test]
fn a_device_that_rolls_back_by_itself_before_it_is_backed_up_is_brought_back_first() {
    let mut world =
        World::new(Goal::RollBack, choices()).fault(Command::Backup, [Fault::Fail("broken off")]).play();
    world.assert_asks(&[AnswerKind::Again, AnswerKind::End], "broken off");
    world.device.slide();
    let world = world.answer(Answer::Again);
    world.assert_asks(&[AnswerKind::Again, AnswerKind::End], "the device runs 0.9, not 1.0");
    assert_eq!(world.device.running().version, "1.0");
    let world = world.answer(Answer::Again);
    assert_eq!(world.outcome(), Outcome::Succeeded, "{}", world.told());
    assert_eq!(world.device.running().version, "0.9");
    assert_eq!(world.device.running().files, world.before.1);
}

/// Found by the deterministic world: what a person had changed since the backup stayed behind.
#[test]
fn a_device_that_rolls_back_by_itself_with_settings_that_moved_is_brought_back_first() {
    let mut world = World::new(Goal::RollBack, choices()).fault(Command::CloseCalls, [Fault::Refuse]).play();
    world.edit();
    let todays = world.device.running().files.clone();
    world.device.slide();
    let world = world.answer(Answer::Again);
    world.assert_asks(&[AnswerKind::Again, AnswerKind::End], "the device runs 0.9, not 1.0");
    assert_eq!(world.device.running().files, todays);
    let world = world.answer(Answer::Again);
    assert_eq!(world.outcome(), Outcome::Succeeded, "{}", world.told());
    assert_eq!((world.device.running().version.as_str(), &world.device.running().files), ("0.9", &todays));
}

#[test]
fn another_image_does_not_make_what_it_slid_to_the_software_of_before() {
    let mut world = World::upgrade().fault(Command::CloseCalls, [Fault::Refuse]).play();
    world.device.slide();
    world.device.image = ("3.0".into(), 1, file("3.0").digest);
    let world = world.answer(Answer::OtherImage(image("3.0", 1).into()));
    world.assert_asks(&ALL, "preflight failed: the device runs 2.0, not 1.0");
    assert_eq!((world.count(Command::RollBack), world.count(Command::Download)), (1, 1));
    let world = world.answer(Answer::Again);
    assert_eq!(world.outcome(), Outcome::Succeeded, "{}", world.told());
    assert_eq!(world.device.running().version, "3.0");
    assert_eq!(world.device.running().files, world.before.1);
}

#[test]
fn a_device_that_rolls_back_by_itself_while_calls_end_gets_todays_configuration_there() {
    let mut world = World::new(Goal::RollBack, choices());
    world.device.calls = 1;
    let mut world = world.begin().until_step(Step::Draining);
    world.device.slide();
    world.device.calls = 0;
    let world = world.on();
    assert_eq!(world.outcome(), Outcome::Succeeded, "{}", world.told());
    assert_eq!((world.device.running().version.as_str(), world.count(Command::RollBack)), ("0.9", 0));
    assert_eq!(world.device.running().files, world.before.1);
}

#[test]
fn a_device_that_rolls_back_by_itself_before_it_is_backed_up_anew_is_brought_back_first() {
    let mut world = World::new(Goal::RollBack, choices());
    world.device.calls = 1;
    let mut world = world.begin().until_step(Step::Draining);
    world.device.edit();
    let edited = world.device.running().files.clone();
    world.before.1.clone_from(&edited);
    world.device.calls = 0;
    let mut world = world.until_step(Step::BackingUp);
    world.device.slide();
    let world = world.on();
    world.assert_asks(
        &[AnswerKind::Again, AnswerKind::End],
        "backing up failed: the device runs 0.9, not 1.0",
    );
    assert_eq!(world.device.running().files, edited, "what was changed stays");
}

/// An agent may be started before the rest of its device.
#[test]
fn a_look_that_tells_nothing_of_the_software_decides_nothing() {
    for step in [Step::Draining, Step::Activating, Step::Restoring, Step::Soaking, Step::Confirming] {
        let mut world = World::upgrade().begin().until_step(step);
        world.device.hides_software = true;
        let until = world.now + Duration::from_secs(60);
        world.until(|world| world.now >= until);
        world.device.hides_software = false;
        let world = world.on();
        assert_eq!(world.failures(), Vec::<String>::new(), "{step}: {}", world.told());
        world.assert_upgraded(&world.before.1);
    }
}

#[test]
fn a_copy_of_before_brings_back_what_is_on_trial() {
    let mut world = World::upgrade().begin().until_step(Step::Draining);
    let copy = world.run.clone();
    world.until(|world| world.run.current_step() == Some(Step::Soaking));
    world.run = copy;
    world.kill_manager();
    let world = world.on();
    world.assert_asks(&ALL, "the device runs 2.0, not 1.0");
    assert_eq!(world.count(Command::RollBack), 1);
}

#[test]
fn a_copy_of_before_finds_a_finished_upgrade_and_leaves_it_alone() {
    for step in [Step::BackingUp, Step::Draining] {
        let world = World::upgrade().begin().until_step(step);
        let copy = world.run.clone();
        let mut world = world.on();
        assert_eq!(world.outcome(), Outcome::Succeeded);
        let commands = world.sets.len();
        world.run = copy;
        world.kill_manager();
        let world = world.on();
        assert_eq!(
            (world.outcome(), world.count(Command::RollBack)),
            (Outcome::Succeeded, 0),
            "{step}: {}",
            world.told()
        );
        assert_eq!((world.sets.len(), world.device.running().version.as_str()), (commands, "2.0"));
    }
}

/// Where nothing is to be loaded, what runs is somebody else's matter.
#[test]
fn a_backup_brings_no_device_back() {
    let world = World::new(Goal::Backup, choices()).fault(Command::Backup, [Fault::Fail("flash")]);
    let mut world = world.begin().until_underway(Step::BackingUp);
    world.device.slide();
    world.before_counts = false;
    let world = world.on();
    assert_eq!(world.question().answers, [AnswerKind::Again, AnswerKind::End]);
    assert_eq!((world.begun(Step::RollingBack), world.device.running().version.as_str()), (0, "0.9"));
}

/// The failure says nothing of what it runs: a look does.
#[test]
fn a_device_that_slid_while_its_backup_failed_is_brought_back() {
    let world = World::upgrade().fault(Command::Backup, [Fault::Fail("flash")]);
    let mut world = world.begin().until_underway(Step::BackingUp);
    world.device.slide();
    let world = world.on();
    world.assert_asks(&[AnswerKind::Again, AnswerKind::End], "backing up failed: the device reports: flash");
    assert_eq!((world.count(Command::RollBack), world.device.running().version.as_str()), (1, "1.0"));
}

#[test]
fn what_rolls_back_by_itself_and_falls_silent_is_not_sent_back_to_what_it_left() {
    let mut world = World::new(Goal::RollBack, choices()).fault(Command::CloseCalls, [Fault::Refuse]).play();
    world.device.slide();
    assert!(world.give(&upgrade::run::Event::Answered(Answer::Again)));
    world.until(|world| world.run.current_step() == Some(Step::RollingBack));
    world.device.silent_until = world.now + Duration::from_secs(3600);
    let mut world = world.on();
    assert!(world.question().lost, "{}", world.told());
    world.device.silent_until = world.now;
    let world = world.answer(Answer::Again);
    assert_eq!(world.outcome(), Outcome::Succeeded, "{}", world.told());
    assert_eq!((world.device.running().version.as_str(), world.count(Command::RollBack)), ("0.9", 0));
}

#[test]
fn a_copy_of_before_that_is_cancelled_leaves_a_finished_upgrade_alone() {
    let at = upgrade::Time::from_millis(1_000_100_000);
    let goal = Goal::Upgrade { image: image("2.0", 1).into() };
    let mut world = World::new(goal, upgrade::run::Choices { activate_at: Some(at), ..choices() }).begin();
    world.until(|world| matches!(world.run.state, upgrade::run::State::Holding { .. }));
    let copy = world.run.clone();
    let mut world = world.on();
    assert_eq!(world.outcome(), Outcome::Succeeded);
    let commands = world.sets.len();
    world.run = copy;
    world.before_counts = false;
    world.kill_manager();
    assert!(world.give(&upgrade::run::Event::Cancelled));
    let world = world.on();
    assert_eq!((world.outcome(), world.sets.len()), (Outcome::Cancelled, commands), "{}", world.told());
}

/// Shown by a reviewer: that it restarted is seen by a look which does not tell of the software.
#[test]
fn a_device_that_slides_during_a_second_backup_is_brought_back_before_anybody_is_asked() {
    let slides_during_backup = |world: World| {
        let mut world = world.fault(Command::Backup, [Fault::PowerLoss]).until_underway(Step::BackingUp);
        world.device.slide();
        let world = world.on();
        assert_eq!((world.question().lost, world.device.running().version.as_str()), (false, "1.0"));
    };
    let mut world = World::new(Goal::RollBack, choices());
    world.notified = false;
    world.device.calls = 1;
    let mut world = world.begin().until_step(Step::Draining);
    world.edit();
    world.device.calls = 0;
    slides_during_backup(world);

    let mut world = World::converting(with_converter(image("2.0", 2)));
    world.profile.conversion = vec![ConvertedBy::Manager];
    world.converter = Some(Err("broken".into()));
    let mut world = world.play();
    world.edit();
    world.notified = false;
    assert!(world.give(&Event::Answered(Answer::Again)));
    slides_during_backup(world);
}
