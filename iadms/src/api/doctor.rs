//! `/doctor`: everything about the manager's own health that it can see.

use std::collections::BTreeMap;
use std::time::SystemTime;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use upgrade::Time;

use super::files::blocking;
use super::{Api, Body, Refused};
use crate::causes::with_causes;
use crate::credential::{SealedCredential, SealedUser};
use crate::daemon::Status;
use crate::inventory::Device;
use crate::store::UnreadableRun;

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// What.
    pub name: String,
    /// How it is.
    pub finding: Finding,
    /// One sentence.
    pub text: String,
    /// What to do; empty where nothing is.
    pub next: String,
}

/// How a thing is that was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Finding {
    /// In order.
    Good,
    /// It works, but somebody should look.
    Warning,
    /// Something does not work.
    Bad,
}

/// Below this share of free space, or these bytes, the disk is worth a look.
const FEW_PER_CENT: u64 = 10;
const FEW_BYTES: u64 = 256 * 1024 * 1024;
/// Below these bytes it is as good as full.
const NO_BYTES: u64 = 16 * 1024 * 1024;
/// The daemon's clock may differ from the system's by so much: it never goes back, the system's may.
const CLOCK_TOLERANCE_MS: u64 = 60_000;

pub(super) async fn examine(State(api): State<Api>) -> Result<Body<Vec<Check>>, Refused> {
    let status = api.handle.status().await?;
    let mut checks = vec![ports(&status), clock(&status), disk(&api), database(&api).await];
    let devices = api.store.devices().await?;
    checks.push(profiles(&api, &devices));
    checks.extend(doubles(&devices));
    checks.push(images(&api).await?);
    checks.push(credentials(&api).await?);
    checks.push(questions(&status));
    checks.extend(aside(&status));
    checks.push(lost(&status));
    checks.push(waiting(&status));
    Ok(Body(checks))
}

impl Check {
    /// What was looked at is as it should be.
    pub fn good(name: &str, text: impl Into<String>) -> Self {
        Self { name: name.into(), finding: Finding::Good, text: text.into(), next: String::new() }
    }

    /// It is not.
    pub fn wrong(name: &str, finding: Finding, text: impl Into<String>, next: impl Into<String>) -> Self {
        Self { name: name.into(), finding, text: text.into(), next: next.into() }
    }
}

fn ports(status: &Status) -> Check {
    let told = |name: &str, port: Option<std::net::SocketAddr>| match port {
        Some(address) => format!("{name} on {address}"),
        None => format!("{name} off"),
    };
    let ports = status.ports;
    let text = [told("notifications", ports.notifications), told("TFTP", ports.tftp), told("FTP", ports.ftp)]
        .join(", ");
    Check::good("ports", text)
}

fn clock(status: &Status) -> Check {
    let system = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let system = Time::from(system).as_millis();
    let apart = system.abs_diff(status.now.as_millis());
    if apart <= CLOCK_TOLERANCE_MS {
        return Check::good("clock", "the daemon's clock and the system's agree");
    }
    Check::wrong(
        "clock",
        Finding::Warning,
        format!("the system's clock is {} s away from the daemon's, which never goes back", apart / 1000),
        "set the system's clock right, by NTP for instance, then restart `iadms serve`; as long as the daemon's is ahead, all \
         times that are told are by it, and what `--at` says is by the system's",
    )
}

fn disk(api: &Api) -> Check {
    let told = match rustix::fs::statvfs(&api.data) {
        Ok(told) => told,
        Err(error) => {
            let text = format!("the disk of {} cannot be looked at: {error}", api.data.display());
            return Check::wrong("disk", Finding::Bad, text, "check the data folder");
        }
    };
    let free = told.f_bavail.saturating_mul(told.f_frsize);
    let per_cent = told.f_bavail.saturating_mul(100) / told.f_blocks.max(1);
    let mebibytes = free / (1024 * 1024);
    let text = format!("{mebibytes} MiB free ({per_cent} %) on the disk of {}", api.data.display());
    let next = "make room, or move the data folder to a larger disk";
    match free {
        _ if free < NO_BYTES => Check::wrong("disk", Finding::Bad, text, next),
        _ if free < FEW_BYTES && per_cent < FEW_PER_CENT => {
            Check::wrong("disk", Finding::Warning, text, next)
        }
        _ => Check::good("disk", text),
    }
}

async fn database(api: &Api) -> Check {
    match api.store.check().await {
        Ok(()) => Check::good("database", format!("sound; SQLite {}", api.store.sqlite())),
        Err(error) => Check::wrong("database", Finding::Bad, with_causes(&error), error.next()),
    }
}

fn profiles(api: &Api, devices: &[Device]) -> Check {
    let missing: Vec<_> = devices
        .iter()
        .filter(|device| api.catalogue.get(&device.entry.profile).is_none())
        .map(|device| format!("{} ({})", device.entry.name, device.entry.profile))
        .collect();
    if missing.is_empty() {
        return Check::good("profiles", format!("every one of {} devices has its profile", devices.len()));
    }
    Check::wrong(
        "profiles",
        Finding::Bad,
        format!("the daemon does not know the profiles of: {}", missing.join(", ")),
        "give `iadms serve` the folder with them: --profiles DIR",
    )
}

/// Two entries for one device would upgrade it twice at once.
fn doubles(devices: &[Device]) -> Vec<Check> {
    let mut names: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for device in devices {
        if let Some(unique_id) = &device.unique_id {
            names.entry(unique_id).or_default().push(&device.entry.name);
        }
    }
    let doubled = names.into_iter().filter(|(_, names)| names.len() > 1);
    let check = |(unique_id, names): (&str, Vec<&str>)| {
        Check::wrong(
            "inventory",
            Finding::Warning,
            format!("{} say that they are one and the same device, {unique_id}", names.join(" and ")),
            "probe them (`iadms device probe`) and correct or remove the wrong entry",
        )
    };
    doubled.map(check).collect()
}

async fn images(api: &Api) -> Result<Check, Refused> {
    let images = api.store.images().await?;
    let (files, count) = (api.files.clone(), images.len());
    let wrong = blocking(move || {
        let wrong = |stored: crate::store::StoredImage| {
            let image = stored.image;
            super::images::whole(&files, &image.manifest)
                .err()
                .map(|error| format!("{}: {error}", image.name))
        };
        Ok(images.into_iter().filter_map(wrong).collect::<Vec<_>>())
    })
    .await?;
    Ok(if wrong.is_empty() {
        Check::good("images", format!("{count}, all files whole"))
    } else {
        Check::wrong("images", Finding::Bad, wrong.join("; "), "add the image again")
    })
}

fn questions(status: &Status) -> Check {
    match status.questions {
        0 => Check::good("runs", format!("{} under way, none waits for an operator", status.open_runs)),
        count => Check::wrong(
            "runs",
            Finding::Warning,
            format!("{} under way, of which {count} wait for an operator", status.open_runs),
            "see `iadms run list --asking`, and answer with `iadms run answer`",
        ),
    }
}

fn aside(status: &Status) -> Option<Check> {
    if status.aside.is_empty() {
        return None;
    }
    let told = |run: &UnreadableRun| format!("run {} of {}: {}", run.id, run.name, run.unreadable);
    let told: Vec<_> = status.aside.iter().map(told).collect();
    let text = format!("{} cannot be read and were set aside: {}", told.len(), told.join("; "));
    let next = "look at their devices, then let go of them: `iadms run forget`";
    Some(Check::wrong("unreadable", Finding::Bad, text, next))
}

/// Whether secrets can be opened, and which are half changed.
async fn credentials(api: &Api) -> Result<Check, Refused> {
    let all = api.store.credentials().await?;
    let opens = |user: &SealedUser| api.key.as_ref().is_some_and(|key| *key.id() == user.secrets.key);
    let names = |chosen: &dyn Fn(&SealedCredential) -> bool| {
        all.iter()
            .filter(|known| chosen(known))
            .map(|known| known.name.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    };
    let closed = names(&|known| !known.users().all(opens));
    if !closed.is_empty() {
        return Ok(Check::wrong(
            "credentials",
            Finding::Bad,
            format!("sealed under a key that is not here: {closed}; their devices are out of reach"),
            "give each new pass-phrases: `iadms credential rotate NAME`",
        ));
    }
    let rotating = names(&|known| known.former.is_some());
    if !rotating.is_empty() {
        return Ok(Check::wrong(
            "credentials",
            Finding::Warning,
            format!("being rotated: {rotating}; the secrets of before are taken as well"),
            "`iadms credential test NAME` tells which devices have the new ones; then `iadms credential rotate NAME --finish`",
        ));
    }
    let text = match (all.len(), &api.key) {
        (0, None) => "none, and no key to keep any under".to_owned(),
        (0, Some(_)) => "none".to_owned(),
        (count, _) => format!("{count}, each under the key that is here"),
    };
    Ok(Check::good("credentials", text))
}

fn waiting(status: &Status) -> Check {
    let text = format!("{} under way", status.transfers);
    match status.transfers_waiting {
        0 => Check::good("transfers", text),
        waiting => Check::wrong(
            "transfers",
            Finding::Warning,
            format!("{text}, and {waiting} devices wait for their turn"),
            "they are served one after the other; `iadms serve --transfers` and `--bandwidth` say how many at once",
        ),
    }
}

fn lost(status: &Status) -> Check {
    let mut none = match status.undecodable {
        0 => String::new(),
        count => format!(", {count} datagrams were none"),
    };
    if status.unproven > 0 {
        none +=
            &format!(", {} of SNMPv3 were not proven to be their sender's, or not of now", status.unproven);
    }
    if status.restarted_anew > 0 {
        none += &format!(
            "; {} times a device's SNMP engine had forgotten how often it started (the log names it)",
            status.restarted_anew
        );
    }
    match status.datagrams_lost {
        0 => Check::good(
            "notifications",
            format!("{} taken, none lost for want of room{none}", status.notifications),
        ),
        lost => Check::wrong(
            "notifications",
            Finding::Warning,
            format!("{} taken, {lost} datagrams lost for want of room{none}", status.notifications),
            "raise the system's receive buffers (net.core.rmem_max); runs are not lost, they look for themselves",
        ),
    }
}
