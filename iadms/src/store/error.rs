//! What may go wrong with the store, in sentences that say what to do.

use std::io;
use std::path::{Path, PathBuf};

use upgrade::RunId;

/// What went wrong with the store. Nothing of what was to be stored is.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder cannot be made, or its lock not be written.
    #[error("the data folder {} cannot be used", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Another program has it.
    #[error("the data folder {} is in use by another iadms", .0.display())]
    InUse(PathBuf),
    /// The file is no sound database.
    #[error("the database {} is damaged: {found}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite found.
        found: String,
    },
    /// The schema is not one that this program knows.
    #[error("the database {} was written by a newer or another version of iadms", .0.display())]
    OtherSchema(PathBuf),
    /// Nothing can be written.
    #[error("the database {} cannot be written: it, its folder or its file system is read-only", .0.display())]
    ReadOnly(PathBuf),
    /// No room.
    #[error("the database {} cannot be written: the disk is full", .0.display())]
    DiskFull(PathBuf),
    /// The run changed since it was read.
    #[error("run {0} was changed by somebody else in between")]
    Conflict(RunId),
    /// The device is in a run that is not over.
    #[error("device {device} is in run {run}, which is not over")]
    OpenRun {
        /// The device's name.
        device: String,
        /// The run.
        run: RunId,
    },
    /// The name is taken.
    #[error("there is already {what} {name:?}")]
    Taken {
        /// "a device", "an image", …
        what: &'static str,
        /// The name.
        name: String,
    },
    /// Nothing has that name or number.
    #[error("there is no {what} {name:?}")]
    Unknown {
        /// "device", "image", …
        what: &'static str,
        /// The name or number.
        name: String,
    },
    /// Something else refers to it.
    #[error("{what} {name:?} is referred to by runs or backups, which are kept")]
    Referred {
        /// "device", …
        what: &'static str,
        /// The name.
        name: String,
    },
    /// What is stored cannot be understood.
    #[error("what the database holds of {what} cannot be understood")]
    Unreadable {
        /// Of what.
        what: String,
        /// Why.
        source: serde_json::Error,
    },
    /// Something else.
    #[error("the database {} failed", path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// How.
        source: sqlx::Error,
    },
}

/// Result codes of SQLite (sqlite.org/rescode.html), of which the lowest eight bits are the primary code.
mod code {
    pub(super) const READ_ONLY: i64 = 8;
    pub(super) const IO: i64 = 10;
    pub(super) const CORRUPT: i64 = 11;
    pub(super) const FULL: i64 = 13;
    pub(super) const CANNOT_OPEN: i64 = 14;
    pub(super) const NOT_A_DATABASE: i64 = 26;
}

impl StoreError {
    pub(super) fn of(error: sqlx::Error, path: &Path) -> Self {
        let path = path.to_owned();
        let primary =
            error.as_database_error().and_then(|told| told.code()).and_then(|code| code.parse().ok());
        match primary.map(|code: i64| code & 0xff) {
            Some(code::CORRUPT | code::NOT_A_DATABASE) => Self::Damaged { path, found: error.to_string() },
            Some(code::READ_ONLY | code::CANNOT_OPEN) => Self::ReadOnly(path),
            Some(code::FULL) => Self::DiskFull(path),
            // An error of input or output that is none of the disk's: SQLite tells a full disk in its log or shared
            // memory so.
            Some(code::IO) if is_full(&path) => Self::DiskFull(path),
            _ => Self::Database { path, source: error },
        }
    }

    /// What to do about it.
    pub fn next(&self) -> String {
        match self {
            Self::Folder { .. } => "give a folder that this user may write: --data DIR".into(),
            Self::InUse(_) => "end the other one, or give another folder: --data DIR".into(),
            Self::Damaged { .. } => {
                "put a copy of the database from before in its place; `iadms doctor` checks it. The folders `files` \
                 and their contents are not affected"
                    .into()
            }
            Self::OtherSchema(_) => "use the version of iadms that wrote it, or a newer one".into(),
            Self::ReadOnly(_) => "give this user the right to write the data folder and the files in it".into(),
            Self::DiskFull(_) => "make room on the disk; nothing was lost, and runs go on from where they stood".into(),
            Self::Conflict(_) => "look at the run again: `iadms run show`".into(),
            Self::OpenRun { run, .. } => {
                format!("wait for its end (`iadms run watch {run}`), or cancel it (`iadms run cancel {run}`)")
            }
            Self::Taken { .. } => "choose another name".into(),
            Self::Unknown { what, .. } => match *what {
                "run" => "see `iadms run list`".into(),
                "northbound target" => "see `iadms northbound target list`".into(),
                what => format!("see `iadms {what} list`"),
            },
            Self::Referred { what, .. } => format!("keep it for their sake; a label marks it: `iadms {what} change NAME --label state=retired`"),
            Self::Unreadable { .. } | Self::Database { .. } => "`iadms doctor` checks the database".into(),
        }
    }
}

fn is_full(path: &Path) -> bool {
    let folder = path.parent().unwrap_or(path);
    rustix::fs::statvfs(folder).is_ok_and(|told| told.f_bavail == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    #[tokio::test]
    async fn a_full_disk_is_told_and_the_store_is_whole_afterwards() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).await.unwrap();
        // SQLite's own limit gives the very error of a full disk.
        sqlx::query("PRAGMA max_page_count = 1").execute(&store.writing).await.unwrap();
        let entry = |number: u32| crate::inventory::DeviceEntry {
            name: format!("iad-{number}"),
            access: crate::inventory::Access {
                address: [192, 0, 2, 1].into(),
                port: 161,
                version: crate::inventory::SnmpVersion::V1,
                read_community: crate::inventory::Community("public".into()),
                write_community: crate::inventory::Community("private".into()),
            },
            profile: "iad".into(),
            protocol: None,
            labels: std::collections::BTreeMap::new(),
        };
        let error = store.add_devices(&(0..2000).map(entry).collect::<Vec<_>>()).await.unwrap_err();
        assert!(matches!(error, StoreError::DiskFull(_)), "{error}");
        store.check().await.unwrap();
        assert!(store.devices().await.unwrap().is_empty());
        // Once there is room, everything can be written again.
        let catalogue = crate::profiles::Catalogue::open(&[]).unwrap();
        store.add_devices(&[entry(0)]).await.unwrap();
        store.commit(upgrade::Time::default(), &[], &[], &catalogue).await.unwrap();
    }

    #[tokio::test]
    async fn a_read_only_database_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).await.unwrap();
        sqlx::query("PRAGMA query_only = 1").execute(&store.writing).await.unwrap();
        let error = store.note_unique_id("iad-1", "x").await.unwrap_err();
        assert!(matches!(error, StoreError::ReadOnly(_)), "{error}");
        assert!(error.next().contains("right"));
    }
}
