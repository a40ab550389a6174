//! `/files`: bytes on their way into and out of the storage.

use axum::body::{Body as Bytes, BodyDataStream, Bytes as Piece};
use axum::extract::{Path, State};
use futures_lite::StreamExt as _;
use upgrade::{Digest, StoredFile};

use super::{Api, Body, Refused};
use crate::files::FileError;

/// Stores the bytes of the request; tells digest and size. What breaks off is not kept.
pub(super) async fn store(State(api): State<Api>, bytes: Bytes) -> Result<Body<StoredFile>, Refused> {
    let mut pieces = bytes.into_data_stream();
    let stored = keep(&api, &mut pieces).await;
    if stored.is_err() {
        // Who still sends does not hear yet that it is in vain.
        while let Some(Ok(_)) = pieces.next().await {}
    }
    stored.map(Body)
}

async fn keep(api: &Api, pieces: &mut BodyDataStream) -> Result<StoredFile, Refused> {
    let files = api.files.clone();
    let mut incoming = files.begin();
    while let Some(piece) = pieces.next().await {
        let broken = |error| Refused::invalid(format!("the upload broke off: {error}"), "try again");
        let piece: Piece = piece.map_err(broken)?;
        incoming = blocking(move || incoming.write(&piece).map(|()| incoming)).await?;
    }
    Ok(blocking(move || incoming.keep()).await?)
}

/// The bytes of a stored file, once they have proven whole.
pub(super) async fn fetch(State(api): State<Api>, Path(digest): Path<String>) -> Result<Vec<u8>, Refused> {
    let digest: Digest = digest.parse().map_err(|error: upgrade::digest::NotADigest| {
        Refused::invalid(error.to_string(), "name a whole digest")
    })?;
    let bytes = blocking(move || api.files.read(digest)).await;
    bytes.map_err(|error| match error {
        FileError::Missing(digest) => {
            Refused::unknown(format!("there is no stored file {digest}"), "see `iadms backup list`")
        }
        error => error.into(),
    })
}

/// Runs what waits for the disk where waiting harms nobody.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, FileError> + Send + 'static,
) -> Result<T, FileError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(ended) => Err(FileError::Source(std::io::Error::other(ended))),
    }
}
