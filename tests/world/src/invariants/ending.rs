//! What must hold when a run ends: whatever became of it, its device serves its subscribers.

use std::collections::BTreeMap;

use engine::director::{Told, Write};
use iad_sim::device::{
    CallAdmission, Command, ConfigurationKind, Document, Durable, OperationState, conversion,
};
use upgrade::Run;
use upgrade::operation::Cause;
use upgrade::reading::OperationReading;
use upgrade::run::{Ending, Event, Expected, Goal, LeftWith, Old, Outcome, Step, Story};

use super::device::{in_force, is_running};
use super::{Checked, Checks, Known, Violation, broken};
use crate::images::{digest, digest_of, kind};
use crate::rival::RIVAL;
use crate::store::Store;
use crate::unit::Unit;
use crate::world::device_id;

impl Checks {
    /// Whatever became of a run: its device is in service, with the configuration that belongs on it.
    pub(super) fn an_end_leaves_the_device_in_service(
        &mut self,
        place: usize,
        run: &Run,
        ending: &Ending,
        durable: &Durable,
        store: &Store,
    ) -> Checked {
        let LeftWith { version, buffer, .. } = &ending.left_with;
        let seen = version.as_ref().is_some_and(|version| is_running(durable, version, *buffer));
        let others = self.devices.get(place).is_some_and(|known| is_left_to_others(known, durable));
        let judged = match ending.outcome {
            // That began since the device was looked at, or is no matter of this run.
            _ if others && !(seen && changes_software(run)) => Ok(()),
            Outcome::Succeeded => self
                .is_as_wanted(place, run, ending, durable, store)
                .or_else(|what| if is_told_to_be_unheard(ending) { Ok(()) } else { Err(what) }),
            Outcome::RolledBack | Outcome::EndedByOperator | Outcome::Cancelled => {
                self.is_as_before(place, run, durable).or_else(|what| {
                    // Where it fell back first, what another manager has done to it hides that. What came to nothing since hides
                    // what others try, and ends it not.
                    let theirs = others || durable.operation.id.starts_with(RIVAL);
                    let said = theirs && is_told_to_be_left(ending);
                    // Nor is what a person has changed there anybody's to take back, or what others try.
                    let is_there = |old: &Old| is_running(durable, &old.version, old.buffer);
                    let is_there = run.old.as_ref().is_some_and(is_there);
                    let holds_work = |known: &Known| known.holds_work_of_a_person(durable);
                    let is_work = others || self.devices.get(place).is_some_and(holds_work);
                    match said || (others && is_there) {
                        true if is_work => Ok(()),
                        true => self.is_as_wanted(place, run, ending, durable, store),
                        false => Err(what),
                    }
                })
            }
            Outcome::Refused | Outcome::DeviceLost => Ok(()),
        };
        let left = run.leaves().filter(|left| run.expected.as_ref() != Some(left));
        let is_home = left.is_some_and(|left| is_running(durable, &left.version, left.buffer));
        if let Some(known) = self.devices.get_mut(place) {
            // Whatever it runs is left as it is, and is not what it was left with.
            let wanted = run.leaves().filter(|_| run.old.is_some());
            let elsewhere = wanted.is_some_and(|wanted| !is_running(durable, &wanted.version, wanted.buffer));
            match &known.away {
                // From now on it is to run this, whatever it was away from.
                _ if is_home => known.away = None,
                None if elsewhere => known.changed_software(durable, false),
                _ => {}
            }
        }
        judged.map_err(|what| Violation {
            invariant: "an_end_leaves_the_device_in_service",
            what: format!("run {} of device {}, {}: {what}", run.id, place + 1, ending.outcome),
        })
    }

    pub(super) fn is_as_before(&self, place: usize, run: &Run, durable: &Durable) -> Result<(), String> {
        let Some(known) = self.devices.get(place) else { return Ok(()) };
        // Before the backup, or the reset, nothing was asked of it: what it runs is its own doing.
        let was_reset = matches!(run.goal, Goal::Reset) && durable.operation.id.starts_with(&run.prefix());
        let asked = run.backup.is_some() || was_reset;
        let Some(old) = run.old.as_ref().filter(|_| asked) else { return Ok(()) };
        // Nor does a backup or a restore bring back what leaves its software by itself.
        let software = !matches!(run.goal, Goal::Backup | Goal::Restore { .. });
        if !software && !is_running(durable, &old.version, old.buffer) {
            return Ok(());
        }
        runs(durable, &old.version, old.buffer)?;
        same(&known.owed, &in_force(durable))
    }

    fn is_as_wanted(
        &mut self,
        place: usize,
        run: &Run,
        ending: &Ending,
        durable: &Durable,
        store: &Store,
    ) -> Result<(), String> {
        let Some(known) = self.devices.get_mut(place) else { return Ok(()) };
        let now = in_force(durable);
        let format = durable.active().map_or(0, iad_sim::device::Buffer::format);
        match &run.goal {
            Goal::Upgrade { image } => {
                runs(durable, &image.manifest.version, None)?;
                let running = durable.active().and_then(|active| active.sha256).map(digest);
                if run.loaded.is_some() && running != Some(image.digest) {
                    return Err(format!("it runs another {}", image.manifest.version));
                }
                let wanted = known
                    .owed
                    .iter()
                    .map(|(kind, document)| (*kind, conversion::convert(document, format)))
                    .collect();
                same(&wanted, &now)?;
                known.away = None;
                known.owe(place, now, &mut self.owners);
            }
            Goal::RollBack => {
                let buffer = run.old.as_ref().and_then(|old| old.standby_buffer);
                runs(durable, run.target_version().unwrap_or_default(), buffer)?;
                let readable = known.owed.values().all(|document| document.format == format);
                // What it left by itself has settings of its own, and later ones unless a person has changed those that it
                // had since.
                let away = known.away.take().filter(|away| Some(&*away.version) == run.target_version());
                match away {
                    Some(away) if away.to_and_fro => {}
                    Some(away) if !away.changed => same(&away.owed, &now)?,
                    _ if readable => same(&known.owed, &now)?,
                    _ => {}
                }
                known.owe(place, now, &mut self.owners);
            }
            Goal::Restore { set } => {
                for (restored, file) in &set.files {
                    let document =
                        now.iter().find(|(own, _)| kind(**own) == *restored).map(|(_, document)| document);
                    let held = document.map(|document| digest_of(document.text().as_bytes()));
                    // Whoever changes it once it was seen to be restored, has the last word.
                    if held != Some(file.digest) && (held.is_none() || held != known.edited) {
                        return Err(format!("{restored} is not the one restored"));
                    }
                }
                if let Some(away) = &mut known.away {
                    away.changed = true;
                }
                known.owe(place, now, &mut self.owners);
            }
            Goal::Backup => {
                let backup = run.backup.as_ref().ok_or("there is no backup")?;
                if run.choices.kinds.is_empty() && backup.files.len() != ConfigurationKind::ALL.len() {
                    return Err("the backup is not of all kinds".into());
                }
                if !backup.files.values().all(|file| store.files.contains_key(&file.digest)) {
                    return Err("a file of the backup is not there".into());
                }
            }
            Goal::Reset => {
                let Some(old) = &run.old else { return Err("nothing is known of it".into()) };
                let judged = runs(durable, &old.version, old.buffer);
                // What others have it try goes on after a restart that is commanded.
                let is_left =
                    known.tried_by_others && durable.boot.trial.is_some() && is_told_to_be_left(ending);
                judged.or_else(|what| {
                    if is_left && is_running(durable, &old.version, old.buffer) { Ok(()) } else { Err(what) }
                })?;
            }
        }
        Ok(())
    }
}

/// Subscribers cannot call where a device was left closed.
pub(super) fn an_end_leaves_the_device_open_for_calls(run: &Run, ending: &Ending, unit: &Unit) -> Checked {
    match unit.device.calls() {
        Some((_, CallAdmission::Closed)) => {
            broken("an_end_leaves_the_device_open_for_calls", format!("run {}: {}", run.id, ending.outcome))
        }
        _ => Ok(()),
    }
}

/// Nobody looks any more, and whoever comes next finds the device busy: what it was still at by the last look is stopped first, or
/// people are told that it could not be.
pub(super) fn an_end_leaves_none_of_its_operations_at_work(write: &Write, ending: &Ending) -> Checked {
    let seen = write.events.iter().rev().find_map(|(_, event)| match event {
        Event::Read { reading, .. } => reading.operation.as_ref(),
        _ => None,
    });
    let prefix = write.run.prefix();
    let at_work = seen.filter(|seen| !seen.state.is_over() && seen.id.starts_with(&prefix));
    let Some(OperationReading { id, .. }) = at_work.filter(|_| ending.outcome != Outcome::DeviceLost) else {
        return Ok(());
    };
    let could_not = |told: &Told| match &told.story {
        Story::StepFailed(failure) => {
            failure.step == Step::Stopping || failure.cause == Cause::Busy(id.clone())
        }
        _ => false,
    };
    if write.stories.iter().any(could_not) {
        return Ok(());
    }
    broken("an_end_leaves_none_of_its_operations_at_work", format!("{id}: {}", ending.reason))
}

/// Whether people were told that what others made of the device stays.
fn is_told_to_be_left(ending: &Ending) -> bool {
    ending.reason.contains("which this run leaves ")
}

/// What others only have the device try is over soon: the next run must not take it for what the device was left with, and refuse what it
/// falls back to.
pub(super) fn what_others_only_try_is_not_handed_on(run: &Run, ending: &Ending) -> Checked {
    let LeftWith { version, buffer, on_trial, .. } = &ending.left_with;
    let told = run.expected.as_ref().map(|told| (&told.version, told.buffer));
    let handed_on = run.leaves().filter(|left| told != Some((&left.version, left.buffer)));
    let tried = |left: &Expected| Some(&left.version) == version.as_ref() && left.buffer == *buffer;
    if *on_trial && ending.outcome != Outcome::Succeeded && handed_on.as_ref().is_some_and(tried) {
        let what = format!("run {}, {}: {handed_on:?}", run.id, ending.outcome);
        return broken("what_others_only_try_is_not_handed_on", what);
    }
    Ok(())
}

/// Whether people were told that the device takes no calls, or may take none.
pub(super) fn is_told_to_take_none(ending: &Ending) -> bool {
    let said = ["takes no calls", "took no calls", "whether it takes calls"];
    ending.outcome == Outcome::DeviceLost || said.iter().any(|said| ending.reason.contains(said))
}

/// Whether people were told that nobody knows what the device runs by now.
fn is_told_to_be_unheard(ending: &Ending) -> bool {
    ending.outcome == Outcome::Succeeded && ending.reason.contains("was not heard since")
}

/// Whoever has heard the name of a file could still ask for it; and what is never forgotten fills the memory.
pub(crate) fn what_has_ended_opens_nothing(tickets: usize, transfers: usize) -> Checked {
    match (tickets, transfers) {
        (0, 0) => Ok(()),
        _ => {
            let what = format!("{tickets} tickets are open in the end, and {transfers} transfers are known");
            broken("what_has_ended_opens_nothing", what)
        }
    }
}

/// The same in the end, when whatever was on its way has arrived.
pub(super) fn in_the_end_every_device_takes_calls(place: usize, unit: &Unit, store: &Store) -> Checked {
    let open = store.open_run_of(device_id(place)).is_some();
    match unit.device.calls() {
        Some((_, CallAdmission::Closed)) if !open => {
            broken("in_the_end_every_device_takes_calls", format!("device {} takes none", place + 1))
        }
        _ => Ok(()),
    }
}

const fn changes_software(run: &Run) -> bool {
    matches!(run.goal, Goal::Upgrade { .. } | Goal::RollBack)
}

/// Somebody else has it try software, and nobody ends that for them; or has loaded what was left alone in the other buffer, and where
/// that runs nobody can tell that it took it by itself. What came to nothing since has not ended their trial.
pub(super) fn is_left_to_others(known: &Known, durable: &Durable) -> bool {
    let operation = &durable.operation;
    let on_trial = durable.boot.trial.is_some();
    let loaded = operation.command == Command::Download && operation.state == OperationState::Done;
    let came_to_nothing = matches!(operation.state, OperationState::Failed | OperationState::Aborted);
    ((on_trial || loaded) && operation.id.starts_with(RIVAL))
        || (on_trial && known.tried_by_others && came_to_nothing)
}

fn runs(durable: &Durable, version: &str, buffer: Option<u32>) -> Result<(), String> {
    let active = durable.active();
    if !is_running(durable, version, buffer) {
        let running = active.map(|active| active.version.clone()).unwrap_or_default();
        let place = durable.boot.selected + 1;
        return Err(format!("it runs {running:?} in buffer {place}, not {version:?} in buffer {buffer:?}"));
    }
    if !active.is_some_and(iad_sim::device::Buffer::is_valid) {
        return Err("its image is not whole".into());
    }
    if durable.boot.trial.is_some() {
        return Err(format!("{version} is still on trial"));
    }
    Ok(())
}

fn same(
    wanted: &BTreeMap<ConfigurationKind, Document>,
    now: &BTreeMap<ConfigurationKind, Document>,
) -> Result<(), String> {
    match wanted.iter().find(|(kind, document)| now.get(kind) != Some(document)) {
        Some((kind, _)) => Err(format!("its {} is another one", kind.name())),
        None => Ok(()),
    }
}
