//! What one SNMP SET asks to change, and whether the device agrees. All of it is changed or nothing.

use std::collections::BTreeSet;

use super::calls::CallAdmission;
use super::configuration::ConfigurationKind;
use super::digest::Digest;
use super::durable::{Durable, ServerProtocol};
use super::operation::{Command, DelayPolicy, Parameters};

/// What one SET asks to change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(missing_docs)] // each is the object of the IAD-MIB with the same name
pub struct Changes {
    pub contact: Option<String>,
    pub name: Option<String>,
    pub location: Option<String>,
    pub admission: Option<CallAdmission>,
    pub protocol: Option<ServerProtocol>,
    pub address: Option<String>,
    pub port: Option<u16>,
    pub user: Option<String>,
    pub password: Option<String>,
    pub id: Option<String>,
    pub command: Option<Command>,
    pub file_names: Option<Vec<String>>,
    pub kinds: Option<Vec<ConfigurationKind>>,
    pub sizes: Option<Vec<u64>>,
    pub digests: Option<Vec<Digest>>,
    pub revision: Option<u32>,
    pub version: Option<String>,
    pub trial_time_s: Option<u32>,
    pub delay_s: Option<u32>,
    pub delay_policy: Option<DelayPolicy>,
    pub slot_devices: Option<u32>,
    pub slot_time_s: Option<u32>,
}

/// The objects for whose sake a SET may be refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // each is the object of the IAD-MIB with the same name
pub enum Object {
    Id,
    Command,
    FileNames,
    Kinds,
    Sizes,
    Digests,
    Revision,
    Version,
    SlotDevices,
}

/// The SET does not fit what the device holds: `inconsistentValue`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Refused {
    /// Because of which object.
    pub object: Object,
    /// Why.
    pub reason: &'static str,
}

/// What a SET that the device agrees to amounts to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It changes objects, and starts nothing.
    Changes,
    /// It starts an operation with these parameters.
    Starts { id: String, command: Command, parameters: Parameters },
    /// It repeats the SET that started the present operation: nothing is to be done.
    Repeats,
    /// It stops the operation under way.
    Aborts,
}

impl Changes {
    /// What this SET amounts to for a device with this state.
    ///
    /// # Errors
    /// When the device refuses it.
    pub(crate) fn judge(&self, durable: &Durable) -> Result<Verdict, Refused> {
        let operation = &durable.operation;
        let refused = |object, reason| Err(Refused { object, reason });
        match (&self.id, self.command) {
            (Some(id), Some(Command::Abort)) if *id == operation.id => Ok(Verdict::Aborts),
            (_, Some(Command::Abort)) => refused(Object::Id, "abort names the operation under way"),
            (Some(id), Some(command)) if *id == operation.id && !id.is_empty() => {
                if command == operation.command {
                    Ok(Verdict::Repeats)
                } else {
                    refused(Object::Command, "the id is in use")
                }
            }
            (Some(_), Some(_)) if operation.is_busy() => {
                refused(Object::Id, "another operation is under way")
            }
            // It was long on its way, or is sent once more by somebody who has not looked.
            (Some(id), Some(_)) if durable.earlier_ids.contains(id) => {
                refused(Object::Id, "an earlier operation had this id")
            }
            (Some(id), Some(command)) => {
                if id.is_empty() {
                    return refused(Object::Id, "an operation has an id");
                }
                let parameters = self.parameters(durable);
                parameters.fit(command, durable)?;
                Ok(Verdict::Starts { id: id.clone(), command, parameters })
            }
            (Some(id), None) if *id == operation.id => Ok(Verdict::Changes),
            (Some(_), None) => refused(Object::Id, "id and command are set together"),
            (None, Some(_)) => refused(Object::Command, "id and command are set together"),
            (None, None) if self.changes_parameters() && operation.is_busy() => {
                refused(self.first_parameter(), "an operation is under way")
            }
            (None, None) => Ok(Verdict::Changes),
        }
    }

    /// The parameters after this SET. Those of an operation that has begun do not carry over to the next one.
    pub(crate) fn parameters(&self, durable: &Durable) -> Parameters {
        let operation = &durable.operation;
        let before = if operation.drafting { operation.parameters.clone() } else { Parameters::default() };
        Parameters {
            file_names: self.file_names.clone().unwrap_or(before.file_names),
            kinds: self.kinds.clone().unwrap_or(before.kinds),
            sizes: self.sizes.clone().unwrap_or(before.sizes),
            digests: self.digests.clone().unwrap_or(before.digests),
            revision: self.revision.unwrap_or(before.revision),
            version: self.version.clone().unwrap_or(before.version),
            trial_time_s: self.trial_time_s.unwrap_or(before.trial_time_s),
            delay_s: self.delay_s.unwrap_or(before.delay_s),
            delay_policy: self.delay_policy.unwrap_or(before.delay_policy),
            slot_devices: self.slot_devices.unwrap_or(before.slot_devices),
            slot_time_s: self.slot_time_s.unwrap_or(before.slot_time_s),
        }
    }

    /// Whether it sets any parameter of an operation.
    pub(crate) fn changes_parameters(&self) -> bool {
        self.file_names.is_some()
            || self.kinds.is_some()
            || self.sizes.is_some()
            || self.digests.is_some()
            || self.revision.is_some()
            || self.version.is_some()
            || self.trial_time_s.is_some()
            || self.delay_s.is_some()
            || self.delay_policy.is_some()
            || self.slot_devices.is_some()
            || self.slot_time_s.is_some()
    }

    fn first_parameter(&self) -> Object {
        let given = [
            (self.file_names.is_some(), Object::FileNames),
            (self.kinds.is_some(), Object::Kinds),
            (self.sizes.is_some(), Object::Sizes),
            (self.digests.is_some(), Object::Digests),
            (self.revision.is_some(), Object::Revision),
            (self.version.is_some(), Object::Version),
        ];
        given.iter().find(|(given, _)| *given).map_or(Object::SlotDevices, |(_, object)| *object)
    }
}

impl Parameters {
    fn fit(&self, command: Command, durable: &Durable) -> Result<(), Refused> {
        let refused = |object, reason| Err(Refused { object, reason });
        let files = self.file_names.len();
        let (needs_files, needs_kinds, presumes_revision) = match command {
            Command::None => return refused(Object::Command, "none is no command"),
            Command::Backup | Command::Convert => (true, true, false),
            Command::Restore => (true, true, true),
            Command::Download => (true, false, false),
            Command::Activate | Command::Rollback => (false, false, true),
            Command::Reset => (false, false, !self.version.is_empty()),
            Command::Confirm | Command::Erase | Command::Abort => (false, false, false),
        };
        let parallel = |count: usize| count == 0 || count == files;
        if needs_files && files == 0 {
            return refused(Object::FileNames, "the operation needs file names");
        }
        if needs_kinds && self.kinds.len() != files {
            return refused(Object::Kinds, "each file has a kind");
        }
        let distinct: BTreeSet<_> = self.kinds.iter().collect();
        if needs_kinds && distinct.len() != files {
            return refused(Object::Kinds, "each kind has one file");
        }
        if needs_files && !parallel(self.sizes.len()) {
            return refused(Object::Sizes, "each file has a size, or none has");
        }
        if needs_files && !parallel(self.digests.len()) {
            return refused(Object::Digests, "each file has a digest, or none has");
        }
        if presumes_revision && self.is_stale(durable) {
            return refused(Object::Revision, "the running configuration has moved");
        }
        let is_elsewhere = durable.standby().is_some_and(|buffer| buffer.version != self.version);
        if command == Command::Rollback && !self.version.is_empty() && is_elsewhere {
            return refused(Object::Version, "the other buffer holds another version");
        }
        if self.delay_policy == DelayPolicy::Slot && self.slot_devices == 0 {
            return refused(Object::SlotDevices, "slots are divided among at least one device");
        }
        Ok(())
    }

    /// Whether the running configuration is not the one presumed.
    pub(crate) fn is_stale(&self, durable: &Durable) -> bool {
        self.revision != 0 && self.revision != durable.set_revision
    }
}
