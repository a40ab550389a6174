//! What is refused before anything is written (rows B3, B13, S15, H17).

use upgrade::profile::Command;
use upgrade::reading::{BufferState, Capability};
use upgrade::run::{Answer, Choices, Goal, Outcome, Policy};
use upgrade::{Kind, Time};

use crate::device::Fault;
use crate::world::{World, choices, image};

type Change = fn(&mut World);

#[test]
fn what_does_not_fit_is_refused_with_nothing_written() {
    let cases: [(Change, &str); 18] = [
        (|world| world.device.hardware = "iad-96".into(), "the device's hardware is \"iad-96\""),
        (|world| world.device.capacity = 10, "the device has room for 10"),
        (|world| world.image().manifest.from = vec!["1.5.".into()], "may be loaded over 1.5."),
        (|world| world.unconvertible(), "nobody can do that"),
        (|world| world.device.product = "1.3.6.1.4.1.9.1".parse().unwrap(), "sysObjectID is 1.3.6.1.4.1.9.1"),
        (|world| world.run.device.unique_id = Some("IAD-2".into()), "answers the device IAD-1, not IAD-2"),
        (|world| world.device.cannot(Capability::DualImage), "no second software buffer"),
        (|world| world.profile.buffers = vec![1], "no second software buffer"),
        (|world| world.device.trial = Some(Time::from_millis(u64::MAX)), "on trial"),
        (|world| world.device.occupy("other-1", Time::from_millis(u64::MAX)), "busy with another operation"),
        (|world| drop(world.profile.commands.remove(&Command::RollBack)), "no command RollBack"),
        (|world| drop(world.profile.commands.remove(&Command::Reset)), "no command Reset"),
        (|world| world.run.choices.kinds = vec![Kind("voice".into())], "no kind of configuration voice"),
        (
            |world| world.run.choices.kinds = crate::world::profile().all_kinds().split_off(1),
            "takes all kinds of configuration along",
        ),
        (|world| drop(world.profile.commands.remove(&Command::Confirm)), "no command Confirm"),
        (|world| world.no_ftp(), "does not transfer by ftp"),
        (|world| world.device.silent_until = Time::from_millis(u64::MAX), "did not answer"),
        (|world| world.device.hides_software = true, "which software it runs"),
    ];
    for (change, why) in cases {
        let mut world = World::upgrade();
        change(&mut world);
        let world = world.play();
        assert_eq!(world.outcome(), Outcome::Refused, "{why}: {}", world.told());
        assert!(world.ending().reason.contains(why), "{:?} says nothing of {why:?}", world.ending().reason);
        assert_eq!(world.sets, []);
    }
}

#[test]
fn a_device_that_runs_the_image_already_is_left_alone() {
    let world = World::new(Goal::Upgrade { image: image("1.0", 1).into() }, choices()).play();
    assert_eq!(world.outcome(), Outcome::Succeeded);
    assert!(world.ending().reason.contains("already"));
    assert_eq!(world.sets, []);
}

/// Found by the deterministic world: it was called upgraded to an image whose bytes it never had.
#[test]
fn an_image_of_the_version_that_runs_and_of_other_contents_is_refused() {
    let mut world = World::new(Goal::Upgrade { image: image("1.0", 1).into() }, choices());
    let running = world.device.running;
    world.device.slots[running].digest = Some(crate::device::file("another build").digest);
    let world = world.play();
    assert_eq!((world.outcome(), world.sets.len()), (Outcome::Refused, 0), "{}", world.told());
    assert!(world.ending().reason.contains("give that a version of its own"), "{}", world.ending().reason);
}

#[test]
fn the_unique_id_is_learnt_at_the_first_look() {
    let world = World::new(Goal::Backup, choices()).play();
    assert_eq!(world.run.device.unique_id.as_deref(), Some("IAD-1"));
}

#[test]
fn a_roll_back_to_a_buffer_with_nothing_in_it_is_refused() {
    let mut world = World::new(Goal::RollBack, choices());
    world.device.slots[1].state = BufferState::Invalid;
    assert_eq!(world.play().outcome(), Outcome::Refused);
}

#[test]
fn a_manager_killed_during_preflight_looks_again() {
    let mut world = World::upgrade().begin();
    world.kill_manager();
    let world = world.on();
    world.assert_upgraded(&world.before.1);
}

#[test]
fn on_a_repeat_the_device_is_taken_as_it_is_by_then() {
    let mut world = World::upgrade().fault(Command::Download, [Fault::Fail("flash")]).play();
    // While the question was open, somebody loaded a newer version by hand.
    world.device.slots[0].version = "1.5".into();
    world.device.edit();
    world.before = ("1.5".into(), world.device.running().files.clone());
    let world = world.fault(Command::Reset, [Fault::FallBack]).answer(Answer::Again);
    assert_eq!(world.run.old.as_ref().map(|old| old.version.as_str()), Some("1.5"));
    assert!(!world.question().lost, "{}", world.told());
    let world = world.answer(Answer::Again);
    world.assert_upgraded(&world.before.1);
}

#[test]
fn software_on_trial_is_no_success_on_a_repeat_either() {
    let world = World::new(
        Goal::Upgrade { image: image("2.0", 1).into() },
        Choices { policy: Policy::Auto(1), ..choices() },
    )
    .fault(Command::Download, [Fault::Fail("flash")]);
    let mut world = world.begin();
    world.until(|world| matches!(world.run.state, upgrade::run::State::Pausing { .. }));
    // Somebody tries the same image by hand.
    world.device.slots[1].version = "2.0".into();
    world.device.slots[1].state = BufferState::Valid;
    (world.device.running, world.device.trial) = (1, Some(Time::from_millis(u64::MAX)));
    world.before_counts = false;
    world.until(|world| world.failures().len() > 1);
    assert!(world.failures()[1].contains("on trial"), "{:?}", world.failures());
}
