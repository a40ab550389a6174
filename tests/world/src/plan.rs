//! What a seed stands for: the devices and what is wanted of them, and all that goes wrong. What goes wrong is a list,
//! so that a failure can be told by the shortest one that still leads to it.

use core::time::Duration;

use iad_sim::device::{Capabilities, NotificationKind, Settings, Timing};
use iad_sim::fault::{Fault, FaultKind, Phase, RequestKind};
use upgrade::Protocol;
use upgrade::run::Policy;

use crate::images::Quality;
use crate::random::Random;

/// One world, before it begins.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Where it all comes from, and what the world draws on its way.
    pub seed: u64,
    /// The devices.
    pub devices: Vec<DevicePlan>,
    /// What goes wrong.
    pub troubles: Vec<Trouble>,
    /// When the last trouble is over.
    pub quiet: Duration,
}

/// A device, and what its operator does with it.
#[derive(Debug, Clone)]
pub struct DevicePlan {
    /// What it is.
    pub settings: Settings,
    /// Whether it sends INFORMs.
    pub informs: bool,
    /// What is wanted of it, one after the other.
    pub errands: Vec<Errand>,
    /// How it moves files.
    pub protocol: Protocol,
    /// What the operator answers, in turn; `End` when all are used.
    pub answers: Vec<Reaction>,
}

/// One thing that is wanted of a device.
#[derive(Debug, Clone, Copy)]
pub struct Errand {
    /// What.
    pub wanted: Wanted,
    /// When it is asked for, or as soon as the last one is over.
    pub at: Duration,
    /// Who decides after a failure.
    pub policy: Policy,
    /// How long a question may stay open, milliseconds.
    pub question_limit_ms: Option<u64>,
}

/// What is wanted of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // named like the goals of a run
pub enum Wanted {
    Upgrade(Quality),
    Backup,
    /// The oldest backup of the device that its software can read.
    Restore,
    RollBack,
    Reset,
}

/// How an operator reacts to a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reaction {
    /// After a while: once more.
    Again,
    /// After a while: a good image.
    GoodImage,
    /// After a while: the configuration as it was backed up, converted if that was asked for.
    Edited,
    /// After a while: no more.
    End,
    /// The run is cancelled instead.
    Cancel,
    /// Nothing, until all is quiet.
    Never,
}

/// Something that goes wrong.
#[derive(Debug, Clone)]
pub enum Trouble {
    /// Something with a device, whenever its moment comes.
    Device(usize, Fault),
    /// A device's power is cut at a moment.
    PowerCut {
        /// Which device.
        device: usize,
        /// When.
        at: Duration,
        /// For how long.
        lasts: Duration,
    },
    /// The manager is killed before its n-th step: a commit, what follows a commit, or one effect.
    Kill {
        /// The step.
        step: u64,
        /// For how long it is down.
        lasts: Duration,
    },
    /// A device cannot be reached, nor reach anybody.
    Partition {
        /// Which device.
        device: usize,
        /// When.
        at: Duration,
        /// For how long.
        lasts: Duration,
    },
    /// Nobody hears the notifications of a device.
    Deaf(usize),
    /// Datagrams are lost, doubled and damaged, so many of a thousand each.
    Network {
        /// Lost.
        lost: u64,
        /// Doubled.
        doubled: u64,
        /// One byte is another one.
        damaged: u64,
    },
    /// The manager's disk is full.
    DiskFull {
        /// When.
        at: Duration,
        /// For how long.
        lasts: Duration,
    },
    /// Somebody changes the configuration at the device.
    Edit {
        /// At which.
        device: usize,
        /// When.
        at: Duration,
    },
    /// An operator cancels whatever run the device is in.
    Cancel {
        /// Of which device.
        device: usize,
        /// When.
        at: Duration,
    },
    /// Another manager commands the device to restart.
    Rival {
        /// Which device.
        device: usize,
        /// When.
        at: Duration,
    },
    /// The device's clock jumps.
    ClockJump {
        /// Whose.
        device: usize,
        /// When.
        at: Duration,
        /// How far, ahead.
        by: Duration,
    },
}

/// Until then troubles begin.
const TROUBLED_S: u64 = 900;

impl Plan {
    /// The world of this seed, with so many devices.
    pub fn of(seed: u64, devices: usize) -> Self {
        let mut random = Random::new(seed);
        let plans: Vec<_> = (0..devices).map(|place| device(&mut random, place)).collect();
        let mut troubles = Vec::new();
        for place in 0..devices {
            for _ in 0..random.below(4) {
                troubles.push(Trouble::Device(place, fault(&mut random)));
            }
            for _ in 0..random.below(3) {
                troubles.push(at_device(&mut random, place));
            }
        }
        if random.permille(600) {
            troubles.push(Trouble::Network {
                lost: random.below(60),
                doubled: random.below(40),
                damaged: random.below(15),
            });
        }
        for _ in 0..random.below(4) {
            let (step, lasts) =
                (random.between(1, 40 * u64::try_from(devices).unwrap_or(1)), random.span(100, 90_000));
            troubles.push(Trouble::Kill { step, lasts });
        }
        if random.permille(150) {
            let (at, lasts) = (moment(&mut random), random.span(1_000, 60_000));
            troubles.push(Trouble::DiskFull { at, lasts });
        }
        Self { seed, devices: plans, troubles, quiet: Duration::from_secs(TROUBLED_S + 300) }
    }
}

fn moment(random: &mut Random) -> Duration {
    // Most of what happens to a device happens in its first minutes.
    let within = if random.permille(700) { 120_000 } else { TROUBLED_S * 1000 };
    random.span(0, within)
}

fn device(random: &mut Random, place: usize) -> DevicePlan {
    let number = 1 + u32::try_from(place).unwrap_or(0);
    let capabilities = Capabilities {
        needs_reset: random.permille(700),
        convert: random.permille(800),
        ..Capabilities::default()
    };
    let timing = Timing {
        boot: random.span(1_000, 20_000),
        erase: random.span(0, 3_000),
        flash_bytes_per_second: if random.permille(500) { 0 } else { random.between(4_000, 60_000) },
        activate: random.span(0, 2_000),
        convert: random.span(0, 2_000),
        apply: random.span(0, 2_000),
        watchdog: random.span(1_000, 10_000),
        call: random.span(10_000, 120_000),
    };
    let calls = if random.permille(300) { u32::try_from(random.below(4)).unwrap_or(0) } else { 0 };
    let settings =
        Settings { capabilities, timing, calls, buffer_capacity: 128 * 1024, ..Settings::numbered(number) };
    let errands = (0..1 + random.below(3)).map(|turn| errand(random, turn == 0)).collect();
    let answers = (0..random.below(5)).map(|_| reaction(random)).collect();
    let protocol = if random.permille(250) { Protocol::Ftp } else { Protocol::Tftp };
    DevicePlan { settings, informs: random.permille(200), errands, protocol, answers }
}

fn errand(random: &mut Random, first: bool) -> Errand {
    let wanted = match random.below(20) {
        0..14 => {
            let bad = random.permille(350);
            let qualities: &[Quality] = if bad {
                &[Quality::Loops, Quality::Hangs, Quality::Unhealthy, Quality::Junk]
            } else {
                &[
                    Quality::Good,
                    Quality::Good,
                    Quality::TwoFiles,
                    Quality::ConvertsItself,
                    Quality::ConvertedByManager,
                    Quality::EditedByOperator,
                ]
            };
            Wanted::Upgrade(random.one_of(qualities).copied().unwrap_or(Quality::Good))
        }
        14 | 15 => Wanted::Backup,
        16 if !first => Wanted::Restore,
        17 | 18 if !first => Wanted::RollBack,
        _ => Wanted::Reset,
    };
    let policy = match random.below(10) {
        0..6 => Policy::Ask,
        6..8 => Policy::Auto(u32::try_from(1 + random.below(2)).unwrap_or(1)),
        _ => Policy::Never,
    };
    let question_limit_ms = random.permille(200).then(|| random.between(10_000, 600_000));
    Errand { wanted, at: random.span(0, 20_000), policy, question_limit_ms }
}

fn reaction(random: &mut Random) -> Reaction {
    match random.below(12) {
        0..5 => Reaction::Again,
        5..7 => Reaction::GoodImage,
        7 | 8 => Reaction::Edited,
        9 => Reaction::End,
        10 => Reaction::Cancel,
        _ => Reaction::Never,
    }
}

fn at_device(random: &mut Random, device: usize) -> Trouble {
    let at = moment(random);
    match random.below(12) {
        0..4 => Trouble::PowerCut { device, at, lasts: random.span(500, 240_000) },
        4..7 => Trouble::Partition { device, at, lasts: random.span(500, 400_000) },
        7 => Trouble::Deaf(device),
        8 => Trouble::Edit { device, at },
        9 => Trouble::Cancel { device, at },
        10 => Trouble::Rival { device, at },
        _ => Trouble::ClockJump { device, at, by: random.span(1_000, 100_000_000) },
    }
}

/// The faults of a device that its operator must be protected from. What would make a device lie about the very things by
/// which anybody could tell (a backup that the device itself has cut, with the digest of what it sent) is not among them.
fn fault(random: &mut Random) -> Fault {
    const KINDS: [FaultKind; 19] = [
        FaultKind::PowerLoss,
        FaultKind::Crash,
        FaultKind::Hang,
        FaultKind::Mute,
        FaultKind::CorruptTransfer,
        FaultKind::TruncateTransfer,
        FaultKind::StallTransfer,
        FaultKind::TruncateBackup,
        FaultKind::FlashFull,
        FaultKind::FlashError,
        FaultKind::ConversionFails,
        FaultKind::ApplyFails,
        FaultKind::BootLoop,
        FaultKind::BootHang,
        FaultKind::Unhealthy,
        FaultKind::FalseProgress,
        FaultKind::LoseNotification,
        FaultKind::DelayNotification,
        FaultKind::LoseAnswer,
    ];
    const PHASES: [Phase; 9] = [
        Phase::Backup,
        Phase::Download,
        Phase::Activate,
        Phase::Reset,
        Phase::Rollback,
        Phase::Convert,
        Phase::Restore,
        Phase::Confirm,
        Phase::Boot,
    ];
    const NOTIFICATIONS: [NotificationKind; 4] = [
        NotificationKind::Begun,
        NotificationKind::Done,
        NotificationKind::Failed,
        NotificationKind::Restarted,
    ];
    let kind = random.one_of(&KINDS).copied().unwrap_or(FaultKind::PowerLoss);
    let mut fault = Fault {
        times: if random.permille(800) { 1 } else { 3 },
        skip: if random.permille(700) { 0 } else { u32::try_from(random.below(3)).unwrap_or(0) },
        ..Fault::once(kind)
    };
    let percent = u32::try_from(random.below(101)).unwrap_or(0);
    match kind {
        FaultKind::PowerLoss => {
            fault.during = random.one_of(&PHASES).copied();
            fault.percent = percent;
            fault.for_ms = Some(random.between(500, 120_000));
        }
        FaultKind::Crash | FaultKind::Hang | FaultKind::Mute => {
            fault.during = random.one_of(&PHASES).copied();
            fault.percent = percent;
        }
        FaultKind::CorruptTransfer | FaultKind::TruncateTransfer | FaultKind::TruncateBackup => {
            fault.percent = percent.min(95);
        }
        FaultKind::StallTransfer => {
            fault.percent = percent;
            fault.for_ms = random.permille(600).then(|| random.between(500, 200_000));
        }
        // Software that never starts again is lost whoever commands it: only what was loaded may fail so.
        FaultKind::BootLoop | FaultKind::BootHang => {
            fault.times = 1;
        }
        FaultKind::FalseProgress => {
            fault.during = random.one_of(&PHASES).copied();
            fault.percent = percent;
        }
        FaultKind::LoseNotification | FaultKind::DelayNotification => {
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
