//! `iadms reset`.

use clap::Args;

use super::choices::{Devices, Manner};
use super::{Context, Exit, Failure, follow};
use crate::api::{StartRuns, Wanted};

/// Restart devices, and see that they come back with the same software
#[derive(Debug, Args)]
pub(super) struct Reset {
    #[command(flatten)]
    devices: Devices,

    #[command(flatten)]
    manner: Manner,
}

impl Reset {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let request = StartRuns {
            devices: self.devices.names(context).await?,
            wanted: Wanted::Reset,
            choices: self.manner.choices(),
            protocol: self.manner.protocol,
        };
        follow::begin(context, &request, self.manner.wait).await
    }
}
