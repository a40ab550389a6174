//! `iad-sim image`

use std::fs;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::output::{Failure, Output, table};
use super::run::size;
use crate::device::Digest;
use crate::device::image::{BootBehaviour, Header, Plan, make};

/// Make and look at images for simulated devices
#[derive(Debug, Subcommand)]
pub(super) enum Image {
    Make(Make),
    Show(Show),
}

/// Make an image of one or several files
#[derive(Debug, Args)]
pub(super) struct Make {
    /// The version of the software
    #[arg(long)]
    version: String,
    /// The kinds of hardware that it runs on
    #[arg(long, value_delimiter = ',', default_value = "iad-8")]
    hardware: Vec<String>,
    /// The format of configuration that it reads
    #[arg(long, default_value_t = 1)]
    format: u32,
    /// The formats from which it converts; without it, all older ones
    #[arg(long, value_delimiter = ',')]
    converts_from: Option<Vec<u32>>,
    /// What happens when it is started: ok, loop, hang or unhealthy
    #[arg(long, default_value = "ok", value_parser = boot)]
    boot: BootBehaviour,
    /// How much follows the header
    #[arg(long, default_value = "1MiB", value_parser = size)]
    size: u64,
    /// From what the content is made
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Into how many files the image is cut
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    files: u32,
    /// The folder into which the files go
    #[arg(short = 'o', long, value_name = "FOLDER")]
    folder: PathBuf,
    #[command(flatten)]
    output: Output,
}

/// Show what the header of an image says
#[derive(Debug, Args)]
pub(super) struct Show {
    /// The first file of the image
    file: PathBuf,
    #[command(flatten)]
    output: Output,
}

/// A file of an image.
#[derive(Debug, Serialize)]
struct ImageFile {
    path: PathBuf,
    size: usize,
    sha256: Digest,
}

impl Image {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Make(make) => make.run(),
            Self::Show(show) => show.run(),
        }
    }
}

impl Make {
    fn run(self) -> Result<(), Failure> {
        let plan = Plan {
            version: self.version.clone(),
            hardware: self.hardware,
            format: self.format,
            converts_from: self.converts_from.unwrap_or_else(|| (1..self.format).collect()),
            boot: self.boot,
            payload_size: usize::try_from(self.size).unwrap_or(usize::MAX),
            seed: self.seed,
            files: usize::try_from(self.files).unwrap_or(1),
        };
        let contents = make(&plan);
        let file_error = |path: &PathBuf| {
            let path = path.clone();
            move |cause| Failure::File { path, cause }
        };
        fs::create_dir_all(&self.folder).map_err(file_error(&self.folder))?;
        let mut files = Vec::new();
        for (place, content) in contents.iter().enumerate() {
            let name = match contents.len() {
                1 => format!("iad-sim-{}.img", self.version),
                _ => format!("iad-sim-{}.{}.img", self.version, place + 1),
            };
            let path = self.folder.join(name);
            fs::write(&path, content).map_err(file_error(&path))?;
            files.push(ImageFile { path, size: content.len(), sha256: Digest::of(content) });
        }
        self.output.write(&files, |files| {
            let row = |file: &ImageFile| {
                vec![file.path.display().to_string(), file.size.to_string(), file.sha256.to_string()]
            };
            table(&["FILE", "SIZE", "SHA-256"], files.iter().map(row))
        })
    }
}

impl Show {
    fn run(self) -> Result<(), Failure> {
        let content =
            fs::read(&self.file).map_err(|cause| Failure::File { path: self.file.clone(), cause })?;
        let (header, _) = Header::parse(&content)
            .map_err(|error| Failure::Refused(format!("{}: {error}", self.file.display())))?;
        self.output.write(&header, |header| {
            let formats: Vec<String> = header.converts_from.iter().map(u32::to_string).collect();
            format!(
                "version {}\nhardware {}\nformat {}, converts from {}\nboot {:?}\npayload {} bytes, SHA-256 {}",
                header.version,
                header.hardware.join(", "),
                header.format,
                if formats.is_empty() { "none".to_owned() } else { formats.join(", ") },
                header.boot,
                header.payload_size,
                header.payload_sha256
            )
        })
    }
}

fn boot(text: &str) -> Result<BootBehaviour, String> {
    BootBehaviour::from_text(text).ok_or_else(|| "this is none of ok, loop, hang and unhealthy".to_owned())
}
