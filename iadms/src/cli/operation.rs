//! `iadms operation abort`.

use clap::Subcommand;

use super::{Context, Exit, Failure, output};

/// The operation that a device carries out for a run
#[derive(Debug, Subcommand)]
pub(super) enum Operation {
    /// Stop the operation under way; the run takes that as its failure, and goes on from there
    Abort {
        /// The run's number
        run: u64,
    },
}

impl Operation {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let Self::Abort { run } = self;
        context.client.post::<()>(&format!("/runs/{run}/stop-operation"), &()).await?;
        output::note(&format!(
            "the operation of run {run} is being stopped; follow it: iadms run watch {run}"
        ));
        Ok(Exit::Success)
    }
}
