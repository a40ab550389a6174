//! Files of databases: made for their owner alone, removed, and durable by name.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::StoreError;

/// Makes a database file that is not there yet, for its owner alone: it holds secrets. SQLite gives the files beside it the
/// same rights.
pub(super) fn make_file(path: &Path) -> Result<(), StoreError> {
    match OpenOptions::new().create_new(true).write(true).mode(0o600).open(path) {
        Err(error) if error.kind() == ErrorKind::ReadOnlyFilesystem => {
            Err(StoreError::ReadOnly(path.to_owned()))
        }
        Err(error) if error.kind() == ErrorKind::StorageFull => Err(StoreError::DiskFull(path.to_owned())),
        Err(source) => Err(StoreError::Folder { path: path.to_owned(), source }),
        Ok(_) => Ok(()),
    }
}

/// Makes durable which files are in the folder of this one.
pub(super) fn sync_folder_of(path: &Path) -> io::Result<()> {
    File::open(path.parent().unwrap_or(path))?.sync_all()
}

/// Removes a file, where there is one.
pub(super) fn remove(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(StoreError::Folder { path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}
