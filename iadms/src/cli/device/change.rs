//! `iadms device change`.

use std::net::IpAddr;

use clap::Args;
use upgrade::Protocol;

use super::access::version;
use crate::api::ChangedDevice;
use crate::cli::choices::{label, protocol};
use crate::cli::{Context, Exit, Failure, encoded, output};
use crate::inventory::{Community, Device, SnmpVersion};

/// Change what is known of a device; what is not named stays. A run under way goes on with the new address and secrets
#[derive(Debug, Args)]
pub(in crate::cli) struct Change {
    /// The device's name
    device: String,

    /// Its address
    #[arg(long)]
    address: Option<IpAddr>,

    /// The UDP port of its SNMP agent
    #[arg(long)]
    port: Option<u16>,

    /// The credential by which it is asked, in SNMPv3
    #[arg(long, value_name = "NAME")]
    credential: Option<String>,

    /// The version of SNMP; default: v3 with a credential, as before without
    #[arg(long, value_name = "v1|v2c|v3", value_parser = version)]
    snmp_version: Option<SnmpVersion>,

    /// The community it is read with
    #[arg(long, value_name = "COMMUNITY")]
    read_community: Option<String>,

    /// The community it is commanded with
    #[arg(long, value_name = "COMMUNITY")]
    write_community: Option<String>,

    /// The profile that says what it is like
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,

    /// How it transfers files, unless a run says otherwise
    #[arg(long, value_name = "tftp|ftp|push", value_parser = protocol)]
    protocol: Option<Protocol>,

    /// Another unit stands in the device's place: forget its unique id and its engine, and learn those of the next one that
    /// answers
    #[arg(long)]
    replaced: bool,

    /// A label to set; an empty value takes it away
    #[arg(long, value_name = "KEY=VALUE", value_parser = label)]
    label: Vec<(String, String)>,
}

impl Change {
    pub(in crate::cli) async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let path = format!("/devices/{}?secrets=true", encoded(&self.device));
        let mut entry = context.client.get::<Device>(&path).await?.entry;
        entry.access.address = self.address.unwrap_or(entry.access.address);
        entry.access.port = self.port.unwrap_or(entry.access.port);
        let as_before = if self.credential.is_some() { SnmpVersion::V3 } else { entry.access.version };
        entry.access.version = self.snmp_version.unwrap_or(as_before);
        // What the new version does not have goes.
        if entry.access.version == SnmpVersion::V3 {
            (entry.access.read_community, entry.access.write_community) = Default::default();
        } else {
            entry.access.credential = None;
        }
        entry.access.credential = self.credential.or(entry.access.credential);
        entry.access.read_community = self.read_community.map_or(entry.access.read_community, Community);
        entry.access.write_community = self.write_community.map_or(entry.access.write_community, Community);
        let gives_up = entry.access.gives_up().filter(|_| self.snmp_version.is_some());
        entry.profile = self.profile.unwrap_or(entry.profile);
        entry.protocol = self.protocol.or(entry.protocol);
        for (key, value) in self.label {
            if value.is_empty() {
                entry.labels.remove(&key);
            } else {
                entry.labels.insert(key, value);
            }
        }
        let changed = ChangedDevice { entry, replaced: self.replaced };
        context.client.put::<()>("/devices", &changed).await?;
        output::note(&format!("device {} was changed", self.device));
        gives_up.into_iter().for_each(output::note);
        Ok(Exit::Success)
    }
}
