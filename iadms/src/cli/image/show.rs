//! `iadms image show`.

use clap::Args;

use crate::cli::output::{self, fields, format_table, line};
use crate::cli::{Context, Exit, Failure, Output, encoded};
use crate::store::StoredImage;

/// Show an image's manifest
#[derive(Debug, Args)]
pub(in crate::cli) struct Show {
    /// The image's name
    image: String,
}

impl Show {
    pub(in crate::cli) async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let stored: StoredImage = context.client.get(&format!("/images/{}", encoded(&self.image))).await?;
        if context.output == Output::Json {
            output::json(&stored)?;
            return Ok(Exit::Success);
        }
        let manifest = &stored.image.manifest;
        let converter = manifest.converter.as_ref().map(|converter| converter.name.clone());
        let from = if manifest.from.is_empty() { "any version".to_owned() } else { manifest.from.join(", ") };
        fields(&[
            ("image", stored.image.name.clone()),
            ("version", manifest.version.clone()),
            ("hardware", manifest.hardware.join(", ")),
            ("over", from),
            ("format", manifest.format.map(|format| format.to_string()).unwrap_or_default()),
            ("converter", converter.unwrap_or_default()),
            ("SHA-256", stored.image.digest.to_string()),
            ("added", output::date_time(stored.at)),
        ])?;
        let row = |file: &upgrade::image::ImageFile| {
            [file.name.clone(), output::bytes(file.size), file.sha256.to_string()]
        };
        line("")?;
        line(&format_table(["FILE", "SIZE", "SHA-256"], manifest.files.iter().map(row).collect()))?;
        Ok(Exit::Success)
    }
}
