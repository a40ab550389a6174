//! `iadms backup export`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::{Context, Exit, Failure, files, output};
use crate::store::Backup;

/// Write the files of a backup into a folder, one for each kind; they hold secrets
#[derive(Debug, Args)]
pub(in crate::cli) struct Export {
    /// The backup's number
    backup: u64,

    /// The folder; made where it is missing. No file is written over
    folder: PathBuf,
}

impl Export {
    pub(in crate::cli) async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let backup: Backup = context.client.get(&format!("/backups/{}", self.backup)).await?;
        for path in files::export(context, &backup.set, &self.folder).await? {
            output::line(&path.display().to_string())?;
        }
        Ok(Exit::Success)
    }
}
