//! What may go wrong with the store, in sentences that say what to do.

use std::io;
use std::path::{Path, PathBuf};

use upgrade::RunId;

use super::{OLDEST_SQLITE, migrate};

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
    #[error("the database {} is damaged, and was left as it is: {found}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite found.
        found: String,
    },
    /// What is in the place of the file, or of one that SQLite keeps beside it, is none.
    #[error("{} is {what}; the database, or a file that SQLite keeps beside it, was expected", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
        /// "a folder", …
        what: &'static str,
    },
    /// There is nothing to look into.
    #[error("there is no database {}", .0.display())]
    NoDatabase(PathBuf),
    /// It is there, and this user cannot read it.
    #[error("the database {} cannot be read: it, or what SQLite has to write beside it to read it, is closed to this user", .0.display())]
    Closed(PathBuf),
    /// SQLite has a fault that loses commits.
    #[error(
        "this iadms was built with SQLite {found}, whose write-ahead log may lose commits and damage the database; \
         {OLDEST_SQLITE} or newer is needed"
    )]
    OldSqlite {
        /// Its version.
        found: String,
    },
    /// The schema is newer than those that this program knows.
    #[error(
        "the database {} was written by a newer iadms: its schema has version {found}, and this program knows \
         version {known}",
        path.display()
    )]
    NewerSchema {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The latest that is known.
        known: i64,
    },
    /// The schema is none of ours.
    #[error("the database {} is none that iadms wrote: its schema is another", .0.display())]
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
    #[error("{what} {name:?} is referred to by {by}")]
    Referred {
        /// "device", …
        what: &'static str,
        /// The name.
        name: String,
        /// By what.
        by: &'static str,
    },
    /// A credential has secrets of before that are still taken, and there is room for one such.
    #[error("credential {0:?} is being rotated: some devices may still have the secrets of before")]
    Rotating(String),
    /// It has none.
    #[error("credential {0:?} is not being rotated")]
    NotRotating(String),
    /// What is stored of a run cannot be understood.
    #[error("run {run} cannot be read: {why}")]
    UnreadableRun {
        /// The run.
        run: RunId,
        /// Why.
        why: String,
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

    /// What went wrong where nothing was to be written.
    pub(super) fn of_reading(error: sqlx::Error, path: &Path) -> Self {
        match Self::of(error, path) {
            Self::ReadOnly(path) => Self::Closed(path),
            other => other,
        }
    }

    /// Whether the database cannot be used as it is, however often it is tried.
    pub const fn is_of_the_database(&self) -> bool {
        matches!(
            self,
            Self::Damaged { .. }
                | Self::NotAFile { .. }
                | Self::OldSqlite { .. }
                | Self::NewerSchema { .. }
                | Self::OtherSchema(_)
        )
    }

    /// What to do about it.
    pub fn next(&self) -> String {
        match self {
            Self::Folder { .. } => "give a folder that this user may write: --data DIR".into(),
            Self::InUse(_) => "end the other one, or give another folder: --data DIR".into(),
            Self::Damaged { path, .. } | Self::NotAFile { path, .. } => format!(
                "put {} aside whole, and a copy that `iadms db backup` made in its place; `iadms db check` tells more",
                path.parent().unwrap_or(path).display()
            ),
            Self::NoDatabase(_) => "give the data folder of `iadms serve`, or a copy of one: --data DIR".into(),
            Self::Closed(_) => {
                "run the command as the user that runs `iadms serve`, or on a copy of the folder that this user may write"
                    .into()
            }
            Self::OldSqlite { .. } => "use an iadms with the SQLite that it comes with".into(),
            Self::NewerSchema { path, known, .. } => {
                let kept = migrate::before(path, known + 1);
                let way_back = if kept.is_file() {
                    format!("; {} is the database from before that, for this version", kept.display())
                } else {
                    String::new()
                };
                format!("use the newer iadms{way_back}")
            }
            Self::OtherSchema(_) => "give another data folder (--data DIR), or put a database of iadms there".into(),
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
            Self::Referred { what: "credential", .. } => {
                "give them another one first: `iadms device change NAME --credential OTHER`".into()
            }
            Self::Referred { what, .. } => {
                format!("keep it for their sake; a label marks it: `iadms {what} change NAME --label state=retired`")
            }
            Self::Rotating(name) => format!(
                "see with `iadms credential test {name}` who knows the new secrets; then `iadms credential rotate {name} \
                 --finish`, or --undo"
            ),
            Self::NotRotating(_) => "see `iadms credential list`".into(),
            Self::UnreadableRun { run, .. } => format!(
                "look at its device; then `iadms run forget {run}` lets go of the run, unless it is over. `iadms db check` \
                 tells what else is wrong"
            ),
            Self::Unreadable { .. } | Self::Database { .. } => "`iadms db check` tells what else is wrong".into(),
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
                credential: None,
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
