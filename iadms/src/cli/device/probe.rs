//! `iadms device probe`.

use std::net::IpAddr;

use clap::Args;

use super::access::AccessOptions;
use super::reading;
use crate::api::ProbeRequest;
use crate::cli::{Context, Exit, Failure, Output, encoded, output};
use crate::daemon::Probed;

/// Look at a device: hardware, versions, configuration digests, calls, what it is doing. Nothing is changed
#[derive(Debug, Args)]
pub(in crate::cli) struct Probe {
    /// The device's name
    #[arg(required_unless_present = "address")]
    device: Option<String>,

    /// The address of a device that need not be in the inventory
    #[arg(long, conflicts_with = "device")]
    address: Option<IpAddr>,

    /// The profile to look by, with --address
    #[arg(long, value_name = "NAME", default_value = "iad")]
    profile: String,

    #[command(flatten)]
    access: AccessOptions,
}

impl Probe {
    pub(in crate::cli) async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let Probed { reading, .. } = match (self.address, &self.device) {
            (Some(address), _) => {
                let access = self.access.access(address, context).await?;
                let request = ProbeRequest { access, profile: self.profile };
                context.client.post("/probe", &request).await?
            }
            (None, device) => {
                let name = encoded(device.as_deref().unwrap_or_default());
                context.client.post(&format!("/devices/{name}/probe"), &()).await?
            }
        };
        match context.output {
            Output::Json => output::json(&reading)?,
            Output::Table => reading::show(&reading)?,
        }
        Ok(Exit::Success)
    }
}
