//! What the director is told, and what it proposes.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use snmp::usm::EngineId;
use upgrade::image::Converter;
use upgrade::run::{Answer, BackedUp, Event, Story};
use upgrade::{ConfigurationSet, DeviceId, Kind, Run, RunId, StoredFile, Time};

use super::Entry;
use crate::access::Access;
use crate::commander::{self, Ask};
use crate::file_server::{Order, Report};
use crate::listener::{Heard, Learnt};

/// What the director is told.
#[derive(Debug, Clone)]
pub enum Input {
    /// A new run; [`Event::Begin`] is given to it.
    Start(Box<Entry>),
    /// A run as it was stored when the manager ended; it looks before it goes on.
    Resume(Box<Entry>),
    /// A device is spoken to in another way from now on, or the file server is at another address.
    Moved {
        /// The device's run.
        run: RunId,
        /// How the device is spoken to.
        access: Access,
        /// Where the file server listens, as the device is told it.
        server: SocketAddr,
    },
    /// A device answered, or did not.
    Answer(commander::Answer),
    /// A device notified.
    Heard(Heard),
    /// Notifications were lost: every device under way is looked at soon.
    Gap,
    /// What a device notifies is authentic and not of now: it is looked at soon, and tells its time.
    Doubted(DeviceId),
    /// The file server tells.
    Report(Report),
    /// The manager's converter ended.
    Converted {
        /// For which run.
        run: RunId,
        /// The files, or why there are none.
        result: Result<BTreeMap<Kind, StoredFile>, String>,
    },
    /// An operator answers a question.
    Operator {
        /// Which run's.
        run: RunId,
        /// When that question was asked: it is no answer to another one.
        asked_at: Time,
        /// How.
        answer: Answer,
    },
    /// An operator cancels a run.
    Cancel(RunId),
    /// An operator stops the operation under way.
    StopOperation(RunId),
    /// Nothing could be stored for a time, and nothing was done: every run looks before it goes on.
    Hindered,
    /// The time that [`super::Director::next_deadline`] named has come.
    Clock,
}

impl Input {
    pub(super) const fn is_of_operator(&self) -> bool {
        matches!(self, Self::Start(_) | Self::Operator { .. } | Self::Cancel(_) | Self::StopOperation(_))
    }
}

/// What follows from a batch of messages.
#[derive(Debug, Default)]
pub struct Turn {
    /// To be committed, all or nothing, before anything is performed.
    pub transaction: Transaction,
    /// To be performed once it is committed and applied.
    pub effects: Vec<Effect>,
    /// Whether each word of an operator (an answer, a cancel, a stop) meant something to the run it was for, in their
    /// order.
    pub heeded: Vec<bool>,
    pub(crate) entries: BTreeMap<RunId, Entry>,
}

impl Turn {
    /// A run that it touched, as it becomes.
    pub fn run(&self, id: RunId) -> Option<&Run> {
        self.entries.get(&id).map(|entry| entry.run.as_ref())
    }
}

/// What is committed.
#[derive(Debug, Default)]
pub struct Transaction {
    /// One for each run that changed.
    pub writes: Vec<Write>,
}

/// What is committed of one run. Its key, the run and `seq`, can be written once: who finds it taken has been
/// overtaken.
#[derive(Debug)]
pub struct Write {
    /// The run as it becomes.
    pub run: Arc<Run>,
    /// The number of this commit; 1 begins the run.
    pub seq: u64,
    /// What happened to it.
    pub events: Vec<(Time, Event)>,
    /// What is told of it.
    pub stories: Vec<Told>,
    /// Backups that came.
    pub backups: Vec<BackedUp>,
    /// The unique id by which its device is known from now on.
    pub unique_id: Option<String>,
    /// The engine that speaks for its device from now on, and for no other.
    pub engine: Option<EngineId>,
}

impl Write {
    /// What its device is known by from now on, once it is committed.
    pub fn learnt(&self) -> impl Iterator<Item = Learnt> {
        let device = self.run.device.id;
        let unique_id = self.unique_id.clone().map(|unique_id| Learnt::UniqueId(unique_id, device));
        let engine = self.engine.map(|engine| Learnt::Engine(engine, device));
        unique_id.into_iter().chain(engine)
    }
}

/// Something told of a run.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Told {
    /// The run.
    pub run: RunId,
    /// The name of its device.
    pub device: String,
    /// When.
    pub at: Time,
    /// Its number within the run, from 1, without gaps. Progress has none of its own (it is not kept) and repeats
    /// the last one.
    pub n: u64,
    /// What.
    pub story: Story,
}

/// What is to be performed.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// The commander asks a device.
    Ask(Ask),
    /// The file server takes an order.
    File(Order),
    /// The manager's converter is run.
    Convert(Convert),
    /// Operators and the network operations centre are told.
    Tell(Told),
    /// A notification is committed: an INFORM is answered.
    Committed {
        /// The listener's receipt.
        receipt: u64,
    },
}

/// A conversion at the manager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Convert {
    /// For which run.
    pub run: RunId,
    /// The program.
    pub converter: Converter,
    /// The files.
    pub set: ConfigurationSet,
    /// The format wanted.
    pub format: u32,
    /// Milliseconds that one file may take.
    pub limit_ms: u64,
}
