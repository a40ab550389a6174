//! Files by what is in them: images, configurations and converters, each under the SHA-256 of its bytes.
//!
//! A file is written beside (`incoming/`), made durable and only then given its name. None is ever written over,
//! but one whose bytes no longer are what its name says. All calls block: they belong on threads that may.

mod listing;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest as _, Sha256};
use upgrade::{Digest, StoredFile};

pub use self::listing::Listed;

/// The folder of files by digest. Clones share it.
#[derive(Debug, Clone)]
pub struct Files(Arc<Folders>);

#[derive(Debug)]
struct Folders {
    kept: PathBuf,
    incoming: PathBuf,
    begun: AtomicU64,
}

/// What went wrong with a file.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
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
    /// The bytes are not those that were stored.
    #[error("the stored file {0} is damaged: its bytes are no longer what its digest says")]
    Damaged(Digest),
    /// There is no such file.
    #[error("there is no stored file {0}")]
    Missing(Digest),
    /// The bytes to be stored could not be read.
    #[error("the bytes to be stored could not be read")]
    Source(#[source] io::Error),
}

impl FileError {
    /// Whether the disk is full.
    pub fn is_disk_full(&self) -> bool {
        matches!(self, Self::System { source, .. } if matches!(source.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded))
    }
}

impl Files {
    /// Opens the folders `files` and `incoming` in `data`, and makes them where they are missing. What an earlier
    /// program left half written in `incoming` is removed.
    ///
    /// # Errors
    ///
    /// The folders cannot be made or written.
    pub fn open(data: &Path) -> Result<Self, FileError> {
        let (kept, incoming) = (data.join("files"), data.join("incoming"));
        for folder in [&kept, &incoming] {
            make_folder(folder)?;
        }
        let unreadable = |source| system("read", &incoming, source);
        for entry in fs::read_dir(&incoming).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            fs::remove_file(&path).map_err(|source| system("remove", &path, source))?;
        }
        Ok(Self(Arc::new(Folders { kept, incoming, begun: AtomicU64::new(0) })))
    }

    /// The files of `data` as they are, to be read from: nothing is made or removed, whether a manager runs there or not.
    pub fn as_they_are(data: &Path) -> Self {
        let (kept, incoming) = (data.join("files"), data.join("incoming"));
        Self(Arc::new(Folders { kept, incoming, begun: AtomicU64::new(0) }))
    }

    /// Begins a file of bytes that are yet to come.
    pub fn begin(&self) -> Incoming {
        Incoming { files: self.clone(), held: Vec::new(), beside: None, sum: Sha256::new(), size: 0 }
    }

    /// Stores all that `source` gives.
    ///
    /// # Errors
    ///
    /// The source cannot be read or the file not be written.
    pub fn add(&self, source: &mut impl Read) -> Result<StoredFile, FileError> {
        let mut incoming = self.begin();
        let mut piece = vec![0; PIECE];
        loop {
            match source.read(&mut piece) {
                Ok(0) => return incoming.keep(),
                Ok(length) => incoming.write(piece.get(..length).unwrap_or_default())?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(FileError::Source(error)),
            }
        }
    }

    /// Stores a file in `to`, too, once its bytes have proven to be what the digest says. Tells its size.
    ///
    /// # Errors
    ///
    /// It is not here, is damaged, or cannot be written there.
    pub fn copy(&self, digest: Digest, to: &Self) -> Result<u64, FileError> {
        let mut file = self.file(digest)?;
        let mut incoming = to.begin();
        let mut piece = vec![0; PIECE];
        loop {
            match file.read(&mut piece) {
                Ok(0) => break,
                Ok(length) => incoming.write(piece.get(..length).unwrap_or_default())?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(system("read", &self.path(digest), source)),
            }
        }
        if incoming.digest() != digest {
            return Err(FileError::Damaged(digest));
        }
        incoming.keep().map(|stored| stored.size)
    }

    /// Opens a stored file.
    ///
    /// # Errors
    ///
    /// It is not there, or cannot be read.
    pub fn file(&self, digest: Digest) -> Result<File, FileError> {
        let path = self.path(digest);
        File::open(&path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => FileError::Missing(digest),
            _ => system("read", &path, source),
        })
    }

    /// Reads from `offset` on as many bytes as `into` takes or the file has; tells how many.
    ///
    /// # Errors
    ///
    /// It is not there, or cannot be read.
    pub fn read_range(&self, digest: Digest, offset: u64, into: &mut [u8]) -> Result<usize, FileError> {
        let file = self.file(digest)?;
        let mut filled = 0;
        while let Some(rest) = into.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match file.read_at(rest, offset.saturating_add(filled as u64)) {
                Ok(0) => break,
                Ok(length) => filled += length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(system("read", &self.path(digest), source)),
            }
        }
        Ok(filled)
    }

    /// All bytes of a stored file, once they have proven to be what the digest says.
    ///
    /// # Errors
    ///
    /// It is not there, cannot be read, or is damaged.
    pub fn read(&self, digest: Digest) -> Result<Vec<u8>, FileError> {
        let mut bytes = Vec::new();
        let path = self.path(digest);
        self.file(digest)?.read_to_end(&mut bytes).map_err(|source| system("read", &path, source))?;
        let same = <[u8; 32]>::from(Sha256::digest(&bytes)) == digest.0;
        if same { Ok(bytes) } else { Err(FileError::Damaged(digest)) }
    }

    /// Reads a stored file to its end and compares its bytes with its digest. Tells its size.
    ///
    /// # Errors
    ///
    /// It is not there, cannot be read, or is damaged.
    pub fn verify(&self, digest: Digest) -> Result<u64, FileError> {
        let mut file = self.file(digest)?;
        let mut sum = Sha256::new();
        let mut piece = vec![0; PIECE];
        let mut size = 0;
        loop {
            match file.read(&mut piece) {
                Ok(0) => break,
                Ok(length) => {
                    sum.update(piece.get(..length).unwrap_or_default());
                    size += length as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(system("read", &self.path(digest), source)),
            }
        }
        let same = <[u8; 32]>::from(sum.finalize()) == digest.0;
        if same { Ok(size) } else { Err(FileError::Damaged(digest)) }
    }

    /// Once this returns, a file that is there under its name is there after a loss of power, too.
    fn make_name_durable(&self, digest: Digest) -> Result<(), FileError> {
        let path = self.path(digest);
        for folder in [path.parent().unwrap_or(&self.0.kept), &self.0.kept] {
            let made_durable = File::open(folder).and_then(|folder| folder.sync_all());
            made_durable.map_err(|source| system("write", folder, source))?;
        }
        Ok(())
    }

    /// Where a stored file is, or would be.
    pub fn path(&self, digest: Digest) -> PathBuf {
        let name = digest.to_string();
        let (folder, rest) = name.split_at_checked(2).unwrap_or(("", &name));
        self.0.kept.join(folder).join(rest)
    }
}

/// A file on its way in. Dropped, it was never there.
#[derive(Debug)]
pub struct Incoming {
    files: Files,
    /// What is not written beside yet.
    held: Vec<u8>,
    beside: Option<Beside>,
    sum: Sha256,
    size: u64,
}

/// What is written of it. Dropped, nothing is left of that.
#[derive(Debug)]
struct Beside {
    path: PathBuf,
    file: File,
}

/// So many bytes are held in memory before anything is written: most configurations are smaller, and a file that is there already is
/// not made only to be removed again.
const MOST_HELD: usize = 16 * 1024;

impl Incoming {
    /// Writes more bytes behind those that came.
    ///
    /// # Errors
    ///
    /// They cannot be written.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), FileError> {
        if self.beside.is_none() && self.held.len() + bytes.len() <= MOST_HELD {
            self.held.extend_from_slice(bytes);
        } else {
            self.beside()?.write(bytes)?;
        }
        self.sum.update(bytes);
        self.size += bytes.len() as u64;
        Ok(())
    }

    /// All that came is written beside.
    fn beside(&mut self) -> Result<&mut Beside, FileError> {
        let beside = match self.beside.take() {
            Some(beside) => beside,
            None => {
                let mut beside = Beside::make(&self.files)?;
                beside.write(&std::mem::take(&mut self.held))?;
                beside
            }
        };
        Ok(self.beside.insert(beside))
    }

    /// Bytes that came so far.
    pub const fn size(&self) -> u64 {
        self.size
    }

    fn digest(&self) -> Digest {
        Digest(self.sum.clone().finalize().into())
    }

    /// Keeps the file: once this returns, it outlives a loss of power.
    ///
    /// # Errors
    ///
    /// It cannot be made durable; then it is not there.
    pub fn keep(mut self) -> Result<StoredFile, FileError> {
        let digest = self.digest();
        let stored = StoredFile { digest, size: self.size };
        // A file that is there already and whole stays as it is; one that is damaged is replaced.
        match self.files.verify(digest) {
            // Perhaps it was renamed a moment ago, and its name is not durable yet.
            Ok(_) => return self.files.make_name_durable(digest).map(|()| stored),
            Err(FileError::Missing(_) | FileError::Damaged(_)) => {}
            Err(error) => return Err(error),
        }
        let path = self.files.path(digest);
        make_folder(path.parent().unwrap_or(&self.files.0.kept))?;
        let Beside { path: beside, file } = self.beside()?;
        file.sync_all().map_err(|source| system("write", beside, source))?;
        fs::rename(&*beside, &path).map_err(|source| system("rename", beside, source))?;
        self.files.make_name_durable(digest).map(|()| stored)
    }
}

impl Beside {
    fn make(files: &Files) -> Result<Self, FileError> {
        let Folders { incoming, begun, .. } = &*files.0;
        let path = incoming.join(begun.fetch_add(1, Ordering::Relaxed).to_string());
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let file = file.map_err(|source| system("make", &path, source))?;
        Ok(Self { path, file })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), FileError> {
        self.file.write_all(bytes).map_err(|source| system("write", &self.path, source))
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        // Renamed away or not: what is left under this name is nobody's. What cannot be removed now is at the next start.
        let _ = fs::remove_file(&self.path);
    }
}

/// Bytes that are read at once.
const PIECE: usize = 128 * 1024;

fn make_folder(path: &Path) -> Result<(), FileError> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|source| system("make the folder", path, source))
}

fn system(action: &'static str, path: &Path, source: io::Error) -> FileError {
    FileError::System { action, path: path.to_owned(), source }
}
