//! `iadms image list`.

use clap::Args;

use crate::cli::{Context, Exit, Failure, Output, output};
use crate::store::StoredImage;

/// List the images
#[derive(Debug, Args)]
pub(in crate::cli) struct List {}

impl List {
    pub(in crate::cli) async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let images: Vec<StoredImage> = context.client.get("/images").await?;
        if context.output == Output::Json {
            output::json(&images)?;
            return Ok(Exit::Success);
        }
        let row = |stored: &StoredImage| {
            let manifest = &stored.image.manifest;
            [
                stored.image.name.clone(),
                manifest.version.clone(),
                manifest.hardware.join(", "),
                output::or_dash(manifest.format),
                output::bytes(stored.image.size()),
                manifest.files.len().to_string(),
                output::date_time(stored.at),
            ]
        };
        let headers = ["IMAGE", "VERSION", "HARDWARE", "FORMAT", "SIZE", "FILES", "ADDED"];
        let none = "there is no image; add one with `iadms image add`";
        output::table(headers, images.iter().map(row).collect(), none)?;
        Ok(Exit::Success)
    }
}
