//! What must hold when a device begins to carry out a command: it is looked at right then, since afterwards it is too late.

use core::time::Duration;
use std::collections::BTreeSet;

use engine::director::Told;
use engine::file_server::{News, Report};
use iad_sim::device::{CallAdmission, Command, Document, Durable, OperationState, Record};
use upgrade::image::Manifest;
use upgrade::operation::Before;
use upgrade::run::{Goal, Outcome, State, Step, Story};
use upgrade::{Digest, Oid, Profile, Run, RunId, Time};

use super::device::{in_force, is_running};
use super::{Checked, Checks, broken};
use crate::images::{digest, digest_of};
use crate::store::Store;
use crate::unit::Unit;
use crate::world::device_id;

impl Checks {
    /// A device has begun an operation: of which run, and is it due?
    pub(super) fn a_command_is_due(
        &mut self,
        place: usize,
        unit: &Unit,
        store: &Store,
        now: Time,
    ) -> Checked {
        let Some(known) = self.devices.get_mut(place) else { return Ok(()) };
        let durable = unit.device.durable();
        let operation = &durable.operation;
        let watched = known.on_trial_since.map(|since| now - since);
        if known.operation.id == operation.id {
            known.operation.clone_from(operation);
            return Ok(());
        }
        let before = std::mem::replace(&mut known.operation, operation.clone());
        let Some((run, number)) = run_of(&operation.id) else { return Ok(()) };
        let Some(run) = store.runs.get(&run).map(|stored| &stored.run) else {
            return broken("what_is_sent_was_committed", format!("nobody knows {}", operation.id));
        };
        let is_as_seen = is_of_last_look(run, operation, unit) && is_known(run, operation, &before);
        what_has_ended_commands_nothing(run, operation)?;
        nothing_is_loaded_that_does_not_fit(run, operation, unit)?;
        nothing_is_loaded_over_what_it_left(
            run,
            operation,
            known.commanded.selected.filter(|_| is_as_seen),
            unit,
        )?;
        what_is_cancelled_goes_no_further(run, number, operation, self.cancelled.get(&run.id).copied())?;
        calls_are_not_cut_off(run, operation, unit, known.calls_until, now)?;
        calls_are_kept_out_before_a_restart(run, operation, unit, store)?;
        what_is_sent_was_committed(run, number, operation)?;
        a_command_serves_the_goal(run, operation)?;
        nothing_restarts_before_its_time(run, operation, now)?;
        one_operation_at_a_time(&before, operation)?;
        new_software_is_on_trial(operation, self.trial_s)?;
        only_healthy_software_is_confirmed(operation, unit, is_as_seen, watched, self.soak)?;
        what_is_done_is_not_done_again(&before, operation)?;
        nothing_begins_on_what_others_try(
            run,
            operation,
            known.commanded.on_trial && is_known(run, operation, &before),
            unit,
        )?;
        what_was_loaded_is_what_is_made_to_run(run, operation, &before, unit)?;
        nothing_is_loaded_without_a_whole_backup(place, run, operation, store, &known.ever)?;
        what_is_restored_fits_the_software(place, operation, durable, store)?;
        what_is_put_in_force_is_backed_up(place, run, operation, durable)
    }

    /// A name says which file it is: a second one under it could be anything.
    pub(super) fn a_ticket_is_used_once(&mut self, report: &Report) -> Checked {
        match report {
            Report::Ticket { name, news: News::Done { .. }, .. } if !self.used.insert(name.clone()) => {
                broken("a_ticket_is_used_once", format!("a second file went over by {name}"))
            }
            _ => Ok(()),
        }
    }
}

/// A second start of the same operation is a command repeated blindly.
pub(super) fn an_operation_is_started_once(unit: &Unit) -> Checked {
    match unit.device.counters().operations.iter().find(|count| count.started > 1) {
        Some(count) => broken(
            "an_operation_is_started_once",
            format!("{} was started {} times", count.id, count.started),
        ),
        None => Ok(()),
    }
}

/// Whoever was told that a run has ended goes home. Only what was given up as lost may still do something.
fn what_has_ended_commands_nothing(run: &Run, operation: &Record) -> Checked {
    match &run.state {
        State::Ended(ending) if ending.outcome != Outcome::DeviceLost => broken(
            "what_has_ended_commands_nothing",
            format!("{:?} by {}, after: {}", operation.command, operation.id, ending.outcome),
        ),
        _ => Ok(()),
    }
}

/// What is sent and then forgotten in a crash can be found out by nobody: first it is committed, then it is sent.
fn what_is_sent_was_committed(run: &Run, number: u32, operation: &Record) -> Checked {
    if number <= run.operations {
        return Ok(());
    }
    let what = format!("{} was sent, the store knows of {} operations", operation.id, run.operations);
    broken("what_is_sent_was_committed", what)
}

/// Who wants a backup does not want a restart in the evening.
fn a_command_serves_the_goal(run: &Run, operation: &Record) -> Checked {
    use Command::{Activate, Backup, Confirm, Convert, Download, Erase, Restore, Rollback};
    let serves = match (&run.goal, operation.command) {
        (Goal::Upgrade { .. }, command) => command != Erase,
        (Goal::Backup, command) => command == Backup,
        (Goal::Restore { .. }, command) => matches!(command, Backup | Restore),
        (Goal::RollBack, command) => matches!(command, Backup | Rollback | Restore),
        (Goal::Reset, Download | Activate | Convert | Confirm | Erase | Backup) => false,
        (Goal::Reset, _) => true,
    };
    let what = || format!("{:?} by {}", operation.command, operation.id);
    if serves { Ok(()) } else { broken("a_command_serves_the_goal", what()) }
}

/// A device does one thing at a time; a second command under way would undo the first, or be lost in it.
fn one_operation_at_a_time(before: &Record, operation: &Record) -> Checked {
    match before.state {
        OperationState::Waiting | OperationState::Running => broken(
            "one_operation_at_a_time",
            format!("{} was under way when {} began", before.id, operation.id),
        ),
        _ => Ok(()),
    }
}

/// Software that may hang must not be able to keep its device: by itself it goes back, if nobody confirms it.
fn new_software_is_on_trial(operation: &Record, trial_s: u32) -> Checked {
    let given = operation.parameters.trial_time_s;
    let starts = operation.command == Command::Activate
        || (operation.command == Command::Reset && !operation.parameters.version.is_empty());
    if starts && given != trial_s {
        let what = format!("{} gives {given} s, not {trial_s} s", operation.id);
        return broken("new_software_is_on_trial", what);
    }
    Ok(())
}

/// Software for other hardware, or for a device that runs something else, may make a dead device of this one, and takes the
/// place of what it could go back to (row H17).
fn nothing_is_loaded_that_does_not_fit(run: &Run, operation: &Record, unit: &Unit) -> Checked {
    let Goal::Upgrade { image } = &run.goal else { return Ok(()) };
    let Manifest { hardware, from, .. } = &image.manifest;
    let running = unit.device.durable().active().map_or("", |active| &active.version);
    let fits = hardware.contains(&unit.plan.settings.hardware)
        && (from.is_empty() || from.iter().any(|from| from == running));
    if operation.command == Command::Download && !fits {
        let what = format!("{} loads {} for {hardware:?} over {from:?}", operation.id, image.name);
        return broken("nothing_is_loaded_that_does_not_fit", what);
    }
    Ok(())
}

/// What a device left by itself is where the next image goes to: with its settings, and later ones than the backup has. `seen` is the
/// buffer that it was to start from when it was commanded, where it is as it was looked at before that.
fn nothing_is_loaded_over_what_it_left(
    run: &Run,
    operation: &Record,
    seen: Option<usize>,
    unit: &Unit,
) -> Checked {
    let Some(old) = run.old.as_ref().filter(|_| operation.command == Command::Download) else {
        return Ok(());
    };
    let durable = unit.device.durable();
    if is_running(durable, &old.version, old.buffer) || seen != Some(durable.boot.selected) {
        return Ok(());
    }
    let runs = durable.active().map_or("nothing", |active| &active.version);
    let what = format!("{}: it runs {runs}, and {} is loaded over", operation.id, old.version);
    broken("nothing_is_loaded_over_what_it_left", what)
}

/// Whoever cancels counts on it: from then on nothing new is loaded or made to run. What was sent before may arrive yet.
fn what_is_cancelled_goes_no_further(
    run: &Run,
    number: u32,
    operation: &Record,
    begun_then: Option<u32>,
) -> Checked {
    let forward = match operation.command {
        Command::Download | Command::Activate => true,
        // It restarts with other software than that of before.
        Command::Reset => run.old.as_ref().is_some_and(|old| {
            !operation.parameters.version.is_empty() && operation.parameters.version != old.version
        }),
        _ => false,
    };
    if forward && begun_then.is_some_and(|begun| number > begun) {
        let what = format!("{:?} by {}, which began after the cancel", operation.command, operation.id);
        return broken("what_is_cancelled_goes_no_further", what);
    }
    Ok(())
}

/// Who talks is waited for, as long as the operator said (row B6). What is brought back has waited already.
fn calls_are_not_cut_off(
    run: &Run,
    operation: &Record,
    unit: &Unit,
    until: Option<Time>,
    now: Time,
) -> Checked {
    let restarts = matches!(operation.command, Command::Activate | Command::Reset);
    // One that has restarted by itself since it was looked at takes calls again, and a late command may keep them out once more.
    let until = until.filter(|_| is_of_last_look(run, operation, unit));
    let closed = unit.device.calls().filter(|(_, admission)| *admission == CallAdmission::Closed);
    let calls = closed.map_or(0, |(calls, _)| calls);
    if restarts && !run.returning && calls > 0 && until.is_some_and(|until| now < until) {
        let what = format!("{calls} calls, and {} begins before {until:?}", operation.id);
        return broken("calls_are_not_cut_off", what);
    }
    Ok(())
}

/// Who begins a call right before a restart is cut off (row B6): first no more are let in.
fn calls_are_kept_out_before_a_restart(run: &Run, operation: &Record, unit: &Unit, store: &Store) -> Checked {
    let restarts = match operation.command {
        Command::Activate => unit.plan.settings.capabilities.needs_reset,
        Command::Reset => true,
        _ => false,
    };
    // Since they were let in last, or the attempt began.
    let kept_out = |told: &Told| match told.story {
        Story::StepBegun { step: Step::ClosingCalls, .. } => Some(true),
        Story::StepBegun { step: Step::OpeningCalls | Step::Preflight, .. } => Some(false),
        _ => None,
    };
    let told = store.runs.get(&run.id).map_or(&[][..], |stored| &stored.stories);
    let is_kept_out = told.iter().rev().find_map(kept_out).unwrap_or(false);
    if restarts && !run.returning && !is_kept_out {
        let what = format!("{:?} by {}", operation.command, operation.id);
        return broken("calls_are_kept_out_before_a_restart", what);
    }
    Ok(())
}

/// Once it is confirmed, no way leads back: before that it was watched for its time, and was well. What it is like after a
/// restart, or what others did, is not known yet to whoever sent a command that arrives late.
fn only_healthy_software_is_confirmed(
    operation: &Record,
    unit: &Unit,
    is_as_seen: bool,
    watched: Option<Duration>,
    soak: Duration,
) -> Checked {
    if operation.command != Command::Confirm {
        return Ok(());
    }
    if watched.is_some_and(|watched| watched < soak) {
        return broken("only_healthy_software_is_confirmed", format!("{}: after {watched:?}", operation.id));
    }
    if is_as_seen && unit.device.answers() && !unit.device.is_healthy() {
        return broken("only_healthy_software_is_confirmed", format!("{}: it is not well", operation.id));
    }
    Ok(())
}

/// The operation of somebody else that a device shows that it is at, if it shows one at all.
pub(super) fn shown(values: &[(Oid, upgrade::Value)], profile: &Profile) -> Option<Option<String>> {
    let operation = profile.reading(values, Time::default()).operation?;
    let others = !operation.state.is_over() && run_of(&operation.id).is_none();
    Some(others.then_some(operation.id))
}

/// The operator has said when the device may restart, and until then its subscribers talk.
fn nothing_restarts_before_its_time(run: &Run, operation: &Record, now: Time) -> Checked {
    let restarts = matches!(operation.command, Command::Activate | Command::Reset);
    match run.choices.activate_at.filter(|at| restarts && now < *at) {
        Some(_) => broken("nothing_restarts_before_its_time", format!("{} came early", operation.id)),
        None => Ok(()),
    }
}

/// What a device says is done, and is there, is not done once more because the manager was down meanwhile: a second download
/// costs a thin link an hour, a second activation a restart.
fn what_is_done_is_not_done_again(before: &Record, operation: &Record) -> Checked {
    let same_run = run_of(&before.id).map(|(run, _)| run) == run_of(&operation.id).map(|(run, _)| run);
    // A plain reset that nobody saw happen is asked for again.
    let costly = match operation.command {
        Command::Download | Command::Activate => true,
        Command::Reset => !operation.parameters.version.is_empty(),
        _ => false,
    };
    let same = before.command == operation.command
        && before.parameters.digests == operation.parameters.digests
        && before.parameters.version == operation.parameters.version;
    if same_run && costly && same && before.state == OperationState::Done {
        let what =
            format!("{:?} was done by {}, and is begun by {}", before.command, before.id, operation.id);
        return broken("what_is_done_is_not_done_again", what);
    }
    Ok(())
}

/// What others have on trial is not what the device is meant to run, and the other buffer holds the only way back.
fn nothing_begins_on_what_others_try(run: &Run, operation: &Record, is_known: bool, unit: &Unit) -> Checked {
    let durable = unit.device.durable();
    let is_ours = run.activated.is_some() || run.returning || run.on_trial.is_some();
    let begins = matches!(operation.command, Command::Backup | Command::Download);
    if begins && !is_ours && durable.boot.trial.is_some() && is_known {
        let what = format!("{:?} by {}, on what is on trial", operation.command, operation.id);
        return broken("nothing_begins_on_what_others_try", what);
    }
    Ok(())
}

/// Under its version others may have loaded something else since: what a device showed before it was commanded, the run knows.
fn what_was_loaded_is_what_is_made_to_run(
    run: &Run,
    operation: &Record,
    before: &Record,
    unit: &Unit,
) -> Checked {
    let Goal::Upgrade { image } = &run.goal else { return Ok(()) };
    let activates = match operation.command {
        Command::Activate => true,
        Command::Reset => operation.parameters.version == image.manifest.version,
        _ => false,
    };
    let durable = unit.device.durable();
    let held = durable.standby().filter(|standby| standby.version == image.manifest.version);
    let is_other = held.and_then(|held| held.sha256).is_some_and(|held| digest(held) != image.digest);
    if activates && is_other && is_known(run, operation, before) {
        let what = format!("{} makes another {} run than it loaded", operation.id, image.manifest.version);
        return broken("what_was_loaded_is_what_is_made_to_run", what);
    }
    Ok(())
}

/// The look at a device that led to this command, as the run remembers it.
fn looked_at<'a>(run: &'a Run, operation: &Record) -> Option<&'a Before> {
    match &run.state {
        State::Working { operation: own, .. } if own.id == operation.id => own.before.as_ref(),
        _ => None,
    }
}

/// Whether that look showed what the device had done last before this command.
fn is_known(run: &Run, operation: &Record, before: &Record) -> bool {
    looked_at(run, operation).is_some_and(|seen| seen.operation.as_ref() == Some(&before.id))
}

/// Whether a device has not restarted since the look that led to a command.
fn is_of_last_look(run: &Run, operation: &Record, unit: &Unit) -> bool {
    let boots = Some(unit.device.durable().boot.boots);
    looked_at(run, operation).is_some_and(|before| before.pulse.boots == boots)
}

/// An upgrade that begins without a backup bets the subscribers' configuration on its success.
fn nothing_is_loaded_without_a_whole_backup(
    place: usize,
    run: &Run,
    operation: &Record,
    store: &Store,
    ever: &BTreeSet<Digest>,
) -> Checked {
    let risky = matches!(
        operation.command,
        Command::Download | Command::Activate | Command::Convert | Command::Restore | Command::Rollback
    );
    // What it has left by itself is still in its other buffer.
    let back = operation.command == Command::Rollback && run.returning;
    // A reset takes no backup: it goes back to where it began.
    let risky = risky && !back && !matches!(run.goal, Goal::Reset);
    let whole = run.backup.as_ref().is_some_and(|backup| {
        !backup.files.is_empty()
            && backup.files.values().all(|file| {
                let bytes = store.files.get(&file.digest);
                let whole = bytes.is_some_and(|bytes| u64::try_from(bytes.len()) == Ok(file.size));
                // Whole is what the device held, and not only what came.
                whole && ever.contains(&file.digest)
            })
    });
    if !risky || (whole && run.device.id == device_id(place)) {
        return Ok(());
    }
    let what = format!("device {}: {:?} by {} without a backup", place + 1, operation.command, operation.id);
    broken("nothing_is_loaded_without_a_whole_backup", what)
}

/// Software that cannot read its settings serves nobody, and not every device refuses them (row H21).
fn what_is_restored_fits_the_software(
    place: usize,
    operation: &Record,
    durable: &Durable,
    store: &Store,
) -> Checked {
    if operation.command != Command::Restore {
        return Ok(());
    }
    let reads = durable.active().map_or(0, iad_sim::device::Buffer::format);
    let files = operation.parameters.digests.iter().filter_map(|told| store.files.get(&digest(*told)));
    let other =
        files.filter_map(|bytes| Document::parse(bytes).ok()).find(|document| document.format != reads);
    match other {
        Some(document) => broken(
            "what_is_restored_fits_the_software",
            format!("device {}: format {} for software that reads {reads}", place + 1, document.format),
        ),
        None => Ok(()),
    }
}

/// What changed since the backup would be gone with a roll-back: right before the activation the backup is that of today.
fn what_is_put_in_force_is_backed_up(
    place: usize,
    run: &Run,
    operation: &Record,
    durable: &Durable,
) -> Checked {
    let forward = match operation.command {
        Command::Activate | Command::Reset => !matches!(run.goal, Goal::Reset),
        Command::Rollback => matches!(run.goal, Goal::RollBack) && !run.returning,
        _ => false,
    };
    if !forward {
        return Ok(());
    }
    let backed_up: BTreeSet<_> =
        run.backup.iter().flat_map(|set| set.files.values().map(|file| file.digest)).collect();
    let missing = in_force(durable)
        .into_iter()
        .find(|(_, document)| !backed_up.contains(&digest_of(document.text().as_bytes())));
    match missing {
        Some((kind, _)) => broken(
            "what_is_put_in_force_is_backed_up",
            format!("device {}: today's {} is in no backup at {}", place + 1, kind.name(), operation.id),
        ),
        None => Ok(()),
    }
}

/// The run that an operation is one of, and its number there.
pub(super) fn run_of(operation: &str) -> Option<(RunId, u32)> {
    let (run, rest) = operation.strip_prefix('r')?.split_once('.')?;
    let (_, number) = rest.split_once('-')?;
    Some((RunId(run.parse().ok()?), number.parse().ok()?))
}
