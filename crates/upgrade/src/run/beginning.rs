//! What a run begins with: which device, what is wanted, and how.

use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Expected, Policy};
use crate::configuration::{ConfigurationSet, Kind};
use crate::image::Image;
use crate::profile::Server;
use crate::{DeviceId, RunId, Time};

/// What a run begins with; see [`Run`](super::Run) for each field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beginning {
    /// Its number.
    pub id: RunId,
    /// The device.
    pub device: Subject,
    /// What is wanted.
    pub goal: Goal,
    /// How it is wanted.
    pub choices: Choices,
    /// The name of the profile.
    pub profile: String,
    /// The file server the device is told.
    pub server: Server,
    /// Random, at least 16 hexadecimal digits.
    pub secret: String,
    /// When it begins.
    pub begun: Time,
    /// What earlier runs of the device know of it.
    pub expected: Option<Expected>,
}

/// The device of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// Its number in the inventory.
    pub id: DeviceId,
    /// Its name.
    pub name: String,
    /// The address it answers at, from which its transfers come.
    pub address: IpAddr,
    /// What tells it from all others, where it is known already.
    pub unique_id: Option<String>,
}

/// What a run is to bring about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Goal {
    /// The image runs, with the configuration of before.
    Upgrade {
        /// The image.
        image: Arc<Image>,
    },
    /// The configuration is backed up.
    Backup,
    /// This configuration is on the device.
    Restore {
        /// The configuration.
        set: ConfigurationSet,
    },
    /// The software in the other buffer runs.
    RollBack,
    /// The device has restarted.
    Reset,
}

/// How a run is to go about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choices {
    /// The kinds of configuration to back up; empty: all.
    pub kinds: Vec<Kind>,
    /// Who decides after a failure.
    pub policy: Policy,
    /// How long a question may stay open, milliseconds; none: until it is answered.
    pub question_limit_ms: Option<u64>,
    /// Not to activate before.
    pub activate_at: Option<Time>,
    /// Whether the image may be loaded over the software that the device was left with and has left, and over settings that
    /// were changed in its other buffer since the last run.
    #[serde(default)]
    pub overwrite: bool,
}
