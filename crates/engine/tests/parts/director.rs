//! The director proposes and changes nothing itself; what it proposes is numbered, and what need not last is not
//! written (rows B9, H5).

mod inputs;
mod outcomes;
mod world;

use std::time::Duration;

use engine::Director;
use engine::commander::{Answer, Asker, Outcome, Proof, What};
use engine::director::{Effect, Input, Turn, Write};
use engine::file_server::News;
use engine::listener::Learnt;
use snmp::usm::EngineId;
use upgrade::operation::State as Stage;
use upgrade::profile::NotificationKind;
use upgrade::run::{Event, Goal, Outcome as End, State, Step, Story};
use upgrade::{DeviceId, RunId, Time, Value};

use crate::run;

use self::world::{DEVICE, RUN, World, heard, report};

#[test]
fn a_turn_changes_nothing_before_it_is_applied() {
    let world = World::new();
    let before = format!("{:?}", world.director);
    let answer = [world.answer()];
    let first = world.director.turn(&answer, world.now);
    assert_eq!(format!("{:?}", world.director), before);
    // The commit failed: the same comes again.
    let second = world.director.turn(&answer, world.now);
    assert_eq!(format!("{first:?}"), format!("{second:?}"));
    assert!(!first.effects.is_empty());
}

#[test]
fn what_is_performed_is_committed_first_and_numbered() {
    let mut world = World::new();
    assert_eq!(world.seq, 1, "the beginning is committed");
    let answer = world.answer();
    let turn = world.give(vec![answer]);
    assert_eq!(world.seq, 2);
    let write = &turn.transaction.writes[0];
    assert_eq!(write.events.len(), 1);
    assert!(matches!(write.events[0].1, Event::Read { .. }));
    let numbers: Vec<_> = write.stories.iter().map(|told| told.n).collect();
    assert_eq!(numbers, [3, 4], "after `begun` and the beginning of the preflight, without gaps");
}

#[test]
fn a_batch_is_one_commit_for_each_run() {
    let world = World::new();
    let entry = world.entry(run(8, Goal::Backup), 0);
    let before = world.seq;
    let batch = [world.answer(), Input::Cancel(RUN), Input::Start(Box::new(entry))];
    let turn = world.director.turn(&batch, world.now);
    let writes: Vec<_> =
        turn.transaction.writes.iter().map(|write| (write.run.id, write.seq, write.events.len())).collect();
    assert_eq!(writes, [(RUN, before + 1, 2), (RunId(8), 1, 1)]);
}

#[test]
fn progress_is_told_and_not_written() {
    let mut world = World::new().until_underway();
    let (seq, name) = (world.seq, world.opened().remove(0));
    world.give(vec![report(&name, News::Progress { bytes: 512 })]);
    world.give(vec![heard(1, Some(DEVICE), NotificationKind::Progress, false)]);
    assert_eq!(world.director.run(RUN).unwrap().progress(), Some(50));
    let is_told = |effect: &Effect| matches!(effect, Effect::Tell(told) if matches!(told.story, Story::Progress { percent: 50, .. }));
    assert!(world.effects.iter().any(is_told));
    let numbers: Vec<_> = world
        .effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Tell(told) => Some((told.n, matches!(told.story, Story::Progress { .. }))),
            _ => None,
        })
        .collect();
    let kept: Vec<_> = numbers.iter().filter(|(_, progress)| !progress).map(|(n, _)| *n).collect();
    assert_eq!(kept, (1..=kept.len() as u64).collect::<Vec<_>>());
    assert_eq!(numbers.last(), Some(&(kept.len() as u64, true)), "progress repeats the last number");
    world.tick();
    let answer = world.answer();
    world.give(vec![answer]);
    assert_eq!(world.seq, seq, "looks and progress are not worth a write");
    world.give(vec![report(&name, News::Begun { size: None })]);
    assert_eq!(world.seq, seq + 1, "that a transfer began is");
}

#[test]
fn what_a_device_sent_is_committed_with_the_end_that_it_leads_to() {
    let mut nameless = run(7, Goal::Backup);
    nameless.device.unique_id = None;
    let mut world = World::of(nameless);
    let answer = world.answer();
    let turn = world.give(vec![answer]);
    assert_eq!(turn.transaction.writes[0].unique_id.as_deref(), Some("IAD-7"));
    let (world, turn) = world.until_backed_up();
    let write = &turn.transaction.writes[0];
    assert!(matches!(&write.run.state, State::Ended(ending) if ending.outcome == End::Succeeded));
    let sizes: Vec<u64> = write.backups[0].set.files.values().map(|file| file.size).collect();
    assert_eq!((write.backups.len(), sizes.iter().sum::<u64>()), (1, 11 + 12 + 13 + 14));
    assert!(world.director.run(RUN).is_none(), "it is let go");
}

#[test]
fn an_inform_is_answered_with_the_turn_that_took_it() {
    let mut world = World::new();
    for (receipt, device) in [(5, Some(DEVICE)), (6, Some(DeviceId(999))), (7, None)] {
        let turn = world.give(vec![heard(receipt, device, NotificationKind::Done, true)]);
        assert_eq!(turn.effects.last(), Some(&Effect::Committed { receipt }));
    }
    let turn = world.give(vec![heard(8, Some(DEVICE), NotificationKind::Done, false)]);
    assert!(!turn.effects.contains(&Effect::Committed { receipt: 8 }), "a trap is not answered");
}

#[test]
fn a_gap_makes_every_device_under_way_be_looked_at() {
    let mut world = World::new().until_underway();
    let asks = |world: &World| world.effects.iter().filter(|effect| matches!(effect, Effect::Ask(_))).count();
    let before = asks(&world);
    world.give(vec![Input::Gap]);
    assert_eq!(asks(&world), before + 1);
}

#[test]
fn an_engine_that_proves_to_be_the_device_s_is_committed_once() {
    let mut run = run(7, Goal::Backup);
    run.device.unique_id = None;
    let mut world = World::of(run);
    let proven = |world: &World, engine: &str| {
        let Input::Answer(answer) = world.answer() else { panic!() };
        let engine = EngineId::of_text(32473, engine);
        Input::Answer(Answer { proof: Some(Proof { engine, superseded: false }), ..answer })
    };
    let learnt = |turn: &Turn| turn.transaction.writes.iter().flat_map(Write::learnt).collect::<Vec<_>>();
    // Who the device is, and what speaks for it, is learnt with the same look.
    let answer = proven(&world, "one");
    let turn = world.give(vec![answer]);
    let one = EngineId::of_text(32473, "one");
    assert_eq!(learnt(&turn), [Learnt::UniqueId("IAD-7".into(), DEVICE), Learnt::Engine(one, DEVICE)]);
    assert_eq!(world.director.entry(RUN).unwrap().access.engine, Some(one));
    // It is known by now.
    let answer = proven(&world, "one");
    assert_eq!(learnt(&world.give(vec![answer])), []);
}

#[test]
fn an_engine_at_the_address_of_the_device_that_is_another_unit_is_not_that_of_the_device() {
    let mut world = World::new();
    world.give(vec![world.answer()]);
    world.set("unique-id", Value::Octets(b"IAD-9".to_vec()));
    let Input::Answer(answer) = world.answer() else { panic!() };
    let proof = Some(Proof { engine: EngineId::of_text(32473, "other"), superseded: false });
    let turn = world.give(vec![Input::Answer(Answer { proof, ..answer })]);
    assert!(turn.transaction.writes.iter().all(|write| write.engine.is_none()));
}

#[test]
fn answers_to_what_was_asked_before_are_passed_over() {
    let mut world = World::new();
    let stale = world.answer();
    world.give(vec![world.answer()]);
    let turn = world.give(vec![stale]);
    assert!(turn.effects.is_empty() && turn.transaction.writes.is_empty());
    let probe =
        Answer { asker: Asker::Probe(1), at: Time::default(), outcome: Outcome::Unanswered, proof: None };
    let nobodys = Answer {
        asker: Asker::Run { run: RunId(99), asked: 1 },
        at: Time::default(),
        outcome: Outcome::Unanswered,
        proof: None,
    };
    let turn = world.give(vec![Input::Answer(probe), Input::Answer(nobodys)]);
    assert!(turn.effects.is_empty());
}

#[test]
fn a_run_that_is_over_is_let_go() {
    let mut world = World::new();
    assert_eq!(world.director.run_of(DEVICE), Some(RUN));
    let turn = world.give(vec![Input::Cancel(RUN)]);
    assert!(turn.run(RUN).unwrap().is_over());
    assert!(
        matches!(&turn.run(RUN).unwrap().state, State::Ended(ending) if ending.outcome == End::Cancelled)
    );
    assert_eq!((world.director.run_of(DEVICE), world.director.next_deadline()), (None, None));
    assert_eq!(world.director.runs().count(), 0);
    let stale = world.give(vec![Input::Clock, Input::Gap, world.answer()]);
    assert!(stale.effects.is_empty());
}

#[test]
fn a_run_resumes_with_a_look_and_counts_on() {
    let world = World::new().until_underway();
    let stored = world.director.run(RUN).unwrap().clone();
    let mut later = World { director: Director::new(), effects: Vec::new(), ..world };
    let entry = later.entry(stored, later.seq);
    later.give(vec![Input::Resume(Box::new(entry))]);
    assert!(
        matches!(&later.effects[..], [.., Effect::Ask(ask)] | [Effect::Ask(ask), ..] if matches!(ask.what, What::Get(_))),
        "{:?}",
        later.effects
    );
    assert_eq!(later.sets(), 0);
    let State::Working { operation, .. } = &later.director.run(RUN).unwrap().state else {
        panic!("not working")
    };
    assert!(matches!(operation.state, Stage::Looking { .. }));
    let answer = later.answer();
    later.give(vec![answer]);
    assert_eq!(later.opened().len(), 4, "its tickets are opened again");
    assert_eq!(later.sets(), 0, "the device is still at it");
}

#[test]
fn what_was_due_while_nothing_could_be_stored_is_looked_at_first() {
    let mut world = World::new().until_underway();
    let limit = Duration::from_secs(10_000);
    world.now = world.now + limit;
    world.give(vec![Input::Hindered, Input::Clock]);
    let State::Working { step: Step::BackingUp, operation } = &world.director.run(RUN).unwrap().state else {
        panic!("the time that went by has ended it: {:?}", world.director.run(RUN).unwrap().state)
    };
    assert!(matches!(operation.state, Stage::Looking { .. }));
    assert_eq!(world.director.next_deadline(), None, "it waits for the answer");
}

#[test]
fn the_clock_wakes_those_that_are_due_and_no_others() {
    let mut world = World::new().until_underway();
    let due = world.director.next_deadline().unwrap();
    assert!(world.give(vec![Input::Clock]).effects.is_empty(), "not yet");
    world.now = due;
    let turn = world.give(vec![Input::Clock]);
    assert_eq!(turn.effects.len(), 1);
    assert!(world.director.next_deadline().unwrap() > due, "the clock does not stand still");
}

#[test]
fn a_run_goes_on_with_what_the_inventory_says_now() {
    let mut world = World::new();
    let mut access = world.director.entry(RUN).unwrap().access.clone();
    access.address = ([192, 0, 2, 8], 161).into();
    access.read_community = "others".into();
    let server = ([192, 0, 2, 1], 6969).into();
    let moved = Input::Moved { run: RUN, access: access.clone(), server };
    let elsewhere = world.answer();
    let turn = world.give(vec![moved.clone()]);
    let told: Vec<_> = turn.transaction.writes[0].events.iter().map(|(_, event)| event).collect();
    assert_eq!(told, [&Event::Moved { address: access.address.ip(), elsewhere: true, server }]);
    assert!(world.give(vec![moved]).transaction.writes.is_empty(), "it is there already");
    assert!(
        world.give(vec![elsewhere]).effects.is_empty(),
        "what another unit told there decides nothing here"
    );
    let asked = world.effects.iter().rev().find_map(|effect| match effect {
        Effect::Ask(ask) => Some(&ask.access),
        _ => None,
    });
    assert_eq!(asked, Some(&access));
    let run = world.director.run(RUN).unwrap();
    assert_eq!((run.device.address, run.server.port), (access.address.ip(), 6969));
}

/// Shown by a reviewer: behind an address translation another port is another device, to which commands went without a look.
#[test]
fn another_port_is_looked_at_before_anything_is_commanded_there() {
    let mut world = World::new();
    let mut access = world.director.entry(RUN).unwrap().access.clone();
    access.address.set_port(1162);
    let run = world.director.run(RUN).unwrap();
    let server = (run.server.address, run.server.port).into();
    let elsewhere = world.answer();
    let asked = world.give(vec![Input::Moved { run: RUN, access: access.clone(), server }]).effects;
    assert!(
        asked.iter().any(|effect| matches!(effect, Effect::Ask(ask) if ask.access == access)),
        "{asked:?}"
    );
    assert!(
        world.give(vec![elsewhere]).effects.is_empty(),
        "what was told at the other port decides nothing here"
    );
    let again = Input::Moved { run: RUN, access, server };
    assert!(world.give(vec![again]).transaction.writes.is_empty(), "it is there already");
}
