//! `iadms device show`.

use clap::Args;
use serde_json::json;

use crate::cli::output::{self, fields, format_table, line};
use crate::cli::{Context, Exit, Failure, Output, encoded, narrate};
use crate::inventory::{Community, Device};
use crate::store::{Backup, ListedRun};

/// Show what is known of a device: its entry, its latest runs and backups. Nothing is asked of the device itself
#[derive(Debug, Args)]
pub(in crate::cli) struct Show {
    /// The device's name
    device: String,

    /// Show communities, too
    #[arg(long)]
    secrets: bool,
}

/// Runs and backups shown.
const LATEST: u32 = 5;

impl Show {
    pub(in crate::cli) async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let name = encoded(&self.device);
        let device: Device = context.client.get(&format!("/devices/{name}?secrets={}", self.secrets)).await?;
        let runs: Vec<ListedRun> = context.client.get(&format!("/runs?device={name}&most={LATEST}")).await?;
        let backups: Vec<Backup> =
            context.client.get(&format!("/backups?device={name}&most={LATEST}")).await?;
        if context.output == Output::Json {
            output::json(&json!({ "device": device, "runs": runs, "backups": backups }))?;
            return Ok(Exit::Success);
        }
        let entry = &device.entry;
        let labels: Vec<_> = entry.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
        fields(&[
            ("device", entry.name.clone()),
            ("address", entry.access.address.to_string()),
            ("SNMP", format!("{} on port {}", entry.access.version, entry.access.port)),
            ("credential", output::or_dash(entry.access.credential.as_ref())),
            ("read community", output::or_dash(community(&entry.access.read_community))),
            ("write community", output::or_dash(community(&entry.access.write_community))),
            ("profile", entry.profile.clone()),
            (
                "protocol",
                entry.protocol.map_or_else(|| "tftp (default)".into(), |protocol| protocol.to_string()),
            ),
            ("engine id", device.engine_id.clone().unwrap_or_else(|| "not known".into())),
            ("unique id", device.unique_id.clone().unwrap_or_else(|| "not known yet".into())),
            ("labels", labels.join(" ")),
        ])?;
        if !runs.is_empty() {
            let row = |listed: &ListedRun| {
                let (begun, goal, standing) = match listed {
                    ListedRun::Readable(record) => {
                        let run = &record.run;
                        (run.begun, narrate::goal(&run.goal), narrate::standing(run))
                    }
                    ListedRun::Unreadable(run) => {
                        (run.begun, "-".to_owned(), narrate::unreadable(run).to_owned())
                    }
                };
                [listed.id().to_string(), output::date_time(begun), goal, standing]
            };
            line("")?;
            line(&format_table(["RUN", "BEGUN", "GOAL", "STANDING"], runs.iter().map(row).collect()))?;
        }
        if !backups.is_empty() {
            let row = |backup: &Backup| {
                let version = output::or_dash(backup.version.as_ref());
                [backup.id.to_string(), output::date_time(backup.at), version, narrate::kinds(&backup.set)]
            };
            line("")?;
            line(&format_table(["BACKUP", "TAKEN", "VERSION", "KINDS"], backups.iter().map(row).collect()))?;
        }
        Ok(Exit::Success)
    }
}

fn community(community: &Community) -> Option<&str> {
    Some(community.0.as_str()).filter(|community| !community.is_empty())
}
