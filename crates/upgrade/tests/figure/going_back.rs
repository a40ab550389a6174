//! Bringing the device back (rows H14, H16, H18): it is not over before the old software and the old configuration are
//! verified, and one stroke of bad luck on the way is not worth a question.

use std::time::Duration;

use upgrade::profile::Command;
use upgrade::run::{Answer, AnswerKind, Outcome, Policy, Step};

use crate::device::{Fault, file};
use crate::world::{ALL, World};

fn failed() -> World {
    World::upgrade().fault(Command::Confirm, [Fault::Fail("flash")])
}

#[test]
fn one_failure_on_the_way_back_is_made_up_for_without_a_question() {
    for fault in
        [Fault::Refuse, Fault::Fail("busy"), Fault::PowerLoss, Fault::SetLost, Fault::AnswerLost, Fault::Hang]
    {
        let world = failed().fault(Command::RollBack, [fault.clone()]).play();
        world.assert_asks(&ALL, "flash");
        let world = world.answer(Answer::End);
        assert_eq!(world.outcome(), Outcome::EndedByOperator, "{fault:?}");
    }
}

#[test]
fn a_device_that_refuses_to_go_back_is_asked_about_as_lost() {
    let world = failed().fault(Command::RollBack, vec![Fault::Refuse; 4]).play();
    assert!(world.question().lost, "{}", world.told());
    assert_eq!(world.question().answers, [AnswerKind::Again, AnswerKind::End]);
    let again = world.answer(Answer::Again);
    again.assert_asks(&ALL, "flash");
    let again = again.answer(Answer::Again);
    again.assert_upgraded(&again.before.1);
}

/// Nothing was made to run yet: its calls are not all that is to be brought back.
#[test]
fn a_device_that_slid_and_refuses_to_go_back_is_brought_back_once_it_can_be() {
    let world = World::upgrade().fault(Command::RollBack, vec![Fault::Refuse; 4]);
    let mut world = world.begin().until_step(Step::Draining);
    world.device.slide();
    let world = world.on();
    assert!(world.question().lost, "{}", world.told());
    let world = world.answer(Answer::Again);
    world.assert_asks(&ALL, "the device runs 2.0, not 1.0");
    assert_eq!(world.device.running().version, "1.0");
}

/// What it shows of the old software's settings while it is away is all that can be said of them until it is back.
#[test]
fn an_original_that_is_damaged_while_what_slid_goes_back_is_restored() {
    let mut world = World::upgrade().begin().until_step(Step::Draining);
    world.device.slide();
    let mut world = world.until_underway(Step::RollingBack);
    let kind = world.before.1.keys().next().unwrap().clone();
    world.device.slots[0].files.insert(kind, file("damaged"));
    let world = world.on();
    world.assert_asks(&ALL, "the device runs 2.0, not 1.0");
    assert_eq!(world.count(Command::Restore), 1, "{}", world.told());
    assert_eq!(world.device.running().files, world.before.1);
}

#[test]
fn who_never_asks_gives_up_a_device_that_cannot_be_brought_back() {
    let mut world = failed().fault(Command::RollBack, vec![Fault::Refuse; 100]);
    world.run.choices.policy = Policy::Never;
    assert_eq!(world.play().outcome(), Outcome::DeviceLost);
}

#[test]
fn a_damaged_original_is_restored() {
    let mut world = failed().begin().until_step(Step::RollingBack);
    let kind = world.before.1.keys().next().unwrap().clone();
    world.device.slots[0].files.insert(kind, file("damaged"));
    let world = world.on();
    world.assert_asks(&ALL, "flash");
    assert_eq!(world.count(Command::Restore), 2, "the new software's, and the original");
}

#[test]
fn a_damaged_original_that_cannot_be_restored_at_first_is_tried_again() {
    let mut world = failed().begin().until_step(Step::RollingBack);
    let kind = world.before.1.keys().next().unwrap().clone();
    world.device.slots[0].files.insert(kind, file("damaged"));
    let world = world.fault(Command::Restore, [Fault::Fail("not applied")]).on();
    world.assert_asks(&ALL, "flash");
}

#[test]
fn a_device_in_whose_place_another_one_answers_is_left_alone_until_it_is_back() {
    let mut world = failed().begin().until_step(Step::RollingBack);
    world.device.unique_id = "IAD-2".into();
    let sent = world.sets.len();
    let world = world.on();
    assert!(world.question().lost);
    assert!(world.failures().join("; ").contains("answers the device IAD-2, not IAD-1"));
    let mut world = world.answer(Answer::Again);
    assert!(world.question().lost, "still another one");
    assert_eq!(world.sets.len(), sent, "nothing was sent to it");
    world.device.unique_id = "IAD-1".into();
    world.answer(Answer::Again).assert_asks(&ALL, "flash");
}

/// Found by the deterministic world: a question was open as if the device had been heard.
#[test]
fn another_unit_that_answers_before_a_repeat_is_as_good_as_no_answer() {
    let mut world = World::upgrade().fault(Command::CloseCalls, [Fault::Refuse]).play();
    world.device.unique_id = "IAD-2".into();
    let sent = world.sets.len();
    let mut world = world.answer(Answer::Again);
    assert!(world.question().lost && world.sets.len() == sent, "{}", world.told());
    assert!(world.failures().join("; ").contains("answers the device IAD-2, not IAD-1"));
    world.device.unique_id = "IAD-1".into();
    let world = world.answer(Answer::Again);
    world.assert_upgraded(&world.before.1);
}

#[test]
fn a_manager_killed_on_the_way_back_goes_on() {
    let mut world = failed();
    world.dies_after = Some(Command::RollBack);
    let world = world.play();
    world.assert_asks(&ALL, "flash");
    for step in [Step::RollingBack, Step::RestoringOriginal] {
        let mut world = failed().begin().until_step(step);
        world.kill_manager();
        world.on().assert_asks(&ALL, "flash");
    }
}

#[test]
fn a_device_silent_on_the_way_back_is_lost_until_it_answers() {
    let mut world = failed().begin().until_step(Step::RollingBack);
    world.device.silent_until = world.now + Duration::from_secs(1000);
    let mut world = world.on();
    assert!(world.question().lost);
    world.now = world.now + Duration::from_secs(1000);
    let world = world.answer(Answer::Again);
    world.assert_asks(&ALL, "flash");
}

#[test]
fn by_itself_a_device_is_looked_for_as_often_as_the_policy_says_and_then_somebody_is_asked() {
    let world = World::policy(Policy::Auto(2)).fault(Command::Reset, [Fault::Dies]).play();
    assert!(world.question().lost, "{}", world.told());
    assert_eq!(world.run.repeats, 2);
}

/// Its trial ended by itself meanwhile, and whoever goes back from there is on the new software.
#[test]
fn a_roll_back_that_comes_late_does_not_leave_the_old_software_again() {
    for guarded in [true, false] {
        let mut world = failed().fault(Command::RollBack, [Fault::SetLate]).begin();
        if !guarded {
            world.device.any_version = true;
        }
        world.until(|world| world.sets.last() == Some(&Command::RollBack));
        world.device.lose_power(world.now);
        world.device.silent_until = world.now;
        let mut world = world.on();
        world.assert_asks(&ALL, "flash");
        while world.next() {}
        assert_eq!(world.device.running().version, "1.0", "guarded {guarded}: {}", world.told());
    }
}

/// Shown by a reviewer: it was not heard when its download was to be stopped, and then that was forgotten.
#[test]
fn what_still_goes_on_when_a_device_is_heard_again_is_stopped_before_anybody_is_asked() {
    let mut world = World::upgrade().fault(Command::Download, [Fault::Hang]).begin();
    world = world.until_underway(Step::Downloading);
    world.device.silent_until = world.now + Duration::from_secs(24 * 3600);
    let mut world = world.on();
    assert!(world.question().lost, "{}", world.told());
    world.device.silent_until = world.now;
    let world = world.answer(Answer::Again);
    assert!(!world.question().lost, "{}", world.told());
    assert_eq!(world.count(Command::Abort), 1, "{}", world.told());
}

/// Shown by a reviewer: that the old software runs was enough, although half of its settings were restored.
#[test]
fn settings_of_before_that_cannot_be_restored_at_once_are_restored_after_a_slide_too() {
    let mut world = World::upgrade().begin().until_step(Step::Draining);
    world.device.slide();
    let mut world = world.until_underway(Step::RollingBack);
    let kind = world.device.slots[0].files.keys().next().unwrap().clone();
    world.device.slots[0].files.insert(kind, file("half"));
    let world = world.fault(Command::Restore, [Fault::Fail("flash"), Fault::Fail("flash")]).on();
    world.assert_asks(&ALL, "the device runs 2.0, not 1.0");
    assert_eq!(world.count(Command::Restore), 3, "{}", world.told());
}

/// Found by the deterministic world: another manager had reset the device before the command came, which was taken for the restart that
/// was commanded; the roll-back was stopped as something that was under way when it had failed.
#[test]
fn a_restart_before_a_command_is_not_the_one_that_it_commands() {
    let world = World::upgrade().fault(Command::Restore, [Fault::Fail("no"), Fault::Fail("no")]).begin();
    let mut world = world.until_underway(Step::RollingBack);
    world.device.boots += 1;
    world.device.booted = world.now;
    let world = world.on();
    assert_eq!((world.question().lost, world.device.running().version.as_str()), (false, "1.0"));
    assert_eq!((world.count(Command::RollBack), world.count(Command::Abort)), (1, 0), "{}", world.told());
}
