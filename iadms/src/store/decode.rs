//! Whether what the rows hold can be understood: each is read as the daemon reads it.

use futures_lite::StreamExt as _;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;
use upgrade::Digest;
use upgrade::run::{Event, Story};

use super::row::{read, read_word};
use super::{Store, StoreError};
use crate::causes::with_causes;
use crate::daemon::Trap;

/// Unreadable rows that are named; of more, only the number is told.
const MOST_NAMED: usize = 20;

/// The rows of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rows {
    /// `devices`, `runs`, …
    pub what: &'static str,
    /// How many there are.
    pub count: u64,
    /// How many of them cannot be understood.
    pub unreadable: u64,
    /// The first of those, and why.
    pub named: Vec<String>,
}

type Decode = fn(&Store, &SqliteRow) -> Result<(), StoreError>;

/// Each kind: the version of the schema that it came with, the query, whose first column names a row, and how one is read.
const KINDS: [(&str, i64, &str, Decode); 10] = [
    ("devices", 1, "SELECT 'device ' || id AS it, * FROM device", |store, row| {
        store.device_of(row).map(drop)
    }),
    ("credentials", 2, "SELECT 'credential ' || credential AS it, * FROM credential_user", |store, row| {
        store.sealed_user_of(row).map(drop)
    }),
    ("images", 1, "SELECT 'image ' || name AS it, * FROM image", |store, row| store.image_of(row).map(drop)),
    ("profiles", 1, "SELECT 'profile ' || name AS it, * FROM profile", |store, row| {
        let word = row.try_get("digest").map_err(|error| store.told(error))?;
        read_word::<Digest>("it", word)?;
        let layers = row.try_get("layers").map_err(|error| store.told(error))?;
        read::<Vec<(String, String, String)>>("it", layers).map(drop)
    }),
    ("runs", 1, "SELECT 'run ' || id AS it, * FROM run", |store, row| store.run_of(row).map(drop)),
    ("events", 1, "SELECT 'an event of run ' || run AS it, event FROM run_event", |store, row| {
        read::<Event>("it", row.try_get("event").map_err(|error| store.told(error))?).map(drop)
    }),
    ("stories", 1, "SELECT 'story ' || n || ' of run ' || run AS it, story FROM story", |store, row| {
        read::<Story>("it", row.try_get("story").map_err(|error| store.told(error))?).map(drop)
    }),
    ("backups", 1, "SELECT 'backup ' || backup AS it, digest FROM backup_file", |store, row| {
        read_word::<Digest>("it", row.try_get("digest").map_err(|error| store.told(error))?).map(drop)
    }),
    ("targets", 1, "SELECT 'target ' || name AS it, * FROM northbound_target", |store, row| {
        store.target_of(row).map(drop)
    }),
    ("notifications", 1, "SELECT 'notification ' || id AS it, trap FROM notification", |store, row| {
        read::<Trap>("it", row.try_get("trap").map_err(|error| store.told(error))?).map(drop)
    }),
];

impl Store {
    /// Reads every row, and tells which cannot be understood.
    ///
    /// # Errors
    ///
    /// The database cannot be read.
    pub async fn decoded(&self) -> Result<Vec<Rows>, StoreError> {
        let mut all = Vec::with_capacity(KINDS.len());
        for (what, since, query, decode) in KINDS {
            // What an older program wrote is looked at as it is.
            if self.schema.is_some_and(|schema| schema < since) {
                continue;
            }
            let mut rows = Rows { what, count: 0, unreadable: 0, named: Vec::new() };
            let mut found = sqlx::query(query).fetch(&self.reading);
            while let Some(row) = found.next().await {
                let row = row.map_err(|error| self.told(error))?;
                rows.count += 1;
                let Err(error) = decode(self, &row) else { continue };
                rows.unreadable += 1;
                if rows.named.len() < MOST_NAMED {
                    let it: String = row.try_get("it").map_err(|error| self.told(error))?;
                    rows.named.push(format!("{it}: {}", reason(&error)));
                }
            }
            all.push(rows);
        }
        Ok(all)
    }
}

/// Why, without naming what: the row is named already.
pub(super) fn reason(error: &StoreError) -> String {
    match error {
        StoreError::Unreadable { source, .. } => source.to_string(),
        StoreError::Database { source, .. } => source.to_string(),
        other => with_causes(other),
    }
}
