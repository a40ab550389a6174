//! What can be asked of a device, and the files that go with it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::Digest;
use crate::configuration::{ConfigurationSet, Kind, StoredFile};
use crate::image::{Image, ImageFile};
use crate::profile::Command;

/// What is asked of a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// Take the address of the file server (row H1).
    ConfigureServer {
        /// The address, as text.
        address: String,
        /// The port.
        port: u16,
    },
    /// Send the configuration of these kinds (row H4); done without a transfer where `have` is the same.
    Backup {
        /// The kinds.
        kinds: Vec<Kind>,
        /// An earlier backup of this run.
        have: Option<ConfigurationSet>,
    },
    /// Load the image into the standby buffer.
    Download {
        /// The image.
        image: Arc<Image>,
    },
    /// Run the version in the standby buffer, on trial for `trial_s` seconds unless that is 0.
    Activate {
        /// The version.
        version: String,
        /// The SHA-256 of the image that was loaded; none in what was stored by an older iadms.
        #[serde(default)]
        digest: Option<Digest>,
        /// Seconds of trial.
        trial_s: u32,
        /// The configuration revision that was backed up; 0: any.
        revision: u32,
        /// By a restart of the whole device, or hot.
        restart: bool,
    },
    /// Restart with the same software.
    Reset,
    /// Run the version of before, confirmed, whatever runs now.
    RollBack {
        /// The version of before.
        version: String,
        /// The index of its buffer; none: any that holds the version.
        #[serde(default)]
        buffer: Option<u32>,
        /// The configuration revision that was backed up; 0: any.
        #[serde(default)]
        revision: u32,
    },
    /// Convert the configuration of the version before, and send it.
    Convert {
        /// The kinds.
        kinds: Vec<Kind>,
    },
    /// Take these files and apply them.
    Restore {
        /// The files.
        set: ConfigurationSet,
        /// What may be written over, and nothing else is; none: whatever is found.
        #[serde(default)]
        over: Option<Vec<ConfigurationSet>>,
        /// The operation that the device shows as long as nothing that this would undo was begun. While it does, there
        /// is nothing to restore.
        #[serde(default)]
        unless: Option<String>,
        /// Whether it repeats one that was interrupted, of which a part may be in force.
        #[serde(default)]
        repeats: bool,
    },
    /// Keep the version on trial.
    Confirm {
        /// The version.
        version: String,
    },
    /// Stop whatever of this run is under way.
    Stop,
    /// Take no new calls.
    CloseCalls,
    /// Take calls again.
    OpenCalls,
}

impl Task {
    /// Takes these files, over nothing but `over`.
    pub const fn restore(set: ConfigurationSet, over: Option<Vec<ConfigurationSet>>) -> Self {
        Self::Restore { set, over, unless: None, repeats: false }
    }

    /// The command that asks for it.
    pub const fn command(&self) -> Command {
        match self {
            Self::ConfigureServer { .. } => Command::ConfigureServer,
            Self::Backup { .. } => Command::Backup,
            Self::Download { .. } => Command::Download,
            Self::Activate { restart: true, .. } | Self::Reset => Command::Reset,
            Self::Activate { restart: false, .. } => Command::Activate,
            Self::RollBack { .. } => Command::RollBack,
            Self::Convert { .. } => Command::Convert,
            Self::Restore { .. } => Command::Restore,
            Self::Confirm { .. } => Command::Confirm,
            Self::Stop => Command::Abort,
            Self::CloseCalls => Command::CloseCalls,
            Self::OpenCalls => Command::OpenCalls,
        }
    }

    /// Whether the SET itself does it, without an operation at the device.
    pub const fn is_immediate(&self) -> bool {
        matches!(self, Self::ConfigureServer { .. } | Self::CloseCalls | Self::OpenCalls)
    }

    /// Whether the device restarts on it.
    pub(super) const fn restarts(&self) -> bool {
        matches!(self, Self::Activate { restart: true, .. } | Self::Reset | Self::RollBack { .. })
    }

    /// The files it takes, with the kind and, where the device reads, what it reads.
    pub fn files(&self) -> Vec<(Option<Kind>, Option<StoredFile>)> {
        match self {
            Self::Backup { kinds, .. } | Self::Convert { kinds } => {
                kinds.iter().map(|kind| (Some(kind.clone()), None)).collect()
            }
            Self::Download { image } => {
                let stored = |file: &ImageFile| StoredFile { digest: file.sha256, size: file.size };
                image.manifest.files.iter().map(|file| (None, Some(stored(file)))).collect()
            }
            Self::Restore { set, .. } => {
                set.files.iter().map(|(kind, file)| (Some(kind.clone()), Some(*file))).collect()
            }
            _ => Vec::new(),
        }
    }
}
