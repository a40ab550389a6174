//! A session in the world: the manager's parts and the device model in one process, on virtual time.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::{Parser, Subcommand};
use iad_sim::device::image::{BootBehaviour, Plan};
use iad_sim::device::{Capabilities, Settings, Timing};
use iad_sim::fault::Fault;
use iad_sim::net::DeviceView;
use jiff::{SignedDuration, Timestamp};
use upgrade::run::{Answer, Choices, Goal, Policy, Story};
use upgrade::{Image, Kind, Protocol, RunId, Time};
use world::{Nothing, Stage};

use super::device::SetConfig;
use super::script::Setting;
use super::session::Site;
use crate::laboratory::{DEVICE, profile};

pub(super) struct World {
    stage: Stage,
    images: BTreeMap<String, Image>,
    /// The operator's folders: files by kind.
    folders: BTreeMap<String, BTreeMap<Kind, Vec<u8>>>,
}

impl World {
    pub(super) fn new(setting: &Setting, seed: u64) -> Self {
        let limits: Vec<&str> = setting.limits.iter().map(String::as_str).collect();
        let text = profile(&limits, &setting.commands);
        let parent = |name: &str| (name == "iad").then_some(("iad.toml", upgrade::profile::IAD));
        let profile = upgrade::profile::load("quick.toml", &text, parent).unwrap();
        let device = parse::<DeviceOptions>(&setting.devices).settings();
        let mut stage = Stage::new(device, profile, seed);
        let mut images = BTreeMap::new();
        for image in &setting.images {
            let plan = parse::<ImageOptions>(&image.options).plan(&image.version);
            images.insert(image.name.clone(), stage.image(&image.name, &plan, image.has_converter));
        }
        Self { stage, images, folders: BTreeMap::new() }
    }

    fn image(&self, name: &str) -> Image {
        self.images.get(name).unwrap_or_else(|| panic!("there is no image {name}")).clone()
    }
}

impl Site for World {
    fn begin(&mut self, words: &[&str]) -> u64 {
        let (device, goal, manner) = match parse::<Operator>(words) {
            Operator::Upgrade { device, image, manner } => {
                (device, Goal::Upgrade { image: self.image(&image).into() }, manner)
            }
            Operator::Backup { device, manner } => (device, Goal::Backup, manner),
            Operator::Restore { device, backup, manner } => {
                (device, Goal::Restore { set: self.stage.backup(backup).unwrap() }, manner)
            }
            Operator::Rollback { device, manner } => (device, Goal::RollBack, manner),
            Operator::Reset { device, manner } => (device, Goal::Reset, manner),
            Operator::Run { .. } => panic!("{words:?} begins no run"),
        };
        assert_eq!(device, DEVICE, "there is one device");
        let protocol = if manner.protocol == "ftp" { Protocol::Ftp } else { Protocol::Tftp };
        self.stage.begin(goal, manner.choices(), protocol).unwrap().0
    }

    fn operator(&mut self, words: &[&str]) {
        let Operator::Run { command } = parse::<Operator>(words) else {
            panic!("{words:?} is no word about a run")
        };
        match command {
            RunCommand::Cancel { run } => self.stage.cancel(RunId(run)),
            RunCommand::Export { run, folder } => {
                drop(self.folders.insert(folder, self.stage.backed_up(RunId(run))));
            }
            RunCommand::Answer { run, answer } => {
                let answer = match answer {
                    Word::Again => Answer::Again,
                    Word::End => Answer::End,
                    Word::Image { name } => Answer::OtherImage(Box::new(self.image(&name))),
                    Word::Edited { folder } => {
                        let files = self.folders.get(&folder).cloned().unwrap_or_default();
                        let keep = |(kind, file)| (kind, self.stage.keep(file));
                        Answer::Edited(files.into_iter().map(keep).collect())
                    }
                };
                self.stage.answer(RunId(run), answer);
            }
        }
    }

    fn simulator(&mut self, words: &[&str]) {
        if let Some(SetConfig { kind, entries }) = SetConfig::parse(words) {
            assert!(self.stage.configure(kind, &entries), "the device does not run");
            return;
        }
        match words {
            ["fault", "add", words @ ..] => self.stage.fault(parse::<FaultOptions>(words).fault),
            ["fault", "clear"] => self.stage.clear_faults(),
            ["device", "power", switch, _] => self.stage.power(*switch == "on"),
            ["device", "calls", calls, _] => self.stage.set_calls(calls.parse().unwrap()),
            _ => panic!("iad-sim {words:?} is nothing that the world knows"),
        }
    }

    fn next_story(&mut self, run: u64) -> Story {
        self.stage.next_story(RunId(run)).unwrap_or_else(|nothing| nothing_comes(&nothing, "the next story"))
    }

    fn device(&mut self) -> DeviceView {
        self.stage.device().unwrap()
    }

    fn device_becomes(&mut self, what: &str, wanted: &dyn Fn(&DeviceView) -> bool) {
        self.stage.device_becomes(wanted).unwrap_or_else(|nothing| nothing_comes(&nothing, what));
    }

    fn kill_manager(&mut self) {
        self.stage.kill_manager();
    }

    fn start_manager(&mut self) {
        self.stage.start_manager();
    }

    fn edit(&mut self, folder: &str, format: u32) {
        let files = self.folders.get_mut(folder).unwrap_or_else(|| panic!("there is no folder {folder}"));
        files.values_mut().for_each(|file| *file = super::edited(file, format));
    }
}

fn nothing_comes<T>(nothing: &Nothing, what: &str) -> T {
    match &nothing.violation {
        Some(violation) => panic!("{} is broken: {}", violation.invariant, violation.what),
        None => panic!("{what} never comes"),
    }
}

/// Commands of `iadms`, as far as scenarios use them.
#[derive(Debug, Parser)]
#[command(no_binary_name = true)]
enum Operator {
    Upgrade {
        device: String,
        #[arg(long)]
        image: String,
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
enum RunCommand {
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
enum Word {
    Again,
    End,
    Image { name: String },
    Edited { folder: String },
}

#[derive(Debug, clap::Args)]
struct Manner {
    #[arg(long, default_value = "ask", value_parser = policy)]
    policy: Policy,
    #[arg(long, value_parser = span)]
    question_limit: Option<Duration>,
    #[arg(long, default_value = "tftp", value_parser = ["tftp", "ftp"])]
    protocol: String,
    #[arg(long)]
    at: Option<Timestamp>,
}

impl Manner {
    fn choices(&self) -> Choices {
        let millis = |limit: Duration| u64::try_from(limit.as_millis()).unwrap();
        let moment = |at: Timestamp| Time::from_millis(u64::try_from(at.as_millisecond()).unwrap());
        Choices {
            kinds: Vec::new(),
            policy: self.policy,
            question_limit_ms: self.question_limit.map(millis),
            activate_at: self.at.map(moment),
        }
    }
}

/// Options of `iad-sim run`, as far as scenarios use them. Nothing takes long, as in the laboratory.
#[derive(Debug, Parser)]
#[command(no_binary_name = true)]
struct DeviceOptions {
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
    fn settings(&self) -> Settings {
        let can = |capability: &str| self.capability.iter().any(|own| own == capability);
        Settings {
            capabilities: Capabilities {
                dual_image: can("dual-image"),
                needs_reset: can("needs-reset"),
                convert: can("convert"),
                tftp: can("tftp"),
                ftp: can("ftp"),
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
struct ImageOptions {
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
    fn plan(&self, version: &str) -> Plan {
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
struct FaultOptions {
    #[command(flatten)]
    fault: Fault,
}

fn parse<T: Parser>(words: &[impl AsRef<str>]) -> T {
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
