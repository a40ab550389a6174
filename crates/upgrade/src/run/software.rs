//! Which software the device runs, where it may have taken other software by itself.
//!
//! A device whose software does not start any more runs what its other buffer holds: what was there before, or what was
//! just loaded, untried and without its settings.

use serde::{Deserialize, Serialize};

use super::step::{Rejected, Turn};
use super::{Expected, Goal, Old, State, Step};
use crate::ConfigurationSet;
use crate::image::Image;
use crate::operation::Cause;
use crate::reading::{Buffer, OperationReading, OperationState, Reading, Role};

/// The word of a profile for a restart after which the other buffer's software runs, since what was to run did not start
/// (IAD-MIB `iadSysBootReason`).
const FALLBACK: &str = "fallback";

/// From loading software until it is confirmed a run makes so many operations at least: it activates, restores and confirms.
const FROM_LOADED: u32 = 3;

/// How a device was found to be ahead of what is stored of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ahead {
    /// The number of the operation of this run that it showed.
    pub operation: u32,
    /// Whether it was where the run was to bring it, confirmed and with settings.
    pub arrived: bool,
}

impl Turn<'_> {
    pub(super) const fn changes_software(&self) -> bool {
        matches!(self.run.goal, Goal::Upgrade { .. } | Goal::RollBack)
    }

    /// Whether what runs in the end is this run's matter.
    pub(super) const fn answers_for_software(&self) -> bool {
        self.changes_software() || matches!(self.run.goal, Goal::Reset)
    }

    /// Whether a device that runs other software than before is to be brought back: it took what this run is about.
    pub(super) fn is_to_be_brought_back(&self) -> bool {
        let concerned = match self.run.goal {
            // Backed up or not: what would be loaded next goes over the software that it left, and its settings.
            Goal::Upgrade { .. } => true,
            // A restart is with the same software.
            Goal::Reset => true,
            Goal::RollBack => self.run.ran_last(self.run.target()),
            Goal::Backup | Goal::Restore { .. } => false,
        };
        concerned && self.run.old.is_some()
    }

    /// Whether a part of the figure failed on other software than before.
    pub(super) fn has_left(&self, failed: Step, cause: &Cause) -> bool {
        let old = self.run.old.as_ref().map(Old::software);
        let elsewhere = failed != Step::Preflight && !self.run.ran_last(old);
        elsewhere || matches!(cause, Cause::WrongVersion { .. })
    }

    /// Whether a device that is not heard is looked for before anybody is asked about it: it may run its other software by now, and what
    /// was backed up belongs to this.
    pub(super) fn may_have_slid(&self) -> bool {
        self.run.loaded.is_some() || (self.run.backup.is_some() && self.answers_for_software())
    }

    /// It does not run the software of before.
    pub(super) fn left_the_old_software(&self, reading: &Reading) -> Option<Cause> {
        Cause::of_software(reading.running()?.software(), self.run.old.as_ref()?.software())
    }

    /// Others have it try the very software of before.
    pub(super) fn is_tried_by_others(&self, reading: &Reading) -> Option<Cause> {
        let tried = reading.running().filter(|running| running.role == Some(Role::Trial))?;
        self.left_the_old_software(reading).is_none().then(|| Cause::on_trial(&tried.version))
    }

    /// It runs other software, and not because of this run: the settings of the old software are what they were.
    pub(super) fn note_aside(&mut self, reading: &Reading) {
        let Some(old) = self.run.old.as_ref().filter(|_| self.run.activated.is_none()) else { return };
        let held = reading.configuration_of(old.software());
        let is_away = reading.running().is_some_and(|running| !old.software().is(running.software()));
        if is_away && !held.files.is_empty() {
            self.run.aside = Some(held);
        }
    }

    /// Whether the old software is back with the settings that it had all along, which may be later ones than were backed up.
    pub(super) fn is_back_untouched(&self, reading: &Reading) -> bool {
        let held = reading.running_configuration();
        let untouched = self.run.aside.as_ref().is_some_and(|aside| aside.same_files(&held));
        self.run.activated.is_none() && untouched
    }

    /// The goal was reached, and by itself the device left the software that it is to run since: what undoes that part of
    /// the figure, and why.
    pub(super) fn left_what_was_reached(&self) -> Option<(Step, Cause)> {
        let (step, wanted) = match self.run.goal {
            Goal::Upgrade { .. } => (Step::Confirming, self.run.target()?),
            Goal::RollBack => (Step::RollingBack, self.run.target()?),
            Goal::Reset => (Step::Resetting, self.run.old.as_ref()?.software()),
            Goal::Backup | Goal::Restore { .. } => return None,
        };
        Some((step, Cause::of_software(self.run.last.software()?, wanted)?))
    }

    /// By itself the device took its other software, with settings or without. What others did to it meanwhile stays, unless what
    /// they left has settings that are in no backup, or what runs has none that matter, or it was to be brought back from there
    /// before they did anything; and what is on trial somebody tries by hand.
    pub(super) fn slid(&self, reading: &Reading) -> Option<Cause> {
        let running = reading.running()?;
        let left = self.left_the_old_software(reading);
        let failed = self.run.failure.as_ref().map(|failure| &failure.cause);
        let was_there = self.run.returning
            && left.is_some()
            && [failed, self.run.seen_away.as_ref()].contains(&left.as_ref());
        let on_trial = running.role == Some(Role::Trial);
        // The manager that went on with this run has it try that; what it has confirmed is where it was to be.
        let is_ours = on_trial && self.shows_what_is_ahead(reading) && self.run.backup.is_some();
        let is_work = !self.left_what_is_not_kept(reading) && !self.is_bare(reading);
        let by_itself = !on_trial && (self.shows_nothing_of_others(reading) || !is_work);
        let taken = (was_there || is_ours || by_itself) && !self.has_arrived_since(reading);
        left.filter(|_| taken && self.answers_for_software() && self.is_of_other_buffer(running))
    }

    /// The same while nothing is under way but a wait of this run's own: an upgrade goes back from whatever runs then.
    pub(super) fn left_while_waiting(&self, reading: &Reading) -> Option<Cause> {
        let upgrade = matches!(self.run.goal, Goal::Upgrade { .. });
        let arrived = self.has_arrived_since(reading);
        self.slid(reading).or_else(|| self.left_the_old_software(reading).filter(|_| upgrade && !arrived))
    }

    /// Whether the software of before has other settings than were backed up. What would be loaded next goes over them.
    fn left_what_is_not_kept(&self, reading: &Reading) -> bool {
        if !self.changes_software() {
            return false;
        }
        let left = self.run.old.as_ref().map(|old| reading.configuration_of(old.software()));
        left.is_some_and(|left| {
            let kept = self.run.backup.as_ref().is_some_and(|backup| backup.same_files(&left));
            !kept && !left.files.is_empty()
        })
    }

    /// Whether a kind of the configuration that the software of before has is another one than was backed up.
    pub(super) fn left_later_settings(&self, reading: &Reading) -> bool {
        let (Some(old), Some(backup)) = (&self.run.old, &self.run.backup) else { return false };
        let left = reading.configuration_of(old.software()).files;
        backup.files.iter().any(|(kind, file)| left.get(kind).is_some_and(|held| held != file))
    }

    /// Whether what runs has the settings that it had when this run left it, and not the subscriber's.
    fn is_bare(&self, reading: &Reading) -> bool {
        let found = reading.running_configuration();
        let is_found = |known: Option<&ConfigurationSet>| known.is_some_and(|known| known.same_files(&found));
        let is_wanted = is_found(self.run.wanted_configuration()) || is_found(self.run.backup.as_ref());
        !found.files.is_empty() && is_found(self.run.left_there.as_ref()) && !is_wanted
    }

    /// Whether the operation that it shows is one of this run, or the one that it showed before, or came to nothing: what
    /// failed, and be it a restart, is no reason to run other software. Nor is any where the device says that it fell back.
    fn shows_nothing_of_others(&self, reading: &Reading) -> bool {
        let prefix = self.run.prefix();
        let seen = self.run.old.as_ref().and_then(|old| old.operation.as_deref());
        let is_ours = |shown: &OperationReading| {
            let failed = matches!(shown.state, OperationState::Failed | OperationState::Aborted);
            failed || shown.id.starts_with(&prefix) || Some(&*shown.id) == seen
        };
        let fell_back = reading.boot_reason.as_deref() == Some(FALLBACK);
        fell_back || reading.operation.as_ref().is_none_or(is_ours)
    }

    /// Whether it is what the other buffer held before, or was given by this run.
    fn is_of_other_buffer(&self, running: &Buffer) -> bool {
        let before = self.run.old.as_ref().and_then(|old| old.standby_version.as_deref());
        [self.run.target_version(), self.run.loaded.as_deref(), before].contains(&Some(&*running.version))
    }

    /// The device runs other software: it is brought back, unless that is where it is to be rolled back to. What was backed
    /// up is still missing there.
    pub(super) fn slid_by_itself(&mut self, reading: &Reading) -> Result<(), Rejected> {
        if self.run.is_closing() || !self.is_rolled_back_by_itself(reading) {
            return self.go_back();
        }
        self.run.activated = Some(self.now);
        self.run.returning = false;
        self.run.stranded = None;
        self.roll_back()
    }

    /// Whether it took by itself what it is to be rolled back to, and today's settings, which belong there, are backed up.
    pub(super) fn is_rolled_back_by_itself(&self, reading: &Reading) -> bool {
        let target = self.run.target().filter(|_| matches!(self.run.goal, Goal::RollBack));
        let there =
            reading.running().zip(target).is_some_and(|(running, target)| target.is(running.software()));
        there && self.run.backup.is_some() && !self.left_what_is_not_kept(reading)
    }

    /// Whether what runs is something else than the image that was loaded, under the same version.
    pub(super) fn is_not_the_image(&self, buffer: Option<&Buffer>) -> Option<Cause> {
        let Goal::Upgrade { image } = &self.run.goal else { return None };
        let of_its_version = buffer.filter(|buffer| buffer.version == image.manifest.version);
        Cause::of_image(of_its_version?, image.digest)
    }

    /// Whether this run itself went on, by so many operations, and confirmed what it was to bring the device to. What it took by itself
    /// is confirmed as well, and has no settings.
    pub(super) fn has_arrived(&self, reading: &Reading, by: u32) -> bool {
        let found = reading.running_configuration();
        let ours = [self.run.wanted_configuration(), self.run.backup.as_ref()];
        let is_ours = ours.into_iter().flatten().any(|known| known.same_files(&found));
        let fell_back = reading.boot_reason.as_deref() == Some(FALLBACK) && !is_ours;
        let least = if self.run.activated.is_some() { 1 } else { FROM_LOADED };
        self.runs_what_it_was_to(reading) && by >= least && !fell_back && !self.is_bare(reading)
    }

    fn runs_what_it_was_to(&self, reading: &Reading) -> bool {
        let upgrade = matches!(self.run.goal, Goal::Upgrade { .. });
        let confirmed = reading.running().filter(|running| running.role == Some(Role::Active));
        let target = self.run.target().filter(|_| upgrade);
        target.zip(confirmed).is_some_and(|(target, running)| target.is(running.software()))
    }

    /// Whether it still is where this run itself brought it since: what is stored is a copy of before that.
    pub(super) fn has_arrived_since(&self, reading: &Reading) -> bool {
        let arrived = self.run.ahead.is_some_and(|ahead| ahead.arrived);
        arrived && self.shows_what_is_ahead(reading) && self.runs_what_it_was_to(reading)
    }

    /// Whether it has done nothing since the operation by which it was ahead of this run.
    fn shows_what_is_ahead(&self, reading: &Reading) -> bool {
        let shown = reading.operation.as_ref().and_then(|shown| shown.id.strip_prefix(&self.run.prefix()));
        let number = shown.and_then(|number| number.parse().ok());
        self.run.ahead.is_some_and(|ahead| number == Some(ahead.operation))
    }

    /// What is found there now is nobody's matter any more: neither this copy's, nor that of an operator who cancels it.
    pub(super) fn arrived_since(&mut self) -> Result<(), Rejected> {
        if let State::Working { operation, .. } = self.run.state.clone() {
            self.withdraw(&operation);
        }
        self.run.failure = None;
        if self.run.is_closing() {
            return self.settle_after(true);
        }
        self.forget_attempt();
        self.preflight()
    }

    /// The device left the software of the runs before, while nobody looked, or others made it. What it runs may have no
    /// subscriber's settings, or those of long ago; later ones would be loaded over. Or it came back since, and what was changed
    /// meanwhile would be.
    pub(super) fn was_left_otherwise(&self, reading: &Reading) -> Option<String> {
        let Goal::Upgrade { image } = &self.run.goal else { return None };
        if self.run.choices.overwrite {
            return None;
        }
        let running = reading.running().map(|buffer| buffer.version.as_str()).unwrap_or_default();
        let wanted = &image.manifest.version;
        if self.has_arrived_since(reading) {
            return None;
        }
        if self.run.loaded.is_some() {
            return self.left_a_trial(image, reading);
        }
        // Success would make what is there by now what it is left with, and the next image would go over the rest.
        let then = if running == wanted { "are not in force" } else { "would be written over" };
        let Some(expected) = self.left_since(reading) else {
            let standby = reading.standby().filter(|_| self.has_changed_aside(reading))?;
            let other = &standby.version;
            // Loaded already, it is not loaded over, and what is found there is backed up once it runs.
            let is_wanted = other == wanted && standby.digest.is_some_and(|digest| digest == image.digest);
            if is_wanted {
                return None;
            }
            let known = self.run.expected.as_ref().and_then(|expected| expected.other_version.as_ref());
            if known.is_some_and(|known| known != other) {
                // What it holds now was loaded there, and what was there is gone.
                return (running != wanted).then(|| {
                    format!(
                        "its other buffer holds {other}, which somebody else loaded there since the last run and which \
                         would be written over: begin again with --overwrite"
                    )
                });
            }
            return Some(changed_aside(other, then));
        };
        let Cause::WrongVersion { running, wanted } =
            Cause::of_software(reading.running()?.software(), expected.software())?
        else {
            return None;
        };
        Some(format!(
            "the device was left with {wanted} and runs {running} by now; its other buffer holds {}, with its settings, \
             which {then}: bring it back with `iadms rollback`, or begin again with --overwrite",
            expected.version
        ))
    }

    /// This run had it try an image, which it left by itself with settings that somebody changed there. Another image would go
    /// over them; the same one is not loaded again, and they are backed up once it runs.
    fn left_a_trial(&self, image: &Image, reading: &Reading) -> Option<String> {
        let standby = reading.standby()?;
        let is_loaded = standby.version == image.manifest.version && standby.digest == Some(image.digest);
        let is_kept = reading.told_aside().is_none_or(|found| self.run.is_kept(&found));
        (!is_loaded && !is_kept).then(|| changed_aside(&standby.version, "would be written over"))
    }

    /// Whether it is back on what the runs before left it with, and nobody changed the settings of what it ran meanwhile: they
    /// are from before.
    pub(super) fn has_later_settings_there(&self) -> bool {
        let (Some(expected), Some(backup)) = (&self.run.expected, &self.run.backup) else { return false };
        let back = self.run.target().is_some_and(|target| target.is(expected.software()));
        let is_of_before = |other: &ConfigurationSet| !expected.restored && backup.same_files(other);
        let since = expected.other.as_ref().is_some_and(is_of_before);
        back && !backup.files.is_empty() && since
    }

    /// Whether the software in the other buffer has settings of which nobody has a copy: others than the runs before left it
    /// with, or what they could not back up.
    fn has_changed_aside(&self, reading: &Reading) -> bool {
        let Some(expected) = &self.run.expected else { return false };
        let found = reading.other_configuration();
        let is_unkept = |left: &ConfigurationSet| expected.unkept || !left.same_files(&found);
        !found.files.is_empty() && expected.other.as_ref().is_some_and(is_unkept)
    }

    /// What the runs before left it with, where it runs other software now and could be brought back.
    pub(super) fn left_since(&self, reading: &Reading) -> Option<&Expected> {
        let expected = self.run.expected.as_ref()?;
        let left = expected.software();
        let is = |buffer: Option<&Buffer>| buffer.is_some_and(|buffer| left.is(buffer.software()));
        (!is(reading.running()) && is(reading.standby())).then_some(expected)
    }
}

fn changed_aside(version: &str, then: &str) -> String {
    let software = if version.is_empty() { "software of no version" } else { version };
    format!(
        "its other buffer holds {software}, with settings that are in no backup and {then}: keep them with `iadms \
         rollback`, or begin again with --overwrite"
    )
}
