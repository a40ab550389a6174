//! The words of the two programs, as far as scenarios use them: the world has no command line of its own.

use std::time::Duration;

use clap::{Parser, Subcommand};
use iad_sim::device::image::{BootBehaviour, Plan};
use iad_sim::device::{Capabilities, Settings, Timing};
use iad_sim::fault::Fault;
use jiff::{SignedDuration, Timestamp};
use upgrade::Time;
use upgrade::run::{Choices, Policy};

/// Commands of `iadms`, as far as scenarios use them.
#[derive(Debug, Parser)]
#[command(no_binary_name = true)]
pub(super) enum Operator {
    Upgrade {
        device: String,
        #[arg(long)]
        image: String,
        #[arg(long)]
        overwrite: bool,
        #[command(flatten)]
        manner: Manner,
    },
    Backup {
        device: String,
        #[command(flatten)]
        manner: Manner,
    },
    Restore {
        device: String,
        #[arg(long)]
        backup: usize,
        #[command(flatten)]
        manner: Manner,
    },
    Rollback {
        device: String,
        #[command(flatten)]
        manner: Manner,
    },
    Reset {
        device: String,
        #[command(flatten)]
        manner: Manner,
    },
    Run {
        #[command(subcommand)]
        command: RunCommand,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum RunCommand {
    Cancel {
        run: u64,
    },
    Export {
        run: u64,
        folder: String,
    },
    Answer {
        run: u64,
        #[command(subcommand)]
        answer: Word,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum Word {
    Again,
    End,
    Image { name: String },
    Edited { folder: String },
}

#[derive(Debug, clap::Args)]
pub(super) struct Manner {
    #[arg(long, default_value = "ask", value_parser = policy)]
    policy: Policy,
    #[arg(long, value_parser = span)]
    question_limit: Option<Duration>,
    #[arg(long, default_value = "tftp", value_parser = ["tftp", "ftp"])]
    pub(super) protocol: String,
    #[arg(long)]
    at: Option<Timestamp>,
}

impl Manner {
    pub(super) fn choices(&self, overwrite: bool) -> Choices {
        let millis = |limit: Duration| u64::try_from(limit.as_millis()).unwrap();
        let moment = |at: Timestamp| Time::from_millis(u64::try_from(at.as_millisecond()).unwrap());
        Choices {
            kinds: Vec::new(),
            policy: self.policy,
            question_limit_ms: self.question_limit.map(millis),
            activate_at: self.at.map(moment),
            overwrite,
        }
    }
}

/// Options of `iad-sim run`, as far as scenarios use them. Nothing takes long, as in the laboratory.
#[derive(Debug, Parser)]
#[command(no_binary_name = true)]
pub(super) struct DeviceOptions {
    #[arg(long, value_delimiter = ',', default_value = "dual-image,needs-reset,convert,tftp,ftp")]
    capability: Vec<String>,
    #[arg(long, default_value_t = 0)]
    calls: u32,
    #[arg(long, default_value = "180s", value_parser = span)]
    call_time: Duration,
    #[arg(long, default_value = "100ms", value_parser = span)]
    boot_time: Duration,
}

impl DeviceOptions {
    pub(super) fn settings(&self) -> Settings {
        let can = |capability: &str| self.capability.iter().any(|own| own == capability);
        Settings {
            capabilities: Capabilities {
                dual_image: can("dual-image"),
                needs_reset: can("needs-reset"),
                convert: can("convert"),
                tftp: can("tftp"),
                ftp: can("ftp"),
                push: can("push"),
                inform: false,
            },
            timing: Timing {
                boot: self.boot_time,
                erase: Duration::ZERO,
                activate: Duration::ZERO,
                convert: Duration::ZERO,
                apply: Duration::ZERO,
                call: self.call_time,
                ..Timing::default()
            },
            calls: self.calls,
            ..Settings::numbered(1)
        }
    }
}

/// Options of `iad-sim image make`, as far as scenarios use them.
#[derive(Debug, Parser)]
#[command(no_binary_name = true)]
pub(super) struct ImageOptions {
    #[arg(long, default_value_t = 1)]
    format: u32,
    #[arg(long, default_value = "iad-8")]
    hardware: String,
    #[arg(long, default_value = "ok", value_parser = boot)]
    boot: BootBehaviour,
    #[arg(long, value_parser = kibibytes)]
    size: usize,
    #[arg(long, default_value_t = 1)]
    files: usize,
}

impl ImageOptions {
    pub(super) fn plan(&self, version: &str) -> Plan {
        Plan {
            version: version.to_owned(),
            hardware: vec![self.hardware.clone()],
            format: self.format,
            converts_from: (1..self.format).collect(),
            boot: self.boot,
            payload_size: self.size,
            seed: 1,
            files: self.files,
        }
    }
}

#[derive(Debug, Parser)]
#[command(no_binary_name = true)]
pub(super) struct FaultOptions {
    #[command(flatten)]
    pub(super) fault: Fault,
}

pub(super) fn parse<T: Parser>(words: &[impl AsRef<str>]) -> T {
    T::try_parse_from(words.iter().map(AsRef::as_ref)).unwrap_or_else(|error| panic!("{error}"))
}

fn policy(text: &str) -> Result<Policy, String> {
    match (text, text.strip_prefix("auto:").map(str::parse)) {
        ("ask", _) => Ok(Policy::Ask),
        ("never", _) => Ok(Policy::Never),
        (_, Some(Ok(repeats))) => Ok(Policy::Auto(repeats)),
        _ => Err("there is no such policy".into()),
    }
}

fn span(text: &str) -> Result<Duration, String> {
    let span: SignedDuration = text.parse().map_err(|error: jiff::Error| error.to_string())?;
    Duration::try_from(span).map_err(|error| error.to_string())
}

fn boot(text: &str) -> Result<BootBehaviour, String> {
    BootBehaviour::from_text(text).ok_or_else(|| "there is no such behaviour".into())
}

fn kibibytes(text: &str) -> Result<usize, String> {
    let number = text.strip_suffix("KiB").ok_or("a size is told in KiB")?;
    number.parse::<usize>().map(|number| number * 1024).map_err(|error| error.to_string())
}
