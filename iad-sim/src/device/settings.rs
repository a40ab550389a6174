//! What one simulated device is: who it is, what it can do and how fast. Nothing of this changes while it exists.

use core::time::Duration;

use serde::{Deserialize, Serialize};

/// Who the device is, what it can do and how fast.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Settings {
    /// The identity, which no other device has (1 to 64 octets).
    pub unique_id: String,
    /// The number from which the slot of a delay is computed.
    pub number: u32,
    /// The name under which the device is sold.
    pub model: String,
    /// The kind of hardware, which an image names.
    pub hardware: String,
    /// What the device can do.
    pub capabilities: Capabilities,
    /// The size of each software buffer in bytes.
    pub buffer_capacity: u64,
    /// How long things take.
    pub timing: Timing,
    /// How many calls there are as long as they are admitted.
    pub calls: u32,
    /// A progress notification is sent each time so many more percent are done (1 to 100).
    pub progress_step_percent: u32,
}

/// What the device can do (`iadSysCapabilities`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Capabilities {
    /// Two software buffers.
    pub dual_image: bool,
    /// Other software runs only after a restart.
    pub needs_reset: bool,
    /// Has a conversion program.
    pub convert: bool,
    /// Moves files by TFTP.
    pub tftp: bool,
    /// Moves files by FTP.
    pub ftp: bool,
    /// Takes images that the manager writes by TFTP.
    pub push: bool,
    /// Its notifications are INFORMs.
    pub inform: bool,
}

/// How long things take. A zero means at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Timing {
    /// From power on, or a restart, to the first answer.
    pub boot: Duration,
    /// Erasing a software buffer.
    pub erase: Duration,
    /// How many bytes per second go into flash; 0: as fast as they come.
    pub flash_bytes_per_second: u64,
    /// Switching to other software without a restart.
    pub activate: Duration,
    /// One run of the conversion program.
    pub convert: Duration,
    /// Applying a configuration.
    pub apply: Duration,
    /// How long the device hangs before its watchdog restarts it.
    pub watchdog: Duration,
    /// The longest call.
    pub call: Duration,
}

impl Settings {
    /// A device of the usual kind with this number: two buffers of 16 MiB, restarts into new software, converts, TFTP and FTP.
    pub fn numbered(number: u32) -> Self {
        Self {
            unique_id: format!("IAD-{number:06}"),
            number,
            model: "Simulated IAD 8".to_owned(),
            hardware: "iad-8".to_owned(),
            capabilities: Capabilities::default(),
            buffer_capacity: 16 << 20,
            timing: Timing::default(),
            calls: 0,
            progress_step_percent: 10,
        }
    }
}

impl Default for Capabilities {
    fn default() -> Self {
        Self {
            dual_image: true,
            needs_reset: true,
            convert: true,
            tftp: true,
            ftp: true,
            push: false,
            inform: false,
        }
    }
}

impl Capabilities {
    /// The value of `iadSysCapabilities`, whose first bit is the highest of the first octet (RFC 3417 section 8).
    pub fn bits(self) -> [u8; 1] {
        let named = [
            self.dual_image,
            self.needs_reset,
            self.convert,
            self.tftp,
            self.ftp,
            self.push,
            false,
            self.inform,
        ];
        [named.iter().fold(0, |octet, bit| octet << 1 | u8::from(*bit))]
    }
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            boot: Duration::from_millis(500),
            erase: Duration::from_millis(100),
            flash_bytes_per_second: 0,
            activate: Duration::from_millis(100),
            convert: Duration::from_millis(100),
            apply: Duration::from_millis(100),
            watchdog: Duration::from_secs(2),
            call: Duration::from_secs(180),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_are_bits_with_the_first_one_highest() {
        assert_eq!(Capabilities::default().bits(), [0b1111_1000]);
        let hot = Capabilities { needs_reset: false, inform: true, ..Capabilities::default() };
        assert_eq!(hot.bits(), [0b1011_1001]);
    }
}
