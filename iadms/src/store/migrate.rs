//! The schema and its versions: which one a database has, and how an older one is brought forward.

use std::path::{Path, PathBuf};

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqlSafeStr as _, SqlitePool};

use super::{StoreError, copy, place};

/// A step from one version of the schema to the next.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    /// The version it leads to.
    pub(super) version: i64,
    pub(super) name: &'static str,
    pub(super) sql: &'static str,
}

/// All steps from an empty database to the schema of this program. A step that was ever released is never changed.
pub(super) const STEPS: [Step; 2] = [
    Step { version: 1, name: "first", sql: include_str!("migrations/0001_first.sql") },
    Step { version: 2, name: "credentials", sql: include_str!("migrations/0002_credentials.sql") },
];

/// The version that these steps lead to.
pub(super) fn latest(steps: &[Step]) -> i64 {
    steps.iter().map(|step| step.version).max().unwrap_or(0)
}

/// The version of the schema that a database has; none where it has none of ours. It is only read.
///
/// # Errors
///
/// It cannot be read.
pub(super) async fn found(pool: &SqlitePool, path: &Path) -> Result<Option<i64>, StoreError> {
    Ok(done(pool, path).await?.first().map(|done| done.version))
}

/// The same, where these steps know it.
///
/// # Errors
///
/// It is newer than these steps know, or not one of ours.
pub(super) async fn known(pool: &SqlitePool, path: &Path, steps: &[Step]) -> Result<i64, StoreError> {
    let done = done(pool, path).await?;
    let other = || StoreError::OtherSchema(path.to_owned());
    // SQLite takes a file of a few bytes for an empty database.
    if done.is_empty() && count(pool, path, "SELECT count(*) FROM sqlite_schema").await? == 0 {
        return Err(StoreError::Damaged {
            path: path.to_owned(),
            found: "it holds not one table".to_owned(),
        });
    }
    let found = done.first().ok_or_else(other)?.version;
    let known = latest(steps);
    if found > known {
        return Err(StoreError::NewerSchema { path: path.to_owned(), found, known });
    }
    let is_ours = |done: &Done| {
        steps
            .iter()
            .any(|step| step.version == done.version && *migration(step).checksum == done.checksum[..])
    };
    if done.iter().all(is_ours) { Ok(found) } else { Err(other()) }
}

/// A step that was taken.
struct Done {
    version: i64,
    checksum: Vec<u8>,
}

/// The steps that were taken, the latest first.
async fn done(pool: &SqlitePool, path: &Path) -> Result<Vec<Done>, StoreError> {
    let failed = |error| StoreError::of_reading(error, path);
    let table = "SELECT count(*) FROM sqlite_schema WHERE name = '_sqlx_migrations'";
    if count(pool, path, table).await? == 0 {
        return Ok(Vec::new());
    }
    let rows = sqlx::query("SELECT version, checksum FROM _sqlx_migrations ORDER BY version DESC");
    let rows = rows.fetch_all(pool).await.map_err(failed)?;
    let done = |row: &SqliteRow| {
        Ok(Done {
            version: row.try_get("version").map_err(failed)?,
            checksum: row.try_get("checksum").map_err(failed)?,
        })
    };
    rows.iter().map(done).collect()
}

async fn count(pool: &SqlitePool, path: &Path, query: &'static str) -> Result<i64, StoreError> {
    let counted = sqlx::query_scalar(query).fetch_one(pool).await;
    counted.map_err(|error| StoreError::of_reading(error, path))
}

/// Takes each step that is missing, in a transaction of its own: what fails, or is cut off, leaves the version before it
/// in use. A database that holds something is copied first, so that an older program can be gone back to.
///
/// # Errors
///
/// The copy or a step fails.
pub(super) async fn bring_forward(pool: &SqlitePool, path: &Path, steps: &[Step]) -> Result<(), StoreError> {
    let from = known(pool, path, steps).await?;
    let to = latest(steps);
    if from == to {
        return Ok(());
    }
    let kept = before(path, from + 1);
    copy::replace(pool, path, &kept).await?;
    tracing::info!(from, to, copy = %kept.display(), "the database is brought to a newer schema; a copy of it is kept");
    run(pool, path, steps).await
}

/// Takes all steps that are missing.
pub(super) async fn run(pool: &SqlitePool, path: &Path, steps: &[Step]) -> Result<(), StoreError> {
    let migrator = Migrator::with_migrations(steps.iter().map(migration).collect());
    migrator.run(pool).await.map_err(|error| match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
            StoreError::of(error, path)
        }
        other => StoreError::of(sqlx::Error::from(other), path),
    })
}

/// Where the copy is that was made before this step.
pub(super) fn before(path: &Path, step: i64) -> PathBuf {
    place::beside(path, &format!(".before-{step}"))
}

fn migration(step: &Step) -> Migration {
    Migration::new(step.version, step.name.into(), MigrationType::Simple, step.sql.into_sql_str(), false)
}

#[cfg(test)]
mod tests;
