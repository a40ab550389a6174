//! `iadms device list`.

use clap::Args;

use crate::cli::choices::label;
use crate::cli::{Context, Exit, Failure, Output, output};
use crate::inventory::Device;

/// List the devices of the inventory
#[derive(Debug, Args)]
pub(in crate::cli) struct List {
    /// Only devices with this label; with several labels, those that have them all
    #[arg(long, value_name = "KEY=VALUE", value_parser = label)]
    label: Vec<(String, String)>,

    /// Show communities, too (in JSON)
    #[arg(long)]
    secrets: bool,
}

impl List {
    pub(in crate::cli) async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let mut devices: Vec<Device> =
            context.client.get(&format!("/devices?secrets={}", self.secrets)).await?;
        devices.retain(|device| {
            self.label.iter().all(|(key, value)| device.entry.labels.get(key) == Some(value))
        });
        if context.output == Output::Json {
            output::json(&devices)?;
            return Ok(Exit::Success);
        }
        let row = |device: &Device| {
            let entry = &device.entry;
            let labels: Vec<_> = entry.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
            [
                entry.name.clone(),
                std::net::SocketAddr::new(entry.access.address, entry.access.port).to_string(),
                entry.access.version.to_string(),
                entry.profile.clone(),
                output::or_dash(entry.protocol),
                output::or_dash(device.unique_id.as_ref()),
                labels.join(" "),
            ]
        };
        let headers = ["DEVICE", "ADDRESS", "SNMP", "PROFILE", "PROTOCOL", "UNIQUE ID", "LABELS"];
        let none = "there is no such device; add some with `iadms device add` or `iadms device import`";
        output::table(headers, devices.iter().map(row).collect(), none)?;
        Ok(Exit::Success)
    }
}
