//! Activation, and the trial of the new software (rows H11, H12, H14, H16, H18, S16, B4, B6).

use std::time::Duration;

use upgrade::Time;
use upgrade::operation::{Notice, State as Stage};
use upgrade::profile::{Command, NotificationKind};
use upgrade::reading::{Capability, OperationState};
use upgrade::run::{Answer, AnswerKind, Choices, Event, Goal, Outcome, State, Step};

use crate::device::Fault;
use crate::world::{ALL, World, choices, image};

#[test]
fn a_device_that_needs_no_reset_is_not_reset() {
    let mut world = World::upgrade();
    world.device.capabilities.remove(&Capability::NeedsReset);
    let world = world.play();
    world.assert_upgraded(&world.before.1);
    assert_eq!((world.count(Command::Activate), world.count(Command::Reset)), (1, 0));
    assert_eq!(world.device.boots, 7, "it never restarted");
    assert_eq!(world.count(Command::CloseCalls), 0, "no call was in danger");
}

/// What is heard and what is answered come by two ways, and the device may have nothing more to tell.
#[test]
fn what_a_device_tells_before_its_answer_to_the_command_comes_hastens_a_look() {
    for told in [true, false] {
        let mut world = World::upgrade().begin().until_step(Step::Activating);
        world.until(|world| world.run.is_commanding());
        let notice = Notice { kind: NotificationKind::Restarted, operation: None, progress: None };
        if told {
            assert!(world.give(&Event::Notified(notice.clone())));
            assert!(!world.give(&Event::Notified(notice)), "once is enough");
        }
        world.until(|world| !world.run.is_commanding());
        let State::Working { operation, .. } = &world.run.state else { panic!("{}", world.told()) };
        let Stage::Underway { next, .. } = &operation.state else { panic!("{:?}", operation.state) };
        assert_eq!(next.is_none(), told, "a look is awaited");
        let world = world.on();
        world.assert_upgraded(&world.before.1);
    }
}

/// An activation was commanded, which is lost, and for longer than anybody looks for the device it is out of reach.
fn out_of_reach() -> World {
    let mut world = World::upgrade().begin().until_step(Step::Activating);
    world.until(|world| world.run.is_commanding());
    world.device.silent_until = world.now + Duration::from_secs(3600);
    let mut world = world.on();
    assert!(world.question().lost, "{}", world.told());
    world.device.silent_until = Time::default();
    world
}

#[test]
fn settings_changed_while_the_device_was_out_of_reach_stay_where_it_began_nothing() {
    let mut world = out_of_reach();
    world.edit();
    let world = world.answer(Answer::Again);
    world.assert_asks(&ALL, "activating failed");
    assert_eq!(world.count(Command::Restore), 0, "{}", world.told());
    assert_eq!(world.device.running().files, world.before.1, "as a person left it");
}

#[test]
fn settings_changed_while_the_device_was_out_of_reach_are_backed_up_before_they_are_replaced() {
    let mut world = out_of_reach();
    // What it began before that, nobody can tell any more.
    world.device.show_ended("of another", OperationState::Done, world.now);
    world.device.edit();
    let edited = world.device.running().files.clone();
    let world = world.answer(Answer::Again);
    world.assert_asks(&ALL, "activating failed");
    assert!(world.kept.iter().any(|kept| kept.files == edited), "{}", world.told());
    assert_eq!(world.device.running().files, world.before.1, "as it was before");
}

/// The command that would have been refused never arrives, and others make run what was loaded.
#[test]
fn settings_changed_before_others_activate_are_not_left_behind() {
    let mut world =
        World::upgrade().fault(Command::Reset, [Fault::SetLost]).begin().until_step(Step::Activating);
    world.until(|world| world.run.is_commanding());
    world.edit();
    world.device.slide();
    world.device.show_ended("of another", OperationState::Done, world.now);
    let world = world.on();
    world.assert_asks(&ALL, "the configuration was changed in between");
    assert_eq!(world.count(Command::Restore), 0, "{}", world.told());
    assert_eq!(world.device.running().files, world.before.1, "what a person left");
    let world = world.answer(Answer::Again);
    world.assert_upgraded(&world.before.1);
}

#[test]
fn settings_are_not_touched_where_nothing_was_ever_commanded() {
    let mut world = World::upgrade().begin().until_step(Step::Activating);
    world.device.silent_until = world.now + Duration::from_secs(3600);
    world.before_counts = false;
    let mut world = world.on();
    world.device.silent_until = Time::default();
    world.edit();
    let world = world.answer(Answer::Again);
    assert_eq!(world.count(Command::Restore), 0, "{}", world.told());
    assert_eq!(world.device.running().files, world.before.1);
}

#[test]
fn what_others_loaded_while_it_asked_stays() {
    let mut world = World::upgrade().fault(Command::CloseCalls, [Fault::Refuse]).play();
    world.before_counts = false;
    world.device.slide();
    world.device.edit();
    world.device.occupy("of another", world.now);
    let world = world.answer(Answer::Again);
    assert_eq!(
        world.ending().reason,
        "the device runs 2.0 already; nothing was to be done; its configuration is another one than was backed up"
    );
}

#[test]
fn an_activation_that_goes_wrong_is_rolled_back_before_anybody_is_asked() {
    let cases = [
        (Fault::FallBack, "fell back"),
        (Fault::Boots("1.9-beta"), "runs 1.9-beta, not 2.0"),
        (Fault::Fail("the new software did not start"), "did not start"),
        (Fault::PowerLoss, "restart"),
        (Fault::Refuse, "refused"),
        (Fault::Hang, "the time was up after 600 s"),
        (Fault::Pretend, "the time was up after 600 s"),
    ];
    for (fault, why) in cases {
        let world = World::upgrade().fault(Command::Reset, [fault.clone()]).play();
        world.assert_asks(&ALL, "");
        let said = world.failures().join("; ");
        assert!(said.contains(why) || said.contains("runs 1.0, not 2.0"), "{fault:?}: {said}");
        let world = world.answer(Answer::Again);
        assert_eq!(world.outcome(), Outcome::Succeeded, "{fault:?}: {}", world.told());
        world.assert_upgraded(&world.before.1);
    }
}

#[test]
fn a_device_that_stays_silent_is_asked_about_and_may_be_given_up() {
    let world = World::upgrade().fault(Command::Reset, [Fault::Dies]).play();
    assert!(world.question().lost);
    assert_eq!(world.question().answers, [AnswerKind::Again, AnswerKind::End]);
    let world = world.answer(Answer::Again);
    assert!(world.question().lost, "still silent");
    let world = world.answer(Answer::End);
    assert_eq!(world.outcome(), Outcome::DeviceLost);
}

#[test]
fn a_device_that_comes_back_is_brought_back() {
    let mut world = World::upgrade().fault(Command::Reset, [Fault::Dies]).play();
    world.device.silent_until = world.now;
    let world = world.answer(Answer::Again);
    world.assert_asks(&ALL, "");
    assert!(!world.question().lost);
    let world = world.answer(Answer::Again);
    world.assert_upgraded(&world.before.1);
}

#[test]
fn a_manager_killed_around_the_restart_finds_out_what_became_of_it() {
    let mut world = World::upgrade();
    world.dies_after = Some(Command::Reset);
    let world = world.play();
    world.assert_upgraded(&world.before.1);
    assert_eq!(world.count(Command::Reset), 1);
    let mut world = World::upgrade().begin();
    world.until(|world| world.device.running().version == "2.0");
    world.kill_manager();
    let world = world.on();
    world.assert_upgraded(&world.before.1);
    let mut away = World::upgrade().begin().until_underway(Step::Activating);
    // The trial is over when the manager is back: the device fell back by itself.
    away.leave_device_alone(Duration::from_secs(7200));
    away.kill_manager();
    let away = away.on();
    away.assert_asks(&ALL, "runs 1.0, not 2.0");
}

#[test]
fn an_unanswered_reset_is_looked_for() {
    let arrived = World::upgrade().fault(Command::Reset, [Fault::AnswerLost]).play();
    arrived.assert_upgraded(&arrived.before.1);
    assert_eq!(arrived.count(Command::Reset), 1);
    let lost = World::upgrade().fault(Command::Reset, [Fault::SetLost]).play();
    lost.assert_upgraded(&lost.before.1);
    assert_eq!(lost.count(Command::Reset), 2);
}

#[test]
fn settings_changed_before_activation_are_backed_up_and_survive() {
    let mut world = World::upgrade().begin().until_underway(Step::Downloading);
    world.edit();
    let world = world.on();
    world.assert_upgraded(&world.before.1);
    assert_eq!(world.kept.len(), 2);
    assert_eq!(world.count(Command::Download), 1);
}

#[test]
fn settings_changed_at_the_last_moment_are_refused_by_the_device_and_backed_up() {
    let mut world = World::upgrade().begin();
    world.until(|world| world.sets.last() == Some(&Command::Reset));
    world.edit();
    let world = world.on();
    world.assert_upgraded(&world.before.1);
    assert_eq!(world.count(Command::Reset), 2);
    assert_eq!(world.failures().len(), 1, "told once: {:?}", world.failures());
}

#[test]
fn settings_that_never_rest_are_asked_about() {
    let mut world = World::upgrade().begin();
    while world.failures().len() < 4 {
        assert!(world.next());
        let now = world.count(Command::Download);
        if world.run.current_step() == Some(Step::ClosingCalls) && world.device.admitted && now > 0 {
            world.edit();
            world.until(|world| world.run.current_step() != Some(Step::ClosingCalls));
        }
        if world.run.current_step() == Some(Step::Draining) {
            world.edit();
            world.until(|world| world.run.current_step() != Some(Step::Draining));
        }
    }
    let world = world.on();
    world.assert_asks(&ALL, "changed in between");
    assert_eq!(world.count(Command::Reset), 0);
    assert!(world.kept.len() > 3, "{}", world.kept.len());
    let world = world.answer(Answer::Again);
    world.assert_upgraded(&world.before.1);
}

#[test]
fn activation_waits_for_its_time() {
    let at = Time::from_millis(1_000_000_000) + Duration::from_secs(7200);
    let mut world = World::new(
        Goal::Upgrade { image: image("2.0", 1).into() },
        Choices { activate_at: Some(at), ..choices() },
    )
    .begin();
    world.until(|world| {
        world.count(Command::Download) == 1 && world.run.next_deadline(&world.profile) == Some(at)
    });
    world.kill_manager();
    assert_eq!(world.run.next_deadline(&world.profile), Some(at));
    world.until(|world| world.count(Command::Reset) == 1);
    assert!(world.now >= at);
    let world = world.on();
    world.assert_upgraded(&world.before.1);
}

#[test]
fn bad_health_on_trial_is_rolled_back() {
    let mut world = World::upgrade().begin().until_step(Step::Soaking);
    world.device.healthy = false;
    let mut world = world.on();
    world.assert_asks(&ALL, "bad health");
    assert_eq!((world.count(Command::RollBack), world.count(Command::Confirm)), (1, 0));
    world.device.healthy = true;
    let world = world.answer(Answer::Again);
    world.assert_upgraded(&world.before.1);
}

#[test]
fn the_new_software_is_confirmed_only_after_the_soak_time() {
    let mut world = World::upgrade().begin().until_step(Step::Soaking);
    let begun = world.now;
    world.until(|world| world.count(Command::Confirm) == 1);
    assert!(world.now >= begun + Duration::from_secs(30));
    let world = world.on();
    world.assert_upgraded(&world.before.1);
}

#[test]
fn a_loss_of_power_on_trial_ends_on_the_old_software() {
    let mut world = World::upgrade().begin().until_step(Step::Soaking);
    world.device.lose_power(world.now);
    let world = world.on();
    world.assert_asks(&ALL, "");
    let world = world.answer(Answer::End);
    assert_eq!(world.outcome(), Outcome::EndedByOperator);
    assert_eq!(world.ending().left_with.version.as_deref(), Some("1.0"));
}

#[test]
fn a_manager_killed_on_trial_goes_on_watching() {
    let mut world = World::upgrade().begin().until_step(Step::Soaking);
    world.kill_manager();
    let world = world.on();
    world.assert_upgraded(&world.before.1);
    let mut late = World::upgrade().begin().until_step(Step::Soaking);
    late.leave_device_alone(Duration::from_secs(7200));
    // Its first look goes unanswered: that says nothing of the hours before.
    late.device.silent_until = late.now + Duration::from_secs(3);
    late.kill_manager();
    let late = late.on();
    late.assert_asks(&ALL, "runs 1.0, not 2.0");
}

#[test]
fn a_confirmation_that_fails_is_rolled_back() {
    for fault in [Fault::Fail("flash"), Fault::Pretend, Fault::Refuse, Fault::Hang, Fault::PowerLoss] {
        let world = World::upgrade().fault(Command::Confirm, [fault.clone()]).play();
        world.assert_asks(&ALL, "confirming failed");
        let world = world.answer(Answer::Again);
        world.assert_upgraded(&world.before.1);
    }
}

#[test]
fn a_manager_killed_while_it_confirms_finds_it_confirmed() {
    let mut world = World::upgrade();
    world.dies_after = Some(Command::Confirm);
    let world = world.play();
    world.assert_upgraded(&world.before.1);
    assert_eq!(world.count(Command::Confirm), 1);
}

#[test]
fn a_restart_while_its_health_is_watched_is_no_health() {
    let mut world = World::upgrade();
    // Without a trial the device stays with the new software.
    world.profile.limits.trial_s = 0;
    let mut world = world.begin().until_step(Step::Soaking);
    world.device.lose_power(world.now);
    let world = world.on();
    world.assert_asks(&ALL, "the device restarted");
    assert_eq!((world.count(Command::RollBack), world.count(Command::Confirm)), (1, 0));
}
