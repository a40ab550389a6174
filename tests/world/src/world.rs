//! The world: it owns the time, takes what is due first, delivers it, performs what follows, and checks.

use core::time::Duration;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use engine::Access;
use engine::access::Version;
use engine::datagram::Datagram;
use engine::director::{Effect, Entry, Input, Turn};
use engine::file_server::Port;
use engine::listener::DeviceIndex;
use iad_sim::device::{Effect as Wish, Power, TransferError, TransferEvent, TransferId};
use iad_sim::transfer::Progress;
use tftp::Packet;
use upgrade::run::Story;
use upgrade::{DeviceId, Profile, Run, Time};

use crate::desk::Desk;
use crate::ftp::FtpStep;
use crate::images::IMAGES;
use crate::invariants::{Checks, Violation};
use crate::manager::{Channel, Committing, Manager, Message, Part, convert, profile};
use crate::plan::{Plan, Trouble};
use crate::queue::Queue;
use crate::random::Random;
use crate::store::{Refused, Store};
use crate::unit::{Moving, NOTIFYING_PORT, SNMP_PORT, Unit, address, place};

/// The manager's address, and the ports it listens on.
pub(crate) const MANAGER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 255, 1));
const COMMANDER_PORT: u16 = 40_000;
const LISTENER_PORT: u16 = 162;
const TRANSFER_PORT: u16 = 40_069;
/// Where files are asked for.
pub(crate) const TFTP_PORT: u16 = 69;
/// Where FTP would listen.
pub(crate) const FTP_PORT: u16 = 21;

/// When the world begins, by its own clock: no device has just been made.
const BEGIN: Duration = Duration::from_secs(1_000_000);

/// After the last trouble, everything has to come to an end within this.
const PATIENCE: Duration = Duration::from_secs(8 * 3600);

/// More events than this in one world are a flood.
const MOST_EVENTS: u64 = 2_000_000;

/// What happens.
#[derive(Debug)]
pub(crate) enum Item {
    /// A datagram comes to a device's agent.
    ToAgent { place: usize, from: SocketAddr, bytes: Vec<u8> },
    /// A datagram comes to the port of a device's transfer.
    ToTransfer { place: usize, port: u16, from: SocketAddr, bytes: Vec<u8> },
    /// A datagram comes to where a device's INFORMs leave from.
    ToNotifier { place: usize, from: SocketAddr, bytes: Vec<u8> },
    /// A datagram comes to the manager.
    ToManager { socket: Socket, peer: SocketAddr, bytes: Vec<u8> },
    /// A message between parts of the manager, in one of its lives.
    Message { life: u32, message: Message },
    /// A device is to be looked at.
    UnitDue(usize),
    /// A part of the manager is to be called.
    PartDue { life: u32, part: Part },
    /// A file that moves by FTP.
    Ftp { life: u32, place: usize, transfer: TransferId, step: FtpStep },
    /// The trouble with this number begins.
    Begins(usize),
    /// It is over.
    Over(usize),
    /// All trouble is over.
    Quiet,
    /// The manager is started.
    Start,
    /// An operator looks at the run of a device.
    Operator(usize),
    /// The manager's converter is done.
    Converted { life: u32, convert: Box<engine::director::Convert> },
}

/// The manager's sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Socket {
    Commander,
    Listener,
    Files(Port),
}

/// What a world came to.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// What was broken, if anything.
    pub violation: Option<Violation>,
    /// How many things happened.
    pub events: u64,
    /// How much time passed in the world.
    pub passed: Duration,
    /// How many runs there were.
    pub runs: u64,
    /// How often the manager was killed.
    pub kills: u32,
    /// How each run ended.
    pub outcomes: BTreeMap<String, u64>,
    /// What happened, a line each, where that was asked for.
    pub story: Vec<String>,
}

pub(crate) struct World {
    pub(crate) now: Duration,
    queue: Queue<Item>,
    pub(crate) random: Random,
    pub(crate) plan: Plan,
    pub(crate) units: Vec<Unit>,
    pub(crate) manager: Option<Manager>,
    pub(crate) life: u32,
    pub(crate) store: Store,
    pub(crate) profile: Arc<Profile>,
    pub(crate) desks: Vec<Desk>,
    pub(crate) checks: Checks,
    kills: BTreeMap<u64, Duration>,
    steps: u64,
    killed: u32,
    network: Network,
    pub(crate) quiet: bool,
    violation: Option<Violation>,
    story: Option<Vec<String>>,
    buffer: Vec<u8>,
}

/// What the network does with a datagram, so many of a thousand.
#[derive(Debug, Clone, Copy, Default)]
struct Network {
    lost: u64,
    doubled: u64,
    damaged: u64,
}

/// Runs the world of this plan to its end, or to the first thing that must not be.
pub fn run(plan: &Plan, told: bool) -> Verdict {
    let mut world = World::new(plan.clone(), told);
    let mut events = 0;
    while world.violation.is_none() {
        let Some((at, item)) = world.queue.pop() else { break };
        events += 1;
        world.now = at;
        world.happen(item);
        if world.is_over() {
            break;
        }
        if events > MOST_EVENTS || world.now > BEGIN + plan.quiet + PATIENCE {
            let open: Vec<_> = world
                .store
                .open_runs()
                .map(|stored| format!("{}: {:?}", stored.run.id, stored.run.state))
                .collect();
            world.violate(
                "when_faults_stop_every_run_ends",
                format!("after {events} events: {}", open.join("; ")),
            );
        }
    }
    if world.violation.is_none() {
        world.violation = world.at_the_end().err();
    }
    let mut outcomes: BTreeMap<String, u64> = BTreeMap::new();
    for stored in world.store.runs.values() {
        let outcome = match &stored.run.state {
            upgrade::run::State::Ended(ending) => ending.outcome.to_string(),
            _ => "open".into(),
        };
        *outcomes.entry(outcome).or_default() += 1;
    }
    Verdict {
        violation: world.violation,
        events,
        passed: world.now - BEGIN,
        runs: u64::try_from(world.store.runs.len()).unwrap_or(0),
        kills: world.killed,
        outcomes,
        story: world.story.unwrap_or_default(),
    }
}

impl World {
    fn new(plan: Plan, told: bool) -> Self {
        let mut random = Random::new(plan.seed ^ 0x5eed);
        let mut store = Store::default();
        for made in IMAGES.iter() {
            store.files.extend(made.files.iter().cloned());
        }
        let mut units: Vec<_> =
            plan.devices.iter().map(|device| Unit::new(device.clone(), random.number(), BEGIN)).collect();
        let mut network = Network::default();
        let mut kills = BTreeMap::new();
        let mut queue = Queue::new();
        for (number, trouble) in plan.troubles.iter().enumerate() {
            match trouble {
                Trouble::Device(place, fault) => {
                    if let Some(unit) = units.get_mut(*place) {
                        let number = u32::try_from(number + 1).unwrap_or(u32::MAX);
                        unit.device.faults_mut().add(number, fault.clone());
                    }
                }
                Trouble::Kill { step, lasts } => drop(kills.insert(*step, *lasts)),
                Trouble::Deaf(place) => {
                    if let Some(unit) = units.get_mut(*place) {
                        unit.deaf = true;
                    }
                }
                Trouble::Network { lost, doubled, damaged } => {
                    network = Network { lost: *lost, doubled: *doubled, damaged: *damaged };
                }
                Trouble::PowerCut { at, .. }
                | Trouble::Partition { at, .. }
                | Trouble::DiskFull { at, .. }
                | Trouble::Edit { at, .. }
                | Trouble::Cancel { at, .. }
                | Trouble::Rival { at, .. }
                | Trouble::ClockJump { at, .. } => queue.put(BEGIN + *at, Item::Begins(number)),
            }
        }
        queue.put(BEGIN, Item::Start);
        queue.put(BEGIN + plan.quiet, Item::Quiet);
        for (place, device) in plan.devices.iter().enumerate() {
            queue.put(BEGIN, Item::UnitDue(place));
            let first = device.errands.first().map_or(Duration::ZERO, |errand| errand.at);
            queue.put(BEGIN + first, Item::Operator(place));
        }
        let checks = Checks::new(&units);
        let desks = plan.devices.iter().map(|_| Desk::default()).collect();
        Self {
            now: BEGIN,
            queue,
            random,
            units,
            manager: None,
            life: 0,
            store,
            profile: profile(),
            desks,
            checks,
            kills,
            steps: 0,
            killed: 0,
            network,
            quiet: false,
            violation: None,
            story: told.then(Vec::new),
            buffer: Vec::new(),
            plan,
        }
    }

    pub(crate) fn put(&mut self, after: Duration, item: Item) {
        self.queue.put(self.now + after, item);
    }

    pub(crate) fn violate(&mut self, invariant: &'static str, what: String) {
        if self.violation.is_none() {
            self.note(|| format!("BROKEN {invariant}: {what}"));
            self.violation = Some(Violation { invariant, what });
        }
    }

    pub(crate) fn judge(&mut self, checked: Result<(), Violation>) {
        if let Err(Violation { invariant, what }) = checked {
            self.violate(invariant, what);
        }
    }

    /// Tells what happens, where somebody wants to know.
    pub(crate) fn note(&mut self, line: impl FnOnce() -> String) {
        if let Some(story) = &mut self.story {
            let at = self.now - BEGIN;
            story.push(format!("{:>10.3} {}", at.as_secs_f64(), line()));
        }
    }

    fn is_over(&self) -> bool {
        self.quiet
            && self.manager.is_some()
            && self
                .desks
                .iter()
                .zip(&self.plan.devices)
                .all(|(desk, device)| desk.turn >= device.errands.len())
    }

    fn happen(&mut self, item: Item) {
        match item {
            Item::ToAgent { place, from, bytes } => self.ask_agent(place, from, &bytes),
            Item::ToTransfer { place, port, from, bytes } => self.transfer_hears(place, port, from, &bytes),
            Item::ToNotifier { place, from, bytes } => {
                let now = self.now;
                if let Some(unit) = self.units.get_mut(place).filter(|unit| unit.device.answers()) {
                    unit.acknowledged(from, &bytes, now);
                }
                self.settle(place);
            }
            Item::ToManager { socket, peer, bytes } => self.manager_hears(socket, peer, &bytes),
            Item::Message { life, message } => {
                if life == self.life && self.manager.is_some() {
                    self.deliver(message);
                }
            }
            Item::UnitDue(place) => self.unit_due(place),
            Item::PartDue { life, part } => {
                if life == self.life && self.manager.is_some() {
                    self.part_due(part);
                }
            }
            Item::Ftp { life, place, transfer, step } => self.ftp(life, place, transfer, step),
            Item::Begins(number) => self.begins(number),
            Item::Over(number) => self.over(number),
            Item::Quiet => self.be_quiet(),
            Item::Start => self.start(),
            Item::Operator(place) => self.operate(place),
            Item::Converted { life, convert: job } => {
                if life == self.life && self.manager.is_some() {
                    let done = convert(job.run, &job.set, job.format, &mut self.store);
                    self.send_input(Channel::Converted, done);
                }
            }
        }
    }

    // The network

    /// Sends a datagram between a device and the manager.
    fn send(&mut self, place: usize, make: impl Fn(Vec<u8>) -> Item, bytes: Vec<u8>) {
        if self.units.get(place).is_none_or(|unit| unit.cut_off > self.now) {
            return;
        }
        let Network { lost, doubled, damaged } = self.network;
        if self.random.permille(lost) {
            return;
        }
        let second = self.random.permille(doubled).then(|| bytes.clone());
        for mut bytes in std::iter::once(bytes).chain(second) {
            if self.random.permille(damaged) {
                let place = self.random.below(u64::try_from(bytes.len()).unwrap_or(0));
                let change = 1 << self.random.below(8);
                if let Some(byte) = usize::try_from(place).ok().and_then(|place| bytes.get_mut(place)) {
                    *byte ^= change;
                }
            }
            // A few arrive late, after those that were sent after them.
            let late = if self.random.permille(30) { 1500 } else { 40 };
            let delay = self.random.span(5, late);
            self.put(delay, make(bytes));
        }
    }

    fn ask_agent(&mut self, place: usize, from: SocketAddr, bytes: &[u8]) {
        let now = self.now;
        let Some(unit) = self.units.get_mut(place).filter(|unit| unit.cut_off <= now) else { return };
        let answer = unit.answer(bytes, now);
        self.settle(place);
        if let Some(answer) = answer
            && from.ip() == MANAGER
        {
            let peer = SocketAddr::new(address(place), SNMP_PORT);
            let arrive = move |bytes| Item::ToManager { socket: Socket::Commander, peer, bytes };
            self.send(place, arrive, answer);
        }
    }

    fn transfer_hears(&mut self, place: usize, port: u16, from: SocketAddr, bytes: &[u8]) {
        let now = self.now;
        let Some(unit) = self.units.get_mut(place).filter(|unit| unit.cut_off <= now) else { return };
        let Ok(packet) = Packet::decode(bytes) else { return };
        let known = unit.transfer_at(port);
        if let Some(Moving::Tftp(transfer)) = known.and_then(|known| unit.transfers.get_mut(&known))
            && transfer.is_with(from)
        {
            transfer.handle(from, &packet, now);
        }
        self.settle(place);
    }

    fn manager_hears(&mut self, socket: Socket, peer: SocketAddr, bytes: &[u8]) {
        let now = self.now;
        let Some(manager) = &mut self.manager else { return };
        let datagram = [Datagram { peer, local: Some(MANAGER), bytes }];
        match socket {
            Socket::Commander => {
                manager.commander.handle(&datagram, now);
                self.pump_commander();
            }
            Socket::Listener => {
                manager.listener.handle(&datagram);
                self.pump_listener();
            }
            Socket::Files(port) => {
                manager.files.handle(port, &datagram, now);
                self.pump_files();
            }
        }
    }

    // Devices

    fn unit_due(&mut self, place: usize) {
        let now = self.now;
        let Some(unit) = self.units.get_mut(place) else { return };
        if unit.due != Some(now) {
            return;
        }
        unit.due = None;
        let clock = unit.clock(now);
        unit.device.tick(clock);
        self.settle(place);
    }

    /// Performs what a device wants, moves its files on, and checks what changed.
    pub(crate) fn settle(&mut self, place: usize) {
        loop {
            let Some(unit) = self.units.get_mut(place) else { return };
            let wishes: Vec<Wish> = std::iter::from_fn(|| unit.device.next_effect()).collect();
            let idle = wishes.is_empty();
            for wish in wishes {
                self.wish(place, wish);
            }
            if !self.move_files(place) && idle {
                break;
            }
        }
        let now = self.now;
        let Some(unit) = self.units.get_mut(place) else { return };
        if !unit.device.answers() {
            let seed = self.random.number();
            unit.forget_informs(seed);
        }
        while let Some(inform) = self.units.get_mut(place).and_then(|unit| unit.poll_inform(now)) {
            self.send_notification(place, inform);
        }
        let Some(unit) = self.units.get_mut(place) else { return };
        let changes = unit.device.changes();
        if unit.seen_changes != changes {
            unit.seen_changes = changes;
            let checked = self.checks.device_changed(place, &self.units, &self.store);
            self.judge(checked);
        }
        self.arm(place);
    }

    fn arm(&mut self, place: usize) {
        let now = self.now;
        let Some(unit) = self.units.get_mut(place) else { return };
        let Some(deadline) = unit.deadline(now) else { return };
        let at = deadline.max(now);
        if unit.due.is_none_or(|due| at < due) {
            unit.due = Some(at);
            self.queue.put(at, Item::UnitDue(place));
        }
    }

    fn wish(&mut self, place: usize, wish: Wish) {
        let now = self.now;
        let Some(unit) = self.units.get_mut(place) else { return };
        match wish {
            Wish::Fetch(fetch) => match Unit::server(&fetch.server) {
                Some(server) if server.ip() == MANAGER => {
                    unit.fetch(&fetch, server, now);
                    self.open_ftp(place, fetch.transfer, &fetch.server, fetch.name, None);
                }
                _ => self.give_up(place, fetch.transfer),
            },
            Wish::Upload(upload) => match Unit::server(&upload.server) {
                Some(server) if server.ip() == MANAGER => {
                    unit.upload(&upload, server, now);
                    let content = Some(upload.content.into());
                    self.open_ftp(place, upload.transfer, &upload.server, upload.name, content);
                }
                _ => self.give_up(place, upload.transfer),
            },
            Wish::Cancel { transfer, silent } => {
                if !silent && let Some(Moving::Tftp(moving)) = unit.transfers.get_mut(&transfer) {
                    moving.cancel();
                    self.transmit(place, transfer);
                }
                if let Some(unit) = self.units.get_mut(place) {
                    unit.transfers.remove(&transfer);
                }
            }
            Wish::Notify(notification) => {
                let listener = SocketAddr::new(MANAGER, LISTENER_PORT);
                let trap = unit.notify(&notification, listener, now);
                self.note(|| {
                    format!(
                        "device {} notifies {:?} {}",
                        place + 1,
                        notification.kind,
                        notification.operation
                    )
                });
                if let Some(trap) = trap {
                    self.send_notification(place, trap);
                }
            }
            Wish::KeepImage(_) => {}
        }
    }

    fn give_up(&mut self, place: usize, transfer: TransferId) {
        self.tell_transfer(place, transfer, TransferEvent::Failed(TransferError::Unreachable));
    }

    pub(crate) fn tell_transfer(&mut self, place: usize, transfer: TransferId, event: TransferEvent<'_>) {
        let now = self.now;
        if let Some(unit) = self.units.get_mut(place) {
            if matches!(event, TransferEvent::Finished | TransferEvent::Failed(_)) {
                unit.transfers.remove(&transfer);
            }
            let clock = unit.clock(now);
            unit.device.transfer(transfer, event, clock);
        }
    }

    fn send_notification(&mut self, place: usize, bytes: Vec<u8>) {
        if self.units.get(place).is_some_and(|unit| unit.deaf && !self.quiet) {
            return;
        }
        let peer = SocketAddr::new(address(place), NOTIFYING_PORT);
        let arrive = move |bytes| Item::ToManager { socket: Socket::Listener, peer, bytes };
        self.send(place, arrive, bytes);
    }

    /// Moves the files of a device on. Whether anything was told to it.
    fn move_files(&mut self, place: usize) -> bool {
        let now = self.now;
        let Some(unit) = self.units.get_mut(place) else { return false };
        let moving: Vec<TransferId> = unit.transfers.keys().copied().collect();
        let mut told = false;
        for id in moving {
            self.transmit(place, id);
            let Some(unit) = self.units.get_mut(place) else { return told };
            let Some(Moving::Tftp(transfer)) = unit.transfers.get_mut(&id) else { continue };
            if transfer.stalls(now) {
                continue;
            }
            let progress = transfer.progress(now);
            let done = transfer.is_done();
            told |= !progress.is_empty();
            let clock = unit.clock(now);
            for step in &progress {
                let event = match step {
                    Progress::Received(bytes) => TransferEvent::Received(bytes),
                    Progress::Sent(bytes) => TransferEvent::Sent(*bytes),
                    Progress::Finished => TransferEvent::Finished,
                    Progress::Failed(error) => TransferEvent::Failed(*error),
                };
                unit.device.transfer(id, event, clock);
            }
            self.transmit(place, id);
            if done && let Some(unit) = self.units.get_mut(place) {
                unit.transfers.remove(&id);
            }
        }
        told
    }

    fn transmit(&mut self, place: usize, id: TransferId) {
        let now = self.now;
        let mut buffer = std::mem::take(&mut self.buffer);
        while let Some(unit) = self.units.get_mut(place) {
            let Some(Moving::Tftp(transfer)) = unit.transfers.get_mut(&id) else { break };
            if transfer.stalls(now) {
                break;
            }
            let Some(sent) = transfer.poll_transmit(now, &mut buffer) else { break };
            let to = transfer.peer();
            let peer = SocketAddr::new(address(place), Unit::port(id));
            let port = if to.port() == TFTP_PORT { Port::Requests } else { Port::Transfers };
            let whole = buffer.get(..sent.length).unwrap_or_default();
            for packet in whole.chunks(sent.segment_size.max(1)) {
                let arrive = move |bytes| Item::ToManager { socket: Socket::Files(port), peer, bytes };
                self.send(place, arrive, packet.to_vec());
            }
        }
        self.buffer = buffer;
    }

    // The manager

    fn start(&mut self) {
        if self.manager.is_some() {
            return;
        }
        self.life += 1;
        let seed = self.random.number();
        let mut manager = Manager::new(seed, &self.store);
        manager.listener.know(self.index());
        for stored in self.store.open_runs() {
            let place = usize::try_from(stored.run.device.id.0).unwrap_or(1).saturating_sub(1);
            let access = self.access(place);
            let entry =
                Entry::stored(stored.run.clone(), stored.seq, stored.told, Arc::clone(&self.profile), access);
            manager.inbox.push(Input::Resume(Box::new(entry)));
        }
        let life = self.life;
        self.note(|| format!("the manager starts, life {life}"));
        self.manager = Some(manager);
        self.run_director();
    }

    fn kill(&mut self, lasts: Duration) {
        let step = self.steps;
        self.note(|| format!("the manager is killed at step {step}"));
        self.killed += 1;
        self.manager = None;
        let lasts = if self.quiet { Duration::from_secs(1) } else { lasts };
        self.put(lasts, Item::Start);
        let checked = self.checks.replays(&self.store, &self.profile);
        self.judge(checked);
    }

    /// One step of the manager; true: it is killed before that.
    fn step(&mut self) -> bool {
        self.steps += 1;
        match self.kills.remove(&self.steps) {
            Some(lasts) => {
                self.kill(lasts);
                true
            }
            None => false,
        }
    }

    fn index(&self) -> Arc<DeviceIndex> {
        let mut index = DeviceIndex::default();
        for place in 0..self.units.len() {
            let id = device_id(place);
            index.by_address.insert(address(place), id);
            index.profiles.insert(id, Arc::clone(&self.profile));
            index.by_unique_id.extend(self.store.unique_ids.get(&id).map(|unique| (unique.clone(), id)));
        }
        Arc::new(index)
    }

    pub(crate) fn access(&self, place: usize) -> Access {
        Access {
            address: SocketAddr::new(address(place), SNMP_PORT),
            version: Version::V2c,
            read_community: "public".into(),
            write_community: "private".into(),
            answer_ms: self.profile.limits.answer_ms,
            repeats: self.profile.limits.repeats,
        }
    }

    /// A message from one part of the manager to another: none overtakes another on the same channel.
    pub(crate) fn message(&mut self, channel: Channel, message: Message) {
        let late = if self.random.permille(20) { 200 } else { 3 };
        let at = self.now + self.random.span(0, late);
        let Some(manager) = &mut self.manager else { return };
        let last = manager.channels.entry(channel).or_default();
        *last = at.max(*last);
        let (at, life) = (*last, self.life);
        self.queue.put(at, Item::Message { life, message });
    }

    pub(crate) fn send_input(&mut self, channel: Channel, input: Input) {
        self.message(channel, Message::Input(input));
    }

    fn deliver(&mut self, message: Message) {
        let now = self.now;
        let Some(manager) = &mut self.manager else { return };
        match message {
            Message::Ask(ask) => {
                manager.commander.ask(ask);
                self.pump_commander();
            }
            Message::Order(order) => {
                manager.files.order(order, now);
                self.pump_files();
            }
            Message::Storage(asked) => {
                if let Some(stored) = manager.store(asked, &mut self.store) {
                    self.message(Channel::Stored, Message::Stored(stored));
                }
            }
            Message::Stored(stored) => {
                manager.files.storage(stored, now);
                self.pump_files();
            }
            Message::Input(input) => {
                manager.inbox.push(input);
                self.run_director();
            }
            Message::Receipt(receipt) => {
                manager.listener.committed(receipt);
                self.pump_listener();
            }
            Message::Index(index) => manager.listener.know(index),
            Message::Commit => self.commit(),
            Message::Retry => {
                manager.committing = None;
                self.run_director();
            }
        }
    }

    fn part_due(&mut self, part: Part) {
        let now = self.now;
        let Some(manager) = &mut self.manager else { return };
        if manager.due.get(&part) != Some(&now) {
            return;
        }
        manager.due.remove(&part);
        match part {
            Part::Director => {
                manager.inbox.push(Input::Clock);
                self.run_director();
            }
            Part::Commander => self.pump_commander(),
            Part::Files => self.pump_files(),
        }
    }

    fn due(&mut self, part: Part, deadline: Option<Duration>) {
        let (now, life) = (self.now, self.life);
        let (Some(manager), Some(deadline)) = (&mut self.manager, deadline) else { return };
        let at = deadline.max(now + Duration::from_micros(1));
        if manager.due.get(&part).is_none_or(|due| at < *due) {
            manager.due.insert(part, at);
            self.queue.put(at, Item::PartDue { life, part });
        }
    }

    fn pump_commander(&mut self) {
        let now = self.now;
        let mut buffer = std::mem::take(&mut self.buffer);
        let from = SocketAddr::new(MANAGER, COMMANDER_PORT);
        while let Some(manager) = &mut self.manager {
            let Some(sent) = manager.commander.poll_transmit(now, &mut buffer) else { break };
            if let Some(place) = place(sent.peer.ip()) {
                let bytes = buffer.get(..sent.length).unwrap_or_default().to_vec();
                self.send(place, move |bytes| Item::ToAgent { place, from, bytes }, bytes);
            }
        }
        self.buffer = buffer;
        while let Some(answer) = self.manager.as_mut().and_then(|manager| manager.commander.poll_answer(now))
        {
            self.send_input(Channel::Answers, Input::Answer(answer));
        }
        let deadline = self.manager.as_ref().and_then(|manager| manager.commander.next_deadline());
        self.due(Part::Commander, deadline);
    }

    fn pump_listener(&mut self) {
        while let Some(heard) = self.manager.as_mut().and_then(|manager| manager.listener.poll_heard()) {
            self.send_input(Channel::News, Input::Heard(heard));
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        let from = SocketAddr::new(MANAGER, LISTENER_PORT);
        while let Some(manager) = &mut self.manager {
            let Some(sent) = manager.listener.poll_transmit(&mut buffer) else { break };
            if let Some(place) = place(sent.peer.ip()) {
                let bytes = buffer.get(..sent.length).unwrap_or_default().to_vec();
                self.send(place, move |bytes| Item::ToNotifier { place, from, bytes }, bytes);
            }
        }
        self.buffer = buffer;
    }

    pub(crate) fn pump_files(&mut self) {
        let now = self.now;
        let mut buffer = std::mem::take(&mut self.buffer);
        while let Some(manager) = &mut self.manager {
            let Some((port, sent)) = manager.files.poll_transmit(now, &mut buffer) else { break };
            let own = match port {
                Port::Requests => TFTP_PORT,
                Port::Transfers => TRANSFER_PORT,
            };
            let from = SocketAddr::new(MANAGER, own);
            let Some(place) = place(sent.peer.ip()) else { continue };
            let to = sent.peer.port();
            let whole = buffer.get(..sent.length).unwrap_or_default();
            for packet in whole.chunks(sent.segment_size.max(1)) {
                self.send(
                    place,
                    move |bytes| Item::ToTransfer { place, port: to, from, bytes },
                    packet.to_vec(),
                );
            }
        }
        self.buffer = buffer;
        while let Some(asked) = self.manager.as_mut().and_then(|manager| manager.files.poll_storage()) {
            let reads = matches!(asked, engine::file_server::ToStorage::Need { .. });
            let channel = if reads { Channel::Reading } else { Channel::Writing };
            self.message(channel, Message::Storage(asked));
        }
        while let Some(report) = self.manager.as_mut().and_then(|manager| manager.files.poll_report()) {
            let checked = self.checks.reported(&report);
            self.judge(checked);
            self.send_input(Channel::Reports, Input::Report(report));
        }
        while let Some(stopped) = self.manager.as_mut().and_then(|manager| manager.files.poll_ftp_stop()) {
            self.checks.ftp_stopped.insert(stopped);
        }
        let deadline = self.manager.as_ref().and_then(|manager| manager.files.next_deadline());
        self.due(Part::Files, deadline);
    }

    // The director

    fn run_director(&mut self) {
        let now = Time::from(self.now);
        let Some(manager) = &mut self.manager else { return };
        if manager.committing.is_some() || manager.inbox.is_empty() {
            return;
        }
        let inputs = std::mem::take(&mut manager.inbox);
        let turn = manager.director.turn(&inputs, now);
        if turn.transaction.writes.is_empty() {
            return self.perform(turn);
        }
        manager.committing = Some(Committing { inputs, turn });
        let life = self.life;
        let takes = self.random.span(1, 30);
        self.put(takes, Item::Message { life, message: Message::Commit });
    }

    fn commit(&mut self) {
        if self.step() {
            return;
        }
        let Some(Committing { inputs, turn }) =
            self.manager.as_mut().and_then(|manager| manager.committing.take())
        else {
            return;
        };
        match self.store.commit(&turn.transaction.writes) {
            Ok(()) => {}
            Err(Refused::Conflict(run)) => {
                return self.violate(
                    "one_run_at_a_time",
                    format!("run {run} was written twice, or a device is in two"),
                );
            }
            Err(Refused::Full) => {
                // All but operators' words waits, in its order.
                let life = self.life;
                let Some(manager) = &mut self.manager else { return };
                let is_of_operator = |input: &Input| {
                    matches!(
                        input,
                        Input::Start(_) | Input::Operator { .. } | Input::Cancel(_) | Input::StopOperation(_)
                    )
                };
                let kept = inputs.into_iter().filter(|input| !is_of_operator(input));
                let later = std::mem::take(&mut manager.inbox);
                manager.inbox =
                    kept.chain(later.into_iter().filter(|input| !is_of_operator(input))).collect();
                manager.committing = Some(Committing { inputs: Vec::new(), turn: Turn::default() });
                return self.put(Duration::from_secs(1), Item::Message { life, message: Message::Retry });
            }
        }
        for write in &turn.transaction.writes {
            let checked = self.checks.committed(write, &self.units, &self.store);
            self.judge(checked);
        }
        if self.step() {
            return;
        }
        let learnt = turn.transaction.writes.iter().any(|write| write.unique_id.is_some());
        self.perform(turn);
        if learnt {
            let index = self.index();
            self.message(Channel::Index, Message::Index(index));
        }
        self.run_director();
    }

    /// Performs what is committed, one effect after the other.
    fn perform(&mut self, turn: Turn) {
        let Some(manager) = &mut self.manager else { return };
        manager.director.apply(&turn);
        for effect in turn.effects {
            if self.step() {
                return;
            }
            self.effect(effect);
        }
        let deadline = self.manager.as_ref().and_then(|manager| manager.director.next_deadline());
        self.due(Part::Director, deadline.map(Duration::from));
    }

    fn effect(&mut self, effect: Effect) {
        match effect {
            Effect::Ask(ask) => self.message(Channel::Asks, Message::Ask(ask)),
            Effect::File(order) => self.message(Channel::Orders, Message::Order(order)),
            Effect::Convert(job) => {
                let (life, takes) = (self.life, self.random.span(10, 900));
                self.put(takes, Item::Converted { life, convert: Box::new(job) });
            }
            Effect::Tell(told) => {
                self.note(|| format!("run {} of {}: {:?}", told.run, told.device, told.story));
                if matches!(told.story, Story::Asked { .. } | Story::Ended(_)) {
                    let place =
                        self.units.iter().position(|unit| unit.plan.settings.unique_id == told.device);
                    if let Some(place) = place {
                        self.put(Duration::from_millis(100), Item::Operator(place));
                    }
                }
            }
            Effect::Committed { receipt } => self.message(Channel::Receipts, Message::Receipt(receipt)),
        }
    }

    // Trouble

    fn begins(&mut self, number: usize) {
        let now = self.now;
        let Some(trouble) = self.plan.troubles.get(number).cloned() else { return };
        self.note(|| format!("trouble {number}: {trouble:?}"));
        match trouble {
            Trouble::PowerCut { device, lasts, .. } => {
                if let Some(unit) = self.units.get_mut(device) {
                    let clock = unit.clock(now);
                    unit.device.power_off(clock);
                }
                self.settle(device);
                self.put(lasts, Item::Over(number));
            }
            Trouble::Partition { device, lasts, .. } => {
                if let Some(unit) = self.units.get_mut(device) {
                    unit.cut_off = unit.cut_off.max(now + lasts);
                }
            }
            Trouble::DiskFull { lasts, .. } => {
                self.store.full = true;
                self.put(lasts, Item::Over(number));
            }
            Trouble::Edit { device, .. } => self.edit(device),
            Trouble::Cancel { device, .. } => self.cancel(device),
            Trouble::Rival { device, .. } => self.rival(device),
            Trouble::ClockJump { device, by, .. } => {
                if let Some(unit) = self.units.get_mut(device) {
                    unit.ahead += by;
                    unit.due = None;
                    let clock = unit.clock(now);
                    unit.device.tick(clock);
                }
                self.settle(device);
            }
            Trouble::Device(..) | Trouble::Kill { .. } | Trouble::Deaf(_) | Trouble::Network { .. } => {}
        }
    }

    fn over(&mut self, number: usize) {
        match self.plan.troubles.get(number) {
            Some(Trouble::PowerCut { device, .. }) => {
                let device = *device;
                self.power_on(device);
            }
            Some(Trouble::DiskFull { .. }) => self.store.full = false,
            _ => {}
        }
    }

    fn power_on(&mut self, place: usize) {
        let now = self.now;
        if let Some(unit) = self.units.get_mut(place) {
            let clock = unit.clock(now);
            unit.device.power_on(clock);
        }
        self.settle(place);
    }

    fn be_quiet(&mut self) {
        self.note(|| "all trouble is over".into());
        self.quiet = true;
        self.network = Network::default();
        self.kills.clear();
        self.store.full = false;
        for place in 0..self.units.len() {
            if let Some(unit) = self.units.get_mut(place) {
                unit.cut_off = Duration::ZERO;
                unit.device.faults_mut().clear(None);
            }
            self.power_on(place);
            self.put(Duration::from_secs(1), Item::Operator(place));
        }
    }

    /// Somebody changes a setting at a device that runs the software it is meant to run.
    fn edit(&mut self, place: usize) {
        use iad_sim::device::ConfigurationKind;
        let Some(unit) = self.units.get_mut(place) else { return };
        let meant = unit.device.power() == Power::Running
            && unit.device.durable().boot.trial.is_none()
            && self.checks.is_at_rest(place, &self.store);
        if meant && unit.device.configure(ConfigurationKind::UserData, &[("edited".into(), "yes".into())]) {
            self.checks.edited(place, &self.units);
            self.settle(place);
        }
    }

    /// Another manager lets the device restart.
    fn rival(&mut self, place: usize) {
        use iad_sim::device::{Changes, Command};
        let now = self.now;
        let Some(unit) = self.units.get_mut(place) else { return };
        if !unit.device.answers() {
            return;
        }
        let clock = unit.clock(now);
        let id = format!("rival-{}", now.as_millis());
        let changes = Changes { id: Some(id), command: Some(Command::Reset), ..Changes::default() };
        let _ = unit.device.set(&changes, clock);
        self.settle(place);
    }

    fn at_the_end(&mut self) -> Result<(), Violation> {
        self.checks.replays(&self.store, &self.profile)?;
        self.checks.at_the_end(&self.units, &self.store)
    }

    pub(crate) fn run_of(&self, place: usize) -> Option<&Run> {
        self.store.open_runs().map(|stored| stored.run.as_ref()).find(|run| run.device.id == device_id(place))
    }
}

/// The number of the device at this place.
pub(crate) fn device_id(place: usize) -> DeviceId {
    DeviceId(u64::try_from(place + 1).unwrap_or(u64::MAX))
}
