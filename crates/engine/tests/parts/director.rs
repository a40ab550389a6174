//! The director proposes and changes nothing itself; what it proposes is numbered, and what need not last is not
//! written (rows B9, H5).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use engine::commander::{Answer, Asker, Outcome, What};
use engine::director::{Effect, Entry, Input, Told, Turn};
use engine::file_server::{News, Order, Report};
use engine::listener::Heard;
use engine::{Access, Director};
use upgrade::image::{Converter, Image, ImageFile, Manifest};
use upgrade::operation::{Notice, Seen, State as Stage};
use upgrade::profile::NotificationKind;
use upgrade::run::{Answer as UpgradeAnswer, Event, Goal, Outcome as End, State, Step, Story};
use upgrade::{DeviceId, Digest, Oid, Profile, RunId, StoredFile, TicketName, Time, Value};

use crate::{profile, run};

const RUN: RunId = RunId(7);
const DEVICE: DeviceId = DeviceId(107);

struct World {
    director: Director,
    profile: Arc<Profile>,
    now: Time,
    /// What is performed, in order.
    effects: Vec<Effect>,
    /// The objects of an agent.
    objects: Vec<(Oid, Value)>,
    seq: u64,
}

impl World {
    fn new() -> Self {
        Self::of(run(7, Goal::Backup))
    }

    fn of(run: upgrade::Run) -> Self {
        let profile = Arc::new(profile());
        let mut world = Self {
            director: Director::new(),
            objects: objects(&profile),
            profile,
            now: Time::from_millis(1_000_000),
            effects: Vec::new(),
            seq: 0,
        };
        let entry = world.entry(run, 0);
        world.give(vec![Input::Start(Box::new(entry))]);
        world
    }

    fn entry(&self, run: upgrade::Run, seq: u64) -> Entry {
        let access = Access {
            address: ([192, 0, 2, 7], 161).into(),
            version: engine::access::Version::V2c,
            read_community: "readers".into(),
            write_community: "writers".into(),
            answer_ms: 1000,
            repeats: 3,
        };
        Entry::stored(run, seq, 0, Arc::clone(&self.profile), access)
    }

    /// Commits, applies and performs.
    fn give(&mut self, batch: Vec<Input>) -> Turn {
        let turn = self.director.turn(&batch, self.now);
        for write in &turn.transaction.writes {
            assert_eq!(write.seq, self.seq + 1, "each commit has the next number");
            self.seq = write.seq;
        }
        self.director.apply(&turn);
        self.effects.extend(turn.effects.iter().cloned());
        turn
    }

    /// The agent's answer to what was asked last.
    fn answer(&self) -> Input {
        let asked = self.effects.iter().rev().find_map(|effect| match effect {
            Effect::Ask(ask) => Some(ask.clone()),
            _ => None,
        });
        let asked = asked.unwrap();
        let outcome = match asked.what {
            What::Get(names) => {
                let held = |name: &Oid| self.objects.iter().find(|(own, _)| own == name).cloned();
                Outcome::Values(names.iter().filter_map(held).collect())
            }
            What::Set(writes) => Outcome::Values(writes),
        };
        Input::Answer(Answer { asker: asked.asker, at: self.now, outcome })
    }

    fn set(&mut self, name: &str, value: Value) {
        let oid = self.profile.objects[name].oid.clone();
        self.objects.retain(|(own, _)| *own != oid);
        self.objects.push((oid, value));
    }

    /// Goes on with good answers until tickets are opened for the backup.
    fn until_opening(mut self) -> Self {
        for _ in 0..20 {
            if !self.opened().is_empty() {
                return self;
            }
            let answer = self.answer();
            self.give(vec![answer]);
            self.set("server-address", Value::Octets(b"192.0.2.1".to_vec()));
            self.set("server-port", Value::Unsigned(69));
        }
        panic!("no tickets: {:?}", self.director.run(RUN).unwrap().state);
    }

    /// Goes on until the backup is under way.
    fn until_underway(self) -> Self {
        let mut world = self.until_opening();
        let ready: Vec<_> = world.opened().iter().map(|name| report(name, News::Ready)).collect();
        world.give(ready);
        let answer = world.answer();
        world.give(vec![answer]);
        let id = match &world.director.run(RUN).unwrap().state {
            State::Working { step: Step::BackingUp, operation } => operation.id.clone(),
            other => panic!("{other:?}"),
        };
        world.set("operation-id", Value::Octets(id.into_bytes()));
        world.set("operation-state", Value::Integer(3));
        world
    }

    /// Goes on until the backup is there and believed; what was given last.
    fn until_backed_up(self) -> (Self, Turn) {
        let mut world = self.until_underway();
        for (n, name) in (1..).zip(world.opened()) {
            world.give(vec![report(&name, News::Begun { size: None })]);
            let (size, sha256) = (10 + u64::from(n), Digest([n; 32]));
            world.give(vec![report(&name, News::Done { size, sha256 })]);
        }
        world.set("operation-state", Value::Integer(4));
        let answer = world.answer();
        let turn = world.give(vec![answer]);
        (world, turn)
    }

    fn failures(&self) -> Vec<String> {
        let failed = |effect: &Effect| match effect {
            Effect::Tell(Told { story: Story::StepFailed(failure), .. }) => Some(failure.to_string()),
            _ => None,
        };
        self.effects.iter().filter_map(failed).collect()
    }

    fn opened(&self) -> Vec<TicketName> {
        let open = |effect: &Effect| match effect {
            Effect::File(Order::Open(ticket)) => Some(ticket.name.clone()),
            _ => None,
        };
        self.effects.iter().filter_map(open).collect()
    }

    fn sets(&self) -> usize {
        let is_set =
            |effect: &&Effect| matches!(effect, Effect::Ask(ask) if matches!(ask.what, What::Set(_)));
        self.effects.iter().filter(is_set).count()
    }

    fn tick(&mut self) -> Turn {
        self.now = self.director.next_deadline().unwrap();
        let ticks = u32::try_from(self.now.as_millis() / 10).unwrap();
        self.set("uptime", Value::Ticks(ticks));
        self.give(vec![Input::Clock])
    }
}

fn objects(profile: &Profile) -> Vec<(Oid, Value)> {
    let device = |name: &str, value| (profile.objects[name].oid.clone(), value);
    let buffer = |name: &str, n, value| (profile.objects[name].oid.instance(&[n]), value);
    let text = |text: &str| Value::Octets(text.as_bytes().to_vec());
    vec![
        device("product", Value::Oid("1.3.6.1.4.1.32473.1.3".parse().unwrap())),
        device("unique-id", text("IAD-7")),
        device("uptime", Value::Ticks(100_000)),
        buffer("software-version", 1, text("1.0")),
        buffer("software-role", 1, Value::Integer(1)),
        buffer("software-version", 2, text("0.9")),
        buffer("software-role", 2, Value::Integer(2)),
    ]
}

fn report(name: &TicketName, news: News) -> Input {
    Input::Report(Report::Ticket { name: name.clone(), run: RUN, news })
}

fn heard(receipt: u64, device: Option<DeviceId>, kind: NotificationKind, inform: bool) -> Input {
    Input::Heard(Heard {
        receipt,
        peer: ([192, 0, 2, 7], 5000).into(),
        device,
        notice: Some(Notice { kind, operation: None, progress: Some(50) }),
        version: "v2c",
        inform,
        name: "1.3.6.1.4.1.32473.1.0.2".parse().unwrap(),
        uptime: None,
        varbinds: Vec::new(),
    })
}

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
    let sizes: Vec<u64> = write.backups[0].files.values().map(|file| file.size).collect();
    assert_eq!((write.backups.len(), sizes.iter().sum::<u64>()), (1, 11 + 12 + 13 + 14));
    assert!(world.director.run(RUN).is_none(), "it is let go");
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
    let aborted = world.answer();
    world.give(vec![aborted]);
    world.set("operation-state", Value::Integer(6));
    let looked = world.answer();
    world.give(vec![looked]);
    assert!(
        matches!(world.director.run(RUN).map(|run| &run.state), Some(State::Asking(_))),
        "{:?}",
        world.failures()
    );
    let turn = world.give(vec![Input::Operator { run: RUN, answer: UpgradeAnswer::End }]);
    assert_eq!(turn.heeded, [true]);
    assert!(turn.transaction.writes[0].run.is_over());
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
fn answers_to_what_was_asked_before_are_passed_over() {
    let mut world = World::new();
    let stale = world.answer();
    world.give(vec![world.answer()]);
    let turn = world.give(vec![stale]);
    assert!(turn.effects.is_empty() && turn.transaction.writes.is_empty());
    let probe = Answer { asker: Asker::Probe(1), at: Time::default(), outcome: Outcome::Unanswered };
    let nobodys = Answer {
        asker: Asker::Run { run: RunId(99), asked: 1 },
        at: Time::default(),
        outcome: Outcome::Unanswered,
    };
    let turn = world.give(vec![Input::Answer(probe), Input::Answer(nobodys)]);
    assert!(turn.effects.is_empty());
}

#[test]
fn an_operator_is_told_what_meant_nothing() {
    let mut world = World::new();
    let again = Input::Operator { run: RUN, answer: upgrade::run::Answer::Again };
    let turn = world.give(vec![again, Input::StopOperation(RUN), Input::Cancel(RunId(99))]);
    assert_eq!(turn.heeded, [false, false, false]);
    // The first of two is heeded, whatever becomes of the second.
    assert_eq!(world.give(vec![Input::Cancel(RUN), Input::Cancel(RUN)]).heeded, [true, false]);
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
    let turn = world.give(vec![moved.clone()]);
    let told: Vec<_> = turn.transaction.writes[0].events.iter().map(|(_, event)| event).collect();
    assert_eq!(told, [&Event::Moved { address: access.address.ip(), server }]);
    assert!(world.give(vec![moved]).transaction.writes.is_empty(), "it is there already");
    let answer = world.answer();
    world.give(vec![answer]);
    let asked = world.effects.iter().rev().find_map(|effect| match effect {
        Effect::Ask(ask) => Some(&ask.access),
        _ => None,
    });
    assert_eq!(asked, Some(&access));
    let run = world.director.run(RUN).unwrap();
    assert_eq!((run.device.address, run.server.port), (access.address.ip(), 6969));
}
