//! `/traps`: notifications, the latest and those to come.

use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;
use tokio::sync::broadcast::error::RecvError;

use super::lines::Lines;
use super::{Api, Refused};

#[derive(Debug, Deserialize)]
pub(super) struct Tail {
    #[serde(default)]
    last: u32,
    #[serde(default)]
    follow: bool,
}

/// Streams the last notifications and, if asked to follow, those to come, one JSON object a line.
pub(super) async fn tail(State(api): State<Api>, Query(tail): Query<Tail>) -> Result<Response, Refused> {
    let mut traps = api.handle.traps();
    let kept = if tail.last == 0 { Vec::new() } else { api.store.notifications(tail.last).await? };
    let (lines, response) = Lines::begin();
    tokio::spawn(async move {
        // What was stored between listening and reading comes both ways.
        let mut doubled = kept.clone();
        for trap in kept {
            if !lines.write(&trap).await {
                return;
            }
        }
        if !tail.follow {
            return;
        }
        loop {
            let next = tokio::select! {
                next = traps.recv() => next,
                () = lines.closed() => return,
            };
            let goes_on = match next {
                Ok(trap) => match doubled.iter().position(|kept| *kept == trap) {
                    Some(position) => {
                        doubled.swap_remove(position);
                        true
                    }
                    None => {
                        doubled.clear();
                        lines.write(&trap).await
                    }
                },
                Err(RecvError::Lagged(missed)) => {
                    tracing::warn!(missed, "who tails notifications reads too slowly and missed some");
                    true
                }
                Err(RecvError::Closed) => false,
            };
            if !goes_on {
                return;
            }
        }
    });
    Ok(response)
}
