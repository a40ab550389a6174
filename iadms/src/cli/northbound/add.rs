//! `iadms northbound target add`.

use std::net::{IpAddr, SocketAddr};

use clap::Args;

use crate::cli::{Context, Exit, Failure, output};
use crate::inventory::Community;
use crate::store::NorthboundTarget;

/// The UDP port of a notification receiver (RFC 3417 section 3.1).
const NOTIFICATION_PORT: u16 = 162;

/// Add a target that is told of runs
#[derive(Debug, Args)]
pub(in crate::cli) struct Add {
    /// The name to know it by
    target: String,

    /// Where it listens, such as 192.0.2.9, 192.0.2.9:1162 or [2001:db8::9]:162
    #[arg(value_name = "ADDRESS[:PORT]", value_parser = address)]
    address: SocketAddr,

    /// The community it expects
    #[arg(
        long,
        value_name = "COMMUNITY",
        default_value = "public",
        env = "IADMS_NORTHBOUND_COMMUNITY",
        hide_env_values = true
    )]
    community: String,

    /// Send INFORMs, which the target acknowledges, instead of TRAPs
    #[arg(long)]
    inform: bool,

    /// How often an INFORM that is not acknowledged is repeated
    #[arg(long, value_name = "COUNT", default_value_t = 3, value_parser = clap::value_parser!(u32).range(0..=10))]
    repeats: u32,

    /// How long an acknowledgement is waited for, milliseconds
    #[arg(long, value_name = "MS", default_value_t = 1500, value_parser = clap::value_parser!(u32).range(50..=60_000))]
    timeout_ms: u32,
}

impl Add {
    pub(in crate::cli) async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let target = NorthboundTarget {
            name: self.target,
            address: self.address,
            community: Community(self.community),
            inform: self.inform,
            repeats: self.repeats,
            timeout_ms: self.timeout_ms,
        };
        context.client.post::<()>("/northbound", &target).await?;
        let name = &target.name;
        output::note(&format!("{name} is told of runs; to try it: iadms northbound target test {name}"));
        Ok(Exit::Success)
    }
}

fn address(text: &str) -> Result<SocketAddr, String> {
    let alone = || text.parse::<IpAddr>().ok().map(|address| SocketAddr::new(address, NOTIFICATION_PORT));
    text.parse().ok().or_else(alone).ok_or_else(|| "an address, with or without a port, was expected".into())
}

#[cfg(test)]
mod tests {
    use super::address;

    #[test]
    fn the_port_of_a_target_may_be_left_out() {
        assert_eq!(address("192.0.2.9").unwrap().to_string(), "192.0.2.9:162");
        assert_eq!(address("2001:db8::9").unwrap().to_string(), "[2001:db8::9]:162");
        assert_eq!(address("[2001:db8::9]:1162").unwrap().port(), 1162);
        assert!(address("noc.example").is_err());
    }
}
