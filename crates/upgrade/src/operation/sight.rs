//! What a look at the device says of an operation: done, ready, ours under way, busy, impossible.

use super::{Operation, Task};
use crate::configuration::{ConfigurationSet, Kind};
use crate::operation::Cause;
use crate::reading::{Buffer, BufferState, Capability, OperationState, Reading, Role, Software};

/// What a whole look says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Sight {
    /// The device is already as the task wants it, whoever brought it there.
    AlreadyDone,
    /// The command can be given.
    Ready,
    /// Our command arrived; the device works on it, or did.
    Ours,
    /// Another attempt of this run left something under way.
    Leftover(String),
    /// Something of somebody else is under way.
    Busy(String),
    /// It cannot be done.
    Impossible(Cause),
}

impl Operation {
    /// What the look says. `run` is what the ids of this run's operations begin with.
    pub(super) fn sight(&self, reading: &Reading, run: &str) -> Sight {
        if let Some(operation) = &reading.operation {
            if self.commanded && operation.id == self.id && operation.state != OperationState::Idle {
                return Sight::Ours;
            }
            if !operation.state.is_over() && !self.task.is_immediate() {
                let ours = operation.id.starts_with(run);
                let id = operation.id.clone();
                if ours {
                    return Sight::Leftover(id);
                }
                return if self.task == Task::Stop { Sight::AlreadyDone } else { Sight::Busy(id) };
            }
        }
        if self.is_fulfilled(reading) {
            return Sight::AlreadyDone;
        }
        match self.obstacle(reading, run) {
            Some(cause) => Sight::Impossible(cause),
            None => Sight::Ready,
        }
    }

    /// Whether the device is as the task wants it.
    pub(super) fn is_fulfilled(&self, reading: &Reading) -> bool {
        match &self.task {
            Task::Backup { kinds, have: Some(have) } => {
                let held = of_kinds(&reading.running_configuration(), kinds);
                held.files.len() == kinds.len() && of_kinds(have, kinds).same_files(&held)
            }
            Task::Download { image } => reading.standby().is_some_and(|buffer| {
                let told = buffer.digest.is_some_and(|digest| digest == image.digest);
                let believed = buffer.digest.is_none() && self.commanded;
                buffer.state.is_none_or(|state| state == BufferState::Valid)
                    && buffer.version == image.manifest.version
                    && (told || believed)
            }),
            Task::Activate { version, .. } => {
                reading.running().is_some_and(|buffer| buffer.version == *version)
            }
            Task::RollBack { version, buffer, .. } => {
                let wanted = Software { version, buffer: *buffer };
                let is_wanted = |running: &&Buffer| wanted.is(running.software());
                reading.running().filter(is_wanted).is_some_and(|buffer| buffer.role == Some(Role::Active))
            }
            Task::Confirm { version } => reading
                .running()
                .is_some_and(|buffer| buffer.version == *version && buffer.role == Some(Role::Active)),
            Task::Restore { set, unless, .. } => {
                let kinds: Vec<Kind> = set.files.keys().cloned().collect();
                let shown = reading.operation.as_ref().map(|shown| &shown.id);
                of_kinds(&reading.running_configuration(), &kinds).same_files(set)
                    || (unless.is_some() && unless.as_ref() == shown)
            }
            Task::Stop => true,
            // A device that does not show it is taken at its word.
            Task::CloseCalls => reading.calls_admitted.map_or(self.answered, |admitted| !admitted),
            Task::OpenCalls => reading.calls_admitted.unwrap_or(self.answered),
            // What a device shows of its file server leaves out the password, so it must have been told.
            Task::ConfigureServer { address, port } => {
                self.answered
                    && reading.server_address.as_ref().is_none_or(|told| told == address)
                    && reading.server_port.is_none_or(|told| told == *port)
            }
            // These can only be seen to have been done when they were asked for.
            Task::Backup { have: None, .. } | Task::Reset | Task::Convert { .. } => false,
        }
    }

    /// Why it cannot be asked of a device like this.
    fn obstacle(&self, reading: &Reading, run: &str) -> Option<Cause> {
        let holds = |version: &str, buffer: Option<u32>| {
            let wanted = Software { version, buffer };
            reading.buffers.iter().any(|buffer| wanted.is(buffer.software()))
        };
        let impossible = |why: String| Some(Cause::Impossible(why));
        match &self.task {
            Task::Download { .. } if reading.standby().is_none() && reading.can(Capability::DualImage) => {
                impossible("the device shows no standby buffer to load into".into())
            }
            Task::Activate { version, .. } if !holds(version, None) => {
                impossible(format!("no buffer of the device holds version {version}"))
            }
            Task::Activate { version, digest: Some(digest), .. } => {
                let held = reading.standby().filter(|buffer| buffer.version == *version)?;
                let shown = reading.operation.as_ref().map(|shown| &shown.id);
                let others = shown.filter(|id| !id.is_empty() && !id.starts_with(run));
                // A part of the look may be from before they were done.
                let unknown = others.filter(|_| held.digest.is_none()).map(|others| {
                    Cause::NotSo(format!("it does not tell what it holds as {version} since {others}"))
                });
                Cause::of_image(held, *digest).or(unknown)
            }
            Task::RollBack { version, buffer, .. } if !holds(version, *buffer) => {
                impossible(format!("no buffer of the device holds the old version {version} any more"))
            }
            Task::Confirm { version } => {
                let running = reading.running().map(|buffer| buffer.version.clone()).unwrap_or_default();
                let other = running != *version;
                other.then(|| Cause::WrongVersion { running, wanted: version.clone() })
            }
            _ => None,
        }
    }
}

/// The part of a set that is of these kinds.
pub(super) fn of_kinds(set: &ConfigurationSet, kinds: &[Kind]) -> ConfigurationSet {
    let files = set.files.iter().filter(|(kind, _)| kinds.contains(kind));
    ConfigurationSet { files: files.map(|(kind, file)| (kind.clone(), *file)).collect(), ..set.clone() }
}
