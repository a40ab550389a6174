//! `iadms backup list`.

use clap::Args;

use crate::cli::{Context, Exit, Failure, Output, encoded, output};
use crate::store::Backup;

/// List backups, the latest first
#[derive(Debug, Args)]
pub(in crate::cli) struct List {
    /// Only backups of this device
    #[arg(long, value_name = "NAME")]
    device: Option<String>,

    /// At most so many
    #[arg(long, value_name = "COUNT", default_value_t = 100)]
    most: u32,
}

impl List {
    pub(in crate::cli) async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let mut path = format!("/backups?most={}", self.most);
        if let Some(device) = self.device {
            path.push_str(&format!("&device={}", encoded(&device)));
        }
        let backups: Vec<Backup> = context.client.get(&path).await?;
        if context.output == Output::Json {
            output::json(&backups)?;
            return Ok(Exit::Success);
        }
        let row = |backup: &Backup| {
            let kinds: Vec<_> = backup.set.files.keys().map(ToString::to_string).collect();
            [
                backup.id.to_string(),
                backup.device.clone(),
                output::date_time(backup.at),
                output::or_dash(backup.version.as_ref()),
                output::or_dash(backup.set.format),
                backup.run.to_string(),
                kinds.join(", "),
            ]
        };
        let headers = ["BACKUP", "DEVICE", "TAKEN", "VERSION", "FORMAT", "RUN", "KINDS"];
        output::table(headers, backups.iter().map(row).collect(), "there is no backup")?;
        Ok(Exit::Success)
    }
}
