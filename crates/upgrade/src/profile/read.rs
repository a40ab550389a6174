//! From a profile's objects to a [`Reading`]: which instances to ask for, and what the answers mean.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Object, Per, Profile};
use crate::object::{Oid, Value};
use crate::reading::{
    Buffer, BufferState, Capability, ConfigurationEntry, OperationReading, OperationState, Reading, Role,
};
use crate::{Digest, Time};

/// How much of a device is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// All that the profile can tell.
    Whole,
    /// The operation under way, and whether the device restarted.
    Progress,
}

/// What a poll of an operation under way asks.
const PROGRESS: [&str; 8] = [
    "unique-id",
    "uptime",
    "boots",
    "operation-id",
    "operation-state",
    "operation-progress",
    "operation-error",
    "operation-text",
];

/// The names of objects that a reading is made of. An object of another name is only written.
pub(super) const READ: [&str; 33] = [
    "product",
    "model",
    "hardware",
    "unique-id",
    "uptime",
    "boots",
    "boot-reason",
    "calls",
    "call-admission",
    "health",
    "free-space",
    "capabilities",
    "software-version",
    "software-state",
    "software-role",
    "software-size",
    "software-digest",
    "software-capacity",
    "software-format",
    "configuration-revision",
    "configuration-format",
    "configuration-digest",
    "configuration-size",
    "revision",
    "operation-id",
    "operation-command",
    "operation-state",
    "operation-progress",
    "operation-error",
    "operation-text",
    "operation-digests",
    "server-address",
    "server-port",
];

/// The words that numbers of these objects must be translated to.
pub(super) const WORDS: [(&str, &[&str]); 4] = [
    ("software-state", &["empty", "writing", "valid", "invalid"]),
    ("software-role", &["active", "standby", "trial"]),
    ("operation-state", &["idle", "waiting", "running", "done", "failed", "aborted"]),
    ("health", &["good"]),
];

impl Profile {
    /// The instances to ask the device for.
    pub fn questions(&self, scope: Scope) -> Vec<Oid> {
        let asked = |name: &str| match scope {
            Scope::Whole => READ.contains(&name),
            Scope::Progress => PROGRESS.contains(&name),
        };
        let objects = self.objects.iter().filter(|(name, _)| asked(name));
        objects.flat_map(|(_, object)| self.instances(object)).collect()
    }

    /// What the answers say. Objects that are no part of the profile are passed over.
    pub fn reading(&self, values: &[(Oid, Value)], at: Time) -> Reading {
        let mut reading = Reading { at, capabilities: self.capabilities.clone(), ..Reading::default() };
        reading.buffers = self.buffers.iter().map(|&index| Buffer { index, ..Buffer::default() }).collect();
        for (oid, value) in values {
            let found = self.objects.iter().find_map(|(name, object)| {
                let suffix = oid.behind(&object.oid)?;
                (suffix.is_empty() == (object.per == Per::Device)).then_some((name.as_str(), object, suffix))
            });
            if let Some((name, object, suffix)) = found
                && *value != Value::Absent
            {
                self.note(&mut reading, name, object, suffix, value);
            }
        }
        reading.buffers.retain(|buffer| buffer.role.is_some() || !buffer.version.is_empty());
        if reading.configuration.iter().all(|entry| entry.format.is_none())
            && let Some(format) = reading.running().and_then(|running| self.format_of(&running.version))
        {
            reading.configuration.iter_mut().for_each(|entry| entry.format = Some(format));
        }
        reading
    }

    /// The device that a notification's varbinds tell of, where they do.
    pub fn unique_id_in(&self, varbinds: &[(Oid, Value)]) -> Option<String> {
        let object = self.objects.get("unique-id")?;
        varbinds.iter().find(|(oid, _)| *oid == object.oid)?.1.text()
    }

    fn instances(&self, object: &Object) -> Vec<Oid> {
        let buffers = || self.buffers.iter().copied();
        match object.per {
            Per::Device => vec![object.oid.clone()],
            Per::Buffer => buffers().map(|buffer| object.oid.instance(&[buffer])).collect(),
            Per::BufferAndKind => buffers()
                .flat_map(|buffer| self.kinds.values().map(move |&kind| object.oid.instance(&[buffer, kind])))
                .collect(),
        }
    }

    fn note(&self, reading: &mut Reading, name: &str, object: &Object, suffix: &[u32], value: &Value) {
        match suffix {
            [] => note_of_device(reading, name, object, value),
            [index] => {
                if let Some(buffer) = reading.buffers.iter_mut().find(|buffer| buffer.index == *index) {
                    note_of_buffer(buffer, name, object, value);
                }
            }
            [buffer, number] => {
                let Some((kind, _)) = self.kinds.iter().find(|(_, own)| *own == number) else { return };
                let same = |e: &&mut ConfigurationEntry| e.buffer == *buffer && e.kind == *kind;
                if let Some(entry) = reading.configuration.iter_mut().find(same) {
                    note_of_configuration(entry, name, value);
                } else {
                    let mut entry = ConfigurationEntry {
                        buffer: *buffer,
                        kind: kind.clone(),
                        revision: None,
                        format: None,
                        digest: None,
                        size: None,
                    };
                    note_of_configuration(&mut entry, name, value);
                    reading.configuration.push(entry);
                }
            }
            _ => {}
        }
    }
}

fn note_of_device(reading: &mut Reading, name: &str, object: &Object, value: &Value) {
    let operation = || OperationReading::default();
    match name {
        "product" => {
            reading.product = match value {
                Value::Oid(oid) => Some(oid.clone()),
                _ => None,
            }
        }
        "model" => reading.model = value.text(),
        "hardware" => reading.hardware = value.text(),
        "unique-id" => reading.unique_id = value.text(),
        "uptime" => reading.uptime = number::<u64>(value).map(|ticks| Duration::from_millis(ticks * 10)),
        "boots" => reading.boots = number(value),
        "boot-reason" => reading.boot_reason = object.word(value),
        "calls" => reading.calls = number(value),
        "call-admission" => reading.calls_admitted = object.word(value).map(|word| word == "open"),
        "health" => reading.healthy = object.word(value).map(|word| word == "good"),
        "free-space" => reading.free_space = number(value),
        "capabilities" => reading.capabilities.extend(object.bits(value)),
        "revision" => reading.revision = number(value),
        "server-address" => reading.server_address = value.text(),
        "server-port" => reading.server_port = number(value),
        "operation-id" => {
            reading.operation.get_or_insert_with(operation).id = value.text().unwrap_or_default();
        }
        "operation-state" => {
            reading.operation.get_or_insert_with(operation).state = operation_state(object.word(value));
        }
        "operation-progress" => {
            reading.operation.get_or_insert_with(operation).progress = number(value).unwrap_or(0).min(100);
        }
        "operation-error" => {
            let error = object.word(value).filter(|word| word != "none");
            reading.operation.get_or_insert_with(operation).error = error;
        }
        "operation-text" => {
            reading.operation.get_or_insert_with(operation).text = value.text().unwrap_or_default();
        }
        "operation-digests" => {
            let text = value.text().unwrap_or_default();
            let digests = text.split_whitespace().map(str::parse).collect::<Result<_, _>>();
            reading.operation.get_or_insert_with(operation).digests = digests.unwrap_or_default();
        }
        _ => {}
    }
}

fn note_of_buffer(buffer: &mut Buffer, name: &str, object: &Object, value: &Value) {
    match name {
        "software-version" => buffer.version = value.text().unwrap_or_default(),
        "software-state" => {
            buffer.state = object.word(value).and_then(|word| match word.as_str() {
                "empty" => Some(BufferState::Empty),
                "writing" => Some(BufferState::Writing),
                "valid" => Some(BufferState::Valid),
                "invalid" => Some(BufferState::Invalid),
                _ => None,
            });
        }
        "software-role" => {
            buffer.role = object.word(value).and_then(|word| match word.as_str() {
                "active" => Some(Role::Active),
                "standby" => Some(Role::Standby),
                "trial" => Some(Role::Trial),
                _ => None,
            });
        }
        "software-size" => buffer.size = number(value),
        "software-digest" => buffer.digest = digest(value),
        "software-capacity" => buffer.capacity = number(value),
        "software-format" => buffer.format = number(value),
        _ => {}
    }
}

fn note_of_configuration(entry: &mut ConfigurationEntry, name: &str, value: &Value) {
    match name {
        "configuration-revision" => entry.revision = number(value),
        "configuration-format" => entry.format = number(value),
        "configuration-digest" => entry.digest = digest(value),
        "configuration-size" => entry.size = number(value),
        _ => {}
    }
}

fn number<N: TryFrom<i64>>(value: &Value) -> Option<N> {
    value.number().and_then(|number| N::try_from(number).ok())
}

fn digest(value: &Value) -> Option<Digest> {
    value.octets().and_then(|octets| Digest::try_from(octets).ok())
}

fn operation_state(word: Option<String>) -> OperationState {
    match word.as_deref() {
        Some("waiting") => OperationState::Waiting,
        Some("running") => OperationState::Running,
        Some("done") => OperationState::Done,
        Some("failed") => OperationState::Failed,
        Some("aborted") => OperationState::Aborted,
        _ => OperationState::Idle,
    }
}

impl Object {
    /// The word for a number, or the number itself where the profile has no word for it.
    fn word(&self, value: &Value) -> Option<String> {
        let number = value.number()?;
        let known = self.words.iter().find(|(_, own)| i64::from(**own) == number);
        Some(known.map_or_else(|| number.to_string(), |(word, _)| word.clone()))
    }

    /// The capabilities whose bits are set; bit 0 is the first octet's highest (RFC 2578 section 7.1.4).
    fn bits(&self, value: &Value) -> Vec<Capability> {
        let octets = value.octets().unwrap_or_default();
        let is_set = |bit: i32| {
            let Ok(bit) = usize::try_from(bit) else { return false };
            octets.get(bit / 8).is_some_and(|octet| octet & (0x80 >> (bit % 8)) != 0)
        };
        let set = self.words.iter().filter(|(_, bit)| is_set(**bit));
        set.filter_map(|(word, _)| Capability::from_word(word)).collect()
    }
}

impl Capability {
    /// The capability of this name, as it stands in profiles.
    pub fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "dual-image" => Self::DualImage,
            "needs-reset" => Self::NeedsReset,
            "convert" => Self::Convert,
            "tftp" => Self::Tftp,
            "ftp" => Self::Ftp,
            "push" => Self::Push,
            "image-server" => Self::ImageServer,
            "inform" => Self::Inform,
            _ => return None,
        })
    }
}
