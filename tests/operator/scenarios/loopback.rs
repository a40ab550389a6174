//! A session with the two programs, over loopback.

use engine::director::Told;
use iad_sim::net::DeviceView;
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
        Self { laboratory, watch: None, told: 0 }
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
        for file in std::fs::read_dir(self.laboratory.folder().join(folder)).unwrap() {
            let path = file.unwrap().path();
            let edited = super::edited(&std::fs::read(&path).unwrap(), format);
            std::fs::write(&path, edited).unwrap();
        }
    }
}
