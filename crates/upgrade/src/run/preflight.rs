//! Whether a run may begin (row B3): what was read is held against what is wanted. Nothing is written.

use super::step::{Rejected, Turn};
use super::{Effect, Expected, Goal, Old, Outcome, State, Step, Story, Waiting};
use crate::image::Image;
use crate::operation::{Cause, Task};
use crate::profile::{Command, ConvertedBy, Scope};
use crate::reading::{BufferState, Capability, Reading, Role};
use crate::{ConfigurationSet, Kind, Protocol};

impl Turn<'_> {
    pub(super) fn preflight(&mut self) -> Result<(), Rejected> {
        self.run.state = State::Preflight(Waiting::default());
        self.tell(Story::StepBegun { step: Step::Preflight, text: String::new() });
        self.look(Scope::Whole);
        Ok(())
    }

    /// At its first look a device must answer; on a repeat it is waited for.
    pub(super) fn preflight_unread(&mut self, waiting: Waiting, why: &str) -> Result<(), Rejected> {
        if self.run.old.is_none() {
            return self.refuse(Cause::Unreachable(0, why.to_owned()));
        }
        self.unheard(Step::Preflight, waiting, why)
    }

    pub(super) fn preflight_read(&mut self, reading: &Reading) -> Result<(), Rejected> {
        if let Some(why) = self.stranger(reading) {
            return self.refuse(Cause::Impossible(why));
        }
        if let Some(id) = self.run.device.unique_id.is_none().then(|| reading.unique_id.clone()).flatten() {
            self.run.device.unique_id = Some(id.clone());
            self.effects.push(Effect::Known(id));
        }
        if let Some(cause) = self.slid(reading) {
            if !self.is_rolled_back_by_itself(reading) {
                return self.fail(Step::Preflight, cause);
            }
            return self.slid_by_itself(reading);
        }
        // Before a repeat too the device is as it was; but questions stay open for days, and others work on it meanwhile.
        let before = self.run.old.replace(old(reading));
        if let Some(cause) = self.obstacle(reading) {
            // What it is like now is nothing to begin from.
            self.run.old = before.or(self.run.old.take());
            return self.refuse(cause);
        }
        if self.run.expected.is_none() {
            self.run.expected = Expected::of(reading);
        }
        if let (Goal::Upgrade { image }, Some(running)) = (&self.run.goal, reading.running())
            && running.version == image.manifest.version
        {
            if self.may_refuse_calls() {
                self.run.failure = None;
                return self.begin(Step::OpeningCalls, Task::OpenCalls);
            }
            let reason = self.was_there_already(&running.version, reading);
            return self.end(Outcome::Succeeded, reason);
        }
        let left = self.left_since(reading).map(|left| format!("; it was left with {}", left.version));
        let text = summary(reading) + left.as_deref().unwrap_or_default();
        self.tell(Story::StepDone { step: Step::Preflight, text });
        self.set_out()
    }

    /// The first time the run is refused; later an operator is asked.
    fn refuse(&mut self, cause: Cause) -> Result<(), Rejected> {
        if self.run.operations > 0 {
            return self.fail(Step::Preflight, cause);
        }
        self.end(Outcome::Refused, cause.to_string())
    }

    /// Why it is not the device it should be (row B13).
    fn stranger(&self, reading: &Reading) -> Option<String> {
        let product = reading.product.as_ref();
        let fits =
            |product: &crate::Oid| self.profile.products.iter().any(|own| product.behind(own).is_some());
        if !self.profile.products.is_empty() && !product.is_some_and(fits) {
            let told = product.map_or_else(|| "nothing".into(), ToString::to_string);
            let name = &self.profile.name;
            return Some(format!(
                "the device is not of the kind of profile {name:?}: its sysObjectID is {told}"
            ));
        }
        let other = self.another_unit(reading)?;
        Some(format!("{other}: correct its address, or say that the unit was replaced"))
    }

    /// What answers is not the unit that the run is about (row B13).
    pub(super) fn another_unit(&self, reading: &Reading) -> Option<String> {
        let (known, told) = (self.run.device.unique_id.as_ref()?, reading.unique_id.as_ref()?);
        (known != told)
            .then(|| format!("at {} answers the device {told}, not {known}", self.run.device.address))
    }

    fn obstacle(&self, reading: &Reading) -> Option<Cause> {
        let impossible = |why: String| Some(Cause::Impossible(why));
        if let Some(operation) = &reading.operation
            && !operation.state.is_over()
            && !operation.id.starts_with(&self.run.prefix())
        {
            return Some(Cause::Busy(operation.id.clone()));
        }
        let Some(running) = reading.running() else {
            return impossible("the device does not tell which software it runs".into());
        };
        if running.role == Some(Role::Trial) {
            return Some(Cause::on_trial(&running.version));
        }
        if let Some(missing) = self.missing_command() {
            return impossible(format!("profile {:?} has no command {missing:?}", self.profile.name));
        }
        if let Some(unknown) = self.unknown_kind() {
            let all: Vec<_> = self.profile.all_kinds().iter().map(ToString::to_string).collect();
            return impossible(format!(
                "there is no kind of configuration {unknown} at such a device; there are: {}",
                all.join(", ")
            ));
        }
        if self.leaves_out_kinds() {
            let why = "an upgrade or a roll-back takes all kinds of configuration along: what is left out would be gone";
            return impossible(why.into());
        }
        if let Some(why) = self.protocol_obstacle(reading) {
            return impossible(why);
        }
        if let Some(why) = self.was_left_otherwise(reading) {
            return impossible(why);
        }
        let why = match &self.run.goal {
            Goal::Upgrade { image } => self.image_obstacle(image, reading),
            Goal::Restore { set } => restore_obstacle(set, reading),
            Goal::RollBack => roll_back_obstacle(reading),
            Goal::Backup | Goal::Reset => None,
        };
        why.map(Cause::Impossible)
    }

    fn missing_command(&self) -> Option<Command> {
        let needed: &[Command] = match &self.run.goal {
            Goal::Upgrade { .. } => &[
                Command::ConfigureServer,
                Command::Backup,
                Command::Download,
                Command::RollBack,
                Command::Restore,
                Command::Confirm,
            ],
            Goal::Backup => &[Command::ConfigureServer, Command::Backup],
            Goal::Restore { .. } => &[Command::ConfigureServer, Command::Backup, Command::Restore],
            Goal::RollBack => {
                &[Command::ConfigureServer, Command::Backup, Command::RollBack, Command::Restore]
            }
            Goal::Reset => &[Command::Reset],
        };
        let upgrade = matches!(self.run.goal, Goal::Upgrade { .. });
        let converts = upgrade && self.converters().first() == Some(&ConvertedBy::Device);
        let more = [
            upgrade.then(|| if self.restarts() { Command::Reset } else { Command::Activate }),
            converts.then_some(Command::Convert),
        ];
        let mut all = needed.iter().copied().chain(more.into_iter().flatten());
        all.find(|command| self.profile.command(*command).is_none())
    }

    fn leaves_out_kinds(&self) -> bool {
        let chosen = &self.run.choices.kinds;
        self.changes_software()
            && !chosen.is_empty()
            && self.profile.kinds.keys().any(|kind| !chosen.contains(kind))
    }

    fn unknown_kind(&self) -> Option<&Kind> {
        let known = |kind: &&Kind| self.profile.kinds.contains_key(*kind);
        let chosen = self.run.choices.kinds.iter();
        match &self.run.goal {
            Goal::Restore { set } => chosen.chain(set.files.keys()).find(|kind| !known(kind)),
            _ => chosen.into_iter().find(|kind| !known(kind)),
        }
    }

    fn protocol_obstacle(&self, reading: &Reading) -> Option<String> {
        let protocol = self.run.server.protocol;
        let needed: &[Capability] = match protocol {
            Protocol::Tftp => &[Capability::Tftp],
            Protocol::Ftp => &[Capability::Ftp],
            // It sends its configuration itself.
            Protocol::Push => &[Capability::Push, Capability::Tftp],
        };
        let known = [Capability::Tftp, Capability::Ftp, Capability::Push];
        let tells = known.into_iter().any(|capability| reading.can(capability));
        let transfers = !matches!(self.run.goal, Goal::Reset);
        if transfers && protocol == Protocol::Push && !self.profile.objects.contains_key("operation-port") {
            return Some(
                "its profile has no operation-port, which tells where an image is to be pushed".into(),
            );
        }
        (transfers && tells && !needed.iter().all(|capability| reading.can(*capability)))
            .then(|| format!("the device does not transfer by {protocol}"))
    }

    fn image_obstacle(&self, image: &Image, reading: &Reading) -> Option<String> {
        let manifest = &image.manifest;
        let name = &image.name;
        let hardware = reading.hardware.clone().unwrap_or_default();
        if !manifest.hardware.contains(&hardware) {
            let fits = manifest.hardware.join(", ");
            return Some(format!("image {name:?} is for {fits}; the device's hardware is {hardware:?}"));
        }
        let runs = reading.running();
        let running = runs.map(|buffer| buffer.version.as_str()).unwrap_or_default();
        if running == manifest.version {
            // By its version it could not be told from the software of before.
            let is_other = runs.and_then(|buffer| buffer.digest).is_some_and(|digest| digest != image.digest);
            return is_other.then(|| {
                format!(
                    "the device runs a version {running} of other contents than image {name:?}: give that a version of \
                     its own"
                )
            });
        }
        if !manifest.may_follow(running) {
            let from = manifest.from.join(", ");
            return Some(format!("image {name:?} may be loaded over {from}; the device runs {running}"));
        }
        let dual = self.profile.buffers.len() > 1 && reading.can(Capability::DualImage);
        if !dual {
            let why = "the device has no second software buffer: a failed upgrade would leave it dead";
            return Some(why.to_owned());
        }
        let room = reading.standby().and_then(|buffer| buffer.capacity).or(reading.free_space);
        let size = image.size();
        if let Some(room) = room.filter(|room| *room < size) {
            return Some(format!("image {name:?} has {size} bytes; the device has room for {room}"));
        }
        if self.must_convert() && self.converters().is_empty() {
            return Some(format!(
                "the configuration would have to be converted for image {name:?}, and nobody can do that"
            ));
        }
        None
    }
}

fn restore_obstacle(set: &ConfigurationSet, reading: &Reading) -> Option<String> {
    let reads = reading.running().and_then(|buffer| buffer.format);
    match (set.format, reads) {
        (Some(has), Some(reads)) if has != reads => {
            Some(format!("the backup is in format {has}; the device's software reads format {reads}"))
        }
        _ => None,
    }
}

fn roll_back_obstacle(reading: &Reading) -> Option<String> {
    let standby = reading.standby();
    let valid = standby
        .is_some_and(|b| b.state.is_none_or(|state| state == BufferState::Valid) && !b.version.is_empty());
    (!valid).then(|| "the device's other software buffer holds nothing that can be run".to_owned())
}

fn old(reading: &Reading) -> Old {
    let running = reading.running();
    let configuration = reading.running_configuration();
    Old {
        version: running.map(|buffer| buffer.version.clone()).unwrap_or_default(),
        buffer: running.map(|buffer| buffer.index),
        format: configuration.format.or_else(|| running.and_then(|buffer| buffer.format)),
        configuration,
        capabilities: reading.capabilities.clone(),
        standby_buffer: reading.standby().map(|buffer| buffer.index),
        standby_version: reading
            .standby()
            .map(|buffer| buffer.version.clone())
            .filter(|version| !version.is_empty()),
        operation: reading.operation.as_ref().map(|shown| shown.id.clone()),
    }
}

fn summary(reading: &Reading) -> String {
    let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "?".into());
    let running = reading.running().map(|buffer| buffer.version.clone()).unwrap_or_default();
    format!("{} {}, version {running}", or_none(&reading.model), or_none(&reading.unique_id))
}
