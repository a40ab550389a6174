//! A manager that could store nothing for a time, such as while its disk was full: what was due meanwhile is no evidence
//! (rows B9, H7).

use std::time::Duration;

use upgrade::profile::{Command, ConvertedBy};
use upgrade::run::{Answer, Choices, Event, Goal, Outcome, State, Step};

use crate::device::Fault;
use crate::world::{World, choices, image, with_converter};

/// Longer than an operation may stand still, and shorter than a trial lasts.
const FOR_LONG: Duration = Duration::from_secs(800);

#[test]
fn an_operation_that_was_done_meanwhile_is_found_done_although_its_time_is_over() {
    for step in [Step::BackingUp, Step::Downloading, Step::Activating, Step::Restoring] {
        let mut world = World::upgrade().begin().until_underway(step);
        world.hinder_manager(FOR_LONG);
        let world = world.on();
        assert_eq!(world.outcome(), Outcome::Succeeded, "{step}: {}", world.told());
        assert!(world.failures().is_empty(), "{step}: {:?}", world.failures());
        for command in [Command::Backup, Command::Download, Command::Reset, Command::Restore] {
            assert_eq!(world.count(command), 1, "{step}: {command:?} was not repeated");
        }
    }
}

#[test]
fn an_operation_that_is_still_under_way_gets_its_whole_time_anew() {
    let mut world = World::new(Goal::Backup, choices()).fault(Command::Backup, [Fault::Hang]).begin();
    world = world.until_underway(Step::BackingUp);
    world.hinder_manager(FOR_LONG);
    let hindered_until = world.now;
    world.until(|world| matches!(world.run.state, State::Asking(_)) || world.count(Command::Backup) > 1);
    assert!(
        world.now >= hindered_until + Duration::from_secs(119),
        "it may stand still for the profile's time"
    );
}

#[test]
fn a_device_that_was_not_heard_while_nobody_listened_is_not_silent() {
    let mut world = World::upgrade().begin().until_step(Step::Soaking);
    world.hinder_manager(FOR_LONG);
    let world = world.on();
    assert_eq!(world.outcome(), Outcome::Succeeded, "{}", world.told());
}

#[test]
fn a_question_that_nobody_could_answer_stays_open_for_its_whole_time() {
    let limited = Choices { question_limit_ms: Some(60_000), ..choices() };
    let mut world = World::new(Goal::Backup, limited).fault(Command::Backup, [Fault::Truncate]).play();
    world.question();
    world.hinder_manager(FOR_LONG);
    assert_eq!(world.question().limit, Some(world.now + Duration::from_secs(60)));
    assert_eq!(world.answer(Answer::Again).outcome(), Outcome::Succeeded);
}

#[test]
fn a_converter_that_is_at_work_is_not_begun_anew() {
    let mut world = World::converting(with_converter(image("2.0", 2)));
    world.profile.conversion = vec![ConvertedBy::Manager];
    let mut world = world.begin().until_step(Step::Judging);
    assert!(!world.give(&Event::Hindered), "the converter is at work still");
    assert_eq!(world.on().outcome(), Outcome::Succeeded);
}

#[test]
fn after_a_restart_of_the_manager_a_time_limit_still_ends_what_hangs() {
    let mut world =
        World::upgrade().fault(Command::Reset, [Fault::Hang]).begin().until_underway(Step::Activating);
    world.kill_manager();
    let world = world.on();
    assert!(world.failures()[0].starts_with("activating failed"), "{:?}", world.failures());
}
