//! The question of a run, asked at the prompt.

use std::path::{Path, PathBuf};
use std::process::Command;

use dialoguer::{Input, Select};
use upgrade::run::{AnswerKind, Goal, Run, State};
use upgrade::{Image, RunId};

use super::{Context, Failure, files, output};
use crate::api::{AnswerRequest, AnswerRun};
use crate::store::{RunRecord, StoredImage};

/// What to do where there is no prompt.
const ELSEWHERE: &str = "answer with `iadms run answer`, from anywhere";

/// Asks here what the run asks, and gives it the answer. False: nobody wants to answer now.
///
/// # Errors
///
/// The daemon stays away, or the terminal does.
pub(super) async fn ask(context: &Context, run: RunId) -> Result<bool, Failure> {
    loop {
        let record: RunRecord = context.client.get(&format!("/runs/{run}")).await?;
        let State::Asking(question) = &record.run.state else {
            // Somebody else was faster, or its time was up.
            return Ok(true);
        };
        let device = &record.run.device.name;
        let why = match &question.failure {
            Some(failure) => failure.to_string(),
            None => "its configuration has to be edited for the new software".into(),
        };
        output::note(&format!("\n{device}, run {run}: {why}"));
        if question.lost {
            output::note(
                "The device could not be brought back to its old state. To end means to give it up.",
            );
        } else if let Some(old) = &record.run.old {
            output::note(&format!(
                "The device is on its old software, {}, with its configuration.",
                old.version
            ));
        }
        let Some(kind) = choose(question.answers.clone()).await? else { return Ok(false) };
        let Some(answer) = answer(context, &record.run, kind).await? else { continue };
        let answer = AnswerRun { asked_at: Some(question.asked_at), answer };
        match context.client.post::<()>(&format!("/runs/{run}/answer"), &answer).await {
            Ok(()) => return Ok(true),
            Err(failure) => output::note(&failure.to_string()),
        }
    }
}

async fn choose(answers: Vec<AnswerKind>) -> Result<Option<AnswerKind>, Failure> {
    let words = answers.iter().map(|answer| match answer {
        AnswerKind::Again => "again: try once more",
        AnswerKind::OtherImage => "image: try once more with another image",
        AnswerKind::Edited => "edit: try once more with the configuration edited",
        AnswerKind::End => "end: leave it at that",
    });
    let items: Vec<_> = words.chain(["later: leave the question open, and this command"]).collect();
    let chosen =
        prompt(move || Select::new().with_prompt("What now?").items(items).default(0).interact(), ELSEWHERE)
            .await?;
    Ok(answers.get(chosen).copied())
}

async fn answer(context: &Context, run: &Run, kind: AnswerKind) -> Result<Option<AnswerRequest>, Failure> {
    match kind {
        AnswerKind::Again => Ok(Some(AnswerRequest::Again)),
        AnswerKind::End => Ok(Some(AnswerRequest::End)),
        AnswerKind::OtherImage => {
            let mut images: Vec<StoredImage> = context.client.get("/images").await?;
            images.retain(|stored| fits(&stored.image, &run.goal));
            if images.is_empty() {
                output::note("There is no image for this hardware; add one with `iadms image add`.");
                return Ok(None);
            }
            let item = |stored: &StoredImage| {
                let manifest = &stored.image.manifest;
                format!("{} ({}, for {})", stored.image.name, manifest.version, manifest.hardware.join(", "))
            };
            let items: Vec<_> = images.iter().map(item).collect();
            let select =
                move || Select::new().with_prompt("Which image?").items(items).default(0).interact_opt();
            let chosen = prompt(select, ELSEWHERE).await?;
            let image = chosen.and_then(|chosen| images.get(chosen));
            Ok(image.map(|stored| AnswerRequest::Image { name: stored.image.name.clone() }))
        }
        AnswerKind::Edited => edited(context, run).await,
    }
}

/// Whether an image is for hardware that the run's image is for.
fn fits(image: &Image, goal: &Goal) -> bool {
    let Goal::Upgrade { image: failed } = goal else { return false };
    image.manifest.hardware.iter().any(|kind| failed.manifest.hardware.contains(kind))
}

/// Has the files edited, or asks for a folder with those that were.
async fn edited(context: &Context, run: &Run) -> Result<Option<AnswerRequest>, Failure> {
    let Some(backup) = &run.backup else { return Ok(None) };
    let kinds: Vec<_> = backup.files.keys().cloned().collect();
    let editor = std::env::var("VISUAL").or_else(|_| std::env::var("EDITOR")).unwrap_or_default();
    let answer = if editor.is_empty() {
        output::note(&format!("To get the files: iadms run export {} DIR", run.id));
        let asking = || Input::<String>::new().with_prompt("Folder with the edited files").interact_text();
        let folder = PathBuf::from(prompt(asking, ELSEWHERE).await?);
        files::hand_in(context, &folder, &kinds).await
    } else {
        let folder = tempfile::tempdir().map_err(|error| {
            Failure::new(
                format!("cannot make a folder for the files: {error}"),
                "check the folder for temporary files",
            )
        })?;
        let paths = files::export_to_edit(context, backup, folder.path()).await?;
        edit(editor, folder.path(), paths).await?;
        files::hand_in(context, folder.path(), &kinds).await
    };
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(failure) => {
            output::note(&failure.to_string());
            Ok(None)
        }
    }
}

async fn edit(editor: String, folder: &Path, paths: Vec<PathBuf>) -> Result<(), Failure> {
    let folder = folder.to_owned();
    // The variable may hold options, which the shell takes apart.
    let edit = move || {
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!("{editor} \"$@\"")).arg(&editor).args(paths).current_dir(folder);
        command.status().map_err(dialoguer::Error::IO)
    };
    let status = prompt(edit, ELSEWHERE).await?;
    if status.success() {
        return Ok(());
    }
    Err(Failure::new(format!("the editor ended with {status}"), "nothing was handed in; answer again"))
}

/// Runs what waits for a person where waiting harms nobody. `instead` is what can be done without a prompt.
pub(super) async fn prompt<T: Send + 'static>(
    ask: impl FnOnce() -> dialoguer::Result<T> + Send + 'static,
    instead: &str,
) -> Result<T, Failure> {
    let failed = |error: String| Failure::new(format!("the prompt failed: {error}"), instead);
    match tokio::task::spawn_blocking(ask).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(failed(error.to_string())),
        Err(ended) => Err(failed(ended.to_string())),
    }
}
