//! What is shown of a device, and of the faults.

use core::time::Duration;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::device::{
    BootReason, BufferState, CallAdmission, ConfigurationKind, Counters, Device, Digest, Power, Record,
    durable,
};
use crate::fault::Fault;

/// What is shown of a device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct DeviceView {
    /// The identity.
    pub unique_id: String,
    /// The number.
    pub number: u32,
    /// Where it answers SNMP.
    pub address: SocketAddr,
    /// The name under which it is sold.
    pub model: String,
    /// The kind of hardware.
    pub hardware: String,
    /// What it is doing.
    pub power: Power,
    /// The version of the software that runs, or would run.
    pub version: String,
    /// Why it started last, if it runs.
    pub boot_reason: Option<BootReason>,
    /// How often its software started.
    pub boots: u32,
    /// For how many seconds its software has run.
    pub uptime_s: f64,
    /// How many calls there are.
    pub calls: usize,
    /// Whether more are admitted.
    pub call_admission: CallAdmission,
    /// Whether its check of itself finds nothing wrong.
    pub healthy: bool,
    /// The software buffers.
    pub buffers: Vec<BufferView>,
    /// The configuration for the software in each buffer.
    pub configurations: Vec<ConfigurationView>,
    /// Moves with each change of the running configuration.
    pub configuration_revision: u32,
    /// The operation.
    pub operation: Record,
    /// What the laboratory counted.
    pub counters: Counters,
    /// How often each fault struck, by its number.
    pub faults: Vec<(u32, u32)>,
}

/// What is shown of a software buffer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct BufferView {
    /// Its number in the MIB, from 1.
    pub index: usize,
    /// What it is used for.
    pub role: Role,
    /// What it holds.
    pub state: BufferState,
    /// The version of its software.
    pub version: String,
    /// How many bytes were written.
    pub size: u64,
    /// The digest of the image.
    pub sha256: Option<Digest>,
    /// The format of configuration that it reads.
    pub format: u32,
}

/// What a software buffer is used for (`iadSoftwareRole`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// It runs.
    Active,
    /// It does not run.
    Standby,
    /// It runs unconfirmed.
    Trial,
}

/// What is shown of a configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ConfigurationView {
    /// The number of the buffer in the MIB, from 1.
    pub buffer: usize,
    /// Whether it is in force.
    pub running: bool,
    /// The kind.
    pub kind: ConfigurationKind,
    /// Moves with each change.
    pub revision: u32,
    /// The format.
    pub format: u32,
    /// The digest of the file.
    pub sha256: Digest,
    /// The size of the file.
    pub size: usize,
    /// How many lines it has.
    pub entries: usize,
}

/// What is shown of a fault.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct FaultView {
    /// The number under which it was added.
    pub number: u32,
    /// What happens.
    pub fault: Fault,
    /// For how many devices it is meant.
    pub devices: usize,
    /// How often it has happened to all of them together.
    pub struck: u32,
    /// At how many of them it can still happen.
    pub live: usize,
}

impl DeviceView {
    /// What is shown of this device.
    pub fn of(device: &Device, address: SocketAddr, now: Duration) -> Self {
        let durable = device.durable();
        let settings = device.settings();
        let (calls, call_admission) = device.calls().unwrap_or((0, CallAdmission::Open));
        let uptime = device.running_since().map_or(Duration::ZERO, |since| now.saturating_sub(since));
        Self {
            unique_id: settings.unique_id.clone(),
            number: settings.number,
            address,
            model: settings.model.clone(),
            hardware: settings.hardware.clone(),
            power: device.power(),
            version: durable.active().map(|buffer| buffer.version.clone()).unwrap_or_default(),
            boot_reason: device.boot_reason(),
            boots: durable.boot.boots,
            uptime_s: uptime.as_secs_f64(),
            calls,
            call_admission,
            healthy: device.is_healthy(),
            buffers: buffers(durable),
            configurations: configurations(durable),
            configuration_revision: durable.set_revision,
            operation: durable.operation.clone(),
            counters: device.counters().clone(),
            faults: device.faults().list().iter().map(|armed| (armed.number, armed.struck)).collect(),
        }
    }

    /// The digest of a kind of the configuration in force.
    pub fn running_digest(&self, kind: ConfigurationKind) -> Option<Digest> {
        let running = self.configurations.iter().find(|one| one.running && one.kind == kind);
        running.map(|configuration| configuration.sha256)
    }
}

fn buffers(durable: &durable::Durable) -> Vec<BufferView> {
    let view = |(index, buffer): (usize, &crate::device::Buffer)| BufferView {
        index: index + 1,
        role: match (index == durable.boot.selected, &durable.boot.trial) {
            (false, _) => Role::Standby,
            (true, None) => Role::Active,
            (true, Some(_)) => Role::Trial,
        },
        state: buffer.state,
        version: buffer.version.clone(),
        size: buffer.size,
        sha256: buffer.sha256,
        format: buffer.format(),
    };
    durable.buffers.iter().enumerate().map(view).collect()
}

fn configurations(durable: &durable::Durable) -> Vec<ConfigurationView> {
    let of_set = |(index, set): (usize, &durable::ConfigurationSet)| {
        let running = index == durable.boot.selected;
        let view = move |configuration: &durable::Configuration| ConfigurationView {
            buffer: index + 1,
            running,
            kind: configuration.document().kind,
            revision: configuration.revision(),
            format: configuration.document().format,
            sha256: configuration.sha256(),
            size: configuration.size(),
            entries: configuration.document().entries().count(),
        };
        set.iter().map(view).collect::<Vec<_>>()
    };
    durable.configurations.iter().enumerate().flat_map(of_set).collect()
}
