//! Beginning runs and following them to their ends, or to a question that nobody here can answer.

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, stderr, stdin};
use std::time::{Duration, Instant};

use upgrade::RunId;
use upgrade::run::{Outcome, State, Story};

use super::progress::Board;
use super::{Context, Exit, Failure, Lines, Output, ask, narrate, output};
use crate::api::{Begun, StartRuns};
use crate::daemon::Told;
use crate::store::RunRecord;

/// How long a daemon that went away is waited for: it may be restarted.
const AWAY_LIMIT: Duration = Duration::from_secs(60);
/// Between two attempts to reach it.
const AWAY_PAUSE: Duration = Duration::from_millis(500);
/// More runs than these nobody names one by one.
const MOST_NAMED: usize = 20;

/// Begins runs; with `wait`, follows them to their ends.
///
/// # Errors
///
/// No daemon answers, or it refuses the whole.
pub(super) async fn begin(context: &Context, request: &StartRuns, wait: bool) -> Result<Exit, Failure> {
    let begun: Vec<Begun> = context.client.post("/runs", request).await?;
    let mut exit = Exit::Success;
    for device in &begun {
        if let Some(refusal) = &device.refused {
            output::note(&format!("{}: {}", device.device, Failure::from(refusal.clone())));
            exit = Exit::Error;
        }
    }
    let runs: Vec<RunId> = begun.iter().filter_map(|device| device.run).collect();
    if !wait {
        match context.output {
            Output::Json => output::json(&begun)?,
            Output::Table if runs.is_empty() => {}
            Output::Table => {
                let row = |device: &Begun| Some([device.device.clone(), device.run?.to_string()]);
                output::table(["DEVICE", "RUN"], begun.iter().filter_map(row).collect(), "")?;
                let how = if runs.len() > MOST_NAMED {
                    "list --open".to_owned()
                } else {
                    let numbers: Vec<_> = runs.iter().map(ToString::to_string).collect();
                    format!("watch {}", numbers.join(" "))
                };
                output::note(&format!("to see how it goes: iadms run {how}"));
            }
        }
        return Ok(exit);
    }
    if runs.is_empty() {
        return Ok(exit);
    }
    let from_the_beginning: Vec<_> = runs.iter().map(|run| (*run, 0)).collect();
    let followed = follow(context, &from_the_beginning).await?;
    let records = records(context, &runs).await?;
    summary(context, &records)?;
    Ok(exit.max(followed))
}

/// Follows runs, each from the story of that number on, until each is over or asks what cannot be answered here. How it
/// goes is told on stderr.
///
/// # Errors
///
/// The daemon stays away.
pub(super) async fn follow(context: &Context, runs: &[(RunId, u64)]) -> Result<Exit, Failure> {
    let begin = |(run, told): &(RunId, u64)| (*run, Followed { told: *told, ..Followed::default() });
    let mut followed: BTreeMap<RunId, Followed> = runs.iter().map(begin).collect();
    let can_ask = stdin().is_terminal() && stderr().is_terminal();
    let mut board = Board::new(stderr().is_terminal());
    let mut lines = open(context, &followed).await?;
    while followed.values().any(Followed::goes_on) {
        let told = match lines.next().await {
            Ok(Some(told)) => told,
            // A daemon that ends cuts the stream; the run goes on once it is back.
            Ok(None) | Err(_) => {
                lines = reopen(context, &followed, &mut board).await?;
                continue;
            }
        };
        let Some(run) = followed.get_mut(&told.run) else { continue };
        board.tell(&told);
        run.note(&told);
        // A question that was answered while this command did not look is no question any more.
        run.asks = run.asks && is_asking(context, told.run).await?;
        if run.asks && can_ask {
            let answered = board.aside(ask::ask(context, told.run)).await?;
            run.left = !answered;
            run.asks = !answered;
        }
    }
    board.end();
    let mut exit = Exit::Success;
    for (id, run) in &followed {
        exit = exit.max(run.exit());
        if run.asks {
            tell_how_to_answer(context, *id).await?;
        }
    }
    Ok(exit)
}

/// One of the runs that are followed.
#[derive(Debug, Default)]
struct Followed {
    /// The number of the last story told.
    told: u64,
    /// It waits for an operator.
    asks: bool,
    /// The operator here chose not to answer.
    left: bool,
    outcome: Option<Outcome>,
}

impl Followed {
    fn goes_on(&self) -> bool {
        self.outcome.is_none() && !self.asks && !self.left
    }

    fn note(&mut self, told: &Told) {
        self.told = self.told.max(told.n);
        match &told.story {
            Story::Asked { .. } => self.asks = true,
            Story::Answered { .. } => (self.asks, self.left) = (false, false),
            Story::Ended(ending) => {
                self.asks = false;
                self.outcome = Some(ending.outcome);
            }
            _ => {}
        }
    }

    fn exit(&self) -> Exit {
        match self.outcome {
            Some(outcome) => exit_of(outcome),
            None => Exit::Waiting,
        }
    }
}

/// The exit code for an end.
pub(super) const fn exit_of(outcome: Outcome) -> Exit {
    match outcome {
        Outcome::Succeeded => Exit::Success,
        _ => Exit::RunFailed,
    }
}

/// The exit code for a run as it stands.
pub(super) const fn exit_of_state(state: &State) -> Exit {
    match state {
        State::Ended(ending) => exit_of(ending.outcome),
        State::Asking(_) => Exit::Waiting,
        _ => Exit::Success,
    }
}

/// Tells what is asked of a run, and the commands that answer it.
pub(super) async fn tell_how_to_answer(context: &Context, run: RunId) -> Result<(), Failure> {
    let record: RunRecord = context.client.get(&format!("/runs/{run}")).await?;
    if let State::Asking(question) = &record.run.state {
        output::note(&format!("run {run} of {} waits for an operator. To answer:", record.run.device.name));
        for command in narrate::answer_commands(run, &question.answers) {
            output::note(&format!("  {command}"));
        }
    }
    Ok(())
}

async fn is_asking(context: &Context, run: RunId) -> Result<bool, Failure> {
    let record: RunRecord = context.client.get(&format!("/runs/{run}")).await?;
    Ok(matches!(record.run.state, State::Asking(_)))
}

async fn open(context: &Context, followed: &BTreeMap<RunId, Followed>) -> Result<Lines<Told>, Failure> {
    let join =
        |numbers: &mut dyn Iterator<Item = u64>| numbers.map(|n| n.to_string()).collect::<Vec<_>>().join(",");
    let open = || followed.iter().filter(|(_, run)| run.outcome.is_none());
    let runs = join(&mut open().map(|(run, _)| run.0));
    let after = join(&mut open().map(|(_, run)| run.told));
    context.client.lines(&format!("/runs/watch?runs={runs}&after={after}")).await
}

async fn reopen(
    context: &Context,
    followed: &BTreeMap<RunId, Followed>,
    board: &mut Board,
) -> Result<Lines<Told>, Failure> {
    board.note("the daemon went away; runs go on where they stood once it is back");
    let since = Instant::now();
    loop {
        match open(context, followed).await {
            Ok(lines) => return Ok(lines),
            Err(failure) if since.elapsed() > AWAY_LIMIT => return Err(failure),
            Err(_) => tokio::time::sleep(AWAY_PAUSE).await,
        }
    }
}

/// The runs as they stand.
pub(super) async fn records(context: &Context, runs: &[RunId]) -> Result<Vec<RunRecord>, Failure> {
    let mut records = Vec::with_capacity(runs.len());
    for run in runs {
        records.push(context.client.get(&format!("/runs/{run}")).await?);
    }
    Ok(records)
}

fn summary(context: &Context, records: &[RunRecord]) -> Result<(), Failure> {
    if context.output == Output::Json {
        return output::json(&records);
    }
    let row = |record: &RunRecord| {
        let run = &record.run;
        let before = run.old.as_ref().map(|old| old.version.clone());
        let now = match &run.state {
            State::Ended(ending) => ending.left_with.version.clone(),
            _ => run.last.version.clone(),
        };
        [
            run.device.name.clone(),
            run.id.to_string(),
            narrate::standing(run),
            output::or_dash(before),
            output::or_dash(now),
            narrate::reason(run),
        ]
    };
    output::table(
        ["DEVICE", "RUN", "RESULT", "BEFORE", "NOW", "REASON"],
        records.iter().map(row).collect(),
        "",
    )
}
