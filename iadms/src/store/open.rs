//! Opening the database: rights, lock, soundness, schema.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, SqlSafeStr, SqlitePool};

use super::StoreError;

/// All steps from an empty database to the schema of this program. A step that was ever released is never changed.
const MIGRATIONS: [(i64, &str, &str); 1] = [(1, "first", include_str!("migrations/0001_first.sql"))];

/// Waits of one program for another on the same file: a person who looks into the database, a backup of it.
const BUSY_LIMIT: Duration = Duration::from_secs(10);

pub(super) fn make_folder(data: &Path) -> Result<(), StoreError> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(data);
    made.map_err(|source| StoreError::Folder { path: data.to_owned(), source })
}

pub(super) fn lock(data: &Path) -> Result<File, StoreError> {
    let path = data.join("iadms.lock");
    let opened = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
    let file = opened.map_err(|source| StoreError::Folder { path: data.to_owned(), source })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse(data.to_owned())),
        Err(TryLockError::Error(source)) => Err(StoreError::Folder { path: data.to_owned(), source }),
    }
}

/// Makes the database file where it is missing, for its owner alone: it holds secrets. SQLite gives the files beside it
/// the same rights.
pub(super) fn make_file(path: &Path) -> Result<(), StoreError> {
    match OpenOptions::new().create_new(true).write(true).mode(0o600).open(path) {
        Err(error) if error.kind() == ErrorKind::ReadOnlyFilesystem => {
            Err(StoreError::ReadOnly(path.to_owned()))
        }
        Err(error) if error.kind() == ErrorKind::StorageFull => Err(StoreError::DiskFull(path.to_owned())),
        Err(source) if source.kind() != ErrorKind::AlreadyExists => {
            Err(StoreError::Folder { path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}

/// A database that is empty or gone, beside files that it would know of, was lost: a new one would forget all of it.
pub(super) fn is_not_lost(path: &Path) -> Result<(), StoreError> {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let is_empty = |path: &Path| fs::metadata(path).map_or(0, |about| about.len()) == 0;
    let empty = is_empty(path) && is_empty(Path::new(&log));
    let files = path.with_file_name("files");
    let has_files = fs::read_dir(files).is_ok_and(|mut entries| entries.next().is_some());
    if empty && has_files {
        let found = "it is empty, and there are stored files beside it".to_owned();
        return Err(StoreError::Damaged { path: path.to_owned(), found });
    }
    Ok(())
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

pub(super) async fn migrate(pool: &SqlitePool, path: &Path) -> Result<(), StoreError> {
    let step = |(version, name, sql): (i64, &'static str, &'static str)| {
        Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
    };
    let migrator = Migrator::with_migrations(MIGRATIONS.into_iter().map(step).collect());
    migrator.run(pool).await.map_err(|error| match error {
        MigrateError::VersionMissing(_)
        | MigrateError::VersionTooNew(..)
        | MigrateError::VersionMismatch(_) => StoreError::OtherSchema(path.to_owned()),
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
            StoreError::of(error, path)
        }
        other => StoreError::of(sqlx::Error::from(other), path),
    })
}
