//! The device model in virtual time, with a file server that is a map.

mod boot;
mod download;
mod faults;
mod histories;
mod operation;
mod power;
mod restore;
mod switch;

use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};

use super::configuration::ConfigurationKind;
use super::digest::Digest;
use super::image::{BootBehaviour, Plan, make};
use super::operation::DelayPolicy;
use super::*;
use crate::fault::Fault;

/// How many bytes the file server moves at a time.
const CHUNK: usize = 512;

/// A device, a file server, and a clock that goes to where something happens.
pub(super) struct World {
    pub(super) device: Device,
    pub(super) now: Duration,
    pub(super) files: BTreeMap<String, Vec<u8>>,
    pub(super) notifications: Vec<Notification>,
    pub(super) kept: Vec<Digest>,
    coming: VecDeque<(TransferId, Coming)>,
    last_id: u32,
}

enum Coming {
    Bytes(Vec<u8>),
    Sent(u64),
    Stored(String, Vec<u8>),
    End,
    Error(TransferError),
}

impl World {
    /// A device that has started: software 1.0, format 1.
    pub(super) fn new(change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings::numbered(9);
        settings.calls = 3;
        change(&mut settings);
        let durable = Durable::delivered(&settings, "1.0", 1, 4000);
        let mut world = Self::with(Device::boot(settings, durable, 1, Duration::ZERO));
        world.settle();
        assert!(world.device.answers());
        world.notifications.clear();
        world.set(|changes| changes.address = Some("192.0.2.1".to_owned()));
        world
    }

    fn with(device: Device) -> Self {
        Self {
            device,
            now: Duration::ZERO,
            files: BTreeMap::new(),
            notifications: Vec::new(),
            kept: Vec::new(),
            coming: VecDeque::new(),
            last_id: 0,
        }
    }

    pub(super) fn fault(&mut self, fault: Fault) {
        fault.check().unwrap();
        self.device.faults_mut().add(1, fault);
    }

    pub(super) fn set(&mut self, change: impl FnOnce(&mut Changes)) {
        self.try_set(change).unwrap();
    }

    pub(super) fn try_set(&mut self, change: impl FnOnce(&mut Changes)) -> Result<(), Refused> {
        let mut changes = Changes::default();
        change(&mut changes);
        let answer = self.device.set(&changes, self.now);
        self.perform();
        answer
    }

    /// Asks for an operation with a new id.
    pub(super) fn ask(&mut self, command: Command, change: impl FnOnce(&mut Changes)) {
        self.last_id += 1;
        let id = format!("op-{}", self.last_id);
        self.set(|changes| {
            changes.id = Some(id);
            changes.command = Some(command);
            change(changes);
        });
    }

    /// Asks for an operation and waits until nothing happens any more.
    pub(super) fn carry_out(
        &mut self,
        command: Command,
        change: impl FnOnce(&mut Changes),
    ) -> (OperationState, ErrorCode) {
        self.ask(command, change);
        self.settle();
        self.outcome()
    }

    pub(super) fn outcome(&self) -> (OperationState, ErrorCode) {
        (self.operation().state, self.operation().error)
    }

    pub(super) fn operation(&self) -> &Record {
        &self.device.durable().operation
    }

    /// Lets one thing happen: something of a transfer, or what time brings. False: nothing is to come, or only the end of a trial.
    pub(super) fn step(&mut self) -> bool {
        if let Some((transfer, coming)) = self.coming.pop_front() {
            let event = match &coming {
                Coming::Bytes(bytes) => TransferEvent::Received(bytes),
                Coming::Sent(bytes) => TransferEvent::Sent(*bytes),
                Coming::Stored(name, content) => {
                    self.files.insert(name.clone(), content.clone());
                    TransferEvent::Finished
                }
                Coming::End => TransferEvent::Finished,
                Coming::Error(error) => TransferEvent::Failed(*error),
            };
            self.device.transfer(transfer, event, self.now);
        } else {
            let Some(deadline) = self.device.next_deadline(self.now) else { return false };
            let idle = self.device.answers() && !self.operation().is_busy();
            if idle && self.device.durable().boot.trial.is_some() {
                return false;
            }
            self.now = self.now.max(deadline);
            self.device.tick(self.now);
        }
        self.perform();
        true
    }

    /// Lets happen what will.
    pub(super) fn settle(&mut self) {
        for _ in 0..100_000 {
            if !self.step() {
                return;
            }
        }
        panic!("the device never comes to rest: {:?}", self.device);
    }

    /// Lets the time pass, with all that it brings.
    pub(super) fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while self.device.next_deadline(self.now).is_some_and(|deadline| deadline <= until)
            || !self.coming.is_empty()
        {
            if self.coming.is_empty() {
                self.now = self.device.next_deadline(self.now).unwrap().max(self.now);
                self.device.tick(self.now);
                self.perform();
            } else {
                self.step();
            }
        }
        self.now = until;
        self.device.tick(self.now);
        self.perform();
    }

    pub(super) fn power_cut(&mut self) {
        self.device.power_off(self.now);
        self.perform();
        self.device.power_on(self.now);
        self.perform();
    }

    pub(super) fn told(&self) -> Vec<NotificationKind> {
        self.notifications.iter().map(|notification| notification.kind).collect()
    }

    fn perform(&mut self) {
        while let Some(effect) = self.device.next_effect() {
            match effect {
                Effect::Fetch(fetch) => match self.files.get(&fetch.name) {
                    Some(content) => {
                        let stops_at = fetch.stall.filter(|stall| stall.time.is_none()).map(|stall| stall.at);
                        let moved = stops_at.map_or(content.len(), |at| usize::try_from(at).unwrap());
                        let bytes = content[..moved].chunks(CHUNK).map(|bytes| Coming::Bytes(bytes.to_vec()));
                        self.coming.extend(bytes.map(|bytes| (fetch.transfer, bytes)));
                        if stops_at.is_none() {
                            self.coming.push_back((fetch.transfer, Coming::End));
                        }
                    }
                    None => self.coming.push_back((fetch.transfer, Coming::Error(TransferError::NotFound))),
                },
                Effect::Upload(upload) => {
                    let half = u64::try_from(upload.content.len() / 2).unwrap();
                    self.coming.push_back((upload.transfer, Coming::Sent(half)));
                    self.coming.push_back((upload.transfer, Coming::Stored(upload.name, upload.content)));
                }
                Effect::Cancel { transfer, .. } => {
                    self.coming.retain(|(other, _)| *other != transfer);
                }
                Effect::Notify(notification) => self.notifications.push(notification),
                Effect::KeepImage(digest) => self.kept.push(digest),
            }
        }
    }
}

pub(super) fn plan(version: &str) -> Plan {
    Plan {
        version: version.to_owned(),
        hardware: vec!["iad-8".to_owned()],
        format: 2,
        converts_from: vec![1],
        boot: BootBehaviour::Ok,
        payload_size: 5000,
        seed: 1,
        files: 1,
    }
}

impl World {
    /// Puts an image on the server, and says what a SET tells of it.
    pub(super) fn publish(&mut self, plan: &Plan) -> Changes {
        let files = make(plan);
        let names: Vec<String> =
            (1..=files.len()).map(|part| format!("image-{}.{part}", plan.version)).collect();
        let changes = Changes {
            file_names: Some(names.clone()),
            sizes: Some(files.iter().map(|file| u64::try_from(file.len()).unwrap()).collect()),
            digests: Some(files.iter().map(|file| Digest::of(file)).collect()),
            version: Some(plan.version.clone()),
            ..Changes::default()
        };
        self.files.extend(names.into_iter().zip(files));
        changes
    }

    /// Loads an image into the standby buffer.
    pub(super) fn download(&mut self, plan: &Plan) -> (OperationState, ErrorCode) {
        let image = self.publish(plan);
        self.carry_out(Command::Download, |changes| with_files(changes, &image))
    }

    /// The configuration in force.
    pub(super) fn configuration(&self) -> Vec<String> {
        let durable = self.device.durable();
        ConfigurationKind::ALL
            .iter()
            .filter_map(|kind| durable.running_configuration(*kind))
            .map(|one| one.file().to_owned())
            .collect()
    }

    pub(super) fn backup(&mut self) -> (OperationState, ErrorCode) {
        self.carry_out(Command::Backup, all_kinds)
    }
}

pub(super) fn with_files(changes: &mut Changes, image: &Changes) {
    changes.file_names.clone_from(&image.file_names);
    changes.sizes.clone_from(&image.sizes);
    changes.digests.clone_from(&image.digests);
    changes.version.clone_from(&image.version);
}

pub(super) fn all_kinds(changes: &mut Changes) {
    changes.file_names = Some(ConfigurationKind::ALL.iter().map(|kind| kind.name().to_owned()).collect());
    changes.kinds = Some(ConfigurationKind::ALL.to_vec());
}

pub(super) const DONE: (OperationState, ErrorCode) = (OperationState::Done, ErrorCode::None);

pub(super) fn failed(error: ErrorCode) -> (OperationState, ErrorCode) {
    (OperationState::Failed, error)
}
