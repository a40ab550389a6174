//! What must never be broken, each with the reason why. They are checked as things happen: after each change of a device,
//! after each commit, when the manager is killed, and at the end.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use engine::director::{Input, Told, Write};
use engine::file_server::{Report, TransferId};
use iad_sim::device::{Command, ConfigurationKind, Document, Durable, OperationState, Record};
use upgrade::run::{Goal, Outcome, Policy, State, Step, Story};
use upgrade::{Digest, Profile, Run, RunId, TicketName, Time};

use crate::reference::Reference;
use crate::rival::RIVAL;
use crate::store::Store;
use crate::unit::Unit;
use crate::world::{device_id, place_of};

mod command;
mod device;
mod edits;
mod ending;
mod run;
mod wire;
mod words;

use edits::{Away, edited_part};
use wire::Commanded;
use words::Stopped;

pub(crate) use edits::Fate;
pub(crate) use ending::what_has_ended_opens_nothing;
pub(crate) use run::{
    one_run_at_a_time, settings_that_moved_are_backed_up_anew, when_faults_stop_every_run_ends,
};
pub(crate) use wire::{
    Sent, a_ticket_serves_its_device_alone, nobody_gets_in_by_another_password,
    nothing_is_commanded_at_another_unit, what_comes_from_elsewhere_is_not_believed,
    what_was_damaged_is_not_believed,
};
pub(crate) use words::{an_answer_is_to_the_question_that_is_open, nothing_is_too_late_that_has_come};

/// Something that must not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The invariant, by the name of its function.
    pub invariant: &'static str,
    /// What was seen.
    pub what: String,
}

type Checked = Result<(), Violation>;

fn broken(invariant: &'static str, what: impl Into<String>) -> Checked {
    Err(Violation { invariant, what: what.into() })
}

/// What is known of devices and runs by those who see everything.
#[derive(Debug)]
pub(crate) struct Checks {
    /// How long new software is on trial, at most, and watched, at least.
    trial_s: u32,
    soak: Duration,
    devices: Vec<Known>,
    /// Whose a configuration is, by its digest. What comes with the software is everybody's.
    owners: BTreeMap<Digest, usize>,
    /// What kind of configuration each is that a device ever held.
    kinds: BTreeMap<Digest, ConfigurationKind>,
    /// The shortest time before a run is repeated by itself, milliseconds.
    backoff_ms: f64,
    /// Runs as their logs have led to so far, and how much of each that was.
    replayed: BTreeMap<RunId, (Run, usize)>,
    /// The same runs, as the requirements have it.
    references: BTreeMap<RunId, Reference>,
    /// Tickets by which a whole file went over.
    used: BTreeSet<TicketName>,
    /// Transfers by FTP that the file server has stopped.
    pub(crate) ftp_stopped: BTreeSet<TransferId>,
    /// Runs that an operator cancelled, and how many operations each had begun by then.
    cancelled: BTreeMap<RunId, u32>,
    /// The devices that nothing happens to which could cost one.
    pub(crate) safe: BTreeSet<usize>,
    /// The devices that nothing happens to which could make anything fail.
    pub(crate) unhindered: BTreeSet<usize>,
}

/// An operation of somebody else, the life of the manager, and how much a run had told by then.
type WaitedFor = (String, u32, usize);

/// What is known of one device.
#[derive(Debug)]
struct Known {
    /// The configuration that its subscribers are owed, by kind.
    owed: BTreeMap<ConfigurationKind, Document>,
    /// Every configuration that was ever owed, and not given up by whoever changed it.
    history: BTreeSet<Digest>,
    /// Every configuration that it ever held.
    ever: BTreeSet<Digest>,
    /// The digests of what it held when that was looked at last.
    held: BTreeSet<Digest>,
    /// The versions of the software under which it ever held each.
    under: BTreeMap<Digest, BTreeSet<String>>,
    seen: Vec<iad_sim::device::durable::ConfigurationSet>,
    operation: Record,
    /// What an operator has stopped, until the device is told.
    stopped: Option<Stopped>,
    /// The number of its start when its new software began to be watched.
    watched_since: Option<u32>,
    /// Since when its software is on trial.
    on_trial_since: Option<Time>,
    /// Others have it try that software.
    tried_by_others: bool,
    /// The life of the manager that it last answered.
    looked_in: u32,
    /// What it was commanded last.
    commanded: Commanded,
    /// The operation of somebody else that it was at by the last look at it.
    shown_busy: Option<String>,
    /// That, the life of the manager, how much its run had told by then, since when it was so, and how often it was seen too late.
    waited_for: Option<(WaitedFor, Time, u32)>,
    /// The version in the buffer that a trial began from.
    before_trial: Option<String>,
    /// The old software was broken during the trial: no way leads back.
    rotted: bool,
    /// The settings that a person changed last during its run.
    edited: Option<Digest>,
    /// What was owed before a person changed settings while the command to run other software, or to restore others, was on its way.
    owed_before: Option<BTreeMap<ConfigurationKind, Document>>,
    /// A person changed settings while it was brought back.
    edited_meanwhile: Option<Digest>,
    /// A person changed settings on software on trial.
    edited_on_trial: Option<Digest>,
    /// The same on software that was left then without a backup of them: they stay there.
    left_behind: Option<Digest>,
    /// People were told that it takes no calls, or may take none, and no run has stopped them since.
    calls_given_up: bool,
    /// Its run that asks, and not because the device is lost.
    asking: Option<RunId>,
    /// The buffer that it was to start from when that was looked at last.
    selected: usize,
    /// Its run during whose question it left its software by itself. Nothing is sent to it until that is answered (H8), and
    /// what is not about software does not bring it back. Or the one that looked then, and saw what others tried.
    left_while_asked: Option<(RunId, bool)>,
    /// Of the backup under way its run knows that all files have come.
    came_whole: bool,
    /// The run whose restore of what the device converted has failed, and that is to have it converted once more.
    converts_anew: Option<RunId>,
    /// It left its software by itself while no run was about that.
    away: Option<Away>,
    /// The run, and the software that it found the device on: what is in force there then is owed, whoever put it there.
    began_from: Option<(RunId, (String, Option<u32>))>,
    /// Somebody is asked about it because it could not be brought back.
    asked_as_lost: bool,
    /// How many datagrams the manager had sent to it when it was to be brought back once more.
    to_be_brought_back: Option<u64>,
    /// Until when calls are waited for before it restarts.
    calls_until: Option<Time>,
    /// How many datagrams the manager sent to it, and how many that were when its run began.
    sent: u64,
    sent_before: u64,
}

impl Checks {
    pub(crate) fn new(units: &[Unit], profile: &Profile) -> Self {
        let mut checks = Self {
            trial_s: 0,
            soak: Duration::ZERO,
            devices: Vec::new(),
            owners: BTreeMap::new(),
            kinds: BTreeMap::new(),
            backoff_ms: 0.0,
            replayed: BTreeMap::new(),
            references: BTreeMap::new(),
            used: BTreeSet::new(),
            ftp_stopped: BTreeSet::new(),
            cancelled: BTreeMap::new(),
            safe: BTreeSet::new(),
            unhindered: BTreeSet::new(),
        };
        checks.know(profile);
        for (place, unit) in units.iter().enumerate() {
            let mut known = Known {
                owed: BTreeMap::new(),
                history: BTreeSet::new(),
                ever: BTreeSet::new(),
                held: BTreeSet::new(),
                under: BTreeMap::new(),
                seen: Vec::new(),
                operation: Record::idle(),
                stopped: None,
                watched_since: None,
                on_trial_since: None,
                tried_by_others: false,
                looked_in: 0,
                commanded: Commanded::default(),
                shown_busy: None,
                waited_for: None,
                before_trial: None,
                rotted: false,
                edited: None,
                edited_meanwhile: None,
                owed_before: None,
                edited_on_trial: None,
                left_behind: None,
                calls_given_up: false,
                asking: None,
                selected: unit.device.durable().boot.selected,
                left_while_asked: None,
                came_whole: false,
                converts_anew: None,
                away: None,
                began_from: None,
                asked_as_lost: false,
                to_be_brought_back: None,
                calls_until: None,
                sent: 0,
                sent_before: 0,
            };
            known.owe(place, device::in_force(unit.device.durable()), &mut checks.owners);
            checks.devices.push(known);
        }
        checks
    }

    /// Devices are of this profile.
    pub(crate) fn know(&mut self, profile: &Profile) {
        self.trial_s = profile.limits.trial_s;
        self.soak = Duration::from_secs_f64(profile.limits.soak_s);
        self.backoff_ms = profile.limits.backoff_s.min(profile.limits.backoff_cap_s) * 1000.0;
    }

    /// A run begins.
    pub(crate) fn begun(&mut self, place: usize, run: &Run) {
        self.replayed.insert(run.id, (run.clone(), 0));
        self.references.insert(run.id, Reference::new(&run.goal, run.choices.policy));
        if let Some(known) = self.devices.get_mut(place) {
            known.sent_before = known.sent;
            known.edited = None;
            known.owed_before = None;
            known.calls_until = None;
        }
    }

    /// What an operator says is committed, or nothing came of it: a run that was not over is cancelled from now on.
    pub(crate) fn cancelled(&mut self, inputs: &[Input], store: &Store) {
        for input in inputs {
            if let Input::Cancel(run) = input
                && let Some(stored) = store.runs.get(run)
            {
                self.cancelled.entry(*run).or_insert(stored.run.operations);
            }
        }
    }

    /// The manager cannot store what it knows, and looks anew, as one that was killed.
    pub(crate) fn hindered(&mut self) {
        self.devices.iter_mut().for_each(|known| known.waited_for = None);
        self.looks_anew();
    }

    /// A datagram is sent to a device.
    pub(crate) fn sent(&mut self, place: usize) {
        if let Some(known) = self.devices.get_mut(place) {
            known.sent += 1;
        }
    }

    /// The old software of a device is broken while new one is on trial.
    pub(crate) fn rotted(&mut self, place: usize) {
        if let Some(known) = self.devices.get_mut(place) {
            known.rotted = true;
        }
    }

    /// After each change of a device's durable memory.
    pub(crate) fn device_changed(
        &mut self,
        place: usize,
        units: &[Unit],
        store: &Store,
        now: Time,
    ) -> Checked {
        let (Some(known), Some(unit)) = (self.devices.get_mut(place), units.get(place)) else {
            return Ok(());
        };
        let durable = unit.device.durable();
        let other_runs = known.selected != durable.boot.selected;
        let is_switch =
            matches!(durable.operation.command, Command::Activate | Command::Reset | Command::Rollback);
        let commanded = is_at_work(durable) && is_switch && !durable.operation.id.starts_with(RIVAL);
        if other_runs && !commanded {
            let run = store.open_run_of(device_id(place)).map(|stored| stored.run.as_ref());
            let theirs = known.tried_by_others || durable.operation.id.starts_with(RIVAL);
            // What they tried may have been seen, and the run leave it to them, right before it is over, or begins no more.
            let looks =
                run.filter(|run| theirs && matches!(run.state, State::Verifying(_) | State::Preflight(_)));
            let looking = looks.map(|run| (run.id, true));
            let waiting = known.asking.take().map(|run| (run, false)).or(looking);
            known.left_while_asked = waiting.or(known.left_while_asked);
            let is_known = run.is_some_and(|run| run.old.is_some() || run.expected.is_some());
            let left = store.expected(device_id(place));
            if !is_known && left.is_none() {
                // What it was like before no manager has ever seen. What others only try is not what it is like now.
                if !ending::is_left_to_others(known, durable) {
                    known.history.clear();
                    known.owe(place, device::in_force(durable), &mut self.owners);
                }
            } else if !run.is_some_and(|run| is_about_what_runs(run) && run.old.is_some()) {
                // A run that has not looked yet may end without that.
                let is_home =
                    left.is_some_and(|left| device::is_running(durable, &left.version, left.buffer));
                known.changed_software(durable, is_home);
            }
        }
        known.selected = durable.boot.selected;
        if known.seen != durable.configurations {
            known.seen.clone_from(&durable.configurations);
            self.kinds.extend(device::kinds(durable));
            known.held = device::held(durable);
            known.ever.extend(&known.held);
            device::note_software(durable, &mut known.under);
            self.a_configuration_is_on_its_device_or_in_a_backup(place, store)?;
            self.no_configuration_is_on_another_device(place, durable)?;
        }
        device::there_is_always_software_to_start(place, durable)?;
        self.the_old_image_stays_until_the_new_one_is_confirmed(place, durable)?;
        command::an_operation_is_started_once(unit)?;
        self.a_command_is_due(place, unit, store, now)?;
        if let Some(known) = self.devices.get_mut(place) {
            let left = other_runs || (known.on_trial_since.is_some() && durable.boot.trial.is_none());
            if left && durable.operation.command != Command::Rollback && !known.holds_edit_of_trial(durable) {
                known.left_behind = known.edited_on_trial.take().or(known.left_behind);
            }
            let tried_since = known.on_trial_since.filter(|_| !other_runs);
            known.tried_by_others = match tried_since {
                Some(_) => known.tried_by_others && durable.boot.trial.is_some(),
                None => durable.boot.trial.is_some() && durable.operation.id.starts_with(RIVAL),
            };
            known.on_trial_since = durable.boot.trial.as_ref().map(|_| known.on_trial_since.unwrap_or(now));
        }
        let asking = self.devices.get(place).and_then(|known| known.asking);
        match asking.and_then(|run| store.runs.get(&run)) {
            Some(stored) => self.a_question_finds_the_device_as_it_was(place, &stored.run, durable),
            None => Ok(()),
        }
    }

    /// After each commit of a run.
    pub(crate) fn committed(
        &mut self,
        write: &Write,
        units: &[Unit],
        store: &Store,
        now: Time,
        calm: Option<Duration>,
    ) -> Checked {
        let run = &write.run;
        let place = place_of(run.device.id);
        let (Some(known), Some(unit)) = (self.devices.get_mut(place), units.get(place)) else {
            return Ok(());
        };
        write.stories.iter().for_each(|told| known.may_be_taken_back(told, run, unit.device.durable()));
        let restores = matches!(run.state, State::Working { step: Step::Restoring, .. });
        if known.edited_meanwhile.is_some() && (run.is_over() || !(run.returning || restores)) {
            let now = device::in_force(unit.device.durable());
            if known.edited_meanwhile.take() == edited_part(&now) {
                // Nothing had to be restored: the settings of today stay.
                known.owe(place, now, &mut self.owners);
            }
        }
        edits::what_came_whole_is_kept(known, write, store)?;
        known.note_lost_trial(write, unit.device.durable(), store);
        if let State::Ended(ending) = &run.state {
            let durable = unit.device.durable();
            if known.holds_work_of_a_person(durable) && ending.outcome == Outcome::Succeeded {
                let edited = device::in_force(durable).remove(&ConfigurationKind::UserData);
                known.owed.extend(edited.map(|document| (ConfigurationKind::UserData, document)));
            } else if ending.outcome == Outcome::DeviceLost {
                known.forgive_trial();
                known.history.retain(|digest| known.left_behind.is_none_or(|left| left != *digest));
            }
            known.edited_on_trial = None;
        }
        if let State::Draining { limit, .. } = &run.state {
            known.calls_until = Some(*limit);
        }
        run::again_is_tried(known, run, &write.stories)?;
        run::a_failed_restore_goes_back_to_the_conversion(known, write)?;
        run::an_engine_that_is_learnt_is_the_device_s_own(write, unit)?;
        Self::software_that_restarts_while_it_is_watched_is_not_kept(known, write, unit)?;
        Self::a_backup_that_succeeded_is_there(run, store)?;
        words::what_was_said_is_heeded(known, write)?;
        run::a_question_waits_as_long_as_was_said(run, &write.stories, store)?;
        known.asking = match &run.state {
            State::Asking(question) if !question.lost => Some(run.id),
            _ => None,
        };
        // What others did to it stays, and the end says so.
        let operation = &unit.device.durable().operation;
        let theirs = operation.state == OperationState::Done && !operation.id.starts_with(&run.prefix());
        if let Some(old) = &run.old {
            let software = (old.version.clone(), old.buffer);
            let first = known.began_from.as_ref().is_none_or(|(before, _)| *before != run.id);
            let moved = known.began_from.as_ref().is_some_and(|(_, before)| *before != software);
            // What others did, and what leaves its software by itself under a run that is about something else.
            if first || (moved && (theirs || !is_about_what_runs(run))) {
                known.began_from = Some((run.id, software));
                // It may run something else since it was looked at.
                let durable = unit.device.durable();
                if device::is_running(durable, &old.version, old.buffer) {
                    known.owed = device::in_force(durable);
                }
            }
        }
        let brings_back = !theirs && is_about_what_runs(run);
        let waits = known.asking.is_some() || matches!(run.state, State::Verifying(_));
        if !(waits || run.is_over()) {
            known.left_while_asked = None;
        }
        let is_left = |(left, tried): (RunId, bool)| left == run.id && (waits || !brings_back || tried);
        let left = known.left_while_asked.is_some_and(is_left);
        if left {
            known.asking = None;
        }
        let stops_calls =
            |told: &Told| matches!(told.story, Story::StepBegun { step: Step::ClosingCalls, .. });
        known.calls_given_up &= !write.stories.iter().any(stops_calls);
        known.calls_given_up |=
            matches!(&run.state, State::Ended(ending) if ending::is_told_to_take_none(ending));
        let given_up = known.calls_given_up;
        let datagrams = known.sent - known.sent_before;
        let durable = unit.device.durable();
        self.the_figure_is_that_of_the_requirements(write)?;
        run::a_run_is_bounded(run, store)?;
        run::a_device_that_was_looked_at_is_known(run, store)?;
        run::nobody_is_given_up_unasked(run, store)?;
        run::what_failed_is_left_in_peace_for_a_time(write, self.backoff_ms)?;
        self.a_backup_has_each_file_under_its_kind(write)?;
        self.a_backup_is_listed_under_its_software(place, write)?;
        self.nothing_is_lost_for_no_reason(place, run)?;
        self.what_is_lost_on_its_way_is_sent_again(place, write, unit)?;
        match &run.state {
            State::Asking(question) if !question.lost => {
                if !given_up {
                    Self::a_question_leaves_the_device_open_for_calls(place, run, unit)?;
                }
                if left { Ok(()) } else { self.a_question_finds_the_device_as_it_was(place, run, durable) }
            }
            State::Asking(_) => self.what_is_called_lost_is_not_in_service(place, run, unit, calm),
            State::Ended(ending) => {
                if ending.outcome == Outcome::DeviceLost && run.choices.policy == Policy::Never {
                    self.what_is_called_lost_is_not_in_service(place, run, unit, calm)?;
                }
                if !given_up {
                    ending::an_end_leaves_the_device_open_for_calls(run, ending, unit)?;
                }
                ending::an_end_leaves_none_of_its_operations_at_work(write, ending)?;
                ending::what_others_only_try_is_not_handed_on(run, ending)?;
                run::no_device_is_flooded(run, datagrams, (now - run.begun).as_secs())?;
                if left {
                    return Ok(());
                }
                self.an_end_leaves_the_device_in_service(place, run, ending, durable, store)
            }
            _ => Ok(()),
        }
    }

    /// The file server tells something.
    pub(crate) fn reported(&mut self, report: &Report) -> Checked {
        self.a_ticket_is_used_once(report)
    }

    /// When everything has come to its end.
    pub(crate) fn at_the_end(&self, units: &[Unit], store: &Store) -> Checked {
        Self::what_is_kept_of_a_run_is_bounded(store)?;
        for (place, unit) in units.iter().enumerate() {
            self.a_configuration_is_on_its_device_or_in_a_backup(place, store)?;
            device::no_device_is_left_dead(place, unit)?;
            if !self.devices.get(place).is_some_and(|known| known.calls_given_up) {
                ending::in_the_end_every_device_takes_calls(place, unit, store)?;
            }
        }
        Ok(())
    }
}

/// Whether a run of this goal brings a device back that leaves its software by itself.
const fn is_about_what_runs(run: &Run) -> bool {
    !matches!(run.goal, Goal::Backup | Goal::Restore { .. })
}

const fn is_at_work(durable: &Durable) -> bool {
    matches!(durable.operation.state, OperationState::Waiting | OperationState::Running)
}

fn digest_of_document(document: &Document) -> Digest {
    crate::images::digest_of(document.text().as_bytes())
}
