//! What the device, the file server, the converter and the operator say, and what comes of it.

use core::time::Duration;
use std::collections::BTreeMap;

use engine::commander::{Answer, Ask, Outcome, What};
use engine::director::{Effect, Input};
use engine::file_server::News;
use upgrade::image::{Converter, Image, ImageFile, Manifest};
use upgrade::operation::Seen;
use upgrade::run::{Answer as UpgradeAnswer, Event, Goal, Outcome as End, State, Step};
use upgrade::{Digest, RunId, StoredFile, TicketName, Time, Value};

use crate::run;

use super::world::{RUN, World, report};

#[test]
fn a_set_waits_until_each_of_its_tickets_is_known() {
    let mut world = World::new().until_opening();
    let names = world.opened();
    assert_eq!(names.len(), 4);
    let sets = world.sets();
    for name in &names[1..] {
        world.give(vec![report(name, News::Ready), report(name, News::Ready)]);
        assert_eq!(world.sets(), sets);
    }
    world.give(vec![report(&TicketName("another".into()), News::Ready)]);
    assert_eq!(world.sets(), sets);
    world.give(vec![report(&names[0], News::Ready)]);
    assert_eq!(world.sets(), sets + 1);
    world.give(vec![report(&names[0], News::Ready)]);
    assert_eq!(world.sets(), sets + 1, "said twice, sent once");
}

#[test]
fn a_transfer_that_broke_is_told_and_may_begin_again() {
    let mut world = World::new().until_underway();
    let name = world.opened()[0].clone();
    let broken = News::Failed { cause: engine::file_server::Cause::Device("disk full".into()) };
    let turn = world.give(vec![report(&name, broken)]);
    assert!(matches!(
        &turn.transaction.writes[0].events[0].1,
        Event::Transferred { seen: Seen::Broken { why }, .. } if why.contains("disk full")
    ));
    let file = News::Done { size: 1, sha256: Digest([1; 32]) };
    let turn = world.give(vec![report(&name, file)]);
    assert!(matches!(
        &turn.transaction.writes[0].events[0].1,
        Event::Transferred { seen: Seen::Whole { .. }, .. }
    ));
}

#[test]
fn a_set_is_refused_or_lost_and_a_look_tells_what_came_of_it() {
    for (outcome, failures) in [(Outcome::Refused("noAccess".into()), 1), (Outcome::Unanswered, 0)] {
        let mut world = World::new();
        while world.sets() == 0 {
            let answer = world.answer();
            world.give(vec![answer]);
        }
        let Input::Answer(answer) = world.answer() else { panic!("an answer") };
        world.give(vec![Input::Answer(Answer { outcome: outcome.clone(), ..answer })]);
        let looks = world.answer();
        world.give(vec![looks]);
        assert_eq!(world.failures().len(), failures, "{outcome:?}: {:?}", world.failures());
        assert_eq!(world.sets(), 2 - failures, "what was lost is sent again after a look");
    }
}

#[test]
fn a_look_that_is_refused_is_told_in_the_devices_words() {
    let mut world = World::new();
    let Input::Answer(answer) = world.answer() else { panic!("an answer") };
    let refused = Outcome::Refused("authorizationError".into());
    let turn = world.give(vec![Input::Answer(Answer { outcome: refused, ..answer })]);
    let State::Ended(ending) = &turn.transaction.writes[0].run.state else { panic!("it goes on") };
    assert_eq!(ending.outcome, End::Refused);
    assert!(ending.reason.contains("authorizationError"), "{}", ending.reason);
}

fn to_be_converted() -> World {
    let file = StoredFile { digest: Digest([9; 32]), size: 9 };
    let manifest = Manifest {
        version: "2.0".into(),
        hardware: vec!["iad-8".into()],
        format: Some(2),
        from: Vec::new(),
        converter: Some(Converter { name: "convert".into(), sha256: file.digest }),
        files: vec![ImageFile { name: "main".into(), size: file.size, sha256: file.digest }],
    };
    let image = Image { name: "new".into(), manifest, digest: file.digest };
    let mut world = World::of(run(7, Goal::Upgrade { image: image.into() }));
    world.set("hardware", Value::Octets(b"iad-8".to_vec()));
    // Two buffers, a reset for new software, TFTP; no conversion of its own.
    world.set("capabilities", Value::Octets(vec![0b1101_0000]));
    world.set("free-space", Value::Unsigned(1_000_000));
    let format = world.profile.objects["software-format"].oid.instance(&[1]);
    world.objects.push((format, Value::Unsigned(1)));
    world.until_backed_up().0
}

#[test]
fn the_managers_converter_is_run_and_what_it_made_is_kept_with_the_run() {
    let mut world = to_be_converted();
    let jobs: Vec<_> = world
        .effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Convert(job) => Some(job.clone()),
            _ => None,
        })
        .collect();
    assert_eq!((jobs.len(), jobs[0].run, jobs[0].format, jobs[0].set.files.len()), (1, RUN, 2, 4));
    let made: BTreeMap<_, _> = jobs[0]
        .set
        .files
        .keys()
        .map(|kind| (kind.clone(), StoredFile { digest: Digest([5; 32]), size: 5 }))
        .collect();
    let turn = world.give(vec![Input::Converted { run: RUN, result: Ok(made.clone()) }]);
    let run = &turn.transaction.writes[0].run;
    assert_eq!(run.current_step(), Some(Step::Downloading));
    assert_eq!(run.converted.as_ref().map(|set| &set.files), Some(&made));
}

#[test]
fn what_a_converter_made_of_some_files_only_is_not_taken() {
    let mut world = to_be_converted();
    world.give(vec![Input::Converted { run: RUN, result: Ok(BTreeMap::new()) }]);
    assert!(world.failures()[0].contains("it did not convert each file"), "{:?}", world.failures());
    let mut world = to_be_converted();
    world.give(vec![Input::Converted { run: RUN, result: Err("exit code 3".into()) }]);
    assert!(world.failures()[0].contains("exit code 3"), "{:?}", world.failures());
}

#[test]
fn an_operator_stops_what_is_under_way_and_answers() {
    let mut world = World::new().until_underway();
    let turn = world.give(vec![Input::StopOperation(RUN)]);
    assert_eq!(turn.heeded, [true]);
    // That it is this device is seen first.
    let seen = world.answer();
    let turn = world.give(vec![seen]);
    let aborts = |effect: &Effect| matches!(effect, Effect::Ask(Ask { what: What::Set(_), .. }));
    assert!(turn.effects.iter().any(aborts), "{:?}", turn.effects);
    let aborted = world.answer();
    world.give(vec![aborted]);
    world.set("operation-state", Value::Integer(6));
    let looked = world.answer();
    world.give(vec![looked]);
    let Some(State::Asking(question)) = world.director.run(RUN).map(|run| run.state.clone()) else {
        panic!("it asks nothing: {:?}", world.failures())
    };
    let end = |asked_at| Input::Operator { run: RUN, asked_at, answer: UpgradeAnswer::End };
    let turn = world.give(vec![end(question.asked_at + Duration::from_millis(1))]);
    assert_eq!(turn.heeded, [false], "that is no answer to this question");
    let turn = world.give(vec![end(question.asked_at)]);
    assert_eq!(turn.heeded, [true]);
    let looked = world.answer();
    assert!(world.give(vec![looked]).transaction.writes[0].run.is_over());
}

#[test]
fn an_operator_is_told_what_meant_nothing() {
    let mut world = World::new();
    let again = Input::Operator { run: RUN, asked_at: Time::default(), answer: UpgradeAnswer::Again };
    let turn = world.give(vec![again, Input::StopOperation(RUN), Input::Cancel(RunId(99))]);
    assert_eq!(turn.heeded, [false, false, false]);
    // The first of two is heeded, whatever becomes of the second.
    assert_eq!(world.give(vec![Input::Cancel(RUN), Input::Cancel(RUN)]).heeded, [true, false]);
}
