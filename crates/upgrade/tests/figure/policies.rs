//! Who decides after a failure: an operator, the run itself, or nobody (rows H8, H15, H16).

use std::time::Duration;

use upgrade::profile::Command;
use upgrade::run::{Answer, Choices, Event, Goal, Outcome, Policy, State, Story};

use crate::device::Fault;
use crate::world::{World, choices, image};

fn pauses(world: &World) -> Vec<u64> {
    let pause = |story: &Story| match story {
        Story::Repeating { after_ms, .. } => Some(*after_ms),
        _ => None,
    };
    world.stories.iter().filter_map(pause).collect()
}

#[test]
fn it_repeats_by_itself_with_growing_pauses_and_then_asks() {
    let world =
        World::policy(Policy::Auto(7)).fault(Command::Backup, vec![Fault::Fail("disk full"); 8]).play();
    assert_eq!(pauses(&world), [30_000, 60_000, 120_000, 240_000, 480_000, 900_000, 900_000]);
    assert_eq!(world.count(Command::Backup), 8);
    let world = world.answer(Answer::Again);
    world.assert_upgraded(&world.before.1);
}

#[test]
fn one_success_is_enough_for_it() {
    let world = World::policy(Policy::Auto(3))
        .fault(Command::Backup, [Fault::Fail("disk full")])
        .fault(Command::Download, [Fault::Hang])
        .fault(Command::Reset, [Fault::FallBack])
        .play();
    world.assert_upgraded(&world.before.1);
    assert_eq!(pauses(&world).len(), 3);
}

#[test]
fn a_killed_manager_counts_on() {
    let mut world =
        World::policy(Policy::Auto(1)).fault(Command::Backup, vec![Fault::Fail("disk full"); 2]).begin();
    world.until(|world| matches!(world.run.state, State::Pausing { .. }));
    world.kill_manager();
    let mut world = world.on();
    assert_eq!(pauses(&world).len(), 1);
    world.kill_manager();
    let world = world.answer(Answer::Again);
    world.assert_upgraded(&world.before.1);
}

#[test]
fn who_never_asks_ends_with_the_device_as_before() {
    let faults = [
        (Command::ConfigureServer, Fault::Refuse),
        (Command::Backup, Fault::Truncate),
        (Command::Download, Fault::Fail("flash")),
        (Command::CloseCalls, Fault::Refuse),
        (Command::Reset, Fault::FallBack),
        (Command::Restore, Fault::Fail("not applied")),
        (Command::Confirm, Fault::Pretend),
    ];
    for (command, fault) in faults {
        let world = World::policy(Policy::Never).fault(command, [fault]).play();
        assert_eq!(world.outcome(), Outcome::RolledBack, "{command:?}");
        assert!(!world.stories.iter().any(|story| matches!(story, Story::Asked { .. })));
    }
    let mut silent = World::policy(Policy::Never).begin().until_step(upgrade::run::Step::BackingUp);
    silent.device.silent_until = upgrade::Time::from_millis(u64::MAX);
    assert_eq!(silent.on().outcome(), Outcome::DeviceLost);
    let mut edit = World::converting(image("2.0", 2));
    edit.run.choices.policy = Policy::Never;
    edit.profile.conversion = vec![upgrade::profile::ConvertedBy::Operator];
    assert_eq!(edit.play().outcome(), Outcome::RolledBack);
}

#[test]
fn a_question_that_nobody_answers_ends_at_its_time() {
    let limited = |command, fault: Vec<Fault>| {
        let goal = Goal::Upgrade { image: image("2.0", 1).into() };
        let choices = Choices { question_limit_ms: Some(60_000), ..choices() };
        let mut world = World::new(goal, choices).fault(command, fault).play();
        let asked = world.now;
        assert_eq!(world.question().limit, Some(asked + Duration::from_secs(60)));
        assert!(!world.give(&Event::Tick), "not yet");
        // Nobody can answer a manager that is down: the time begins anew.
        world.now = asked + Duration::from_secs(40);
        world.kill_manager();
        world.until(|world| !matches!(world.run.state, State::Asking(_)));
        assert_eq!(world.now, asked + Duration::from_secs(100));
        world.on()
    };
    let world = limited(Command::Reset, vec![Fault::FallBack]);
    assert_eq!(world.outcome(), Outcome::RolledBack);
    assert!(world.ending().reason.contains("nobody answered in time"));
    assert_eq!(limited(Command::Reset, vec![Fault::Dies]).outcome(), Outcome::DeviceLost);
}

#[test]
fn without_a_limit_a_question_stays_open_and_nothing_is_sent() {
    let mut world = World::upgrade().fault(Command::Backup, [Fault::Fail("disk full")]).play();
    let sent = world.sets.len();
    assert_eq!(world.run.next_deadline(&world.profile), None);
    world.now = world.now + Duration::from_secs(30 * 86_400);
    world.kill_manager();
    assert!(!world.give(&Event::Tick));
    assert_eq!(world.sets.len(), sent);
    let world = world.answer(Answer::Again);
    world.assert_upgraded(&world.before.1);
}

#[test]
fn nobody_can_edit_what_was_never_to_be_edited() {
    let mut world = World::new(Goal::Backup, choices()).fault(Command::Backup, [Fault::Truncate]).play();
    assert!(!world.give(&Event::Answered(Answer::Edited(world.before.1.clone()))));
    assert!(!world.give(&Event::Answered(Answer::OtherImage(image("2.0", 1).into()))));
    assert!(matches!(world.run.state, State::Asking(_)));
}
