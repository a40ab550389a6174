//! What may happen to a run, and what follows from it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::question::Answer;
use super::story::Story;
use crate::configuration::{ConfigurationSet, Kind, StoredFile};
use crate::image::Converter;
use crate::object::{Oid, Value};
use crate::operation::{Notice, Seen};
use crate::profile::{Command, Scope};
use crate::reading::Reading;
use crate::{Ticket, TicketName};

/// What may happen to a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// It begins.
    Begin,
    /// A look was answered.
    Read {
        /// The number of the look.
        asked: u32,
        /// What was read.
        reading: Arc<Reading>,
    },
    /// A look was not answered, or not with values.
    Unread {
        /// The number of the look.
        asked: u32,
        /// Why.
        why: String,
    },
    /// A SET was answered with no error.
    Accepted {
        /// The number of the SET.
        asked: u32,
    },
    /// A SET was refused.
    Refused {
        /// The number of the SET.
        asked: u32,
        /// With which error.
        why: String,
    },
    /// A SET was not answered.
    Unanswered {
        /// The number of the SET.
        asked: u32,
    },
    /// The file server knows all tickets that were opened last.
    TicketsReady,
    /// A notification of the device.
    Notified(Notice),
    /// The file server's word.
    Transferred {
        /// The ticket.
        name: TicketName,
        /// What it saw.
        seen: Seen,
    },
    /// Bytes went over.
    Bytes {
        /// The ticket.
        name: TicketName,
        /// So many in all.
        bytes: u64,
    },
    /// The manager's converter ended.
    Converted(Result<std::collections::BTreeMap<Kind, StoredFile>, String>),
    /// A moment that [`super::Run::next_deadline`] named has come.
    Tick,
    /// That moment has come, and the operation under way has got no further for as long as its command may. When it last
    /// did is only the latest word, to which no log leads: so this is told.
    Stalled,
    /// The manager was restarted.
    Resumed,
    /// The manager could store nothing for a time, and did nothing: what was due meanwhile came and went unheard.
    Hindered,
    /// The device is at another address than before, or is to be told another one of the file server.
    Moved {
        /// Where the device answers.
        address: IpAddr,
        /// Whether that is another address or port than before.
        #[serde(default)]
        elsewhere: bool,
        /// Where the file server listens.
        server: SocketAddr,
    },
    /// An operator answered the question.
    Answered(Answer),
    /// An operator wants it to end.
    Cancelled,
    /// An operator wants the operation under way stopped.
    StopOperation,
}

impl Event {
    /// Whether it must not be lost. What is only the latest word on a progress need not be stored.
    pub const fn is_lasting(&self) -> bool {
        !matches!(self, Self::Bytes { .. })
    }
}

/// A configuration that came whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackedUp {
    /// The version of the software whose configuration it is; none where nobody can tell.
    pub version: Option<String>,
    /// The files.
    pub set: ConfigurationSet,
}

/// What is to be done about a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Read the device.
    Look {
        /// To be told with the answer.
        asked: u32,
        /// How much.
        scope: Scope,
    },
    /// Send a SET; never again by itself.
    Set {
        /// To be told with the answer.
        asked: u32,
        /// What it commands, for people.
        command: Command,
        /// Its varbinds, in order.
        writes: Vec<(Oid, Value)>,
    },
    /// Open tickets, and tell when all are known.
    Open(Vec<Ticket>),
    /// Close tickets.
    Withdraw(Vec<TicketName>),
    /// Write the file of this ticket to the device. What runs already, or is done, is not begun again.
    Push {
        /// The ticket.
        name: TicketName,
        /// The UDP port at which the device waits for it.
        port: u16,
    },
    /// Convert these files at the manager.
    Convert {
        /// The program.
        converter: Converter,
        /// The files.
        set: ConfigurationSet,
        /// The format wanted.
        format: u32,
    },
    /// Keep this backup in the list of backups.
    Keep(BackedUp),
    /// The device is known by this unique id from now on.
    Known(String),
    /// Tell people and the network operations centre.
    Tell(Story),
}
