//! Another manager of the same devices: what it has them do, and what comes of that.

use core::time::Duration;

use iad_sim::device::{
    Changes, Command, ConfigurationKind, Purpose, ServerProtocol, TransferEvent, TransferId,
};
use upgrade::run::Goal;

use crate::images::{Quality, images};
use crate::trouble::STRANGER;
use crate::unit::Unit;
use crate::world::World;

/// What the other manager's ids begin with; no run of ours is called so.
pub(crate) const RIVAL: &str = "rival-";

/// What another manager has a device do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rivalry {
    /// To restart.
    Reset,
    /// To end whatever it is at.
    Abort,
    /// To send its configuration to a server that is down: the device is at it for long.
    Backup,
    /// The same to one that takes the connection, and nothing else: it is at it until it is told to stop.
    EndlessBackup,
    /// To try for so long what its other buffer holds. Nobody confirms that.
    Try(Duration),
    /// To load the other image of a version of which there are two.
    Load(Quality),
}

impl Rivalry {
    const fn command(self) -> Command {
        match self {
            Self::Reset => Command::Reset,
            Self::Abort => Command::Abort,
            Self::Backup | Self::EndlessBackup => Command::Backup,
            Self::Try(_) => Command::Activate,
            Self::Load(_) => Command::Download,
        }
    }
}

impl World {
    /// Another manager commands the device.
    pub(crate) fn rival(&mut self, place: usize, work: Rivalry) {
        let now = self.now;
        let Some(unit) = self.units.get_mut(place).filter(|unit| unit.device.answers()) else { return };
        let clock = unit.clock(now);
        let mut changes = Changes {
            id: Some(format!("{RIVAL}{}", now.as_millis())),
            command: Some(work.command()),
            ..Changes::default()
        };
        let durable = unit.device.durable();
        let from = |protocol| (Some(protocol), Some(STRANGER.to_string()), Some(69));
        match work {
            Rivalry::Reset => {}
            // It means whatever is under way.
            Rivalry::Abort => changes.id = Some(durable.operation.id.clone()),
            Rivalry::Backup | Rivalry::EndlessBackup => {
                changes.kinds = Some(vec![ConfigurationKind::UserData]);
                changes.file_names = Some(vec!["rival".into()]);
                let hangs = work == Rivalry::EndlessBackup;
                let protocol = if hangs { ServerProtocol::Ftp } else { ServerProtocol::Tftp };
                (changes.protocol, changes.address, changes.port) = from(protocol);
            }
            Rivalry::Try(lasts) => {
                let Some(standby) = durable.standby().filter(|standby| standby.is_valid()) else { return };
                changes.version = Some(standby.version.clone());
                changes.trial_time_s = Some(u32::try_from(lasts.as_secs()).unwrap_or(u32::MAX));
            }
            Rivalry::Load(quality) => {
                changes.file_names = Some(vec![format!("{quality:?}")]);
                (changes.protocol, changes.address, changes.port) = from(ServerProtocol::Ftp);
            }
        }
        let taken = unit.device.set(&changes, clock).is_ok();
        if taken && work.command() == Command::Download {
            self.checks.loaded_over_by_others(place);
        }
        self.note(|| format!("device {}: the other manager's {work:?} is taken: {taken}", place + 1));
        self.settle(place);
    }

    /// A run has loaded an image, and waits before that is made to run: trouble that waited for it strikes.
    pub(crate) fn replace_what_is_loaded(&mut self, place: usize) {
        let Some(Goal::Upgrade { image }) = self.run_of(place).map(|run| &run.goal) else { return };
        let (version, digest) = (&image.manifest.version, image.digest);
        let other = images(|images| {
            let is_other = |made: &&crate::images::Made| {
                made.image.manifest.version == *version && made.image.digest != digest
            };
            images.iter().find(is_other).map(|made| made.quality)
        });
        let Some(other) = other else { return };
        // It means what is loaded there, and nothing else.
        let holds =
            |unit: &Unit| unit.device.durable().standby().is_some_and(|standby| standby.version == *version);
        if !self.units.get(place).is_some_and(holds) {
            return;
        }
        if self.units.get_mut(place).is_some_and(|unit| std::mem::take(&mut unit.replaced)) {
            self.rival(place, Rivalry::Load(other));
        }
    }

    /// A run is about to make an image run: trouble that waited for it strikes.
    pub(crate) fn make_it_run(&mut self, place: usize) {
        if let Some(lasts) = self.units.get_mut(place).and_then(|unit| unit.made_to_run.take()) {
            self.edit(place);
            self.rival(place, Rivalry::Try(lasts));
        }
    }

    /// The other manager's server has what a device asks it for.
    pub(crate) fn rival_serves(&mut self, place: usize, transfer: TransferId, name: &str, purpose: Purpose) {
        let content = images(|images| {
            let made = images.iter().find(|made| format!("{:?}", made.quality) == name)?;
            made.files.first().map(|(_, content)| content.clone())
        });
        let Some(content) = content.filter(|_| matches!(purpose, Purpose::Image(_))) else {
            return self.give_up(place, transfer);
        };
        self.tell_transfer(place, transfer, TransferEvent::Received(&content));
        self.tell_transfer(place, transfer, TransferEvent::Finished);
    }

    /// It ends what it has begun.
    pub(crate) fn rival_gives_up(&mut self, place: usize) {
        let operation = self.units.get(place).map(|unit| &unit.device.durable().operation);
        if operation.is_some_and(|operation| operation.is_busy() && operation.id.starts_with(RIVAL)) {
            self.rival(place, Rivalry::Abort);
        }
    }
}
