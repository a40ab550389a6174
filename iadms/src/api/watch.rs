//! `/runs/watch`: what is told of runs, from their beginning or from now on, without gaps.

use std::collections::BTreeMap;

use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;
use tokio::sync::broadcast::error::RecvError;
use upgrade::RunId;
use upgrade::run::Story;

use super::lines::Lines;
use super::runs::readable;
use super::{Api, Refused};
use crate::daemon::Told;
use crate::store::StoreError;

/// Which runs are watched.
#[derive(Debug, Deserialize)]
pub(super) struct Watched {
    /// Their numbers, with commas between; none: all, from now on.
    runs: Option<String>,
    /// For each of them, the number of the last story known, in the same order; none: 0.
    after: Option<String>,
}

/// A run, as far as its story has been written.
struct Reader {
    device: String,
    written: u64,
    over: bool,
}

/// Streams what is told of runs, one JSON object a line, until all of them are over or nobody reads.
pub(super) async fn watch(
    State(api): State<Api>,
    Query(watched): Query<Watched>,
) -> Result<Response, Refused> {
    let numbers = watched.runs.as_deref().map(numbers).transpose()?;
    let mut after = watched.after.as_deref().map(self::numbers).transpose()?.unwrap_or_default().into_iter();
    let mut readers = BTreeMap::new();
    for run in numbers.iter().flatten().copied().map(RunId) {
        let device = readable(&api, run).await?.run.device.name;
        readers.insert(run, Reader { device, written: after.next().unwrap_or(0), over: false });
    }
    let (lines, response) = Lines::begin();
    tokio::spawn(async move {
        let written = match numbers {
            Some(_) => write_some(&api, readers, &lines).await,
            None => write_all(&api, &lines).await,
        };
        if let Err(error) = written {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "a story cannot be read from the store"
            );
        }
    });
    Ok(response)
}

async fn write_some(
    api: &Api,
    mut readers: BTreeMap<RunId, Reader>,
    lines: &Lines,
) -> Result<(), StoreError> {
    // Listening begins before the store is read: what is told in between comes twice and is written once.
    let mut told = api.handle.watch();
    for (run, reader) in &mut readers {
        if !catch_up(api, *run, reader, lines).await? {
            return Ok(());
        }
    }
    while readers.values().any(|reader| !reader.over) {
        let next = tokio::select! {
            next = told.recv() => next,
            () = lines.closed() => return Ok(()),
        };
        let goes_on = match next {
            Ok(next) => match readers.get_mut(&next.run) {
                Some(reader) => pass_on(api, reader, next, lines).await?,
                None => true,
            },
            Err(RecvError::Lagged(_)) => {
                let mut goes_on = true;
                for (run, reader) in readers.iter_mut().filter(|(_, reader)| !reader.over) {
                    goes_on &= catch_up(api, *run, reader, lines).await?;
                }
                goes_on
            }
            Err(RecvError::Closed) => false,
        };
        if !goes_on {
            return Ok(());
        }
    }
    Ok(())
}

async fn pass_on(api: &Api, reader: &mut Reader, next: Told, lines: &Lines) -> Result<bool, StoreError> {
    let progress = matches!(next.story, Story::Progress { .. });
    if progress && next.n <= reader.written {
        return Ok(lines.write(&next).await);
    }
    if progress || next.n > reader.written + 1 {
        return catch_up(api, next.run, reader, lines).await;
    }
    if next.n <= reader.written {
        return Ok(true);
    }
    reader.written = next.n;
    reader.over = matches!(next.story, Story::Ended(_));
    Ok(lines.write(&next).await)
}

async fn catch_up(api: &Api, run: RunId, reader: &mut Reader, lines: &Lines) -> Result<bool, StoreError> {
    for kept in api.store.stories(run, reader.written).await? {
        reader.written = kept.n;
        reader.over = matches!(kept.story, Story::Ended(_));
        let told = Told { run, device: reader.device.clone(), at: kept.at, n: kept.n, story: kept.story };
        if !lines.write(&told).await {
            return Ok(false);
        }
    }
    // A run that was over before it was asked for has nothing more to tell.
    reader.over |= api.store.run(run).await?.run.is_over() && !has_more(api, run, reader).await?;
    Ok(true)
}

async fn has_more(api: &Api, run: RunId, reader: &Reader) -> Result<bool, StoreError> {
    Ok(!api.store.stories(run, reader.written).await?.is_empty())
}

async fn write_all(api: &Api, lines: &Lines) -> Result<(), StoreError> {
    let mut told = api.handle.watch();
    loop {
        let next = tokio::select! {
            next = told.recv() => next,
            () = lines.closed() => return Ok(()),
        };
        let goes_on = match next {
            Ok(next) => lines.write(&next).await,
            Err(RecvError::Lagged(missed)) => {
                tracing::warn!(
                    missed,
                    "who watches all runs reads too slowly and missed some of what was told"
                );
                true
            }
            Err(RecvError::Closed) => false,
        };
        if !goes_on {
            return Ok(());
        }
    }
}

fn numbers(text: &str) -> Result<Vec<u64>, Refused> {
    let number = |part: &str| {
        let wrong = || Refused::invalid(format!("{part:?} is no number of a run"), "see `iadms run list`");
        part.parse().map_err(|_| wrong())
    };
    text.split(',').filter(|part| !part.is_empty()).map(number).collect()
}
