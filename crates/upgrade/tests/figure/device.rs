//! A small device with two software buffers, as far as a run can tell: it answers looks, takes SETs, moves files,
//! restarts, and does wrong what it is told to do wrong. Written from IAD-MIB, for these tests alone.

mod work;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use upgrade::profile::{Command, Scope};
use upgrade::reading::{
    Buffer, BufferState, Capability, ConfigurationEntry, OperationReading, OperationState, Role,
};
use upgrade::{Digest, Kind, Oid, Profile, Reading, StoredFile, TicketName, Time, Value};

/// How long any operation takes.
pub(crate) const WORK: Duration = Duration::from_secs(12);

/// Where it waits for an image to be written to it.
pub(crate) const PUSH_PORT: u16 = 6970;

/// How long it is silent while it boots.
pub(crate) const BOOT: Duration = Duration::from_secs(20);

/// What goes wrong with the next command of a kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The SET never arrives.
    SetLost,
    /// The SET arrives when nobody waits for its answer any more.
    SetLate,
    /// The SET arrives, and a copy of it once more, late.
    Doubled,
    /// The SET arrives, its answer does not.
    AnswerLost,
    /// The SET is refused.
    Refuse,
    /// The operation fails with these words.
    Fail(&'static str),
    /// The operation never gets on.
    Hang,
    /// Power fails in the middle.
    PowerLoss,
    /// The file it sends lacks a byte.
    Truncate,
    /// The file it sends has other bytes.
    Alter,
    /// It says that it is done, and moved no file.
    NothingCame,
    /// It says that it is done, and is not.
    Pretend,
    /// After the restart another version runs.
    Boots(&'static str),
    /// It starts the new software, which falls back to the old one.
    FallBack,
    /// It never answers again.
    Dies,
    /// Somebody changes a setting meanwhile.
    Edit,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Slot {
    pub version: String,
    pub state: BufferState,
    pub digest: Option<Digest>,
    pub format: u32,
    pub files: BTreeMap<Kind, StoredFile>,
}

#[derive(Debug, Clone)]
pub(crate) struct Work {
    pub id: String,
    pub command: Command,
    pub state: OperationState,
    pub error: Option<String>,
    pub begun: Time,
    pub due: Option<Time>,
    /// Of what it sent, where nothing else tells.
    pub digests: Vec<Digest>,
    pub(crate) files: Vec<TicketName>,
    /// The image is to be written to it, and is not yet.
    pub(crate) waits: bool,
    kinds: Vec<Kind>,
    version: String,
    trial: Duration,
    fault: Option<Fault>,
}

#[derive(Debug, Clone)]
pub(crate) struct Device {
    pub unique_id: String,
    pub hardware: String,
    pub product: Oid,
    pub capabilities: BTreeSet<Capability>,
    pub booted: Time,
    pub boots: u32,
    pub calls: u32,
    pub admitted: bool,
    pub healthy: bool,
    pub capacity: u64,
    pub slots: Vec<Slot>,
    pub running: usize,
    pub trial: Option<Time>,
    pub revision: u32,
    pub server: (String, u16),
    pub work: Option<Work>,
    pub silent_until: Time,
    pub faults: BTreeMap<Command, VecDeque<Fault>>,
    /// Calls stay as they were over a restart, which no device of IAD-MIB does.
    pub keeps_admission: bool,
    /// It tells nothing of its software, as an agent does that was started before the rest.
    pub hides_software: bool,
    /// It does not tell the revision of its configuration.
    pub(crate) hides_revision: bool,
    /// It tells nothing of its configuration but the revision, and writes its secrets anew each time it sends it.
    pub(crate) salts: bool,
    /// It tells no digests of its configuration, and no sizes.
    pub(crate) hides_digests: bool,
    /// It tells nothing of the configuration that belongs to the software in its other buffer.
    pub(crate) hides_other_configuration: bool,
    /// It does not tell whether it takes calls.
    pub hides_admission: bool,
    /// It rolls back whatever version is meant, unlike IAD-MIB.
    pub any_version: bool,
    /// Why it says that it restarted last.
    pub boot_reason: Option<&'static str>,
    /// The image that a download brings: its version, format and digest.
    pub image: (String, u32, Digest),
}

pub(crate) fn file(text: &str) -> StoredFile {
    let sum = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    StoredFile { digest: Digest([sum.to_le_bytes(); 4].concat().try_into().unwrap()), size: 100 + sum % 100 }
}

/// What a converter makes of a file.
pub(crate) fn converted(of: &StoredFile) -> StoredFile {
    file(&format!("converted {}", of.digest))
}

impl Device {
    pub(crate) fn new(kinds: &[Kind]) -> Self {
        let files =
            |of: &str| kinds.iter().map(|kind| (kind.clone(), file(&format!("{of} {kind}")))).collect();
        let slot = |version: &str, state, of: &str| Slot {
            version: version.into(),
            state,
            digest: Some(file(version).digest),
            format: 1,
            files: files(of),
        };
        Self {
            unique_id: "IAD-1".into(),
            hardware: "iad-8".into(),
            product: "1.3.6.1.4.1.32473.1.3.1".parse().unwrap(),
            capabilities: [
                Capability::DualImage,
                Capability::NeedsReset,
                Capability::Convert,
                Capability::Tftp,
                Capability::Ftp,
            ]
            .into(),
            booted: Time::from_millis(0),
            boots: 7,
            calls: 0,
            admitted: true,
            healthy: true,
            capacity: 1_000_000,
            slots: vec![
                slot("1.0", BufferState::Valid, "subscriber's"),
                slot("0.9", BufferState::Valid, "older"),
            ],
            running: 0,
            trial: None,
            revision: 40,
            server: (String::new(), 0),
            work: None,
            silent_until: Time::default(),
            faults: BTreeMap::new(),
            keeps_admission: false,
            hides_software: false,
            hides_revision: false,
            salts: false,
            hides_digests: false,
            hides_other_configuration: false,
            hides_admission: false,
            any_version: false,
            boot_reason: None,
            image: ("2.0".into(), 1, file("2.0").digest),
        }
    }

    pub(crate) fn cannot(&mut self, capability: Capability) {
        self.capabilities.remove(&capability);
    }

    pub(crate) fn is_silent(&self, now: Time) -> bool {
        now < self.silent_until
    }

    pub(crate) fn running(&self) -> &Slot {
        &self.slots[self.running]
    }

    /// Somebody else changes a setting.
    pub(crate) fn edit(&mut self) {
        self.revision += 1;
        let text = format!("edited {}", self.revision);
        let kind = self.slots[self.running].files.keys().next_back().unwrap().clone();
        self.slots[self.running].files.insert(kind, file(&text));
    }

    pub(crate) fn reading(&self, scope: Scope, now: Time) -> Reading {
        let operation = self.work.as_ref().map_or_else(OperationReading::default, |work| OperationReading {
            id: work.id.clone(),
            state: work.state,
            progress: self.progress(work, now),
            error: work.error.clone(),
            text: String::new(),
            digests: work.digests.clone(),
            port: (work.waits && !work.state.is_over()).then_some(PUSH_PORT),
            file: work.waits.then_some(0),
        });
        let progress = Reading {
            // Whoever hears it counts whole milliseconds up, and whoever judges it counts them down.
            at: now + Duration::from_millis(1),
            uptime: Some(now - self.booted),
            boots: Some(self.boots),
            operation: Some(operation),
            ..Reading::default()
        };
        if scope == Scope::Progress {
            return progress;
        }
        let numbered = || self.slots.iter().zip(1_u32..).enumerate();
        let role = |index| match (index == self.running, self.trial) {
            (true, Some(_)) => Role::Trial,
            (true, None) => Role::Active,
            (false, _) => Role::Standby,
        };
        let buffers = numbered().map(|(index, (slot, number))| Buffer {
            index: number,
            version: slot.version.clone(),
            state: Some(slot.state),
            role: Some(role(index)),
            size: None,
            digest: slot.digest,
            capacity: Some(self.capacity),
            format: Some(slot.format),
        });
        let entry = |number, slot: &Slot, kind: &Kind, file: &StoredFile| ConfigurationEntry {
            buffer: number,
            kind: kind.clone(),
            revision: None,
            format: Some(slot.format),
            digest: Some(file.digest).filter(|_| !self.hides_digests),
            size: Some(file.size).filter(|_| !self.hides_digests),
        };
        let told = numbered().filter(|(index, _)| !self.hides_other_configuration || *index == self.running);
        let entries = told.flat_map(|(_, (slot, number))| {
            slot.files.iter().map(move |(kind, file)| entry(number, slot, kind, file))
        });
        Reading {
            product: Some(self.product.clone()),
            hardware: Some(self.hardware.clone()),
            unique_id: Some(self.unique_id.clone()),
            calls: Some(self.calls),
            calls_admitted: (!self.hides_admission).then_some(self.admitted),
            healthy: Some(self.healthy),
            capabilities: self.capabilities.clone(),
            buffers: if self.hides_software { Vec::new() } else { buffers.collect() },
            configuration: if self.salts { Vec::new() } else { entries.collect() },
            revision: (!self.hides_revision).then_some(self.revision),
            server_address: Some(self.server.0.clone()),
            server_port: Some(self.server.1),
            boot_reason: self.boot_reason.map(str::to_owned),
            ..progress
        }
    }

    fn progress(&self, work: &Work, now: Time) -> u8 {
        match work.state {
            OperationState::Done => 100,
            OperationState::Running if work.due.is_some() => {
                let share = (now - work.begun).as_millis() * 100 / WORK.as_millis();
                u8::try_from(share.min(99)).unwrap()
            }
            _ => 10,
        }
    }

    /// What the next SET of a command meets, where that concerns the SET itself.
    pub(crate) fn take_fault(&mut self, command: Command) -> Option<Fault> {
        self.faults.get_mut(&command)?.pop_front()
    }

    /// The operation under way fails, and leaves this file behind.
    pub(crate) fn damage(&mut self, kind: &Kind, file: StoredFile, why: &'static str) {
        self.slots[self.running].files.insert(kind.clone(), file);
        self.revision += 1;
        if let Some(work) = &mut self.work {
            work.fault = Some(Fault::Fail(why));
        }
    }

    /// The operation under way ends now.
    pub(crate) fn hurry(&mut self, now: Time) {
        if let Some(work) = &mut self.work {
            work.due = Some(now);
        }
    }

    /// Somebody else's operation, or an earlier one, is under way until then.
    pub(crate) fn occupy(&mut self, id: &str, until: Time) {
        self.work = Some(Work {
            id: id.into(),
            command: Command::Erase,
            state: OperationState::Running,
            error: None,
            begun: until,
            due: Some(until),
            digests: Vec::new(),
            files: Vec::new(),
            waits: false,
            kinds: Vec::new(),
            version: String::new(),
            trial: Duration::ZERO,
            fault: None,
        });
    }

    /// What it waits for is written to it.
    pub(crate) fn take_what_is_pushed(&mut self, now: Time) -> bool {
        let Some(work) = self.work.as_mut().filter(|work| work.waits && !work.state.is_over()) else {
            return false;
        };
        (work.waits, work.due) = (false, Some(now + WORK));
        true
    }

    /// It shows an operation that came to an end.
    pub(crate) fn show_ended(&mut self, id: &str, state: OperationState, at: Time) {
        self.occupy(id, at);
        let work = self.work.as_mut().unwrap();
        (work.state, work.due) = (state, None);
    }

    /// What it runs does not start once more, so that it takes what its other buffer holds.
    pub(crate) const fn slide(&mut self) {
        self.running = 1 - self.running;
    }

    /// Takes a SET, which arrived.
    pub(crate) fn set(
        &mut self,
        command: Command,
        writes: &[(Oid, Value)],
        profile: &Profile,
        fault: Option<Fault>,
        now: Time,
    ) -> Result<(), String> {
        let value = |name: &str| {
            let object = profile.objects.get(name)?;
            writes.iter().find(|(oid, _)| *oid == object.oid).map(|(_, value)| value.clone())
        };
        let text = |name: &str| value(name).and_then(|value| value.text()).unwrap_or_default();
        let number = |name: &str| value(name).and_then(|value| value.number()).unwrap_or_default();
        if fault == Some(Fault::Refuse) {
            return Err("genErr".into());
        }
        match command {
            Command::CloseCalls => self.admitted = false,
            Command::OpenCalls => self.admitted = true,
            Command::ConfigureServer => {
                self.server = (text("server-address"), u16::try_from(number("server-port")).unwrap());
            }
            _ => {}
        }
        let id = text("operation-id");
        if id.is_empty() {
            return Ok(());
        }
        assert!(id.len() <= 32, "iadOpId takes 32 characters: {id}");
        let meant = text("operation-version");
        let elsewhere = !meant.is_empty() && self.slots[1 - self.running].version != meant;
        if command == Command::RollBack && elsewhere && !self.any_version {
            return Err("inconsistentValue".into());
        }
        let running = self.work.as_ref().filter(|work| !work.state.is_over());
        if command == Command::Abort {
            return match running.is_some_and(|work| work.id == id) {
                true => {
                    let work = self.work.as_mut().unwrap();
                    (work.state, work.due) = (OperationState::Aborted, None);
                    Ok(())
                }
                false => Err("inconsistentValue".into()),
            };
        }
        if self.work.as_ref().is_some_and(|work| work.id == id) {
            return Ok(());
        }
        if running.is_some() {
            return Err("inconsistentValue".into());
        }
        let revision = u32::try_from(number("operation-revision")).unwrap();
        if revision != 0 && revision != self.revision {
            return Err("inconsistentValue".into());
        }
        let split = |name: &str| text(name).split(' ').map(str::to_owned).collect::<Vec<_>>();
        let files = split("operation-files").into_iter().filter(|name| !name.is_empty());
        let kind = |number: String| {
            let found = profile.kinds.iter().find(|(_, own)| own.to_string() == number)?;
            Some(found.0.clone())
        };
        if command == Command::Download {
            let standby = 1 - self.running;
            self.slots[standby].state = BufferState::Writing;
            self.slots[standby].version.clear();
            self.slots[standby].digest = None;
        }
        // push(3) of iadServerProtocol
        let waits = command == Command::Download && number("server-protocol") == 3;
        self.work = Some(Work {
            id,
            command,
            state: OperationState::Running,
            error: None,
            begun: now,
            digests: Vec::new(),
            waits,
            due: (fault != Some(Fault::Hang) && !waits).then_some(now + WORK),
            files: files.map(TicketName).collect(),
            kinds: split("operation-kinds").into_iter().filter_map(kind).collect(),
            version: text("operation-version"),
            trial: Duration::from_secs(u64::try_from(number("operation-trial")).unwrap()),
            fault,
        });
        Ok(())
    }
}
