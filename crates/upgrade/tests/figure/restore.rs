//! Converting on the device, and restoring (rows H19 to H23, H18).

use std::time::Duration;

use upgrade::operation::Seen;
use upgrade::profile::{Command, ConvertedBy};
use upgrade::reading::{Capability, REVISION_MOVED};
use upgrade::run::{Answer, AnswerKind, Event, Goal, Outcome, Policy, Step};
use upgrade::{ConfigurationSet, StoredFile};

use crate::device::Fault;
use crate::world::{ALL, World, all_converted, choices, image, stored, with_converter};

fn faults() -> [(Fault, &'static str); 5] {
    [
        (Fault::Fail("the configuration could not be applied"), "could not be applied"),
        (Fault::Pretend, "is not the one restored"),
        (Fault::Refuse, "refused"),
        (Fault::Hang, "no progress"),
        (Fault::PowerLoss, "restart"),
    ]
}

#[test]
fn a_failed_restore_is_rolled_back_before_anybody_is_asked() {
    for (fault, why) in faults() {
        let world = World::upgrade().fault(Command::Restore, [fault.clone()]).play();
        world.assert_asks(&ALL, why);
        let world = world.answer(Answer::Again);
        world.assert_upgraded(&world.before.1);
    }
}

#[test]
fn a_failed_restore_that_was_brought_back_is_not_lost() {
    let mut world = World::upgrade().begin().until_step(Step::Restoring);
    // Silent for longer than it is looked for, so that the restore cannot even begin.
    world.device.silent_until = world.now + Duration::from_secs(150);
    let world = world.on();
    world.assert_asks(&ALL, "did not answer");
    let world = world.answer(Answer::End);
    assert_eq!(world.outcome(), Outcome::EndedByOperator, "it is as it was before, and verified");
}

#[test]
fn a_failed_conversion_on_the_device_is_rolled_back() {
    for fault in [Fault::Fail("the conversion failed"), Fault::NothingCame, Fault::PowerLoss, Fault::Hang] {
        let world = World::converting(image("2.0", 2)).fault(Command::Convert, [fault]).play();
        world.assert_asks(&ALL, "converting failed");
        let world = world.answer(Answer::Again);
        world.assert_upgraded(&all_converted(&world.before.1));
    }
}

/// Found by the deterministic world: nothing else on the device tells what it made of its configuration.
#[test]
fn a_conversion_that_was_damaged_on_its_way_is_not_restored() {
    let world = World::converting(image("2.0", 2)).fault(Command::Convert, [Fault::Alter]).play();
    world.assert_asks(&ALL, "the digests differ");
    assert_eq!(world.count(Command::Restore), 0);
    let world = world.answer(Answer::Again);
    world.assert_upgraded(&all_converted(&world.before.1));
}

#[test]
fn after_a_failed_restore_it_is_converted_again_and_not_just_restored() {
    let world =
        World::converting(image("2.0", 2)).fault(Command::Restore, [Fault::Fail("not applied")]).play();
    let world = world.answer(Answer::Again);
    world.assert_upgraded(&all_converted(&world.before.1));
    assert_eq!(world.count(Command::Convert), 2);
}

#[test]
fn a_restore_that_fails_without_a_conversion_may_lead_to_one() {
    let world = World::upgrade().fault(Command::Restore, [Fault::Fail("not applied")]).play();
    let edited = all_converted(&world.before.1);
    let world = world.answer(Answer::Edited(edited.clone()));
    world.assert_upgraded(&edited);
    assert_eq!(world.kept.len(), 1, "the original is kept untouched");
    assert_eq!(world.kept[0].files, world.before.1);
}

#[test]
fn what_an_operator_edited_is_not_lost_by_trying_again() {
    let world = World::upgrade().fault(Command::Restore, vec![Fault::Fail("not applied"); 2]).play();
    let edited = all_converted(&world.before.1);
    let world = world.answer(Answer::Edited(edited.clone())).answer(Answer::Again);
    world.assert_upgraded(&edited);
}

#[test]
fn by_itself_a_restore_is_repeated_within_the_trial_time() {
    let mut world = World::policy(Policy::Auto(2)).fault(Command::Restore, [Fault::Fail("not applied")]);
    world.run.choices.policy = Policy::Auto(2);
    let world = world.play();
    world.assert_upgraded(&world.before.1);
    assert_eq!((world.count(Command::RollBack), world.count(Command::Restore)), (0, 2));
}

#[test]
fn on_the_new_software_a_restore_is_repeated_as_often_as_the_policy_says() {
    let fails = || Fault::Fail("the configuration could not be applied");
    let world = World::policy(Policy::Auto(2)).fault(Command::Restore, [fails(), fails(), fails()]).play();
    world.assert_asks(&ALL, "could not be applied");
    assert_eq!((world.run.repeats, world.count(Command::Reset)), (2, 1));
}

#[test]
fn a_repeat_on_a_device_that_fell_back_never_writes_to_the_old_software() {
    let mut world = World::converting(image("2.0", 2)).fault(Command::Restore, [Fault::PowerLoss]);
    world.run.choices.policy = Policy::Auto(3);
    let mut world = world.begin();
    let original = world.before.1.clone();
    while !world.run.is_over() {
        assert!(world.next());
        if world.device.running().version == "1.0" {
            assert_eq!(world.device.running().files, original, "{}", world.told());
        }
    }
    assert_eq!(world.count(Command::Convert), 2, "{}", world.told());
    world.assert_upgraded(&all_converted(&world.before.1));
}

#[test]
fn a_device_that_fell_back_between_two_steps_gets_nothing_of_the_new_version() {
    let mut world = World::converting(with_converter(image("2.0", 2)));
    world.profile.conversion = vec![ConvertedBy::Manager];
    let mut world = world.begin().until_step(Step::Restoring);
    world.device.lose_power(world.now);
    let original = world.before.1.clone();
    world.until(|world| {
        assert!(world.device.running().version != "1.0" || world.device.running().files == original);
        matches!(world.run.state, upgrade::run::State::Asking(_))
    });
    world.assert_asks(&ALL, "runs 1.0, not 2.0");
    assert_eq!(world.count(Command::Restore), 0);
}

#[test]
fn a_manager_killed_while_it_restores_goes_on() {
    for command in [Command::Convert, Command::Restore] {
        let mut world = World::converting(image("2.0", 2));
        world.dies_after = Some(command);
        let world = world.play();
        world.assert_upgraded(&all_converted(&world.before.1));
    }
    for step in [Step::Converting, Step::Restoring] {
        let mut world = World::converting(image("2.0", 2)).begin().until_underway(step);
        world.kill_manager();
        let world = world.on();
        world.assert_upgraded(&all_converted(&world.before.1));
    }
}

#[test]
fn a_stored_configuration_is_restored_after_todays_is_backed_up() {
    let world = World::new(Goal::Restore { set: stored() }, choices()).play();
    assert_eq!(world.outcome(), Outcome::Succeeded);
    assert_eq!(world.device.running().files, stored().files);
    assert_eq!(world.kept[0].files, world.before.1);
}

/// Found by the deterministic world: what a person had just changed was written over, and was in no backup.
#[test]
fn settings_changed_before_they_are_restored_over_are_backed_up_first() {
    for (hides_revision, on_its_way) in [(false, false), (false, true), (true, false)] {
        let mut world = World::new(Goal::Restore { set: stored() }, choices());
        world.device.hides_revision = hides_revision;
        let mut world = world.begin().until_step(Step::Restoring);
        if on_its_way {
            world.until(|world| world.run.is_commanding());
        }
        world.device.edit();
        let edited = world.device.running().files.clone();
        let world = world.on();
        assert_eq!(world.outcome(), Outcome::Succeeded, "{}", world.told());
        assert_eq!(world.device.running().files, stored().files);
        assert_eq!(world.kept.last().map(|kept| &kept.files), Some(&edited));
    }
}

#[test]
fn settings_changed_while_the_manager_was_down_are_backed_up_before_the_original_is_brought_back() {
    let mut world = World::new(Goal::Restore { set: stored() }, choices())
        .fault(Command::Restore, [Fault::Fail("the transfer broke off")])
        .begin()
        .until_underway(Step::Restoring);
    let name = world.tickets.keys().next().unwrap().clone();
    assert!(world.give(&Event::Transferred { name, seen: Seen::Begun }));
    let (stored_run, pending) = (world.run.clone(), world.now + Duration::from_secs(3600));
    world.leave_device_alone(pending - world.now);
    world.run = stored_run;
    world.device.edit();
    let edited = world.device.running().files.clone();
    world.kill_manager();
    let world = world.on();
    world.assert_asks(&[AnswerKind::Again, AnswerKind::End], "the configuration was changed in between");
    assert!(world.kept.iter().any(|kept| kept.files == edited), "{}", world.told());
    assert_eq!(world.device.running().files, world.before.1, "as it was before");
    let world = world.answer(Answer::Again);
    assert_eq!(world.device.running().files, stored().files);
}

#[test]
fn settings_that_never_rest_are_asked_about_and_nothing_is_restored_over_them() {
    let mut world = World::new(Goal::Restore { set: stored() }, choices()).begin();
    for _ in 0..4 {
        world = world.until_step(Step::Restoring);
        world.edit();
        world.until(|world| world.run.current_step() != Some(Step::Restoring));
    }
    let world = world.on();
    world.assert_asks(&[AnswerKind::Again, AnswerKind::End], "the configuration was changed in between");
    assert_eq!(world.count(Command::Restore), 0);
}

#[test]
fn a_restore_that_never_began_touches_nothing() {
    for cancelled in [false, true] {
        let mut world =
            World::new(Goal::Restore { set: stored() }, choices()).begin().until_step(Step::Restoring);
        // Another manager's operation is under way, and somebody changes the settings meanwhile.
        world.device.occupy("of another", upgrade::Time::from_millis(u64::MAX));
        world.edit();
        let world = if cancelled { world.cancel() } else { world.on() };
        assert_eq!(world.count(Command::Restore), 0, "{}", world.told());
        assert_eq!(world.device.running().files, world.before.1);
        assert_eq!(world.run.is_over(), cancelled, "{}", world.told());
    }
}

/// The command is lost, and the device not heard for a time.
#[test]
fn a_restore_that_never_arrived_is_not_taken_back_over_what_was_changed() {
    for cancelled in [false, true] {
        let mut world = World::new(Goal::Restore { set: stored() }, choices())
            .fault(Command::Restore, [Fault::SetLost])
            .begin()
            .until_step(Step::Restoring);
        world.until(|world| world.run.is_commanding());
        world.edit();
        world.until(|world| !world.run.is_commanding());
        world.device.silent_until = world.now + Duration::from_secs(130);
        let world = if cancelled { world.cancel() } else { world.on() };
        assert_eq!(world.run.is_over(), cancelled, "{}", world.told());
        assert_eq!(world.count(Command::Restore), 1, "{}", world.told());
        assert_eq!(world.device.running().files, world.before.1);
    }
}

/// Found by the deterministic world: what is restored is what is there already, but for what a person changes just then.
#[test]
fn a_restore_of_todays_configuration_that_never_began_touches_nothing() {
    let set = World::new(Goal::Backup, choices()).play().kept[0].clone();
    let mut world = World::new(Goal::Restore { set }, choices()).begin().until_step(Step::Restoring);
    world.device.silent_until = world.now + Duration::from_secs(130);
    world.edit();
    let world = world.on();
    assert_eq!(world.count(Command::Restore), 0, "{}", world.told());
    assert_eq!(world.device.running().files, world.before.1);
}

#[test]
fn a_device_that_is_not_heard_before_its_restore_may_be_given_up() {
    let mut world =
        World::new(Goal::Restore { set: stored() }, choices()).begin().until_step(Step::Restoring);
    world.device.silent_until = world.now + Duration::from_secs(3600);
    let world = world.on();
    assert!(world.question().lost, "{}", world.told());
    assert_eq!(world.answer(Answer::End).outcome(), Outcome::DeviceLost);
}

#[test]
fn when_that_fails_todays_configuration_is_brought_back() {
    let mut world =
        World::new(Goal::Restore { set: stored() }, choices()).begin().until_underway(Step::Restoring);
    // Half of it is applied, against the book.
    let kind = world.before.1.keys().next().unwrap().clone();
    let half: StoredFile = stored().files[&kind];
    world.device.damage(&kind, half, "could not be applied");
    let world = world.on();
    world.assert_asks(&[AnswerKind::Again, AnswerKind::End], "could not be applied");
    assert_eq!(world.count(Command::Restore), 2);
    let world = world.answer(Answer::Again);
    assert_eq!(world.device.running().files, stored().files);
}

#[test]
fn todays_configuration_that_cannot_be_brought_back_is_once_it_can_be() {
    let world = World::new(Goal::Restore { set: stored() }, choices());
    let mut world = world.begin().until_underway(Step::Restoring);
    let kind = world.before.1.keys().next().unwrap().clone();
    world.device.damage(&kind, stored().files[&kind], "could not be applied");
    let world = world.fault(Command::Restore, vec![Fault::Refuse; 4]).on();
    assert!(world.question().lost, "{}", world.told());
    let world = world.answer(Answer::Again);
    world.assert_asks(&[AnswerKind::Again, AnswerKind::End], "could not be applied");
    assert_eq!(world.device.running().files, world.before.1);
    assert_eq!(world.begun(Step::RollingBack), 0, "no other software ever ran: {}", world.told());
}

#[test]
fn a_configuration_in_another_format_is_refused() {
    let set = ConfigurationSet { format: Some(9), ..stored() };
    let world = World::new(Goal::Restore { set }, choices()).play();
    assert_eq!(world.outcome(), Outcome::Refused);
    assert!(world.ending().reason.contains("format 9"));
}

#[test]
fn an_edit_of_settings_that_moved_meanwhile_is_asked_for_anew_and_nothing_else_is_restored() {
    let mut world = World::upgrade().fault(Command::Restore, [Fault::Fail("not applied")]).play();
    let edited = all_converted(&world.before.1);
    world.edit();
    let world = world.answer(Answer::Edited(edited));
    assert_eq!(world.question().failure, None);
    assert_eq!(world.count(Command::Reset), 1, "the first attempt's");
    let edited = all_converted(&world.before.1);
    let world = world.answer(Answer::Edited(edited.clone()));
    world.assert_upgraded(&edited);
}

#[test]
fn half_a_restore_of_which_nobody_was_told_does_not_become_the_original() {
    let mut world = World::new(Goal::Restore { set: stored() }, choices())
        .fault(Command::Restore, [Fault::Fail("not applied"), Fault::Fail("not applied")])
        .begin()
        .until_underway(Step::Restoring);
    // The device took the files, and the manager was killed before it could note that.
    let (kind, file) = stored().files.into_iter().next().unwrap();
    world.device.damage(&kind, file, "not applied");
    world.device.hurry(world.now);
    world.leave_device_alone(Duration::from_secs(1));
    world.kill_manager();
    let world = world.on();
    assert_eq!(world.device.running().files, world.before.1, "{}", world.told());
}

/// Shown by a reviewer: a device that says itself that its settings moved, and did nothing for that, was brought back to those of before.
#[test]
fn what_the_device_did_not_do_since_its_settings_moved_is_done_with_those_of_now() {
    let moved = || [Fault::Fail(REVISION_MOVED)];
    let mut world = World::upgrade().fault(Command::Activate, moved());
    world.device.cannot(Capability::NeedsReset);
    let mut world = world.begin().until_underway(Step::Activating);
    world.edit();
    let edited = world.device.running().files.clone();
    let world = world.on();
    assert_eq!(world.outcome(), Outcome::Succeeded, "{}", world.told());
    assert_eq!(world.device.running().files, edited, "{}", world.told());
    assert_eq!(world.count(Command::RollBack), 0);

    let world = World::new(Goal::Restore { set: stored() }, choices()).fault(Command::Restore, moved());
    let mut world = world.begin().until_underway(Step::Restoring);
    world.edit();
    let edited = world.device.running().files.clone();
    let world = world.on();
    assert_eq!(world.outcome(), Outcome::Succeeded, "{}", world.told());
    assert_eq!(world.kept.last().map(|kept| &kept.files), Some(&edited), "today's are backed up first");
}
