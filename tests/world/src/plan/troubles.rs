//! Draws what goes wrong. Each kind has a name, a weight, and chance of its own, so that one may be switched off, or made
//! more frequent, and all others stay as they are.

use core::time::Duration;
use std::collections::BTreeMap;

use clap::ValueEnum;
use iad_sim::device::{Command, NotificationKind};
use iad_sim::fault::{Fault, FaultKind, Phase, RequestKind};

use super::{After, Aim, Cut, Meanwhile, TROUBLED, Trouble};
use crate::images::Quality;
use crate::random::Random;
use crate::rival::Rivalry;

/// How often each kind of trouble is drawn: of a thousand chances. A chance that is taken gives another one, up to
/// [`MOST`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weights(BTreeMap<String, u64>);

/// No kind of trouble has this name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownTrouble(pub String);

/// The most troubles of one kind that a device, or a world, has.
const MOST: usize = 3;

type Draw<'a> = &'a dyn Fn(&mut Random) -> Trouble;

impl Default for Weights {
    fn default() -> Self {
        let own = |(name, weight): &(&str, u64)| ((*name).to_owned(), *weight);
        let faults = FAULTS.iter().map(|(kind, weight)| (name_of(*kind), *weight));
        Self(OF_DEVICES.iter().chain(&OF_WORLDS).chain(&SORTS).map(own).chain(faults).collect())
    }
}

impl Weights {
    /// All kinds and their weights, in the order of their names.
    pub fn all(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(name, weight)| (name.as_str(), *weight))
    }

    /// Gives a kind another weight; 0 switches it off.
    ///
    /// # Errors
    ///
    /// [`UnknownTrouble`] where none has this name.
    pub fn set(&mut self, name: &str, weight: u64) -> Result<(), UnknownTrouble> {
        match self.0.get_mut(name) {
            Some(own) => *own = weight.min(1000),
            None => return Err(UnknownTrouble(name.to_owned())),
        }
        Ok(())
    }

    fn of(&self, name: &str) -> u64 {
        self.0.get(name).copied().unwrap_or(0)
    }
}

/// What happens to a device from outside.
const OF_DEVICES: [(&str, u64); 36] = [
    ("power-cut", 150),
    ("power-cut-after", 150),
    ("gone", 15),
    ("rot", 25),
    ("partition", 200),
    ("slow", 60),
    ("impostor", 50),
    ("deaf", 70),
    ("twin", 150),
    ("rebuilt", 250),
    ("misfit", 60),
    ("single", 40),
    ("pushed", 150),
    ("forger", 60),
    ("heedless", 40),
    ("secured", 150),
    ("forgetful", 150),
    ("edit", 80),
    ("edit-on-trial", 300),
    ("edit-backed-up", 250),
    ("edit-rolled-back", 100),
    ("cancel", 80),
    ("stranded", 250),
    ("aimed", 100),
    ("stop", 80),
    ("said-twice", 80),
    ("late-command", 250),
    ("late-start", 150),
    ("rival", 100),
    ("replaced", 60),
    ("stranger", 80),
    ("slide", 60),
    ("slide-unseen", 65),
    ("slide-backed-up", 40),
    ("clock-jump", 60),
    // Any fault of the device's own; which one is drawn by the weights of the faults.
    ("fault", 550),
];

/// What happens to all, or to the manager.
const OF_WORLDS: [(&str, u64); 7] = [
    ("network", 600),
    ("loss", 500),
    (LOSSY, 400),
    ("busy", 60),
    ("kill", 600),
    ("gap", 200),
    ("disk-full", 130),
];

/// So many of a thousand worlds have but some of all kinds of trouble: the calm ones few, so that what must happen where nothing
/// stands in its way is seen, and the narrow ones half of them, each thrice as often, so that rare ones meet.
const SORTS: [(&str, u64); 2] = [("calm", 125), ("narrow", 300)];

/// What kinds of trouble a world has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    /// All.
    Full,
    Calm,
    Narrow,
}

impl Sort {
    fn of(seed: u64, weights: &Weights) -> Self {
        let is = |name: &str| Random::new(seed ^ stream(name, 0)).permille(weights.of(name));
        let [(calm, _), (narrow, _)] = SORTS;
        if is(calm) {
            Self::Calm
        } else if is(narrow) {
            Self::Narrow
        } else {
            Self::Full
        }
    }

    /// How often trouble of this kind comes, of a thousand chances.
    fn weight(self, seed: u64, name: &str, weight: u64) -> u64 {
        let (without, times) = match self {
            Self::Calm if name == LOSSY => return weight,
            _ if name == LOSSY => return 0,
            Self::Full => return weight,
            Self::Calm => (700, 1),
            Self::Narrow => (500, 3),
        };
        // The same for all devices, and for each trouble of the kind.
        let is_without = Random::new(seed ^ stream("without", 0) ^ stream(name, 0)).permille(without);
        if is_without { 0 } else { (weight * times).min(MOST_OFTEN.max(weight)) }
    }
}

/// What calm worlds alone have: where nothing else is in the way, each loss has to be made up for.
const LOSSY: &str = "lossy";

/// No kind is made to come more often than this.
const MOST_OFTEN: u64 = 800;

/// The faults of a device that its operator must be protected from, and how many parts of all they are. What would make
/// a device lie about the very things by which anybody could tell (a backup that the device itself has cut, with the
/// digest of what it sent) is not among them.
const FAULTS: [(FaultKind, u64); 21] = [
    (FaultKind::PowerLoss, 20),
    (FaultKind::Crash, 10),
    (FaultKind::Hang, 10),
    (FaultKind::Mute, 10),
    (FaultKind::CorruptTransfer, 10),
    (FaultKind::TruncateTransfer, 10),
    (FaultKind::StallTransfer, 10),
    (FaultKind::TruncateBackup, 10),
    (FaultKind::FlashFull, 10),
    (FaultKind::FlashError, 10),
    (FaultKind::ConversionFails, 10),
    (FaultKind::ApplyFails, 10),
    (FaultKind::ApplyPart, 10),
    (FaultKind::BootLoop, 40),
    (FaultKind::BootHang, 20),
    (FaultKind::Unhealthy, 10),
    (FaultKind::FalseProgress, 10),
    (FaultKind::LoseNotification, 10),
    (FaultKind::DoubleNotification, 10),
    (FaultKind::DelayNotification, 10),
    (FaultKind::LoseAnswer, 10),
];

pub(super) fn draw(seed: u64, devices: usize, weights: &Weights) -> Vec<Trouble> {
    let mut drawn = Vec::new();
    let sort = Sort::of(seed, weights);
    let mut add = |name: &str, place: usize, draw: Draw<'_>| {
        let weight = sort.weight(seed, name, weights.of(name));
        let mut random = Random::new(seed ^ stream(name, place));
        let before = drawn.len();
        while drawn.len() < before + MOST && random.permille(weight) {
            drawn.push(draw(&mut random));
        }
    };
    for device in 0..devices {
        for (name, _) in OF_DEVICES {
            add(name, device, &|random| at_device(random, name, device, weights));
        }
    }
    for (name, _) in OF_WORLDS {
        add(name, usize::MAX, &|random| in_world(random, name, devices));
    }
    drawn
}

/// A number for a kind of trouble at a place (FNV-1a).
fn stream(name: &str, place: usize) -> u64 {
    let bytes = name.bytes().chain(place.to_be_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

fn name_of(kind: FaultKind) -> String {
    kind.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

/// Most of what happens to a device happens in its first minutes.
fn moment(random: &mut Random) -> Duration {
    if random.permille(700) { random.span(0, 120_000) } else { random.upto(TROUBLED) }
}

/// About as long as new software is watched.
const ON_TRIAL: Duration = Duration::from_secs(12);

fn at_device(random: &mut Random, name: &str, device: usize, weights: &Weights) -> Trouble {
    let at = moment(random);
    match name {
        "power-cut" => Trouble::PowerCut { device, at, lasts: random.span(500, 240_000) },
        "power-cut-after" => {
            let (events, lasts) = (random.between(1, 800), random.span(500, 240_000));
            Trouble::PowerCutAfter { device, events, lasts }
        }
        "gone" => Trouble::Gone { device, at },
        "rot" => Trouble::Rot { device, at },
        "partition" => {
            const CUTS: [Cut; 4] = [Cut::Both, Cut::Both, Cut::FromDevice, Cut::ToDevice];
            let cut = random.one_of(&CUTS).copied().unwrap_or(Cut::Both);
            Trouble::Partition { device, at, lasts: random.span(500, 400_000), cut }
        }
        "slow" => {
            let (lasts, by) = (random.span(5_000, 200_000), random.span(200, 20_000));
            Trouble::Slow { device, at, lasts, by }
        }
        "impostor" => Trouble::Impostor { device, at, lasts: random.span(5_000, 200_000) },
        "deaf" => Trouble::Deaf(device),
        "twin" => Trouble::Twin(device),
        "rebuilt" => Trouble::Rebuilt(device),
        "misfit" => {
            let other_hardware = random.permille(500);
            let image = if other_hardware { Quality::Foreign } else { Quality::TooFar };
            Trouble::Misfit { device, image }
        }
        "single" => Trouble::Single(device),
        "pushed" => Trouble::Pushed(device),
        "heedless" => Trouble::Heedless { device, at, lasts: random.span(5_000, 400_000) },
        "forger" => {
            let (lasts, is_at_the_device) = (random.span(1_000, 60_000), random.permille(500));
            Trouble::Forger { device, at, lasts, is_at_the_device }
        }
        "secured" => Trouble::Secured(device),
        "forgetful" => Trouble::Forgetful(device),
        "edit" => Trouble::Edit { device, at },
        "edit-on-trial" => {
            let after = random.upto(ON_TRIAL);
            let cut = random.permille(300).then(|| random.span(500, 30_000));
            Trouble::EditOnTrial { device, at, after, cut, cancelled: false }
        }
        "edit-backed-up" | "edit-rolled-back" => {
            let rolled_back = name == "edit-rolled-back";
            Trouble::EditBackedUp { device, at, after: random.span(0, 400), rolled_back }
        }
        "cancel" => Trouble::Cancel { device, at },
        "stranded" => {
            let (lasts, after) = (random.span(125_000, 400_000), random.span(0, 10_000));
            Trouble::Stranded { device, at, lasts, after }
        }
        "aimed" => Trouble::Aimed(device, Aim::draw(random)),
        "stop" => Trouble::Stop { device, at },
        "said-twice" => Trouble::SaidTwice { device, after: random.span(1_000, 400_000) },
        "late-command" => {
            let by = random.span(1_000, 20_000);
            let meanwhile = match random.below(8) {
                0 => Meanwhile::Nothing,
                1 => Meanwhile::Cancel,
                2..=4 => Meanwhile::Rival(match random.below(4) {
                    0 => Rivalry::Backup,
                    1 => Rivalry::Reset,
                    _ => Rivalry::Try(random.span(20_000, 200_000)),
                }),
                5 | 6 => Meanwhile::Edit,
                _ => Meanwhile::PowerCut(random.span(100, 3_000)),
            };
            const WHICH: [&[Command]; 3] =
                [&[], &[Command::Activate, Command::Rollback], &[Command::Rollback]];
            let only = random.one_of(&WHICH).copied().unwrap_or_default();
            Trouble::LateCommand { device, at, by, doubled: random.permille(300), only, meanwhile }
        }
        "late-start" => {
            let by = random.span(1_000, 20_000);
            let meanwhile = match random.permille(600) {
                true => Meanwhile::PowerCut(random.span(100, 3_000)),
                false => Meanwhile::Rival(Rivalry::Reset),
            };
            const WHICH: [&[Command]; 3] = [&[Command::Backup], &[Command::Reset], &[Command::Activate]];
            let only = random.one_of(&WHICH).copied().unwrap_or_default();
            Trouble::LateCommand { device, at, by, doubled: false, only, meanwhile }
        }
        "rival" => {
            let work = match random.below(5) {
                0 => Rivalry::Reset,
                1 => Rivalry::Abort,
                2 => Rivalry::Backup,
                3 => Rivalry::EndlessBackup,
                _ => Rivalry::Try(random.span(20_000, 200_000)),
            };
            Trouble::Rival { device, at, work }
        }
        "replaced" => Trouble::Replaced { device, at },
        "stranger" => Trouble::Stranger { device, at },
        "slide" | "slide-unseen" | "slide-backed-up" => {
            let after = match name {
                "slide" => After::Asked,
                "slide-unseen" => After::Ended,
                _ => After::BackedUp,
            };
            let (changed, lasts) = (random.permille(500), random.span(100, 60_000));
            let changed_there = after == After::Ended && random.permille(500);
            Trouble::Slide { device, at, after, changed, changed_there, lasts }
        }
        "clock-jump" => Trouble::ClockJump { device, at, by: random.span(1_000, 100_000_000) },
        _ => Trouble::Device(device, fault(random, weights)),
    }
}

fn in_world(random: &mut Random, name: &str, devices: usize) -> Trouble {
    match name {
        "network" => {
            Trouble::Network { lost: random.below(60), doubled: random.below(40), damaged: random.below(15) }
        }
        "loss" => Trouble::Loss(random.between(5, 20)),
        LOSSY => Trouble::Loss(random.between(10, 20)),
        "busy" => Trouble::Busy,
        "gap" => Trouble::Gap(moment(random)),
        "kill" => {
            // A device takes some sixty steps until it is backed up, and some hundreds until it is confirmed.
            let most = u64::try_from(devices).unwrap_or(1) * (10 << random.below(6));
            Trouble::Kill { step: random.between(1, most), lasts: random.span(100, 90_000) }
        }
        _ => Trouble::DiskFull { at: moment(random), lasts: random.span(1_000, 60_000) },
    }
}

/// One of the faults, by their weights.
fn kind(random: &mut Random, weights: &Weights) -> Option<FaultKind> {
    let parts: Vec<_> = FAULTS.iter().map(|(kind, _)| (*kind, weights.of(&name_of(*kind)))).collect();
    let mut left = random.below(parts.iter().map(|(_, part)| part).sum());
    let chosen = parts.into_iter().filter(|(_, part)| *part > 0).find(|(_, part)| {
        let here = left < *part;
        left = left.saturating_sub(*part);
        here
    });
    chosen.map(|(kind, _)| kind)
}

fn fault(random: &mut Random, weights: &Weights) -> Fault {
    const NOTIFICATIONS: [NotificationKind; 4] = [
        NotificationKind::Begun,
        NotificationKind::Done,
        NotificationKind::Failed,
        NotificationKind::Restarted,
    ];
    let kind = kind(random, weights).unwrap_or(FaultKind::DoubleNotification);
    let mut fault = Fault {
        times: if random.permille(800) { 1 } else { 3 },
        skip: if random.permille(700) { 0 } else { u32::try_from(random.below(3)).unwrap_or(0) },
        ..Fault::once(kind)
    };
    let percent = u32::try_from(random.below(101)).unwrap_or(0);
    match kind {
        FaultKind::PowerLoss => {
            fault.during = random.one_of(Phase::value_variants()).copied();
            fault.percent = percent;
            fault.for_ms = Some(random.between(500, 120_000));
        }
        FaultKind::Crash | FaultKind::Hang | FaultKind::Mute | FaultKind::FalseProgress => {
            fault.during = random.one_of(Phase::value_variants()).copied();
            fault.percent = percent;
        }
        FaultKind::CorruptTransfer | FaultKind::TruncateTransfer | FaultKind::TruncateBackup => {
            fault.percent = percent.min(95);
        }
        FaultKind::StallTransfer => {
            fault.percent = percent;
            fault.for_ms = random.permille(600).then(|| random.between(500, 200_000));
        }
        // Three times in a row, and the device takes its other software. What never starts again is lost whoever commands it.
        FaultKind::BootLoop | FaultKind::BootHang => {
            fault.times = if random.permille(500) { 1 } else { 3 };
            fault.skip = u32::try_from(random.below(4)).unwrap_or(0);
        }
        FaultKind::LoseNotification | FaultKind::DoubleNotification | FaultKind::DelayNotification => {
            fault.notification = random.one_of(&NOTIFICATIONS).copied();
            fault.for_ms = (kind == FaultKind::DelayNotification).then(|| random.between(500, 400_000));
        }
        FaultKind::LoseAnswer => {
            fault.request = random.one_of(&[RequestKind::Get, RequestKind::Set]).copied();
        }
        _ => {}
    }
    fault
}
