//! Why an operation failed, for people to read and for the figure to decide by.

use serde::{Deserialize, Serialize};

use crate::Digest;
use crate::configuration::Kind;
use crate::reading::{Buffer, Software};

/// Why an operation, or a check between two operations, failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// The device says so (row H6).
    #[error("the device reports: {0}")]
    Device(String),
    /// The time was up (row H7).
    #[error("the time was up after {0} s without a sign that it was done")]
    TimeLimit(u64),
    /// No progress in the time that the profile gives, so many seconds.
    #[error("no progress for {0} s")]
    Stalled(u64),
    /// The device does not answer: for so many seconds, or (0) at the one look that it gets.
    #[error("the device did not answer{span} ({1})", span = spelled(*.0))]
    Unreachable(u64, String),
    /// It answers what it is asked, and leaves so many commands unanswered.
    #[error("the device answers questions, but left {0} commands unanswered: check its write community")]
    Unheeded(u32),
    /// Somebody else's operation is under way there.
    #[error("the device is busy with another operation ({0})")]
    Busy(String),
    /// Somebody else's operation was carried out there since the SET, which may have been carried out before it, or not.
    #[error("another operation ({0}) came in between: what became of this one, the device cannot tell")]
    Superseded(String),
    /// The device refused the SET.
    #[error("the device refused the command ({0})")]
    Refused(String),
    /// It cannot be done on this device.
    #[error("{0}")]
    Impossible(String),
    /// The device restarted in the middle (row H18).
    #[error("the device restarted in the middle of it")]
    Restarted,
    /// It runs something else than it should.
    #[error("the device runs {running}, not {wanted}")]
    WrongVersion {
        /// What runs.
        running: String,
        /// What should.
        wanted: String,
    },
    /// The settings changed since the backup (row S16).
    #[error("the configuration was changed in between")]
    RevisionMoved,
    /// The device says that it is done, the file server has not seen it.
    #[error("the device says that it is done, but the file server did not see {0} whole")]
    NotTransferred(String),
    /// The file that came is not what the device says it sent.
    #[error("the {0} that came is not what the device holds: {1} bytes came, it holds {2}")]
    Truncated(Kind, u64, u64),
    /// Other bytes came than the device holds, or says that it sent.
    #[error("the {0} that came is not what the device holds: the digests differ")]
    Altered(Kind),
    /// The device says that it is done, its state says otherwise.
    #[error("the device says that it is done, but {0}")]
    NotSo(String),
    /// The device is not in order with the new software (row B4).
    #[error("the device reports bad health")]
    Unhealthy,
    /// An operator stopped it.
    #[error("it was stopped by an operator")]
    Stopped,
    /// The manager's converter failed.
    #[error("the converter failed: {0}")]
    Converter(String),
    /// A fault of the manager's own storage or file server.
    #[error("at the manager: {0}")]
    Manager(String),
}

impl Cause {
    /// Under its version a buffer holds something else than the image that was loaded: others may have loaded it meanwhile.
    /// None where the device does not tell.
    pub(crate) fn of_image(buffer: &Buffer, loaded: Digest) -> Option<Self> {
        let version = &buffer.version;
        buffer.digest.filter(|told| *told != loaded).map(|_| {
            Self::NotSo(format!("what the device holds as {version} is not the image that was loaded"))
        })
    }

    /// Others have the device try what it runs.
    pub(crate) fn on_trial(version: &str) -> Self {
        Self::Impossible(format!(
            "the device runs {version} on trial; it must be confirmed or fall back first"
        ))
    }

    /// What runs is not what should; none where it is.
    pub fn of_software(running: Software<'_>, wanted: Software<'_>) -> Option<Self> {
        let spelled = |software: Software<'_>| match software.buffer {
            Some(buffer) if running.version == wanted.version => {
                format!("{} in buffer {buffer}", software.version)
            }
            _ => software.version.to_owned(),
        };
        (!running.is(wanted))
            .then(|| Self::WrongVersion { running: spelled(running), wanted: spelled(wanted) })
    }
}

fn spelled(seconds: u64) -> String {
    if seconds == 0 { String::new() } else { format!(" for {seconds} s") }
}
