//! `iadms image`: the images that devices can be upgraded to.

mod add;
mod list;
mod manifest;
mod show;

use clap::Subcommand;

use super::{Context, Exit, Failure};

/// The images that devices can be upgraded to
#[derive(Debug, Subcommand)]
pub(super) enum Image {
    Add(add::Add),
    List(list::List),
    Show(show::Show),
    Manifest(manifest::NewManifest),
}

impl Image {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Failure> {
        match self {
            Self::Add(command) => command.run(context).await,
            Self::List(command) => command.run(context).await,
            Self::Show(command) => command.run(context).await,
            Self::Manifest(command) => command.run(),
        }
    }
}
