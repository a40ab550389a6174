//! `iadms backup show`.

use clap::Args;

use crate::cli::output::{self, fields, format_table, line};
use crate::cli::{Context, Exit, Failure, Output};
use crate::store::Backup;

/// Show what a backup holds
#[derive(Debug, Args)]
pub(in crate::cli) struct Show {
    /// The backup's number
    backup: u64,
}

impl Show {
    pub(in crate::cli) async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let backup: Backup = context.client.get(&format!("/backups/{}", self.backup)).await?;
        if context.output == Output::Json {
            output::json(&backup)?;
            return Ok(Exit::Success);
        }
        let number = |number: Option<u32>| number.map(|number| number.to_string()).unwrap_or_default();
        fields(&[
            ("backup", backup.id.to_string()),
            ("device", backup.device.clone()),
            ("taken", output::date_time(backup.at)),
            ("run", backup.run.to_string()),
            ("version", backup.version.clone().unwrap_or_default()),
            ("format", number(backup.set.format)),
            ("revision", number(backup.set.revision)),
        ])?;
        let files = backup.set.files.iter();
        let row = |(kind, file): (&upgrade::Kind, &upgrade::StoredFile)| {
            [kind.to_string(), output::bytes(file.size), file.digest.to_string()]
        };
        line("")?;
        line(&format_table(["KIND", "SIZE", "SHA-256"], files.map(row).collect()))?;
        Ok(Exit::Success)
    }
}
