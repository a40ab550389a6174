//! `iadms run show`: the whole story of a run.

use std::collections::BTreeSet;

use clap::Args;
use serde_json::json;
use upgrade::operation::Seen;
use upgrade::run::{Event, Goal, Policy, Run, State};
use upgrade::{ConfigurationSet, Kind};

use crate::cli::output::{date_time, fields, format_table, line, or_dash, time_of_day};
use crate::cli::{Context, Exit, Failure, Output, narrate, output};
use crate::store::{LoggedEvent, RunRecord, ToldStory};

/// Show the whole story of a run: versions and configurations before and after, transfers, failures, questions
#[derive(Debug, Args)]
pub(in crate::cli) struct Show {
    /// The run's number
    run: u64,

    /// Show every event that was logged, too
    #[arg(long)]
    events: bool,
}

impl Show {
    pub(in crate::cli) async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let path = format!("/runs/{}", self.run);
        let record: RunRecord = context.client.get(&path).await?;
        let stories: Vec<ToldStory> = context.client.get(&format!("{path}/stories")).await?;
        let events: Vec<LoggedEvent> = context.client.get(&format!("{path}/events")).await?;
        if context.output == Output::Json {
            let mut shown = json!({ "run": record, "stories": stories });
            if self.events
                && let Some(shown) = shown.as_object_mut()
            {
                shown.insert("events".into(), json!(events));
            }
            output::json(&shown)?;
            return Ok(Exit::Success);
        }
        let run = &record.run;
        heading(&record)?;
        configurations(run)?;
        transfers(&events)?;
        line("")?;
        for told in &stories {
            line(&format!("{}  {}", date_time(told.at), narrate::story(&told.story)))?;
        }
        if self.events {
            line("")?;
            for event in &events {
                let text = serde_json::to_string(&event.event).unwrap_or_default();
                line(&format!("{}  {:>4}  {text}", date_time(event.at), event.seq))?;
            }
        }
        if let State::Asking(question) = &run.state {
            line("\nTo answer:")?;
            for command in narrate::answer_commands(run.id, &question.answers) {
                line(&format!("  {command}"))?;
            }
            if let Some(limit) = question.limit {
                line(&format!("Unless it is answered by {}, the run ends.", date_time(limit)))?;
            }
        }
        Ok(Exit::Success)
    }
}

fn heading(record: &RunRecord) -> Result<(), Failure> {
    let run = &record.run;
    let unique_id = run.device.unique_id.as_ref().map(|id| format!(", unique id {id}")).unwrap_or_default();
    let version = |left: &upgrade::run::LeftWith| left.version.clone().unwrap_or_default();
    let left_with = match &run.state {
        State::Ended(ending) => narrate::left_with(ending),
        _ => String::new(),
    };
    let policy = match run.choices.policy {
        Policy::Ask => "ask".to_owned(),
        Policy::Auto(repeats) => format!("auto:{repeats} ({} done)", run.repeats),
        Policy::Never => "never".to_owned(),
    };
    let question_limit =
        run.choices.question_limit_ms.map(|limit| format!(", question limit {} s", limit / 1000));
    fields(&[
        ("run", format!("{}: {}", run.id, narrate::goal(&run.goal))),
        ("device", format!("{} ({}{unique_id})", run.device.name, run.device.address)),
        ("standing", narrate::standing(run)),
        ("reason", narrate::reason(run)),
        ("left with", left_with),
        ("begun", date_time(run.begun)),
        ("changed", date_time(record.changed)),
        ("version before", run.old.as_ref().map(|old| old.version.clone()).unwrap_or_default()),
        ("version wanted", run.target_version().unwrap_or_default().to_owned()),
        ("version now", version(&run.last)),
        ("policy", format!("{policy}{}", question_limit.unwrap_or_default())),
        (
            "file server",
            format!("{} at {} port {}", run.server.protocol, run.server.address, run.server.port),
        ),
        ("profile", run.profile.clone()),
    ])
}

/// The digests of each kind, before and after. What differs from before is marked.
fn configurations(run: &Run) -> Result<(), Failure> {
    let before = run.old.as_ref().map(|old| &old.configuration);
    let wanted = match &run.goal {
        Goal::Restore { set } => Some(set),
        _ => run.converted.as_ref(),
    };
    let now = match &run.state {
        State::Ended(ending) => Some(&ending.left_with.configuration),
        _ => Some(&run.last.configuration),
    };
    let sets = [before, run.backup.as_ref(), wanted, now];
    let kinds: BTreeSet<&Kind> = sets.iter().flatten().flat_map(|set| set.files.keys()).collect();
    if kinds.is_empty() {
        return Ok(());
    }
    let cell = |set: Option<&ConfigurationSet>, kind: &Kind| {
        let digest =
            |set: Option<&ConfigurationSet>| set.and_then(|set| set.files.get(kind)).map(|file| file.digest);
        let changed = digest(before).is_some() && digest(set).is_some() && digest(set) != digest(before);
        let mark = if changed { " *" } else { "" };
        or_dash(digest(set).map(|digest| format!("{}{mark}", digest.short())))
    };
    let row = |kind: &Kind| {
        let [before, backup, wanted, now] = sets.map(|set| cell(set, kind));
        [kind.to_string(), before, backup, wanted, now]
    };
    let rows = kinds.into_iter().map(row).collect();
    line("")?;
    line(&format_table(["CONFIGURATION", "BEFORE", "BACKUP", "CONVERTED", "NOW"], rows))
}

fn transfers(events: &[LoggedEvent]) -> Result<(), Failure> {
    let row = |event: &LoggedEvent| {
        let Event::Transferred { name, seen } = &event.event else { return None };
        let (result, size, digest) = match seen {
            Seen::Nothing | Seen::Begun => return None,
            Seen::Whole { file } => ("whole".to_owned(), output::bytes(file.size), file.digest.short()),
            Seen::Broken { why } => (format!("broken: {why}"), "-".into(), "-".into()),
        };
        Some([time_of_day(event.at), name.to_string(), size, digest, result])
    };
    let rows: Vec<_> = events.iter().filter_map(row).collect();
    if rows.is_empty() {
        return Ok(());
    }
    line("")?;
    line(&format_table(["TRANSFER", "NAME", "SIZE", "SHA-256", "RESULT"], rows))
}
