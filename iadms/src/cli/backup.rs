//! `iadms backup`: takes backups, and looks into those that were taken.

mod diff;
mod export;
mod list;
mod show;

use clap::{Args, Subcommand};
use upgrade::Kind;

use super::choices::{Devices, Manner, kind};
use super::{Context, Exit, Failure, follow};
use crate::api::{StartRuns, Wanted};

/// Back up the configuration of devices, or look into backups
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct Backup {
    #[command(subcommand)]
    command: Option<Command>,

    // Not an `Option`: the parser would take it for missing where only the devices are given, which stand deeper.
    #[command(flatten)]
    take: Take,
}

#[derive(Debug, Args)]
struct Take {
    #[command(flatten)]
    devices: Devices,

    /// The kinds of configuration to back up; default: all
    #[arg(long, value_name = "KIND", value_delimiter = ',', value_parser = kind)]
    kinds: Vec<Kind>,

    #[command(flatten)]
    manner: Manner,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(list::List),
    Show(show::Show),
    Diff(diff::Diff),
    Export(export::Export),
}

impl Backup {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let Self { command, take } = self;
        match command {
            Some(Command::List(command)) => command.run(context).await,
            Some(Command::Show(command)) => command.run(context).await,
            Some(Command::Diff(command)) => command.run(context).await,
            Some(Command::Export(command)) => command.run(context).await,
            None => {
                let mut choices = take.manner.choices();
                choices.kinds = take.kinds;
                let request = StartRuns {
                    devices: take.devices.names(context).await?,
                    wanted: Wanted::Backup,
                    choices,
                    protocol: take.manner.protocol,
                };
                follow::begin(context, &request, take.manner.wait).await
            }
        }
    }
}
