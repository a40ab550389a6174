//! The one way into the daemon's loop: commands with their replies, and what the loop tells everybody.

use std::net::SocketAddr;

pub use engine::director::Told;
use serde::{Deserialize, Serialize};
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use upgrade::reading::Reading;
use upgrade::run::{Answer, Choices, Goal};
use upgrade::{DeviceId, Oid, Protocol, RunId, Time, Value};

use crate::causes::with_causes;
use crate::inventory::Access;
use crate::store::{NorthboundTarget, StoreError, UnreadableRun};

/// Commands that wait for the loop; more make the API wait.
const WAITING_COMMANDS: usize = 1024;
/// What a listener that is slow may have missed before it reads from the store instead.
const UNHEARD: usize = 4096;

/// What the API and the command line do with the daemon.
#[derive(Debug, Clone)]
pub struct Handle {
    commands: mpsc::Sender<Command>,
    told: broadcast::Sender<Told>,
    traps: broadcast::Sender<Trap>,
    aside: watch::Receiver<Vec<UnreadableRun>>,
}

/// The loop's side of a [`Handle`].
#[derive(Debug)]
pub struct Receiving {
    /// What is asked of the loop.
    pub commands: mpsc::Receiver<Command>,
    /// To be sent each story once it is committed.
    pub told: broadcast::Sender<Told>,
    /// To be sent each notification once it is committed.
    pub traps: broadcast::Sender<Trap>,
    /// To be told of the runs that were set aside.
    pub aside: watch::Sender<Vec<UnreadableRun>>,
}

/// A handle and the loop's side of it.
pub fn channel() -> (Handle, Receiving) {
    let (commands, receiver) = mpsc::channel(WAITING_COMMANDS);
    let (told, _) = broadcast::channel(UNHEARD);
    let (traps, _) = broadcast::channel(UNHEARD);
    let (aside, set_aside) = watch::channel(Vec::new());
    let handle = Handle { commands, told: told.clone(), traps: traps.clone(), aside: set_aside };
    (handle, Receiving { commands: receiver, told, traps, aside })
}

/// Where the answer to a command goes.
pub type Reply<T> = oneshot::Sender<Result<T, Refusal>>;

type Answering<T> = oneshot::Receiver<Result<T, Refusal>>;

/// Something asked of the loop.
// Few wait at any time, and each is moved once: a box would cost more than the room.
#[allow(clippy::large_enum_variant)]
#[derive(Debug)]
pub enum Command {
    /// Begin a run.
    Start {
        /// The device.
        device: DeviceId,
        /// What is wanted.
        goal: Goal,
        /// How.
        choices: Choices,
        /// How files go over; none: as the device's entry says, else its profile, else by TFTP.
        protocol: Option<Protocol>,
        /// The run, once it is committed.
        reply: Reply<RunId>,
    },
    /// Answer a run's question.
    Answer {
        /// The run.
        run: RunId,
        /// When the question was asked.
        asked_at: Time,
        /// The answer.
        answer: Answer,
        /// Once it is committed.
        reply: Reply<()>,
    },
    /// End a run, with the device as it was before.
    Cancel {
        /// The run.
        run: RunId,
        /// Once it is committed.
        reply: Reply<()>,
    },
    /// Let go of a run that cannot be read: it is over, and its device is free.
    Forget {
        /// The run.
        run: RunId,
        /// Once it is committed.
        reply: Reply<()>,
    },
    /// Stop the operation under way; the run judges that as its failure.
    StopOperation {
        /// The run.
        run: RunId,
        /// Once it is committed.
        reply: Reply<()>,
    },
    /// Look at a device, whether it is in the inventory or not.
    Probe {
        /// How it is reached.
        access: Access,
        /// The name of the profile to look by.
        profile: String,
        /// What it says.
        reply: Reply<Probed>,
    },
    /// Send a test notification.
    TestNorthbound {
        /// To whom.
        target: NorthboundTarget,
        /// Once it is sent or, for an INFORM, acknowledged.
        reply: Reply<()>,
    },
    /// Devices or credentials were added, changed or removed.
    InventoryChanged,
    /// How the daemon is.
    Status {
        /// How.
        reply: Reply<Status>,
    },
}

/// What a device said of itself when it was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probed {
    /// What it says.
    pub reading: Reading,
    /// The engine that has proven to have said it, in hexadecimal digits; SNMPv3 alone proves it.
    #[serde(default)]
    pub engine_id: Option<String>,
    /// Whether it knows the secrets of before its credential was rotated, and not the new ones.
    #[serde(default)]
    pub superseded: bool,
}

/// A notification that came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trap {
    /// When.
    pub at: Time,
    /// Who sent the datagram.
    pub from: SocketAddr,
    /// The device in the inventory, where it could be told.
    pub device: Option<String>,
    /// The version of the message: `v1`, `v2c` or `v3`.
    pub version: String,
    /// `trap` or `inform`.
    pub kind: String,
    /// What it tells: `snmpTrapOID`, for v1 made of generic and specific trap (RFC 3584 section 3.1).
    pub oid: Oid,
    /// The sender's uptime, hundredths of a second, where it says.
    pub uptime: Option<u32>,
    /// Its varbinds, without uptime and `snmpTrapOID`.
    pub varbinds: Vec<(Oid, Value)>,
}

/// How the daemon is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Its clock.
    pub now: Time,
    /// When it started.
    pub started: Time,
    /// Where it listens.
    pub ports: Ports,
    /// Runs that are not over.
    pub open_runs: u64,
    /// Runs that wait for an operator.
    pub questions: u64,
    /// Runs that are not over and cannot be read.
    #[serde(default)]
    pub aside: Vec<UnreadableRun>,
    /// Datagrams lost for want of room since the start, as far as the system tells.
    pub datagrams_lost: u64,
    /// Datagrams at the port for notifications that were none.
    #[serde(default)]
    pub undecodable: u64,
    /// Notifications of SNMPv3 whose sender was not proven, or that were not of now.
    #[serde(default)]
    pub unproven: u64,
    /// Devices of SNMPv3 that were found to count their starts anew.
    #[serde(default)]
    pub restarted_anew: u64,
    /// Notifications taken since the start.
    pub notifications: u64,
    /// Transfers that are under way.
    pub transfers: u64,
    /// Devices that wait until there is room for their transfer.
    #[serde(default)]
    pub transfers_waiting: u64,
}

/// Where the daemon listens; none where it does not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ports {
    /// SNMP notifications.
    pub notifications: Option<SocketAddr>,
    /// TFTP.
    pub tftp: Option<SocketAddr>,
    /// FTP.
    pub ftp: Option<SocketAddr>,
}

/// Why something was not done, in one sentence, and what to do next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{error}")]
pub struct Refusal {
    /// What kind of refusal it is.
    pub code: RefusalCode,
    /// One sentence that names the thing.
    pub error: String,
    /// What to do.
    pub next: String,
}

/// The kinds of refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RefusalCode {
    /// What was asked makes no sense as it stands.
    Invalid,
    /// There is no such thing.
    Unknown,
    /// It is there already, or busy.
    Conflict,
    /// A device or target did not answer.
    Unreachable,
    /// The manager cannot do it now: disk, database, shutdown.
    Unavailable,
}

impl Refusal {
    /// A refusal of this kind.
    pub fn new(code: RefusalCode, error: impl Into<String>, next: impl Into<String>) -> Self {
        Self { code, error: error.into(), next: next.into() }
    }

    fn stopping() -> Self {
        Self::new(
            RefusalCode::Unavailable,
            "the daemon is stopping",
            "start it again with `iadms serve`; runs go on where they stood",
        )
    }
}

impl From<&StoreError> for Refusal {
    fn from(error: &StoreError) -> Self {
        let code = match error {
            StoreError::Unknown { .. } => RefusalCode::Unknown,
            StoreError::Taken { .. }
            | StoreError::OpenRun { .. }
            | StoreError::Conflict(_)
            | StoreError::UnreadableRun { .. }
            | StoreError::Referred { .. }
            | StoreError::Rotating(_)
            | StoreError::NotRotating(_) => RefusalCode::Conflict,
            _ => RefusalCode::Unavailable,
        };
        Self::new(code, with_causes(error), error.next())
    }
}

impl Handle {
    /// The runs that are not over, and that nobody goes on with since they cannot be read.
    pub fn aside(&self) -> Vec<UnreadableRun> {
        self.aside.borrow().clone()
    }

    /// Begins a run for each of these devices, in this order, and tells of each what became of it. All are asked for
    /// before the first is waited for, so that they share commits.
    pub async fn start_all(
        &self,
        devices: &[DeviceId],
        goal: &Goal,
        choices: &Choices,
        protocol: Option<Protocol>,
    ) -> Vec<Result<RunId, Refusal>> {
        let mut asked = Vec::with_capacity(devices.len());
        for &device in devices {
            let (goal, choices) = (goal.clone(), choices.clone());
            asked.push(self.send(|reply| Command::Start { device, goal, choices, protocol, reply }).await);
        }
        let mut answers = Vec::with_capacity(asked.len());
        for answer in asked {
            answers.push(match answer {
                Ok(answer) => answered(answer).await,
                Err(refusal) => Err(refusal),
            });
        }
        answers
    }

    /// Answers a run's question; done when it is committed.
    ///
    /// # Errors
    ///
    /// The run is unknown, asks nothing, or not this; or that question, which was asked then, is over.
    pub async fn answer(&self, run: RunId, asked_at: Time, answer: Answer) -> Result<(), Refusal> {
        self.ask(|reply| Command::Answer { run, asked_at, answer, reply }).await
    }

    /// Ends a run, with the device as it was before.
    ///
    /// # Errors
    ///
    /// The run is unknown or over.
    pub async fn cancel(&self, run: RunId) -> Result<(), Refusal> {
        self.ask(|reply| Command::Cancel { run, reply }).await
    }

    /// Lets go of a run that cannot be read.
    ///
    /// # Errors
    ///
    /// The run is unknown or over, or can be read.
    pub async fn forget(&self, run: RunId) -> Result<(), Refusal> {
        self.ask(|reply| Command::Forget { run, reply }).await
    }

    /// Stops the operation under way of a run.
    ///
    /// # Errors
    ///
    /// The run is unknown or over, or nothing is under way.
    pub async fn stop_operation(&self, run: RunId) -> Result<(), Refusal> {
        self.ask(|reply| Command::StopOperation { run, reply }).await
    }

    /// Looks at a device.
    ///
    /// # Errors
    ///
    /// It does not answer, or the profile is unknown.
    pub async fn probe(&self, access: Access, profile: String) -> Result<Probed, Refusal> {
        self.ask(|reply| Command::Probe { access, profile, reply }).await
    }

    /// Sends a test notification.
    ///
    /// # Errors
    ///
    /// It could not be sent or, for an INFORM, was not acknowledged.
    pub async fn test_northbound(&self, target: NorthboundTarget) -> Result<(), Refusal> {
        self.ask(|reply| Command::TestNorthbound { target, reply }).await
    }

    /// Has the loop read the inventory again: devices or credentials were added, changed or removed.
    pub async fn inventory_changed(&self) {
        // A loop that has ended reads it at its next start.
        let _ = self.commands.send(Command::InventoryChanged).await;
    }

    /// How the daemon is.
    ///
    /// # Errors
    ///
    /// It is stopping.
    pub async fn status(&self) -> Result<Status, Refusal> {
        self.ask(|reply| Command::Status { reply }).await
    }

    /// What is told of all runs from now on. Who lags reads what it missed from the store.
    pub fn watch(&self) -> broadcast::Receiver<Told> {
        self.told.subscribe()
    }

    /// All notifications from now on.
    pub fn traps(&self) -> broadcast::Receiver<Trap> {
        self.traps.subscribe()
    }

    async fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, Refusal> {
        answered(self.send(command).await?).await
    }

    async fn send<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<Answering<T>, Refusal> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.map_err(|_| Refusal::stopping())?;
        Ok(answer)
    }
}

/// A loop that ends drops its replies.
async fn answered<T>(answer: Answering<T>) -> Result<T, Refusal> {
    answer.await.unwrap_or_else(|_| Err(Refusal::stopping()))
}
