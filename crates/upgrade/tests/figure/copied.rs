//! A copy of the manager's store is put back, of when a run was under way. Meanwhile that run succeeded, and a person changed
//! settings: its device runs the new software already, and what is there stays there (docs/database.md).

use upgrade::profile::Command;
use upgrade::run::{Answer, Outcome, State, Step};

use crate::cancelling::STEPS;
use crate::device::Fault;
use crate::world::{World, all_converted, image};

/// The copy is made as the world is now; then the run goes on to its end, and is put back.
fn put_back(world: World, restarts: bool) -> World {
    let copy = serde_json::to_string(&world.run).unwrap();
    let mut world = match world.run.state {
        State::Asking(_) => world.answer(Answer::Again),
        _ => world.on(),
    };
    if matches!(world.run.state, State::Asking(_)) {
        world = world.answer(Answer::Again);
    }
    assert_eq!(world.outcome(), Outcome::Succeeded, "{}", world.told());
    world.edit();
    if restarts {
        let now = world.now;
        world.device.lose_power(now);
    }
    world.before_counts = false;
    world.sets.clear();
    world.kept.clear();
    world.forget_answers();
    world.run = serde_json::from_str(&copy).unwrap();
    world.kill_manager();
    world
}

fn stays_as_it_is(world: &World, outcome: Outcome) {
    assert_eq!(world.outcome(), outcome, "{}", world.told());
    assert_eq!(world.device.running().version, "2.0", "{}", world.told());
    assert_eq!(world.device.running().files, world.before.1, "{}", world.told());
    assert!(world.sets.iter().all(|command| *command == Command::OpenCalls), "{:?}", world.sets);
    assert!(world.kept.is_empty());
}

/// The parts of the figure from the backup on.
fn steps() -> impl Iterator<Item = Step> {
    STEPS.into_iter().skip_while(|step| *step != Step::BackingUp)
}

fn until(world: World, step: Step) -> World {
    match step {
        Step::ClosingCalls | Step::Draining | Step::Soaking => world.until_step(step),
        _ => world.until_underway(step),
    }
}

#[test]
fn a_copy_of_any_moment_finds_what_its_run_has_reached_since() {
    for step in steps() {
        for restarts in [false, true] {
            let world = put_back(until(World::upgrade().begin(), step), restarts).on();
            stays_as_it_is(&world, Outcome::Succeeded);
            let reason = &world.ending().reason;
            assert!(reason.starts_with("the device runs 2.0"), "{step}: {reason}");
            let compared = reason.contains("its configuration is another one than was");
            assert_eq!(compared, step != Step::BackingUp, "{step}: {reason}");
        }
    }
    for restarts in [false, true] {
        let world = World::converting(image("2.0", 2)).begin().until_underway(Step::Converting);
        stays_as_it_is(&put_back(world, restarts).on(), Outcome::Succeeded);
    }
}

#[test]
fn who_cancels_a_copy_undoes_nothing_that_was_done_since() {
    for step in steps() {
        let world = put_back(until(World::upgrade().begin(), step), false);
        let later = world.device.running().files.clone();
        let world = world.cancel();
        if step == Step::Confirming {
            // It shows the very operation of the copy, and nobody can tell that the run was over since.
            assert_eq!(world.device.running().version, "1.0", "{}", world.told());
            assert!(world.kept.iter().any(|kept| kept.files == later), "{}", world.told());
            continue;
        }
        stays_as_it_is(&world, Outcome::Cancelled);
        assert!(world.ending().reason.contains("the device runs 2.0 by now"), "{step}: {:?}", world.ending());
    }
}

#[test]
fn a_copy_that_was_bringing_the_device_back_or_asking_finds_it_as_well() {
    let failing = || World::upgrade().fault(Command::Confirm, [Fault::Fail("flash")]).begin();
    for step in [Step::RollingBack, Step::RestoringOriginal] {
        let world = put_back(failing().until_step(step), true).on();
        stays_as_it_is(&world, Outcome::Succeeded);
    }
    let world = put_back(failing().on(), true).answer(Answer::Again);
    stays_as_it_is(&world, Outcome::Succeeded);
    let world = put_back(failing().on(), true).answer(Answer::End);
    stays_as_it_is(&world, Outcome::EndedByOperator);
}

/// Shown by an examiner: what a device takes by itself is confirmed as well, and has no settings.
#[test]
fn a_copy_whose_device_took_by_itself_what_was_loaded_since_brings_it_back() {
    for boot_reason in [None, Some("fallback")] {
        let world = World::upgrade().begin().until_underway(Step::BackingUp);
        let copy = serde_json::to_string(&world.run).unwrap();
        let mut world = world.until_step(Step::Draining);
        world.device.slide();
        world.device.boot_reason = boot_reason;
        world.forget_answers();
        world.run = serde_json::from_str(&copy).unwrap();
        world.kill_manager();
        let mut world = world.on();
        assert_eq!(world.device.running().version, "1.0", "{boot_reason:?}: {}", world.told());
        // Nor is it left there once the run has gone on by itself.
        world.device.slide();
        world.device.boot_reason = boot_reason;
        let world = world.answer(Answer::End);
        assert_eq!(world.device.running().version, "1.0", "{boot_reason:?}: {}", world.told());
        assert_eq!(world.device.running().files, world.before.1);
    }
}

/// What runs on trial was not confirmed: the run went no further than that, and goes on.
#[test]
fn a_copy_whose_device_is_still_on_trial_goes_on_with_it() {
    for step in [Step::Activating, Step::Restoring] {
        let world = World::converting(image("2.0", 2)).begin().until_underway(step);
        let copy = serde_json::to_string(&world.run).unwrap();
        let mut world = world.until_step(Step::Soaking);
        world.forget_answers();
        world.run = serde_json::from_str(&copy).unwrap();
        world.kill_manager();
        let world = world.on();
        world.assert_upgraded(&all_converted(&world.before.1));
    }
}

/// The copy is of when an operation had begun, and was not commanded. The device knows its id all the same, and would not carry it
/// out again under that.
#[test]
fn an_operation_that_was_commanded_since_the_copy_is_commanded_under_another_id() {
    for step in [Step::BackingUp, Step::Downloading, Step::Activating, Step::Restoring] {
        let world = World::upgrade().begin().until_step(step);
        let copy = serde_json::to_string(&world.run).unwrap();
        let mut world = world.until_underway(step);
        let known = world.device.work.as_ref().unwrap().id.clone();
        world.device.hurry(world.now);
        assert!(world.next());
        world.edit();
        world.before_counts = false;
        world.forget_answers();
        world.run = serde_json::from_str(&copy).unwrap();
        world.kill_manager();
        // It begins under another id, or never.
        world.until(|world| world.device.work.as_ref().is_some_and(|work| work.id != known));
    }
}
