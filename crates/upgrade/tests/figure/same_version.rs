//! Both buffers hold the same version, as devices are delivered; each with settings of its own. Which of them runs is told by
//! the buffer (row H17).

use upgrade::ConfigurationSet;
use upgrade::profile::Command;
use upgrade::run::{Answer, AnswerKind, Expected, Goal, Outcome, Step};

use crate::device::Fault;
use crate::world::{ALL, World, choices};

fn of_one_version(goal: Goal) -> World {
    let mut world = World::new(goal, choices());
    let running = world.device.running().clone();
    let aside = &mut world.device.slots[1 - world.device.running];
    (aside.version, aside.digest) = (running.version, running.digest);
    world
}

fn upgrade() -> World {
    of_one_version(World::upgrade().run.goal)
}

#[test]
fn an_upgrade_is_nothing_special() {
    let world = upgrade().play();
    world.assert_upgraded(&world.before.1);
}

#[test]
fn settings_that_are_left_before_they_are_backed_up_are_not_loaded_over() {
    let mut world = upgrade().fault(Command::Backup, [Fault::Fail("disk full")]).play();
    world.device.slide();
    world.device.boot_reason = Some("fallback");
    let world = world.answer(Answer::Again);
    world.assert_asks(&ALL, "preflight failed: the device runs 1.0 in buffer 2, not 1.0 in buffer 1");
    assert_eq!(world.count(Command::RollBack), 1);
    let world = world.answer(Answer::Again);
    world.assert_upgraded(&world.before.1);
}

#[test]
fn a_device_that_slides_while_a_question_is_open_is_brought_back_before_the_end() {
    for goal in [World::upgrade().run.goal, Goal::RollBack, Goal::Reset] {
        let world = of_one_version(goal).fault(Command::CloseCalls, [Fault::Refuse]);
        let mut world = world.play();
        world.device.slide();
        let world = world.answer(Answer::End);
        assert_eq!(world.outcome(), Outcome::EndedByOperator, "{}", world.told());
        assert_eq!((world.device.running, &world.device.running().files), (0, &world.before.1));
    }
}

#[test]
fn the_other_buffer_is_rolled_back_to() {
    let world = of_one_version(Goal::RollBack).play();
    assert_eq!(
        (world.outcome(), world.count(Command::RollBack)),
        (Outcome::Succeeded, 1),
        "{}",
        world.told()
    );
    assert_eq!((world.device.running, &world.device.running().files), (1, &world.before.1));
    let failed = of_one_version(Goal::RollBack).fault(Command::Restore, [Fault::Fail("flash")]).play();
    failed.assert_asks(&[AnswerKind::Again, AnswerKind::End], "restoring failed");
    assert_eq!((failed.device.running, &failed.device.running().files), (0, &failed.before.1));
}

/// Found by the deterministic world: what was restored was found in the other buffer, where it had been all along.
#[test]
fn what_slides_back_while_it_restores_is_not_rolled_back() {
    let mut world = of_one_version(Goal::RollBack).begin().until_underway(Step::Restoring);
    world.until(|world| world.device.running().files == world.before.1);
    world.device.slide();
    let world = world.on();
    world.assert_asks(
        &[AnswerKind::Again, AnswerKind::End],
        "the device runs 1.0 in buffer 1, not 1.0 in buffer 2",
    );
    assert_eq!((world.device.running, &world.device.running().files), (0, &world.before.1));
}

#[test]
fn what_left_its_buffer_unseen_is_not_upgraded() {
    let mut world = upgrade();
    let other = Some(ConfigurationSet::default());
    world.run.expected = Some(Expected {
        version: "1.0".into(),
        buffer: Some(2),
        other_version: None,
        other,
        unkept: false,
        restored: false,
    });
    let world = world.play();
    assert_eq!((world.outcome(), world.sets.len()), (Outcome::Refused, 0), "{}", world.told());
    let reason = "the device was left with 1.0 in buffer 2 and runs 1.0 in buffer 1 by now; its other buffer holds 1.0, with";
    assert!(world.ending().reason.starts_with(reason), "{}", world.ending().reason);
    let left = World::new(Goal::Backup, choices()).play().run.leaves().unwrap();
    assert_eq!((left.version.as_str(), left.buffer), ("1.0", Some(1)));
}
