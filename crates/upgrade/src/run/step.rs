//! What follows from each event in each state of a run. The order of the figure's parts is in `figure`.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::{Ahead, Effect, Event, LeftWith, Old, Question, Run, State, Step, Story};
use crate::operation::{self, Operation, Surroundings, Task};
use crate::profile::{Command, Profile, Scope};
use crate::reading::{Reading, Role, Software};
use crate::{TicketName, Time};

/// The event means nothing in this state: it is late, doubled or forged, and changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the event means nothing to the run as it stands")]
pub struct Rejected;

/// More operations than this no run has gone through since a copy of it was made.
const MOST_AHEAD: u32 = 1000;

/// One event being worked out: the run as it becomes, and what is to be done.
pub(super) struct Turn<'a> {
    pub(super) run: Run,
    pub(super) effects: Vec<Effect>,
    pub(super) profile: &'a Profile,
    pub(super) now: Time,
}

impl Run {
    /// What follows from an event. `profile` is the one the run began with.
    ///
    /// # Errors
    ///
    /// [`Rejected`] where the event means nothing in this state.
    pub fn step(&self, event: &Event, profile: &Profile, now: Time) -> Result<(Self, Vec<Effect>), Rejected> {
        let mut turn = Turn { run: self.clone(), effects: Vec::new(), profile, now };
        turn.take(event)?;
        Ok((turn.run, turn.effects))
    }

    /// What comes by itself at a moment that [`Self::next_deadline`] named.
    pub fn due(&self, profile: &Profile, now: Time) -> Event {
        match &self.state {
            State::Working { operation, .. } if operation.is_stalled(profile, now) => Event::Stalled,
            _ => Event::Tick,
        }
    }

    /// When [`Self::due`] is to be asked, if ever.
    pub fn next_deadline(&self, profile: &Profile) -> Option<Time> {
        match &self.state {
            State::Preflight(waiting) | State::Verifying(waiting) => waiting.next,
            State::Working { operation, .. } => operation.next_deadline(profile),
            State::Holding { until } | State::Pausing { until } => Some(*until),
            State::Draining { waiting, .. } | State::Soaking { waiting, .. } => waiting.next,
            State::Asking(question) => question.limit,
            State::Judging | State::Ended(_) => None,
        }
    }
}

impl Turn<'_> {
    fn take(&mut self, event: &Event) -> Result<(), Rejected> {
        if self.run.is_over() {
            return Err(Rejected);
        }
        if let Event::Read { asked, .. }
        | Event::Unread { asked, .. }
        | Event::Accepted { asked }
        | Event::Refused { asked, .. }
        | Event::Unanswered { asked } = event
            && *asked != self.run.asked
        {
            return Err(Rejected);
        }
        if let Event::Read { asked, reading } = event {
            // The first look of all refuses another unit in its own words. Later it is as good as no answer: nothing is sent
            // to it.
            match self.another_unit(reading) {
                None => {
                    if self.note(reading) && self.has_arrived_since(reading) {
                        return self.arrived_since();
                    }
                }
                Some(_) if self.run.old.is_none() => {}
                Some(why) => return self.take(&Event::Unread { asked: *asked, why }),
            }
        }
        if let Event::Read { asked, reading } = event
            && !reading.is_whole()
            && self.needs_the_whole()
        {
            // An agent that was started before the rest of its device has no more to tell yet.
            let why = "it does not tell its software yet".to_owned();
            return self.take(&Event::Unread { asked: *asked, why });
        }
        if matches!(event, Event::Resumed) {
            self.tell(Story::Resumed);
        }
        match (self.run.state.clone(), event) {
            (state, Event::Cancelled) => self.cancel(&state),
            (_, Event::Moved { address, elsewhere, server }) => self.moved(*address, *elsewhere, *server),

            (State::Preflight(_), Event::Begin) => {
                self.tell(Story::Begun);
                self.preflight()
            }
            (State::Preflight(_), Event::Read { reading, .. }) => self.preflight_read(reading),
            (State::Preflight(waiting), Event::Unread { why, .. }) => self.preflight_unread(waiting, why),
            (State::Preflight(waiting), Event::Tick) => self.look_when_due(waiting),
            (State::Preflight(_), Event::Resumed) => self.preflight(),
            (State::Preflight(_), Event::Hindered) => {
                self.look_now(None);
                Ok(())
            }

            (State::Working { step, operation }, event) => self.work(step, &operation, event),

            (State::Judging, Event::Converted(result)) => self.converted(result),
            (State::Judging, Event::Resumed) => self.judge(),

            (State::Holding { until }, Event::Tick) if self.now >= until => self.close_calls(),
            (State::Holding { .. }, Event::Resumed) => Ok(()),

            (State::Draining { limit, waiting, .. }, Event::Read { reading, .. }) => {
                self.drained(limit, waiting, reading)
            }
            (State::Draining { waiting, .. }, Event::Unread { why, .. }) => {
                self.unheard(Step::Draining, waiting, why)
            }
            (State::Draining { waiting, .. }, Event::Tick) => self.look_when_due(waiting),
            (
                State::Draining { .. } | State::Soaking { .. } | State::Verifying(_),
                Event::Resumed | Event::Hindered,
            ) => {
                // That it was not heard while nobody listened is no silence of the device's.
                self.look_now(None);
                Ok(())
            }

            (State::Soaking { pulse, until, .. }, Event::Read { reading, .. }) => {
                self.soaked(pulse, until, reading)
            }
            (State::Soaking { waiting, .. }, Event::Unread { why, .. }) => {
                self.unheard(Step::Soaking, waiting, why)
            }
            (State::Soaking { waiting, .. }, Event::Tick) => self.look_when_due(waiting),

            (State::Verifying(_), Event::Read { reading, .. }) => self.verified(reading),
            (State::Verifying(waiting), Event::Unread { why, .. }) => {
                self.unheard(Step::Stopping, waiting, why)
            }
            (State::Verifying(waiting), Event::Tick) => self.look_when_due(waiting),

            (State::Pausing { until }, Event::Tick) if self.now >= until => self.repeat(),
            (State::Pausing { .. }, Event::Resumed) => Ok(()),

            (State::Asking(question), Event::Answered(answer)) => self.answered(&question, answer),
            (State::Asking(question), Event::Tick)
                if question.limit.is_some_and(|limit| self.now >= limit) =>
            {
                self.unanswered(&question)
            }
            (State::Asking(question), Event::Resumed | Event::Hindered) => {
                // Nobody could answer meanwhile.
                let limit = self.question_limit();
                self.run.state = State::Asking(Question { limit, ..question });
                Ok(())
            }

            (
                State::Preflight(_)
                | State::Judging
                | State::Holding { .. }
                | State::Draining { .. }
                | State::Soaking { .. }
                | State::Pausing { .. }
                | State::Verifying(_)
                | State::Asking(_)
                | State::Ended(_),
                _,
            ) => Err(Rejected),
        }
    }

    /// Whether what is decided next depends on the software that the device runs.
    fn needs_the_whole(&self) -> bool {
        match &self.run.state {
            // At first it is refused, in its own words.
            State::Preflight(_) => self.run.old.is_some(),
            State::Draining { .. } | State::Soaking { .. } | State::Verifying(_) => true,
            State::Working { operation, .. } => matches!(operation.state, operation::State::Looking { .. }),
            _ => false,
        }
    }

    /// Begins an operation of the figure.
    pub(super) fn begin(&mut self, step: Step, task: Task) -> Result<(), Rejected> {
        let mut text = describe(&task);
        let (id, names) = self.next_id(task.files().len());
        let mut operation = Operation::new(task, id, names);
        if step == Step::OpeningCalls
            && let Some(until) = self.late_closing()
        {
            operation.watched = Some(until);
            let span = (until - self.now).as_secs_f64();
            text = format!("watched for {span:.0} s: the command that stopped them may arrive once more");
        }
        self.tell(Story::StepBegun { step, text });
        self.advance(step, &operation, &operation::Event::Begin)
    }

    /// The id of an operation that begins, and the names of so many tickets.
    fn next_id(&mut self, files: usize) -> (String, Vec<TicketName>) {
        self.run.operations += 1;
        let id = format!("{}{}", self.run.prefix(), self.run.operations);
        (id, self.run.ticket_names(files))
    }

    fn work(&mut self, step: Step, operation: &Operation, event: &Event) -> Result<(), Rejected> {
        use crate::operation::Event as Told;
        let told = match event {
            Event::Read { reading, .. } => Told::Read(reading.clone()),
            Event::Unread { why, .. } => Told::Unread(why.clone()),
            Event::Accepted { .. } => Told::Accepted,
            Event::Refused { why, .. } => Told::SetRefused(why.clone()),
            Event::Unanswered { .. } => Told::Unanswered,
            Event::TicketsReady => Told::TicketsReady,
            Event::Notified(notice) => Told::Notified(notice.clone()),
            Event::Transferred { name, seen } => Told::Transferred { name: name.clone(), seen: seen.clone() },
            Event::Bytes { name, bytes } => Told::Bytes { name: name.clone(), bytes: *bytes },
            Event::Tick => Told::Tick,
            Event::Stalled => Told::Stalled,
            Event::Resumed | Event::Hindered => Told::Resumed,
            // Nothing is gained by a device that takes no calls, nor by one that nobody knows to have stopped.
            Event::StopOperation if matches!(step, Step::OpeningCalls | Step::Stopping) => {
                return Err(Rejected);
            }
            Event::StopOperation => Told::Stop,
            Event::Begin
            | Event::Moved { .. }
            | Event::Converted(_)
            | Event::Answered(_)
            | Event::Cancelled => return Err(Rejected),
        };
        self.advance(step, operation, &told)?;
        match self.run.state.clone() {
            // The cancel waited for the answer to a SET.
            State::Working { step, operation: same } if self.run.is_closing() && same.id == operation.id => {
                self.cancel_operation(step, &same)
            }
            _ => Ok(()),
        }
    }

    fn advance(
        &mut self,
        step: Step,
        operation: &Operation,
        event: &operation::Event,
    ) -> Result<(), Rejected> {
        let prefix = self.run.prefix();
        let around = Surroundings {
            profile: self.profile,
            server: &self.run.server,
            run: &prefix,
            software: self.software_for(step),
            confirmed: self.is_before_activation(step),
        };
        let (next, effects) = operation.step(event, around, self.now).map_err(|_| Rejected)?;
        let next = Arc::new(next);
        self.run.state = State::Working { step, operation: Arc::clone(&next) };
        for effect in effects {
            self.perform(step, &next, effect);
        }
        match &next.state {
            operation::State::Done { reading } => self.done(step, &next, reading),
            operation::State::Failed { cause } => self.failed(step, &next, cause.clone()),
            _ => Ok(()),
        }
    }

    /// The software whose configuration a part of the figure reads or writes: on any other it must not.
    pub(super) fn software_for(&self, step: Step) -> Option<Software<'_>> {
        let old = self.run.old.as_ref().map(Old::software);
        match step {
            Step::Converting | Step::Restoring => self.run.target().or(old),
            Step::BackingUp if self.run.on_trial.is_some() => self.run.target(),
            // What is loaded goes where nothing runs: on any other software that is where the old one is kept.
            Step::BackingUp | Step::Downloading | Step::RestoringOriginal => old,
            _ => None,
        }
    }

    /// Whether nothing is on trial because of this run while it reads what runs, or loads what is to run next.
    const fn is_before_activation(&self, step: Step) -> bool {
        let forward = self.run.activated.is_none() && self.run.on_trial.is_none() && !self.run.returning;
        forward && matches!(step, Step::BackingUp | Step::Downloading)
    }

    fn perform(&mut self, step: Step, operation: &Operation, effect: operation::Effect) {
        match effect {
            operation::Effect::Look(scope) => self.look(scope),
            operation::Effect::Set(command, writes) => {
                self.run.asked += 1;
                if command == Command::CloseCalls {
                    self.run.told_to_close = Some(self.now);
                }
                self.effects.push(Effect::Set { asked: self.run.asked, command, writes });
            }
            operation::Effect::Open(names) => {
                let tickets = self.run.tickets(operation, &names, self.profile, self.now);
                self.effects.push(Effect::Open(tickets));
            }
            operation::Effect::Withdraw(names) => self.effects.push(Effect::Withdraw(names)),
            operation::Effect::Push(name, port) => self.effects.push(Effect::Push { name, port }),
            operation::Effect::Progress(percent) => self.tell(Story::Progress { step, percent }),
        }
    }

    pub(super) fn look(&mut self, scope: Scope) {
        self.run.asked += 1;
        self.effects.push(Effect::Look { asked: self.run.asked, scope });
    }

    pub(super) fn tell(&mut self, story: Story) {
        self.effects.push(Effect::Tell(story));
    }

    /// Tickets that are open stay as they are: what is under way fails if the device really moved. What was heard until
    /// now was said elsewhere, perhaps by another unit: it is looked at before anything is sent.
    fn moved(&mut self, address: IpAddr, elsewhere: bool, server: SocketAddr) -> Result<(), Rejected> {
        let before = (self.run.device.address, self.run.server.address, self.run.server.port);
        if before == (address, server.ip(), server.port()) && !elsewhere {
            return Err(Rejected);
        }
        self.run.device.address = address;
        self.run.server.address = server.ip();
        self.run.server.port = server.port();
        match self.run.state.clone() {
            // The server is told anew.
            State::Working { step: step @ Step::ConfiguringServer, mut operation } => {
                let (address, port) = (server.ip().to_string(), server.port());
                let told = Arc::make_mut(&mut operation);
                (told.task, told.answered) = (Task::ConfigureServer { address, port }, false);
                self.work(step, &operation, &Event::Resumed)
            }
            State::Working { step, operation } => self.work(step, &operation, &Event::Resumed),
            State::Preflight(_) | State::Draining { .. } | State::Soaking { .. } | State::Verifying(_) => {
                self.look_now(None);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Whether the run was further than it knows.
    fn note(&mut self, reading: &Reading) -> bool {
        if !reading.is_whole() {
            return false;
        }
        self.run.calls_closed |= self.run.told_to_close.is_some() && reading.calls_admitted == Some(false);
        self.note_aside(reading);
        let running = reading.running();
        let version = running.map(|buffer| buffer.version.clone());
        let buffer = running.map(|buffer| buffer.index);
        let on_trial = running.is_some_and(|running| running.role == Some(Role::Trial));
        let (configuration, other) = (reading.running_configuration(), reading.told_aside());
        let other_version = reading.standby().map(|standby| standby.version.clone());
        self.run.last = LeftWith { version, buffer, on_trial, configuration, other_version, other };
        self.note_operation(reading)
    }

    /// Ids that the device knows of this run, and that were never commanded as far as this knows, are not given again. Whether
    /// there are such.
    fn note_operation(&mut self, reading: &Reading) -> bool {
        let prefix = self.run.prefix();
        let shown = reading.operation.as_ref().and_then(|shown| shown.id.strip_prefix(&prefix));
        let begun = match &self.run.state {
            State::Working { step, operation } if !operation.commanded => {
                Some((*step, Arc::clone(operation)))
            }
            _ => None,
        };
        let commanded = self.run.operations - u32::from(begun.is_some());
        let ahead = commanded.saturating_add(1)..=commanded.saturating_add(MOST_AHEAD);
        let Some(number) =
            shown.and_then(|number| number.parse().ok()).filter(|number| ahead.contains(number))
        else {
            return false;
        };
        let arrived = self.has_arrived(reading, number - commanded);
        self.run.ahead = Some(Ahead { operation: number, arrived });
        self.run.operations = number;
        if let Some((step, mut operation)) = begun {
            self.withdraw(&operation);
            let (id, names) = self.next_id(operation.transfers.len());
            Arc::make_mut(&mut operation).rename(id, names);
            self.run.state = State::Working { step, operation };
        }
        true
    }
}

fn describe(task: &Task) -> String {
    let kinds = |kinds: &mut dyn Iterator<Item = &crate::Kind>| {
        kinds.map(ToString::to_string).collect::<Vec<_>>().join(", ")
    };
    match task {
        Task::ConfigureServer { address, port } => format!("{address} port {port}"),
        Task::Backup { kinds: names, .. } | Task::Convert { kinds: names } => kinds(&mut names.iter()),
        Task::Download { image } => {
            format!("{} (version {}, {} bytes)", image.name, image.manifest.version, image.size())
        }
        Task::Activate { version, restart: true, .. } => format!("version {version}, by a reset"),
        Task::Activate { version, restart: false, .. } => format!("version {version}, without a reset"),
        Task::RollBack { version, .. } => format!("to version {version}"),
        Task::Restore { set, .. } => kinds(&mut set.files.keys()),
        Task::Confirm { version } => format!("version {version}"),
        Task::Reset | Task::Stop | Task::CloseCalls | Task::OpenCalls => String::new(),
    }
}
