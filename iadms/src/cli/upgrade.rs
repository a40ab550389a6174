//! `iadms upgrade`.

use clap::Args;
use upgrade::Time;

use super::choices::{Devices, Manner, moment};
use super::{Context, Exit, Failure, follow};
use crate::api::{StartRuns, Wanted};

/// Upgrade devices to an image: back up, load, activate, convert, restore, confirm
///
/// After a failure each device is brought back to its old software and configuration before anybody is asked.
#[derive(Debug, Args)]
pub(super) struct Upgrade {
    #[command(flatten)]
    devices: Devices,

    /// The image, as `iadms image list` names it
    #[arg(long, value_name = "NAME")]
    image: String,

    /// Not to activate before, such as 02:00 or '2026-11-22 02:00'; the image is loaded at once
    #[arg(long, value_name = "MOMENT", value_parser = moment)]
    at: Option<Time>,

    /// Load the image even over the software that the device was left with and has left by itself, or over settings that
    /// were changed in its other buffer: they are gone then, unless they are in a backup
    #[arg(long)]
    overwrite: bool,

    #[command(flatten)]
    manner: Manner,
}

impl Upgrade {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let mut choices = self.manner.choices();
        choices.activate_at = self.at;
        choices.overwrite = self.overwrite;
        let request = StartRuns {
            devices: self.devices.names(context).await?,
            wanted: Wanted::Upgrade { image: self.image },
            choices,
            protocol: self.manner.protocol,
        };
        follow::begin(context, &request, self.manner.wait).await
    }
}
