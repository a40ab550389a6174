//! `iadms trap tail`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;

use super::names::Names;
use super::{Context, Exit, Failure, Lines, Output, output};
use crate::daemon::Trap as Notification;

/// Notifications that devices send
#[derive(Debug, Subcommand)]
pub(super) enum Trap {
    Tail(Tail),
}

/// Show notifications with the names of the MIB modules: the latest, and those to come
#[derive(Debug, Args)]
pub(super) struct Tail {
    /// So many of those that came before
    #[arg(long, value_name = "COUNT", default_value_t = 10)]
    last: u32,

    /// Do not wait for those to come
    #[arg(long)]
    no_follow: bool,

    /// Folder of more MIB modules
    #[arg(long, value_name = "DIR")]
    mibs: Option<PathBuf>,
}

impl Trap {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let Self::Tail(tail) = self;
        let names = Names::load(tail.mibs.as_deref())?;
        let path = format!("/traps?last={}&follow={}", tail.last, !tail.no_follow);
        let mut lines: Lines<Notification> = context.client.lines(&path).await?;
        while let Some(trap) = lines.next().await? {
            match context.output {
                Output::Table => output::line(&sentence(&names, &trap))?,
                Output::Json => {
                    let values = trap.varbinds.iter().map(|(oid, value)| {
                        json!({ "oid": oid, "name": names.name(oid), "value": value, "text": names.value(oid, value) })
                    });
                    let values: Vec<_> = values.collect();
                    output::json_line(&json!({
                        "at": trap.at, "from": trap.from, "device": trap.device, "version": trap.version,
                        "kind": trap.kind, "oid": trap.oid, "name": names.name(&trap.oid), "uptime": trap.uptime,
                        "varbinds": values,
                    }))?;
                }
            }
        }
        Ok(Exit::Success)
    }
}

fn sentence(names: &Names, trap: &Notification) -> String {
    let device = trap.device.as_ref().map(|device| format!(" ({device})")).unwrap_or_default();
    let values: Vec<_> = trap
        .varbinds
        .iter()
        .map(|(oid, value)| format!("{}={}", names.name(oid), names.value(oid, value)))
        .collect();
    let uptime =
        trap.uptime.map(|ticks| format!(" up {}.{:02} s", ticks / 100, ticks % 100)).unwrap_or_default();
    let head = format!("{} {}{device} {} {}", output::date_time(trap.at), trap.from, trap.version, trap.kind);
    format!("{head} {}{uptime} {}", names.name(&trap.oid), values.join(" ")).trim_end().to_owned()
}
