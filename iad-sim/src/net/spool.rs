//! The content of an image on its way in: collected in a file, and kept under its digest once the device finds it good.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;

use super::store::Store;
use crate::device::Digest;

/// Where the content of an image is collected.
#[derive(Debug)]
pub(crate) struct Spool {
    path: PathBuf,
    file: File,
}

impl Spool {
    /// Begins to collect an image for a device. Nothing is collected that is there already.
    pub(crate) fn begin(
        store: &Store,
        unique_id: &str,
        expected: Option<Digest>,
    ) -> io::Result<Option<Self>> {
        if expected.is_some_and(|digest| store.image(digest).exists()) {
            return Ok(None);
        }
        let path = store.incoming(unique_id);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        Ok(Some(Self { file: File::create(&path)?, path }))
    }

    /// Takes the next bytes.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    /// Keeps the content under its digest.
    pub(crate) fn keep(self, store: &Store, digest: Digest) -> io::Result<()> {
        fs::rename(&self.path, store.image(digest))
    }

    /// Throws it away.
    pub(crate) fn discard(self) -> io::Result<()> {
        fs::remove_file(&self.path)
    }
}
