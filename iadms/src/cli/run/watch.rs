//! `iadms run watch`: what is told of runs, on stdout, as it happens.

use clap::Args;
use upgrade::RunId;
use upgrade::run::Story;

use crate::cli::{Context, Exit, Failure, Lines, Output, follow, output, progress};
use crate::daemon::Told;

/// Watch runs, from their beginning to their ends; without a number: all runs, from now on
#[derive(Debug, Args)]
pub(in crate::cli) struct Watch {
    /// The runs' numbers
    #[arg(value_name = "RUN")]
    runs: Vec<u64>,

    /// End as soon as a run asks, with exit code 4
    #[arg(long)]
    until_question: bool,
}

impl Watch {
    pub(in crate::cli) async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let path = if self.runs.is_empty() {
            "/runs/watch".to_owned()
        } else {
            let numbers = self.runs.iter().map(u64::to_string).collect::<Vec<_>>().join(",");
            format!("/runs/watch?runs={numbers}")
        };
        let mut lines: Lines<Told> = context.client.lines(&path).await?;
        while let Some(told) = lines.next().await? {
            match context.output {
                Output::Json => output::json_line(&told)?,
                Output::Table => output::line(&progress::sentence(&told))?,
            }
            if self.until_question && matches!(told.story, Story::Asked { .. }) {
                let record: crate::store::RunRecord =
                    context.client.get(&format!("/runs/{}", told.run)).await?;
                if follow::exit_of_state(&record.run.state) == Exit::Waiting {
                    return Ok(Exit::Waiting);
                }
            }
        }
        let runs: Vec<RunId> = self.runs.into_iter().map(RunId).collect();
        let records = follow::records(context, &runs).await?;
        Ok(records
            .iter()
            .map(|record| follow::exit_of_state(&record.run.state))
            .max()
            .unwrap_or(Exit::Success))
    }
}
