//! `iadms restore`.

use clap::Args;
use upgrade::Kind;

use super::choices::{Manner, kind};
use super::{Context, Exit, Failure, follow};
use crate::api::{StartRuns, Wanted};

/// Restore a backup onto a device
#[derive(Debug, Args)]
pub(super) struct Restore {
    /// The device's name
    device: String,

    /// The backup's number, as `iadms backup list` tells it
    #[arg(long, value_name = "ID")]
    backup: u64,

    /// The kinds of configuration to restore; default: all that the backup holds
    #[arg(long, value_name = "KIND", value_delimiter = ',', value_parser = kind)]
    kinds: Vec<Kind>,

    /// The device stands in the place of the one that the backup is of
    #[arg(long)]
    replacement: bool,

    #[command(flatten)]
    manner: Manner,
}

impl Restore {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let request = StartRuns {
            devices: vec![self.device],
            wanted: Wanted::Restore { backup: self.backup, kinds: self.kinds, replacement: self.replacement },
            choices: self.manner.choices(),
            protocol: self.manner.protocol,
        };
        follow::begin(context, &request, self.manner.wait).await
    }
}
