//! What the manager remembers: devices, images, runs with their log, backups, northbound targets. SQLite in one file.
//!
//! One connection writes, in one transaction per commit, each made durable (WAL, `synchronous=FULL`); others read.

mod backup;
mod commit;
mod copy;
mod credential;
mod decode;
mod device;
mod error;
mod file;
mod image;
mod migrate;
mod named;
mod northbound;
mod notification;
mod open;
mod pieces;
mod place;
mod read_only;
mod row;
mod run;
mod sqlite;
mod structure;
mod unreadable;
mod writing;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sqlx::SqlitePool;
use sqlx::sqlite::SqlitePoolOptions;
use upgrade::Time;

pub use self::backup::Backup;
pub use self::commit::Kept;
pub use self::decode::Rows;
pub use self::error::StoreError;
pub use self::image::StoredImage;
pub use self::named::{Named, NamedFiles};
pub use self::northbound::{NorthboundTarget, Owed, TargetError};
use self::place::Place;
pub use self::run::{LoggedEvent, OpenRun, OpenRuns, RunFilter, RunRecord, StoredProfile, ToldStory};
pub use self::sqlite::{OLDEST_SQLITE, SqliteVersion};
pub use self::unreadable::{ListedRun, UnreadableRun};

/// The name of the database in the data folder.
pub const DATABASE: &str = "iadms.db";
/// The name of the file that a manager locks in the data folder.
const LOCK: &str = "iadms.lock";

/// The store. Clones share it.
#[derive(Debug, Clone)]
pub struct Store {
    path: PathBuf,
    /// One connection: SQLite has one writer at a time, and who waits for it here waits in order.
    writing: SqlitePool,
    reading: SqlitePool,
    sqlite: SqliteVersion,
    /// None: it is none of ours.
    schema: Option<i64>,
    /// Held for as long as the store is: a second manager on the same folder is refused. A copy that is only read has none.
    _lock: Option<Arc<File>>,
}

impl Store {
    /// Opens the database in the folder `data`, makes folder and database where there was none, and brings the schema up to
    /// date. Whether the file is sound and of a schema that is known is found out before a byte of it is changed.
    ///
    /// # Errors
    ///
    /// Another manager has the folder, the file is damaged or of a newer program, SQLite is too old, or disk or rights
    /// don't do.
    pub async fn open(data: &Path) -> Result<Self, StoreError> {
        Self::open_by(data, &migrate::STEPS).await
    }

    async fn open_by(data: &Path, steps: &[migrate::Step]) -> Result<Self, StoreError> {
        let sqlite = sqlite::trusted().await?;
        open::make_folder(data)?;
        let lock = open::lock(data)?;
        let path = data.join(DATABASE);
        match place::look(&path)? {
            Place::Free => open::create(&path, steps).await?,
            Place::Taken => {
                let looking = read_only::connect(&path, true).await?;
                open::check(&looking, &path).await?;
                migrate::known(&looking, &path, steps).await?;
                looking.close().await;
            }
        }
        let options = open::options(&path);
        // A connection that lives for ever and is made at once: what is wrong with the file is known at the start.
        let pool = SqlitePoolOptions::new().max_lifetime(None).idle_timeout(None).min_connections(1);
        let told = |error| StoreError::of(error, &path);
        let writing = pool.clone().max_connections(1).connect_with(options.clone()).await.map_err(told)?;
        if let Err(error) = migrate::bring_forward(&writing, &path, steps).await {
            writing.close().await;
            return Err(error);
        }
        let reading = pool.max_connections(2).connect_with(options.read_only(true)).await.map_err(told)?;
        let schema = Some(migrate::latest(steps));
        Ok(Self { path, writing, reading, sqlite, schema, _lock: Some(Arc::new(lock)) })
    }

    /// The SQLite of this program.
    pub const fn sqlite(&self) -> SqliteVersion {
        self.sqlite
    }

    /// The version of the schema; none where the database is none of ours.
    pub const fn schema(&self) -> Option<i64> {
        self.schema
    }

    /// The version of the schema that this program works with.
    pub fn latest_schema() -> i64 {
        migrate::latest(&migrate::STEPS)
    }

    /// Looks whether this program knows the schema, or an older one.
    ///
    /// # Errors
    ///
    /// It is newer, or none of ours.
    pub async fn is_known(&self) -> Result<(), StoreError> {
        migrate::known(&self.reading, &self.path, &migrate::STEPS).await.map(drop)
    }

    /// Checks the whole file for damage, which takes as long as reading it.
    ///
    /// # Errors
    ///
    /// It is damaged, or cannot be read.
    pub async fn check(&self) -> Result<(), StoreError> {
        open::check(&self.reading, &self.path).await
    }

    /// The latest time that was ever stored; the clock must not fall behind it.
    ///
    /// # Errors
    ///
    /// The database cannot be read.
    pub async fn last_time(&self) -> Result<Time, StoreError> {
        let told = sqlx::query_scalar::<_, i64>("SELECT value FROM meta WHERE name = 'time'");
        let millis = told.fetch_optional(&self.reading).await.map_err(|error| self.told(error))?;
        Ok(row::time(millis.unwrap_or(0)))
    }

    /// Ends all connections and brings what is in the write-ahead log into the database. Where that cannot be, nothing
    /// is lost: it is done when the database is opened again.
    pub async fn close(&self) {
        self.reading.close().await;
        // SQLite does it by itself for the last connection, unless that of a reader is still on its way out.
        if let Err(error) = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&self.writing).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the write-ahead log stays beside the database"
            );
        }
        self.writing.close().await;
    }

    fn told(&self, error: sqlx::Error) -> StoreError {
        StoreError::of(error, &self.path)
    }
}
