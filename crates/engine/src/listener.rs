//! The listener: notifications of devices, from datagrams to what they say of an operation.
//!
//! Pure. A device is known by the engine that has proven to be the sender, without one by the unique id in the notification,
//! and only without that by the address it came from (row B13). What comes from nobody known is counted and shown, no more. An INFORM is answered once the daemon
//! says that what it told is committed, and not before.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use snmp::notification::{NotTaken, NotificationKind as Form, Received, Receiver, Why};
use snmp::usm::{EngineId, EngineTime, User};
use upgrade::operation::Notice;
use upgrade::profile::NotificationKind;
use upgrade::{DeviceId, Oid, Profile, Value};

use crate::access::{from_wire, from_wire_name};
use crate::datagram::{Datagram, Transmit};

/// A snapshot of the inventory, to know devices by.
#[derive(Debug, Clone, Default)]
pub struct DeviceIndex {
    /// By the engine that speaks for it in SNMPv3 (RFC 3411 section 3.1.1.1): what it proves, nobody else says.
    pub by_engine: BTreeMap<EngineId, DeviceId>,
    /// As whom the engine of each is believed: while their secrets are rotated, those with the new and those with the old.
    pub users: BTreeMap<DeviceId, Arc<[Arc<User>]>>,
    /// The users of SNMPv3 that are believed where an engine is not known, and in INFORMs.
    pub believed: Vec<Arc<User>>,
    /// By unique id.
    pub by_unique_id: BTreeMap<String, DeviceId>,
    /// By address; devices behind one translated address are not told apart by it.
    pub by_address: BTreeMap<IpAddr, DeviceId>,
    /// The profile of each.
    pub profiles: BTreeMap<DeviceId, Arc<Profile>>,
}

/// What a device is known by from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Learnt {
    /// By the engine that has proven to speak for it, and for no other.
    Engine(EngineId, DeviceId),
    /// By its unique id.
    UniqueId(String, DeviceId),
}

/// A notification that was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// Its number among those of this listener; an INFORM is answered by it.
    pub receipt: u64,
    /// Where it came from.
    pub peer: SocketAddr,
    /// The device it tells of, if it is one of ours.
    pub device: Option<DeviceId>,
    /// What it says of an operation, where the device's profile knows it.
    pub notice: Option<Notice>,
    /// `v1`, `v2c`, `v3`.
    pub version: &'static str,
    /// The engine that has proven to be its sender, in hexadecimal digits; SNMPv3 alone proves one.
    pub engine: Option<String>,
    /// Whether its sender waits for an answer.
    pub inform: bool,
    /// Its name (`snmpTrapOID`).
    pub name: Oid,
    /// The sender's uptime, hundredths of a second.
    pub uptime: Option<u32>,
    /// Its objects.
    pub varbinds: Vec<(Oid, Value)>,
}

/// What the listener has seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Notifications decoded.
    pub heard: u64,
    /// Of them, from nobody known.
    pub unknown: u64,
    /// Datagrams that were none.
    pub undecodable: u64,
    /// Of SNMPv3, whose sender was not proven, or not of now.
    pub unproven: u64,
    /// Heard but dropped because nobody took them in time; the devices are polled instead.
    pub overflowed: u64,
}

/// How many notifications may wait to be taken.
const MOST_WAITING: usize = 65_536;

/// How many INFORMs may wait for their commit; their senders repeat what is dropped.
const MOST_INFORMS: usize = 65_536;

/// How many bytes, as they came, may wait to be taken, and as many to be committed: strangers send what they like.
const MOST_BYTES: usize = 32 << 20;

/// Notifications of all devices.
#[derive(Debug)]
pub struct Listener {
    index: DeviceIndex,
    receiver: Receiver,
    /// The engines of devices.
    engines: BTreeMap<DeviceId, EngineId>,
    /// The unique ids of devices.
    unique_ids: BTreeMap<DeviceId, String>,
    /// The objects by which the profiles say a device names itself.
    naming: BTreeSet<Oid>,
    /// Room to decrypt in.
    scratch: Vec<u8>,
    /// Devices whose notifications are authentic and not of now: they are to be asked.
    doubted: BTreeSet<DeviceId>,
    /// With the size of each as it came.
    heard: VecDeque<(usize, Heard)>,
    heard_bytes: usize,
    receipts: u64,
    /// Answers to INFORMs that are not committed yet.
    owed: BTreeMap<u64, Owed>,
    owed_bytes: usize,
    due: VecDeque<Owed>,
    counters: Counters,
    gap: bool,
}

#[derive(Debug)]
struct Owed {
    peer: SocketAddr,
    local: Option<IpAddr>,
    response: Vec<u8>,
}

impl DeviceIndex {
    fn users_of(&self, device: DeviceId) -> Arc<[Arc<User>]> {
        self.users.get(&device).cloned().unwrap_or_default()
    }
}

impl Listener {
    /// A listener whose SNMP engine has this id: INFORMs of SNMPv3 are sent to it. `salt` is random.
    pub fn new(engine: EngineId, salt: u64) -> Self {
        Self {
            index: DeviceIndex::default(),
            receiver: Receiver::new(engine, salt),
            engines: BTreeMap::new(),
            unique_ids: BTreeMap::new(),
            naming: BTreeSet::new(),
            scratch: Vec::new(),
            doubted: BTreeSet::new(),
            heard: VecDeque::new(),
            heard_bytes: 0,
            receipts: 0,
            owed: BTreeMap::new(),
            owed_bytes: 0,
            due: VecDeque::new(),
            counters: Counters::default(),
            gap: false,
        }
    }

    /// Takes a new snapshot of the inventory.
    pub fn know(&mut self, index: DeviceIndex) {
        self.receiver.admit(index.believed.iter().cloned());
        let speaker = |(engine, device): (&EngineId, &DeviceId)| (*engine, index.users_of(*device));
        self.receiver.know(index.by_engine.iter().map(speaker));
        self.engines = index.by_engine.iter().map(|(engine, device)| (*device, *engine)).collect();
        let named = |(unique_id, device): (&String, &DeviceId)| (*device, unique_id.clone());
        self.unique_ids = index.by_unique_id.iter().map(named).collect();
        self.naming.clear();
        let mut last = None;
        for profile in index.profiles.values() {
            // Devices of one kind share their profile.
            if last.replace(Arc::as_ptr(profile)) != Some(Arc::as_ptr(profile)) {
                self.naming.extend(profile.unique_id_object().cloned());
            }
        }
        self.index = index;
    }

    /// Takes what is new in the inventory. What the device was known by before is nobody's any more.
    pub fn learn(&mut self, learnt: Learnt) {
        match learnt {
            Learnt::Engine(engine, device) => {
                if let Some(before) = self.engines.insert(device, engine).filter(|before| *before != engine) {
                    self.index.by_engine.remove(&before);
                    self.receiver.forget(&before);
                }
                let others = self.index.by_engine.insert(engine, device).filter(|others| *others != device);
                others.map(|others| self.engines.remove(&others));
                self.receiver.learn(engine, self.index.users_of(device));
            }
            Learnt::UniqueId(unique_id, device) => {
                if let Some(before) = self.unique_ids.insert(device, unique_id.clone()) {
                    self.index.by_unique_id.remove(&before);
                }
                let others = self.index.by_unique_id.insert(unique_id, device);
                let others = others.filter(|others| *others != device);
                others.map(|others| self.unique_ids.remove(&others));
            }
        }
    }

    /// An engine counts its starts anew: what it sends is judged by what its clock shows now.
    pub fn restarted_anew(&mut self, engine: &EngineId, told: EngineTime, now: Duration) {
        self.receiver.heard(engine, told, now);
    }

    /// Takes datagrams that came in. `at` is the time of the engine here.
    pub fn handle(&mut self, datagrams: &[Datagram<'_>], at: EngineTime, now: Duration) {
        let mut scratch = std::mem::take(&mut self.scratch);
        for datagram in datagrams {
            match self.receiver.receive(datagram.bytes, at, now, &mut scratch) {
                Ok(received) => self.hear(datagram, received),
                Err(NotTaken { why: Why::NoNotification(_), .. }) => self.counters.undecodable += 1,
                Err(NotTaken { why, engine, report }) => {
                    self.counters.unproven += 1;
                    let device = engine.and_then(|engine| self.index.by_engine.get(&engine));
                    self.doubted.extend(device.filter(|_| matches!(why, Why::Untimely(_))));
                    // A Report is no longer than what it answers by more than its counter and the id of this engine.
                    let room = self.due.len() < MOST_INFORMS;
                    self.due.extend(report.filter(|_| room).map(|response| Owed {
                        peer: datagram.peer,
                        local: datagram.local,
                        response,
                    }));
                }
            }
        }
        self.scratch = scratch;
    }

    /// The next device that is to be asked, since its notifications are authentic and not of now.
    pub fn poll_doubted(&mut self) -> Option<DeviceId> {
        self.doubted.pop_first()
    }

    /// The next notification.
    pub fn poll_heard(&mut self) -> Option<Heard> {
        let (size, heard) = self.heard.pop_front()?;
        self.heard_bytes -= size;
        Some(heard)
    }

    /// Whether notifications were dropped since the last call: then devices must be polled.
    pub fn take_gap(&mut self) -> bool {
        std::mem::take(&mut self.gap)
    }

    /// Datagrams were lost before they came here.
    pub const fn note_gap(&mut self) {
        self.gap = true;
    }

    /// What was told by the notification of this receipt is safe: an INFORM is answered.
    pub fn committed(&mut self, receipt: u64) {
        if let Some(owed) = self.owed.remove(&receipt) {
            self.owed_bytes -= owed.response.len();
            self.due.push_back(owed);
        }
    }

    /// Puts the next datagram to send into `buffer`.
    pub fn poll_transmit(&mut self, buffer: &mut Vec<u8>) -> Option<Transmit> {
        let Owed { peer, local, response } = self.due.pop_front()?;
        buffer.clear();
        buffer.extend_from_slice(&response);
        Some(Transmit { peer, local, segment_size: response.len(), length: response.len() })
    }

    /// What it has seen.
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    fn hear(&mut self, datagram: &Datagram<'_>, received: Received<'_>) {
        let Received { notification, engine, response } = received;
        self.counters.heard += 1;
        let varbinds: Vec<_> = notification
            .varbinds
            .iter()
            .map(|varbind| (from_wire_name(&varbind.name), from_wire(varbind.value.clone())))
            .collect();
        let name = from_wire_name(&notification.name);
        let device = self.device(datagram.peer.ip(), engine.as_ref(), &varbinds);
        self.counters.unknown += u64::from(device.is_none());
        let size = datagram.bytes.len();
        if self.heard.len() >= MOST_WAITING || self.heard_bytes + size > MOST_BYTES {
            self.counters.overflowed += 1;
            self.gap = true;
            return;
        }
        self.receipts += 1;
        let inform = matches!(notification.kind, Form::Inform { .. });
        if let Some(response) = response {
            let room = self.owed.len() < MOST_INFORMS && self.owed_bytes + response.len() <= MOST_BYTES;
            if room {
                self.owed_bytes += response.len();
                let owed = Owed { peer: datagram.peer, local: datagram.local, response };
                self.owed.insert(self.receipts, owed);
            }
        }
        let profile = device.and_then(|device| self.index.profiles.get(&device));
        self.heard_bytes += size;
        let heard = Heard {
            receipt: self.receipts,
            peer: datagram.peer,
            device,
            notice: profile.and_then(|profile| notice(profile, &name, &varbinds)),
            version: match notification.security.version() {
                snmp::Version::V1 => "v1",
                snmp::Version::V2c => "v2c",
                snmp::Version::V3 => "v3",
            },
            engine: engine.as_ref().map(EngineId::to_string),
            inform,
            name,
            uptime: notification.uptime,
            varbinds,
        };
        self.heard.push_back((size, heard));
    }

    /// By the engine that has proven to be the sender. Without one by its unique id where the notification has one, whatever
    /// address it came from; else by that address. An engine that nobody knows yet may be that of a device which has none.
    fn device(&self, peer: IpAddr, engine: Option<&EngineId>, varbinds: &[(Oid, Value)]) -> Option<DeviceId> {
        let Some(engine) = engine else { return self.claimed(peer, varbinds) };
        let by_engine = self.index.by_engine.get(engine).copied();
        by_engine.or_else(|| self.claimed(peer, varbinds).filter(|device| !self.engines.contains_key(device)))
    }

    /// Whom it says that it tells of, or who is at its address.
    fn claimed(&self, peer: IpAddr, varbinds: &[(Oid, Value)]) -> Option<DeviceId> {
        let peer = peer.to_canonical();
        let by_address = self.index.by_address.get(&peer).copied();
        let named = varbinds.iter().filter(|(oid, _)| self.naming.contains(oid)).find_map(|(oid, value)| {
            let device = self.index.by_unique_id.get(&value.text()?).copied()?;
            let profile = self.index.profiles.get(&device)?;
            (profile.unique_id_object() == Some(oid)).then_some(device)
        });
        match (named, by_address) {
            (Some(device), _) => Some(device),
            // It names somebody, but nobody known: then its address says nothing either.
            (None, Some(device)) => {
                let profile = self.index.profiles.get(&device);
                let names_one = profile.is_some_and(|profile| profile.unique_id_in(varbinds).is_some());
                (!names_one || !self.unique_ids.contains_key(&device)).then_some(device)
            }
            (None, None) => None,
        }
    }
}

fn notice(profile: &Profile, name: &Oid, varbinds: &[(Oid, Value)]) -> Option<Notice> {
    let kind: NotificationKind = *profile.notifications.get(name)?;
    let reading = profile.reading(varbinds, upgrade::Time::default());
    let told = reading.operation.unwrap_or_default();
    let operation = Some(told.id).filter(|id| !id.is_empty());
    Some(Notice { kind, operation, progress: Some(told.progress) })
}
