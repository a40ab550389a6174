//! From a profile's objects to a [`Reading`]: which instances to ask for, and what the answers mean.

use core::time::Duration;
use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::fact::Fact;
use super::look::{Meaning, Place};
use super::{Object, Profile};
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

impl Profile {
    /// The instances to ask the device for.
    pub fn questions(&self, scope: Scope) -> Arc<[Oid]> {
        self.looks.questions(scope)
    }

    /// What the answers say. Objects that are no part of the profile are passed over.
    pub fn reading(&self, values: &[(Oid, Value)], at: Time) -> Reading {
        let mut reading = Reading { at, capabilities: self.capabilities.clone(), ..Reading::default() };
        reading.buffers = self.buffers.iter().map(|&index| Buffer { index, ..Buffer::default() }).collect();
        let meanings = self.looks.meanings(values.iter().map(|(oid, _)| oid));
        for (meaning, (_, value)) in meanings.zip(values) {
            if let Some(meaning) = meaning
                && *value != Value::Absent
            {
                note(&mut reading, meaning, value);
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
}

fn note(reading: &mut Reading, meaning: &Meaning, value: &Value) {
    let Meaning { fact, object, place, .. } = meaning;
    match place {
        Place::Device => note_of_device(reading, *fact, object, value),
        Place::Buffer(index) => {
            if let Some(buffer) = reading.buffers.iter_mut().find(|buffer| buffer.index == *index) {
                note_of_buffer(buffer, *fact, object, value);
            }
        }
        Place::Configuration(buffer, kind) => {
            let same = |e: &&mut ConfigurationEntry| e.buffer == *buffer && e.kind == *kind;
            if let Some(entry) = reading.configuration.iter_mut().find(same) {
                note_of_configuration(entry, *fact, value);
            } else {
                let mut entry = ConfigurationEntry {
                    buffer: *buffer,
                    kind: kind.clone(),
                    revision: None,
                    format: None,
                    digest: None,
                    size: None,
                };
                note_of_configuration(&mut entry, *fact, value);
                reading.configuration.push(entry);
            }
        }
    }
}

fn note_of_device(reading: &mut Reading, fact: Fact, object: &Object, value: &Value) {
    let operation = || OperationReading::default();
    match fact {
        Fact::Product => {
            reading.product = match value {
                Value::Oid(oid) => Some(oid.clone()),
                _ => None,
            }
        }
        Fact::Model => reading.model = value.text(),
        Fact::Hardware => reading.hardware = value.text(),
        Fact::UniqueId => reading.unique_id = value.text(),
        Fact::Uptime => reading.uptime = number::<u64>(value).map(|ticks| Duration::from_millis(ticks * 10)),
        Fact::Boots => reading.boots = number(value),
        Fact::BootReason => reading.boot_reason = object.word(value).map(Cow::into_owned),
        Fact::Calls => reading.calls = number(value),
        Fact::CallAdmission => reading.calls_admitted = object.word(value).map(|word| word == "open"),
        Fact::Health => reading.healthy = object.word(value).map(|word| word == "good"),
        Fact::FreeSpace => reading.free_space = number(value),
        Fact::Capabilities => reading.capabilities.extend(object.bits(value)),
        Fact::Revision => reading.revision = number(value),
        Fact::ServerAddress => reading.server_address = value.text(),
        Fact::ServerPort => reading.server_port = number(value),
        Fact::OperationId => {
            reading.operation.get_or_insert_with(operation).id = value.text().unwrap_or_default();
        }
        Fact::OperationState => {
            reading.operation.get_or_insert_with(operation).state = operation_state(object.word(value));
        }
        Fact::OperationProgress => {
            reading.operation.get_or_insert_with(operation).progress = number(value).unwrap_or(0).min(100);
        }
        Fact::OperationError => {
            let error = object.word(value).filter(|word| word != "none").map(Cow::into_owned);
            reading.operation.get_or_insert_with(operation).error = error;
        }
        Fact::OperationText => {
            reading.operation.get_or_insert_with(operation).text = value.text().unwrap_or_default();
        }
        Fact::OperationDigests => {
            let text = value.text().unwrap_or_default();
            let digests = text.split_whitespace().map(str::parse).collect::<Result<_, _>>();
            reading.operation.get_or_insert_with(operation).digests = digests.unwrap_or_default();
        }
        _ => {}
    }
}

fn note_of_buffer(buffer: &mut Buffer, fact: Fact, object: &Object, value: &Value) {
    match fact {
        Fact::SoftwareVersion => buffer.version = value.text().unwrap_or_default(),
        Fact::SoftwareState => {
            buffer.state = object.word(value).and_then(|word| match word.as_ref() {
                "empty" => Some(BufferState::Empty),
                "writing" => Some(BufferState::Writing),
                "valid" => Some(BufferState::Valid),
                "invalid" => Some(BufferState::Invalid),
                _ => None,
            });
        }
        Fact::SoftwareRole => {
            buffer.role = object.word(value).and_then(|word| match word.as_ref() {
                "active" => Some(Role::Active),
                "standby" => Some(Role::Standby),
                "trial" => Some(Role::Trial),
                _ => None,
            });
        }
        Fact::SoftwareSize => buffer.size = number(value),
        Fact::SoftwareDigest => buffer.digest = digest(value),
        Fact::SoftwareCapacity => buffer.capacity = number(value),
        Fact::SoftwareFormat => buffer.format = number(value),
        _ => {}
    }
}

fn note_of_configuration(entry: &mut ConfigurationEntry, fact: Fact, value: &Value) {
    match fact {
        Fact::ConfigurationRevision => entry.revision = number(value),
        Fact::ConfigurationFormat => entry.format = number(value),
        Fact::ConfigurationDigest => entry.digest = digest(value),
        Fact::ConfigurationSize => entry.size = number(value),
        _ => {}
    }
}

fn number<N: TryFrom<i64>>(value: &Value) -> Option<N> {
    value.number().and_then(|number| N::try_from(number).ok())
}

fn digest(value: &Value) -> Option<Digest> {
    value.octets().and_then(|octets| Digest::try_from(octets).ok())
}

fn operation_state(word: Option<Cow<'_, str>>) -> OperationState {
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
    fn word(&self, value: &Value) -> Option<Cow<'_, str>> {
        let number = value.number()?;
        let known = self.words.iter().find(|(_, own)| i64::from(**own) == number);
        Some(known.map_or_else(|| number.to_string().into(), |(word, _)| word.as_str().into()))
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
