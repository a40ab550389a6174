//! Opening the database: rights, lock, soundness.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, SqlitePool};

use super::file::{make_file, remove, sync_folder_of};
use super::migrate::Step;
use super::{LOCK, StoreError, migrate, place};

/// Waits of one program for another on the same file: a person who looks into the database, a backup of it.
pub(super) const BUSY_LIMIT: Duration = Duration::from_secs(10);

pub(super) fn make_folder(data: &Path) -> Result<(), StoreError> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(data);
    made.map_err(|source| StoreError::Folder { path: data.to_owned(), source })
}

pub(super) fn lock(data: &Path) -> Result<File, StoreError> {
    let path = data.join(LOCK);
    let opened = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
    let file = opened.map_err(|source| StoreError::Folder { path: data.to_owned(), source })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse(data.to_owned())),
        Err(TryLockError::Error(source)) => Err(StoreError::Folder { path: data.to_owned(), source }),
    }
}

pub(super) fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY_LIMIT)
        .optimize_on_close(true, None)
        .disable_statement_logging()
}

/// Asks SQLite whether the file is sound.
pub(super) async fn check(pool: &SqlitePool, path: &Path) -> Result<(), StoreError> {
    let checked = sqlx::query_scalar::<_, String>("PRAGMA quick_check(1)").fetch_one(pool).await;
    match checked.map_err(|error| StoreError::of(error, path))?.as_str() {
        "ok" => Ok(()),
        found => Err(StoreError::Damaged { path: path.to_owned(), found: found.to_owned() }),
    }
}

/// Makes a database with this schema under another name, and gives it its own once it is whole: what is cut off leaves none.
pub(super) async fn create(path: &Path, steps: &[Step]) -> Result<(), StoreError> {
    let new = place::beside(path, ".new");
    for ending in ["", "-journal", "-wal", "-shm"] {
        remove(&place::beside(&new, ending))?;
    }
    make_file(&new)?;
    let options = SqliteConnectOptions::new().filename(&new).synchronous(SqliteSynchronous::Full);
    let pool = SqlitePoolOptions::new().max_connections(1);
    let pool = pool.connect_with(options.disable_statement_logging()).await;
    let pool = pool.map_err(|error| StoreError::of(error, path))?;
    let made = migrate::run(&pool, path, steps).await;
    pool.close().await;
    made?;
    let named = File::open(&new).and_then(|file| file.sync_all());
    let named = named.and_then(|()| fs::rename(&new, path)).and_then(|()| sync_folder_of(path));
    named.map_err(|source| StoreError::Folder { path: path.to_owned(), source })
}
