//! What each kind of trouble may cost: whether a device may be beyond help because of it, or anything fail.

use core::time::Duration;

use super::Trouble;
use crate::images::Quality;

impl Trouble {
    /// Whether a device may be beyond help because of it. What is only a bother is no excuse: what is lost on its way is sent
    /// again as long as it is little, and nobody is lost by a person who changes settings or cancels, a manager
    /// that dies or cannot store, notifications that nobody hears.
    pub(crate) const fn may_cost(&self, place: usize) -> bool {
        match self {
            Self::Network { damaged, .. } => *damaged > 0,
            Self::Device(device, _)
            | Self::PowerCut { device, .. }
            | Self::PowerCutAfter { device, .. }
            | Self::Gone { device, .. }
            | Self::Rot { device, .. }
            | Self::Partition { device, .. }
            | Self::Stranded { device, .. }
            | Self::Slow { device, .. }
            | Self::Impostor { device, .. }
            | Self::Heedless { device, .. }
            | Self::LateCommand { device, .. }
            | Self::Rival { device, .. }
            | Self::Stop { device, .. }
            | Self::Replaced { device, .. }
            | Self::MadeToRun { device, .. }
            | Self::EditOnTrial { device, cut: Some(_), .. }
            | Self::Slide { device, .. } => *device == place,
            Self::Kill { .. }
            | Self::Loss(_)
            | Self::Deaf(_)
            | Self::Rebuilt(_)
            | Self::Misfit { .. }
            | Self::Single(_)
            | Self::Forger { .. }
            | Self::Twin(_)
            | Self::Secured(_)
            | Self::Forgetful(_)
            | Self::Pushed(_)
            | Self::Gap(_)
            | Self::SaidTwice { .. }
            | Self::DiskFull { .. }
            | Self::Edit { .. }
            | Self::EditOnTrial { cut: None, .. }
            | Self::Aimed(..)
            | Self::EditBackedUp { .. }
            | Self::Cancel { .. }
            | Self::Busy
            | Self::Stranger { .. }
            | Self::ClockJump { .. } => false,
        }
    }

    /// Whether whatever is wanted of a device may fail because of it. What is lost or doubled on its way is sent once more, and whoever
    /// listens, forges or asks for what is not meant for him changes nothing.
    pub(crate) const fn may_hinder(&self, place: usize) -> bool {
        match self {
            Self::Deaf(_)
            | Self::Gap(_)
            | Self::SaidTwice { .. }
            | Self::Twin(_)
            | Self::Secured(_)
            | Self::Forgetful(_)
            | Self::Pushed(_)
            | Self::Busy
            | Self::Stranger { .. }
            | Self::Forger { .. } => false,
            Self::Kill { .. } | Self::DiskFull { .. } => true,
            Self::Rebuilt(device)
            | Self::Aimed(device, _)
            | Self::Misfit { device, .. }
            | Self::Single(device)
            | Self::Edit { device, .. }
            | Self::EditOnTrial { device, .. }
            | Self::EditBackedUp { device, .. }
            | Self::Cancel { device, .. }
            | Self::ClockJump { device, .. } => *device == place,
            costly => costly.may_cost(place),
        }
    }

    /// The device for which software is wanted that does not fit it, and which.
    pub(crate) const fn misfit(&self) -> Option<(usize, Quality)> {
        match self {
            Self::Misfit { device, image } => Some((*device, *image)),
            _ => None,
        }
    }

    /// How long after it an answer about the device is given once more.
    pub(crate) fn said_twice(&self, place: usize) -> Option<Duration> {
        match self {
            Self::SaidTwice { device, after } if *device == place => Some(*after),
            _ => None,
        }
    }

    /// The device for which images of one version are wanted.
    pub(crate) const fn rebuilt(&self) -> Option<usize> {
        match self {
            Self::Rebuilt(device) => Some(*device),
            _ => None,
        }
    }
}
