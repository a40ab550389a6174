//! `iadms credential test`.

use std::collections::BTreeMap;
use std::net::IpAddr;

use clap::Args;
use serde::Serialize;
use tokio::task::JoinSet;

use crate::api::ProbeRequest;
use crate::cli::{Context, Exit, Failure, Output, output};
use crate::daemon::Probed;
use crate::inventory::{Access, Community, Device, SNMP_PORT, SnmpVersion};

/// Devices that are asked at a time.
const AT_ONCE: usize = 64;

/// Ask devices by a credential whether they know it. Nothing is changed
#[derive(Debug, Args)]
pub(in crate::cli) struct Test {
    /// The credential's name
    credential: String,

    /// The devices' names; default: all that are asked by it
    #[arg(value_name = "DEVICE")]
    devices: Vec<String>,

    /// The address of a device that need not be in the inventory
    #[arg(long, conflicts_with = "devices")]
    address: Option<IpAddr>,

    /// The UDP port of its SNMP agent, with --address
    #[arg(long, value_name = "PORT", default_value_t = SNMP_PORT)]
    port: u16,

    /// The profile to look by, with --address
    #[arg(long, value_name = "NAME", default_value = "iad")]
    profile: String,
}

/// What came of one.
#[derive(Debug, Serialize)]
struct Tested {
    device: String,
    address: String,
    /// Whether it answered.
    known: bool,
    /// Whether it knows the secrets of before alone.
    superseded: bool,
    engine_id: Option<String>,
    /// Why it does not know it.
    error: Option<String>,
}

impl Test {
    pub(in crate::cli) async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let requests = self.requests(context).await?;
        if requests.is_empty() {
            let error = format!("no device is asked by credential {}", self.credential);
            return Err(Failure::new(error, "name devices to try it at, or give an --address"));
        }
        let tested = ask(context, requests).await;
        match context.output {
            Output::Json => output::json(&tested)?,
            Output::Table => {
                let row = |tested: &Tested| {
                    let answer = match (&tested.error, tested.superseded) {
                        (Some(error), _) => error.clone(),
                        (None, true) => "knows the secrets of before".to_owned(),
                        (None, false) => "knows it".to_owned(),
                    };
                    let engine = output::or_dash(tested.engine_id.as_ref());
                    [tested.device.clone(), tested.address.clone(), engine, answer]
                };
                let headers = ["DEVICE", "ADDRESS", "ENGINE", "ANSWER"];
                output::table(headers, tested.iter().map(row).collect(), "")?;
            }
        }
        match tested.iter().filter(|tested| !tested.known).count() {
            0 => Ok(Exit::Success),
            count => {
                let error = format!(
                    "{count} of {} devices do not answer by credential {}",
                    tested.len(),
                    self.credential
                );
                Err(Failure::new(
                    error,
                    "the table tells why; check the user, the protocols and the pass-phrases at them",
                ))
            }
        }
    }

    /// Whom to ask, by name.
    async fn requests(&self, context: &Context) -> Result<BTreeMap<String, ProbeRequest>, Failure> {
        let access = |address, port| Access {
            address,
            port,
            version: SnmpVersion::V3,
            read_community: Community::default(),
            write_community: Community::default(),
            credential: Some(self.credential.clone()),
        };
        if let Some(address) = self.address {
            let request = ProbeRequest { access: access(address, self.port), profile: self.profile.clone() };
            return Ok(BTreeMap::from([("-".to_owned(), request)]));
        }
        let mut all: BTreeMap<String, Device> = context
            .client
            .get::<Vec<Device>>("/devices")
            .await?
            .into_iter()
            .map(|device| (device.entry.name.clone(), device))
            .collect();
        if self.devices.is_empty() {
            all.retain(|_, device| device.entry.access.credential.as_ref() == Some(&self.credential));
        } else {
            let unknown = self.devices.iter().find(|name| !all.contains_key(*name));
            if let Some(unknown) = unknown {
                return Err(Failure::new(
                    format!("there is no device {unknown:?}"),
                    "see `iadms device list`",
                ));
            }
            all.retain(|name, _| self.devices.contains(name));
        }
        let request = |device: Device| ProbeRequest {
            access: access(device.entry.access.address, device.entry.access.port),
            profile: device.entry.profile,
        };
        Ok(all.into_iter().map(|(name, device)| (name, request(device))).collect())
    }
}

/// Asks all of them, a number at a time.
async fn ask(context: &Context, requests: BTreeMap<String, ProbeRequest>) -> Vec<Tested> {
    let mut waiting = requests.into_iter();
    let mut asking = JoinSet::new();
    let mut tested = Vec::new();
    loop {
        while asking.len() < AT_ONCE
            && let Some((device, request)) = waiting.next()
        {
            let client = context.client.clone();
            asking.spawn(async move {
                let address = request.access.agent().to_string();
                let probed = client.post::<Probed>("/probe", &request).await;
                let error = probed.as_ref().err().map(|failure| failure.error.clone());
                let (superseded, engine_id) =
                    probed.map_or((false, None), |probed| (probed.superseded, probed.engine_id));
                Tested { device, address, known: error.is_none(), superseded, engine_id, error }
            });
        }
        match asking.join_next().await {
            Some(Ok(one)) => tested.push(one),
            Some(Err(_)) => {}
            None => break,
        }
    }
    tested.sort_by(|one, other| one.device.cmp(&other.device));
    tested
}
