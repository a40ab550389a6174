//! What was read from a device, in words that are the same for every kind of device.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::configuration::{ConfigurationSet, Kind, StoredFile};
use crate::object::Oid;
use crate::{Digest, Time};

/// One look at a device. What it did not tell is `None` or empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// When the answer came.
    pub at: Time,
    /// The kind of product (SNMPv2-MIB `sysObjectID`).
    pub product: Option<Oid>,
    /// The model's name.
    pub model: Option<String>,
    /// The hardware kind, which an image's manifest names.
    pub hardware: Option<String>,
    /// What tells this device from all others.
    pub unique_id: Option<String>,
    /// Since the last restart (SNMPv2-MIB `sysUpTime`); wraps after 497 days.
    pub uptime: Option<Duration>,
    /// Restarts ever (SNMP-FRAMEWORK-MIB `snmpEngineBoots`, where the device keeps it).
    pub boots: Option<u32>,
    /// Why it restarted last, in its own word.
    pub boot_reason: Option<String>,
    /// Calls in progress.
    pub calls: Option<u32>,
    /// Whether it takes new calls.
    pub calls_admitted: Option<bool>,
    /// Whether it says that it is in order.
    pub healthy: Option<bool>,
    /// Bytes free for an image.
    pub free_space: Option<u64>,
    /// What it can do.
    pub capabilities: BTreeSet<Capability>,
    /// Its software buffers.
    pub buffers: Vec<Buffer>,
    /// Its configuration, by buffer and kind.
    pub configuration: Vec<ConfigurationEntry>,
    /// Moves with every change of the running configuration.
    pub revision: Option<u32>,
    /// The operation it carries out, or carried out last.
    pub operation: Option<OperationReading>,
    /// The file server it was told.
    pub server_address: Option<String>,
    /// That server's port.
    pub server_port: Option<u16>,
}

/// What proves or disproves a restart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pulse {
    /// When it was taken.
    pub at: Time,
    /// As in [`Reading::uptime`].
    pub uptime: Option<Duration>,
    /// As in [`Reading::boots`].
    pub boots: Option<u32>,
}

/// Something a device can do; bits of IAD-MIB `iadSysCapabilities`, or constants of a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Capability {
    /// Two software buffers (row H17).
    DualImage,
    /// A restart is needed to run loaded software (rows H11, H12).
    NeedsReset,
    /// A conversion program on the device (row H22).
    Convert,
    /// Transfers by TFTP.
    Tftp,
    /// Transfers by FTP.
    Ftp,
    /// Takes an image that the server sends (row S18).
    Push,
    /// Can serve images to its neighbours (row S11).
    ImageServer,
    /// Sends INFORMs.
    Inform,
}

/// One software buffer (row H17).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Buffer {
    /// Its number at the device.
    pub index: u32,
    /// The version of the software in it; empty where there is none.
    pub version: String,
    /// The state of what is in it.
    pub state: Option<BufferState>,
    /// What it is for now.
    pub role: Option<Role>,
    /// Bytes in it.
    pub size: Option<u64>,
    /// SHA-256 of what is in it.
    pub digest: Option<Digest>,
    /// Bytes it can hold.
    pub capacity: Option<u64>,
    /// The configuration format its software reads.
    pub format: Option<u32>,
}

impl Buffer {
    /// The software in it.
    pub fn software(&self) -> Software<'_> {
        Software { version: &self.version, buffer: Some(self.index) }
    }
}

/// Software at a device. Both buffers may hold the same version, each with settings of its own: it is told apart by its
/// buffer, too.
#[derive(Debug, Clone, Copy)]
pub struct Software<'a> {
    /// Its version.
    pub version: &'a str,
    /// The index of its buffer; none: any that holds the version.
    pub buffer: Option<u32>,
}

impl Software<'_> {
    /// Whether both are the same, as far as that is known.
    pub fn is(self, other: Software<'_>) -> bool {
        let is_elsewhere = matches!((self.buffer, other.buffer), (Some(one), Some(two)) if one != two);
        self.version == other.version && !is_elsewhere
    }
}

/// The state of a software buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BufferState {
    /// Nothing in it.
    Empty,
    /// Being written.
    Writing,
    /// Whole software that can be run.
    Valid,
    /// Something that must not be run.
    Invalid,
}

/// What a software buffer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// It runs, and will after a restart.
    Active,
    /// It does not run.
    Standby,
    /// It runs on trial: unless confirmed, the device falls back to the other one (row B4).
    Trial,
}

/// One kind of configuration in one buffer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigurationEntry {
    /// The buffer whose software uses it.
    pub buffer: u32,
    /// The kind.
    pub kind: Kind,
    /// Moves with every change.
    pub revision: Option<u32>,
    /// The format it is in.
    pub format: Option<u32>,
    /// SHA-256 of the file a backup would send.
    pub digest: Option<Digest>,
    /// Bytes of that file.
    pub size: Option<u64>,
}

/// The operation a device tells of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationReading {
    /// Its id, as the manager gave it.
    pub id: String,
    /// Where it stands.
    pub state: OperationState,
    /// Per cent.
    pub progress: u8,
    /// The device's word for what went wrong; none where nothing did.
    pub error: Option<String>,
    /// What the device adds for people.
    pub text: String,
    /// The digests of its files, in their order; empty where the device does not tell them.
    #[serde(default)]
    pub digests: Vec<Digest>,
    /// The UDP port at which it waits for the manager to write its next file; none while it waits for none.
    #[serde(default)]
    pub port: Option<u16>,
    /// Which of its files that is, or which one it moves, from 0; none where it does not tell.
    #[serde(default)]
    pub file: Option<usize>,
}

/// The word by which a profile names the error of an operation that was not carried out, since the configuration's revision was no
/// longer the one that it was commanded for (iadOpError of IAD-MIB).
pub const REVISION_MOVED: &str = "revision-moved";

/// Where an operation at a device stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OperationState {
    /// None was asked.
    #[default]
    Idle,
    /// It begins after a delay.
    Waiting,
    /// Under way.
    Running,
    /// Ended well.
    Done,
    /// Ended badly.
    Failed,
    /// Stopped by command.
    Aborted,
}

impl OperationState {
    /// Whether the device can take another command.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Idle | Self::Done | Self::Failed | Self::Aborted)
    }
}

impl Reading {
    /// The buffer that runs, confirmed or on trial.
    pub fn running(&self) -> Option<&Buffer> {
        self.buffers.iter().find(|buffer| matches!(buffer.role, Some(Role::Active | Role::Trial)))
    }

    /// The buffer that an update goes to.
    pub fn standby(&self) -> Option<&Buffer> {
        self.buffers.iter().find(|buffer| buffer.role == Some(Role::Standby))
    }

    /// Whether it can do this.
    pub fn can(&self, capability: Capability) -> bool {
        self.capabilities.contains(&capability)
    }

    /// The configuration of the software that runs, of the kinds for which the device tells digest and size.
    pub fn running_configuration(&self) -> ConfigurationSet {
        self.configuration_in(self.running().map(|buffer| buffer.index))
    }

    /// The same of this software, whether it runs or not.
    pub fn configuration_of(&self, software: Software<'_>) -> ConfigurationSet {
        let buffer = self.buffers.iter().find(|buffer| software.is(buffer.software()));
        self.configuration_in(buffer.map(|buffer| buffer.index))
    }

    /// The configuration of the software in the other buffer.
    pub fn other_configuration(&self) -> ConfigurationSet {
        self.configuration_in(self.standby().map(|buffer| buffer.index))
    }

    /// The same; none where the device tells of no configuration at all.
    pub fn told_aside(&self) -> Option<ConfigurationSet> {
        (!self.configuration.is_empty()).then(|| self.other_configuration())
    }

    /// Whether it tells what any configuration is. Where it does not, none that it shows may still be one.
    pub fn tells_configuration(&self) -> bool {
        self.configuration.iter().any(|entry| entry.digest.is_some())
    }

    fn configuration_in(&self, buffer: Option<u32>) -> ConfigurationSet {
        let entries = || self.configuration.iter().filter(|entry| Some(entry.buffer) == buffer);
        let files: BTreeMap<_, _> = entries()
            .filter_map(|entry| {
                let file = StoredFile { digest: entry.digest?, size: entry.size? };
                Some((entry.kind.clone(), file))
            })
            .collect();
        ConfigurationSet { format: entries().find_map(|entry| entry.format), revision: self.revision, files }
    }

    /// What of it proves or disproves a later restart.
    pub const fn pulse(&self) -> Pulse {
        Pulse { at: self.at, uptime: self.uptime, boots: self.boots }
    }

    /// Whether it tells of the software and the configuration, and not only of an operation's progress.
    pub fn is_whole(&self) -> bool {
        !self.buffers.is_empty()
    }

    /// Whether the device restarted between `earlier` and this look: its boots moved, or its uptime went back. Where it does
    /// not count its boots, an uptime that is less than it was plus the time that went by since tells, too; where it does,
    /// that is an answer which was long on its way.
    pub fn restarted_since(&self, earlier: Pulse) -> bool {
        let counted = match (earlier.boots, self.boots) {
            (Some(before), Some(now)) if before != now => return true,
            (Some(_), Some(_)) => true,
            _ => false,
        };
        let (Some(before), Some(now)) = (earlier.uptime, self.uptime) else { return false };
        let elapsed = self.at - earlier.at;
        let wrapped = before + elapsed >= UPTIME_WRAP;
        let due = if counted { before } else { (before + elapsed).saturating_sub(elapsed / 100) };
        !wrapped && now + CLOCK_TOLERANCE < due
    }
}

/// TimeTicks begin anew after 2^32 hundredths of a second: an uptime that went back then proves nothing.
const UPTIME_WRAP: Duration = Duration::from_millis((1 << 32) * 10);

/// A device may count this much less than we, and one per cent, without having restarted: answers take time on
/// their way and cheap clocks drift.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    fn look(at_s: u64, uptime_s: u64, boots: Option<u32>) -> Reading {
        Reading {
            at: Time::from_millis(at_s * 1000),
            uptime: Some(Duration::from_secs(uptime_s)),
            boots,
            ..Reading::default()
        }
    }

    #[test]
    fn a_restart_is_seen_by_boots_or_by_an_uptime_that_lags() {
        let counted = look(100, 50, Some(3));
        assert!(look(101, 51, Some(4)).restarted_since(counted.pulse()), "boots moved");
        assert!(
            !look(160, 55, Some(3)).restarted_since(counted.pulse()),
            "an answer that was long on its way"
        );
        assert!(
            look(160, 10, Some(3)).restarted_since(counted.pulse()),
            "it counts its boots and forgets them"
        );
        let before = look(100, 50, None);
        assert!(!look(160, 110, None).restarted_since(before.pulse()), "time went on");
        assert!(!look(160, 109, None).restarted_since(before.pulse()), "a slow clock");
        assert!(
            look(160, 55, None).restarted_since(before.pulse()),
            "more than before, but less than went by"
        );
        let nearly_wrapped = look(100, 42_949_670, None);
        assert!(!look(110, 3, None).restarted_since(nearly_wrapped.pulse()), "497 days are over");
    }
}
