//! What is told of the device: what it runs, whose configuration that has, and what it was made to do.

use iad_sim::device::{ConfigurationKind, Digest, Document, Durable, Power, Settings, conversion};
use iad_sim::net::{DeviceView, Role};
use serde::Serialize;

/// The configurations that the device was ever given by a person, so that they are recognised.
#[derive(Debug)]
pub(super) struct Memory {
    known: Vec<(&'static str, Vec<Document>)>,
}

/// `iad-sim device set-config`.
#[derive(Debug)]
pub(super) struct SetConfig {
    pub(super) kind: ConfigurationKind,
    pub(super) entries: Vec<(String, String)>,
}

impl Default for Memory {
    fn default() -> Self {
        let delivered = Durable::delivered(&Settings::numbered(1), "1.0", 1, 0);
        let documents = delivered.configurations[0].iter().map(|one| one.document().clone());
        Self { known: vec![("that of before", documents.collect())] }
    }
}

impl Memory {
    /// A person changes settings.
    pub(super) fn change(&mut self, change: Option<SetConfig>) {
        let Some(SetConfig { kind, entries }) = change else { return };
        let mut documents = self.known.last().map(|(_, documents)| documents.clone()).unwrap_or_default();
        let changed = documents.iter_mut().find(|document| document.kind == kind).unwrap();
        entries.iter().for_each(|(key, value)| changed.set(key, value));
        self.known.push(("that with what was changed", documents));
    }

    /// What is told of the device.
    pub(super) fn tell(&self, device: &DeviceView) -> Vec<String> {
        let done =
            device.counters.started.iter().map(|(command, times)| format!("{} {times}", word(command)));
        let done: Vec<String> = done.collect();
        let runs = match device.power {
            Power::Running => "runs".to_owned(),
            other => format!("is {}, and has", word(&other)),
        };
        let buffers = device.buffers.iter().filter(|buffer| buffer.role == Role::Standby);
        let other = buffers.map(|buffer| match word(&buffer.state).as_str() {
            "valid" => format!("; the other buffer holds {}", buffer.version),
            state => format!("; the other buffer is {state}"),
        });
        let trial = device.buffers.iter().any(|buffer| buffer.role == Role::Trial);
        let trial = if trial { ", on trial" } else { "" };
        vec![
            format!("it {runs} {}{trial}{}", device.version, other.collect::<String>()),
            format!("its configuration is {}", self.whose(device)),
            format!(
                "it was made to do: {}",
                if done.is_empty() { "nothing".into() } else { done.join(", ") }
            ),
        ]
    }

    fn whose(&self, device: &DeviceView) -> String {
        let running = device.configurations.iter().filter(|one| one.running);
        let format = running.map(|one| one.format).max().unwrap_or(0);
        let holds = |document: &Document| {
            let digest = Digest::of(conversion::convert(document, format).text().as_bytes());
            device.running_digest(document.kind) == Some(digest)
        };
        let known = self.known.iter().find(|(_, documents)| documents.iter().all(holds));
        let whose = known.map_or("another one", |(whose, _)| whose);
        format!("{whose}, in format {format}")
    }
}

impl SetConfig {
    /// None where it is another command.
    pub(super) fn parse(words: &[&str]) -> Option<Self> {
        let ["device", "set-config", _, options @ ..] = words else { return None };
        let (kind, entries) = match options {
            ["--kind", kind, entries @ ..] => (ConfigurationKind::from_name(kind)?, entries),
            entries => (ConfigurationKind::UserData, entries),
        };
        let entry = |entry: &&str| entry.split_once('=').map(|(key, value)| (key.into(), value.into()));
        Some(Self { kind, entries: entries.iter().filter_map(entry).collect() })
    }
}

/// What the device is doing, in few words.
pub(super) fn operation(device: &DeviceView) -> String {
    match device.power {
        Power::Running => format!("{} {}", word(&device.operation.command), word(&device.operation.state)),
        other => format!("power {}", word(&other)),
    }
}

/// The name of a value, as it is in JSON.
fn word(value: &impl Serialize) -> String {
    serde_json::to_value(value).unwrap().as_str().unwrap().to_owned()
}
