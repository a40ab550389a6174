//! What became of files that were to go over.

use core::time::Duration;

use crate::report::Round;
use crate::usage::Usage;

/// What became of all transfers of a round.
#[derive(Debug, Default)]
pub(crate) struct Moved {
    /// From the first request to the end of the last transfer.
    pub(crate) took: Duration,
    /// Bytes of files that went over whole and right.
    pub(crate) bytes: u64,
    /// Transfers that failed, and why the first did.
    pub(crate) failed: u32,
    pub(crate) why: Option<String>,
    /// Datagrams that the kernel dropped at the clients.
    pub(crate) dropped: u64,
}

impl Moved {
    /// A transfer ended, with so many bytes, or did not.
    pub(crate) fn count(&mut self, ended: Result<u64, String>) {
        match ended {
            Ok(bytes) => self.bytes += bytes,
            Err(why) => {
                self.failed += 1;
                self.why.get_or_insert(why);
            }
        }
    }

    /// As it is reported, in MB/s. The processor time of some servers cannot be told.
    pub(crate) fn round(self, usage: Usage, is_told_its_time: bool) -> Round {
        let gigabytes = self.bytes as f64 / 1e9;
        let mut notes = Vec::new();
        if self.failed > 0 {
            notes.push(format!("{} failed: {}", self.failed, self.why.unwrap_or_default()));
        }
        if self.dropped > 0 {
            notes.push(format!("{} datagrams dropped at the clients", self.dropped));
        }
        Round {
            figure: gigabytes * 1e3 / self.took.as_secs_f64().max(1e-9),
            failed: self.failed,
            cpu: (gigabytes > 0.0 && is_told_its_time).then(|| usage.cpu.as_secs_f64() / gigabytes),
            memory: Some(usage.memory),
            notes,
        }
    }
}
