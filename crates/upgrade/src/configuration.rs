//! A device's configuration: kinds of files, and whole sets of them (row H4).

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::Digest;

/// A kind of configuration: `user-data`, `port-data`, `protocol-parameters`, `default-parameters`, or
/// another one that a profile names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Kind(pub Arc<str>);

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// A file in the manager's storage, which keeps files by their digest and never writes over one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredFile {
    /// SHA-256 of its bytes.
    pub digest: Digest,
    /// Bytes.
    pub size: u64,
}

/// Configuration files that belong together: one of each kind, all in one format.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigurationSet {
    /// The format they are in, as the device numbers its formats; none where it tells none.
    pub format: Option<u32>,
    /// The device's revision of its configuration when they were taken; none where it tells none.
    pub revision: Option<u32>,
    /// The files.
    pub files: BTreeMap<Kind, StoredFile>,
}

impl ConfigurationSet {
    /// Whether both hold the same bytes in every kind.
    pub fn same_files(&self, other: &Self) -> bool {
        self.files == other.files
    }

    /// Whether what a device holds of this kind is in one of these sets. Where it tells no digest, its revision decides: what a set
    /// without one has in common with that nobody knows.
    pub fn is_known(&self, kind: &Kind, sets: &[Self]) -> bool {
        let known = |set: &Self| match (self.files.get(kind), self.revision.zip(set.revision)) {
            (Some(held), _) => set.files.get(kind) == Some(held),
            (None, Some((now, then))) => now == then,
            (None, None) => self.revision.is_none(),
        };
        sets.iter().any(known)
    }

    /// Whether what a device holds now is no longer this, which was taken from it: another revision, or other bytes in
    /// a kind that both have.
    pub fn is_outdated_by(&self, held: &Self) -> bool {
        let moved = |(kind, file)| held.files.get(kind).is_some_and(|held| held != file);
        let revisions = self.revision.zip(held.revision);
        revisions.is_some_and(|(then, now)| then != now) || self.files.iter().any(moved)
    }
}
