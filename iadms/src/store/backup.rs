//! The backups that were taken. Their files are in [`crate::files::Files`] and are never written over.

use serde::{Deserialize, Serialize};
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;
use upgrade::{ConfigurationSet, DeviceId, Kind, RunId, StoredFile, Time};

use super::row::{integer, number, read_word, time};
use super::{Store, StoreError};

/// A backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backup {
    /// Its number.
    pub id: u64,
    /// The device's name.
    pub device: String,
    /// The run that took it.
    pub run: RunId,
    /// When.
    pub at: Time,
    /// The software version that used it.
    pub version: Option<String>,
    /// The files.
    pub set: ConfigurationSet,
}

impl Store {
    /// The backups of a device, or of all, latest first, at most `most` of them.
    ///
    /// # Errors
    ///
    /// The database cannot be read.
    pub async fn backups(&self, device: Option<DeviceId>, most: u32) -> Result<Vec<Backup>, StoreError> {
        let rows = sqlx::query(
            "SELECT backup.*, device.name AS device_name FROM backup JOIN device ON device.id = backup.device \
             WHERE ?1 IS NULL OR backup.device = ?1 ORDER BY backup.id DESC LIMIT ?2",
        )
        .bind(device.map(|device| integer(device.0)))
        .bind(i64::from(most))
        .fetch_all(&self.reading)
        .await
        .map_err(|error| self.told(error))?;
        let mut backups = Vec::with_capacity(rows.len());
        for row in &rows {
            backups.push(self.backup_of(row).await?);
        }
        Ok(backups)
    }

    /// The backup of this number.
    ///
    /// # Errors
    ///
    /// There is none.
    pub async fn backup(&self, id: u64) -> Result<Backup, StoreError> {
        let row = sqlx::query(
            "SELECT backup.*, device.name AS device_name FROM backup JOIN device ON device.id = backup.device \
             WHERE backup.id = ?",
        )
        .bind(integer(id))
        .fetch_optional(&self.reading)
        .await
        .map_err(|error| self.told(error))?;
        let unknown = || StoreError::Unknown { what: "backup", name: id.to_string() };
        self.backup_of(&row.ok_or_else(unknown)?).await
    }

    async fn backup_of(&self, row: &SqliteRow) -> Result<Backup, StoreError> {
        let told = |error| self.told(error);
        let id: i64 = row.try_get("id").map_err(told)?;
        let what = format!("backup {id}");
        let files = sqlx::query("SELECT kind, digest, size FROM backup_file WHERE backup = ?").bind(id);
        let files = files.fetch_all(&self.reading).await.map_err(told)?;
        let file = |row: &SqliteRow| {
            let digest = read_word(&what, row.try_get("digest").map_err(told)?)?;
            let size = number(row.try_get("size").map_err(told)?);
            let kind: String = row.try_get("kind").map_err(told)?;
            Ok((Kind(kind.into()), StoredFile { digest, size }))
        };
        Ok(Backup {
            id: number(id),
            device: row.try_get("device_name").map_err(told)?,
            run: RunId(number(row.try_get("run").map_err(told)?)),
            at: time(row.try_get("at").map_err(told)?),
            version: row.try_get("version").map_err(told)?,
            set: ConfigurationSet {
                format: row.try_get("format").map_err(told)?,
                revision: row.try_get("revision").map_err(told)?,
                files: files.iter().map(file).collect::<Result<_, StoreError>>()?,
            },
        })
    }
}
