//! `iadms doctor`.

use clap::Args;
use tokio::task::JoinSet;
use upgrade::Reading;

use super::{Context, Exit, Failure, encoded, output};
use crate::api::{Check, Finding};
use crate::inventory::Device;

/// Examine the manager: daemon, ports, disk, database, clock, images, questions; and whether devices answer
///
/// Exit code 1 if anything is bad.
#[derive(Debug, Args)]
pub(super) struct Doctor {
    /// Look at every device of the inventory, too
    #[arg(long)]
    devices: bool,
}

/// Devices looked at at once.
const AT_ONCE: usize = 64;
/// Devices named that do not answer; of more, only the number is told.
const NAMED: usize = 20;

impl Doctor {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let checks = match context.client.get::<Vec<Check>>("/doctor").await {
            Ok(mut checks) => {
                checks.insert(0, Check::good("daemon", "it answers"));
                if self.devices {
                    checks.push(devices(context).await?);
                }
                checks
            }
            Err(failure) => vec![Check::wrong("daemon", Finding::Bad, failure.error, failure.next)],
        };
        output::checks(&checks, context.output)?;
        let bad = checks.iter().any(|check| check.finding == Finding::Bad);
        Ok(if bad { Exit::Error } else { Exit::Success })
    }
}

async fn devices(context: &Context) -> Result<Check, Failure> {
    let all: Vec<Device> = context.client.get("/devices").await?;
    let count = all.len();
    let mut waiting = all.into_iter().map(|device| device.entry.name);
    let mut looks = JoinSet::new();
    let mut silent = Vec::new();
    loop {
        while looks.len() < AT_ONCE
            && let Some(name) = waiting.next()
        {
            let client = context.client.clone();
            looks.spawn(async move {
                let path = format!("/devices/{}/probe", encoded(&name));
                client
                    .post::<Reading>(&path, &())
                    .await
                    .map_err(|failure| format!("{name}: {}", failure.error))
            });
        }
        match looks.join_next().await {
            None => break,
            Some(Ok(Ok(_))) => {}
            Some(Ok(Err(error))) => silent.push(error),
            Some(Err(error)) => silent.push(error.to_string()),
        }
    }
    if silent.is_empty() {
        return Ok(Check::good("devices", format!("all {count} answer")));
    }
    silent.sort();
    let more = silent.len().saturating_sub(NAMED);
    let named = silent.iter().take(NAMED).cloned().collect::<Vec<_>>().join("; ");
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    let text = format!("{} of {count} do not answer: {named}{more}", silent.len());
    let next = "check power, address, port and read community: an agent is silent to a wrong community";
    Ok(Check::wrong("devices", Finding::Warning, text, next))
}
