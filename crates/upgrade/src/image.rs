//! Images and their manifests: what a device may load, and what must be true of the device first.

use serde::{Deserialize, Serialize};

use crate::Digest;

/// A stored image. Preflight and judging decide from its manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// The name operators give it; unique.
    pub name: String,
    /// What its maker says of it.
    pub manifest: Manifest,
    /// SHA-256 over the bytes of all files in their order: what a device tells of the buffer that holds it.
    pub digest: Digest,
}

impl Image {
    /// Bytes of all files together.
    pub fn size(&self) -> u64 {
        self.manifest.files.iter().map(|file| file.size).sum()
    }
}

/// The manifest: a TOML file beside the image's files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The software version, as the device will tell it.
    pub version: String,
    /// The hardware kinds it runs on.
    pub hardware: Vec<String>,
    /// The configuration format its software reads; none where formats are not numbered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<u32>,
    /// The versions it may be loaded over, each whole or as a prefix that ends in `.`; empty: any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub from: Vec<String>,
    /// A program at the manager that converts configuration files to the image's format, beside the manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub converter: Option<Converter>,
    /// The files, in the order the device loads them.
    pub files: Vec<ImageFile>,
}

/// One file of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageFile {
    /// The file's name beside the manifest.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// SHA-256 of its bytes.
    pub sha256: Digest,
}

/// A program that reads a configuration file on its standard input and writes it converted to its standard
/// output; its arguments are the kind, the format of the file and the format wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Converter {
    /// The program's file name beside the manifest.
    pub name: String,
    /// SHA-256 of the program.
    pub sha256: Digest,
}

/// What is wrong with a manifest that could be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// A field that must say something says nothing.
    #[error("the manifest's `{0}` is empty")]
    Empty(&'static str),
    /// A name that leads out of the manifest's folder, or is none.
    #[error("the manifest names the file {0:?}: a plain file name beside the manifest was expected")]
    FileName(String),
    /// The same file twice.
    #[error("the manifest names the file {0:?} twice")]
    Twice(String),
    /// A file without bytes.
    #[error("the manifest says that the file {0:?} is empty")]
    NoBytes(String),
}

impl Manifest {
    /// Checks what the form alone cannot.
    ///
    /// # Errors
    ///
    /// What is missing, doubled or leads elsewhere.
    pub fn check(&self) -> Result<(), ManifestError> {
        let blank = |text: &String| text.trim().is_empty();
        if blank(&self.version) {
            return Err(ManifestError::Empty("version"));
        }
        if self.hardware.is_empty() || self.hardware.iter().any(blank) {
            return Err(ManifestError::Empty("hardware"));
        }
        if self.files.is_empty() {
            return Err(ManifestError::Empty("files"));
        }
        let names = self.files.iter().map(|file| &file.name).chain(self.converter.iter().map(|c| &c.name));
        for name in names {
            if blank(name) || name.starts_with('.') || name.contains(['/', '\\', '\0']) {
                return Err(ManifestError::FileName(name.clone()));
            }
        }
        for (position, file) in self.files.iter().enumerate() {
            if file.size == 0 {
                return Err(ManifestError::NoBytes(file.name.clone()));
            }
            if self.files.iter().take(position).any(|earlier| earlier.name == file.name) {
                return Err(ManifestError::Twice(file.name.clone()));
            }
        }
        Ok(())
    }

    /// Whether it may be loaded over `version`.
    pub fn may_follow(&self, version: &str) -> bool {
        self.from.is_empty()
            || self
                .from
                .iter()
                .any(|from| from == version || (from.ends_with('.') && version.starts_with(from.as_str())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        Manifest {
            version: "2.0".into(),
            hardware: vec!["iad-8".into()],
            format: Some(2),
            from: vec!["1.".into(), "0.9".into()],
            converter: None,
            files: vec![ImageFile { name: "main.img".into(), size: 9, sha256: Digest([1; 32]) }],
        }
    }

    #[test]
    fn an_upgrade_path_is_a_version_or_a_prefix() {
        for (version, may) in [("1.7", true), ("0.9", true), ("0.9.1", false), ("10.1", false), ("3", false)]
        {
            assert_eq!(manifest().may_follow(version), may, "{version}");
        }
    }

    #[test]
    fn a_manifest_with_a_way_out_of_its_folder_is_refused() {
        assert_eq!(manifest().check(), Ok(()));
        for name in ["../x", "/etc/passwd", ".hidden", "", "a\\b"] {
            let mut wrong = manifest();
            wrong.files[0].name = name.into();
            assert_eq!(wrong.check(), Err(ManifestError::FileName(name.into())));
        }
        let mut twice = manifest();
        twice.files.push(twice.files[0].clone());
        assert_eq!(twice.check(), Err(ManifestError::Twice("main.img".into())));
    }
}
