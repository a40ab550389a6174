//! Reading and writing stored files on threads that may wait for the disk.

use engine::file_server::Cause;
use tokio::sync::Semaphore;

use crate::files::{FileError, Files};

/// The stored files.
#[derive(Debug)]
pub(super) struct Disk {
    files: Files,
    turns: Semaphore,
}

/// How many threads wait for the disk at once: more would only queue up there.
const AT_ONCE: usize = 8;

impl Disk {
    pub(super) fn new(files: Files) -> Self {
        Self { files, turns: Semaphore::new(AT_ONCE) }
    }

    /// Does something with the files, and logs why it could not be done.
    pub(super) async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Files) -> Result<T, FileError> + Send + 'static,
    ) -> Result<T, Cause> {
        let _turn = self.turns.acquire().await.map_err(|closed| Cause::Storage(closed.to_string()))?;
        let files = self.files.clone();
        let done = tokio::task::spawn_blocking(move || work(&files)).await;
        let done = done.map_err(|ended| Cause::Storage(ended.to_string()))?;
        done.map_err(|error| {
            tracing::error!(error = &error as &dyn std::error::Error, "a file transferred by FTP");
            if error.is_disk_full() { Cause::NoRoom } else { Cause::Storage(error.to_string()) }
        })
    }
}
