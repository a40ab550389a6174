//! `iadms db`: the manager's own memory. These commands read the data folder itself, whether the daemon runs or not.

mod backup;
mod check;

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Context, Exit, Failure};
use crate::config::DATA;

/// The database and the files that go with it
#[derive(Debug, Subcommand)]
pub(super) enum Db {
    Check(check::CheckDb),
    Backup(backup::BackupDb),
}

/// Where the data is.
#[derive(Debug, Args)]
struct Data {
    /// The data folder of `iadms serve`, or a copy of one
    #[arg(long, value_name = "DIR", default_value = DATA, env = "IADMS_DATA")]
    data: PathBuf,
}

impl Db {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Failure> {
        match self {
            Self::Check(command) => command.run(context).await,
            Self::Backup(command) => command.run(context).await,
        }
    }
}
