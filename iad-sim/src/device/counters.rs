//! What the laboratory counts of a device; the device itself knows nothing of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::operation::Command;

/// Of more operation ids than this the oldest are forgotten.
const IDS_KEPT: usize = 1024;

/// What the laboratory counts of a device.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Counters {
    /// What was seen of each operation id, the oldest first.
    pub operations: Vec<IdCount>,
    /// How many operations of each command were started.
    pub started: BTreeMap<Command, u32>,
    /// How many SETs that name an operation were refused.
    pub sets_refused: u32,
    /// How often power was lost.
    pub power_losses: u32,
    /// How often the device went back to other software by itself.
    pub fallbacks: u32,
    /// How many calls were cut by a restart or a loss of power.
    pub calls_cut: u32,
    /// How many notifications the device sent, before any was lost.
    pub notifications: u32,
}

/// What was seen of one operation id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct IdCount {
    /// The id.
    pub id: String,
    /// The command that was first seen with it.
    pub command: Command,
    /// How many SETs with it came in, `abort` excepted.
    pub seen: u32,
    /// How many of them started the operation: 1, or 0 if it was refused.
    pub started: u32,
}

impl Counters {
    /// A SET with this id came in.
    pub(crate) fn saw(&mut self, id: &str, command: Command, started: bool) {
        if started {
            *self.started.entry(command).or_default() += 1;
        }
        let count = u32::from(started);
        if let Some(known) = self.operations.iter_mut().find(|known| known.id == id) {
            known.seen += 1;
            known.started += count;
            return;
        }
        if self.operations.len() >= IDS_KEPT {
            self.operations.remove(0);
        }
        self.operations.push(IdCount { id: id.to_owned(), command, seen: 1, started: count });
    }

    /// What was seen of this id.
    pub fn operation(&self, id: &str) -> Option<&IdCount> {
        self.operations.iter().find(|known| known.id == id)
    }
}
