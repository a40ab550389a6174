//! Whether what a device says of its own work is true: its state, and the file server's word.

use super::{Operation, Seen, Task};
use crate::configuration::{Kind, StoredFile};
use crate::operation::Cause;
use crate::reading::{Buffer, OperationState, REVISION_MOVED, Reading, Software};

/// What a look at an operation under way says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// Still at it.
    Working,
    /// The device says that it is done and its state agrees; the file server has yet to say so.
    AwaitingFileServer,
    /// The device says that it is done; only a whole look can tell whether that is so.
    NeedsWholeLook,
    /// The device says that it is done, and something else that it says speaks against that.
    Contradicted(Cause),
    /// Done.
    Proven,
    /// Failed.
    Disproven(Cause),
}

impl Operation {
    /// What the look says of the operation, which was commanded.
    pub(super) fn finding(&self, reading: &Reading) -> Finding {
        let restarted = self.before.as_ref().is_some_and(|before| reading.restarted_since(before.pulse));
        let told = reading.operation.as_ref().filter(|operation| operation.id == self.id);
        let state = told.map(|operation| operation.state);
        match state {
            // Its own word for that would hide that the other software may run by now.
            Some(OperationState::Failed) if restarted && !self.task.restarts() => {
                return Finding::Disproven(Cause::Restarted);
            }
            Some(OperationState::Failed) => {
                let operation = told.cloned().unwrap_or_default();
                if operation.error.as_deref() == Some(REVISION_MOVED) {
                    return Finding::Disproven(Cause::RevisionMoved);
                }
                let error = operation.error.unwrap_or_else(|| "failed".into());
                let says_more = !operation.text.is_empty() && operation.text != error;
                let more = if says_more { format!(" ({})", operation.text) } else { String::new() };
                return Finding::Disproven(Cause::Device(format!("{error}{more}")));
            }
            Some(OperationState::Aborted) => return Finding::Disproven(Cause::Stopped),
            _ => {}
        }
        if self.task.restarts() {
            return self.finding_of_restart(reading, restarted, state);
        }
        match state {
            Some(OperationState::Done) if !reading.is_whole() => Finding::NeedsWholeLook,
            Some(OperationState::Done) => self.finding_of_done(reading),
            _ if restarted => Finding::Disproven(Cause::Restarted),
            Some(OperationState::Waiting | OperationState::Running) => Finding::Working,
            _ => Finding::Disproven(Cause::NotSo("it no longer knows the operation".into())),
        }
    }

    /// 'It answers' proves no restart: a device goes on answering for seconds after the command.
    fn finding_of_restart(
        &self,
        reading: &Reading,
        restarted: bool,
        state: Option<OperationState>,
    ) -> Finding {
        let hot = matches!(self.task, Task::RollBack { .. }) && state == Some(OperationState::Done);
        if !restarted && !hot {
            return Finding::Working;
        }
        if !reading.is_whole() {
            return Finding::NeedsWholeLook;
        }
        let wanted = match &self.task {
            Task::Activate { version, .. } => Software { version, buffer: None },
            Task::RollBack { version, buffer, .. } => Software { version, buffer: *buffer },
            _ => return Finding::Proven,
        };
        if self.is_fulfilled(reading) {
            return Finding::Proven;
        }
        // One that it is at still began after the restart that is seen: that was another one.
        let at_it = matches!(state, Some(OperationState::Waiting | OperationState::Running));
        if !restarted || at_it {
            return Finding::Working;
        }
        let nothing = Software { version: "", buffer: None };
        let running = reading.running().map_or(nothing, Buffer::software);
        // On trial, it is not yet what is wanted.
        Finding::Contradicted(Cause::of_software(running, wanted).unwrap_or_else(|| Cause::WrongVersion {
            running: running.version.to_owned(),
            wanted: wanted.version.to_owned(),
        }))
    }

    fn finding_of_done(&self, reading: &Reading) -> Finding {
        if let Some(cause) = self.contradiction(reading) {
            return Finding::Contradicted(cause);
        }
        if self.is_fulfilled(reading) && self.task.is_proven_by_state() {
            return Finding::Proven;
        }
        let whole = |transfer: &super::Transfer| matches!(transfer.seen, Seen::Whole { .. });
        if self.transfers.iter().all(whole) { Finding::Proven } else { Finding::AwaitingFileServer }
    }

    /// What in the device's state speaks against its word that it is done.
    fn contradiction(&self, reading: &Reading) -> Option<Cause> {
        match &self.task {
            Task::Backup { .. } => {
                let revision = self.before.as_ref().and_then(|before| before.revision);
                if revision.is_some() && reading.revision.is_some() && revision != reading.revision {
                    return Some(Cause::RevisionMoved);
                }
                let held = reading.running_configuration().files;
                self.written().into_iter().find_map(|(kind, came)| match held.get(&kind) {
                    Some(held) if held.size != came.size => {
                        Some(Cause::Truncated(kind, came.size, held.size))
                    }
                    Some(held) if held.digest != came.digest => Some(Cause::Altered(kind)),
                    _ => None,
                })
            }
            // Nothing else on the device tells what it made of its configuration.
            Task::Convert { .. } => {
                let told = &reading.operation.as_ref()?.digests;
                if told.len() != self.transfers.len() {
                    return None;
                }
                self.transfers.iter().zip(told).find_map(|(transfer, told)| match &transfer.seen {
                    Seen::Whole { file } if file.digest != *told => transfer.kind.clone().map(Cause::Altered),
                    _ => None,
                })
            }
            Task::Download { .. } if !self.is_fulfilled(reading) => {
                Some(Cause::NotSo("its standby buffer does not hold the image, whole and valid".into()))
            }
            Task::Activate { version, .. } if !self.is_fulfilled(reading) => {
                let running = reading.running().map(|buffer| buffer.version.clone()).unwrap_or_default();
                Some(Cause::WrongVersion { running, wanted: version.clone() })
            }
            Task::Restore { set, .. } => {
                let held = reading.running_configuration().files;
                let other =
                    |(kind, file): &(&Kind, &StoredFile)| held.get(*kind).is_some_and(|held| held != *file);
                set.files
                    .iter()
                    .find(other)
                    .map(|(kind, _)| Cause::NotSo(format!("its {kind} is not the one restored")))
            }
            Task::Confirm { .. } if !self.is_fulfilled(reading) => {
                Some(Cause::NotSo("its software still runs on trial".into()))
            }
            _ => None,
        }
    }
}

impl Task {
    /// Whether the device's own state, digests included, proves it without the file server's word. What came to
    /// us, only the file server can prove.
    const fn is_proven_by_state(&self) -> bool {
        !matches!(self, Self::Backup { .. } | Self::Convert { .. })
    }
}
