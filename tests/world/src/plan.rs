//! What a seed stands for: the devices and what is wanted of them, and all that goes wrong. What goes wrong is a list,
//! so that a failure can be told by the shortest one that still leads to it.

use core::time::Duration;

use iad_sim::device::{Command, Settings};
use iad_sim::fault::Fault;
use upgrade::Protocol;
use upgrade::run::Policy;

use crate::images::Quality;
use crate::random::Random;
use crate::rival::Rivalry;

mod aims;
mod costs;
mod device;
mod troubles;

pub(crate) use aims::Aim;
pub use troubles::{UnknownTrouble, Weights};

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
    /// How long after it is asked for the device may restart at the earliest.
    pub held: Option<Duration>,
}

/// What is wanted of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // named like the goals of a run
pub enum Wanted {
    Upgrade(Quality),
    Backup,
    /// The oldest backup of the device, whether its software can read that or not.
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

/// What happens while a command is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meanwhile {
    /// Nothing else.
    Nothing,
    /// The operator cancels the run.
    Cancel,
    /// Another manager has the device do this.
    Rival(Rivalry),
    /// The device's power fails for so long.
    PowerCut(Duration),
    /// A person changes settings at the device.
    Edit,
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
    /// A device's power is cut right after the n-th thing that happens to it.
    PowerCutAfter {
        /// Which device.
        device: usize,
        /// How many things.
        events: u64,
        /// For how long.
        lasts: Duration,
    },
    /// A device is switched off, and nobody ever switches it on again.
    Gone {
        /// Which device.
        device: usize,
        /// When.
        at: Duration,
    },
    /// Once new software is on trial, the flash that holds the old one is found to be broken: only the new one starts.
    Rot {
        /// Of which device.
        device: usize,
        /// From when on.
        at: Duration,
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
        /// Which way is cut.
        cut: Cut,
    },
    /// Whatever a device and the manager say to each other arrives late.
    Slow {
        /// Which device.
        device: usize,
        /// When.
        at: Duration,
        /// For how long.
        lasts: Duration,
        /// How late.
        by: Duration,
    },
    /// A device is unplugged, and at its address another unit answers for a time.
    Impostor {
        /// Whose address.
        device: usize,
        /// When.
        at: Duration,
        /// For how long the other one answers.
        lasts: Duration,
    },
    /// Nobody hears the notifications of a device.
    Deaf(usize),
    /// Each other time that a good image is wanted for the device, it is one of the same version with other bytes.
    Rebuilt(usize),
    /// The first time that software is wanted for the device, it is software that does not fit it.
    Misfit {
        /// Which device.
        device: usize,
        /// What does not fit.
        image: Quality,
    },
    /// The device has no second buffer.
    Single(usize),
    /// Images are written to a device that would fetch them by TFTP.
    Pushed(usize),
    /// Both buffers of a device hold the same version from the beginning.
    Twin(usize),
    /// A device is spoken to in SNMPv3.
    Secured(usize),
    /// The SNMP engine of such a device forgets at each start how often it has started.
    Forgetful(usize),
    /// Datagrams are lost, doubled and damaged, so many of a thousand each.
    Network {
        /// Lost.
        lost: u64,
        /// Doubled.
        doubled: u64,
        /// One byte is another one.
        damaged: u64,
    },
    /// More datagrams are lost, so many of a thousand; of several the most.
    Loss(u64),
    /// The manager takes long to store anything, and more waits for it meanwhile.
    Busy,
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
    /// Once new software is watched on trial, somebody changes the configuration there.
    EditOnTrial {
        /// At which device.
        device: usize,
        /// From when on.
        at: Duration,
        /// So long after it began.
        after: Duration,
        /// The device's power is cut right after that, for so long: it goes back before anybody has a copy.
        cut: Option<Duration>,
        /// An operator cancels the run right after that.
        cancelled: bool,
    },
    /// Right after a backup of a run is whole, somebody changes the configuration at the device.
    EditBackedUp {
        /// At which.
        device: usize,
        /// From when on.
        at: Duration,
        /// So long after the backup.
        after: Duration,
        /// After that of what the device was rolled back to, which is wanted last of all.
        rolled_back: bool,
    },
    /// An operator cancels whatever run the device is in.
    Cancel {
        /// Of which device.
        device: usize,
        /// When.
        at: Duration,
    },
    /// As its software is to go back, a device cannot be reached for longer than it is waited for; and while the run waits until it
    /// tries once more to bring it back, an operator cancels it.
    Stranded {
        /// Which device.
        device: usize,
        /// From when on.
        at: Duration,
        /// For how long.
        lasts: Duration,
        /// So long after the wait began it is cancelled.
        after: Duration,
    },
    /// An operator has the operation under way stopped.
    Stop {
        /// At which device.
        device: usize,
        /// When.
        at: Duration,
    },
    /// An operator gives each answer once more, not knowing that it was taken.
    SaidTwice {
        /// About which device.
        device: usize,
        /// So long after.
        after: Duration,
    },
    /// Notifications were lost on their way to who is to take them: all devices are looked at.
    Gap(Duration),
    /// The next command to the device takes longer than anybody waits for it, and more happens meanwhile.
    LateCommand {
        /// The device.
        device: usize,
        /// From when on.
        at: Duration,
        /// How much later than others it arrives.
        by: Duration,
        /// Whether it also arrives at once: then what is late is a copy.
        doubled: bool,
        /// Which one is late; any where none is named.
        only: &'static [Command],
        /// What happens as it is sent.
        meanwhile: Meanwhile,
    },
    /// Another manager commands the device.
    Rival {
        /// Which device.
        device: usize,
        /// When.
        at: Duration,
        /// To do what.
        work: Rivalry,
    },
    /// Right after a run has loaded an image of which there is another one of the same version, somebody else loads that.
    Replaced {
        /// Into which device.
        device: usize,
        /// From when on.
        at: Duration,
    },
    /// Once a run is about to make an image run, a person changes settings and others make it run for so long.
    MadeToRun {
        /// In which device.
        device: usize,
        /// From when on.
        at: Duration,
        /// For how long.
        lasts: Duration,
    },
    /// What meets too rarely by chance comes together at a device.
    Aimed(usize, Aim),
    /// Somebody with the address of another device asks for the files of this one, by the names that went over the wire.
    Stranger {
        /// Whose files.
        device: usize,
        /// When.
        at: Duration,
    },
    /// The device answers what it is asked, and heeds no command: it has another community for those, or no answer for them.
    Heedless {
        /// Which.
        device: usize,
        /// When.
        at: Duration,
        /// For how long.
        lasts: Duration,
    },
    /// Somebody who hears what the manager says to the device answers as if he were it, sooner than the device does, but not from
    /// where that was sent to.
    Forger {
        /// In whose place.
        device: usize,
        /// When.
        at: Duration,
        /// For how long.
        lasts: Duration,
        /// From another port of the device, or else from another address.
        is_at_the_device: bool,
    },
    /// The power of a device that has other software that starts is cut, and what it runs does not start again: it takes the
    /// other one.
    Slide {
        /// Which device.
        device: usize,
        /// From when on.
        at: Duration,
        /// Right after what.
        after: After,
        /// A person changes the configuration at the device right before.
        changed: bool,
        /// A person changes it on what it runs then.
        changed_there: bool,
        /// For how long the power is cut.
        lasts: Duration,
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

/// Right after what a device leaves its software by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// A question about it is asked.
    Asked,
    /// A run of it has ended, and none looks.
    Ended,
    /// A backup of a run is whole.
    BackedUp,
}

/// Which way between a device and the manager is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Both.
    Both,
    /// What the device sends is lost.
    FromDevice,
    /// What the manager sends is lost.
    ToDevice,
}

/// Until then troubles begin.
const TROUBLED: Duration = Duration::from_secs(900);

/// After the last one has begun, it may take as long again as any lasts.
const LONGEST: Duration = Duration::from_secs(400);

impl Plan {
    /// The world of this seed, with so many devices.
    pub fn of(seed: u64, devices: usize, weights: &Weights) -> Self {
        let mut random = Random::new(seed);
        let devices: Vec<_> = (0..devices).map(|place| device::draw(&mut random, place)).collect();
        let troubles = troubles::draw(seed, devices.len(), weights);
        Self { seed, devices, troubles, quiet: TROUBLED + LONGEST }
    }

    /// What comes together by aim is wanted, and goes wrong. Where something is to happen after a roll-back, one is wanted last of
    /// all; and who waits repeats by itself.
    pub(crate) fn arrange(&mut self) {
        let mut aimed = Vec::new();
        for trouble in &self.troubles {
            if let Trouble::Aimed(place, aim) = *trouble
                && let Some(device) = self.devices.get_mut(place)
            {
                aimed.extend(aim.arrange(place, device));
            }
        }
        self.troubles.extend(aimed);
        for trouble in &self.troubles {
            if let Trouble::Stranded { device, .. } = trouble
                && let Some(device) = self.devices.get_mut(*device)
            {
                device.errands.iter_mut().for_each(|errand| errand.policy = Policy::Auto(2));
            }
            if let Trouble::EditBackedUp { device, rolled_back: true, .. } = trouble
                && let Some(errands) = self.devices.get_mut(*device).map(|device| &mut device.errands)
                && let Some(last) = errands.last().copied()
                && last.wanted != Wanted::RollBack
            {
                errands.push(Errand { wanted: Wanted::RollBack, held: None, ..last });
            }
        }
    }
}
