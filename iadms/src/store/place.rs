//! What lies where the database should be, before SQLite touches anything: it takes an empty file for a new database, and
//! removes the log beside one.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::StoreError;

/// Whether there is a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Nothing, nor any trace of one.
    Free,
    /// A file that is not empty.
    Taken,
}

/// Bytes of the smallest page that SQLite knows, and so of the smallest database.
const SMALLEST: u64 = 512;

/// Looks at the files, not into them.
///
/// # Errors
///
/// There was a database, and it is gone or empty; or something else is in its place.
pub(super) fn look(path: &Path) -> Result<Place, StoreError> {
    let log = beside(path, "-wal");
    for path in [path, &log, &beside(path, "-shm")] {
        is_plain_file(path)?;
    }
    let damaged = |found: String| Err(StoreError::Damaged { path: path.to_owned(), found });
    match fs::metadata(path) {
        // A database is only given its name once it is whole.
        Ok(about) if about.len() < SMALLEST => damaged("the file is empty, or as good as that".to_owned()),
        Ok(_) => Ok(Place::Taken),
        Err(error) if error.kind() == ErrorKind::NotFound => match trace(path, &log) {
            Some(trace) => {
                damaged(format!("it is gone, and {} beside it tells that there was one", trace.display()))
            }
            None => Ok(Place::Free),
        },
        Err(source) => Err(StoreError::Folder { path: path.to_owned(), source }),
    }
}

/// The path of a file that SQLite, or the store, keeps beside the database.
pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// What only a manager that had a database leaves behind.
fn trace(path: &Path, log: &Path) -> Option<PathBuf> {
    let files = path.with_file_name("files");
    [log.to_owned(), files].into_iter().find(|path| path.exists())
}

fn is_plain_file(path: &Path) -> Result<(), StoreError> {
    let other = |what| Err(StoreError::NotAFile { path: path.to_owned(), what });
    match fs::metadata(path) {
        Ok(about) if about.is_file() => Ok(()),
        Ok(about) if about.is_dir() => other("a folder"),
        Ok(_) => other("no plain file"),
        Err(_) if path.is_symlink() => other("a link that leads nowhere"),
        Err(_) => Ok(()),
    }
}
