//! One thing asked of a device: its states, what may happen to it, and what follows.
//!
//! `Looking → Opening → Commanding → Underway → Done | Failed`. It looks before it writes, commands with one SET,
//! and believes nothing but evidence: the device's own state and the file server's word. An unanswered SET and
//! a manager that was restarted both lead back to Looking, never to a blind repeat.

mod cause;
mod commanding;
mod evidence;
mod looking;
mod sight;
mod step;
mod task;
mod underway;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use self::cause::Cause;
pub use self::step::{Rejected, Surroundings};
pub use self::task::Task;
use crate::configuration::{ConfigurationSet, Kind, StoredFile};
use crate::object::{Oid, Value};
use crate::profile::{Command, Limits, NotificationKind, Profile, Scope};
use crate::reading::{Pulse, Reading};
use crate::{TicketName, Time};

/// An operation, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// What is asked.
    pub task: Task,
    /// The id the device is given with it. It begins with the run's number, so that a run knows its own.
    pub id: String,
    /// Where it stands.
    pub state: State,
    /// Whether a SET of it may have reached the device.
    pub commanded: bool,
    /// How often its SET was sent.
    pub sent: u32,
    /// When it was sent last.
    #[serde(default)]
    pub sent_at: Option<Time>,
    /// Whether the SET of a task that is done by it was answered with no error.
    pub answered: bool,
    /// Whether the manager was restarted, or hindered, during it: transfers of then may be broken through no fault of
    /// the device.
    pub resumed: bool,
    /// What the device told before the first SET.
    pub before: Option<Before>,
    /// Its files.
    pub transfers: Vec<Transfer>,
    /// When it has failed, if it is not done by then. Counts from the SET.
    pub deadline: Option<Time>,
    /// Until when the device is looked at once it is as wanted: what undoes it may still arrive.
    #[serde(default)]
    pub watched: Option<Time>,
    /// Whether the device told of something before the answer to its SET came: a look is due with that.
    #[serde(default)]
    pub heard: bool,
    /// Whether an operator wants it stopped. The device is told after the next look, which shows that it is this device that is told.
    #[serde(default)]
    pub stop: Option<Stop>,
    /// What was found last where something is to be restored: a mixture of sets that are known, or what is to be restored. Part of that
    /// look may have been older than its revision, or than what the device did last: only what is found twice is taken for what is
    /// there.
    #[serde(default)]
    pub mixture: Option<Box<ConfigurationSet>>,
}

/// How far the word of an operator has come that an operation is to be stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stop {
    /// It is said, and is to be said to the device.
    Wanted,
    /// The device has taken it.
    Told,
}

/// Where an operation stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Reading the device, to know what is to be done or was done.
    Looking {
        /// Since when the device has not been heard; none while it is.
        silent: Option<Time>,
        /// Since when it has been busy with something else.
        busy: Option<Time>,
        /// When it is looked at again; none while an answer is awaited.
        next: Option<Time>,
        /// What the device said to the SET, where it refused it.
        refused: Option<String>,
    },
    /// Stopping an operation that an earlier attempt of this run left under way.
    Stopping {
        /// Since when.
        since: Time,
    },
    /// Waiting for the file server to know the tickets.
    Opening {
        /// When that has failed.
        until: Time,
    },
    /// The SET is on its way.
    Commanding,
    /// The device works on it.
    Underway {
        /// Per cent, as the device told last.
        progress: u8,
        /// When that last moved.
        moved: Time,
        /// When the device is looked at again; none while an answer is awaited.
        next: Option<Time>,
        /// Whether to look again once the answer that is awaited has come.
        again: bool,
        /// Whether that look, or the one that is awaited, is at the whole device.
        whole: bool,
        /// Whether the answer that is awaited is one to an abort.
        stopping: bool,
        /// When the device said that it was done, while the file server's word is awaited.
        done_at: Option<Time>,
        /// Whether the device said that it was done before it was asked what is awaited now.
        #[serde(default)]
        claimed: bool,
    },
    /// Done, by evidence.
    Done {
        /// The look that proved it.
        reading: Box<Reading>,
    },
    /// Failed.
    Failed {
        /// Why.
        cause: Cause,
    },
}

/// What the device told before the first SET.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Before {
    /// To prove a restart by.
    pub pulse: Pulse,
    /// The configuration's revision.
    pub revision: Option<u32>,
    /// The id of the operation that the device showed; none where it shows none, or refused the SET.
    #[serde(default)]
    pub operation: Option<String>,
}

/// A file of an operation, its ticket and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transfer {
    /// The ticket.
    pub name: TicketName,
    /// The kind of configuration, where it is one.
    pub kind: Option<Kind>,
    /// What the device reads; none where it writes.
    pub file: Option<StoredFile>,
    /// What the file server saw.
    pub seen: Seen,
}

/// What the file server saw of a transfer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Seen {
    /// Nothing yet.
    Nothing,
    /// It began.
    Begun,
    /// All bytes went over and, where the device wrote, are kept.
    Whole {
        /// The file.
        file: StoredFile,
    },
    /// It broke off.
    Broken {
        /// Why.
        why: String,
    },
}

/// What may happen to an operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// It begins.
    Begin,
    /// A look was answered.
    Read(Arc<Reading>),
    /// A look was not answered, or not with values.
    Unread(String),
    /// The file server knows all its tickets.
    TicketsReady,
    /// The SET was answered with no error.
    Accepted,
    /// The SET was refused.
    SetRefused(String),
    /// The SET was not answered.
    Unanswered,
    /// A notification of the device.
    Notified(Notice),
    /// The file server's word.
    Transferred {
        /// The ticket.
        name: TicketName,
        /// What it saw.
        seen: Seen,
    },
    /// Bytes went over; only ever the latest word, and never stored.
    Bytes {
        /// The ticket.
        name: TicketName,
        /// So many in all.
        bytes: u64,
    },
    /// A moment that [`Operation::next_deadline`] named has come.
    Tick,
    /// That moment has come, and there was no progress for too long.
    Stalled,
    /// The manager was restarted, or hindered for a time.
    Resumed,
    /// An operator wants it stopped.
    Stop,
}

/// What a notification says of an operation. It hastens a look; it proves nothing by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// What it tells.
    pub kind: NotificationKind,
    /// The operation it names, where it does.
    pub operation: Option<String>,
    /// Per cent, where it says.
    pub progress: Option<u8>,
}

impl Notice {
    /// How much of the device is to be looked at at once, where it tells of something that only a look can prove. That is so of all that
    /// it tells while nothing is written to it that has to be (`waits`): it may be ready for that by now.
    pub(crate) const fn hastens(&self, waits: bool) -> Option<Scope> {
        match self.kind {
            NotificationKind::Done | NotificationKind::Failed | NotificationKind::Restarted => {
                Some(Scope::Whole)
            }
            NotificationKind::Begun | NotificationKind::Progress if waits => Some(Scope::Progress),
            NotificationKind::Begun | NotificationKind::Progress => None,
        }
    }
}

/// What is to be done about an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Read the device.
    Look(Scope),
    /// Open these tickets at the file server.
    Open(Vec<TicketName>),
    /// Close them.
    Withdraw(Vec<TicketName>),
    /// Send the one SET that gives the command.
    Set(Command, Vec<(Oid, Value)>),
    /// Write the file of this ticket to the device, which waits for it at this UDP port (row S18).
    Push(TicketName, u16),
    /// The device got on, per cent.
    Progress(u8),
}

impl Operation {
    /// The operation at its beginning, to which [`Event::Begin`] is due. `names` are one for each of the task's
    /// files.
    pub fn new(task: Task, id: String, names: impl IntoIterator<Item = TicketName>) -> Self {
        let files = task.files().into_iter().zip(names);
        let transfer = |((kind, file), name)| Transfer { name, kind, file, seen: Seen::Nothing };
        let transfers = files.map(transfer).collect();
        let state = State::Looking { silent: None, busy: None, next: None, refused: None };
        Self {
            task,
            id,
            state,
            commanded: false,
            sent: 0,
            sent_at: None,
            answered: false,
            resumed: false,
            before: None,
            transfers,
            deadline: None,
            watched: None,
            heard: false,
            stop: None,
            mixture: None,
        }
    }

    /// The device knows an operation of its id, though nothing was commanded yet: it becomes another one.
    pub(crate) fn rename(&mut self, id: String, names: impl IntoIterator<Item = TicketName>) {
        self.id = id;
        self.before = None;
        for (transfer, name) in self.transfers.iter_mut().zip(names) {
            transfer.name = name;
        }
    }

    /// Whether the answer that is awaited is one to a SET.
    pub const fn is_commanding(&self) -> bool {
        match self.state {
            State::Commanding | State::Stopping { .. } => true,
            State::Underway { stopping, .. } => stopping,
            _ => false,
        }
    }

    /// Whether both are the same but for the latest word on their progress.
    pub(crate) fn lasts_as(&self, other: &Self) -> bool {
        let Self {
            task,
            id,
            state,
            commanded,
            sent,
            sent_at,
            answered,
            resumed,
            before,
            transfers,
            deadline,
            watched,
            heard,
            stop,
            mixture,
        } = self;
        state.lasts_as(&other.state)
            && *task == other.task
            && *id == other.id
            && (*commanded, *sent, *answered, *resumed)
                == (other.commanded, other.sent, other.answered, other.resumed)
            && *sent_at == other.sent_at
            && *before == other.before
            && *transfers == other.transfers
            && (*deadline, *watched) == (other.deadline, other.watched)
            && (*heard, *stop) == (other.heard, other.stop)
            && *mixture == other.mixture
    }

    /// Whether it, or the operation that it repeats, may have written to the device.
    pub(crate) const fn may_have_written(&self) -> bool {
        self.commanded || self.is_repeat()
    }

    /// Whether it is a restore that repeats one which was interrupted.
    pub(crate) const fn is_repeat(&self) -> bool {
        matches!(self.task, Task::Restore { repeats: true, .. })
    }

    /// Until when a copy of its SET may still arrive, and be taken: nobody knows what became of it, or it was refused, perhaps
    /// because of what the device was busy with just then.
    pub(crate) fn may_arrive_until(&self, profile: &Profile, now: Time) -> Option<Time> {
        let unknown = matches!(self.state, State::Looking { .. } | State::Opening { .. });
        self.latest_copy(profile, now).filter(|_| unknown)
    }

    /// When the last copy of its SET will have arrived, if at all, unless that is so by now.
    fn latest_copy(&self, profile: &Profile, now: Time) -> Option<Time> {
        let sent_at = self.sent_at.filter(|_| self.commanded && !self.answered)?;
        Some(sent_at + Limits::span(profile.limits.late_s)).filter(|until| now < *until)
    }

    /// What came by the files it had the device write.
    pub fn written(&self) -> std::collections::BTreeMap<Kind, StoredFile> {
        let whole = |transfer: &Transfer| match (&transfer.kind, &transfer.seen) {
            (Some(kind), Seen::Whole { file }) => Some((kind.clone(), *file)),
            _ => None,
        };
        self.transfers.iter().filter(|transfer| transfer.file.is_none()).filter_map(whole).collect()
    }
}

impl State {
    fn lasts_as(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::Looking { silent, busy, refused, next: _ },
                Self::Looking { silent: others_silent, busy: others_busy, refused: others, next: _ },
            ) => (silent, busy, refused) == (others_silent, others_busy, others),
            (
                Self::Underway {
                    stopping,
                    done_at,
                    claimed,
                    progress: _,
                    moved: _,
                    next: _,
                    again: _,
                    whole: _,
                },
                Self::Underway { stopping: others, done_at: at, claimed: also, .. },
            ) => (stopping, done_at, claimed) == (others, at, also),
            (one, other) => one == other,
        }
    }
}
