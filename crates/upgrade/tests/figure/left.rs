//! A device that ran other software when the run before it ended: it left that by itself, while nobody looked (row H18).

use upgrade::profile::Command;
use upgrade::run::{Answer, Choices, Expected, Goal, Outcome, Step, Story};
use upgrade::{ConfigurationSet, Time};

use crate::device::Fault;
use crate::world::{World, choices, image};

/// The run before left the device with what is in its other buffer now.
fn left(goal: Goal, choices: Choices) -> World {
    let mut world = World::new(goal, choices);
    world.run.expected = Some(Expected {
        version: "0.9".into(),
        buffer: None,
        other_version: None,
        other: None,
        unkept: false,
        restored: false,
    });
    world
}

fn leaves(world: &World) -> Option<String> {
    world.run.leaves().map(|expected| expected.version)
}

fn upgrade() -> Goal {
    Goal::Upgrade { image: image("2.0", 1).into() }
}

/// Found by the deterministic world: what was changed there since the last backup was gone with the buffer.
#[test]
fn nothing_is_loaded_over_what_it_was_left_with() {
    let world = left(upgrade(), choices()).play();
    assert_eq!((world.outcome(), world.sets.len()), (Outcome::Refused, 0), "{}", world.told());
    let reason = "the device was left with 0.9 and runs 1.0 by now; its other buffer holds 0.9, with its settings, \
                  which would be written over: bring it back with `iadms rollback`, or begin again with --overwrite";
    assert_eq!(world.ending().reason, reason);
    // Nor is the same image tried once more, with the settings of before.
    let mut world = left(upgrade(), choices());
    let (digest, standby) = (world.device.image.2, 1 - world.device.running);
    let slot = &mut world.device.slots[standby];
    (slot.version, slot.digest) = ("2.0".into(), Some(digest));
    world.run.expected = Some(Expected {
        version: "2.0".into(),
        buffer: None,
        other_version: None,
        other: None,
        unkept: false,
        restored: false,
    });
    assert_eq!(world.play().outcome(), Outcome::Refused);
}

#[test]
fn what_is_given_up_is_loaded_over() {
    let world = left(upgrade(), Choices { overwrite: true, ..choices() }).play();
    world.assert_upgraded(&world.before.1);
    let text = "? IAD-1, version 1.0; it was left with 0.9".into();
    assert!(world.stories.contains(&Story::StepDone { step: Step::Preflight, text }), "{:?}", world.stories);
    assert_eq!(leaves(&world), Some("2.0".into()));
}

/// What it runs has been restored; the runs before left it with this version.
fn restored(version: &str) -> World {
    let set = World::upgrade().play().kept[0].clone();
    let mut world = World::new(Goal::Restore { set: set.clone() }, choices());
    world.run.expected = Some(Expected {
        version: version.into(),
        buffer: None,
        other_version: None,
        other: Some(set),
        unkept: false,
        restored: false,
    });
    let world = world.play();
    assert_eq!(world.outcome(), Outcome::Succeeded, "{}", world.told());
    world
}

/// Found by the deterministic world: what was restored to what it slid to is what it had when the run before left it, and later
/// than what it was left with.
#[test]
fn what_was_restored_meanwhile_are_todays_settings() {
    for (version, meanwhile) in [("1.0", false), ("0.9", true)] {
        let world = restored(version);
        let left = world.run.leaves().unwrap();
        assert_eq!((left.version.as_str(), left.restored, left.unkept), (version, meanwhile, false));
        let todays = world.device.running().files.clone();
        let world = next(world, Goal::RollBack).play();
        assert_eq!(world.outcome(), Outcome::Succeeded, "{}", world.told());
        assert_eq!((&*world.device.running().version, &world.device.running().files), ("0.9", &todays));
    }
}

/// Found by the deterministic world: settings were changed after they had been restored to what it slid to, it came back, and they
/// were loaded over.
#[test]
fn nothing_is_loaded_over_settings_that_were_changed_after_they_were_restored() {
    let mut world = restored("0.9");
    world.device.edit();
    world.device.slide();
    let world = next(world, upgrade()).play();
    assert_eq!((world.outcome(), world.sets.len()), (Outcome::Refused, 0), "{}", world.told());
    let reason = "its other buffer holds 1.0, with settings that are in no backup and would be written over: keep them \
                  with `iadms rollback`, or begin again with --overwrite";
    assert_eq!(world.ending().reason, reason);
}

/// Found by the deterministic world: it slid and came back, and what a person had changed meanwhile was loaded over.
#[test]
fn nothing_is_loaded_over_settings_that_were_changed_in_the_other_buffer() {
    for goal in [upgrade(), Goal::RollBack, Goal::Backup] {
        let mut world = World::new(goal.clone(), choices());
        let aside = 1 - world.device.running;
        let left = ConfigurationSet {
            files: world.device.slots[aside].files.clone(),
            ..ConfigurationSet::default()
        };
        world.run.expected = Some(Expected {
            version: "1.0".into(),
            buffer: None,
            other_version: None,
            other: Some(left.clone()),
            unkept: false,
            restored: false,
        });
        world.device.slide();
        world.device.edit();
        world.device.slide();
        let changed = world.device.slots[aside].files.clone();
        let world = world.play();
        let other = world.run.leaves().unwrap().other.unwrap();
        match goal {
            Goal::Upgrade { .. } => {
                assert_eq!((world.outcome(), world.sets.len()), (Outcome::Refused, 0), "{}", world.told());
                let reason = "its other buffer holds 0.9, with settings that are in no backup and \
                              would be written over: keep them with `iadms rollback`, or begin again with --overwrite";
                assert_eq!((world.ending().reason.as_str(), other), (reason, left));
            }
            Goal::RollBack => {
                assert_eq!(world.outcome(), Outcome::Succeeded, "{}", world.told());
                assert!(world.kept.iter().any(|kept| kept.files == changed), "{:?}", world.kept);
                assert_eq!(other.files, world.before.1);
            }
            // It says nothing of them, and the next upgrade is still refused.
            _ => assert_eq!((world.outcome(), other), (Outcome::Succeeded, left)),
        }
    }
}

/// Shown by a reviewer: it was called changed settings, and who followed the advice ran what nobody had tried.
#[test]
fn what_somebody_else_loaded_is_not_loaded_over_unsaid_and_is_gone_on_with_where_it_is_wanted() {
    for (version, choices, sets) in [
        ("3.0", choices(), Some(Outcome::Refused)),
        ("3.0", Choices { overwrite: true, ..choices() }, None),
        ("2.0", choices(), None),
    ] {
        let mut world = World::new(upgrade(), choices);
        let aside = 1 - world.device.running;
        let other = Some(ConfigurationSet {
            files: world.device.slots[aside].files.clone(),
            ..ConfigurationSet::default()
        });
        let known = Expected {
            version: "1.0".into(),
            buffer: None,
            other_version: Some("0.9".into()),
            other,
            unkept: false,
            restored: false,
        };
        world.run.expected = Some(known);
        let digest = world.device.image.2;
        let slot = &mut world.device.slots[aside];
        (slot.version, slot.digest) = (version.into(), (version == "2.0").then_some(digest));
        slot.files.values_mut().for_each(|held| *held = crate::device::file("as delivered"));
        let world = world.play();
        match sets {
            Some(outcome) => {
                let reason = "its other buffer holds 3.0, which somebody else loaded there since the last run and which \
                              would be written over: begin again with --overwrite";
                assert_eq!((world.outcome(), world.ending().reason.as_str()), (outcome, reason));
                assert_eq!(world.sets.len(), 0);
            }
            None => world.assert_upgraded(&world.before.1),
        }
    }
}

/// Runs that ended when nothing of the other buffer was kept say nothing of it.
#[test]
fn what_an_older_iadms_stored_is_not_taken_for_an_empty_buffer() {
    let mut world = World::upgrade().play();
    let mut stored = serde_json::to_value(&world.run).unwrap();
    let left_with = &mut stored["state"]["ended"]["left_with"];
    assert!(left_with["other"].is_object(), "{stored}");
    left_with.as_object_mut().unwrap().remove("other");
    left_with.as_object_mut().unwrap().remove("other_version");
    world.run = serde_json::from_value(stored).unwrap();
    let known = world.run.leaves().unwrap();
    assert_eq!((known.version.as_str(), known.other_version, known.other), ("2.0", None, None));
}

/// Both buffers hold other software by now: it cannot be brought back.
#[test]
fn what_is_there_no_more_is_not_loaded_over() {
    let mut world = left(upgrade(), choices());
    world.run.expected = Some(Expected {
        version: "0.8".into(),
        buffer: None,
        other_version: None,
        other: None,
        unkept: false,
        restored: false,
    });
    let world = world.play();
    world.assert_upgraded(&world.before.1);
}

/// What it runs meanwhile has the settings of before the upgrade, unless somebody changed them since.
#[test]
fn what_it_was_left_with_is_rolled_back_to_and_keeps_its_later_settings() {
    for changed_since in [false, true] {
        let mut world = left(Goal::RollBack, choices());
        let files = |slot: usize| world.device.slots[slot].files.clone();
        let (todays, theirs) = (files(world.device.running), files(1 - world.device.running));
        assert_ne!(todays, theirs);
        let then = if changed_since { &theirs } else { &todays };
        let then = ConfigurationSet { files: then.clone(), ..ConfigurationSet::default() };
        world.run.expected.as_mut().unwrap().other = Some(then);
        let world = world.play();
        assert_eq!(world.outcome(), Outcome::Succeeded, "{}", world.told());
        assert_eq!((world.device.running().version.as_str(), leaves(&world)), ("0.9", Some("0.9".into())));
        assert_eq!(world.device.running().files, if changed_since { todays } else { theirs });
        // What is not in force is backed up.
        assert_eq!(world.kept.len(), if changed_since { 2 } else { 1 });
    }
}

#[test]
fn a_run_that_changes_no_software_passes_on_what_it_was_left_with() {
    let world = left(Goal::Backup, choices()).play();
    assert_eq!((world.outcome(), leaves(&world)), (Outcome::Succeeded, Some("0.9".into())));
    let world = World::new(Goal::Backup, choices()).play();
    assert_eq!((world.outcome(), leaves(&world)), (Outcome::Succeeded, Some("1.0".into())));
    let ended = left(upgrade(), Choices { overwrite: true, ..choices() });
    let ended = ended.fault(Command::Backup, [Fault::Refuse]).play().answer(Answer::End);
    assert_eq!((ended.outcome(), leaves(&ended)), (Outcome::EndedByOperator, Some("0.9".into())));
    let refused = left(upgrade(), choices()).play();
    assert_eq!((refused.outcome(), leaves(&refused)), (Outcome::Refused, Some("0.9".into())));
}

/// Found by the deterministic world: it was called a success that a device had slid to what is wanted, and the next image was
/// loaded over the settings that it had left.
#[test]
fn what_it_slid_to_is_no_success_of_whoever_wants_that() {
    let already = || Goal::Upgrade { image: image("1.0", 1).into() };
    let world = left(already(), choices()).play();
    assert_eq!((world.outcome(), leaves(&world)), (Outcome::Refused, Some("0.9".into())));
    assert!(
        world.ending().reason.contains("with its settings, which are not in force: bring"),
        "{}",
        world.told()
    );
    let world = left(already(), Choices { overwrite: true, ..choices() }).play();
    assert_eq!((world.outcome(), leaves(&world)), (Outcome::Succeeded, Some("1.0".into())));
}

/// Found by the deterministic world: the first run of all was a backup, during which the device left its software.
#[test]
fn what_a_device_was_found_with_first_is_expected_of_it() {
    let mut world = World::new(Goal::Backup, choices()).fault(Command::Backup, [Fault::Refuse]).play();
    world.device.slide();
    world.before_counts = false;
    let world = world.answer(Answer::Again);
    assert_eq!((world.outcome(), world.device.running().version.as_str()), (Outcome::Succeeded, "0.9"));
    assert_eq!(leaves(&world), Some("1.0".into()));
}

/// What it found was no end of anything: others tried new software.
#[test]
fn a_run_that_was_refused_leaves_nothing_to_be_expected() {
    let mut world = World::new(upgrade(), choices());
    world.device.trial = Some(upgrade::Time::from_millis(2_000_000_000_000));
    let world = world.play();
    assert_eq!((world.outcome(), world.run.leaves()), (Outcome::Refused, None));
}

#[test]
fn what_it_has_in_its_other_buffer_at_the_end_is_known_to_the_next_run() {
    let world = World::new(upgrade(), choices()).play();
    assert_eq!(world.outcome(), Outcome::Succeeded, "{}", world.told());
    let Expected { version, other, .. } = world.run.leaves().unwrap();
    assert_eq!((version.as_str(), other.unwrap().files), ("2.0", world.before.1));
}

/// The run after this one, on the same device.
fn next(mut world: World, goal: Goal) -> World {
    world.device.silent_until = world.now;
    let mut then = World::new(goal, choices());
    then.run.id = upgrade::RunId(world.run.id.0 + 1);
    then.run.expected = world.run.leaves();
    then.now = world.now;
    then.before = (world.device.running().version.clone(), world.device.running().files.clone());
    then.device = world.device;
    then
}

/// Shown by a reviewer: the run itself had loaded what it wondered about.
#[test]
fn a_lost_device_that_came_back_by_itself_is_upgraded_again() {
    let mut world = World::upgrade().begin().until_step(Step::Soaking);
    world.device.silent_until = Time::from_millis(u64::MAX);
    let mut world = world.on().answer(Answer::End);
    assert_eq!(world.outcome(), Outcome::DeviceLost);
    world.device.lose_power(world.now);
    let world = next(world, upgrade()).play();
    world.assert_upgraded(&world.before.1);
}

/// Shown by a reviewer: the settings that were found there were those of the failed restore.
#[test]
fn a_roll_back_whose_restore_failed_is_followed_by_an_upgrade() {
    let mut world = World::new(Goal::RollBack, choices()).begin().until_underway(Step::Restoring);
    let kind = world.device.running().files.keys().next().unwrap().clone();
    let file = world.before.1[&kind];
    world.device.damage(&kind, file, "flash");
    let world = world.on().answer(Answer::End);
    assert_eq!(world.outcome(), Outcome::EndedByOperator, "{}", world.told());
    let world = next(world, upgrade()).play();
    world.assert_upgraded(&world.before.1);
}

/// Shown by an examiner, with the programs: the roll-back to what it had left failed, and what was changed there was loaded over.
#[test]
fn what_a_roll_back_could_not_back_up_is_not_loaded_over_after_its_end() {
    let upgraded = World::new(upgrade(), choices()).play();
    let mut world = next(upgraded, Goal::RollBack);
    // Changed on 2.0, which does not start any more; something else was changed on 1.0 since.
    world.device.edit();
    world.device.slide();
    world.device.edit();
    world.before = (world.device.running().version.clone(), world.device.running().files.clone());
    let theirs = world.device.slots[1 - world.device.running].files.clone();
    let world = world.begin().until_step(Step::RollingBack).fault(Command::Backup, [Fault::Fail("flash")]);
    let world = world.on().answer(Answer::End);
    assert_eq!(world.outcome(), Outcome::EndedByOperator, "{}", world.told());
    assert!(world.kept.iter().all(|kept| kept.files != theirs));
    let world = next(world, upgrade()).play();
    assert_eq!((world.outcome(), world.sets.len()), (Outcome::Refused, 0), "{}", world.told());
}

/// What was changed on trial, and could not be backed up before service was restored, is still there.
#[test]
fn what_could_not_be_backed_up_on_trial_is_not_loaded_over_by_the_next_run() {
    let mut world = World::upgrade().begin().until_step(Step::Soaking);
    world.device.edit();
    world.device.healthy = false;
    let world = world.fault(Command::Backup, vec![Fault::Fail("flash"); 5]).on();
    let mut world = world.answer(Answer::End);
    assert_eq!(world.outcome(), Outcome::EndedByOperator, "{}", world.told());
    world.device.healthy = true;
    let mut world = next(world, Goal::Upgrade { image: image("3.0", 1).into() });
    world.device.image.0 = "3.0".into();
    let world = world.play();
    assert_eq!((world.outcome(), world.sets.len()), (Outcome::Refused, 0), "{}", world.told());
    assert!(world.ending().reason.contains("with settings that are in no backup"), "{}", world.told());
}

/// Found by the deterministic world: what was changed on trial and left there was taken for today's settings once the device had
/// slid to it.
#[test]
fn what_was_changed_on_a_trial_that_failed_is_no_later_than_what_was_gone_back_to() {
    let mut world = World::new(Goal::RollBack, choices()).begin().until_step(Step::RollingBack);
    let todays = world.before.1.clone();
    world.until(|world| world.device.running().version == "0.9");
    world.device.edit();
    let mut world = world.fault(Command::Backup, [Fault::Fail("flash")]).on().answer(Answer::End);
    assert_eq!((world.outcome(), &world.device.running().files), (Outcome::EndedByOperator, &todays));
    world.device.slide();
    let world = next(world, Goal::RollBack).play();
    assert_eq!(world.outcome(), Outcome::Succeeded, "{}", world.told());
    assert_eq!(world.device.running().files, todays);
}

/// Shown by an examiner: nobody knew what had become of the trial, and what had been changed there was loaded over.
#[test]
fn what_was_changed_on_a_device_that_was_lost_is_not_loaded_over_by_another_image() {
    for changed in [true, false] {
        let mut world = World::upgrade().begin().until_step(Step::Soaking);
        if changed {
            world.device.edit();
        }
        world.device.silent_until = Time::from_millis(u64::MAX);
        let mut world = world.on().answer(Answer::End);
        assert_eq!(world.outcome(), Outcome::DeviceLost);
        world.device.lose_power(world.now);
        let mut world = next(world, Goal::Upgrade { image: image("3.0", 1).into() });
        world.device.image = ("3.0".into(), 1, image("3.0", 1).digest);
        let world = world.play();
        let outcome = if changed { Outcome::Refused } else { Outcome::Succeeded };
        assert_eq!(world.outcome(), outcome, "{}", world.told());
    }
}

/// It is not loaded once more, and what is found there is backed up before anything is restored over it.
#[test]
fn what_could_not_be_backed_up_on_trial_is_once_the_same_image_runs_again() {
    let mut world = World::upgrade().begin().until_step(Step::Soaking);
    world.device.edit();
    world.device.healthy = false;
    let changed = world.device.running().files.clone();
    let world = world.fault(Command::Backup, vec![Fault::Fail("flash"); 5]).on();
    let mut world = world.answer(Answer::End);
    assert_eq!(world.outcome(), Outcome::EndedByOperator, "{}", world.told());
    assert!(world.kept.iter().all(|kept| kept.files != changed), "{:?}", world.kept);
    world.device.healthy = true;
    world.device.faults.clear();
    let world = next(world, upgrade()).play();
    world.assert_upgraded(&world.before.1);
    assert_eq!(world.count(Command::Download), 0, "{}", world.told());
    assert!(world.kept.iter().any(|kept| kept.files == changed), "{:?}", world.kept);
}
