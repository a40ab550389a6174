//! `iadms device`: the inventory of devices.

mod access;
mod add;
mod change;
mod import;
mod list;
mod probe;
mod reading;
mod show;
mod table_file;

use clap::Subcommand;

use super::{Context, Exit, Failure, encoded, output};

/// The inventory of devices
#[derive(Debug, Subcommand)]
pub(super) enum Device {
    Add(add::Add),
    Change(change::Change),
    List(list::List),
    Show(show::Show),
    Probe(probe::Probe),
    Import(import::Import),
    /// Remove a device that no run or backup refers to
    Remove {
        /// The device's name
        device: String,
    },
}

impl Device {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Failure> {
        match self {
            Self::Add(command) => command.run(context).await,
            Self::Change(command) => command.run(context).await,
            Self::List(command) => command.run(context).await,
            Self::Show(command) => command.run(context).await,
            Self::Probe(command) => command.run(context).await,
            Self::Import(command) => command.run(context).await,
            Self::Remove { device } => {
                context.client.delete(&format!("/devices/{}", encoded(&device))).await?;
                output::note(&format!("device {device} was removed"));
                Ok(Exit::Success)
            }
        }
    }
}
