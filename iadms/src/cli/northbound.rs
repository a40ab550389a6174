//! `iadms northbound`: who is told of runs by SNMP notifications (IADMS-MIB).

mod add;

use clap::Subcommand;

use super::{Context, Exit, Failure, Output, encoded, output};
use crate::store::NorthboundTarget;

/// Notifications that are sent to network management systems
#[derive(Debug, Subcommand)]
pub(super) enum Northbound {
    /// Who is told of runs: each begin, failure, question and end
    #[command(subcommand)]
    Target(Target),
}

#[derive(Debug, Subcommand)]
pub(super) enum Target {
    Add(add::Add),
    /// List the targets
    List,
    /// Send a test notification, and wait for its acknowledgement where it is an INFORM
    Test {
        /// The target's name
        target: String,
    },
    /// Remove a target
    Remove {
        /// The target's name
        target: String,
    },
}

impl Northbound {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let Self::Target(command) = self;
        match command {
            Target::Add(command) => command.run(context).await,
            Target::List => list(context).await,
            Target::Test { target } => {
                context.client.post::<()>(&format!("/northbound/{}/test", encoded(&target)), &()).await?;
                output::note(&format!("the test notification was sent to {target}"));
                Ok(Exit::Success)
            }
            Target::Remove { target } => {
                context.client.delete(&format!("/northbound/{}", encoded(&target))).await?;
                output::note(&format!("{target} is told of runs no more"));
                Ok(Exit::Success)
            }
        }
    }
}

async fn list(context: &Context) -> Result<Exit, Failure> {
    let targets: Vec<NorthboundTarget> = context.client.get("/northbound").await?;
    if context.output == Output::Json {
        output::json(&targets)?;
        return Ok(Exit::Success);
    }
    let row = |target: &NorthboundTarget| {
        let (form, repeats, timeout) = if target.inform {
            ("inform", target.repeats.to_string(), format!("{} ms", target.timeout_ms))
        } else {
            ("trap", "-".into(), "-".into())
        };
        [target.name.clone(), target.address.to_string(), form.into(), repeats, timeout]
    };
    let headers = ["TARGET", "ADDRESS", "FORM", "REPEATS", "TIMEOUT"];
    let none = "nobody is told of runs; add a target with `iadms northbound target add`";
    output::table(headers, targets.iter().map(row).collect(), none)?;
    Ok(Exit::Success)
}
