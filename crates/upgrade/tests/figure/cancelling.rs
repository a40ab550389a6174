//! Cancelling in every state: before the first activation it aborts and ends, after it the device is brought back
//! first. That the device is as before at the end is checked by the world.

use std::collections::BTreeMap;
use std::time::Duration;

use upgrade::ConfigurationSet;
use upgrade::profile::{Command, ConvertedBy};
use upgrade::reading::Capability;
use upgrade::run::{Choices, Event, Goal, Outcome, Policy, State, Step, Story};

use crate::device::{Fault, file};
use crate::world::{World, choices, image, stored, with_converter};

pub(crate) const STEPS: [Step; 10] = [
    Step::Preflight,
    Step::ConfiguringServer,
    Step::BackingUp,
    Step::Downloading,
    Step::ClosingCalls,
    Step::Draining,
    Step::Activating,
    Step::Restoring,
    Step::Soaking,
    Step::Confirming,
];

#[test]
fn a_run_can_be_cancelled_in_each_part_of_the_figure() {
    for step in STEPS {
        let world = World::upgrade().begin().until_step(step).cancel();
        assert_eq!(world.outcome(), Outcome::Cancelled, "{step}: {}", world.told());
    }
    let world = World::converting(image("2.0", 2)).begin().until_step(Step::Converting).cancel();
    assert_eq!(world.outcome(), Outcome::Cancelled);
    for step in [Step::BackingUp, Step::Downloading, Step::Activating, Step::Restoring, Step::Confirming] {
        let world = World::upgrade().begin().until_underway(step).cancel();
        assert_eq!(world.outcome(), Outcome::Cancelled, "{step} under way: {}", world.told());
        assert!(world.device.work.as_ref().is_none_or(|work| work.state.is_over()), "{step} goes on");
    }
}

#[test]
fn it_can_be_cancelled_at_any_instant() {
    let mut instants = 0;
    loop {
        let mut world = World::converting(image("2.0", 2)).begin();
        for _ in 0..instants {
            assert!(world.next());
        }
        if world.run.is_over() {
            break;
        }
        let world = world.cancel();
        assert_eq!(world.outcome(), Outcome::Cancelled, "after {instants} events: {}", world.told());
        instants += 1;
    }
    assert!(instants > 50, "{instants}");
}

#[test]
fn a_set_on_its_way_is_waited_for_before_the_cancel_goes_on() {
    for fault in [None, Some(Fault::AnswerLost), Some(Fault::SetLost)] {
        let mut world = World::upgrade().fault(Command::Reset, fault).begin();
        world.until(|world| world.sets.last() == Some(&Command::Reset));
        let asked = world.run.asked;
        assert!(world.give(&Event::Cancelled));
        assert_eq!(world.run.asked, asked, "a look now could overtake it");
        let world = world.on();
        assert_eq!(world.outcome(), Outcome::Cancelled);
    }
}

#[test]
fn a_set_that_arrives_late_finds_the_run_not_ended() {
    let cases = [
        (World::upgrade(), Command::Reset),
        (World::new(Goal::RollBack, choices()), Command::RollBack),
        (World::new(Goal::Restore { set: stored() }, choices()), Command::Restore),
    ];
    for (world, command) in cases {
        let mut world = world.fault(command, [Fault::SetLate]).begin();
        world.until(|world| world.sets.last() == Some(&command));
        let mut world = world.cancel();
        assert_eq!(world.outcome(), Outcome::Cancelled, "{}", world.told());
        while world.next() {}
        assert_eq!(world.device.running().version, "1.0", "{command:?}: {}", world.told());
        assert_eq!(world.device.running().files, world.before.1, "{command:?}");
    }
}

#[test]
fn a_device_that_took_the_loaded_software_while_it_held_is_brought_back() {
    let at = upgrade::Time::from_millis(2_000_000_000_000);
    let goal = Goal::Upgrade { image: image("2.0", 1).into() };
    let mut world = World::new(goal, Choices { activate_at: Some(at), ..choices() }).begin();
    world.until(|world| matches!(world.run.state, State::Holding { .. }));
    world.device.slide();
    let world = world.cancel();
    assert_eq!((world.outcome(), world.count(Command::RollBack)), (Outcome::Cancelled, 1));
    assert_eq!(world.device.running().version, "1.0");
    assert_eq!(world.device.running().files, world.before.1);
}

#[test]
fn a_refused_restore_is_not_taken_back_over_what_was_changed() {
    let goal = Goal::Restore { set: stored() };
    let mut world = World::new(goal, choices()).fault(Command::Restore, [Fault::Refuse]).begin();
    world.until(|world| world.sets.last() == Some(&Command::Restore));
    world.edit();
    let world = world.cancel();
    assert_eq!(world.outcome(), Outcome::Cancelled);
    assert_eq!(
        (world.device.running().files.clone(), world.count(Command::Restore)),
        (world.before.1.clone(), 1)
    );
}

#[test]
fn a_download_that_is_cancelled_is_aborted_at_the_device() {
    let world = World::upgrade().begin().until_underway(Step::Downloading).cancel();
    assert_eq!(world.count(Command::Abort), 1);
    assert_eq!(world.count(Command::RollBack), 0);
}

#[test]
fn the_converter_may_go_on_alone() {
    let mut world = World::converting(with_converter(image("2.0", 2)));
    world.profile.conversion = vec![ConvertedBy::Manager];
    let mut world = world.begin().until_step(Step::Judging).cancel();
    assert_eq!(world.outcome(), Outcome::Cancelled);
    assert!(!world.give(&Event::Converted(Ok(world.before.1.clone()))), "it came too late");
}

#[test]
fn a_run_that_holds_pauses_or_asks_is_cancelled_at_once() {
    let at = upgrade::Time::from_millis(2_000_000_000_000);
    let upgrade = Goal::Upgrade { image: image("2.0", 1).into() };
    let mut holding = World::new(upgrade, Choices { activate_at: Some(at), ..choices() }).begin();
    holding.until(|world| matches!(world.run.state, State::Holding { .. }));
    assert_eq!(holding.cancel().outcome(), Outcome::Cancelled);

    let mut pausing =
        World::policy(Policy::Auto(1)).fault(Command::Backup, [Fault::Fail("disk full")]).begin();
    pausing.until(|world| matches!(world.run.state, State::Pausing { .. }));
    assert_eq!(pausing.cancel().outcome(), Outcome::Cancelled);

    let asking = World::upgrade().fault(Command::Backup, [Fault::Fail("disk full")]).play().cancel();
    assert_eq!(asking.outcome(), Outcome::Cancelled);
    assert!(asking.stories.contains(&Story::Answered { answer: None }), "the alarm is cleared");
}

#[test]
fn a_device_that_could_not_be_brought_back_is_given_up_and_the_alarm_cleared() {
    let world = World::upgrade().fault(Command::Reset, [Fault::Dies]).play().cancel();
    assert_eq!(world.outcome(), Outcome::DeviceLost);
    assert!(world.stories.contains(&Story::Answered { answer: None }));
}

#[test]
fn a_cancel_between_two_attempts_to_bring_the_device_back_makes_the_next_one_at_once() {
    let mut world = World::policy(Policy::Auto(2))
        .fault(Command::Confirm, [Fault::Fail("flash")])
        .begin()
        .until_step(Step::RollingBack);
    world.device.silent_until = world.now + Duration::from_secs(150);
    world.until(|world| matches!(world.run.state, State::Pausing { .. }));
    assert_eq!(world.device.running().version, "2.0");
    let world = world.cancel();
    assert_eq!(world.outcome(), Outcome::Cancelled, "{}", world.told());
}

#[test]
fn what_brings_the_device_back_is_not_cancelled() {
    for step in [Step::RollingBack, Step::RestoringOriginal] {
        let world = World::upgrade().fault(Command::Confirm, [Fault::Fail("flash")]).begin();
        let mut world = world.until_step(step);
        assert!(world.give(&Event::Cancelled));
        assert!(!world.give(&Event::Cancelled), "once is enough");
        assert_eq!(world.on().outcome(), Outcome::Cancelled);
    }
}

#[test]
fn a_killed_manager_remembers_that_it_was_cancelled() {
    let mut world = World::upgrade().begin().until_underway(Step::Restoring);
    assert!(world.give(&Event::Cancelled));
    world.kill_manager();
    let world = world.on();
    assert_eq!(world.outcome(), Outcome::Cancelled, "{}", world.told());
    let mut world = World::upgrade().begin();
    world.until(|world| world.sets.last() == Some(&Command::Reset));
    assert!(world.give(&Event::Cancelled));
    world.kill_manager();
    assert_eq!(world.on().outcome(), Outcome::Cancelled);
}

#[test]
fn a_roll_back_as_the_goal_is_taken_back() {
    for underway in [false, true] {
        let world = World::new(Goal::RollBack, choices()).begin();
        let world = if underway {
            world.until_underway(Step::RollingBack)
        } else {
            world.until_step(Step::RollingBack)
        };
        let world = world.cancel();
        assert_eq!(world.outcome(), Outcome::Cancelled, "{}", world.told());
        assert_eq!(world.device.running().version, "1.0");
    }
    let world = World::new(Goal::RollBack, choices()).begin().until_underway(Step::Restoring).cancel();
    assert_eq!(world.outcome(), Outcome::Cancelled);
    assert_eq!(world.device.running().version, "1.0");
}

#[test]
fn a_reset_that_was_not_commanded_yet_is_not_commanded_any_more() {
    let world = World::new(Goal::Reset, choices()).begin().until_step(Step::Resetting).cancel();
    assert_eq!((world.outcome(), world.count(Command::Reset)), (Outcome::Cancelled, 0));
    let world = World::new(Goal::Reset, choices()).begin().until_underway(Step::Resetting).cancel();
    assert_eq!(world.outcome(), Outcome::Cancelled);
    assert_eq!(world.device.boots, 8, "what was commanded is waited for");
}

/// Found by the deterministic world.
#[test]
fn what_is_cancelled_once_more_gives_up_a_device_that_could_not_be_brought_back() {
    let mut world = World::upgrade().begin().until_step(Step::Soaking);
    world.device.silent_until = world.now + Duration::from_secs(36_000);
    let world = world.cancel();
    assert!(world.question().lost, "{}", world.told());
    assert_eq!(world.cancel().outcome(), Outcome::DeviceLost);
}

/// Found by the deterministic world: a set has the revision that was in force when it was backed up, long ago, and the device was
/// called lost.
#[test]
fn a_restore_as_the_goal_is_taken_back() {
    let kinds = crate::world::profile().all_kinds();
    let files: BTreeMap<_, _> = kinds.into_iter().map(|kind| (kind, file("from last year"))).collect();
    for revision in [None, Some(7)] {
        let set = ConfigurationSet { format: Some(1), revision, files: files.clone() };
        let mut world = World::new(Goal::Restore { set }, choices()).begin().until_underway(Step::Restoring);
        world.until(|world| world.device.running().files != world.before.1);
        let world = world.cancel();
        assert_eq!(world.outcome(), Outcome::Cancelled, "{}", world.told());
        assert_eq!(world.device.running().files, world.before.1);
    }
}

#[test]
fn a_device_without_abort_is_waited_for() {
    let mut world = World::upgrade();
    world.profile.commands.remove(&Command::Abort);
    let world = world.begin().until_underway(Step::BackingUp).cancel();
    assert_eq!(world.outcome(), Outcome::Cancelled);
    assert!(world.device.work.as_ref().is_none_or(|work| work.state.is_over()));
}

#[test]
fn a_roll_back_that_comes_late_finds_the_run_not_ended() {
    let mut world =
        World::upgrade().fault(Command::RollBack, [Fault::SetLate]).begin().until_step(Step::Soaking);
    world.device.any_version = true;
    assert!(world.give(&Event::Cancelled));
    world.until(|world| world.sets.last() == Some(&Command::RollBack));
    world.device.lose_power(world.now);
    world.device.silent_until = world.now;
    let mut world = world.on();
    assert_eq!(world.outcome(), Outcome::Cancelled);
    while world.next() {}
    assert_eq!(world.device.running().version, "1.0", "{}", world.told());
}

/// Somebody else's operation was under way when its first copy came, and is over when the second one comes.
#[test]
fn a_command_that_was_refused_may_come_once_more() {
    for hot in [true, false] {
        let command = if hot { Command::Activate } else { Command::Reset };
        let mut world = World::upgrade().fault(command, [Fault::Doubled]);
        if hot {
            world.device.cannot(Capability::NeedsReset);
        }
        let mut world = world.begin();
        world.until(|world| world.sets.last() == Some(&command));
        world.device.occupy("other-1", world.now + Duration::from_secs(3));
        let mut world = world.cancel();
        assert_eq!(world.outcome(), Outcome::Cancelled);
        while world.next() {}
        let left = (world.device.running().version.as_str(), world.device.trial);
        assert_eq!(left, ("1.0", None), "hot {hot}: {}", world.told());
    }
}

/// Shown by a reviewer: a restart that was commanded is waited for, and came up with other software.
#[test]
fn a_cancelled_reset_that_ends_in_the_other_software_is_brought_back() {
    let mut world = World::new(Goal::Reset, choices());
    world.device.calls = 2;
    let mut world = world.begin().until_step(Step::Draining);
    let no_copy_is_on_its_way = world.now + Duration::from_secs(60);
    world.until(|world| world.now >= no_copy_is_on_its_way);
    world.device.calls = 0;
    let mut world = world.until_underway(Step::Resetting);
    let boots = world.device.boots;
    assert!(world.give(&Event::Cancelled));
    world.until(|world| world.device.boots > boots);
    world.device.slide();
    let world = world.on();
    assert_eq!((world.outcome(), world.device.running().version.as_str()), (Outcome::Cancelled, "1.0"));
}

/// Shown by a reviewer: nothing was loaded, and yet it ran other software.
#[test]
fn a_device_that_slides_during_a_pause_is_brought_back_before_the_run_ends() {
    let upgrade = World::upgrade().run.goal;
    for goal in [upgrade, Goal::RollBack, Goal::Reset] {
        let mut world = World::new(goal, Choices { policy: Policy::Auto(1), ..choices() });
        world.profile.limits.backoff_s = 300.0;
        let mut world = world.fault(Command::CloseCalls, [Fault::Refuse]).begin();
        world.until(|world| matches!(world.run.state, State::Pausing { .. }));
        world.device.slide();
        let world = world.cancel();
        assert_eq!(
            (world.outcome(), world.count(Command::RollBack)),
            (Outcome::Cancelled, 1),
            "{}",
            world.told()
        );
        let left_with = world.ending().left_with.version.as_deref();
        assert_eq!((world.device.running().version.as_str(), left_with), ("1.0", Some("1.0")));
    }
}

/// Shown by a reviewer: a device that knows no abort goes on with what it is at.
#[test]
fn what_cannot_be_stopped_is_told_at_the_end() {
    let mut world = World::upgrade().begin().until_underway(Step::Downloading);
    world.profile.commands.remove(&Command::Abort);
    let work = world.device.work.as_mut().unwrap();
    work.due = None;
    let id = work.id.clone();
    let world = world.cancel();
    let reason = format!("cancelled by an operator; the device is busy with another operation ({id})");
    assert_eq!((world.outcome(), world.ending().reason.clone()), (Outcome::Cancelled, reason));
}

/// Shown by a reviewer: for as long as a device was looked for, an operator was told that the run cannot take that.
#[test]
fn a_run_that_looks_before_it_asks_takes_a_cancel() {
    let world = World::upgrade().fault(Command::Backup, [Fault::PowerLoss]);
    let mut world = world.begin().until_underway(Step::BackingUp);
    world.until(|world| world.run.current_step() == Some(Step::Stopping));
    assert_eq!(world.cancel().outcome(), Outcome::Cancelled);
}

/// Shown by a reviewer: who stopped that look ended the run without it, with a download that went on, or on other software.
#[test]
fn what_stops_a_device_is_not_stopped_itself() {
    let stopped = |mut world: World| {
        world.before_counts = false;
        assert!(world.give(&Event::Cancelled));
        assert_eq!(world.run.current_step(), Some(Step::Stopping));
        assert!(!world.give(&Event::StopOperation), "it is being stopped");
        let world = world.on();
        assert_eq!((world.outcome(), world.device.running().version.as_str()), (Outcome::Cancelled, "1.0"));
        let over = world.device.work.as_ref().is_none_or(|work| work.state.is_over());
        assert!(over, "{}", world.told());
    };
    stopped(World::upgrade().begin().until_underway(Step::Downloading));
    let mut slides = World::upgrade();
    slides.device.cannot(Capability::NeedsReset);
    let mut slides = slides.begin().until_step(Step::Draining);
    slides.device.slide();
    stopped(slides);
}

/// Found by the deterministic world: what stops an operation was sent without a look, to whatever answers there by now.
#[test]
fn what_an_operator_has_stopped_is_looked_at_first() {
    let mut world = World::upgrade().begin().until_underway(Step::Downloading);
    let own = std::mem::replace(&mut world.device.unique_id, "another unit".into());
    world.before_counts = false;
    assert!(world.give(&Event::StopOperation));
    let looks_again = world.now + Duration::from_secs(60);
    world.until(|world| world.now >= looks_again || !matches!(world.run.state, State::Working { .. }));
    assert_eq!(world.count(Command::Abort), 0, "{}", world.told());
    world.device.unique_id = own;
    world.until(|world| world.count(Command::Abort) == 1);
}

/// Whoever stops an operation was told that it is heeded: neither a manager that is killed before the device was told, nor a lost
/// command, forgets that.
#[test]
fn what_an_operator_has_stopped_stays_stopped_whatever_is_lost() {
    let stopped = || {
        let mut world = World::upgrade().begin().until_underway(Step::Downloading);
        assert!(world.give(&Event::StopOperation));
        world
    };
    let killed = || {
        let mut world = stopped();
        world.kill_manager();
        world
    };
    let mut never_begun = killed();
    never_begun.device.work = None;
    let mut lost = stopped();
    lost.device.faults.entry(Command::Abort).or_default().push_back(Fault::SetLost);
    let mut refused = stopped();
    refused.device.faults.entry(Command::Abort).or_default().extend([Fault::Refuse, Fault::Refuse]);
    // It has taken it, and knows nothing of it after a restart of both.
    let mut forgotten = killed();
    forgotten.until(|world| world.count(Command::Abort) == 1);
    forgotten.device.work = None;
    for (aborts, world) in [(1, killed()), (0, never_begun), (2, lost), (3, refused), (1, forgotten)] {
        let world = world.on();
        let asked = world.question().failure.as_ref().map(|failure| failure.step);
        assert_eq!(asked, Some(Step::Downloading), "{}", world.told());
        assert_eq!(
            (world.count(Command::Abort), world.count(Command::Download)),
            (aborts, 1),
            "{}",
            world.told()
        );
    }
}
