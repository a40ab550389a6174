//! What must hold of a run: at its questions, and of what is stored of it.

use core::time::Duration;
use std::fmt::{self, Write as _};

use engine::director::{Told, Turn, Write};
use iad_sim::device::{CallAdmission, Durable};
use iad_sim::personality::iad::engine_id;
use upgrade::operation::Cause;
use upgrade::profile::ConvertedBy;
use upgrade::run::{AnswerKind, BackedUp, Ending, Event, Failure, Goal, Outcome, Policy, State, Step, Story};
use upgrade::{Digest, Kind, Profile, Protocol, Run, RunId, StoredFile};

use super::ending::is_left_to_others;
use super::{Checked, Checks, Known, Violation, broken};
use crate::images::{kind, runs_well};
use crate::store::Store;
use crate::unit::Unit;

/// Settings that changed since they were backed up are backed up anew, as often as the profile says; only then somebody is asked (row
/// S16). `store` is what was known before.
pub(crate) fn settings_that_moved_are_backed_up_anew(turn: &Turn, store: &Store, repeats: u32) -> Checked {
    for write in &turn.transaction.writes {
        let Some(before) = store.runs.get(&write.run.id).map(|stored| &stored.run) else { continue };
        let moved = |failure: &Failure| failure.cause == Cause::RevisionMoved;
        let fails = before.failure != write.run.failure && write.run.failure.as_ref().is_some_and(moved);
        // What is changed on new software ends its trial; and where others made it run meanwhile, it is brought back first.
        let was_before = before.on_trial.is_none() && !before.returning && !write.run.returning;
        if fails && was_before && write.run.drifts == 0 && before.drifts < repeats {
            return broken(
                "settings_that_moved_are_backed_up_anew",
                format!("run {} gives up after {} of {repeats}", write.run.id, before.drifts),
            );
        }
    }
    Ok(())
}

/// The engine that proves to speak for a device is its own, and not that of another unit that answered in its place: what that says is
/// taken for the device's word from then on (row B13).
pub(super) fn an_engine_that_is_learnt_is_the_device_s_own(write: &Write, unit: &Unit) -> Checked {
    match write.engine.filter(|engine| *engine != engine_id(&unit.device)) {
        Some(engine) => {
            broken("an_engine_that_is_learnt_is_the_device_s_own", format!("run {}: {engine}", write.run.id))
        }
        None => Ok(()),
    }
}

/// Where a restore of what the device converted fails, it converts once more: what it made of the configuration may be why (row H23).
/// What an operator edited stays what it is.
pub(super) fn a_failed_restore_goes_back_to_the_conversion(known: &mut Known, write: &Write) -> Checked {
    let run = &write.run;
    for told in &write.stories {
        match &told.story {
            Story::StepFailed(failure) if failure.step == Step::Restoring => {
                let converts = run.conversion == Some(ConvertedBy::Device) && !run.returning;
                known.converts_anew = converts.then_some(run.id);
            }
            Story::StepBegun { step: Step::Converting, .. } | Story::Ended(_) => known.converts_anew = None,
            Story::Answered { answer } if *answer != Some(AnswerKind::Again) => known.converts_anew = None,
            Story::StepBegun { step: Step::Restoring, .. } if known.converts_anew == Some(run.id) => {
                let what = format!("run {} restores without it", run.id);
                return broken("a_failed_restore_goes_back_to_the_conversion", what);
            }
            _ => {}
        }
    }
    Ok(())
}

/// More operations than this in one run are a run that goes round in circles.
const MOST_OPERATIONS: u32 = 300;

/// More events than this in the log of one run would fill the disk.
const MOST_EVENTS: usize = 20_000;

/// However often an operator says `again`, nobody is asked more often than this.
const MOST_QUESTIONS: usize = 40;

/// A run that takes more memory than this, printed, could not be kept a million times.
const MOST_TEXT: usize = 64 * 1024;

/// What is called lost so long after the last trouble, was called so for another reason.
const LONG_CALM: Duration = Duration::from_secs(400);

/// For each operation of a run, and for each second that it lasts, so many datagrams may be sent to its device.
const MOST_DATAGRAMS: (u64, u64) = (200, 10);

/// Whoever answers `again` about a device that could not be brought back wants it to be tried: nobody is asked once more, or told that
/// it is lost, before anything was sent to it.
pub(super) fn again_is_tried(known: &mut Known, run: &Run, told: &[Told]) -> Checked {
    let again =
        told.iter().any(|told| matches!(told.story, Story::Answered { answer: Some(AnswerKind::Again) }));
    if again && known.asked_as_lost {
        known.to_be_brought_back = Some(known.sent);
    }
    known.asked_as_lost = matches!(&run.state, State::Asking(question) if question.lost);
    let is_lost = matches!(&run.state, State::Ended(ending) if ending.outcome == Outcome::DeviceLost);
    if !known.asked_as_lost && !is_lost {
        return Ok(());
    }
    match known.to_be_brought_back.take() {
        Some(sent) if sent == known.sent => {
            broken("again_is_tried", format!("run {}: `again`, and nothing was sent to the device", run.id))
        }
        _ => Ok(()),
    }
}

/// Who is asked at night answers in the morning: a question is closed for want of an answer when the time is over that the operator
/// has set, and never where none is set (row H8).
pub(super) fn a_question_waits_as_long_as_was_said(run: &Run, told: &[Told], store: &Store) -> Checked {
    let closed = |told: &&Told| matches!(told.story, Story::Answered { answer: None });
    let cancelled = told.iter().any(|told| matches!(told.story, Story::Cancelled));
    let Some(closed) = told.iter().find(closed).filter(|_| !cancelled) else { return Ok(()) };
    // While the manager was down nobody could answer.
    let asked =
        |told: &&Told| matches!(told.story, Story::Asked { .. } | Story::Resumed) && told.n < closed.n;
    let asked = store.runs.get(&run.id).and_then(|stored| stored.stories.iter().rfind(asked));
    let limit = run.choices.question_limit_ms.map(Duration::from_millis);
    match asked.zip(limit).map(|(asked, limit)| closed.at - asked.at >= limit) {
        Some(true) => Ok(()),
        _ => {
            let what = format!("run {} was to be asked for {limit:?}", run.id);
            broken("a_question_waits_as_long_as_was_said", what)
        }
    }
}

/// Which unit is at an address is known from the first look on: another one that is put there later is not taken for it (row B13).
pub(super) fn a_device_that_was_looked_at_is_known(run: &Run, store: &Store) -> Checked {
    if run.old.is_none() || store.unique_ids.contains_key(&run.device.id) {
        return Ok(());
    }
    broken("a_device_that_was_looked_at_is_known", format!("run {}: nobody knows which unit it is", run.id))
}

/// Who drives to a device has been asked before, unless the policy is never to ask (rows H8, H16).
pub(super) fn nobody_is_given_up_unasked(run: &Run, store: &Store) -> Checked {
    let is_lost = matches!(&run.state, State::Ended(ending) if ending.outcome == Outcome::DeviceLost);
    let spoken = |told: &Told| matches!(told.story, Story::Asked { .. } | Story::Cancelled);
    let asked = store.runs.get(&run.id).is_some_and(|stored| stored.stories.iter().any(spoken));
    if !is_lost || asked || run.choices.policy == Policy::Never {
        return Ok(());
    }
    broken("nobody_is_given_up_unasked", format!("run {} ended, and the device is called lost", run.id))
}

/// What failed is tried again later, and later each time, not at once: the reason may take time to go away (row H8).
pub(super) fn what_failed_is_left_in_peace_for_a_time(write: &Write, least_ms: f64) -> Checked {
    let too_soon = |told: &&Told| {
        let after = match told.story {
            Story::Repeating { after_ms, .. } => after_ms,
            _ => 0,
        };
        after > 0 && (after as f64) < least_ms
    };
    match write.stories.iter().find(too_soon) {
        Some(told) => broken(
            "what_failed_is_left_in_peace_for_a_time",
            format!("run {}: {:?}", write.run.id, told.story),
        ),
        None => Ok(()),
    }
}

impl Checks {
    /// What was backed up as one kind of configuration is restored as that: under another one it is lost.
    pub(super) fn a_backup_has_each_file_under_its_kind(&self, write: &Write) -> Checked {
        let files = write.backups.iter().flat_map(|backup| &backup.set.files);
        let is_other = |(name, file): &(&Kind, &StoredFile)| {
            self.kinds.get(&file.digest).is_some_and(|known| kind(*known) != **name)
        };
        match { files }.find(is_other) {
            Some((name, _)) => broken(
                "a_backup_has_each_file_under_its_kind",
                format!("run {}: what is kept as {name} is not that", write.run.id),
            ),
            None => Ok(()),
        }
    }

    /// Who looks for the settings of before, or of a trial, finds them by the version of the software that had them.
    pub(super) fn a_backup_is_listed_under_its_software(&self, place: usize, write: &Write) -> Checked {
        let Some(known) = self.devices.get(place) else { return Ok(()) };
        for BackedUp { version, set } in &write.backups {
            let Some(version) = version else { continue };
            let never =
                |digest: &Digest| known.under.get(digest).is_some_and(|versions| !versions.contains(version));
            if let Some((kind, _)) = set.files.iter().find(|(_, file)| never(&file.digest)) {
                let what = format!("run {}: its {kind} was never that of {version:?}", write.run.id);
                return broken("a_backup_is_listed_under_its_software", what);
            }
        }
        Ok(())
    }

    /// A question may stay open for days. Until it is answered the device serves its subscribers as before.
    pub(super) fn a_question_finds_the_device_as_it_was(
        &self,
        place: usize,
        run: &Run,
        durable: &Durable,
    ) -> Checked {
        if self.devices.get(place).is_some_and(|known| is_left_to_others(known, durable)) {
            return Ok(());
        }
        self.is_as_before(place, run, durable).map_err(|what| Violation {
            invariant: "a_question_finds_the_device_as_it_was",
            what: format!("run {} of device {}: {what}", run.id, place + 1),
        })
    }

    /// A question may stay open for days, and subscribers want to make calls meanwhile.
    pub(super) fn a_question_leaves_the_device_open_for_calls(
        place: usize,
        run: &Run,
        unit: &Unit,
    ) -> Checked {
        if !matches!(unit.device.calls(), Some((_, CallAdmission::Closed))) {
            return Ok(());
        }
        let what = format!("run {} of device {}", run.id, place + 1);
        broken("a_question_leaves_the_device_open_for_calls", what)
    }

    /// Who is told that a device is lost drives there. Long after all trouble is over, one that answers and is as it was
    /// before is not.
    pub(super) fn what_is_called_lost_is_not_in_service(
        &self,
        place: usize,
        run: &Run,
        unit: &Unit,
        calm: Option<Duration>,
    ) -> Checked {
        let calm = calm.is_some_and(|calm| calm > LONG_CALM) && unit.device.answers();
        let open = !matches!(unit.device.calls(), Some((_, CallAdmission::Closed)));
        let idle = run.old.is_some() && run.backup.is_some();
        if calm && open && idle && self.is_as_before(place, run, unit.device.durable()).is_ok() {
            let what = format!("run {} of device {}", run.id, place + 1);
            return broken("what_is_called_lost_is_not_in_service", what);
        }
        Ok(())
    }

    /// A device to which nothing happened that could cost one is brought back, whatever failed.
    pub(super) fn nothing_is_lost_for_no_reason(&self, place: usize, run: &Run) -> Checked {
        let reason = match &run.state {
            State::Asking(question) if question.lost => question.failure.as_ref().map(ToString::to_string),
            State::Ended(Ending { outcome: Outcome::DeviceLost, reason, .. }) => Some(reason.clone()),
            _ => return Ok(()),
        };
        if !self.safe.contains(&place) {
            return Ok(());
        }
        let what = format!("run {} of device {}: {}", run.id, place + 1, reason.unwrap_or_default());
        broken("nothing_is_lost_for_no_reason", what)
    }

    /// A thin link loses a part of all that is sent, and that is no reason for anything to fail: where nothing else happens to a device,
    /// and software is wanted that runs there, nothing does.
    pub(super) fn what_is_lost_on_its_way_is_sent_again(
        &self,
        place: usize,
        write: &Write,
        unit: &Unit,
    ) -> Checked {
        let Some(known) = self.devices.get(place) else { return Ok(()) };
        let reads = |format| known.owed.values().all(|document| document.format <= format);
        let runs = match &write.run.goal {
            Goal::Upgrade { image } => runs_well(image) && image.manifest.format.is_none_or(reads),
            // What was loaded once may be anything.
            Goal::RollBack => false,
            Goal::Backup | Goal::Restore { .. } | Goal::Reset => true,
        };
        // Connections break off by chance, and calls are waited for so long only.
        let other = unit.plan.protocol == Protocol::Ftp || unit.plan.settings.calls > 0;
        if !runs || other || !self.unhindered.contains(&place) {
            return Ok(());
        }
        let failed = write.stories.iter().find_map(|told| match &told.story {
            Story::StepFailed(failure) => Some(failure),
            _ => None,
        });
        match failed {
            Some(failure) => {
                let what = format!("run {} of device {}: {failure}", write.run.id, place + 1);
                broken("what_is_lost_on_its_way_is_sent_again", what)
            }
            None => Ok(()),
        }
    }

    /// Who asked for a backup, and is told that there is one, finds it among the backups of the device.
    pub(super) fn a_backup_that_succeeded_is_there(run: &Run, store: &Store) -> Checked {
        let State::Ended(Ending { outcome: Outcome::Succeeded, .. }) = &run.state else { return Ok(()) };
        let is_there = |set: &upgrade::ConfigurationSet| {
            store.backups.iter().any(|backup| backup.device == run.device.id && backup.set == *set)
        };
        if !matches!(run.goal, Goal::Backup) || run.backup.as_ref().is_some_and(is_there) {
            return Ok(());
        }
        broken("a_backup_that_succeeded_is_there", format!("run {}", run.id))
    }

    /// New software that restarts while it is watched is not well, whatever it says (row B4).
    pub(super) fn software_that_restarts_while_it_is_watched_is_not_kept(
        known: &mut Known,
        write: &Write,
        unit: &Unit,
    ) -> Checked {
        let begins = |told: &Told| matches!(told.story, Story::StepBegun { step: Step::Soaking, .. });
        let is_done = |told: &Told| matches!(told.story, Story::StepDone { step: Step::Soaking, .. });
        if write.stories.iter().any(begins) {
            // One that begins to be watched before it is up again may count that start.
            known.watched_since = Some(unit.device.durable().boot.boots);
        }
        if !write.stories.iter().any(is_done) {
            return Ok(());
        }
        let told = write.events.iter().rev().find_map(|(_, event)| match event {
            Event::Read { reading, .. } => Some(reading.boots),
            _ => None,
        });
        match known.watched_since.take().zip(told.flatten()) {
            Some((before, now)) if now > before => {
                let what = format!("run {}: start {now} after {before}", write.run.id);
                broken("software_that_restarts_while_it_is_watched_is_not_kept", what)
            }
            _ => Ok(()),
        }
    }

    /// However long a run took, what is kept of it has a bound.
    pub(super) fn what_is_kept_of_a_run_is_bounded(store: &Store) -> Checked {
        for (id, stored) in &store.runs {
            let mut text = Counted(0);
            let written = write!(text, "{:?}", stored.run);
            if written.is_err() || text.0 > MOST_TEXT {
                let what = format!("run {id} takes {} bytes as text", text.0);
                return broken("what_is_kept_of_a_run_is_bounded", what);
            }
        }
        Ok(())
    }

    /// What the requirements say of the figure holds for what is told of the run.
    pub(super) fn the_figure_is_that_of_the_requirements(&mut self, write: &Write) -> Checked {
        let Some(reference) = self.references.get_mut(&write.run.id) else { return Ok(()) };
        for told in &write.stories {
            if let Err(why) = reference.follow(&told.story) {
                let what = format!("run {}: {:?}, but {why}", write.run.id, told.story);
                return broken("the_figure_is_that_of_the_requirements", what);
            }
        }
        Ok(())
    }

    /// What is stored must follow from what happened, or nobody can say afterwards why a device was treated as it was.
    pub(crate) fn replays(&mut self, store: &Store, profile: &Profile) -> Checked {
        for (id, stored) in &store.runs {
            let Some((run, done)) = self.replayed.get_mut(id) else { continue };
            for (at, event) in stored.events.iter().skip(*done) {
                if let Some(asked) = asked(event) {
                    run.asked = asked;
                }
                match run.step(event, profile, *at) {
                    Ok((next, _)) => *run = next,
                    Err(_) => {
                        let what = format!("run {id}: {event:?} means nothing in {:?}", run.state);
                        return broken("the_log_leads_to_the_state", what);
                    }
                }
            }
            *done = stored.events.len();
            if !run.lasts_as(&stored.run) {
                let what =
                    format!("run {id}: the log leads to {:?}, stored is {:?}", run.state, stored.run.state);
                return broken("the_log_leads_to_the_state", what);
            }
        }
        Ok(())
    }
}

/// An operator waits for a run that never ends for ever, and its device is kept from every other one.
pub(crate) fn when_faults_stop_every_run_ends(events: u64, store: &Store) -> Checked {
    let open: Vec<_> =
        store.open_runs().map(|stored| format!("{}: {:?}", stored.run.id, stored.run.state)).collect();
    broken("when_faults_stop_every_run_ends", format!("after {events} events: {}", open.join("; ")))
}

/// Two runs on one device, or two managers on one run, undo each other's work.
pub(crate) fn one_run_at_a_time(run: RunId) -> Checked {
    broken("one_run_at_a_time", format!("run {run} was written twice, or a device is in two"))
}

/// Text of which only the length is wanted.
struct Counted(usize);

impl fmt::Write for Counted {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 += text.len();
        Ok(())
    }
}

/// A run that grows without bound fills the manager's memory, and asks people for ever.
pub(super) fn a_run_is_bounded(run: &Run, store: &Store) -> Checked {
    let events = store.runs.get(&run.id).map_or(0, |stored| stored.events.len());
    let asked = |told: &&Told| matches!(told.story, Story::Asked { .. });
    let questions = store.runs.get(&run.id).map_or(0, |stored| stored.stories.iter().filter(asked).count());
    if run.operations > MOST_OPERATIONS || events > MOST_EVENTS || questions > MOST_QUESTIONS {
        let what = format!(
            "run {} has {} operations, {events} events, {questions} questions",
            run.id, run.operations
        );
        return broken("a_run_is_bounded", what);
    }
    Ok(())
}

/// A thin link that is flooded carries nobody's calls: what is sent to a device has a bound, however much is lost.
pub(super) fn no_device_is_flooded(run: &Run, datagrams: u64, lasted_s: u64) -> Checked {
    let (each_operation, each_second) = MOST_DATAGRAMS;
    let most = u64::from(run.operations + 1) * each_operation + lasted_s * each_second;
    if datagrams <= most {
        return Ok(());
    }
    let what = format!("run {}: {datagrams} datagrams in {lasted_s} s", run.id);
    broken("no_device_is_flooded", what)
}

const fn asked(event: &upgrade::run::Event) -> Option<u32> {
    use upgrade::run::Event;
    match event {
        Event::Read { asked, .. }
        | Event::Unread { asked, .. }
        | Event::Accepted { asked }
        | Event::Refused { asked, .. }
        | Event::Unanswered { asked } => Some(*asked),
        _ => None,
    }
}
