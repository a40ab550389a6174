//! A copy of the database as it stands at one moment, by SQLite's own means, while others go on writing.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use sqlx::SqlitePool;

use super::file::{make_file, remove, sync_folder_of};
use super::{Store, StoreError, place};

impl Store {
    /// Writes a copy to `path`, where nothing may be yet. Once this returns, it outlives a loss of power but for its name,
    /// which is its folder's.
    ///
    /// # Errors
    ///
    /// The database is damaged, or the copy cannot be written.
    pub async fn copy_to(&self, path: &Path) -> Result<(), StoreError> {
        write(&self.reading, &self.path, path).await
    }
}

/// Writes a copy of the database at `from` to `path`, in the place of what is there, once it is whole.
pub(super) async fn replace(pool: &SqlitePool, from: &Path, path: &Path) -> Result<(), StoreError> {
    let written = place::beside(path, ".partial");
    // One of which the power failed.
    remove(&written)?;
    if let Err(error) = write(pool, from, &written).await {
        let _ = fs::remove_file(&written);
        return Err(error);
    }
    let named = fs::rename(&written, path).and_then(|()| sync_folder_of(path));
    named.map_err(|source| StoreError::Folder { path: path.to_owned(), source })
}

/// SQLite writes into a file that is empty: made here, it is its owner's alone. It reads in one transaction, beside which
/// others commit.
async fn write(pool: &SqlitePool, from: &Path, path: &Path) -> Result<(), StoreError> {
    make_file(path)?;
    let no_text = || io::Error::new(io::ErrorKind::InvalidInput, "the path is no UTF-8 text");
    let unusable = |source| StoreError::Folder { path: path.to_owned(), source };
    let text = path.to_str().ok_or_else(|| unusable(no_text()))?;
    let written = sqlx::query("VACUUM INTO ?").bind(text).execute(pool).await;
    written.map_err(|error| match StoreError::of(error, path) {
        // What cannot be read is what is copied, and not the copy.
        StoreError::Damaged { found, .. } => StoreError::Damaged { path: from.to_owned(), found },
        other => other,
    })?;
    File::open(path).and_then(|file| file.sync_all()).map_err(unusable)
}
