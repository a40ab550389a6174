//! A session with the two programs, over loopback.

use std::collections::BTreeMap;

use engine::director::Told;
use iad_sim::net::DeviceView;
use iadms::cli::narrate;
use tests::process::{Running, eventually};
use upgrade::run::Story;

use super::script::Setting;
use super::session::Site;
use crate::laboratory::{DEVICE, Laboratory, Setup, answer, json};

/// What the images are delivered with that have a converter.
const CONVERTER: &str = include_str!("../../scenarios/converter.sh");

pub(super) struct Loopback {
    laboratory: Laboratory,
    /// Who watches which run.
    watch: Option<(u64, Running)>,
    /// How many stories of that run were told.
    told: u64,
    /// What was told of each run, as it happened.
    sentences: BTreeMap<u64, Vec<String>>,
}

impl Loopback {
    pub(super) fn new(setting: &Setting) -> Self {
        let devices: Vec<&str> = setting.devices.iter().map(String::as_str).collect();
        let limits: Vec<&str> = setting.limits.iter().map(String::as_str).collect();
        let setup =
            Setup { devices: &devices, limits: &limits, commands: &setting.commands, ..Setup::default() };
        let laboratory = Laboratory::with(&setup);
        for image in &setting.images {
            let options: Vec<&str> = image.options.iter().map(String::as_str).collect();
            if image.has_converter {
                laboratory.add_image_with_converter(&image.name, &image.version, &options, CONVERTER);
            } else {
                laboratory.add_image(&image.name, &image.version, &options);
            }
        }
        Self { laboratory, watch: None, told: 0, sentences: BTreeMap::new() }
    }

    /// Whoever looks later reads the same as who looked on.
    pub(super) fn shows_what_was_told(&self) {
        for (run, told) in &self.sentences {
            let shown = self.laboratory.succeed(&["run", "show", &run.to_string()]);
            // Below the empty line after the tables each line begins with its date and time.
            let sentence = |line: &str| line.splitn(3, ' ').nth(2).map(|rest| rest.trim_start().to_owned());
            let shown: Vec<String> = shown.lines().filter_map(sentence).collect();
            let begins = shown.iter().position(|line| Some(line) == told.first());
            let shown = begins.map(|begins| shown[begins..].iter().take(told.len()).cloned().collect());
            assert_eq!(shown.as_ref(), Some(told), "iadms run show {run}");
        }
    }
}

impl Site for Loopback {
    fn begin(&mut self, words: &[&str]) -> u64 {
        (self.watch, self.told) = (None, 0);
        self.laboratory.begin(words)
    }

    fn operator(&mut self, words: &[&str]) {
        let mut command = self.laboratory.command(words);
        let answered = answer(command.current_dir(self.laboratory.folder()));
        assert_eq!(answered.code, Some(0), "iadms {words:?}: {answered:?}");
    }

    fn simulator(&mut self, words: &[&str]) {
        self.laboratory.simulator(words);
    }

    fn next_story(&mut self, run: u64) -> Story {
        let laboratory = &self.laboratory;
        let watch = || {
            let words = ["run", "watch", &run.to_string(), "--output", "json"];
            (run, Running::start(&mut laboratory.command(&words)))
        };
        let (watched, running) = self.watch.get_or_insert_with(watch);
        assert_eq!(*watched, run, "one run is watched at a time");
        let told = running.wait_for("the next story", |line| {
            let told: Told = serde_json::from_str(line).ok()?;
            let is_kept = !matches!(told.story, Story::Progress { .. });
            (is_kept && told.n > self.told).then_some(told)
        });
        self.told = told.n;
        self.sentences.entry(run).or_default().push(narrate::story(&told.story));
        told.story
    }

    fn device(&mut self) -> DeviceView {
        let words = ["device", "show", DEVICE, "--output", "json"];
        serde_json::from_value(json(&self.laboratory.simulator(&words))).unwrap()
    }

    fn device_becomes(&mut self, what: &str, wanted: &dyn Fn(&DeviceView) -> bool) {
        eventually(what, || wanted(&self.device()));
    }

    fn kill_manager(&mut self) {
        self.watch = None;
        self.laboratory.kill_manager();
    }

    fn start_manager(&mut self) {
        self.laboratory.start_manager();
    }

    fn edit(&mut self, folder: &str, format: u32) {
        let files =
            std::fs::read_dir(self.laboratory.folder().join(folder)).unwrap().map(|file| file.unwrap());
        // As a person opens DIR/*: what tells where they come from is no configuration.
        for file in files.filter(|file| !file.file_name().to_string_lossy().starts_with('.')) {
            let path = file.path();
            let edited = super::edited(&std::fs::read(&path).unwrap(), format);
            std::fs::write(&path, edited).unwrap();
        }
    }
}
