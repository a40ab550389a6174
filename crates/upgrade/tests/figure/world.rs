//! One run, one device, and what is between them, on virtual time. After each event it checks what must hold always.

mod beginning;
mod checks;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use upgrade::image::Image;
use upgrade::operation::{Notice, Seen};
use upgrade::profile::{Command, NotificationKind, Scope};
use upgrade::run::{
    Answer, AnswerKind, BackedUp, Effect, Ending, Event, Goal, Outcome, Question, State, Step, Story,
};
use upgrade::{
    ConfigurationSet, Kind, Oid, Profile, Protocol, Run, StoredFile, Ticket, TicketName, Time, Value,
};

pub(crate) use self::beginning::{choices, image, profile, stored, with_converter};
use crate::device::{Device, Fault, PUSH_PORT, converted};

/// What may be answered where an upgrade failed.
pub(crate) const ALL: [AnswerKind; 4] =
    [AnswerKind::Again, AnswerKind::OtherImage, AnswerKind::Edited, AnswerKind::End];

/// From a request to its answer.
const ANSWER: Duration = Duration::from_millis(10);

/// From a look to giving it up: four times a second, and more each time.
const LOOK_GIVEN_UP: Duration = Duration::from_secs(4);

const SET_GIVEN_UP: Duration = Duration::from_secs(1);

/// What is late arrives after this.
const LATE: Duration = Duration::from_secs(8);

const CONVERTING: Duration = Duration::from_secs(3);

/// More events than any story takes.
const MOST_EVENTS: u32 = 5_000;

#[derive(Debug, Clone)]
enum Request {
    Look(Scope),
    LookUnanswered,
    Set(Command, Vec<(Oid, Value)>, Option<Fault>),
    SetUnanswered,
    TicketsReady,
    Push(TicketName),
}

#[derive(Debug)]
struct Pending {
    at: Time,
    asked: u32,
    request: Request,
}

pub(crate) struct World {
    pub run: Run,
    pub profile: Profile,
    pub device: Device,
    pub now: Time,
    pub stories: Vec<Story>,
    /// Commands sent, in order.
    pub sets: Vec<Command>,
    pub kept: Vec<ConfigurationSet>,
    /// The versions of the software of which that is, in the same order; empty where nobody can tell.
    pub(crate) kept_of: Vec<String>,
    pub tickets: BTreeMap<TicketName, Ticket>,
    /// What the manager's converter says; by default it converts.
    pub converter: Option<Result<(), String>>,
    /// Whether the device's notifications arrive.
    pub notified: bool,
    /// The manager is killed right after a command of this kind was sent.
    pub dies_after: Option<Command>,
    /// How often the file server was told to write an image to the device, and how long it takes until that is begun.
    pub pushes: u32,
    pub push_takes: Duration,
    converting: Option<(Time, ConfigurationSet)>,
    pending: VecDeque<Pending>,
    /// The version and the configuration that belong on the device before the goal is reached.
    pub before: (String, BTreeMap<Kind, StoredFile>),
    /// Whether the device must be as before when somebody is asked; not where others work on it.
    pub before_counts: bool,
    trace: VecDeque<String>,
}

impl World {
    /// What goes wrong with the next commands of a kind, one after the other.
    pub(crate) fn fault(mut self, command: Command, faults: impl IntoIterator<Item = Fault>) -> Self {
        self.device.faults.entry(command).or_default().extend(faults);
        self
    }

    pub(crate) fn begin(mut self) -> Self {
        assert!(self.give(&Event::Begin));
        self
    }

    /// Begins and goes on until it asks or ends.
    pub(crate) fn play(self) -> Self {
        self.begin().on()
    }

    /// Goes on until it asks or ends.
    pub(crate) fn on(mut self) -> Self {
        self.until(|world| matches!(world.run.state, State::Asking(_) | State::Ended(_)));
        self
    }

    /// Goes on until the part of the figure is reached, and its operation is under way.
    pub(crate) fn until_underway(mut self, step: Step) -> Self {
        self.until(|world| {
            matches!(&world.run.state, State::Working { step: own, operation }
                if *own == step && matches!(operation.state, upgrade::operation::State::Underway { .. }))
        });
        self
    }

    pub(crate) fn until_step(mut self, step: Step) -> Self {
        self.until(|world| world.run.current_step() == Some(step));
        self
    }

    pub(crate) fn until(&mut self, reached: impl Fn(&Self) -> bool) {
        for _ in 0..MOST_EVENTS {
            if reached(self) {
                return;
            }
            assert!(self.next(), "nothing will ever happen again: {}", self.told());
        }
        panic!("it goes on for ever: {}", self.told());
    }

    pub(crate) fn answer(mut self, answer: Answer) -> Self {
        assert!(self.give(&Event::Answered(answer)), "{}", self.told());
        self.on()
    }

    /// A person changes settings at the device: they are the ones of before from now on.
    pub(crate) fn edit(&mut self) {
        self.device.edit();
        self.before.1 = self.device.running().files.clone();
    }

    pub(crate) fn cancel(mut self) -> Self {
        assert!(self.give(&Event::Cancelled), "{}", self.told());
        self.on()
    }

    /// The manager is killed and started again. What was on its way is lost, and transfers broke.
    pub(crate) fn kill_manager(&mut self) {
        let stored = serde_json::to_string(&self.run).unwrap();
        self.run = serde_json::from_str(&stored).unwrap();
        self.pending.clear();
        self.converting = None;
        self.tickets.clear();
        if !self.run.is_over() {
            assert!(self.give(&Event::Resumed), "{}", self.told());
        }
    }

    /// The manager can store nothing for a time. Device and file server go on, and what they tell waits until then.
    pub(crate) fn hinder_manager(&mut self, span: Duration) {
        let until = self.now + span;
        let mut told = Vec::new();
        while let Some(due) = self.device.due().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            told.extend(self.device.act(&self.tickets, self.now));
        }
        self.now = until;
        self.give(&Event::Hindered);
        for (name, seen) in told {
            self.tickets.remove(&name);
            self.give(&Event::Transferred { name, seen });
        }
    }

    pub(crate) fn question(&self) -> &Question {
        match &self.run.state {
            State::Asking(question) => question,
            _ => panic!("it does not ask: {}", self.told()),
        }
    }

    pub(crate) fn ending(&self) -> &Ending {
        match &self.run.state {
            State::Ended(ending) => ending,
            _ => panic!("it has not ended: {}", self.told()),
        }
    }

    pub(crate) fn outcome(&self) -> Outcome {
        self.ending().outcome
    }

    /// The image of the goal.
    pub(crate) fn image(&mut self) -> &mut Image {
        match &mut self.run.goal {
            Goal::Upgrade { image } => std::sync::Arc::make_mut(image),
            other => panic!("{other:?} has no image"),
        }
    }

    /// The formats differ, and nobody converts.
    pub(crate) fn unconvertible(&mut self) {
        self.image().manifest.format = Some(2);
        self.profile.conversion.clear();
    }

    /// Images are written to the device.
    pub(crate) fn pushed(mut self) -> Self {
        self.run.server.protocol = Protocol::Push;
        self.device.capabilities.insert(upgrade::reading::Capability::Push);
        self
    }

    pub(crate) fn no_ftp(&mut self) {
        self.run.server.protocol = Protocol::Ftp;
        self.device.capabilities.remove(&upgrade::reading::Capability::Ftp);
    }

    /// The file server's word that it knows the tickets is lost.
    pub(crate) fn forget_tickets_ready(&mut self) {
        self.pending.retain(|pending| !matches!(pending.request, Request::TicketsReady));
    }

    /// What is on its way to the run is held back.
    pub(crate) fn forget_answers(&mut self) {
        self.pending.clear();
    }

    /// Time goes by for the device alone: the manager is down.
    pub(crate) fn leave_device_alone(&mut self, span: Duration) {
        let until = self.now + span;
        while let Some(due) = self.device.due().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            let _ = self.device.act(&BTreeMap::new(), self.now);
        }
        self.now = until;
    }

    /// What failed, in the order it was told, as text.
    pub(crate) fn failures(&self) -> Vec<String> {
        let failure = |story: &Story| match story {
            Story::StepFailed(failure) => Some(failure.to_string()),
            _ => None,
        };
        self.stories.iter().filter_map(failure).collect()
    }

    /// How often it is told that this part of the figure began.
    pub(crate) fn begun(&self, step: Step) -> usize {
        let is_step = |story: &&Story| matches!(story, Story::StepBegun { step: own, .. } if *own == step);
        self.stories.iter().filter(is_step).count()
    }

    pub(crate) fn count(&self, command: Command) -> usize {
        self.sets.iter().filter(|own| **own == command).count()
    }

    /// The last events, for a person to see what went on.
    pub(crate) fn told(&self) -> String {
        let trace: Vec<_> = self.trace.iter().cloned().collect();
        format!("{}\nstate: {:?}\ndevice: {:?}", trace.join("\n"), self.run.state, self.device.work)
    }

    /// The next thing that happens, whatever it is; none where nothing will.
    pub(crate) fn next(&mut self) -> bool {
        let first = self.pending.iter().map(|pending| pending.at).min();
        let conversion = self.converting.as_ref().map(|(at, _)| *at);
        let tick = self.run.next_deadline(&self.profile);
        let Some(at) = [first, conversion, tick, self.device.due()].into_iter().flatten().min() else {
            return false;
        };
        self.now = self.now.max(at);
        let now = self.now;
        if self.device.due().is_some_and(|due| due <= now) {
            self.let_device_act();
        } else if let Some(position) = self.pending.iter().position(|pending| pending.at <= now) {
            let pending = self.pending.remove(position).unwrap();
            self.deliver(pending);
        } else if conversion.is_some_and(|at| at <= now) {
            let (_, set) = self.converting.take().unwrap();
            let result = self
                .converter
                .clone()
                .unwrap()
                .map(|()| set.files.iter().map(|(kind, file)| (kind.clone(), converted(file))).collect());
            self.give(&Event::Converted(result));
        } else {
            let due = self.run.due(&self.profile, now);
            assert!(self.give(&due), "a tick that was asked for means nothing: {}", self.told());
            let next = self.run.next_deadline(&self.profile);
            assert!(next.is_none_or(|next| next > now), "the clock stands still: {}", self.told());
        }
        true
    }

    fn let_device_act(&mut self) {
        let boots = self.device.boots;
        let id = self.device.work.as_ref().map(|work| work.id.clone());
        for (name, seen) in self.device.act(&self.tickets, self.now) {
            self.tickets.remove(&name);
            self.give(&Event::Transferred { name: name.clone(), seen: Seen::Begun });
            self.give(&Event::Transferred { name, seen });
        }
        if self.notified && !self.device.is_silent(self.now) {
            let kind = match &self.device.work {
                _ if self.device.boots != boots => NotificationKind::Restarted,
                Some(work) if work.error.is_some() => NotificationKind::Failed,
                _ => NotificationKind::Done,
            };
            self.give(&Event::Notified(Notice { kind, operation: id, progress: None }));
        }
    }

    fn deliver(&mut self, pending: Pending) {
        let Pending { asked, request, .. } = pending;
        let event = match request {
            Request::Look(_) if self.device.is_silent(self.now) => {
                return self.expect(LOOK_GIVEN_UP, asked, Request::LookUnanswered);
            }
            Request::Look(scope) => {
                Event::Read { asked, reading: self.device.reading(scope, self.now).into() }
            }
            Request::LookUnanswered => Event::Unread { asked, why: "no answer".into() },
            Request::Set(..) if self.device.is_silent(self.now) => {
                return self.expect(SET_GIVEN_UP, asked, Request::SetUnanswered);
            }
            Request::Set(_, _, Some(Fault::SetLost)) => {
                return self.expect(SET_GIVEN_UP, asked, Request::SetUnanswered);
            }
            Request::Set(command, writes, Some(Fault::SetLate)) => {
                self.expect(LATE, 0, Request::Set(command, writes, None));
                return self.expect(SET_GIVEN_UP, asked, Request::SetUnanswered);
            }
            Request::Set(command, writes, fault) => {
                if fault == Some(Fault::Doubled) {
                    self.expect(LATE, 0, Request::Set(command, writes.clone(), None));
                }
                let lost = fault == Some(Fault::AnswerLost);
                let result = self.device.set(command, &writes, &self.profile, fault, self.now);
                match result {
                    _ if lost => return self.expect(SET_GIVEN_UP, asked, Request::SetUnanswered),
                    Ok(()) => Event::Accepted { asked },
                    Err(why) => Event::Refused { asked, why },
                }
            }
            Request::SetUnanswered => Event::Unanswered { asked },
            Request::TicketsReady => Event::TicketsReady,
            Request::Push(name) if self.device.take_what_is_pushed(self.now) => {
                Event::Transferred { name, seen: Seen::Begun }
            }
            Request::Push(_) => return,
        };
        self.give(&event);
    }

    fn expect(&mut self, after: Duration, asked: u32, request: Request) {
        self.pending.push_back(Pending { at: self.now + after, asked, request });
    }

    /// Gives the run an event and performs what follows; whether it meant anything.
    pub(crate) fn give(&mut self, event: &Event) -> bool {
        let Ok((next, effects)) = self.run.step(event, &self.profile, self.now) else { return false };
        self.run = next;
        let brief: String = format!("{event:?}").chars().take(200).collect();
        self.trace.push_back(format!("{} {brief}", self.now));
        if self.trace.len() > 40 {
            self.trace.pop_front();
        }
        let mut killed = false;
        for effect in effects {
            match effect {
                Effect::Look { asked, scope } => self.expect(ANSWER, asked, Request::Look(scope)),
                Effect::Set { asked, command, writes } => {
                    self.sets.push(command);
                    let fault = self.device.take_fault(command);
                    self.expect(ANSWER, asked, Request::Set(command, writes, fault));
                    killed |= self.dies_after == Some(command);
                }
                Effect::Open(tickets) => {
                    self.tickets.extend(tickets.into_iter().map(|ticket| (ticket.name.clone(), ticket)));
                    self.expect(Duration::from_millis(1), 0, Request::TicketsReady);
                }
                Effect::Withdraw(names) => names.iter().for_each(|name| drop(self.tickets.remove(name))),
                Effect::Push { name, port } => {
                    assert_eq!(port, PUSH_PORT);
                    self.pushes += 1;
                    // What is not known is not written.
                    if self.tickets.get(&name).is_some_and(|ticket| ticket.protocol == Protocol::Push) {
                        self.expect(self.push_takes, 0, Request::Push(name));
                    }
                }
                Effect::Convert { set, .. } => self.converting = Some((self.now + CONVERTING, set)),
                Effect::Keep(BackedUp { version, set }) => {
                    self.kept.push(set);
                    self.kept_of.push(version.unwrap_or_default());
                }
                Effect::Known(_) => {}
                Effect::Tell(story) => self.stories.push(story),
            }
        }
        if killed {
            self.dies_after = None;
            // The SET is on its way already.
            while let Some(pending) = self.pending.pop_front() {
                if let Request::Set(command, writes, fault) = pending.request
                    && fault != Some(Fault::SetLost)
                {
                    let _ = self.device.set(command, &writes, &self.profile, fault, self.now);
                }
            }
            self.kill_manager();
        }
        self.check();
        true
    }
}

/// The configuration of before as a converter makes it.
pub(crate) fn all_converted(files: &BTreeMap<Kind, StoredFile>) -> BTreeMap<Kind, StoredFile> {
    files.iter().map(|(kind, file)| (kind.clone(), converted(file))).collect()
}
