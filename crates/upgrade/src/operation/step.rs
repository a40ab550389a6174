//! What follows from each event in each state of an operation.

use core::time::Duration;

use super::{Cause, Effect, Event, Operation, Seen, State};
use crate::profile::{Limits, Profile, Scope, Server};
use crate::reading::{Reading, Software};
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
    /// The software that must run, where the task is for that alone.
    pub software: Option<Software<'a>>,
    /// Whether that must be confirmed: what others try there goes back by itself, to what would be loaded over.
    pub confirmed: bool,
}

/// The event means nothing in this state: it is late, doubled or forged, and changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the event means nothing in this state")]
pub struct Rejected;

pub(super) type Step = Result<(Operation, Vec<Effect>), Rejected>;

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
            (State::Looking { .. }, Event::Unread(why)) => Ok(next.unseen(why, around, now)),
            (State::Looking { next: Some(due), .. }, Event::Tick) if now >= *due => Ok(next.look_now()),
            (State::Looking { next: Some(_), .. }, Event::Notified(_)) => Ok(next.look_now()),

            (State::Stopping { since }, Event::Accepted | Event::SetRefused(_) | Event::Unanswered) => {
                Ok(next.stopped_leftover(*since, around, now))
            }

            (State::Opening { .. }, Event::TicketsReady) => Ok(next.command(around, now)),
            (State::Opening { until }, Event::Tick)
                if now >= *until && self.latest_copy(around.profile, now).is_some() =>
            {
                Ok(next.look_again())
            }
            (State::Opening { until }, Event::Tick) if now >= *until => {
                Ok(next.fail(Cause::Manager("the file server took no tickets".into())))
            }

            (State::Commanding, Event::Accepted) => Ok(next.accepted(around, now)),
            (State::Commanding, Event::SetRefused(why)) => Ok(next.refused(why)),
            (State::Commanding, Event::Unanswered) => Ok(next.look_again()),
            (State::Commanding, Event::Notified(notice))
                if notice.hastens(self.waits_to_push(around.server)).is_some() && !self.heard =>
            {
                Ok((Self { heard: true, ..next }, Vec::new()))
            }

            (State::Underway { .. }, Event::Read(reading)) => Ok(next.judge(reading, around, now)),
            (State::Underway { .. }, Event::Unread(_)) => Ok(next.poll_later(around, now)),
            (State::Underway { .. }, Event::Tick) => next.tick_underway(around, now),
            (State::Underway { .. }, Event::Stalled) => {
                let limit = self.stall(around.profile).ok_or(Rejected)?;
                Ok(next.fail(Cause::Stalled(limit.as_secs())))
            }
            (State::Underway { .. }, Event::Notified(notice)) => Ok(next.notified(notice, around, now)),

            (_, Event::Transferred { name, seen }) => next.transferred(name, seen, around, now),
            (State::Underway { .. }, Event::Bytes { name, bytes }) => Ok(next.bytes(name, *bytes, now)),

            (
                State::Opening { .. }
                | State::Commanding
                | State::Underway { .. }
                | State::Looking { .. }
                | State::Stopping { .. },
                Event::Resumed,
            ) => Ok(next.resume()),
            (State::Looking { .. } | State::Opening { .. }, Event::Stop) if !self.commanded => {
                Ok(next.fail(Cause::Stopped))
            }
            (State::Underway { .. }, Event::Stop) => Ok(next.stop()),
            (
                State::Underway { stopping: true, .. },
                Event::Accepted | Event::SetRefused(_) | Event::Unanswered,
            ) => Ok(next.aborted(event, around, now)),

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

    /// When [`Event::Tick`] or [`Event::Stalled`] is due, if ever.
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

    pub(super) fn done(mut self, reading: Reading) -> (Self, Vec<Effect>) {
        self.state = State::Done { reading: Box::new(reading) };
        self.ended()
    }

    pub(super) fn fail(mut self, cause: Cause) -> (Self, Vec<Effect>) {
        self.state = State::Failed { cause };
        self.ended()
    }

    fn ended(self) -> (Self, Vec<Effect>) {
        // Before its first SET is prepared, nobody knows its tickets.
        let open = if self.before.is_some() { self.open_tickets() } else { Vec::new() };
        let effects = if open.is_empty() { Vec::new() } else { vec![Effect::Withdraw(open)] };
        (self, effects)
    }

    pub(super) fn time_limit(&self, profile: &Profile) -> Duration {
        profile.command(self.task.command()).map_or(Duration::ZERO, |command| command.deadline)
    }

    pub(super) fn stall(&self, profile: &Profile) -> Option<Duration> {
        profile.command(self.task.command()).map(|command| command.stall)
    }
}
