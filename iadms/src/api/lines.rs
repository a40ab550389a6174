//! Streams of JSON, one value a line, for as long as somebody reads.

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use futures_lite::stream;
use serde::Serialize;
use tokio::sync::mpsc;

/// Lines that wait for a slow reader; its writer then waits too.
const WAITING: usize = 64;

/// Where lines are written to.
#[derive(Debug)]
pub(super) struct Lines(mpsc::Sender<String>);

impl Lines {
    /// Lines and the response that carries them; the response ends when the lines are dropped.
    pub(super) fn begin() -> (Self, Response) {
        let (sender, receiver) = mpsc::channel(WAITING);
        let lines = stream::unfold(receiver, async |mut receiver: mpsc::Receiver<String>| {
            let line = receiver.recv().await?;
            Some((Ok::<_, std::convert::Infallible>(line), receiver))
        });
        let response = ([(CONTENT_TYPE, "application/jsonl")], Body::from_stream(lines)).into_response();
        (Self(sender), response)
    }

    /// Writes a line; false once nobody reads any more.
    pub(super) async fn write<T: Serialize>(&self, value: &T) -> bool {
        match serde_json::to_string(value) {
            Ok(line) => self.0.send(line + "\n").await.is_ok(),
            Err(error) => {
                tracing::error!(%error, "a line cannot be written as JSON");
                false
            }
        }
    }

    /// Waits until nobody reads any more.
    pub(super) async fn closed(&self) {
        self.0.closed().await;
    }
}
