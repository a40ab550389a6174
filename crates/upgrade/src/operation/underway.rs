//! An operation under way: notifications, the file server's word and polls, until evidence or a limit ends it.

use super::commanding::order;
use super::evidence::Finding;
use super::looking::wrong_software;
use super::step::{Rejected, Step, Surroundings};
use super::{Cause, Effect, Event, Notice, Operation, Seen, State, Stop, Task, Transfer};
use crate::profile::{Command, Limits, NotificationKind, Profile, Scope, Server};
use crate::reading::Reading;
use crate::{Protocol, TicketName, Time};

impl Operation {
    pub(super) fn underway(mut self, now: Time) -> Self {
        self.state = State::Underway {
            progress: 0,
            moved: now,
            next: None,
            again: false,
            whole: false,
            stopping: false,
            done_at: None,
            claimed: false,
        };
        self
    }

    /// One look at a time: this is the one whose answer is awaited from now on.
    pub(super) fn ask(mut self, scope: Scope) -> (Self, Vec<Effect>) {
        if let State::Underway { next, again, whole, stopping, .. } = &mut self.state {
            (*next, *again, *stopping) = (None, false, false);
            *whole = scope == Scope::Whole;
        }
        (self, vec![Effect::Look(scope)])
    }

    pub(super) fn poll_later(mut self, around: Surroundings<'_>, now: Time) -> (Self, Vec<Effect>) {
        if let State::Underway { next, .. } = &mut self.state {
            *next = Some(now + Limits::span(around.profile.limits.poll_s));
        }
        (self, Vec::new())
    }

    pub(super) fn judge(
        mut self,
        reading: &Reading,
        around: Surroundings<'_>,
        now: Time,
    ) -> (Self, Vec<Effect>) {
        let finding = match self.finding(reading) {
            // After a restart it may have begun on other software. Of one version in both buffers, the other one may hold the very
            // settings that were to be restored.
            Finding::Proven
                if matches!(self.task, Task::Backup { .. } | Task::Convert { .. } | Task::Restore { .. }) =>
            {
                wrong_software(reading, around).map_or(Finding::Proven, Finding::Contradicted)
            }
            finding => finding,
        };
        let pushed = self.pushed(reading, around.server);
        let State::Underway { progress, moved, next, again, whole, done_at, claimed, .. } = &mut self.state
        else {
            return (self, Vec::new());
        };
        *next = Some(now + Limits::span(around.profile.limits.poll_s));
        let was_whole = std::mem::take(whole);
        let mut effects = Vec::new();
        match finding {
            // What else is found in that buffer is nobody's work, and is remembered: none of it may be from before it was written. And
            // what it runs is looked at once it has ended: it may have been there before, and was led away.
            Finding::Proven
                if !*claimed && matches!(self.task, Task::Download { .. } | Task::RollBack { .. }) =>
            {
                (*claimed, *whole, *again) = (true, true, true);
            }
            Finding::Proven => return self.done(reading.clone()),
            Finding::Disproven(cause) => return self.fail(cause),
            Finding::Contradicted(cause) if *claimed => return self.fail(cause),
            // A look takes several messages, answered one after the other: some may be older than the device's last word.
            Finding::Contradicted(_) => (*claimed, *whole, *again) = (true, true, true),
            // An agent that was started before the rest of its device has no more to tell yet: that takes time.
            Finding::NeedsWholeLook => {
                (*claimed, *whole) = (true, true);
                *again |= !was_whole;
            }
            Finding::AwaitingFileServer => {
                *claimed = true;
                done_at.get_or_insert(now);
            }
            Finding::Working => {
                let told = reading.operation.as_ref().map_or(*progress, |operation| operation.progress);
                // An answer on its way may be older than what was notified since.
                if told > *progress {
                    (*progress, *moved) = (told, now);
                    effects.push(Effect::Progress(told));
                }
                effects.extend(pushed);
            }
        }
        if self.stop == Some(Stop::Wanted) {
            let (next, aborts) = self.abort(around);
            return (next, [effects, aborts].concat());
        }
        if !*again {
            return (self, effects);
        }
        let (next, looks) = self.ask(Scope::Whole);
        (next, [effects, looks].concat())
    }

    pub(super) fn notified(
        mut self,
        notice: &Notice,
        around: Surroundings<'_>,
        now: Time,
    ) -> (Self, Vec<Effect>) {
        let hastens = notice.hastens(self.waits_to_push(around.server));
        let other = notice.operation.as_ref().is_some_and(|operation| *operation != self.id);
        let State::Underway { progress, moved, next, again, .. } = &mut self.state else {
            return (self, Vec::new());
        };
        let mut effects = Vec::new();
        let told = notice.progress.map(|told| told.min(100));
        if let (NotificationKind::Progress, Some(told), false) = (notice.kind, told, other)
            && told > *progress
        {
            (*progress, *moved) = (told, now);
            effects.push(Effect::Progress(told));
        }
        if let Some(scope) = hastens
            && next.is_some()
        {
            let (next, looks) = self.ask(scope);
            return (next, [effects, looks].concat());
        }
        // One look at a time; an answer on its way may be older than the notification, so another look follows.
        *again |= hastens.is_some();
        (self, effects)
    }

    pub(super) fn bytes(mut self, name: &TicketName, bytes: u64, now: Time) -> (Self, Vec<Effect>) {
        let known = self.transfers.iter().any(|transfer| transfer.name == *name);
        if let State::Underway { moved, .. } = &mut self.state
            && known
            && bytes > 0
        {
            *moved = now;
        }
        (self, Vec::new())
    }

    pub(super) fn transferred(
        mut self,
        name: &TicketName,
        seen: &Seen,
        around: Surroundings<'_>,
        now: Time,
    ) -> Step {
        let transfer = self.transfers.iter_mut().find(|transfer| transfer.name == *name).ok_or(Rejected)?;
        if matches!(transfer.seen, Seen::Whole { .. }) {
            return Err(Rejected);
        }
        transfer.seen = seen.clone();
        let all = self.transfers.iter().all(is_whole);
        let waits = matches!(seen, Seen::Whole { .. }) && self.waits_to_push(around.server);
        if let State::Underway { moved, next, again, done_at, .. } = &mut self.state {
            *moved = now;
            if all {
                // Nothing is waited for any more but the look.
                *done_at = None;
            }
            // Only now can the device's word be true.
            if (all || waits) && next.is_some() {
                return Ok(self.ask(if all { Scope::Whole } else { Scope::Progress }));
            }
            *again |= all || waits;
        }
        Ok((self, Vec::new()))
    }

    /// Whether the device waits for a file, or will, that is to be written to it, and that nothing brings it yet.
    pub(super) fn waits_to_push(&self, server: &Server) -> bool {
        let next = self.transfers.iter().find(|transfer| !is_whole(transfer));
        self.pushes(server) && next.is_some_and(|transfer| transfer.seen != Seen::Begun)
    }

    fn pushes(&self, server: &Server) -> bool {
        server.protocol_of(self.task.command()) == Protocol::Push
    }

    /// The file that the device waits for is written to it. It shows that it waits as long as nobody does, so this may be said more than
    /// once: what the file server is at it does not begin again.
    fn pushed(&self, reading: &Reading, server: &Server) -> Option<Effect> {
        let shown = reading.operation.as_ref().filter(|shown| shown.id == self.id && self.pushes(server))?;
        let next = match shown.file {
            Some(place) => self.transfers.get(place),
            None => self.transfers.iter().find(|transfer| !is_whole(transfer)),
        };
        Some(Effect::Push(next?.name.clone(), shown.port?))
    }

    /// Whether it has got no further for as long as its command may.
    pub fn is_stalled(&self, profile: &Profile, now: Time) -> bool {
        let State::Underway { moved, .. } = self.state else { return false };
        self.stall(profile).is_some_and(|limit| now >= moved + limit)
    }

    pub(super) fn tick_underway(self, around: Surroundings<'_>, now: Time) -> Step {
        let State::Underway { next, moved, whole, done_at, .. } = self.state else { return Err(Rejected) };
        let over = |limit: Option<Time>| limit.is_some_and(|limit| now >= limit);
        if over(self.deadline) {
            let began = self.sent_at.unwrap_or(moved);
            Ok(self.fail(Cause::TimeLimit((now - began).as_secs())))
        } else if over(done_at.map(|at| at + Limits::span(around.profile.limits.evidence_s))) {
            let missing = self.missing();
            Ok(self.fail(Cause::NotTransferred(missing)))
        } else if over(next) {
            Ok(self.ask(if whole { Scope::Whole } else { Scope::Progress }))
        } else {
            Err(Rejected)
        }
    }

    fn missing(&self) -> String {
        let open = self.transfers.iter().filter(|transfer| !is_whole(transfer));
        let named = |transfer: &Transfer| {
            let what = transfer.kind.as_ref().map_or_else(|| "the file".to_owned(), ToString::to_string);
            match &transfer.seen {
                Seen::Broken { why } => format!("{what} ({why})"),
                _ => what,
            }
        };
        open.map(named).collect::<Vec<_>>().join(", ")
    }

    /// It is to be stopped, once the device is seen: at its address may be another one by now.
    pub(super) fn stop(mut self) -> (Self, Vec<Effect>) {
        self.stop.get_or_insert(Stop::Wanted);
        match self.state {
            State::Underway { next: Some(_), .. } => self.ask(Scope::Whole),
            _ => (self, Vec::new()),
        }
    }

    /// The abort was answered, or not. What did not answer, or refused it, is told once more as long as it is at it.
    pub(super) fn aborted(
        mut self,
        event: &Event,
        around: Surroundings<'_>,
        now: Time,
    ) -> (Self, Vec<Effect>) {
        if matches!(event, Event::SetRefused(_)) {
            if let State::Underway { stopping, .. } = &mut self.state {
                *stopping = false;
            }
            return self.poll_later(around, now);
        }
        if matches!(event, Event::Accepted) {
            self.stop = Some(Stop::Told);
        }
        self.ask(Scope::Whole)
    }

    fn abort(mut self, around: Surroundings<'_>) -> (Self, Vec<Effect>) {
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
}

const fn is_whole(transfer: &Transfer) -> bool {
    matches!(transfer.seen, Seen::Whole { .. })
}
