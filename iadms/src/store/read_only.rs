//! Looking into a database without changing a byte of it, whether a manager runs on it, was killed on it, or ended.

use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{ConnectOptions as _, SqlitePool};

use super::place::{self, Place};
use super::{DATABASE, LOCK, Store, StoreError, migrate, open, sqlite};

impl Store {
    /// Opens the database in the folder `data` for reading only. Every write fails. No soundness is asked for, nor a schema
    /// that this program knows. While it is open on the folder of a manager that does not run, none can be started there.
    ///
    /// # Errors
    ///
    /// There is none, or it cannot be read at all.
    pub async fn open_read_only(data: &Path) -> Result<Self, StoreError> {
        let sqlite = sqlite::trusted().await?;
        let path = data.join(DATABASE);
        if place::look(&path)? == Place::Free {
            return Err(StoreError::NoDatabase(path));
        }
        let (alone, lock) = match share(&data.join(LOCK)) {
            Shared::Alone(lock) => (true, lock),
            Shared::Beside => (false, None),
        };
        let reading = connect(&path, alone).await?;
        let schema = migrate::found(&reading, &path).await?;
        Ok(Self { path, writing: reading.clone(), reading, sqlite, schema, _lock: lock.map(Arc::new) })
    }
}

/// Connects for reading. Alone with a database that has no log, SQLite is told that nobody writes: else it would make the
/// files that those who write share. A log that is there is read along; it is never brought into the database.
pub(super) async fn connect(path: &Path, alone: bool) -> Result<SqlitePool, StoreError> {
    let log = fs::metadata(place::beside(path, "-wal")).map_or(0, |about| about.len());
    let options = SqliteConnectOptions::new()
        .filename(path)
        .read_only(true)
        .immutable(alone && log == 0)
        .busy_timeout(open::BUSY_LIMIT)
        .disable_statement_logging();
    let pool = SqlitePoolOptions::new().max_connections(1).max_lifetime(None).idle_timeout(None);
    let connected = pool.connect_with(options).await.map_err(|error| StoreError::of_reading(error, path))?;
    // Only the first look finds out what the file is.
    let looked = sqlx::query("SELECT count(*) FROM sqlite_schema").execute(&connected).await;
    looked.map_err(|error| StoreError::of_reading(error, path))?;
    Ok(connected)
}

enum Shared {
    /// No manager runs; none can start as long as this is held. A copy has no lock.
    Alone(Option<File>),
    /// One runs.
    Beside,
}

fn share(lock: &Path) -> Shared {
    match OpenOptions::new().read(true).open(lock) {
        Ok(file) if file.try_lock_shared().is_ok() => Shared::Alone(Some(file)),
        Err(error) if error.kind() == ErrorKind::NotFound => Shared::Alone(None),
        // Where the lock cannot be had, for whatever reason, nobody else can be ruled out.
        _ => Shared::Beside,
    }
}
