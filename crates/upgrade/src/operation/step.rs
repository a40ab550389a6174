//! What follows from each event in each state of an operation.

use core::time::Duration;

use super::evidence::Finding;
use super::sight::Sight;
use super::{Before, Cause, Effect, Event, Notice, Operation, Seen, State, Task, Transfer};
use crate::profile::{Command, Limits, NotificationKind, Order, OrderFile, Profile, Scope, Server};
use crate::reading::Reading;
use crate::{TicketName, Time};

/// What an operation must know of the run it belongs to.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// The kind of device.
    pub profile: &'a Profile,
    /// The file server the device is told.
    pub server: &'a Server,
    /// What the ids of all operations of the run begin with.
    pub run: &'a str,
}

/// The event means nothing in this state: it is late, doubled or forged, and changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the event means nothing in this state")]
pub struct Rejected;

/// How often a SET is sent that never arrived, before the device counts as unreachable.
const MOST_SENDS: u32 = 5;

/// After an abort, a device is looked at this soon again, or as soon as the profile polls, if that is sooner.
const STOPPING_LOOK: Duration = Duration::from_secs(1);

type Step = Result<(Operation, Vec<Effect>), Rejected>;

impl Operation {
    /// What follows from an event.
    ///
    /// # Errors
    ///
    /// [`Rejected`] where the event means nothing in this state.
    pub fn step(&self, event: &Event, around: Surroundings<'_>, now: Time) -> Step {
        let next = self.clone();
        match (&self.state, event) {
            (State::Done { .. } | State::Failed { .. }, _) => Err(Rejected),

            (State::Looking { next: None, .. }, Event::Begin) => Ok((next, vec![Effect::Look(Scope::Whole)])),
            (State::Looking { .. }, Event::Read(reading)) => Ok(next.looked(reading, around, now)),
            (State::Looking { since, .. }, Event::Unread(why)) => Ok(next.unseen(*since, why, around, now)),
            (State::Looking { next: Some(due), .. }, Event::Tick) if now >= *due => {
                Ok(next.look(Scope::Whole, now))
            }
            (State::Looking { next: Some(_), .. }, Event::Notified(_)) => Ok(next.look(Scope::Whole, now)),

            (State::Stopping { since }, Event::Accepted | Event::SetRefused(_) | Event::Unanswered) => {
                let due = now + Limits::span(around.profile.limits.poll_s).min(STOPPING_LOOK);
                Ok(next.wait(*since, None, due))
            }

            (State::Opening { .. }, Event::TicketsReady) => Ok(next.command(around, now)),
            (State::Opening { until }, Event::Tick) if now >= *until => {
                Ok(next.fail(Cause::Manager("the file server took no tickets".into())))
            }

            (State::Commanding, Event::Accepted) => Ok(next.accepted(around, now)),
            (State::Commanding, Event::SetRefused(why)) => Ok(next.refused(why, now)),
            (State::Commanding, Event::Unanswered) => Ok(next.look_again(now)),

            (State::Underway { .. }, Event::Read(reading)) => Ok(next.judge(reading, around, now)),
            (State::Underway { .. }, Event::Unread(_)) => Ok(next.poll_later(around, now)),
            (State::Underway { .. }, Event::Tick) => next.tick_underway(around, now),
            (State::Underway { .. }, Event::Notified(notice)) => Ok(next.notified(notice, now)),

            (_, Event::Transferred { name, seen }) => next.transferred(name, seen, now),
            (State::Underway { .. }, Event::Bytes { name, bytes }) => Ok(next.bytes(name, *bytes, now)),

            (
                State::Opening { .. }
                | State::Commanding
                | State::Underway { .. }
                | State::Looking { .. }
                | State::Stopping { .. },
                Event::Resumed,
            ) => Ok(next.resume(now)),
            (State::Looking { .. } | State::Opening { .. }, Event::Stop) if !self.commanded => {
                Ok(next.fail(Cause::Stopped))
            }
            (State::Underway { .. }, Event::Stop) => Ok(next.stop(around)),
            // The answer to that abort.
            (
                State::Underway { stopping: true, .. },
                Event::Accepted | Event::SetRefused(_) | Event::Unanswered,
            ) => Ok(next.look(Scope::Whole, now)),

            (
                State::Looking { .. }
                | State::Stopping { .. }
                | State::Opening { .. }
                | State::Commanding
                | State::Underway { .. },
                _,
            ) => Err(Rejected),
        }
    }

    /// When [`Event::Tick`] is due, if ever.
    pub fn next_deadline(&self, profile: &Profile) -> Option<Time> {
        match &self.state {
            State::Looking { next, .. } => *next,
            State::Opening { until } => Some(*until),
            State::Underway { next, moved, done_at, .. } => {
                let stalled = self.stall(profile).map(|stall| *moved + stall);
                let evidence = done_at.map(|at| at + Limits::span(profile.limits.evidence_s));
                [*next, self.deadline, stalled, evidence].into_iter().flatten().min()
            }
            State::Stopping { .. } | State::Commanding | State::Done { .. } | State::Failed { .. } => None,
        }
    }

    /// Tickets that are no longer of use once it has ended.
    pub fn open_tickets(&self) -> Vec<TicketName> {
        let open = self.transfers.iter().filter(|transfer| !matches!(transfer.seen, Seen::Whole { .. }));
        open.map(|transfer| transfer.name.clone()).collect()
    }

    // Looking

    fn look(mut self, scope: Scope, now: Time) -> (Self, Vec<Effect>) {
        match &mut self.state {
            State::Looking { next, .. } => *next = None,
            State::Underway { next, again, stopping, .. } => {
                (*next, *again, *stopping) = (None, false, false)
            }
            _ => self.state = State::Looking { since: now, next: None, refused: None },
        }
        (self, vec![Effect::Look(scope)])
    }

    fn look_again(mut self, now: Time) -> (Self, Vec<Effect>) {
        self.state = State::Looking { since: now, next: None, refused: None };
        (self, vec![Effect::Look(Scope::Whole)])
    }

    fn looked(mut self, reading: &Reading, around: Surroundings<'_>, now: Time) -> (Self, Vec<Effect>) {
        let State::Looking { since, refused, .. } = self.state.clone() else { return (self, Vec::new()) };
        let limits = &around.profile.limits;
        match self.sight(reading, around.run) {
            Sight::Ours => {
                let fresh = now + self.time_limit(around.profile);
                self.deadline = Some(self.deadline.map_or(fresh, |deadline| deadline.max(fresh)));
                let open = self.open_tickets();
                let reopen = self.resumed && !open.is_empty();
                let (next, mut effects) = self.underway(now).judge(reading, around, now);
                if reopen && matches!(next.state, State::Underway { .. }) {
                    effects.push(Effect::Open(open));
                }
                (next, effects)
            }
            Sight::AlreadyDone => self.done(reading.clone()),
            // The device restarted since the SET and is not as wanted: whether the SET arrived or not, it failed.
            Sight::Ready if self.commanded && self.has_restarted(reading) => {
                self.underway(now).judge(reading, around, now)
            }
            Sight::Ready if self.moved_away(reading) => self.fail(Cause::RevisionMoved),
            Sight::Ready if self.answered => {
                self.fail(Cause::NotSo("it does not show what it was told".into()))
            }
            Sight::Ready => match refused {
                Some(why) => self.fail(Cause::Refused(why)),
                None => self.open(reading, around, now),
            },
            Sight::Leftover(id) => self.stop_leftover(&id, since, around, now),
            Sight::Busy(id) if now >= since + Limits::span(limits.busy_s) => self.fail(Cause::Busy(id)),
            Sight::Busy(_) => self.wait(since, refused, now + Limits::span(limits.poll_s)),
            Sight::Impossible(_) if self.moved_away(reading) => self.fail(Cause::RevisionMoved),
            Sight::Impossible(cause) => self.fail(cause),
        }
    }

    fn unseen(self, since: Time, why: &str, around: Surroundings<'_>, now: Time) -> (Self, Vec<Effect>) {
        let limits = &around.profile.limits;
        // A device that was told to restart may be silent for as long as that takes.
        let restarting = self.commanded && self.task.restarts();
        let reach = Limits::span(limits.reach_s);
        let limit = if restarting { reach.max(self.time_limit(around.profile)) } else { reach };
        if now >= since + limit {
            let cause = Cause::Unreachable((now - since).as_secs(), why.to_owned());
            return self.fail(cause);
        }
        self.wait(since, None, now + Limits::span(limits.poll_s))
    }

    fn wait(mut self, since: Time, refused: Option<String>, until: Time) -> (Self, Vec<Effect>) {
        self.state = State::Looking { since, next: Some(until), refused };
        (self, Vec::new())
    }

    fn stop_leftover(
        mut self,
        id: &str,
        since: Time,
        around: Surroundings<'_>,
        now: Time,
    ) -> (Self, Vec<Effect>) {
        let limits = &around.profile.limits;
        if now >= since + Limits::span(limits.busy_s) {
            return self.fail(Cause::Busy(id.to_owned()));
        }
        match around.profile.writes(Command::Abort, &order(id, around.server)) {
            Ok(writes) => {
                self.state = State::Stopping { since };
                (self, vec![Effect::Set(Command::Abort, writes)])
            }
            // A device that knows no abort is waited for.
            Err(_) => self.wait(since, None, now + Limits::span(limits.poll_s)),
        }
    }

    /// Whether the settings are no longer those that the task was made for.
    fn moved_away(&self, reading: &Reading) -> bool {
        match (&self.task, reading.revision) {
            (Task::Activate { revision, .. }, Some(now)) => *revision != 0 && *revision != now,
            _ => false,
        }
    }

    fn has_restarted(&self, reading: &Reading) -> bool {
        self.before.as_ref().is_some_and(|before| reading.restarted_since(before.pulse))
    }

    // Commanding

    fn open(mut self, reading: &Reading, around: Surroundings<'_>, now: Time) -> (Self, Vec<Effect>) {
        if self.sent >= MOST_SENDS {
            return self.fail(Cause::Unreachable(0, format!("{MOST_SENDS} commands went unanswered")));
        }
        self.before = Some(Before { pulse: reading.pulse(), revision: reading.revision });
        let names = self.open_tickets();
        if names.is_empty() {
            return self.command(around, now);
        }
        self.state = State::Opening { until: now + Limits::span(around.profile.limits.evidence_s) };
        (self, vec![Effect::Open(names)])
    }

    fn command(mut self, around: Surroundings<'_>, now: Time) -> (Self, Vec<Effect>) {
        let command = self.task.command();
        let mut order = order(&self.id, around.server);
        order.files = self.transfers.iter().map(OrderFile::of).collect();
        match &self.task {
            Task::Activate { version, trial_s, revision, .. } => {
                order.version = version;
                order.trial_s = *trial_s;
                order.revision = *revision;
            }
            Task::Download { image } => order.version = &image.manifest.version,
            Task::RollBack { version } | Task::Confirm { version } => order.version = version,
            // What was there at the look is what is written over.
            Task::Restore { .. } => {
                order.revision = self.before.as_ref().and_then(|before| before.revision).unwrap_or(0);
            }
            _ => {}
        }
        match around.profile.writes(command, &order) {
            Ok(writes) => {
                self.state = State::Commanding;
                self.commanded = true;
                self.sent += 1;
                self.deadline = Some(now + self.time_limit(around.profile));
                (self, vec![Effect::Set(command, writes)])
            }
            Err(why) => self.fail(Cause::Impossible(why.to_string())),
        }
    }

    fn accepted(mut self, around: Surroundings<'_>, now: Time) -> (Self, Vec<Effect>) {
        if self.task.is_immediate() {
            self.answered = true;
            return self.look_again(now);
        }
        self.underway(now).poll_later(around, now)
    }

    fn refused(mut self, why: &str, now: Time) -> (Self, Vec<Effect>) {
        self.state = State::Looking { since: now, next: None, refused: Some(why.to_owned()) };
        (self, vec![Effect::Look(Scope::Whole)])
    }

    // Under way

    fn underway(mut self, now: Time) -> Self {
        self.state = State::Underway {
            progress: 0,
            moved: now,
            next: None,
            again: false,
            stopping: false,
            done_at: None,
        };
        self
    }

    fn poll_later(mut self, around: Surroundings<'_>, now: Time) -> (Self, Vec<Effect>) {
        if let State::Underway { next, .. } = &mut self.state {
            *next = Some(now + Limits::span(around.profile.limits.poll_s));
        }
        (self, Vec::new())
    }

    fn judge(mut self, reading: &Reading, around: Surroundings<'_>, now: Time) -> (Self, Vec<Effect>) {
        let finding = self.finding(reading);
        let State::Underway { progress, moved, next, again, done_at, .. } = &mut self.state else {
            return (self, Vec::new());
        };
        *next = Some(now + Limits::span(around.profile.limits.poll_s));
        match finding {
            Finding::Proven => self.done(reading.clone()),
            Finding::Disproven(cause) => self.fail(cause),
            Finding::NeedsWholeLook => self.look(Scope::Whole, now),
            Finding::AwaitingFileServer | Finding::Working if *again => self.look(Scope::Whole, now),
            Finding::AwaitingFileServer => {
                done_at.get_or_insert(now);
                (self, Vec::new())
            }
            Finding::Working => {
                let told = reading.operation.as_ref().map_or(*progress, |operation| operation.progress);
                if told == *progress {
                    return (self, Vec::new());
                }
                (*progress, *moved) = (told, now);
                (self, vec![Effect::Progress(told)])
            }
        }
    }

    fn notified(mut self, notice: &Notice, now: Time) -> (Self, Vec<Effect>) {
        let other = notice.operation.as_ref().is_some_and(|operation| *operation != self.id);
        let State::Underway { progress, moved, next, again, .. } = &mut self.state else {
            return (self, Vec::new());
        };
        let mut effects = Vec::new();
        if let (NotificationKind::Progress, Some(told), false) = (notice.kind, notice.progress, other)
            && told > *progress
        {
            (*progress, *moved) = (told.min(100), now);
            effects.push(Effect::Progress(*progress));
        }
        let hastens = matches!(
            notice.kind,
            NotificationKind::Done | NotificationKind::Failed | NotificationKind::Restarted
        );
        if hastens && next.is_some() {
            let (next, looks) = self.look(Scope::Whole, now);
            return (next, [effects, looks].concat());
        }
        // One look at a time; an answer on its way may be older than the notification, so another look follows.
        *again |= hastens;
        (self, effects)
    }

    fn bytes(mut self, name: &TicketName, bytes: u64, now: Time) -> (Self, Vec<Effect>) {
        let known = self.transfers.iter().any(|transfer| transfer.name == *name);
        if let State::Underway { moved, .. } = &mut self.state
            && known
            && bytes > 0
        {
            *moved = now;
        }
        (self, Vec::new())
    }

    fn transferred(mut self, name: &TicketName, seen: &Seen, now: Time) -> Step {
        let transfer = self.transfers.iter_mut().find(|transfer| transfer.name == *name).ok_or(Rejected)?;
        if matches!(transfer.seen, Seen::Whole { .. }) {
            return Err(Rejected);
        }
        transfer.seen = seen.clone();
        let whole = |transfer: &Transfer| matches!(transfer.seen, Seen::Whole { .. });
        let all = self.transfers.iter().all(whole);
        if let State::Underway { moved, next, again, .. } = &mut self.state {
            *moved = now;
            // Only now can the device's word be true.
            if all && next.is_some() {
                return Ok(self.look(Scope::Whole, now));
            }
            *again |= all;
        }
        Ok((self, Vec::new()))
    }

    fn tick_underway(self, around: Surroundings<'_>, now: Time) -> Step {
        let State::Underway { next, moved, done_at, .. } = self.state else { return Err(Rejected) };
        let over = |limit: Option<Time>| limit.is_some_and(|limit| now >= limit);
        let stall = self.stall(around.profile);
        if over(self.deadline) {
            let began = self.before.as_ref().map_or(moved, |before| before.pulse.at);
            Ok(self.fail(Cause::TimeLimit((now - began).as_secs())))
        } else if over(done_at.map(|at| at + Limits::span(around.profile.limits.evidence_s))) {
            let missing = self.missing();
            Ok(self.fail(Cause::NotTransferred(missing)))
        } else if over(stall.map(|stall| moved + stall)) {
            Ok(self.fail(Cause::Stalled((now - moved).as_secs())))
        } else if over(next) {
            Ok(self.look(Scope::Progress, now))
        } else {
            Err(Rejected)
        }
    }

    fn missing(&self) -> String {
        let open = self.transfers.iter().filter(|transfer| !matches!(transfer.seen, Seen::Whole { .. }));
        let named = |transfer: &Transfer| {
            let what = transfer.kind.as_ref().map_or_else(|| "the file".to_owned(), ToString::to_string);
            match &transfer.seen {
                Seen::Broken { why } => format!("{what} ({why})"),
                _ => what,
            }
        };
        open.map(named).collect::<Vec<_>>().join(", ")
    }

    fn resume(mut self, now: Time) -> (Self, Vec<Effect>) {
        self.resumed |= self.commanded;
        // A deadline that passed while the manager was down is no evidence.
        self.deadline = None;
        self.look_again(now)
    }

    fn stop(mut self, around: Surroundings<'_>) -> (Self, Vec<Effect>) {
        match around.profile.writes(Command::Abort, &order(&self.id, around.server)) {
            Ok(writes) => {
                if let State::Underway { next, stopping, .. } = &mut self.state {
                    (*next, *stopping) = (None, true);
                }
                (self, vec![Effect::Set(Command::Abort, writes)])
            }
            Err(_) => self.fail(Cause::Stopped),
        }
    }

    // Ends

    fn done(mut self, reading: Reading) -> (Self, Vec<Effect>) {
        self.state = State::Done { reading: Box::new(reading) };
        self.ended()
    }

    fn fail(mut self, cause: Cause) -> (Self, Vec<Effect>) {
        self.state = State::Failed { cause };
        self.ended()
    }

    fn ended(self) -> (Self, Vec<Effect>) {
        let open = self.open_tickets();
        let effects = if open.is_empty() { Vec::new() } else { vec![Effect::Withdraw(open)] };
        (self, effects)
    }

    fn time_limit(&self, profile: &Profile) -> Duration {
        profile.command(self.task.command()).map_or(Duration::ZERO, |command| command.deadline)
    }

    fn stall(&self, profile: &Profile) -> Option<Duration> {
        profile.command(self.task.command()).map(|command| command.stall)
    }
}

fn order<'a>(operation: &'a str, server: &'a Server) -> Order<'a> {
    Order { operation, server, files: Vec::new(), revision: 0, version: "", trial_s: 0 }
}

impl OrderFile {
    fn of(transfer: &Transfer) -> Self {
        Self {
            name: transfer.name.clone(),
            kind: transfer.kind.clone(),
            size: transfer.file.map(|file| file.size),
            digest: transfer.file.map(|file| file.digest),
        }
    }
}
