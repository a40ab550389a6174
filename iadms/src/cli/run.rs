//! `iadms run`: runs as they stand, and the operator's word.

mod answer;
mod export;
mod list;
mod show;
mod watch;

use clap::Subcommand;

use super::{Context, Exit, Failure, output};

/// Runs: each takes one device through an upgrade, or a part of one
#[derive(Debug, Subcommand)]
pub(super) enum Run {
    List(list::List),
    Show(show::Show),
    Watch(watch::Watch),
    Answer(answer::AnswerRun),
    Export(export::Export),
    /// End a run, with its device as it was before
    Cancel {
        /// The run's number
        run: u64,
    },
    /// Let go of a run that cannot be read, and leave its device as it is
    ///
    /// `iadms doctor` tells such runs. Look at the device first: nobody else knows what was commanded there.
    Forget {
        /// The run's number
        run: u64,
    },
}

impl Run {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Failure> {
        match self {
            Self::List(command) => command.run(context).await,
            Self::Show(command) => command.run(context).await,
            Self::Watch(command) => command.run(context).await,
            Self::Answer(command) => command.run(context).await,
            Self::Export(command) => command.run(context).await,
            Self::Cancel { run } => {
                context.client.post::<()>(&format!("/runs/{run}/cancel"), &()).await?;
                output::note(&format!("run {run} is being cancelled; follow it: iadms run watch {run}"));
                Ok(Exit::Success)
            }
            Self::Forget { run } => {
                context.client.post::<()>(&format!("/runs/{run}/forget"), &()).await?;
                output::note(&format!("run {run} is over, and its device is free for another one"));
                Ok(Exit::Success)
            }
        }
    }
}
