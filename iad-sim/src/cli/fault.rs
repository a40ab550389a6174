//! `iad-sim fault`

use clap::{Args, Subcommand};

use super::Control;
use super::device::unexpected;
use super::output::{Failure, Output, table};
use crate::fault::Fault;
use crate::net::{FaultView, Request, Response};

/// Let things go wrong
#[derive(Debug, Subcommand)]
pub(super) enum FaultCommand {
    Add(Add),
    List(List),
    Clear(Clear),
}

/// Add a fault, and print its number
#[derive(Debug, Args)]
pub(super) struct Add {
    #[command(flatten)]
    fault: Fault,
    #[command(flatten)]
    control: Control,
}

/// List all faults, with how often they happened
#[derive(Debug, Args)]
pub(super) struct List {
    #[command(flatten)]
    control: Control,
    #[command(flatten)]
    output: Output,
}

/// Let a fault happen no more
#[derive(Debug, Args)]
pub(super) struct Clear {
    /// The number of the fault; without it, all faults
    number: Option<u32>,
    #[command(flatten)]
    control: Control,
}

impl FaultCommand {
    pub(super) async fn run(self) -> Result<(), Failure> {
        match self {
            Self::Add(Add { fault, control }) => {
                fault.check().map_err(|error| Failure::Refused(error.to_string()))?;
                match control.ask(Request::AddFault { fault }).await? {
                    Response::Added { number } => {
                        use std::io::Write;
                        writeln!(std::io::stdout(), "{number}")?;
                        Ok(())
                    }
                    other => Err(unexpected(&other)),
                }
            }
            Self::List(List { control, output }) => match control.ask(Request::ListFaults).await? {
                Response::Faults { faults } => output.write(&faults, |faults| list(faults)),
                other => Err(unexpected(&other)),
            },
            Self::Clear(Clear { number, control }) => {
                control.ask(Request::ClearFaults { number }).await.map(drop)
            }
        }
    }
}

fn list(faults: &[FaultView]) -> String {
    let row = |view: &FaultView| {
        let settings = serde_json::to_string(&view.fault).unwrap_or_default();
        vec![
            view.number.to_string(),
            view.struck.to_string(),
            format!("{}/{}", view.live, view.devices),
            settings,
        ]
    };
    table(&["FAULT", "STRUCK", "LIVE", "SETTINGS"], faults.iter().map(row))
}
