//! Calls are drained before a restart, with a limit, and taken again on every way out (row B6). That nobody is asked,
//! and nothing ends, while the device refuses calls is checked in every test of this suite.

use std::time::Duration;

use upgrade::profile::{Command, ConvertedBy};
use upgrade::run::{Answer, AnswerKind, Event, Goal, Outcome, State, Step, Story};

use crate::device::Fault;
use crate::world::{World, all_converted, choices, image};

#[test]
fn a_restart_waits_for_the_last_call_to_end() {
    let mut world = World::upgrade();
    world.device.calls = 3;
    let mut world = world.begin().until_step(Step::Draining);
    let begun = world.now;
    world.until(|world| world.now >= begun + Duration::from_secs(100));
    assert!(matches!(world.run.state, State::Draining { calls: Some(3), .. }));
    assert!(!world.device.admitted);
    world.device.calls = 0;
    let world = world.on();
    world.assert_upgraded(&world.before.1);
    assert!(world.now < begun + Duration::from_secs(300));
}

#[test]
fn calls_that_never_end_are_cut_off_at_the_limit() {
    let mut world = World::upgrade();
    world.device.calls = 1;
    let mut world = world.begin().until_step(Step::Draining);
    let begun = world.now;
    world.until(|world| world.count(Command::Reset) == 1);
    assert!(world.now >= begun + Duration::from_secs(300), "the limit of the profile");
    let said = |story: &Story| matches!(story, Story::StepDone { step: Step::Draining, text } if text.contains("1 calls"));
    assert!(world.stories.iter().any(said));
    let world = world.on();
    world.assert_upgraded(&world.before.1);
}

#[test]
fn calls_are_taken_again_after_an_activation_that_never_came() {
    let world = World::upgrade().fault(Command::Reset, [Fault::Refuse]).play();
    assert_eq!(world.count(Command::OpenCalls), 1);
    let world = world.answer(Answer::End);
    assert_eq!(world.outcome(), Outcome::EndedByOperator);
}

/// Found by the deterministic world: it had been on its way for longer than the restart took.
#[test]
fn a_command_to_take_no_calls_that_comes_late_is_undone() {
    let mut world = World::upgrade().begin().until_step(Step::Soaking);
    world.device.admitted = false;
    let world = world.on();
    world.assert_upgraded(&world.before.1);
    assert_eq!(world.count(Command::OpenCalls), 1);
    assert!(world.device.admitted);
}

/// Found by the deterministic world: the run had ended by then.
#[test]
fn a_command_to_take_no_calls_that_may_still_arrive_is_waited_for() {
    let mut world = World::upgrade().fault(Command::Reset, [Fault::Refuse]).begin();
    world = world.until_step(Step::OpeningCalls);
    let told = world.run.told_to_close.unwrap();
    world.until(|world| world.now >= told + Duration::from_secs(20));
    assert!(world.device.admitted, "{}", world.told());
    world.device.admitted = false;
    let world = world.on();
    assert!(world.now >= told + Duration::from_secs(30), "{}", world.told());
    assert_eq!((world.device.admitted, world.count(Command::OpenCalls)), (true, 2));
    assert_eq!(world.answer(Answer::End).outcome(), Outcome::EndedByOperator);
}

#[test]
fn a_device_that_shows_no_admission_is_told_to_take_calls_once_more_in_the_end() {
    let mut world = World::upgrade().fault(Command::Reset, [Fault::Refuse]);
    world.device.hides_admission = true;
    let world = world.play();
    assert_eq!(world.question().failure.as_ref().map(|failure| failure.step), Some(Step::Activating));
    assert_eq!(world.count(Command::OpenCalls), 2, "{}", world.told());
}

fn draining_with_what_an_operator_edited() -> World {
    let mut world = World::converting(image("2.0", 2));
    world.profile.conversion = vec![ConvertedBy::Operator];
    world.device.calls = 1;
    let mut world = world.play();
    let edited = all_converted(&world.before.1);
    assert!(world.give(&Event::Answered(Answer::Edited(edited))));
    world.until_step(Step::Draining)
}

#[test]
fn settings_that_move_while_calls_are_kept_out_leave_no_question_on_a_closed_device() {
    let mut world = draining_with_what_an_operator_edited();
    assert!(!world.device.admitted);
    world.edit();
    world.device.calls = 0;
    let world = world.on();
    assert_eq!(world.question().failure, None, "it is to be edited anew");
    assert!(world.device.admitted);
    let world = world.answer(Answer::End);
    assert_eq!(world.outcome(), Outcome::EndedByOperator);
}

/// Found by the deterministic world: the device left its software while calls were let in, and what had moved was not there to be
/// backed up anew.
#[test]
fn a_device_that_slides_while_calls_are_let_in_for_a_backup_is_asked_about() {
    let mut world = World::upgrade();
    world.device.calls = 1;
    let mut world = world.begin().until_step(Step::Draining);
    world.edit();
    world.device.calls = 0;
    let mut world = world.until_step(Step::OpeningCalls);
    world.device.running = 1;
    let world = world.on();
    let all = [AnswerKind::Again, AnswerKind::OtherImage, AnswerKind::Edited, AnswerKind::End];
    world.assert_asks(&all, "waiting to activate failed: the device runs 2.0, not 1.0");
    let world = world.answer(Answer::Again);
    world.assert_upgraded(&world.before.1);
}

#[test]
fn a_late_command_to_take_no_calls_leaves_no_question_on_a_closed_device() {
    let mut world = draining_with_what_an_operator_edited();
    world.edit();
    world.device.calls = 0;
    let mut world = world.until_step(Step::BackingUp);
    // The command came twice, and the second one late.
    world.device.admitted = false;
    let world = world.on();
    assert_eq!(world.question().failure, None, "it is to be edited anew: {}", world.told());
    assert!(world.device.admitted);
}

#[test]
fn a_device_that_does_not_open_by_itself_is_opened() {
    let mut world = World::upgrade();
    world.device.keeps_admission = true;
    let world = world.play();
    world.assert_upgraded(&world.before.1);
    assert_eq!(world.count(Command::OpenCalls), 1);
    let mut world = World::upgrade().fault(Command::Restore, [Fault::Fail("not applied")]);
    world.device.keeps_admission = true;
    let world = world.play().answer(Answer::End);
    assert_eq!(world.outcome(), Outcome::EndedByOperator);
}

#[test]
fn a_device_that_will_not_close_is_asked_about_and_not_restarted() {
    let world = World::upgrade().fault(Command::CloseCalls, [Fault::Refuse]).play();
    assert!(world.question().failure.as_ref().unwrap().to_string().contains("stopping new calls failed"));
    assert_eq!(world.count(Command::Reset), 0);
    let world = world.answer(Answer::Again);
    world.assert_upgraded(&world.before.1);
}

#[test]
fn a_device_that_shows_no_admission_is_taken_at_its_word() {
    let mut world = World::upgrade();
    world.device.hides_admission = true;
    let world = world.play();
    world.assert_upgraded(&world.before.1);
    assert_eq!(world.count(Command::CloseCalls), 1);
}

#[test]
fn a_manager_killed_while_calls_end_goes_on() {
    for dies_after in [None, Some(Command::CloseCalls)] {
        let mut world = World::upgrade();
        world.device.calls = 3;
        world.dies_after = dies_after;
        let mut world = world.begin().until_step(Step::Draining);
        // Its first look after hours goes unanswered, which is no reason to give up.
        world.leave_device_alone(Duration::from_secs(7200));
        world.device.silent_until = world.now + Duration::from_secs(3);
        world.kill_manager();
        world.device.calls = 0;
        let world = world.on();
        world.assert_upgraded(&world.before.1);
    }
}

#[test]
fn a_device_that_falls_silent_while_calls_end_is_not_restarted() {
    let mut world = World::upgrade();
    world.device.calls = 3;
    let mut world = world.begin().until_step(Step::Draining);
    world.device.silent_until = world.now + Duration::from_secs(160);
    let world = world.on();
    assert_eq!(world.count(Command::Reset), 0);
    let world = world.answer(Answer::Again);
    world.assert_upgraded(&world.before.1);
}

#[test]
fn a_device_that_will_not_take_calls_again_is_asked_about_as_lost() {
    let world = World::upgrade()
        .fault(Command::Reset, [Fault::Refuse])
        .fault(Command::OpenCalls, vec![Fault::Refuse; 4])
        .play();
    assert!(world.question().lost);
    assert_eq!(world.count(Command::OpenCalls), 4);
    let world = world.answer(Answer::Again);
    assert!(!world.question().lost && world.device.admitted);
    assert_eq!(world.begun(Step::RollingBack), 1, "nothing was made to run since: {}", world.told());
    let world = world.answer(Answer::Again);
    world.assert_upgraded(&world.before.1);
}

#[test]
fn a_success_says_so_if_the_device_takes_no_calls() {
    let mut world = World::upgrade().fault(Command::OpenCalls, vec![Fault::Refuse; 4]);
    world.device.keeps_admission = true;
    let world = world.play();
    assert_eq!(world.outcome(), Outcome::Succeeded);
    assert!(world.ending().reason.contains("takes no calls"));
}

#[test]
fn once_the_goal_is_reached_nothing_can_be_cancelled_any_more() {
    let mut world = World::upgrade();
    world.device.keeps_admission = true;
    let mut world = world.begin().until_step(Step::OpeningCalls);
    assert!(!world.give(&upgrade::run::Event::Cancelled));
    assert!(!world.give(&upgrade::run::Event::StopOperation));
    let world = world.on();
    world.assert_upgraded(&world.before.1);
}

#[test]
fn a_command_that_comes_late_is_undone_where_no_admission_is_shown() {
    let mut world = World::upgrade();
    world.device.hides_admission = true;
    let mut world = world.begin().until_underway(Step::Activating);
    world.device.hurry(world.now);
    let mut world = world.until_step(Step::Restoring);
    assert!(world.now < world.run.told_to_close.unwrap() + Duration::from_secs(30));
    world.device.admitted = false;
    let world = world.on();
    world.assert_upgraded(&world.before.1);
    assert!(world.device.admitted, "{}", world.told());
}

#[test]
fn a_device_that_falls_silent_while_it_is_watched_is_not_said_to_take_no_calls() {
    let mut world = World::new(Goal::Reset, choices()).begin().until_underway(Step::Resetting);
    world.device.hurry(world.now);
    let boots = world.device.boots;
    world.until(|world| world.device.boots > boots);
    world.device.silent_until = world.now + Duration::from_secs(2);
    let mut world = world.until_step(Step::OpeningCalls);
    assert!(world.next());
    world.device.silent_until = world.now + Duration::from_secs(600);
    let world = world.on();
    assert_eq!((world.outcome(), world.device.admitted), (Outcome::Succeeded, true));
    let reason = &world.ending().reason;
    assert!(reason.contains("nobody knows whether it takes calls: the device did not answer"), "{reason}");
}

/// Shown by an examiner who read the code: calls had come in again, and none was there at that moment.
#[test]
fn a_device_that_takes_calls_again_is_not_restarted_although_there_are_none() {
    let mut world = World::upgrade();
    world.device.calls = 2;
    let mut world = world.begin().until_step(Step::Draining);
    (world.device.calls, world.device.admitted) = (0, true);
    world.until(|world| world.count(Command::Reset) == 1);
    assert_eq!(world.count(Command::CloseCalls), 2, "{}", world.told());
    let world = world.on();
    world.assert_upgraded(&world.before.1);
}

/// Shown by an examiner: a power cycle lets calls in again, and those that come then were cut off at the limit.
#[test]
fn calls_that_come_in_again_while_they_are_waited_for_are_kept_out_once_more_and_no_longer_waited_for() {
    let mut world = World::upgrade();
    world.device.calls = 2;
    let mut world = world.begin().until_step(Step::Draining);
    let begun = world.now;
    let mut seen = 0;
    while world.count(Command::Reset) == 0 {
        // Each time they are kept out, others let them in again.
        world.device.admitted = true;
        world.until(|world| {
            let waits = matches!(world.run.state, State::Draining { .. });
            (waits && !world.device.admitted) || world.count(Command::Reset) == 1
        });
        seen += 1;
        assert!(seen < 100, "{}", world.told());
    }
    assert!(seen > 2, "{}", world.told());
    let limit = begun + Duration::from_secs(300);
    assert!(world.now >= limit && world.now < limit + Duration::from_secs(60), "{}", world.told());
    let world = world.on();
    world.assert_upgraded(&world.before.1);
}
