//! The profiles the daemon knows: those that come with the program, and those of operators in a folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use upgrade::Digest;
use upgrade::profile::{self, IAD, Profile, ProfileError};

use crate::store::StoredProfile;

/// All profiles, by name.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    known: BTreeMap<String, Known>,
}

/// A profile the daemon knows.
#[derive(Debug, Clone)]
pub struct Known {
    /// The file it comes from.
    pub file: String,
    /// The profile.
    pub profile: Arc<Profile>,
    /// Its texts, as they are kept with a run.
    pub stored: StoredProfile,
}

/// Why the profiles cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// A file or the folder cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A profile is wrong.
    #[error(transparent)]
    Wrong(#[from] ProfileError),
    /// Two files give the same name.
    #[error("{0} and {1} both hold the profile {2:?}: give one of them another name")]
    Twice(String, String, String),
}

/// File and text of each profile, by name.
type Sources = BTreeMap<String, (String, String)>;

impl Catalogue {
    /// Those that come with the program, and those in `folders` (`*.toml`). Any may extend any.
    ///
    /// # Errors
    ///
    /// The first file that cannot be read or is wrong.
    pub fn open(folders: &[PathBuf]) -> Result<Self, CatalogueError> {
        let mut sources = Sources::new();
        add(&mut sources, "iad.toml".into(), IAD.to_owned())?;
        for folder in folders {
            for path in toml_files(folder)? {
                let text = std::fs::read_to_string(&path);
                let text =
                    text.map_err(|source| CatalogueError::Unreadable { path: path.clone(), source })?;
                add(&mut sources, path.display().to_string(), text)?;
            }
        }
        let mut known = BTreeMap::new();
        for (name, (file, text)) in &sources {
            let profile = profile::load(file, text, |name| {
                sources.get(name).map(|(file, text)| (file.as_str(), text.as_str()))
            })?;
            let stored = with_parents(name, &sources);
            known.insert(name.clone(), Known { file: file.clone(), profile: Arc::new(profile), stored });
        }
        Ok(Self { known })
    }

    /// Reads a profile that is not one of these, but may extend one.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn load(&self, file: &str, text: &str) -> Result<Profile, ProfileError> {
        let layers = || self.known.values().flat_map(|known| &known.stored.layers);
        profile::load(file, text, |name| {
            layers().find(|(own, _, _)| own == name).map(|(_, file, text)| (file.as_str(), text.as_str()))
        })
    }

    /// The profile of this name.
    pub fn get(&self, name: &str) -> Option<&Known> {
        self.known.get(name)
    }

    /// All, in the order of their names.
    pub fn all(&self) -> impl Iterator<Item = &Known> {
        self.known.values()
    }
}

fn add(sources: &mut Sources, file: String, text: String) -> Result<(), CatalogueError> {
    let name = profile::name_of(&file, &text)?;
    if let Some((other, _)) = sources.get(&name) {
        return Err(CatalogueError::Twice(other.clone(), file, name));
    }
    sources.insert(name, (file, text));
    Ok(())
}

/// The profile, which could be loaded, and those it extends.
fn with_parents(name: &str, sources: &Sources) -> StoredProfile {
    let mut layers = Vec::new();
    let mut next = Some(name.to_owned());
    while let Some((name, (file, text))) =
        next.take().and_then(|name| Some((name.clone(), sources.get(&name)?)))
    {
        next = extends(text);
        layers.push((name, file.clone(), text.clone()));
    }
    let sum = layers.iter().fold(Sha256::new(), |sum, (_, _, text)| sum.chain_update(text).chain_update([0]));
    StoredProfile { name: name.to_owned(), digest: Digest(sum.finalize().into()), layers }
}

/// The profile that a run began with, from the texts kept with it.
///
/// # Errors
///
/// They were changed in the store.
pub fn restored(stored: &StoredProfile) -> Result<Profile, ProfileError> {
    let layer = |name: &str| stored.layers.iter().find(|(own, _, _)| own == name);
    let (_, file, text) = layer(&stored.name).ok_or_else(|| ProfileError {
        file: stored.name.clone(),
        line: 1,
        problem: "its text is missing in the store".into(),
    })?;
    profile::load(file, text, |name| layer(name).map(|(_, file, text)| (file.as_str(), text.as_str())))
}

fn extends(text: &str) -> Option<String> {
    let table: toml::Table = toml::from_str(text).ok()?;
    table.get("extends")?.as_str().map(str::to_owned)
}

fn toml_files(folder: &Path) -> Result<Vec<PathBuf>, CatalogueError> {
    let unreadable = |source| CatalogueError::Unreadable { path: folder.to_owned(), source };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_with_a_run_is_read_back_without_its_files() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(
            folder.path().join("slow.toml"),
            "name = \"slow\"\nextends = \"iad\"\n[limits]\npoll_s = 60\n",
        )
        .unwrap();
        let catalogue = Catalogue::open(&[folder.path().to_owned()]).unwrap();
        let slow = catalogue.get("slow").unwrap();
        drop(folder);
        assert_eq!(restored(&slow.stored).unwrap(), *slow.profile);
        assert_eq!(slow.stored.layers.len(), 2);
    }

    #[test]
    fn a_name_that_is_taken_is_refused_with_both_files() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("x.toml"), IAD).unwrap();
        let error = Catalogue::open(&[folder.path().to_owned()]).unwrap_err().to_string();
        assert!(error.contains("iad.toml") && error.contains("x.toml"), "{error}");
    }
}
