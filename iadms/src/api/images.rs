//! `/images`: what devices may load.

use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use upgrade::image::Manifest;
use upgrade::{Digest, Image};

use super::files::blocking;
use super::{Api, Body, Refused};
use crate::files::{FileError, Files};
use crate::inventory::is_name;
use crate::store::StoredImage;

/// An image whose files were stored before.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NewImage {
    /// Its name.
    pub name: String,
    /// Its manifest.
    pub manifest: Manifest,
}

pub(super) async fn list(State(api): State<Api>) -> Result<Body<Vec<StoredImage>>, Refused> {
    Ok(Body(api.store.images().await?))
}

pub(super) async fn show(
    State(api): State<Api>,
    Path(name): Path<String>,
) -> Result<Body<StoredImage>, Refused> {
    Ok(Body(api.store.image(&name).await?))
}

/// Adds an image once each of its files has proven to be here and whole.
pub(super) async fn add(State(api): State<Api>, Body(new): Body<NewImage>) -> Result<Body<Image>, Refused> {
    let refused = |error: String| Refused::invalid(error, "correct it; nothing was added");
    if !is_name(&new.name) {
        let expected = "1 to 64 letters, digits, '.', '_' or '-' were expected, the first a letter or digit";
        return Err(refused(format!("the image name {:?} will not do: {expected}", new.name)));
    }
    new.manifest.check().map_err(|error| refused(error.to_string()))?;
    let (files, manifest) = (api.files.clone(), new.manifest.clone());
    let digest = blocking(move || Ok(whole(&files, &manifest))).await?.map_err(refused)?;
    let image = Image { name: new.name, manifest: new.manifest, digest };
    let now = api.handle.status().await?.now;
    api.store.add_image(&image, now).await?;
    Ok(Body(image))
}

/// Checks every file of the manifest; tells the digest of all of them together, or what is wrong.
pub(super) fn whole(files: &Files, manifest: &Manifest) -> Result<Digest, String> {
    let mut sum = Sha256::new();
    for file in &manifest.files {
        let read = |error: FileError| format!("file {:?} of the image: {error}", file.name);
        let bytes = files.read(file.sha256).map_err(read)?;
        let size = bytes.len() as u64;
        if size != file.size {
            let (name, told) = (&file.name, file.size);
            return Err(format!("file {name:?} of the image has {size} bytes, its manifest says {told}"));
        }
        sum.update(&bytes);
    }
    if let Some(converter) = &manifest.converter {
        let read = |error: FileError| format!("converter {:?} of the image: {error}", converter.name);
        files.verify(converter.sha256).map_err(read)?;
    }
    Ok(Digest(sum.finalize().into()))
}
