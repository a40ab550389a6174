//! Profiles: what a kind of device is like, as data (row H24). A profile names the objects that tell how the
//! device is, the SETs that command it, the notifications it sends, and the limits of each wait.

mod check;
mod document;
mod fact;
mod look;
mod read;
mod write;

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

pub use self::document::{ProfileError, load, name_of};
use self::look::Looks;
pub use self::read::Scope;
pub use self::write::{CannotWrite, Order, OrderFile, Server};
use crate::Protocol;
use crate::configuration::Kind;
use crate::object::{Oid, Syntax};
use crate::reading::Capability;

/// The profile for IAD-MIB, which comes with the program.
pub const IAD: &str = include_str!("../profiles/iad.toml");

/// A kind of device.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// Its name, by which a device is given it.
    pub name: String,
    /// One line for operators.
    pub title: String,
    /// What the device's `sysObjectID` begins with; empty: anything.
    pub products: Vec<Oid>,
    /// The objects, by the names that the rest of the profile uses.
    pub objects: BTreeMap<String, Object>,
    /// The numbers of its software buffers; more than one: dual storage.
    pub buffers: Vec<u32>,
    /// Its kinds of configuration and their numbers at the device.
    pub kinds: BTreeMap<Kind, u32>,
    /// Capabilities it has without telling.
    pub capabilities: BTreeSet<Capability>,
    /// Configuration formats by software version, for devices that don't tell the format: each entry holds from
    /// its version on.
    pub formats: Vec<FormatSince>,
    /// Who may convert a configuration, most wanted first.
    pub conversion: Vec<ConvertedBy>,
    /// What it can be commanded.
    pub commands: BTreeMap<Command, CommandProfile>,
    /// What its notifications mean, by `snmpTrapOID`.
    pub notifications: BTreeMap<Oid, NotificationKind>,
    /// How long each wait may take.
    pub limits: Limits,
    /// How its files go over, unless its entry in the inventory or a run says otherwise (row H3); none: by TFTP.
    pub protocol: Option<Protocol>,
    /// Made of objects, buffers and kinds when the profile is read.
    looks: Looks,
}

/// One object of the device's MIB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// With the instance for scalars, without it for columns.
    pub oid: Oid,
    /// How it is written.
    pub syntax: Syntax,
    /// What a column is indexed by.
    pub per: Per,
    /// The words for its numbers.
    pub words: BTreeMap<String, i32>,
}

/// What instances an object has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Per {
    /// One, named by the object's `oid`.
    #[default]
    Device,
    /// One for each software buffer.
    Buffer,
    /// One for each kind of configuration of each software buffer.
    BufferAndKind,
}

/// The configuration format of software from a version on.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FormatSince {
    /// The first version that reads it.
    pub version: String,
    /// The format.
    pub format: u32,
}

/// Who converts a configuration from one format to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConvertedBy {
    /// The device's conversion program (row H22).
    Device,
    /// The image's converter, at the manager (row H22).
    Manager,
    /// An operator, who edits the files (row H21).
    Operator,
}

/// What a device can be commanded to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Command {
    /// Take the address of the file server (row H1).
    ConfigureServer,
    /// Send configuration files (rows H2 to H4).
    Backup,
    /// Load an image into the standby buffer (rows H9, H10).
    Download,
    /// Run what was loaded without a restart of the whole (row H12).
    Activate,
    /// Restart, into the version named if one is (row H11).
    Reset,
    /// Go back to the other buffer (row H14).
    RollBack,
    /// Convert the configuration of the version before and send it (row H22).
    Convert,
    /// Take configuration files and apply them (row H19).
    Restore,
    /// Keep the version that runs on trial (row B4).
    Confirm,
    /// Empty the standby buffer (row S14).
    Erase,
    /// Stop the operation under way.
    Abort,
    /// Take no new calls (row B6).
    CloseCalls,
    /// Take calls again.
    OpenCalls,
}

/// How one command is given and what it may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandProfile {
    /// The objects of its one SET, in order, with the values' templates.
    pub set: Vec<(String, String)>,
    /// From the SET to its end.
    pub deadline: Duration,
    /// Without progress.
    pub stall: Duration,
}

/// What a notification tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NotificationKind {
    /// An operation began.
    Begun,
    /// It got on.
    Progress,
    /// It ended well.
    Done,
    /// It ended badly.
    Failed,
    /// The device restarted.
    Restarted,
}

/// How long waits may take, and how often is looked.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// For one answer, milliseconds; 50 to 60,000.
    pub answer_ms: u32,
    /// Repeats of an unanswered read; 0 to 10.
    pub repeats: u32,
    /// Between two polls of an operation under way, seconds.
    pub poll_s: f64,
    /// How long a device that does not answer is looked for, seconds.
    pub reach_s: f64,
    /// How long a device that is busy with somebody else's operation is waited for, seconds.
    pub busy_s: f64,
    /// From a SET until its last copy has arrived, seconds: networks delay and double it.
    pub late_s: f64,
    /// From a device's word that it is done to the file server's, seconds.
    pub evidence_s: f64,
    /// For calls to end before a reset, seconds (row B6).
    pub drain_s: f64,
    /// In which new software must be confirmed, seconds; 0: no trial (row B4).
    pub trial_s: u32,
    /// New software must be healthy for so long before it is confirmed, seconds.
    pub soak_s: f64,
    /// Before the first repeat by itself, seconds; it doubles with each.
    pub backoff_s: f64,
    /// The longest time before a repeat by itself, seconds.
    pub backoff_cap_s: f64,
    /// For the manager's converter and one file, seconds.
    pub convert_s: f64,
    /// How often a backup is taken anew because settings moved, before an operator is asked.
    pub drift_repeats: u32,
    /// Bytes a configuration file may have.
    pub configuration_bytes: u64,
}

impl Limits {
    /// A limit of so many seconds, as it stands in one of the fields.
    pub fn span(seconds: f64) -> Duration {
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    }
}

impl Profile {
    /// The configuration format that software of `version` reads, by the profile's table.
    pub fn format_of(&self, version: &str) -> Option<u32> {
        let since = |entry: &&FormatSince| compare_versions(&entry.version, version).is_le();
        self.formats
            .iter()
            .filter(since)
            .max_by(|a, b| compare_versions(&a.version, &b.version))
            .map(|e| e.format)
    }

    /// How a command is given, where the device knows it.
    pub fn command(&self, command: Command) -> Option<&CommandProfile> {
        self.commands.get(&command)
    }

    /// The kinds of configuration, in the order of their numbers.
    pub fn all_kinds(&self) -> Vec<Kind> {
        let mut kinds: Vec<_> = self.kinds.iter().map(|(kind, number)| (*number, kind.clone())).collect();
        kinds.sort();
        kinds.into_iter().map(|(_, kind)| kind).collect()
    }
}

/// Compares versions number by number where both have numbers, as text elsewhere: 1.10 is after 1.9.
pub fn compare_versions(a: &str, b: &str) -> std::cmp::Ordering {
    let parts = |text: &str| -> Vec<(u64, String)> {
        text.split(['.', '-', '_', '(', ')'])
            .map(|part| {
                let digits = part.bytes().take_while(u8::is_ascii_digit).count();
                (part[..digits].parse().unwrap_or(0), part[digits..].to_owned())
            })
            .collect()
    };
    parts(a).cmp(&parts(b))
}
