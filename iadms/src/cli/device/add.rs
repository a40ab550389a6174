//! `iadms device add`.

use std::net::IpAddr;

use clap::Args;
use upgrade::Protocol;

use super::access::AccessOptions;
use crate::api::{Added, NewDevices};
use crate::cli::choices::{label, protocol};
use crate::cli::{Context, Exit, Failure, Output, output};
use crate::inventory::DeviceEntry;

/// Add a device
#[derive(Debug, Args)]
pub(in crate::cli) struct Add {
    /// The name to know it by
    device: String,

    /// Its address, IPv4 or IPv6
    address: IpAddr,

    #[command(flatten)]
    access: AccessOptions,

    /// The profile that says what it is like, as `iadms profile list` names it
    #[arg(long, value_name = "NAME", default_value = "iad")]
    profile: String,

    /// How it transfers files, unless a run says otherwise; default: tftp
    #[arg(long, value_name = "tftp|ftp|push", value_parser = protocol)]
    protocol: Option<Protocol>,

    /// A label to choose devices by; may be given several times
    #[arg(long, value_name = "KEY=VALUE", value_parser = label)]
    label: Vec<(String, String)>,
}

impl Add {
    pub(in crate::cli) async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let entry = DeviceEntry {
            name: self.device.clone(),
            access: self.access.access(self.address, context).await?,
            profile: self.profile,
            protocol: self.protocol,
            labels: self.label.into_iter().collect(),
        };
        let gives_up = entry.access.gives_up();
        let added: Added = context.client.post("/devices", &NewDevices { devices: vec![entry] }).await?;
        match context.output {
            Output::Json => output::json(&added)?,
            Output::Table => {
                output::note(&format!(
                    "device {0} was added; to see whether it answers: iadms device probe {0}",
                    self.device
                ));
                gives_up.into_iter().for_each(output::note);
            }
        }
        Ok(Exit::Success)
    }
}
