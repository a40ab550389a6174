//! `iadms run answer`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use upgrade::RunId;

use crate::api::{self, AnswerRequest};
use crate::cli::{Context, Exit, Failure, files, follow, narrate, output};
use crate::store::{RunRecord, ToldStory};

/// Answer the question of a run
#[derive(Debug, Args)]
pub(in crate::cli) struct AnswerRun {
    /// The run's number
    run: u64,

    #[command(subcommand)]
    answer: Answer,

    /// Wait for the end, show how it goes, and ask here what has to be asked
    #[arg(long, global = true)]
    wait: bool,
}

#[derive(Debug, Subcommand)]
enum Answer {
    /// Try once more
    Again,
    /// Try once more with another image
    Image {
        /// The image, as `iadms image list` names it
        name: String,
    },
    /// Try once more with the configuration as edited: one file for each kind, named as the kind
    Edited {
        /// The folder with the files; `iadms run export RUN DIR` writes those to edit
        folder: PathBuf,
    },
    /// Leave it at that: the run ends
    End,
}

impl AnswerRun {
    pub(in crate::cli) async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let run = RunId(self.run);
        let answer = match self.answer {
            Answer::Again => AnswerRequest::Again,
            Answer::Image { name } => AnswerRequest::Image { name },
            Answer::End => AnswerRequest::End,
            Answer::Edited { folder } => {
                let record: RunRecord = context.client.get(&format!("/runs/{run}")).await?;
                let kinds: Vec<_> = record.run.backed_up().into_keys().collect();
                if kinds.is_empty() {
                    let next = format!("see `iadms run show {run}`");
                    return Err(Failure::new(format!("run {run} has no backup that could be edited"), next));
                }
                files::hand_in(context, &folder, &kinds).await?
            }
        };
        // What was told until now is known; what is followed begins with the answer.
        let told: Vec<ToldStory> = context.client.get(&format!("/runs/{run}/stories")).await?;
        let last = told.last().map_or(0, |told| told.n);
        let word = narrate::answer_word(answer.kind());
        let answer = api::AnswerRun { asked_at: None, answer };
        context.client.post::<()>(&format!("/runs/{run}/answer"), &answer).await?;
        output::note(&format!("run {run} was answered: {word}"));
        if self.wait { follow::follow(context, &[(run, last)]).await } else { Ok(Exit::Success) }
    }
}
