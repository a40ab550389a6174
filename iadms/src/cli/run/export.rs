//! `iadms run export`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::{Context, Exit, Failure, files, output};
use crate::store::RunRecord;

/// Write the configuration files that a run has backed up into a folder, to be edited
#[derive(Debug, Args)]
pub(in crate::cli) struct Export {
    /// The run's number
    run: u64,

    /// The folder; made where it is missing. No file is written over
    folder: PathBuf,
}

impl Export {
    pub(in crate::cli) async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let record: RunRecord = context.client.get(&format!("/runs/{}", self.run)).await?;
        let Some(backup) = &record.run.backup else {
            let next = format!("see `iadms run show {}`", self.run);
            return Err(Failure::new(format!("run {} has no backup yet", self.run), next));
        };
        for path in files::export_to_edit(context, backup, &self.folder).await? {
            output::line(&path.display().to_string())?;
        }
        Ok(Exit::Success)
    }
}
