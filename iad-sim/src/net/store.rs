//! Devices on disk, so that the end of the simulator at any instant is a power failure of all its devices.
//!
//! `devices/<unique id>/device.json` is what survives a loss of power, always replaced as a whole; `images/<sha-256>` holds
//! the content of each image once, however many devices have it.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::device::{Counters, Digest, Durable};

/// The folder of one simulator.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    folder: PathBuf,
    synchronous: bool,
}

/// What is stored of one device.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Stored {
    pub(crate) durable: Durable,
    pub(crate) counters: Counters,
}

/// What is stored cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk refuses.
    #[error("cannot use {path}")]
    Disk {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        #[source]
        cause: io::Error,
    },
    /// What stands there is no device.
    #[error("{path} does not hold a device")]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        cause: serde_json::Error,
    },
}

impl Store {
    /// Opens or makes the folder.
    pub(crate) fn open(folder: &Path, synchronous: bool) -> Result<Self, StoreError> {
        for part in ["devices", "images"] {
            let path = folder.join(part);
            fs::create_dir_all(&path).map_err(|cause| StoreError::Disk { path, cause })?;
        }
        Ok(Self { folder: folder.to_owned(), synchronous })
    }

    /// What is stored of a device, if it ever was.
    pub(crate) fn load(&self, unique_id: &str) -> Result<Option<Stored>, StoreError> {
        let path = self.device_folder(unique_id).join("device.json");
        match fs::read(&path) {
            Ok(content) => {
                serde_json::from_slice(&content).map_err(|cause| StoreError::Content { path, cause })
            }
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(StoreError::Disk { path, cause }),
        }
    }

    /// Stores a device.
    pub(crate) fn save(&self, unique_id: &str, stored: &Stored) -> Result<(), StoreError> {
        let folder = self.device_folder(unique_id);
        let path = folder.join("device.json");
        let content =
            serde_json::to_vec(stored).map_err(|cause| StoreError::Content { path: path.clone(), cause })?;
        fs::create_dir_all(&folder)
            .and_then(|()| self.replace(&folder.join("device.json.new"), &path, &content))
            .map_err(|cause| StoreError::Disk { path, cause })
    }

    /// Where the image that a device is loading is collected.
    pub(crate) fn incoming(&self, unique_id: &str) -> PathBuf {
        self.device_folder(unique_id).join("image.incoming")
    }

    /// Where the content of an image is.
    pub(crate) fn image(&self, digest: Digest) -> PathBuf {
        self.folder.join("images").join(digest.to_string())
    }

    /// Removes the content of all images but these.
    pub(crate) fn keep_images(&self, used: &BTreeSet<Digest>) -> Result<(), StoreError> {
        let path = self.folder.join("images");
        let removed = fs::read_dir(&path).and_then(|entries| {
            for entry in entries {
                let entry = entry?;
                let digest = entry.file_name().to_str().and_then(|name| name.parse().ok());
                if digest.is_none_or(|digest| !used.contains(&digest)) {
                    fs::remove_file(entry.path())?;
                }
            }
            Ok(())
        });
        removed.map_err(|cause| StoreError::Disk { path, cause })
    }

    fn replace(&self, new: &Path, path: &Path, content: &[u8]) -> io::Result<()> {
        let mut file = fs::File::create(new)?;
        file.write_all(content)?;
        if self.synchronous {
            file.sync_all()?;
        }
        fs::rename(new, path)
    }

    fn device_folder(&self, unique_id: &str) -> PathBuf {
        // A unique id may hold anything; a name of a folder may not.
        let safe = |letter: char| if letter.is_ascii_alphanumeric() || letter == '-' { letter } else { '_' };
        self.folder.join("devices").join(unique_id.chars().map(safe).collect::<String>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::Settings;

    #[test]
    fn a_device_is_there_again_and_a_torn_write_does_not_hurt_it() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), true).unwrap();
        assert!(store.load("IAD-000001").unwrap().is_none());
        let durable = Durable::delivered(&Settings::numbered(1), "1.0", 1, 1000);
        store
            .save("IAD-000001", &Stored { durable: durable.clone(), counters: Counters::default() })
            .unwrap();
        fs::write(folder.path().join("devices/IAD-000001/device.json.new"), "{\"dur").unwrap();
        assert_eq!(store.load("IAD-000001").unwrap().unwrap().durable, durable);
    }

    #[test]
    fn images_that_no_device_holds_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), false).unwrap();
        let (kept, other) = (Digest::of(b"kept"), Digest::of(b"other"));
        fs::write(store.image(kept), "kept").unwrap();
        fs::write(store.image(other), "other").unwrap();
        store.keep_images(&BTreeSet::from([kept])).unwrap();
        assert!(store.image(kept).exists() && !store.image(other).exists());
    }

    #[test]
    fn no_unique_id_leaves_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), false).unwrap();
        assert_eq!(store.device_folder("../../etc"), folder.path().join("devices/______etc"));
    }
}
