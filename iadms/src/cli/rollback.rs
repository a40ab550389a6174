//! `iadms rollback`.

use clap::Args;

use super::choices::{Devices, Manner};
use super::{Context, Exit, Failure, follow};
use crate::api::{StartRuns, Wanted};

/// Go back to the software in the other buffer and the configuration it had; that of now is backed up first
#[derive(Debug, Args)]
pub(super) struct Rollback {
    #[command(flatten)]
    devices: Devices,

    #[command(flatten)]
    manner: Manner,
}

impl Rollback {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let request = StartRuns {
            devices: self.devices.names(context).await?,
            wanted: Wanted::RollBack,
            choices: self.manner.choices(),
            protocol: self.manner.protocol,
        };
        follow::begin(context, &request, self.manner.wait).await
    }
}
