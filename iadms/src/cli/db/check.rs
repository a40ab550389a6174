//! `iadms db check`.

use clap::Args;

use super::Data;
use crate::api::Finding;
use crate::cli::{Context, Exit, Failure, output};
use crate::soundness;

/// Check the whole database, and every file that it names; nothing is changed
///
/// It works whether the daemon runs or not, and takes as long as reading everything. While it reads the database of a
/// daemon that does not run, none can be started there. Exit code 5 if anything is bad.
#[derive(Debug, Args)]
pub(in crate::cli) struct CheckDb {
    #[command(flatten)]
    data: Data,
}

impl CheckDb {
    pub(in crate::cli) async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let checks = soundness::examine(&self.data.data).await.map_err(|error| Failure::store(&error))?;
        output::checks(&checks, context.output)?;
        let bad = checks.iter().any(|check| check.finding == Finding::Bad);
        Ok(if bad { Exit::Unsound } else { Exit::Success })
    }
}
