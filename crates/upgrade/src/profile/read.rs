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
        let object = self.unique_id_object()?;
        varbinds.iter().find(|(oid, _)| oid == object)?.1.text()
    }

    /// The object by which a device says which one it is, where it has one.
    pub fn unique_id_object(&self) -> Option<&Oid> {
        self.objects.get("unique-id").map(|object| &object.oid)
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
        Fact::OperationPort => {
            let port = number(value).filter(|port| *port != 0);
            reading.operation.get_or_insert_with(operation).port = port;
        }
        Fact::OperationFile => {
            let file = number::<usize>(value).and_then(|file| file.checked_sub(1));
            reading.operation.get_or_insert_with(operation).file = file;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;
    use crate::profile::{CommandProfile, IAD, load};

    fn iad() -> Profile {
        load("iad.toml", IAD, |_| None).unwrap()
    }

    fn at(place: &str, value: Value) -> (Oid, Value) {
        (place.parse().unwrap(), value)
    }

    fn text(text: &str) -> Value {
        Value::Octets(text.as_bytes().to_vec())
    }

    /// Of IAD-MIB, as in `mibs/IAD-MIB.mib`.
    fn values() -> Vec<(Oid, Value)> {
        let own = |arcs: &str, value| at(&format!("1.3.6.1.4.1.32473.1.1.{arcs}"), value);
        vec![
            at("1.3.6.1.2.1.1.2.0", Value::Oid("1.3.6.1.4.1.32473.1.3".parse().unwrap())),
            at("1.3.6.1.2.1.1.3.0", Value::Ticks(12_345)),
            at("1.3.6.1.6.3.10.2.1.2.0", Value::Integer(7)),
            own("1.1.0", text("Model")),
            own("1.2.0", text("iad-8")),
            own("1.3.0", text("IAD-1")),
            own("1.5.0", Value::Integer(4)),
            own("1.6.0", Value::Unsigned(2)),
            own("1.7.0", Value::Integer(2)),
            own("1.8.0", Value::Octets(vec![0b1010_0001])),
            own("1.9.0", Value::Unsigned(9_000)),
            own("1.10.0", Value::Integer(2)),
            own("2.1.1.2.1", text("2.0")),
            own("2.1.1.3.1", Value::Integer(3)),
            own("2.1.1.4.1", Value::Integer(3)),
            own("2.1.1.5.1", Value::Unsigned(501)),
            own("2.1.1.6.1", Value::Octets(vec![5; 32])),
            own("2.1.1.7.1", Value::Unsigned(5_000)),
            own("2.1.1.8.1", Value::Unsigned(2)),
            own("2.1.1.4.2", Value::Integer(2)),
            own("2.1.1.2.2", Value::Absent),
            own("3.1.1.2.1.2", Value::Unsigned(11)),
            own("3.1.1.3.1.2", Value::Unsigned(1)),
            own("3.1.1.4.1.2", Value::Octets(vec![6; 32])),
            own("3.1.1.5.1.2", Value::Unsigned(601)),
            own("3.2.0", Value::Unsigned(12)),
            own("4.2.0", text("192.0.2.1")),
            own("4.3.0", Value::Unsigned(6969)),
            own("5.1.0", text("r1.abcdef-2")),
            own("5.14.0", Value::Integer(5)),
            own("5.15.0", Value::Unsigned(101)),
            own("5.16.0", Value::Integer(17)),
            own("5.17.0", text("in words")),
            own("5.6.0", text(&format!("{} {}", Digest([1; 32]), Digest([2; 32])))),
            own("5.18.0", Value::Unsigned(6970)),
            own("5.19.0", Value::Unsigned(2)),
            own("5.99.0", text("of no meaning")),
        ]
    }

    /// Shown by a reviewer: a device that lost the user it was told, or was told another, could not be brought back any more.
    #[test]
    fn whatever_moves_files_names_the_file_server_whole() {
        let profile = iad();
        for (command, CommandProfile { set, .. }) in &profile.commands {
            let names: Vec<_> = set.iter().map(|(object, _)| object.as_str()).collect();
            if names.contains(&"operation-files") {
                for whole in ["protocol", "address", "port", "user", "password"] {
                    let object = format!("server-{whole}");
                    assert!(names.contains(&object.as_str()), "{command:?} lacks {object}");
                }
            }
        }
    }

    #[test]
    fn each_object_says_what_the_mib_says_it_does() {
        let expected = Reading {
            at: Time::from_millis(77),
            product: Some("1.3.6.1.4.1.32473.1.3".parse().unwrap()),
            model: Some("Model".into()),
            hardware: Some("iad-8".into()),
            unique_id: Some("IAD-1".into()),
            uptime: Some(Duration::from_millis(123_450)),
            boots: Some(7),
            boot_reason: Some("fallback".into()),
            calls: Some(2),
            calls_admitted: Some(false),
            healthy: Some(false),
            free_space: Some(9_000),
            capabilities: [Capability::DualImage, Capability::Convert, Capability::Inform].into(),
            buffers: vec![
                Buffer {
                    index: 1,
                    version: "2.0".into(),
                    state: Some(BufferState::Valid),
                    role: Some(Role::Trial),
                    size: Some(501),
                    digest: Some(Digest([5; 32])),
                    capacity: Some(5_000),
                    format: Some(2),
                },
                Buffer { index: 2, role: Some(Role::Standby), ..Buffer::default() },
            ],
            configuration: vec![ConfigurationEntry {
                buffer: 1,
                kind: Kind("port-data".into()),
                revision: Some(11),
                format: Some(1),
                digest: Some(Digest([6; 32])),
                size: Some(601),
            }],
            revision: Some(12),
            operation: Some(OperationReading {
                id: "r1.abcdef-2".into(),
                state: OperationState::Failed,
                progress: 100,
                error: Some("aborted".into()),
                text: "in words".into(),
                digests: vec![Digest([1; 32]), Digest([2; 32])],
                port: Some(6970),
                file: Some(1),
            }),
            server_address: Some("192.0.2.1".into()),
            server_port: Some(6969),
        };
        assert_eq!(iad().reading(&values(), Time::from_millis(77)), expected);
    }

    #[test]
    fn each_number_has_the_word_of_the_mib() {
        let profile = iad();
        let one = |name: &str, number| {
            let object = &profile.objects[name];
            let oid = match name.starts_with("software") {
                true => object.oid.instance(&[1]),
                false => object.oid.clone(),
            };
            let version = (profile.objects["software-version"].oid.instance(&[1]), text("1.0"));
            profile.reading(&[version, (oid, Value::Integer(number))], Time::default())
        };
        let states = [BufferState::Empty, BufferState::Writing, BufferState::Valid, BufferState::Invalid];
        for (number, state) in (1..).zip(states) {
            assert_eq!(one("software-state", number).buffers[0].state, Some(state));
        }
        assert_eq!(one("software-state", 5).buffers[0].state, None);
        for (number, role) in (1..).zip([Role::Active, Role::Standby, Role::Trial]) {
            assert_eq!(one("software-role", number).buffers[0].role, Some(role));
        }
        assert_eq!(one("software-role", 4).buffers[0].role, None);
        let states = [
            OperationState::Idle,
            OperationState::Waiting,
            OperationState::Running,
            OperationState::Done,
            OperationState::Failed,
            OperationState::Aborted,
            OperationState::Idle,
        ];
        for (number, state) in (1..).zip(states) {
            assert_eq!(one("operation-state", number).operation.unwrap().state, state);
        }
        let error = |number| one("operation-error", number).operation.unwrap().error;
        assert_eq!(error(0), None);
        assert_eq!(error(99), Some("99".into()), "no word is known for it");
        assert_eq!(one("call-admission", 1).calls_admitted, Some(true));
        assert_eq!(one("health", 1).healthy, Some(true));
    }

    #[test]
    fn a_notification_tells_of_the_device_whose_unique_id_it_has() {
        let profile = iad();
        assert_eq!(profile.unique_id_in(&values()), Some("IAD-1".into()));
        assert_eq!(profile.unique_id_in(&values()[..5]), None);
    }
}
