//! A software buffer: the flash memory that holds one image.

use serde::{Deserialize, Serialize};

use super::digest::Digest;
use super::image::{BootBehaviour, Header};

/// What a software buffer holds (`iadSoftwareState`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BufferState {
    /// Nothing.
    Empty,
    /// A part of an image, while it is being loaded.
    Writing,
    /// A whole image.
    Valid,
    /// A part of an image, or one that cannot start.
    Invalid,
}

/// One software buffer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Buffer {
    /// What it holds.
    pub state: BufferState,
    /// The version of its software, empty unless valid.
    pub version: String,
    /// How many bytes were written.
    pub size: u64,
    /// The digest of the image, if it is whole.
    pub sha256: Option<Digest>,
    /// The header of the image; there is none when the image was garbage.
    pub header: Option<Header>,
    /// Whether the image is what its header announced, which the boot loader checks.
    pub intact: bool,
}

impl Buffer {
    /// A buffer with nothing in it.
    pub fn empty() -> Self {
        Self {
            state: BufferState::Empty,
            version: String::new(),
            size: 0,
            sha256: None,
            header: None,
            intact: false,
        }
    }

    /// A buffer as delivered by the manufacturer, with `size` bytes of this version.
    pub fn delivered(version: &str, hardware: &str, format: u32, size: u64) -> Self {
        let sha256 = Digest::of(format!("delivered {version} {hardware} {format} {size}").as_bytes());
        let header = Header {
            version: version.to_owned(),
            hardware: vec![hardware.to_owned()],
            format,
            converts_from: (1..format).collect(),
            boot: BootBehaviour::Ok,
            payload_size: size,
            payload_sha256: sha256,
        };
        Self {
            state: BufferState::Valid,
            version: version.to_owned(),
            size,
            sha256: Some(sha256),
            header: Some(header),
            intact: true,
        }
    }

    /// Whether it holds a whole image.
    pub fn is_valid(&self) -> bool {
        self.state == BufferState::Valid
    }

    /// Whether the boot loader starts it on this hardware.
    pub fn is_bootable(&self, hardware: &str) -> bool {
        let fits = |header: &Header| header.hardware.iter().any(|kind| kind == hardware);
        self.is_valid() && self.intact && self.header.as_ref().is_some_and(fits)
    }

    /// The format of configuration that its software reads, 0 if there is none.
    pub fn format(&self) -> u32 {
        self.header.as_ref().filter(|_| self.is_valid()).map_or(0, |header| header.format)
    }
}
