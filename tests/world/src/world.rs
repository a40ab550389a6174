//! The world: it owns the time, takes what is due first, delivers it, performs what follows, and checks.

use core::time::Duration;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use engine::file_server::Port;
use iad_sim::device::TransferId;
use upgrade::{DeviceId, Profile, Run};

use crate::desk::Desk;
use crate::ftp::FtpStep;
use crate::images::images;
use crate::invariants::{Checks, Violation, what_has_ended_opens_nothing, when_faults_stop_every_run_ends};
use crate::manager::{Channel, Manager, Message, Part, convert, profile};
use crate::network::Network;
use crate::plan::{DevicePlan, Plan, Trouble};
use crate::queue::Queue;
use crate::random::Random;
use crate::store::Store;
use crate::unit::{Nature, Unit};

/// The manager's address, and the ports it listens on.
pub(crate) const MANAGER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 255, 1));
pub(crate) const COMMANDER_PORT: u16 = 40_000;
pub(crate) const LISTENER_PORT: u16 = 162;
pub(crate) const TRANSFER_PORT: u16 = 40_069;
/// Where files are asked for.
pub(crate) const TFTP_PORT: u16 = 69;
/// Where FTP would listen.
pub(crate) const FTP_PORT: u16 = 21;

/// When the world begins, by its own clock: no device has just been made.
const BEGIN: Duration = Duration::from_secs(1_000_000);

/// Of so many datagrams lost of a thousand a hundred thousand worlds see none lost as often as it is sent.
const LITTLE: u64 = 20;

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
    /// A datagram comes that is not as it was sent.
    Damaged(Box<Item>),
    /// A datagram comes to the manager that somebody has sent in the place of a device.
    Forged { socket: Socket, peer: SocketAddr, bytes: Vec<u8> },
    /// A message between parts of the manager, in one of its lives.
    Message { life: u32, message: Message },
    /// Somebody whose files they are not asks for them, or sends them.
    Stranger { from: IpAddr, name: String, writes: bool },
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
    /// A person changes the configuration at a device.
    Edit(usize),
    /// A device has power again.
    PowerOn(usize),
    /// All trouble is over.
    Quiet,
    /// The manager is started.
    Start,
    /// An operator looks at the run of a device.
    Operator(usize),
    /// An operator says what was said before.
    SaidAgain(Box<engine::director::Input>),
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
    pub(crate) queue: Queue<Item>,
    pub(crate) random: Random,
    pub(crate) plan: Plan,
    pub(crate) units: Vec<Unit>,
    /// The units that answer in the place of others.
    pub(crate) impostors: BTreeMap<usize, Unit>,
    pub(crate) manager: Option<Manager>,
    pub(crate) life: u32,
    pub(crate) store: Store,
    pub(crate) profile: Arc<Profile>,
    pub(crate) desks: Vec<Desk>,
    pub(crate) checks: Checks,
    pub(crate) kills: BTreeMap<u64, Duration>,
    pub(crate) steps: u64,
    pub(crate) killed: u32,
    pub(crate) network: Network,
    /// The manager takes long to store anything.
    pub(crate) busy: bool,
    /// Since when there is no trouble any more.
    pub(crate) quiet_since: Option<Duration>,
    pub(crate) violation: Option<Violation>,
    pub(crate) story: Option<Vec<String>>,
    pub(crate) buffer: Vec<u8>,
}

/// What was on its way when the last run ended arrives within this.
const AFTERMATH: Duration = Duration::from_secs(60);

/// Runs the world of this plan to its end, or to the first thing that must not be.
pub fn run(plan: &Plan, told: bool) -> Verdict {
    let mut world = World::new(plan.clone(), told);
    let mut events = 0;
    let mut over_at: Option<Duration> = None;
    while world.violation.is_none() {
        let Some((at, item)) = world.queue.pop() else { break };
        events += 1;
        world.now = at;
        world.happen(item);
        if world.is_over() {
            over_at.get_or_insert(at);
        }
        if over_at.is_some_and(|over_at| at > over_at + AFTERMATH) {
            break;
        }
        if events > MOST_EVENTS || world.now > BEGIN + plan.quiet + PATIENCE {
            let checked = when_faults_stop_every_run_ends(events, &world.store);
            world.judge(checked);
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
    pub(crate) fn new(mut plan: Plan, told: bool) -> Self {
        plan.arrange();
        let mut random = Random::new(plan.seed ^ 0x5eed);
        let mut store = Store::default();
        images(|images| images.iter().for_each(|made| store.files.extend(made.files.iter().cloned())));
        let mut natures = vec![Nature::default(); plan.devices.len()];
        for trouble in &plan.troubles {
            if let Trouble::Twin(place)
            | Trouble::Single(place)
            | Trouble::Secured(place)
            | Trouble::Forgetful(place)
            | Trouble::Pushed(place) = trouble
                && let Some(nature) = natures.get_mut(*place)
            {
                nature.is_twin |= matches!(trouble, Trouble::Twin(_));
                nature.is_single |= matches!(trouble, Trouble::Single(_));
                nature.is_secured |= matches!(trouble, Trouble::Secured(_));
                nature.is_forgetful |= matches!(trouble, Trouble::Forgetful(_));
                nature.is_pushed |= matches!(trouble, Trouble::Pushed(_));
            }
        }
        let unit = |(device, nature): (&DevicePlan, &Nature)| {
            Unit::new(device.clone(), random.number(), *nature, BEGIN)
        };
        let mut units: Vec<_> = plan.devices.iter().zip(&natures).map(unit).collect();
        let mut network = Network::default();
        let (mut lost_besides, mut busy) = (0, false);
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
                // It was so before anything began, or is when something is wanted.
                Trouble::Twin(_)
                | Trouble::Secured(_)
                | Trouble::Pushed(_)
                | Trouble::Forgetful(_)
                | Trouble::Rebuilt(_)
                | Trouble::Aimed(..)
                | Trouble::Single(_)
                | Trouble::Misfit { .. } => {}
                Trouble::Network { lost, doubled, damaged } => {
                    network = Network { lost: *lost, doubled: *doubled, damaged: *damaged };
                }
                Trouble::SaidTwice { .. } => {}
                Trouble::Busy => busy = true,
                Trouble::Loss(lost) => lost_besides = lost_besides.max(*lost),
                Trouble::PowerCutAfter { device, events, .. } => {
                    if let Some(unit) = units.get_mut(*device) {
                        unit.cuts.insert(*events, number);
                    }
                }
                Trouble::PowerCut { at, .. }
                | Trouble::Gone { at, .. }
                | Trouble::Rot { at, .. }
                | Trouble::Slow { at, .. }
                | Trouble::Stranger { at, .. }
                | Trouble::Forger { at, .. }
                | Trouble::Heedless { at, .. }
                | Trouble::Partition { at, .. }
                | Trouble::Impostor { at, .. }
                | Trouble::DiskFull { at, .. }
                | Trouble::Edit { at, .. }
                | Trouble::EditOnTrial { at, .. }
                | Trouble::EditBackedUp { at, .. }
                | Trouble::Cancel { at, .. }
                | Trouble::Stop { at, .. }
                | Trouble::Gap(at)
                | Trouble::Slide { at, .. }
                | Trouble::Stranded { at, .. }
                | Trouble::LateCommand { at, .. }
                | Trouble::Rival { at, .. }
                | Trouble::Replaced { at, .. }
                | Trouble::MadeToRun { at, .. }
                | Trouble::ClockJump { at, .. } => queue.put(BEGIN + *at, Item::Begins(number)),
            }
        }
        network.lost += lost_besides;
        queue.put(BEGIN, Item::Start);
        queue.put(BEGIN + plan.quiet, Item::Quiet);
        for (place, device) in plan.devices.iter().enumerate() {
            queue.put(BEGIN, Item::UnitDue(place));
            let first = device.errands.first().map_or(Duration::ZERO, |errand| errand.at);
            queue.put(BEGIN + first, Item::Operator(place));
        }
        let profile = profile();
        let mut checks = Checks::new(&units, &profile);
        let little = network.lost <= LITTLE;
        let is_safe = |place: &usize| little && !plan.troubles.iter().any(|trouble| trouble.may_cost(*place));
        checks.safe = (0..units.len()).filter(is_safe).collect();
        let is_unhindered =
            |place: &usize| little && !plan.troubles.iter().any(|trouble| trouble.may_hinder(*place));
        checks.unhindered = (0..units.len()).filter(is_unhindered).collect();
        let desks = plan.devices.iter().map(|_| Desk::default()).collect();
        Self {
            now: BEGIN,
            queue,
            random,
            units,
            impostors: BTreeMap::new(),
            manager: None,
            life: 0,
            store,
            profile,
            desks,
            checks,
            kills,
            steps: 0,
            killed: 0,
            network,
            busy,
            quiet_since: None,
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

    pub(crate) const fn is_quiet(&self) -> bool {
        self.quiet_since.is_some()
    }

    fn is_over(&self) -> bool {
        self.is_quiet()
            && self.manager.is_some()
            && self
                .desks
                .iter()
                .zip(&self.plan.devices)
                .all(|(desk, device)| desk.turn >= device.errands.len())
    }

    pub(crate) fn happen(&mut self, item: Item) {
        match item {
            Item::ToAgent { place, from, bytes } => {
                self.ask_agent(place, from, &bytes);
            }
            Item::ToTransfer { place, port, from, bytes } => self.transfer_hears(place, port, from, &bytes),
            Item::ToNotifier { place, from, bytes } => {
                let now = self.now;
                if let Some(unit) = self.units.get_mut(place).filter(|unit| unit.device.answers()) {
                    unit.acknowledged(from, &bytes, now);
                }
                self.settle(place);
            }
            Item::ToManager { socket, peer, bytes } => {
                self.manager_hears(socket, peer, &bytes);
            }
            Item::Damaged(item) => self.comes_damaged(*item),
            Item::Forged { socket, peer, bytes } => self.comes_forged(socket, peer, &bytes),
            Item::Message { life, message } => {
                if life == self.life && self.manager.is_some() {
                    self.deliver(message);
                }
            }
            Item::Stranger { from, name, writes } => self.stranger_asks(from, &name, writes),
            Item::UnitDue(place) => self.unit_due(place),
            Item::PartDue { life, part } => {
                if life == self.life && self.manager.is_some() {
                    self.part_due(part);
                }
            }
            Item::Ftp { life, place, transfer, step } => self.ftp(life, place, transfer, step),
            Item::Begins(number) => self.begins(number),
            Item::Over(number) => self.over(number),
            Item::Edit(place) => self.edit(place),
            Item::PowerOn(place) => self.power_on(place),
            Item::Quiet => self.be_quiet(),
            Item::Start => self.start(),
            Item::Operator(place) => self.operate(place),
            Item::SaidAgain(word) => self.send_input(Channel::Operator, *word),
            Item::Converted { life, convert: job } => {
                if life == self.life && self.manager.is_some() {
                    let done = convert(job.run, &job.set, job.format, &mut self.store);
                    self.send_input(Channel::Converted, done);
                }
            }
        }
    }

    fn at_the_end(&mut self) -> Result<(), Violation> {
        self.checks.replays(&self.store, &self.profile)?;
        if let Some(manager) = self.manager.as_ref().filter(|_| self.is_over()) {
            what_has_ended_opens_nothing(manager.files.tickets(), manager.files.transfers())?;
        }
        self.checks.at_the_end(&self.units, &self.store)
    }

    pub(crate) fn run_of(&self, place: usize) -> Option<&Run> {
        self.store.open_run_of(device_id(place)).map(|stored| stored.run.as_ref())
    }
}

/// The place of the device with this number.
pub(crate) fn place_of(device: DeviceId) -> usize {
    usize::try_from(device.0).unwrap_or(1).saturating_sub(1)
}

/// The number of the device at this place.
pub(crate) fn device_id(place: usize) -> DeviceId {
    DeviceId(u64::try_from(place + 1).unwrap_or(u64::MAX))
}
