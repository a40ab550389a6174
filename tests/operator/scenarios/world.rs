//! A session in the world: the manager's parts and the device model in one process, on virtual time.

use std::collections::BTreeMap;

use iad_sim::net::DeviceView;
use upgrade::run::{Answer, Goal, Story};
use upgrade::{Image, Kind, Protocol, RunId};
use world::{Nothing, Stage};

use super::device::SetConfig;
use super::script::Setting;
use super::session::Site;
use super::words::{DeviceOptions, FaultOptions, ImageOptions, Operator, RunCommand, Word, parse};
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
        let mut overwrites = false;
        let (device, goal, manner) = match parse::<Operator>(words) {
            Operator::Upgrade { device, image, overwrite, manner } => {
                overwrites = overwrite;
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
        self.stage.begin(goal, manner.choices(overwrites), protocol).unwrap().0
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
                    Word::Image { name } => Answer::OtherImage(self.image(&name).into()),
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
