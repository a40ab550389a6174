//! Options that say how a device is reached.

use std::net::IpAddr;

use clap::Args;

use crate::inventory::{Access, Community, SNMP_PORT, SnmpVersion};

/// How a device is reached by SNMP.
#[derive(Debug, Clone, Args)]
pub(super) struct AccessOptions {
    /// The UDP port of its SNMP agent
    #[arg(long, value_name = "PORT", default_value_t = SNMP_PORT)]
    pub(super) port: u16,

    /// The version of SNMP
    #[arg(long, value_name = "v1|v2c", default_value = "v2c", value_parser = version)]
    pub(super) snmp_version: SnmpVersion,

    /// The community it is read with
    #[arg(
        long,
        value_name = "COMMUNITY",
        default_value = "public",
        env = "IADMS_READ_COMMUNITY",
        hide_env_values = true
    )]
    pub(super) read_community: String,

    /// The community it is commanded with
    #[arg(
        long,
        value_name = "COMMUNITY",
        default_value = "private",
        env = "IADMS_WRITE_COMMUNITY",
        hide_env_values = true
    )]
    pub(super) write_community: String,
}

impl AccessOptions {
    pub(super) fn access(self, address: IpAddr) -> Access {
        Access {
            address,
            port: self.port,
            version: self.snmp_version,
            read_community: Community(self.read_community),
            write_community: Community(self.write_community),
        }
    }
}

pub(super) fn version(text: &str) -> Result<SnmpVersion, String> {
    match text {
        "v1" => Ok(SnmpVersion::V1),
        "v2c" => Ok(SnmpVersion::V2c),
        _ => Err("v1 or v2c was expected".into()),
    }
}
