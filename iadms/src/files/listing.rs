//! What lies in the folder of stored files, whether anything names it or not.

use std::fs::{self, DirEntry};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use upgrade::Digest;

use super::{FileError, Files, system};

/// A file in the folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Where it is.
    pub path: PathBuf,
    /// What it is stored as; none where its name is no digest.
    pub digest: Option<Digest>,
    /// Bytes.
    pub size: u64,
}

impl Files {
    /// All files in the folder. Their bytes are not looked at.
    ///
    /// # Errors
    ///
    /// The folder cannot be read.
    pub fn list(&self) -> Result<Vec<Listed>, FileError> {
        let mut listed = Vec::new();
        for folder in entries(&self.0.kept)? {
            if !folder.path().is_dir() {
                listed.push(look(&folder, "")?);
                continue;
            }
            let beginning = folder.file_name().to_string_lossy().into_owned();
            for file in entries(&folder.path())? {
                listed.push(look(&file, &beginning)?);
            }
        }
        listed.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(listed)
    }
}

fn look(entry: &DirEntry, beginning: &str) -> Result<Listed, FileError> {
    let path = entry.path();
    let about = entry.metadata().map_err(|source| system("read", &path, source))?;
    let name = format!("{beginning}{}", entry.file_name().to_string_lossy());
    Ok(Listed { digest: name.parse().ok(), size: about.len(), path })
}

fn entries(folder: &Path) -> Result<Vec<DirEntry>, FileError> {
    let failed = |source| system("read the folder", folder, source);
    match fs::read_dir(folder) {
        Ok(entries) => entries.collect::<Result<_, _>>().map_err(failed),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(source) => Err(failed(source)),
    }
}
