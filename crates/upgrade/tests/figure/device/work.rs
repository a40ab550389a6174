//! What happens in the device by itself: operations end, files move, power fails, a trial is over.

use std::collections::BTreeMap;

use upgrade::operation::Seen;
use upgrade::profile::Command;
use upgrade::reading::{BufferState, Capability, OperationState};
use upgrade::ticket::Content;
use upgrade::{Digest, StoredFile, Ticket, TicketName, Time};

use super::{BOOT, Device, Fault, Work, converted, file};

impl Device {
    /// When something happens in it by itself.
    pub(crate) fn due(&self) -> Option<Time> {
        let work = self.work.as_ref().and_then(|work| work.due);
        [work, self.trial].into_iter().flatten().min()
    }

    /// What happens in it by itself until now: files that moved.
    pub(crate) fn act(
        &mut self,
        tickets: &BTreeMap<TicketName, Ticket>,
        now: Time,
    ) -> Vec<(TicketName, Seen)> {
        if self.trial.is_some_and(|until| now >= until) {
            self.lose_power(now);
        }
        if self.work.as_ref().is_none_or(|work| work.due.is_none_or(|due| now < due)) {
            return Vec::new();
        }
        let Some(mut work) = self.work.take() else { return Vec::new() };
        work.due = None;
        let outcome = self.finish(&mut work, tickets, now);
        let moved = match outcome {
            Ok(moved) => {
                work.state = OperationState::Done;
                moved
            }
            Err(why) => {
                (work.state, work.error) = (OperationState::Failed, Some(why.to_owned()));
                Vec::new()
            }
        };
        self.work = Some(work);
        moved
    }

    fn finish(
        &mut self,
        work: &mut Work,
        tickets: &BTreeMap<TicketName, Ticket>,
        now: Time,
    ) -> Result<Vec<(TicketName, Seen)>, &'static str> {
        match &work.fault {
            Some(Fault::Fail(why)) => return Err(why),
            Some(Fault::PowerLoss) => {
                self.lose_power(now);
                return Err("interrupted by a restart");
            }
            Some(Fault::Dies) => {
                self.silent_until = Time::from_millis(u64::MAX);
                return Err("dead");
            }
            Some(Fault::Edit) => self.edit(),
            Some(Fault::NothingCame) => return Ok(Vec::new()),
            _ => {}
        }
        if work.files.iter().any(|name| !tickets.contains_key(name)) {
            return Err("the file server has no such file");
        }
        let sent = |files: Vec<StoredFile>| {
            let pairs = work.files.iter().cloned().zip(files);
            Ok(pairs.map(|(name, file)| (name, Seen::Whole { file })).collect())
        };
        let pretends = work.fault == Some(Fault::Pretend);
        match work.command {
            Command::Backup => {
                let mut files: Vec<_> =
                    work.kinds.iter().map(|kind| self.slots[self.running].files[kind]).collect();
                if self.salts {
                    files.iter_mut().for_each(|one| *one = file(&format!("{} {}", work.id, one.digest)));
                }
                match work.fault {
                    Some(Fault::Truncate) => files[0].size -= 1,
                    Some(Fault::Alter) => files[0].digest = Digest([0; 32]),
                    _ => {}
                }
                sent(files)
            }
            Command::Convert => {
                let other = &self.slots[1 - self.running];
                let mut files: Vec<_> = work.kinds.iter().map(|kind| converted(&other.files[kind])).collect();
                work.digests = files.iter().map(|file| file.digest).collect();
                if work.fault == Some(Fault::Alter) {
                    files[0].digest = Digest([0; 32]);
                }
                let pairs = work.files.iter().cloned().zip(files);
                Ok(pairs.map(|(name, file)| (name, Seen::Whole { file })).collect())
            }
            Command::Download | Command::Restore => {
                let read = |name: &TicketName| match &tickets[name].content {
                    Content::Stored { digest } => StoredFile { digest: *digest, size: tickets[name].size },
                    Content::Arriving => panic!("the device reads what was to be written"),
                };
                let files: Vec<_> = work.files.iter().map(read).collect();
                if work.command == Command::Restore && !pretends {
                    let running = &mut self.slots[self.running].files;
                    running.extend(work.kinds.iter().cloned().zip(files.iter().copied()));
                    self.revision += 1;
                }
                if work.command == Command::Download && !pretends {
                    let (version, format, digest) = self.image.clone();
                    let standby = &mut self.slots[1 - self.running];
                    (standby.version, standby.format, standby.digest) = (version, format, Some(digest));
                    standby.state = BufferState::Valid;
                    for (kind, held) in &mut standby.files {
                        *held = file(&format!("as delivered {kind} {format}"));
                    }
                }
                sent(files)
            }
            Command::Reset | Command::Activate | Command::RollBack => self.change(work, now),
            Command::Confirm => {
                if !pretends {
                    self.trial = None;
                }
                Ok(Vec::new())
            }
            _ => Ok(Vec::new()),
        }
    }

    /// Another software runs.
    fn change(&mut self, work: &Work, now: Time) -> Result<Vec<(TicketName, Seen)>, &'static str> {
        let needs_reset = self.capabilities.contains(&Capability::NeedsReset);
        if work.fault == Some(Fault::Pretend) {
            return Ok(Vec::new());
        }
        let same = work.version.is_empty() || work.version == self.running().version;
        let goes_to =
            if work.command == Command::RollBack || !same { 1 - self.running } else { self.running };
        if self.slots[goes_to].state != BufferState::Valid {
            return Err("the standby buffer holds no valid image");
        }
        let before = self.running;
        let trial = work.command != Command::RollBack && !work.trial.is_zero() && goes_to != before;
        self.running = goes_to;
        self.trial = trial.then_some(now + work.trial);
        self.revision += 1;
        if needs_reset {
            self.boot(now);
        }
        match work.fault {
            Some(Fault::FallBack) => {
                (self.running, self.trial) = (before, None);
                self.boot(now);
                Err("fell back to the old software")
            }
            Some(Fault::Boots(version)) => {
                self.slots[self.running].version = version.into();
                Ok(Vec::new())
            }
            _ => Ok(Vec::new()),
        }
    }

    /// Power fails: what was under way is over, and so is a trial.
    pub(crate) fn lose_power(&mut self, now: Time) {
        if let Some(work) = self.work.as_mut().filter(|work| !work.state.is_over()) {
            (work.state, work.due) = (OperationState::Failed, None);
            work.error = Some("interrupted by a restart".into());
        }
        for slot in &mut self.slots {
            if slot.state == BufferState::Writing {
                slot.state = BufferState::Invalid;
            }
        }
        if self.trial.take().is_some() {
            self.running = 1 - self.running;
        }
        self.boot(now);
    }

    fn boot(&mut self, now: Time) {
        self.boots += 1;
        self.booted = now;
        self.admitted |= !self.keeps_admission;
        self.calls = 0;
        self.silent_until = self.silent_until.max(now + BOOT);
    }
}
