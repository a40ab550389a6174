//! What becomes of settings that persons change at devices, and of those that a device leaves behind by itself.

use std::collections::{BTreeMap, BTreeSet};

use engine::director::{Told, Write};
use iad_sim::device::{Command, ConfigurationKind, Document, Durable};
use upgrade::operation::{Cause, Task};
use upgrade::run::{Goal, State, Step, Story};
use upgrade::{Digest, Run};

use super::{Checked, Checks, Known, broken, device, digest_of_document, is_at_work};
use crate::rival::RIVAL;
use crate::store::Store;
use crate::unit::Unit;
use crate::world::device_id;

/// What becomes of settings that a person changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// They are what the subscribers are owed from now on.
    Owed,
    /// The same before the device begins what it was commanded, as far as can be seen that it did not.
    BeforeItBegins,
    /// They are written over, and backed up before that.
    Kept,
    /// They stay where the software on trial is confirmed; else they are backed up before it is left.
    OnTrial,
    /// They are today's, on software that the device took while no run was about that.
    Away,
}

/// What a device left by itself.
#[derive(Debug)]
pub(super) struct Away {
    /// The version.
    pub(super) version: String,
    /// The configuration that it had there.
    pub(super) owed: BTreeMap<ConfigurationKind, Document>,
    /// A person has changed what it has had since.
    pub(super) changed: bool,
    /// It went back by itself: nobody can tell any more which of its settings are the later ones.
    pub(super) to_and_fro: bool,
}

impl Checks {
    /// What becomes of settings that a person changes at the device now; none where no person would.
    pub(crate) fn fate_of_an_edit(&self, place: usize, units: &[Unit], store: &Store) -> Option<Fate> {
        let unit = units.get(place)?;
        let durable = unit.device.durable();
        let Some(stored) = store.open_run_of(device_id(place)) else {
            let away = self.devices.get(place).and_then(|known| known.away.as_ref());
            return match store.expected(device_id(place)) {
                None => Some(Fate::Owed),
                Some(left) if device::is_running(durable, &left.version, left.buffer) => Some(Fate::Owed),
                Some(left) => away.filter(|away| away.version == left.version).map(|_| Fate::Away),
            };
        };
        let run = &stored.run;
        // Nobody changes settings while they are written, or while the software changes.
        let reads = matches!(durable.operation.command, Command::Backup | Command::Download);
        let is_busy = is_at_work(durable) && !reads;
        if durable.boot.trial.is_some() {
            return (run.on_trial.is_some() && !is_busy).then_some(Fate::OnTrial);
        }
        // Nor those of software that the device is not meant to run.
        let before = run.old.as_ref().map(|old| (&old.version, old.buffer));
        let left = run.expected.as_ref().map(|left| (&left.version, left.buffer));
        let meant = [before, left].into_iter().flatten();
        let is_elsewhere =
            meant.into_iter().any(|(version, buffer)| !device::is_running(durable, version, buffer));
        if is_elsewhere && !is_busy && is_before_todays_settings_are_restored(run, durable) {
            return Some(Fate::OnTrial);
        }
        if is_elsewhere || is_busy {
            return None;
        }
        // What the device never began leaves nothing to be undone, and finds the settings moved.
        let counted = &unit.device.counters().operations;
        let begun = |id: &str| counted.iter().any(|count| count.id == id && count.started > 0);
        let shown = durable.operation.id.as_str();
        let is_restore = matches!(run.goal, Goal::Restore { .. });
        let mut is_to_begin = run.activated.is_some();
        let (restores, leaves) = match &run.state {
            State::Working { step: Step::Restoring, operation } => {
                is_to_begin |= is_restore;
                (is_repeat(&operation.task) || begun(&operation.id), false)
            }
            State::Working { step: Step::Activating | Step::RollingBack, operation } => {
                (false, !run.returning && !begun(&operation.id))
            }
            _ => (false, false),
        };
        let began = run.untouched.as_deref() != Some(shown);
        let undone = run.returning && began && is_restore;
        let stayed = run.returning && !began && !is_restore;
        match (run.activated.is_some() && !(leaves || stayed)) || undone {
            true => run.returning.then_some(Fate::Kept),
            // The device has ended the restore: what is changed now is written over if that is repeated, or undone.
            false if restores => Some(Fate::Kept),
            false if is_to_begin => Some(Fate::BeforeItBegins),
            // Whether it had left its software decides what becomes of it.
            false if run.returning && !is_restore => None,
            // Where nothing was made to run or written over, today's settings stay whatever comes of the run.
            false => Some(Fate::Owed),
        }
    }

    /// Another manager loads over what is left in the other buffer: whose copy nobody could take is gone.
    pub(crate) fn loaded_over_by_others(&mut self, place: usize) {
        if let Some(known) = self.devices.get_mut(place) {
            known.history.retain(|digest| known.left_behind != Some(*digest));
        }
    }

    /// A person changed settings at the device. From now on these are owed, and what they replace is given up; or, while
    /// the device is brought back to what it was before, they are written over, and must be somewhere.
    pub(crate) fn edited(&mut self, place: usize, units: &[Unit], fate: Fate) {
        let (Some(known), Some(unit)) = (self.devices.get_mut(place), units.get(place)) else { return };
        let now = device::in_force(unit.device.durable());
        let last = std::mem::replace(&mut known.edited, edited_part(&now));
        let held = device::held(unit.device.durable());
        let replaced: Vec<_> = known.held.difference(&held).copied().collect();
        match fate {
            Fate::Owed | Fate::BeforeItBegins => {
                let before = known.owed.clone();
                known.owe(place, now, &mut self.owners);
                let kept: BTreeSet<_> = known.owed.values().map(digest_of_document).collect();
                let given_up = |digest: &Digest| !kept.contains(digest);
                for digest in before.values().map(digest_of_document).chain(replaced).filter(given_up) {
                    known.history.remove(&digest);
                }
                if fate == Fate::BeforeItBegins {
                    known.owed_before.get_or_insert(before);
                }
            }
            Fate::Kept => {
                let before = known.owed.clone();
                known.owe(place, now, &mut self.owners);
                // What the person had changed just before, or while others tried it, is the person's to give up.
                let last = last.filter(|_| known.owed_before.is_some());
                let theirs = [known.edited_meanwhile.or(last), known.edited_on_trial, known.left_behind];
                let given_up = |digest: &Digest| replaced.contains(digest) && theirs.contains(&Some(*digest));
                known.history.retain(|digest| !given_up(digest));
                known.edited_meanwhile = known.edited;
                known.owed = before;
            }
            Fate::Away => {
                known.owed = now;
                if let Some(away) = &mut known.away {
                    away.changed |= held != known.held;
                }
                known.history.retain(|digest| !replaced.contains(digest));
                known.history.extend(known.edited);
            }
            Fate::OnTrial => {
                known.history.retain(|digest| !replaced.contains(digest));
                known.edited_on_trial = known.edited;
                known.history.extend(known.edited);
            }
        }
    }
}

impl Known {
    /// It left its software by itself, and no run is about that; or it is back on what it was left with.
    pub(super) fn changed_software(&mut self, durable: &Durable, is_home: bool) {
        match &mut self.away {
            Some(away) => {
                away.to_and_fro = true;
                // What a person changed there stays there: no copy can be taken of it as long as something else runs.
                let aside = edited_part(&device::aside(durable));
                let stays = aside.filter(|aside| away.changed && Some(*aside) == self.edited);
                self.left_behind = stays.or(self.left_behind);
            }
            None if is_home => {}
            None => {
                let version = durable.standby().map(|left| left.version.clone()).unwrap_or_default();
                let owed = device::aside(durable);
                self.away = Some(Away { version, owed, changed: false, to_and_fro: false });
            }
        }
    }

    /// Today's settings are brought back: where it shows what others had it do, or had to be rolled back, nobody can tell whether what was
    /// to make it run other software, or to restore others, was ever begun, and what was changed before that is written over, and backed up before it is.
    pub(super) fn may_be_taken_back(&mut self, told: &Told, run: &Run, durable: &Durable) {
        match &told.story {
            Story::StepBegun { step: Step::RestoringOriginal, .. }
                if durable.operation.id.starts_with(RIVAL)
                    || durable.operation.command == Command::Rollback =>
            {
                if let Some(before) = self.owed_before.take() {
                    self.owed = before;
                    self.edited_meanwhile = self.edited;
                }
            }
            Story::StepBegun { step: Step::Activating | Step::RollingBack, .. } if !run.returning => {
                self.owed_before = None;
            }
            Story::StepBegun { step: Step::Restoring, .. } if !repeats_a_restore(run) => {
                self.owed_before = None
            }
            _ => {}
        }
    }

    /// Whether what a person changed on trial is in force.
    pub(super) fn holds_edit_of_trial(&self, durable: &Durable) -> bool {
        self.edited_on_trial.is_some() && self.edited_on_trial == edited_part(&device::in_force(durable))
    }

    /// Whether what is in force is what a person changed on trial, be that left since or not.
    pub(super) fn holds_work_of_a_person(&self, durable: &Durable) -> bool {
        let held = edited_part(&device::in_force(durable));
        held.is_some() && [self.edited_on_trial, self.left_behind].contains(&held)
    }

    /// What a person changed on trial and could not be backed up stays where it is.
    pub(super) fn note_lost_trial(&mut self, write: &Write, durable: &Durable, store: &Store) {
        let device = write.run.device.id;
        let kept = self.edited_on_trial.is_some_and(|digest| store.has_backup(device, digest));
        let on_trial = durable.boot.trial.is_some();
        let lost = write.stories.iter().any(|told| may_lose_a_trial(told, on_trial));
        if !kept && write.run.on_trial.is_none() && lost {
            self.left_behind = self.edited_on_trial.take().or(self.left_behind);
        }
    }

    /// What a person changed on trial could not be backed up.
    pub(super) fn forgive_trial(&mut self) {
        if let Some(edited) = self.edited_on_trial.take() {
            self.history.remove(&edited);
        }
    }
}

/// Whether a run tells that what a person changed on trial may not be fetched: the backup of it failed. That the device
/// runs something else is no excuse while it does not.
fn may_lose_a_trial(told: &Told, on_trial: bool) -> bool {
    let Story::StepFailed(failure) = &told.story else { return false };
    let elsewhere = matches!(failure.cause, Cause::WrongVersion { .. });
    failure.step == Step::BackingUp && !(on_trial && elsewhere)
}

/// What a person changed on trial, and a run knows to have come whole, is not forgotten because the backup of it failed: the device
/// may load over it.
pub(super) fn what_came_whole_is_kept(known: &mut Known, write: &Write, store: &Store) -> Checked {
    let failed =
        |told: &Told| matches!(&told.story, Story::StepFailed(failure) if failure.step == Step::BackingUp);
    let whole = match &write.run.state {
        State::Working { step: Step::BackingUp, operation } => {
            operation.written().len() == operation.transfers.len()
        }
        _ => false,
    };
    let had_come = std::mem::replace(&mut known.came_whole, whole);
    let edited = known.edited_on_trial.filter(|_| had_come && write.stories.iter().any(failed));
    match edited.filter(|edited| store.files.contains_key(edited)) {
        Some(edited) if !store.has_backup(write.run.device.id, edited) => {
            broken("what_came_whole_is_kept", format!("run {}: {} came", write.run.id, edited.short()))
        }
        _ => Ok(()),
    }
}

/// The part of a configuration that persons change.
pub(super) fn edited_part(configuration: &BTreeMap<ConfigurationKind, Document>) -> Option<Digest> {
    configuration.get(&ConfigurationKind::UserData).map(digest_of_document)
}

/// Whether what was rolled back to runs and was looked at, and today's settings are not on their way there yet: what is changed now
/// is written over, and must be in a backup first.
fn is_before_todays_settings_are_restored(run: &Run, durable: &Durable) -> bool {
    let is_waiting = match &run.state {
        State::Working { step: Step::BackingUp, .. } => true,
        State::Working { step: Step::Restoring, operation } => !operation.commanded,
        _ => false,
    };
    let runs_it = run
        .target_version()
        .is_some_and(|target| durable.active().is_some_and(|active| active.version == target));
    matches!(run.goal, Goal::RollBack) && run.on_trial.is_some() && !run.returning && is_waiting && runs_it
}

/// Whether it restores once more what was interrupted.
fn repeats_a_restore(run: &Run) -> bool {
    matches!(&run.state, State::Working { operation, .. } if is_repeat(&operation.task))
}

const fn is_repeat(task: &Task) -> bool {
    matches!(task, Task::Restore { repeats: true, .. })
}
