//! Configuration files between the daemon and an operator's folder: one file for each kind, named as the kind.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use upgrade::{ConfigurationSet, Digest, Kind};

use super::{Context, Failure};
use crate::api::AnswerRequest;

/// Beside exported files: of which backup they are.
const ORIGIN: &str = ".iadms-exported";

/// Writes the files of a configuration into `folder`, which is made where it is missing. No file is written over. They
/// hold secrets: only their owner may read them.
///
/// # Errors
///
/// A file is there already, or cannot be written.
pub(super) async fn export(
    context: &Context,
    set: &ConfigurationSet,
    folder: &Path,
) -> Result<Vec<PathBuf>, Failure> {
    make(folder)?;
    let mut paths = Vec::with_capacity(set.files.len());
    for (kind, file) in &set.files {
        let path = folder.join(file_name(kind)?);
        write_new(&path, &context.client.fetch(file).await?)?;
        paths.push(path);
    }
    Ok(paths)
}

/// The same, to be edited and handed in again: a file beside them tells of which backup they are.
///
/// # Errors
///
/// As for [`export`].
pub(super) async fn export_to_edit(
    context: &Context,
    backup: &ConfigurationSet,
    folder: &Path,
) -> Result<Vec<PathBuf>, Failure> {
    let origin = folder.join(ORIGIN);
    let of: BTreeMap<_, _> = backup.files.iter().map(|(kind, file)| (kind, file.digest)).collect();
    let told = serde_json::to_vec(&of).map_err(|error| cannot_write(&origin, &error.into()))?;
    make(folder)?;
    // It comes first: files without it would be taken for whatever is backed up by then.
    write_new(&origin, &told)?;
    let exported = export(context, backup, folder).await;
    if exported.is_err() {
        let _ = std::fs::remove_file(&origin);
    }
    exported
}

fn make(folder: &Path) -> Result<(), Failure> {
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|error| Failure::file("make the folder", folder, &error))
}

fn write_new(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let opened = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut opened = opened.map_err(|error| cannot_write(path, &error))?;
    if let Err(error) = opened.write_all(bytes).and_then(|()| opened.sync_all()) {
        // Half a configuration would be taken for a whole one.
        let _ = std::fs::remove_file(path);
        return Err(cannot_write(path, &error));
    }
    Ok(())
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Failure {
    if error.kind() == ErrorKind::AlreadyExists {
        let error = format!("{} is there already, and no file is written over", path.display());
        return Failure::new(error, "give a folder that is new or empty");
    }
    Failure::file("write", path, error)
}

/// Hands the daemon one file of each kind out of `folder`, for the answer `edited`.
///
/// # Errors
///
/// A file is missing, empty or cannot be read.
pub(super) async fn hand_in(
    context: &Context,
    folder: &Path,
    kinds: &[Kind],
) -> Result<AnswerRequest, Failure> {
    let of = origin(folder)?;
    // All are looked at before the first is sent.
    let mut opened = Vec::with_capacity(kinds.len());
    for kind in kinds {
        let path = folder.join(file_name(kind)?);
        let unreadable = |error| cannot_read(kind, &path, &error);
        let file = tokio::fs::File::open(&path).await.map_err(unreadable)?;
        let about = file.metadata().await.map_err(unreadable)?;
        if !about.is_file() {
            let error = format!("{} is no file; the edited {kind} was expected", path.display());
            return Err(Failure::new(error, "put one file for each kind there"));
        }
        if about.len() == 0 {
            let error = format!("{} is empty; the edited {kind} was expected", path.display());
            return Err(Failure::new(error, "write the file, then answer again"));
        }
        opened.push((kind.clone(), file));
    }
    let mut files = BTreeMap::new();
    for (kind, file) in opened {
        files.insert(kind, context.client.upload(file).await?);
    }
    Ok(AnswerRequest::Edited { files, of })
}

/// The digests of the files that were exported into the folder; none where they come from elsewhere.
fn origin(folder: &Path) -> Result<Option<BTreeMap<Kind, Digest>>, Failure> {
    let path = folder.join(ORIGIN);
    let unreadable = |error: std::io::Error| Failure::file("read", &path, &error);
    match std::fs::read(&path) {
        Ok(told) => serde_json::from_slice(&told).map(Some).map_err(|error| unreadable(error.into())),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(unreadable(error)),
    }
}

fn cannot_read(kind: &Kind, path: &Path, error: &std::io::Error) -> Failure {
    if error.kind() == ErrorKind::NotFound {
        let error = format!("there is no {}: the edited {kind} was expected there", path.display());
        return Failure::new(error, "put one file for each kind there, the unchanged ones too");
    }
    Failure::file("read", path, error)
}

/// A profile names its kinds; none may lead out of the folder.
fn file_name(kind: &Kind) -> Result<&str, Failure> {
    let plain = !kind.0.is_empty() && !kind.0.starts_with('.') && !kind.0.contains(['/', '\0']);
    let refused = || {
        Failure::new(
            format!("the kind {:?} cannot be the name of a file", kind.0),
            "give the kind another name in its profile",
        )
    };
    if plain { Ok(&kind.0) } else { Err(refused()) }
}
