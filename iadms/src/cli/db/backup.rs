//! `iadms db backup`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::Data;
use crate::cli::{Context, Exit, Failure, Output, output};
use crate::copy::{self, CopyError};

/// Copy the database and every file that it names into a new folder, on which a daemon can be started
///
/// It works whether the daemon runs or not, and keeps nobody waiting. The copy holds secrets: only you may read it. Exit
/// code 5 if files were damaged or gone already, so that the copy lacks them, or if the database has rows that cannot be
/// understood.
#[derive(Debug, Args)]
pub(in crate::cli) struct BackupDb {
    /// The folder, which is made; nothing is written over
    folder: PathBuf,

    #[command(flatten)]
    data: Data,
}

impl BackupDb {
    pub(in crate::cli) async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let Self { folder, data: Data { data } } = self;
        let copied = copy::copy(&data, &folder).await.map_err(|error| match &error {
            CopyError::Store(error) => Failure::store(error),
            _ => Failure::of(&error, error.next()),
        })?;
        match context.output {
            Output::Json => output::json(&json!({ "folder": folder, "copied": copied }))?,
            Output::Table => {
                let (files, bytes) = (copied.files, output::bytes(copied.bytes));
                output::note(&format!(
                    "the database and {files} files ({bytes}) were copied to {}",
                    folder.display()
                ));
            }
        }
        for lost in &copied.lost {
            output::note(&format!("the copy lacks what was lost already: {lost}"));
        }
        for row in &copied.unreadable {
            output::note(&format!(
                "{row} cannot be understood, in the copy as here: `iadms db check` tells more"
            ));
        }
        Ok(if copied.lost.is_empty() && copied.unreadable.is_empty() { Exit::Success } else { Exit::Unsound })
    }
}
