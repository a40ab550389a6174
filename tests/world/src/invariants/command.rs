//! What must hold when a device begins to carry out a command: it is looked at right then, since afterwards it is too late.

use core::time::Duration;
use std::collections::BTreeSet;
use std::net::SocketAddr;

use engine::director::Told;
use engine::file_server::{News, Report};
use iad_sim::device::{CallAdmission, Command, Document, Durable, OperationState, Record};
use snmp::usm::{Keys, Overheard, SecurityLevel};
use snmp::{Body, Message, ObjectIdentifier, Value};
use tftp::Packet;
use upgrade::image::Manifest;
use upgrade::run::{Goal, Outcome, State, Step, Story};
use upgrade::{Digest, Oid, Profile, Run, RunId, Time};

use super::device::in_force;
use super::{Checked, Checks, broken};
use crate::images::{digest, digest_of};
use crate::store::Store;
use crate::unit::Unit;
use crate::world::device_id;

/// A command is sent so often, as long as nothing comes of it.
const MOST_COPIES: u32 = 5;

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
        what_has_ended_commands_nothing(run, operation)?;
        nothing_is_loaded_that_does_not_fit(run, operation, unit)?;
        what_is_cancelled_goes_no_further(run, number, operation, self.cancelled.get(&run.id).copied())?;
        calls_are_not_cut_off(run, operation, unit, known.calls_until, now)?;
        calls_are_kept_out_before_a_restart(run, operation, unit, store)?;
        what_is_sent_was_committed(run, number, operation)?;
        a_command_serves_the_goal(run, operation)?;
        nothing_restarts_before_its_time(run, operation, now)?;
        one_operation_at_a_time(&before, operation)?;
        new_software_is_on_trial(operation, self.trial_s)?;
        only_healthy_software_is_confirmed(run, operation, unit, watched, self.soak)?;
        what_is_done_is_not_done_again(&before, operation)?;
        nothing_is_loaded_without_a_whole_backup(place, run, operation, store, &known.ever)?;
        what_is_restored_fits_the_software(place, operation, durable, store)?;
        what_is_put_in_force_is_backed_up(place, run, operation, durable)
    }

    /// What happened while the manager was down is known to the device alone: it is asked before anything is sent.
    pub(crate) fn a_command_follows_a_look(&self, place: usize, life: u32, sent: &Sent) -> Checked {
        if self.has_looked(place, life) || !sent.is_set {
            return Ok(());
        }
        let what = format!("life {life} of the manager has not heard device {} yet", place + 1);
        broken("a_command_follows_a_look", what)
    }

    /// What is not heeded is sent again, and then given up: a device may have another community for commands, or be mute to them.
    pub(crate) fn a_command_is_not_sent_for_ever(&mut self, place: usize, sent: &Sent) -> Checked {
        let Some(known) = self.devices.get_mut(place) else { return Ok(()) };
        let Some(operation) = sent.operation.as_ref().filter(|_| sent.begins()) else { return Ok(()) };
        if known.commanded.0 != *operation {
            known.commanded = (operation.clone(), 0);
        }
        known.commanded.1 += 1;
        if known.commanded.1 > MOST_COPIES {
            let what =
                format!("{operation} is sent to device {} the {}th time", place + 1, known.commanded.1);
            return broken("a_command_is_not_sent_for_ever", what);
        }
        Ok(())
    }

    /// A device that was seen at somebody else's work is waited for: a command that it happens to take would end that.
    pub(crate) fn who_is_busy_is_commanded_nothing(&self, place: usize, sent: &Sent) -> Checked {
        match self.devices.get(place).and_then(|known| known.shown_busy.as_ref()) {
            Some(shown) if sent.begins() => broken(
                "who_is_busy_is_commanded_nothing",
                format!("device {} was seen at {shown} last, and is commanded", place + 1),
            ),
            _ => Ok(()),
        }
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

/// What a ticket names goes to its device, and to nobody else who has heard the name.
pub(crate) fn a_ticket_serves_its_device_alone(answered: &[u8]) -> Checked {
    match Packet::decode(answered) {
        Ok(Packet::Error { .. }) | Err(_) => Ok(()),
        Ok(served) => {
            broken("a_ticket_serves_its_device_alone", format!("a stranger was served: {served:?}"))
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
    // One that has restarted by itself since it was looked at takes calls again.
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
    let kept_out = |told: &Told| matches!(told.story, Story::StepBegun { step: Step::ClosingCalls, .. });
    let told = store.runs.get(&run.id).map_or(&[][..], |stored| &stored.stories);
    if restarts && !run.returning && !told.iter().any(kept_out) {
        let what = format!("{:?} by {}", operation.command, operation.id);
        return broken("calls_are_kept_out_before_a_restart", what);
    }
    Ok(())
}

/// Once it is confirmed, no way leads back: before that it was watched for its time, and was well. What it is like after a
/// restart is not known yet to whoever sent a command that arrives late.
fn only_healthy_software_is_confirmed(
    run: &Run,
    operation: &Record,
    unit: &Unit,
    watched: Option<Duration>,
    soak: Duration,
) -> Checked {
    if operation.command != Command::Confirm {
        return Ok(());
    }
    if watched.is_some_and(|watched| watched < soak) {
        return broken("only_healthy_software_is_confirmed", format!("{}: after {watched:?}", operation.id));
    }
    let looked_at = match &run.state {
        State::Working { operation: own, .. } if own.id == operation.id => own.before.as_ref(),
        _ => None,
    };
    let is_known =
        looked_at.is_some_and(|before| before.pulse.boots == Some(unit.device.durable().boot.boots));
    if is_known && unit.device.answers() && !unit.device.is_healthy() {
        return broken("only_healthy_software_is_confirmed", format!("{}: it is not well", operation.id));
    }
    Ok(())
}

/// A unit that happens to answer at the address of another one is somebody else's device, with a configuration of its own.
pub(crate) fn nothing_is_commanded_at_another_unit(place: usize, sent: &Sent) -> Checked {
    if sent.is_set {
        let what = format!("a SET for device {} went to another unit", place + 1);
        return broken("nothing_is_commanded_at_another_unit", what);
    }
    Ok(())
}

/// A command with one bit changed may be another command, and what is believed of a device decides which comes next: who
/// authenticates messages takes none that was damaged on its way.
pub(crate) fn what_was_damaged_is_not_believed(place: usize, believed: bool) -> Checked {
    if believed {
        let what = format!("device {} speaks SNMPv3, and a damaged message was believed", place + 1);
        return broken("what_was_damaged_is_not_believed", what);
    }
    Ok(())
}

/// Whoever hears what is asked can answer it, but not from where it was asked: what comes from elsewhere is taken no notice of.
pub(crate) fn what_comes_from_elsewhere_is_not_believed(from: SocketAddr, noticed: usize) -> Checked {
    if noticed > 0 {
        let what = format!("what came from {from} led to {noticed} things");
        return broken("what_comes_from_elsewhere_is_not_believed", what);
    }
    Ok(())
}

/// Whether a message of SNMP is a SET: its PDU's tag follows the version and the community (RFC 3416 section 3).
fn is_set(message: &[u8]) -> bool {
    const SET: u8 = 0xa3;
    let after_length = |at: usize| {
        let length = *message.get(at)?;
        Some(if length < 0x80 { at + 1 } else { at + 1 + usize::from(length & 0x7f) })
    };
    let tag = || {
        let version = after_length(1)?;
        let community = version + 3;
        let length = usize::from(*message.get(community + 1)?);
        message.get(community + 2 + length).copied()
    };
    tag() == Some(SET)
}

/// What is sent to a device, as far as it is judged on its way.
pub(crate) struct Sent {
    pub(crate) is_set: bool,
    /// What it makes the device do (IAD-MIB `iadOpCommand`).
    command: Option<i32>,
    /// Which operation that is (IAD-MIB `iadOpId`).
    operation: Option<String>,
    /// It tells of objects, and anybody can read or write it although the device speaks SNMPv3.
    in_the_open: bool,
}

impl Sent {
    /// A message to a device with these keys, or with communities. What it was not meant for says nothing to it.
    pub(crate) fn of(bytes: &[u8], keys: Option<&Keys>) -> Self {
        let nothing = Self { is_set: false, command: None, operation: None, in_the_open: false };
        let Some(keys) = keys else {
            let body =
                is_set(bytes).then(|| Message::decode(bytes).ok()).flatten().map(|message| message.body);
            return Self {
                is_set: is_set(bytes),
                command: body.as_ref().and_then(command_of),
                operation: body.as_ref().and_then(operation_of),
                ..nothing
            };
        };
        let Ok(overheard) = Overheard::new(bytes, keys) else { return nothing };
        let (is_set, is_open) = (overheard.is_set(), overheard.level < SecurityLevel::AuthPriv);
        let body = (is_set || is_open).then(|| overheard.body().ok()).flatten();
        Self {
            is_set,
            command: body.as_ref().filter(|_| is_set).and_then(command_of),
            operation: body.as_ref().filter(|_| is_set).and_then(operation_of),
            in_the_open: is_open && body.is_some_and(|body| !body.varbinds().is_empty()),
        }
    }

    /// Whether it makes the device do something, other than to stop.
    fn begins(&self) -> bool {
        self.command.is_some_and(|command| command != Command::Abort.number())
    }

    /// A device that has one buffer has no way back from what is loaded into it, and not every device refuses that.
    pub(crate) fn nothing_is_loaded_over_the_only_software(
        &self,
        place: usize,
        unit: Option<&Unit>,
    ) -> Checked {
        let single = unit.is_some_and(|unit| unit.device.durable().buffers.len() < 2);
        if single && self.command == Some(Command::Download.number()) {
            return broken("nothing_is_loaded_over_the_only_software", format!("device {}", place + 1));
        }
        Ok(())
    }

    /// Who can be spoken to so that nobody else understands or forges it, is.
    pub(crate) fn nothing_is_said_in_the_open(&self, place: usize) -> Checked {
        let what = || format!("device {} speaks SNMPv3", place + 1);
        if self.in_the_open { broken("nothing_is_said_in_the_open", what()) } else { Ok(()) }
    }
}

fn command_of(body: &Body<&[u8]>) -> Option<i32> {
    const COMMAND: ObjectIdentifier = ObjectIdentifier::new([1, 3, 6, 1, 4, 1, 32473, 1, 1, 5, 2, 0]);
    let command = body.varbinds().iter().find(|varbind| varbind.name == COMMAND)?;
    match command.value {
        Value::Integer(command) => Some(command),
        _ => None,
    }
}

fn operation_of(body: &Body<&[u8]>) -> Option<String> {
    const ID: ObjectIdentifier = ObjectIdentifier::new([1, 3, 6, 1, 4, 1, 32473, 1, 1, 5, 1, 0]);
    let id = body.varbinds().iter().find(|varbind| varbind.name == ID)?;
    match &id.value {
        Value::OctetString(id) => Some(String::from_utf8_lossy(id).into_owned()),
        _ => None,
    }
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
