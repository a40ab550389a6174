//! A copy of all that a manager keeps: the database and the files it names, as a data folder that a manager can be started
//! on. It is made beside a manager that runs, and is there whole or not at all.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use serde::Serialize;

use crate::files::{FileError, Files};
use crate::store::{DATABASE, Named, NamedFiles, Store, StoreError};

/// What was copied.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Copied {
    /// Stored files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// What the copy lacks, because it was lost already: who names the file, and what is wrong with it.
    pub lost: Vec<String>,
    /// What cannot be understood, here and in the copy, so that nobody knows which files it names. All that are stored are
    /// copied then.
    pub unreadable: Vec<String>,
}

/// Why there is no copy.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// Nothing is written over.
    #[error("{} is there already, and nothing is written over", .0.display())]
    Taken(PathBuf),
    /// Another copy is being made, or one was cut off.
    #[error("{} is there: another copy is being made, or was cut off", .0.display())]
    Partial(PathBuf),
    /// The place is none.
    #[error("{} cannot be the name of a copy", .0.display())]
    Nameless(PathBuf),
    /// The system refused.
    #[error("cannot {action} {}", path.display())]
    System {
        /// What was to be done.
        action: &'static str,
        /// To what.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
}

impl CopyError {
    /// What to do about it.
    pub fn next(&self) -> String {
        match self {
            Self::Taken(_) | Self::Nameless(_) => "give the path of a folder that is yet to be made".into(),
            Self::Partial(path) => {
                format!("unless another `iadms db backup` runs, remove {} and try again", path.display())
            }
            Self::System { .. } => "check the path, its rights and its disk".into(),
            Self::Store(error) => error.next(),
            Self::File(_) => "check the rights and the disk of both folders".into(),
        }
    }
}

/// Copies what the manager keeps in `data` to the folder `to`, which is made. Files that are damaged or gone already are
/// left out and told: a manager that lost one image must not go without a copy of all the rest.
///
/// It blocks while it copies files.
///
/// # Errors
///
/// Nothing is left at `to`.
pub async fn copy(data: &Path, to: &Path) -> Result<Copied, CopyError> {
    let failed = |action, path: &Path| {
        let path = path.to_owned();
        move |source| CopyError::System { action, path, source }
    };
    let to = std::path::absolute(to).map_err(failed("find", to))?;
    let (Some(folder), Some(name)) = (to.parent(), to.file_name()) else {
        return Err(CopyError::Nameless(to));
    };
    if fs::symlink_metadata(&to).is_ok() {
        return Err(CopyError::Taken(to));
    }
    let store = Store::open_read_only(data).await?;
    store.is_known().await?;
    let mut partial = name.to_owned();
    partial.push(".partial");
    let partial = Partial::make(folder.join(partial))?;
    // The database first: a file is stored before anything in it names the file, and none is ever removed.
    store.copy_to(&partial.0.join(DATABASE)).await?;
    drop(store);
    let copied = files(data, &partial.0).await?;
    sync(&partial.0).map_err(failed("write", &partial.0))?;
    let named = renameat_with(CWD, &partial.0, CWD, &to, RenameFlags::NOREPLACE);
    named.map_err(|error| match error {
        rustix::io::Errno::EXIST => CopyError::Taken(to.clone()),
        error => failed("rename", &partial.0)(error.into()),
    })?;
    sync(folder).map_err(failed("write", folder))?;
    Ok(copied)
}

async fn files(data: &Path, to: &Path) -> Result<Copied, CopyError> {
    let (here, there) = (Files::as_they_are(data), Files::open(to)?);
    let copy = Store::open_read_only(to).await?;
    let mut copied = Copied::default();
    let NamedFiles { files: mut named, unreadable } = copy.named_files().await?;
    if !unreadable.is_empty() {
        for listed in here.list()? {
            let Some(digest) = listed.digest else { continue };
            let by = format!("{}, which nothing that can be read names", listed.path.display());
            named.entry(digest).or_insert(Named { by, size: None });
        }
    }
    copied.unreadable = unreadable;
    for (digest, named) in named {
        match here.copy(digest, &there) {
            Ok(size) => {
                copied.files += 1;
                copied.bytes += size;
            }
            Err(error @ (FileError::Missing(_) | FileError::Damaged(_))) => {
                copied.lost.push(format!("{}: {error}", named.by));
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(copied)
}

/// A folder that is gone again unless it was given another name.
struct Partial(PathBuf);

impl Partial {
    fn make(path: PathBuf) -> Result<Self, CopyError> {
        match DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => Ok(Self(path)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(CopyError::Partial(path)),
            Err(source) => Err(CopyError::System { action: "make the folder", path, source }),
        }
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // What cannot be removed is named by the next copy.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
