//! `iadms image manifest`.

use std::path::{Path, PathBuf};

use clap::Args;
use upgrade::image::{Converter, ImageFile, Manifest};

use super::add::measure;
use crate::cli::{Exit, Failure, output};

/// Write a manifest for given files on stdout, to be kept beside them
#[derive(Debug, Args)]
pub(in crate::cli) struct NewManifest {
    /// The files, in the order the device loads them
    #[arg(required = true)]
    files: Vec<PathBuf>,

    /// The software version, as the device will tell it
    #[arg(long = "for-version", value_name = "VERSION")]
    version: String,

    /// The hardware kinds it runs on
    #[arg(long, value_name = "KIND", value_delimiter = ',', required = true)]
    hardware: Vec<String>,

    /// The configuration format its software reads
    #[arg(long, value_name = "NUMBER")]
    format: Option<u32>,

    /// The versions it may be loaded over, each whole or as a prefix that ends in a dot; default: any
    #[arg(long, value_name = "VERSION", value_delimiter = ',')]
    from: Vec<String>,

    /// A program that converts configuration files to that format
    #[arg(long, value_name = "FILE")]
    converter: Option<PathBuf>,
}

impl NewManifest {
    pub(in crate::cli) fn run(self) -> Result<Exit, Failure> {
        let file = |path: &PathBuf| {
            let (size, sha256) = measure(path)?;
            Ok(ImageFile { name: name_of(path)?, size, sha256 })
        };
        let converter = |path: &PathBuf| {
            let (_, sha256) = measure(path)?;
            Ok::<_, Failure>(Converter { name: name_of(path)?, sha256 })
        };
        let manifest = Manifest {
            version: self.version,
            hardware: self.hardware,
            format: self.format,
            from: self.from,
            converter: self.converter.as_ref().map(converter).transpose()?,
            files: self.files.iter().map(file).collect::<Result<_, Failure>>()?,
        };
        manifest.check().map_err(|error| Failure::of(&error, "give other files or options"))?;
        output::line(text(&manifest).trim_end())?;
        Ok(Exit::Success)
    }
}

fn name_of(path: &Path) -> Result<String, Failure> {
    let name = path.file_name().and_then(|name| name.to_str());
    let error =
        || Failure::new(format!("{} has no name that a manifest can hold", path.display()), "rename it");
    name.map(str::to_owned).ok_or_else(error)
}

/// The manifest in TOML, in the order people read it.
fn text(manifest: &Manifest) -> String {
    // A text in JSON is one in TOML too, the control character DEL aside, which no name has.
    let quoted = |text: &String| serde_json::Value::String(text.clone()).to_string();
    let list = |texts: &[String]| format!("[{}]", texts.iter().map(quoted).collect::<Vec<_>>().join(", "));
    let mut out = format!("version = {}\n", quoted(&manifest.version));
    out.push_str(&format!("hardware = {}\n", list(&manifest.hardware)));
    if let Some(format) = manifest.format {
        out.push_str(&format!("format = {format}\n"));
    }
    if !manifest.from.is_empty() {
        out.push_str(&format!("from = {}\n", list(&manifest.from)));
    }
    for file in &manifest.files {
        let (name, size, sha256) = (quoted(&file.name), file.size, file.sha256);
        out.push_str(&format!("\n[[files]]\nname = {name}\nsize = {size}\nsha256 = \"{sha256}\"\n"));
    }
    if let Some(converter) = &manifest.converter {
        let (name, sha256) = (quoted(&converter.name), converter.sha256);
        out.push_str(&format!("\n[converter]\nname = {name}\nsha256 = \"{sha256}\"\n"));
    }
    out
}

#[cfg(test)]
mod tests {
    use upgrade::Digest;

    use super::*;

    #[test]
    fn a_manifest_reads_back_as_it_was_written() {
        let file = |name: &str| ImageFile { name: name.into(), size: 7, sha256: Digest([9; 32]) };
        let manifest = Manifest {
            version: "2.0 \"beta\"".into(),
            hardware: vec!["iad-8".into(), "iad-16".into()],
            format: Some(3),
            from: vec!["1.".into()],
            converter: Some(Converter { name: "convert.sh".into(), sha256: Digest([8; 32]) }),
            files: vec![file("boot.img"), file("main.img")],
        };
        assert_eq!(toml::from_str::<Manifest>(&text(&manifest)).unwrap(), manifest);
    }
}
