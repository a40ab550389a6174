//! What a person changes on software on trial is backed up before the device goes back: the next download writes over it.

use std::time::Duration;

use upgrade::StoredFile;
use upgrade::profile::{Command, Scope};
use upgrade::reading::OperationState;
use upgrade::run::{Answer, AnswerKind, Event, Goal, Outcome, State, Step};

use crate::device::Fault;
use crate::world::{ALL, World, all_converted, choices, image};

/// The file that a person changes at the device now.
fn edited(world: &mut World) -> StoredFile {
    world.device.edit();
    *world.device.running().files.values().next_back().unwrap()
}

fn is_kept(world: &World, file: &StoredFile) -> bool {
    world.kept.iter().any(|set| set.files.values().any(|kept| kept == file))
}

/// A backup is under way, and all its files have come.
fn until_all_came(world: World) -> World {
    let mut world = world.until_underway(Step::BackingUp);
    world.until(|world| match &world.run.state {
        State::Working { operation, .. } => operation.written().len() == operation.transfers.len(),
        _ => false,
    });
    world
}

/// The second upgrade loads over what was changed during the first.
fn is_kept_and_upgraded_after_all(mut world: World, file: StoredFile, why: &str) {
    world.assert_asks(&ALL, why);
    assert!(is_kept(&world, &file), "{}", world.told());
    assert_eq!(world.kept.len(), 2, "{}", world.told());
    world.device.healthy = true;
    let world = world.answer(Answer::Again);
    world.assert_upgraded(&world.before.1);
}

#[test]
fn settings_changed_while_it_is_watched_are_backed_up_before_it_goes_back() {
    for hides_revision in [false, true] {
        let mut world = World::upgrade();
        world.device.hides_revision = hides_revision;
        let mut world = world.begin().until_step(Step::Soaking);
        let file = edited(&mut world);
        world.device.healthy = false;
        is_kept_and_upgraded_after_all(world.on(), file, "bad health");
    }
}

/// Shown by a reviewer: they were listed in the format of what runs by the time of the look.
#[test]
fn settings_of_a_trial_are_kept_in_its_own_format_though_it_is_over_by_then() {
    for falls_back in [false, true] {
        let mut world = World::converting(image("2.0", 2)).begin().until_step(Step::Soaking);
        let file = edited(&mut world);
        world.device.healthy = false;
        let mut world = until_all_came(world);
        if falls_back {
            let now = world.now;
            world.device.lose_power(now);
            world.device.revision += 1;
        }
        let world = world.on();
        assert!(is_kept(&world, &file), "{}", world.told());
        let formats: Vec<_> = world.kept.iter().map(|set| set.format).collect();
        assert_eq!(formats, [Some(1), Some(2)], "falls back: {falls_back}");
        assert_eq!(world.kept_of, ["1.0", "2.0"], "falls back: {falls_back}");
    }
}

#[test]
fn settings_changed_after_the_last_look_are_found_out_by_their_revision() {
    let mut world = World::upgrade().fault(Command::Confirm, [Fault::Fail("flash")]);
    world = world.begin().until_step(Step::RollingBack);
    let file = edited(&mut world);
    is_kept_and_upgraded_after_all(world.on(), file, "flash");

    // The SET is on its way already.
    let mut world = World::upgrade().fault(Command::Confirm, [Fault::Fail("flash")]).begin();
    world.until(|world| world.run.current_step() == Some(Step::RollingBack) && world.run.is_commanding());
    let file = edited(&mut world);
    is_kept_and_upgraded_after_all(world.on(), file, "flash");
}

/// Found by the deterministic world: what moved here moved on trial, and an earlier drift was long backed up anew.
#[test]
fn settings_changed_before_a_restore_on_trial_are_no_drift() {
    let mut world = World::upgrade();
    world.device.keeps_admission = true;
    let mut world = world.begin().until_step(Step::Draining);
    world.edit();
    let mut world = world.until_step(Step::BackingUp).until_step(Step::Restoring);
    let file = edited(&mut world);
    let world = world.on();
    world.assert_asks(&ALL, "restoring failed: the configuration was changed in between");
    assert!(is_kept(&world, &file), "{}", world.told());
    let world = world.answer(Answer::Again);
    world.assert_upgraded(&world.before.1);
}

#[test]
fn who_cancels_while_it_is_watched_loses_no_settings_either() {
    let mut world = World::upgrade().begin().until_step(Step::Soaking);
    let file = edited(&mut world);
    let world = world.cancel();
    assert_eq!(world.outcome(), Outcome::Cancelled);
    assert!(is_kept(&world, &file), "{}", world.told());
}

#[test]
fn a_backup_that_fails_does_not_keep_the_device_on_trial() {
    for fault in [Fault::Refuse, Fault::Fail("flash"), Fault::Hang, Fault::PowerLoss] {
        let mut world = World::upgrade().begin().until_step(Step::Soaking);
        edited(&mut world);
        world.device.healthy = false;
        let mut world = world.fault(Command::Backup, vec![fault.clone()]).on();
        world.assert_asks(&ALL, "bad health");
        assert!(world.failures().iter().any(|failure| failure.starts_with("backing up failed")), "{fault:?}");
        world.device.healthy = true;
        let world = world.answer(Answer::Again);
        world.assert_upgraded(&world.before.1);
    }
}

#[test]
fn settings_that_never_rest_do_not_keep_the_device_on_trial() {
    let mut world = World::upgrade().fault(Command::Confirm, [Fault::Fail("flash")]);
    world = world.begin().until_step(Step::RollingBack);
    while !matches!(world.run.state, State::Asking(_)) {
        if world.run.current_step() == Some(Step::RollingBack) && world.run.is_commanding() {
            world.device.edit();
        }
        assert!(world.next(), "{}", world.told());
    }
    world.assert_asks(&ALL, "flash");
    assert_eq!(world.kept.len(), 4, "the original, and three times what was changed: {}", world.told());
}

#[test]
fn a_manager_killed_while_it_keeps_them_goes_on() {
    let mut world = World::upgrade().begin().until_step(Step::Soaking);
    let file = edited(&mut world);
    world.device.healthy = false;
    world = world.until_step(Step::BackingUp);
    world.kill_manager();
    is_kept_and_upgraded_after_all(world.on(), file, "bad health");
}

#[test]
fn settings_changed_while_it_is_watched_stay_where_the_software_is_confirmed() {
    let mut world = World::upgrade().begin().until_step(Step::Soaking);
    let file = edited(&mut world);
    let world = world.on();
    assert_eq!(world.outcome(), Outcome::Succeeded, "{}", world.told());
    assert!(world.device.running().files.values().any(|held| *held == file));
    assert!(world.ending().reason.ends_with("its configuration is another one than was restored"));
}

/// What the new software came with is nobody's work; what is found there instead is.
#[test]
fn settings_changed_before_they_are_restored_over_are_backed_up() {
    let mut world = World::upgrade().begin().until_step(Step::Restoring);
    let file = edited(&mut world);
    is_kept_and_upgraded_after_all(world.on(), file, "the configuration was changed in between");
}

/// Found by the deterministic world: nobody had seen that it was restored already.
#[test]
fn settings_changed_while_the_manager_was_down_are_not_restored_over() {
    let mut world = World::upgrade().begin().until_underway(Step::Restoring);
    world.until(|world| world.device.work.as_ref().is_some_and(|work| work.state == OperationState::Done));
    let file = edited(&mut world);
    world.kill_manager();
    is_kept_and_upgraded_after_all(world.on(), file, "restoring failed");
}

#[test]
fn a_manager_killed_after_a_cancel_keeps_them_too() {
    let mut world = World::upgrade().begin().until_step(Step::Soaking);
    let file = edited(&mut world);
    world.run.last.configuration = world.device.reading(Scope::Whole, world.now).running_configuration();
    let mut world = world.fault(Command::Backup, [Fault::Fail("the transfer broke off")]);
    assert!(world.give(&Event::Cancelled));
    world = world.until_underway(Step::BackingUp);
    world.kill_manager();
    let world = world.on();
    assert_eq!(world.outcome(), Outcome::Cancelled);
    assert!(is_kept(&world, &file), "{}", world.told());
}

/// What was counted for settings that moved is not counted for the way back.
#[test]
fn settings_that_never_rest_leave_the_way_back_its_own_tries() {
    let mut world = World::upgrade().fault(Command::Confirm, [Fault::Fail("flash")]);
    world = world.begin().until_step(Step::RollingBack);
    let mut refused = false;
    while !matches!(world.run.state, State::Asking(_)) {
        if world.run.current_step() == Some(Step::RollingBack) && world.run.is_commanding() {
            world.device.edit();
        }
        if world.kept.len() == 4 && !std::mem::replace(&mut refused, true) {
            world = world.fault(Command::Restore, [Fault::Refuse]);
            let kind = world.before.1.keys().next().unwrap().clone();
            world.device.slots[0].files.insert(kind, crate::device::file("damaged"));
        }
        assert!(world.next(), "{}", world.told());
    }
    world.assert_asks(&ALL, "flash");
    assert!(refused);
}

/// By itself the device left the software on trial, and what a person had changed there.
fn left_behind() -> (World, StoredFile) {
    let mut world = World::upgrade().begin().until_step(Step::Soaking);
    let file = edited(&mut world);
    world.device.running = 0;
    world.device.trial = None;
    let world = world.on();
    world.assert_asks(&ALL, "watching its health failed: the device runs 1.0, not 2.0");
    assert!(!is_kept(&world, &file), "{}", world.told());
    (world, file)
}

/// Found by the deterministic world: the image was found loaded, with what a person had changed there.
#[test]
fn settings_found_as_new_software_comes_up_are_backed_up_before_they_are_restored_over() {
    for killed in [false, true] {
        let (mut world, file) = left_behind();
        assert!(world.give(&Event::Answered(Answer::Again)));
        world = world.until_step(Step::Activating).until_underway(Step::BackingUp);
        if killed {
            world.kill_manager();
        }
        let world = world.on();
        assert!(is_kept(&world, &file), "{}", world.told());
        world.assert_upgraded(&world.before.1);
    }
}

#[test]
fn settings_found_as_new_software_comes_up_that_cannot_be_backed_up_stay_where_they_are() {
    for fault in [Fault::Refuse, Fault::Fail("flash"), Fault::Hang, Fault::PowerLoss] {
        let (world, file) = left_behind();
        let restores = world.count(Command::Restore);
        let world = world.fault(Command::Backup, [fault]).answer(Answer::Again);
        world.assert_asks(&[AnswerKind::Again, AnswerKind::End], "backing up failed");
        assert_eq!(world.count(Command::Restore), restores, "{}", world.told());
        assert!(world.device.slots[1].files.values().any(|held| *held == file), "{}", world.told());
        let world = world.answer(Answer::Again);
        assert!(is_kept(&world, &file), "{}", world.told());
        world.assert_upgraded(&world.before.1);
    }
}

#[test]
fn who_cancels_while_they_are_backed_up_loses_none() {
    let (mut world, file) = left_behind();
    assert!(world.give(&Event::Answered(Answer::Again)));
    let world = world.until_step(Step::Activating).until_underway(Step::BackingUp).cancel();
    assert_eq!(world.outcome(), Outcome::Cancelled);
    assert!(world.device.slots[1].files.values().any(|held| *held == file), "{}", world.told());
}

/// What the software came with, or was found there and is kept, is not backed up again.
#[test]
fn what_is_known_of_new_software_is_not_backed_up_as_it_comes_up() {
    let mut world =
        World::upgrade().fault(Command::Confirm, [Fault::Fail("flash"), Fault::Fail("flash")]).play();
    for _ in 0..2 {
        assert_eq!(world.kept.len(), 1, "{}", world.told());
        world = world.answer(Answer::Again);
    }
    world.assert_upgraded(&world.before.1);
    assert_eq!(world.kept.len(), 1, "{}", world.told());
}

/// Shown by an examiner who read the code: where a device tells no digests, what was converted has no revision, and was taken for what
/// is found there, whatever that was.
#[test]
fn settings_changed_after_a_trial_are_not_restored_over_where_only_their_revision_is_told() {
    let mut world = World::converting(image("2.0", 2));
    world.device.hides_digests = true;
    let mut world = world.begin().until_step(Step::Soaking);
    let now = world.now;
    world.device.silent_until = now + Duration::from_secs(100_000);
    world.until(|world| matches!(world.run.state, State::Asking(_)));
    assert!(world.question().lost, "{}", world.told());
    let now = world.now;
    world.device.lose_power(now);
    world.device.silent_until = now;
    let file = edited(&mut world);
    let world = world.answer(Answer::Again);
    assert!(is_kept(&world, &file), "{}", world.told());
}

/// Shown by an examiner who read the code: nothing that is told is not nothing that is there.
#[test]
fn settings_of_what_is_rolled_back_to_are_backed_up_where_no_digests_are_told() {
    for hides in [false, true] {
        let mut world = World::new(Goal::RollBack, choices());
        world.device.hides_digests = hides;
        let theirs = world.device.slots[1 - world.device.running].files.clone();
        let world = world.play();
        assert_eq!(world.outcome(), Outcome::Succeeded, "{}", world.told());
        assert!(theirs.values().all(|file| is_kept(&world, file)), "hides: {hides}: {}", world.told());
    }
}

/// Shown by a reviewer: it was believed that nobody could have worked on what was loaded.
#[test]
fn settings_changed_on_loaded_software_that_it_ran_for_a_while_are_backed_up() {
    let held =
        |world: &mut World| world.run.choices.activate_at = Some(world.now + Duration::from_secs(100_000));
    for (holds, hides_digests) in [(true, false), (false, false), (true, true), (false, true)] {
        let mut world = World::upgrade();
        world.device.hides_digests = hides_digests;
        let mut world = if holds {
            held(&mut world);
            let mut world = world.begin();
            world.until(|world| matches!(world.run.state, State::Holding { .. }));
            world
        } else {
            world.fault(Command::CloseCalls, [Fault::Refuse]).play()
        };
        world.device.slide();
        world.device.edit();
        let theirs = world.device.running().files.clone();
        world.device.slide();
        let world = if holds { world.on() } else { world.answer(Answer::Again) };
        world.assert_upgraded(&world.before.1);
        let is_kept = world.kept.iter().any(|kept| kept.files == theirs);
        assert!(is_kept, "hides: {hides_digests}: {:?}", world.kept);
    }
}

#[test]
fn what_came_of_them_before_they_were_changed_again_is_kept_as_well() {
    let mut world = World::upgrade().begin().until_step(Step::Soaking);
    let first = edited(&mut world);
    world.device.healthy = false;
    let mut world = world.until_underway(Step::BackingUp);
    world.until(|world| {
        let State::Working { operation, .. } = &world.run.state else { return false };
        operation.written().len() == operation.transfers.len()
    });
    world.device.edit();
    let mut world = world.on();
    world.assert_asks(&ALL, "bad health");
    let is_kept = |file: StoredFile| world.kept.iter().any(|set| set.files.values().any(|own| *own == file));
    assert!(is_kept(first), "{}", world.told());
    world.device.slide();
    assert!(is_kept(*world.device.running().files.values().next_back().unwrap()), "{}", world.told());
}

/// Nobody has a copy of them, and another image would be loaded over them.
#[test]
fn another_image_is_not_loaded_over_settings_that_a_trial_was_left_with() {
    let (mut world, file) = left_behind();
    world.device.image = ("3.0".into(), 1, image("3.0", 1).digest);
    let downloads = world.count(Command::Download);
    let world = world.answer(Answer::OtherImage(image("3.0", 1).into()));
    world.assert_asks(&ALL, "its other buffer holds 2.0, with settings that are in no backup");
    assert_eq!(world.count(Command::Download), downloads, "{}", world.told());
    // The first one again is not loaded again.
    let mut world = world;
    world.device.image = ("2.0".into(), 1, image("2.0", 1).digest);
    let world = world.answer(Answer::OtherImage(image("2.0", 1).into()));
    assert!(is_kept(&world, &file), "{}", world.told());
    world.assert_upgraded(&world.before.1);
}

/// What this run gave it there is nobody's work, and be it converted, and half of it.
#[test]
fn another_image_is_loaded_over_what_a_trial_was_given() {
    for left_by_itself in [false, true] {
        let mut world = World::converting(image("2.0", 2)).begin().until_underway(Step::Restoring);
        if left_by_itself {
            let kind = world.run.backed_up().into_keys().next().unwrap();
            let file = all_converted(&world.before.1)[&kind];
            world.device.damage(&kind, file, "flash");
            world.device.running = 0;
            world.device.trial = None;
        } else {
            world = world.until_step(Step::Soaking);
            world.device.healthy = false;
        }
        let mut world = world.on();
        world.device.healthy = true;
        let third = image("3.0", 2);
        world.device.image = ("3.0".into(), 2, third.digest);
        let world = world.answer(Answer::OtherImage(third.into()));
        assert_eq!(world.outcome(), Outcome::Succeeded, "{}", world.told());
        assert_eq!(world.device.running().version, "3.0");
        assert_eq!(world.device.running().files, all_converted(&world.before.1));
    }
}

/// Some devices tell nothing of the configuration that loaded software has before it runs: what is found there then is nobody's, or
/// a person's who was quicker than the first look.
#[test]
fn what_is_found_where_nothing_was_told_before_is_backed_up_before_it_is_restored_over() {
    let mut world = World::upgrade().begin().until_underway(Step::Downloading);
    world.device.hides_other_configuration = true;
    let mut world = world.until_underway(Step::Activating);
    world.until(|world| world.device.running().version == "2.0");
    let file = edited(&mut world);
    let world = world.on();
    assert!(is_kept(&world, &file), "{}", world.told());
    assert_eq!(world.kept_of, ["1.0", "2.0"]);
    world.assert_upgraded(&world.before.1);
}

/// Found by the deterministic world: the command came late, and the device carried it out on the software that it had fallen back to.
#[test]
fn what_is_sent_after_a_trial_is_over_is_not_taken_for_what_was_changed_on_it() {
    for hides_digests in [false, true] {
        let mut world = World::converting(image("2.0", 2)).begin().until_step(Step::Soaking);
        world.device.salts = hides_digests;
        let mut world = world.fault(Command::Backup, [Fault::SetLate]);
        edited(&mut world);
        world.device.healthy = false;
        world.until(|world| world.sets.last() == Some(&Command::Backup) && world.count(Command::Backup) > 1);
        let now = world.now;
        world.device.lose_power(now);
        world.device.silent_until = now;
        assert_eq!(world.device.running().version, "1.0");
        world.until(|world| world.device.work.as_ref().is_some_and(|work| work.command == Command::Backup));
        world.device.hurry(world.now);
        let world = world.on();
        assert!(!world.kept_of.iter().any(|version| version == "2.0"), "{:?}", world.kept_of);
        assert_eq!(world.device.running().files, world.before.1, "{}", world.told());
    }
}

/// Where the device tells no digests, nobody can tell of which software they are once it has left that.
#[test]
fn settings_that_came_of_a_trial_are_not_taken_for_those_of_the_software_of_before() {
    let mut world = World::converting(image("2.0", 2)).begin().until_step(Step::Soaking);
    world.device.salts = true;
    let file = edited(&mut world);
    world.device.healthy = false;
    let mut world = until_all_came(world);
    let now = world.now;
    world.device.lose_power(now);
    let world = world.on();
    // What is found where the original belongs is backed up, too.
    assert_eq!(world.kept.len(), 3, "{file:?}: {}", world.told());
    assert_eq!((world.kept[1].format, &*world.kept_of[1]), (None, ""));
}

/// What is found on trial is backed up; an operator stops that as it ends: it is kept, and nothing is restored over it.
#[test]
fn a_backup_on_trial_that_ends_as_it_is_stopped_is_kept_and_not_gone_on_with() {
    let (mut world, file) = left_behind();
    let restores = world.begun(Step::Restoring);
    assert!(world.give(&Event::Answered(Answer::Again)));
    world = until_all_came(world.until_step(Step::Activating));
    world.until(|world| world.device.work.as_ref().is_some_and(|work| work.state == OperationState::Done));
    assert!(world.give(&Event::StopOperation));
    let world = world.on();
    assert!(is_kept(&world, &file), "{}", world.told());
    assert_eq!(world.begun(Step::Restoring), restores, "{}", world.told());
    world.assert_asks(
        &[AnswerKind::Again, AnswerKind::End],
        "backing up failed: it was stopped by an operator",
    );
    let world = world.answer(Answer::Again);
    world.assert_upgraded(&world.before.1);
}
