//! What meets too rarely by chance: what is wanted of a device, and what goes wrong with it, made to come together.

use core::time::Duration;

use iad_sim::device::Command;
use iad_sim::fault::{Fault, FaultKind, Phase};
use upgrade::run::Policy;

use super::{DevicePlan, Errand, Meanwhile, Trouble, Wanted};
use crate::images::Quality;
use crate::random::Random;
use crate::rival::Rivalry;

/// What comes together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aim {
    /// A device is backed up, changed by a person so long after, and half of the restore of that backup is applied.
    HalfRestored {
        /// So long after the backup.
        edited: Duration,
    },
    /// As a device is told to go back, others try for so long what it is to go back to, and the command comes late.
    TriedAsItGoesBack {
        /// So much later.
        by: Duration,
        /// Others try it for so long.
        lasts: Duration,
    },
    /// A backup begins after the restart that a run ends for.
    BackedUpAfterRestart {
        /// How late it is commanded.
        by: Duration,
        /// How long the device is without power.
        lasts: Duration,
    },
    /// Once the loaded image is to be made to run, and nobody looks any more, a person changes settings and others make it run.
    MadeToRunByOthers {
        /// For so long, without the confirmation of the others.
        lasts: Duration,
    },
    /// What a person changed on trial is backed up once the run is cancelled, and comes whole; then the device loses power,
    /// and another image is loaded.
    CutAsBackedUpOnTrial {
        /// So long after the trial began a person changes it.
        edited: Duration,
        /// How long the device is without power.
        lasts: Duration,
    },
}

impl Aim {
    pub(super) fn draw(random: &mut Random) -> Self {
        match random.below(5) {
            0 => Self::HalfRestored { edited: random.span(0, 400) },
            1 => Self::TriedAsItGoesBack {
                by: random.span(1_000, 20_000),
                lasts: random.span(20_000, 200_000),
            },
            2 => {
                Self::BackedUpAfterRestart { by: random.span(1_000, 20_000), lasts: random.span(100, 3_000) }
            }
            3 => Self::MadeToRunByOthers { lasts: random.span(20_000, 200_000) },
            _ => {
                Self::CutAsBackedUpOnTrial { edited: random.span(0, 4_000), lasts: random.span(500, 30_000) }
            }
        }
    }

    /// Has this wanted of the device, and tells what goes wrong with it then.
    pub(super) fn arrange(self, place: usize, plan: &mut DevicePlan) -> Vec<Trouble> {
        let Some(first) = plan.errands.first_mut() else { return Vec::new() };
        let at = Duration::ZERO;
        let late = |only, by, meanwhile| Trouble::LateCommand {
            device: place,
            at,
            by,
            doubled: false,
            only,
            meanwhile,
        };
        match self {
            Self::HalfRestored { edited } => {
                let backup = Errand { wanted: Wanted::Backup, held: None, ..*first };
                plan.errands = vec![backup, Errand { wanted: Wanted::Restore, ..backup }];
                vec![
                    Trouble::EditBackedUp { device: place, at, after: edited, rolled_back: false },
                    Trouble::Device(place, Fault::once(FaultKind::ApplyPart)),
                ]
            }
            Self::TriedAsItGoesBack { by, lasts } => {
                first.wanted = Wanted::Upgrade(Quality::Unhealthy);
                vec![late(&[Command::Rollback], by, Meanwhile::Rival(Rivalry::Try(lasts)))]
            }
            Self::BackedUpAfterRestart { by, lasts } => {
                first.policy = Policy::Never;
                vec![late(&[Command::Backup], by, Meanwhile::PowerCut(lasts))]
            }
            Self::MadeToRunByOthers { lasts } => {
                first.wanted = Wanted::Upgrade(Quality::Good);
                vec![Trouble::MadeToRun { device: place, at, lasts }]
            }
            Self::CutAsBackedUpOnTrial { edited, lasts } => {
                first.wanted = Wanted::Upgrade(Quality::Good);
                // What is loaded then is loaded over it.
                let next = Errand { wanted: Wanted::Upgrade(Quality::ConvertsItself), ..*first };
                plan.errands = vec![*first, next];
                let power = Fault {
                    during: Some(Phase::Backup),
                    percent: 100,
                    skip: 1,
                    for_ms: u64::try_from(lasts.as_millis()).ok(),
                    ..Fault::once(FaultKind::PowerLoss)
                };
                vec![
                    Trouble::EditOnTrial { device: place, at, after: edited, cut: None, cancelled: true },
                    Trouble::Device(place, power),
                ]
            }
        }
    }
}
