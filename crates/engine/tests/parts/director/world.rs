//! A director whose proposals are committed and performed at once, and the agent of one device.

use std::sync::Arc;

use engine::commander::{Answer, Ask, Asker, Outcome, What};
use engine::director::{Effect, Entry, Input, Told, Turn};
use engine::file_server::{News, Order, Report};
use engine::listener::Heard;
use engine::{Access, Director};
use upgrade::operation::Notice;
use upgrade::profile::NotificationKind;
use upgrade::run::{Goal, State, Step, Story};
use upgrade::{DeviceId, Digest, Oid, Profile, RunId, TicketName, Time, Value};

use crate::{profile, run};

pub(super) const RUN: RunId = RunId(7);
pub(super) const DEVICE: DeviceId = DeviceId(107);

pub(super) struct World {
    pub(super) director: Director,
    pub(super) profile: Arc<Profile>,
    pub(super) now: Time,
    /// What is performed, in order.
    pub(super) effects: Vec<Effect>,
    /// The objects of an agent.
    pub(super) objects: Vec<(Oid, Value)>,
    pub(super) seq: u64,
}

impl World {
    pub(super) fn new() -> Self {
        Self::of(run(7, Goal::Backup))
    }

    pub(super) fn of(run: upgrade::Run) -> Self {
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

    pub(super) fn entry(&self, run: upgrade::Run, seq: u64) -> Entry {
        let access = Access {
            address: ([192, 0, 2, 7], 161).into(),
            version: engine::access::Version::V2c,
            read_community: "readers".into(),
            write_community: "writers".into(),
            credential: None,
            engine: None,
            answer_ms: 1000,
            repeats: 3,
        };
        Entry::stored(run, seq, 0, Arc::clone(&self.profile), access)
    }

    /// Commits, applies and performs.
    pub(super) fn give(&mut self, batch: Vec<Input>) -> Turn {
        let turn = self.director.turn(&batch, self.now);
        for write in &turn.transaction.writes {
            assert_eq!(write.seq, self.seq + 1, "each commit has the next number");
            self.seq = write.seq;
        }
        for effect in &turn.effects {
            if let Some(run) = lasting(effect) {
                let is_written = turn.transaction.writes.iter().any(|write| write.run.id == run);
                assert!(is_written, "not committed before it is performed: {effect:?}");
            }
        }
        self.director.apply(&turn);
        self.effects.extend(turn.effects.iter().cloned());
        turn
    }

    /// The agent's answer to what was asked last.
    pub(super) fn answer(&self) -> Input {
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
            What::Set(_) => Outcome::Values(Vec::new()),
        };
        Input::Answer(Answer { asker: asked.asker, at: self.now, outcome, proof: None })
    }

    pub(super) fn set(&mut self, name: &str, value: Value) {
        let oid = self.profile.objects[name].oid.clone();
        self.objects.retain(|(own, _)| *own != oid);
        self.objects.push((oid, value));
    }

    /// Goes on with good answers until tickets are opened for the backup.
    pub(super) fn until_opening(mut self) -> Self {
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
    pub(super) fn until_underway(self) -> Self {
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
    pub(super) fn until_backed_up(self) -> (Self, Turn) {
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

    pub(super) fn failures(&self) -> Vec<String> {
        let failed = |effect: &Effect| match effect {
            Effect::Tell(Told { story: Story::StepFailed(failure), .. }) => Some(failure.to_string()),
            _ => None,
        };
        self.effects.iter().filter_map(failed).collect()
    }

    pub(super) fn opened(&self) -> Vec<TicketName> {
        let open = |effect: &Effect| match effect {
            Effect::File(Order::Open(ticket)) => Some(ticket.name.clone()),
            _ => None,
        };
        self.effects.iter().filter_map(open).collect()
    }

    pub(super) fn sets(&self) -> usize {
        let is_set =
            |effect: &&Effect| matches!(effect, Effect::Ask(ask) if matches!(ask.what, What::Set(_)));
        self.effects.iter().filter(is_set).count()
    }

    pub(super) fn tick(&mut self) -> Turn {
        self.now = self.director.next_deadline().unwrap();
        let ticks = u32::try_from(self.now.as_millis() / 10).unwrap();
        self.set("uptime", Value::Ticks(ticks));
        self.give(vec![Input::Clock])
    }
}

/// The run of an effect that may only be performed once it is committed.
fn lasting(effect: &Effect) -> Option<RunId> {
    match effect {
        Effect::Ask(Ask { asker: Asker::Run { run, .. }, what: What::Set(_), .. }) => Some(*run),
        Effect::File(Order::Open(ticket)) => Some(ticket.run),
        Effect::Convert(convert) => Some(convert.run),
        Effect::Tell(told) if !matches!(told.story, Story::Progress { .. }) => Some(told.run),
        _ => None,
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

pub(super) fn report(name: &TicketName, news: News) -> Input {
    Input::Report(Report::Ticket { name: name.clone(), run: RUN, news })
}

pub(super) fn heard(receipt: u64, device: Option<DeviceId>, kind: NotificationKind, inform: bool) -> Input {
    Input::Heard(Heard {
        receipt,
        peer: ([192, 0, 2, 7], 5000).into(),
        device,
        notice: Some(Notice { kind, operation: None, progress: Some(50) }),
        version: "v2c",
        engine: None,
        inform,
        name: "1.3.6.1.4.1.32473.1.0.2".parse().unwrap(),
        uptime: None,
        varbinds: Vec::new(),
    })
}
