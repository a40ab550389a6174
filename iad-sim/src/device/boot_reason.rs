//! Why a device started.

use serde::{Deserialize, Serialize};

/// Why the device started last (`iadSysBootReason`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BootReason {
    /// Power came back.
    PowerOn,
    /// An operation asked for it.
    Commanded,
    /// The software hung.
    Watchdog,
    /// Other software did not start, or was not confirmed.
    Fallback,
    /// The software crashed.
    Crash,
}

impl BootReason {
    /// The number in the MIB.
    pub fn number(self) -> i32 {
        match self {
            Self::PowerOn => 1,
            Self::Commanded => 2,
            Self::Watchdog => 3,
            Self::Fallback => 4,
            Self::Crash => 5,
        }
    }
}
