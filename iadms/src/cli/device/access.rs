//! Options that say how a device is reached.

use std::io::{IsTerminal as _, stderr, stdin};
use std::net::IpAddr;

use clap::Args;
use dialoguer::Select;

use crate::cli::{Context, Failure, ask};
use crate::credential::Credential;
use crate::inventory::{Access, Community, SNMP_PORT, SnmpVersion};

/// Where the communities are taken from that no option says: the list of processes shows options to everybody.
const READ_COMMUNITY: &str = "IADMS_READ_COMMUNITY";
const WRITE_COMMUNITY: &str = "IADMS_WRITE_COMMUNITY";

/// How a device is reached by SNMP.
#[derive(Debug, Clone, Args)]
pub(super) struct AccessOptions {
    /// The UDP port of its SNMP agent
    #[arg(long, value_name = "PORT", default_value_t = SNMP_PORT)]
    pub(super) port: u16,

    /// The credential by which it is asked in SNMPv3, as `iadms credential list` names it
    #[arg(long, value_name = "NAME")]
    credential: Option<String>,

    /// The version of SNMP; default: v3 with a credential, v2c with a community
    #[arg(long, value_name = "v1|v2c|v3", value_parser = version)]
    snmp_version: Option<SnmpVersion>,

    /// The community it is read with in v1 and v2c; default: public
    #[arg(long, value_name = "COMMUNITY", env = READ_COMMUNITY, hide_env_values = true)]
    read_community: Option<String>,

    /// The community it is commanded with in v1 and v2c; default: private
    #[arg(long, value_name = "COMMUNITY", env = WRITE_COMMUNITY, hide_env_values = true)]
    write_community: Option<String>,
}

impl AccessOptions {
    /// How the device at this address is reached. Where nothing is said of it, SNMPv3 is proposed.
    ///
    /// # Errors
    ///
    /// Nothing is said, and nobody can be asked.
    pub(super) async fn access(self, address: IpAddr, context: &Context) -> Result<Access, Failure> {
        let has_community = self.read_community.is_some() || self.write_community.is_some();
        let version = match (self.snmp_version, &self.credential) {
            (Some(version), _) => version,
            (None, Some(_)) => SnmpVersion::V3,
            (None, None) if has_community => SnmpVersion::V2c,
            (None, None) => {
                let credential = proposed(context).await?;
                let version = if credential.is_some() { SnmpVersion::V3 } else { SnmpVersion::V2c };
                return Ok(Self { credential, ..self }.said(address, version));
            }
        };
        Ok(self.said(address, version))
    }

    fn said(self, address: IpAddr, version: SnmpVersion) -> Access {
        // A community of the environment is for devices that have communities.
        let community = |said: Option<String>, variable: &str, usual: &str| match (said, version) {
            (Some(said), SnmpVersion::V3) if std::env::var(variable).as_ref() == Ok(&said) => String::new(),
            (Some(said), _) => said,
            (None, SnmpVersion::V3) => String::new(),
            (None, _) => usual.to_owned(),
        };
        Access {
            address,
            port: self.port,
            version,
            read_community: Community(community(self.read_community, READ_COMMUNITY, "public")),
            write_community: Community(community(self.write_community, WRITE_COMMUNITY, "private")),
            credential: self.credential,
        }
    }
}

/// Asks by which credential; none: by communities.
async fn proposed(context: &Context) -> Result<Option<String>, Failure> {
    let next = "--credential NAME: SNMPv3, which proves who speaks and hides what is said (`iadms credential add` makes one); or \
                --snmp-version v2c: communities, which anybody on the way can read";
    if !stdin().is_terminal() || !stderr().is_terminal() {
        return Err(Failure::usage("it is not said how the device is spoken to", next));
    }
    let known: Vec<Credential> = context.client.get("/credentials").await?;
    let item = |known: &Credential| {
        let user = &known.user;
        let protocols = [user.authentication.map(|one| one.name()), user.privacy.map(|one| one.name())];
        let protocols: Vec<_> = protocols.into_iter().flatten().collect();
        format!("SNMPv3 by credential {} (user {}, {})", known.name, user.user, protocols.join(" and "))
    };
    let v2c = "SNMPv2c by communities, which anybody on the way can read".to_owned();
    let items: Vec<_> = known.iter().map(item).chain([v2c]).collect();
    let select = move || Select::new().with_prompt("How is it spoken to?").items(items).default(0).interact();
    let chosen = ask::prompt(select, next).await?;
    Ok(known.into_iter().nth(chosen).map(|known| known.name))
}

pub(super) fn version(text: &str) -> Result<SnmpVersion, String> {
    match text {
        "v1" => Ok(SnmpVersion::V1),
        "v2c" => Ok(SnmpVersion::V2c),
        "v3" => Ok(SnmpVersion::V3),
        _ => Err("v1, v2c or v3 was expected".into()),
    }
}
