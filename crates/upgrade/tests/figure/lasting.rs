//! What must outlive the manager is committed: every difference but the latest word on a progress (row B9).

use upgrade::operation::{Before, Operation, Seen, State as Stage};
use upgrade::run::{Ahead, Choices, Closing, Failure, Goal, Outcome, Run, State, Step};
use upgrade::{ConfigurationSet, Time};

use crate::world::World;

fn change(of: &Run, change: impl FnOnce(&mut Run)) -> Run {
    let mut other = of.clone();
    change(&mut other);
    assert_ne!(of, &other, "nothing was changed");
    other
}

fn operation(run: &mut Run) -> &mut Operation {
    match &mut run.state {
        State::Working { operation, .. } => std::sync::Arc::make_mut(operation),
        other => panic!("no operation is under way: {other:?}"),
    }
}

fn later(time: Option<Time>) -> Option<Time> {
    Some(Time::from_millis(time.map_or(1, |time| time.as_millis() + 1)))
}

#[test]
fn whatever_a_run_has_come_to_lasts() {
    let run = World::upgrade().begin().until_underway(Step::BackingUp).run;
    let failure = Failure { step: Step::Soaking, cause: upgrade::operation::Cause::Unhealthy };
    let set = ConfigurationSet { revision: Some(99), ..ConfigurationSet::default() };
    let others = [
        change(&run, |run| run.operations += 1),
        change(&run, |run| run.old = None),
        change(&run, |run| run.backup = Some(set.clone())),
        change(&run, |run| run.replaced = Some(set.clone())),
        change(&run, |run| run.untouched = Some("of another".into())),
        change(&run, |run| run.converted = Some(set.clone())),
        change(&run, |run| run.loaded = Some("2.0".into())),
        change(&run, |run| run.conversion = Some(upgrade::profile::ConvertedBy::Device)),
        change(&run, |run| run.failure = Some(failure.clone())),
        change(&run, |run| run.stranded = Some(failure.clone())),
        change(&run, |run| run.returning = true),
        change(&run, |run| run.ahead = Some(Ahead { operation: 7, arrived: false })),
        change(&run, |run| run.activated = later(None)),
        change(&run, |run| run.calls_closed = true),
        change(&run, |run| run.told_to_close = later(None)),
        change(&run, |run| run.drain_until = later(None)),
        change(&run, |run| run.aside = Some(set.clone())),
        change(&run, |run| run.on_trial = Some(set.clone())),
        change(&run, |run| run.left_there = Some(set.clone())),
        change(&run, |run| {
            run.closing = Some(Closing { outcome: Outcome::Cancelled, reason: String::new() });
        }),
        change(&run, |run| run.repeats += 1),
        change(&run, |run| run.drifts += 1),
        change(&run, |run| run.bring_backs += 1),
        change(&run, |run| run.last.version = Some("9.9".into())),
        change(&run, |run| run.id.0 += 1),
        change(&run, |run| run.begun = Time::default()),
        change(&run, |run| run.device.name.push('x')),
        change(&run, |run| run.goal = Goal::Backup),
        change(&run, |run| {
            run.choices = Choices { question_limit_ms: Some(1), ..run.choices.clone() };
        }),
        change(&run, |run| run.profile.push('x')),
        change(&run, |run| run.server.port += 1),
        change(&run, |run| run.secret.push('x')),
        change(&run, |run| run.state = State::Judging),
    ];
    for other in &others {
        assert!(!run.lasts_as(other), "{other:?}");
    }
    assert!(run.lasts_as(&change(&run, |run| run.asked += 1)), "which look it is");
}

#[test]
fn whatever_an_operation_has_come_to_lasts() {
    let run = World::upgrade().begin().until_underway(Step::BackingUp).run;
    let others = [
        change(&run, |run| operation(run).id.push('x')),
        change(&run, |run| operation(run).commanded = false),
        change(&run, |run| operation(run).sent += 1),
        change(&run, |run| operation(run).sent_at = later(operation(run).sent_at)),
        change(&run, |run| operation(run).answered = true),
        change(&run, |run| operation(run).resumed = true),
        change(&run, |run| operation(run).before = Some(Before::default())),
        change(&run, |run| operation(run).transfers[0].seen = Seen::Begun),
        change(&run, |run| operation(run).deadline = later(operation(run).deadline)),
        change(&run, |run| operation(run).watched = later(None)),
        change(&run, |run| operation(run).heard = true),
        change(&run, |run| operation(run).task = upgrade::operation::Task::Reset),
        change(&run, |run| operation(run).state = Stage::Commanding),
        change(&run, |run| {
            if let Stage::Underway { stopping, .. } = &mut operation(run).state {
                *stopping = true;
            }
        }),
        change(&run, |run| {
            if let Stage::Underway { done_at, .. } = &mut operation(run).state {
                *done_at = later(None);
            }
        }),
        change(&run, |run| {
            if let Stage::Underway { claimed, .. } = &mut operation(run).state {
                *claimed = true;
            }
        }),
    ];
    for other in &others {
        assert!(!run.lasts_as(other), "{other:?}");
    }
    let moved_on = change(&run, |run| {
        if let Stage::Underway { progress, moved, next, again, whole, .. } = &mut operation(run).state {
            *progress += 1;
            (*moved, *next) = (Time::default(), None);
            (*again, *whole) = (!*again, !*whole);
        }
    });
    assert!(run.lasts_as(&moved_on), "the latest word on a progress");
}

#[test]
fn since_when_a_device_is_silent_lasts_and_when_it_is_looked_at_next_does_not() {
    for step in [Step::Preflight, Step::Draining, Step::Soaking] {
        let run = World::upgrade().begin().until_step(step).run;
        let waits = |change: fn(&mut upgrade::run::Waiting)| {
            self::change(&run, |run| match &mut run.state {
                State::Preflight(waiting)
                | State::Draining { waiting, .. }
                | State::Soaking { waiting, .. } => change(waiting),
                other => panic!("it does not wait: {other:?}"),
            })
        };
        assert!(!run.lasts_as(&waits(|waiting| waiting.silent = later(waiting.silent))), "{step}");
        assert!(run.lasts_as(&waits(|waiting| waiting.next = later(waiting.next))), "{step}");
    }
    let run = World::upgrade().begin().until_step(Step::Activating).run;
    let looks = |change: fn(&mut Stage)| self::change(&run, |run| change(&mut operation(run).state));
    let since = looks(|state| match state {
        Stage::Looking { silent, .. } => *silent = later(None),
        other => panic!("it does not look: {other:?}"),
    });
    assert!(!run.lasts_as(&since));
    let next = looks(|state| match state {
        Stage::Looking { next, .. } => *next = later(None),
        other => panic!("it does not look: {other:?}"),
    });
    assert!(run.lasts_as(&next));
}
