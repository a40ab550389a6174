//! `iadms image add`.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Args;
use sha2::{Digest as _, Sha256};
use upgrade::image::Manifest;
use upgrade::{Digest, Image};

use crate::api::NewImage;
use crate::cli::{Context, Exit, Failure, Output, output};

/// Add an image, by its manifest beside its files
///
/// The manifest is a TOML file: version, hardware (list), format, from (list), files (name, size, sha256 of each),
/// converter (name, sha256). `iadms image manifest` writes one for given files.
#[derive(Debug, Args)]
pub(in crate::cli) struct Add {
    /// The manifest
    manifest: PathBuf,

    /// The name to know the image by; default: the manifest's file name without .toml
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
}

impl Add {
    pub(in crate::cli) async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let manifest = read(&self.manifest)?;
        let stem = self.manifest.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        let name = self.name.or(stem).unwrap_or_default();
        let folder = self.manifest.parent().unwrap_or(Path::new(""));
        // Everything is checked here first: what is wrong is told before anything is sent.
        let mut paths = Vec::new();
        for file in &manifest.files {
            paths.push(check(&folder.join(&file.name), Some(file.size), file.sha256)?);
        }
        if let Some(converter) = &manifest.converter {
            paths.push(check(&folder.join(&converter.name), None, converter.sha256)?);
        }
        for path in paths {
            let file =
                tokio::fs::File::open(&path).await.map_err(|error| Failure::file("read", &path, &error))?;
            context.client.upload(file).await?;
        }
        let image: Image = context.client.post("/images", &NewImage { name, manifest }).await?;
        match context.output {
            Output::Json => output::json(&image)?,
            Output::Table => {
                let size = output::bytes(image.size());
                let hardware = image.manifest.hardware.join(", ");
                let version = &image.manifest.version;
                output::note(&format!(
                    "image {} was added: version {version} for {hardware}, {size}",
                    image.name
                ));
            }
        }
        Ok(Exit::Success)
    }
}

fn read(path: &Path) -> Result<Manifest, Failure> {
    let file = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::InvalidData => Failure::new(
            format!("{file} is no manifest: it is not text"),
            "name the manifest, not the image; `iadms image manifest` writes one for given files",
        ),
        _ => Failure::file("read", path, &error),
    })?;
    let manifest: Manifest = toml::from_str(&text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let next = "correct the manifest, or have one written: iadms image manifest";
        Failure::new(format!("{file}, line {line}: {}", error.message()), next)
    })?;
    let wrong = |error: upgrade::image::ManifestError| {
        Failure::new(format!("{file}: {error}"), "correct the manifest")
    };
    manifest.check().map_err(wrong)?;
    Ok(manifest)
}

fn check(path: &Path, size: Option<u64>, sha256: Digest) -> Result<PathBuf, Failure> {
    let (real_size, real_digest) = measure(path)?;
    let file = path.display();
    let next = "get the file or the manifest anew: one of them is not the maker's";
    if real_size == 0 {
        return Err(Failure::new(format!("{file} is empty"), next));
    }
    if let Some(size) = size.filter(|size| *size != real_size) {
        return Err(Failure::new(format!("{file} has {real_size} bytes, the manifest says {size}"), next));
    }
    if real_digest != sha256 {
        let error = format!("{file} has the SHA-256 {real_digest}, the manifest says {sha256}");
        return Err(Failure::new(error, next));
    }
    Ok(path.to_owned())
}

/// The size and the digest of a file.
pub(super) fn measure(path: &Path) -> Result<(u64, Digest), Failure> {
    let unreadable = |error| Failure::file("read", path, &error);
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        let error = format!("{} is no file", path.display());
        return Err(Failure::new(error, "name the files of the image"));
    }
    let mut file = File::open(path).map_err(unreadable)?;
    let (mut sum, mut size, mut piece) = (Sha256::new(), 0, vec![0; 128 * 1024]);
    loop {
        let length = file.read(&mut piece).map_err(unreadable)?;
        if length == 0 {
            return Ok((size, Digest(sum.finalize().into())));
        }
        sum.update(piece.get(..length).unwrap_or_default());
        size += length as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(manifest: &str, files: &[(&str, &[u8])]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("image.toml");
        std::fs::write(&path, manifest).unwrap();
        for (name, bytes) in files {
            std::fs::write(folder.path().join(name), bytes).unwrap();
        }
        let checked = read(&path).and_then(|manifest| {
            manifest.files.iter().try_for_each(|file| {
                check(&folder.path().join(&file.name), Some(file.size), file.sha256).map(drop)
            })
        });
        checked.expect_err("it is wrong").error
    }

    /// SHA-256 of "abc".
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    fn with_file(size: u64, digest: &str) -> String {
        let file = format!("[[files]]\nname = \"main.img\"\nsize = {size}\nsha256 = \"{digest}\"\n");
        format!("version = \"2.0\"\nhardware = [\"iad-8\"]\n{file}")
    }

    #[test]
    fn what_is_wrong_with_an_image_is_told_by_file_and_line() {
        let zero = "0".repeat(64);
        for (manifest, bytes, said) in [
            ("version = 2\n".to_owned(), &b"abc"[..], "image.toml, line 1"),
            ("version = \"2\"\nhardwear = []\n".to_owned(), b"abc", "line 2: unknown field `hardwear`"),
            (with_file(3, "xyz"), b"abc", "line 6: a SHA-256 digest has 64 hexadecimal digits"),
            (with_file(0, ABC), b"abc", "says that the file \"main.img\" is empty"),
            (with_file(4, ABC), b"abc", "main.img has 3 bytes, the manifest says 4"),
            (with_file(3, &zero), b"abc", "main.img has the SHA-256 ba78"),
            (with_file(3, ABC), b"", "main.img is empty"),
            (with_file(3, ABC).replace("main.img", "../main.img"), b"abc", "a plain file name"),
            (with_file(3, ABC).replace("main.img", "other.img"), b"abc", "cannot read"),
            (
                "version = \"2.0\"\nhardware = [\"iad-8\"]\nfiles = []\n".to_owned(),
                b"abc",
                "`files` is empty",
            ),
        ] {
            let error = failure(&manifest, &[("main.img", bytes)]);
            assert!(error.contains(said), "{error:?} says not {said:?}");
        }
    }
}
