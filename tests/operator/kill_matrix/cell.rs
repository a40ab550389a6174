//! One cell of the matrix: a phase, and a trouble in it.

use std::path::PathBuf;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::evidence;
use super::moment::Moment;
use super::{Phase, RESTORED_FORMAT};
use crate::laboratory::{DEVICE, Laboratory, Setup, Watch, path_text};

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The device is without power until that is noticed.
    PoweredOff,
    /// `kill -9`, and a new start on the same data and ports.
    ManagerKilled,
    /// Nothing goes over between manager and device, either way, until that is noticed.
    LinkCut,
    /// The manager's disk is full until it says so.
    DiskFull,
}

/// A phase that ends by itself was over before the trouble came.
#[derive(Debug)]
pub(super) struct Missed;

/// One upgrade with its trouble.
#[derive(Debug)]
pub(super) struct Trial {
    pub(super) phase: Phase,
    pub(super) trouble: Trouble,
    pub(super) laboratory: Laboratory,
    /// The device before all of it.
    pub(super) before: Value,
    pub(super) run: u64,
    /// How many questions were answered.
    pub(super) answered: u32,
    watch: Option<Watch>,
    /// Times given to what ends by itself are so many times longer.
    patience: u32,
}

/// More questions than any trouble leads to.
const MOST_QUESTIONS: u32 = 12;

/// Nothing is waited for long: silence is noticed soon, and so is a device that gets nowhere.
const IMPATIENT: [&str; 4] = ["answer_ms = 250", "repeats = 2", "reach_s = 2", "evidence_s = 5"];

/// Nothing is given up because it takes long, whatever else this machine does.
const PATIENT: [&str; 1] = ["evidence_s = 60"];

/// The first look is repeated for longer than a test takes.
const PATIENT_AT_FIRST: [&str; 3] = ["answer_ms = 2000", "repeats = 10", "evidence_s = 60"];

const STALLS_SOON: &str = "
[commands.backup]
stall_s = 2
[commands.download]
stall_s = 2
[commands.convert]
stall_s = 2
[commands.restore]
stall_s = 2
[commands.reset]
deadline_s = 4
[commands.confirm]
deadline_s = 4
";

const ROLLS_BACK_SOON: &str = "
[commands.roll-back]
deadline_s = 4
";

/// Proves one cell. A phase that ends by itself gets more time until the trouble comes into it.
pub(super) fn prove(phase: &Phase, trouble: Trouble) {
    for patience in [1, 2, 4, 8, 16] {
        let Some(mut trial) = Trial::set_up(phase, trouble, patience) else { return };
        trial.begin();
        if trial.suffer().is_ok() {
            return trial.check();
        }
    }
    panic!("the phase was over each time before the trouble came");
}

impl Trial {
    /// None where there can be no such trouble, which is told.
    fn set_up(phase: &Phase, trouble: Trouble, patience: u32) -> Option<Self> {
        let impatient = matches!(trouble, Trouble::PoweredOff | Trouble::LinkCut);
        let soak = format!("soak_s = {}", if phase.moment == Moment::Soaking { 2 * patience } else { 0 });
        let mut limits = match phase.moment {
            _ if impatient => IMPATIENT.to_vec(),
            Moment::Silent => PATIENT_AT_FIRST.to_vec(),
            _ => PATIENT.to_vec(),
        };
        limits.push(&soak);
        let commands = match (phase.moment, phase.time_limit) {
            (_, Some(command)) if trouble == Trouble::DiskFull => {
                format!("[commands.{command}]\ndeadline_s = {}\n", 3 * patience)
            }
            _ if !impatient => String::new(),
            // There the roll-back has to wait for a person.
            (Moment::OriginalMoved, _) => STALLS_SOON.into(),
            _ => [STALLS_SOON, ROLLS_BACK_SOON].concat(),
        };
        let power_fails = phase.power_fails.filter(|_| trouble == Trouble::PoweredOff);
        let power_fails = power_fails.map(|when| [&["power-loss"], when].concat());
        let beside = phase.beside.map(|beside| beside.fault);
        let faults: Vec<&[&str]> = beside.into_iter().chain(power_fails.as_deref()).collect();
        let setup = Setup {
            devices: &[phase.devices, &["--give-up", "3s"]].concat(),
            faults: &faults,
            limits: &limits,
            commands: &commands,
            linked: true,
            translation: None,
            disk: (trouble == Trouble::DiskFull).then_some("size=24m"),
        };
        let laboratory = Laboratory::with(&setup);
        if trouble == Trouble::DiskFull && !laboratory.has_disk() {
            return None;
        }
        let before = laboratory.device();
        Some(Self { phase: *phase, trouble, laboratory, before, run: 0, answered: 0, watch: None, patience })
    }

    fn begin(&mut self) {
        let image = ["--format", RESTORED_FORMAT, "--size", "512KiB"];
        if self.phase.moment == Moment::Converter {
            let script = self.script();
            self.laboratory.add_image_with_converter("new", "2.0", &image, &script);
        } else {
            self.laboratory.add_image("new", "2.0", &image);
        }
        self.prepare(self.phase.moment);
        let mut words = vec!["upgrade", DEVICE, "--image", "new"];
        let moment = Timestamp::now() + SignedDuration::from_secs(4 * i64::from(self.patience));
        let moment = moment.to_string();
        if self.phase.moment == Moment::Holding {
            words.extend(["--at", &moment]);
        }
        self.run = self.laboratory.begin(&words);
    }

    /// Comes to the moment, suffers the trouble and its end, and goes on to the end of the run.
    fn suffer(&mut self) -> Result<(), Missed> {
        let moment = self.phase.moment;
        if self.is_refused() {
            self.is_refused_and_begun_anew();
            return Ok(());
        }
        self.come_to(moment);
        match self.trouble {
            Trouble::PoweredOff => {
                if self.is_left_to_power() {
                    self.laboratory.device_becomes("power has failed", |device| device["power"] == "off");
                } else {
                    self.laboratory.simulator(&["device", "power", "off", DEVICE]);
                    self.stands_in_its_phase()?;
                }
                self.laboratory.link().heal();
                self.let_go_on(moment);
                self.is_noticed();
                assert_eq!(self.laboratory.device()["counters"]["power-losses"], 1);
                self.laboratory.simulator(&["device", "power", "on", DEVICE]);
            }
            Trouble::LinkCut => {
                self.laboratory.link().cut();
                self.stands_in_its_phase()?;
                self.let_go_on(moment);
                self.is_noticed();
                assert!(self.laboratory.link().lost() > 0, "nothing was to go over that was lost");
                self.laboratory.link().heal();
            }
            Trouble::ManagerKilled => {
                self.stands_in_its_phase()?;
                self.watch = None;
                self.laboratory.kill_manager();
                self.laboratory.link().heal();
                if !moment.is_a_question() {
                    self.let_go_on(moment);
                }
                self.laboratory.start_manager();
                self.is_resumed();
            }
            Trouble::DiskFull => {
                self.laboratory.fill_disk();
                self.stands_in_its_phase()?;
                self.laboratory.link().heal();
                if moment.is_a_question() {
                    self.cannot_answer();
                } else {
                    self.let_go_on(moment);
                    self.cannot_store();
                }
                self.laboratory.make_room();
            }
        }
        Ok(())
    }

    fn stands_in_its_phase(&self) -> Result<(), Missed> {
        let run = self.laboratory.run_as_it_stands(self.run);
        if self.phase.step.is_now(&run) {
            return Ok(());
        }
        let limited = self.trouble == Trouble::DiskFull && self.phase.time_limit.is_some();
        assert!(limited || self.phase.moment.passes(), "it does not stand in {:?}: {run}", self.phase.step);
        Err(Missed)
    }

    /// A device that does not answer the first look is refused, and nothing is sent to it. Once it answers, a new run is
    /// as any other.
    fn is_refused_and_begun_anew(&mut self) {
        let refused = self.watch().wait_for("the refusal", |story| story.get("ended").cloned());
        assert_eq!(refused["outcome"], "refused", "{refused}");
        let device = self.laboratory.device();
        assert_eq!(device["counters"]["operations"], Value::Array(Vec::new()), "nothing was sent");
        if self.trouble == Trouble::PoweredOff {
            self.laboratory.simulator(&["device", "power", "on", DEVICE]);
        }
        self.laboratory.link().heal();
        self.laboratory.device_becomes("the device runs", |device| device["power"] == "running");
        self.watch = None;
        self.run = self.laboratory.begin(&["upgrade", DEVICE, "--image", "new"]);
    }

    fn is_refused(&self) -> bool {
        let impatient = matches!(self.trouble, Trouble::PoweredOff | Trouble::LinkCut);
        self.phase.moment == Moment::Silent && impatient
    }

    /// Whether power fails at the moment by itself.
    pub(super) fn is_left_to_power(&self) -> bool {
        self.trouble == Trouble::PoweredOff && self.phase.power_fails.is_some()
    }

    pub(super) fn watch(&mut self) -> &mut Watch {
        self.watch.get_or_insert_with(|| self.laboratory.watch(self.run))
    }

    /// The manager sees that something is wrong, and says so.
    fn is_noticed(&mut self) {
        let beside = self.phase.beside.map(|beside| beside.fails);
        self.watch().wait_for("the failure", |story| {
            assert!(story.get("ended").is_none(), "it went on without the device: {story}");
            let step = story.get("step-failed")?["step"].as_str()?;
            (Some(step) != beside).then_some(())
        });
    }

    /// The manager goes on, and it was killed in the phase.
    fn is_resumed(&mut self) {
        let mut last = None;
        self.watch().wait_for("the manager goes on", |story| {
            if let Some(step) = story.get("step-begun") {
                last = step["step"].as_str().map(str::to_owned);
            }
            (story == "resumed").then_some(())
        });
        let begun = self.phase.step.begun();
        assert!(begun.is_none() || last.as_deref() == begun, "it was killed in {last:?}");
    }

    /// The manager says that it can store nothing, each second, for longer than the phase's time limit.
    fn cannot_store(&mut self) {
        let times = if self.phase.time_limit.is_some() { self.time_limit() + 2 } else { 1 };
        for _ in 0..times {
            self.laboratory.manager_says("nothing can be stored");
        }
    }

    fn time_limit(&self) -> u32 {
        3 * self.patience
    }

    fn cannot_answer(&self) {
        let answered = match self.phase.moment {
            Moment::AskedToEdit => self.laboratory.run(&self.edited().each_ref().map(String::as_str)),
            _ => self.laboratory.run(&["run", "answer", &self.run.to_string(), "again"]),
        };
        assert_eq!(answered.code, Some(1), "{answered:?}");
        assert!(answered.stderr.contains("make room"), "{answered:?}");
    }

    /// A patient operator: each question is answered `again`, until the run is over.
    fn operate(&mut self) -> Value {
        loop {
            // It may have been told already.
            self.answers();
            let told = self.watch().wait_for("a question or the end", |story| {
                (story.get("asked").is_some() || story.get("ended").is_some()).then(|| story.clone())
            });
            if let Some(ended) = told.get("ended") {
                return ended.clone();
            }
            assert!(self.answered <= MOST_QUESTIONS, "it asks for ever: {told}");
        }
    }

    /// Answers the question that is open; whether there was one.
    pub(super) fn answers(&mut self) -> bool {
        let run = self.laboratory.run_as_it_stands(self.run);
        let question = &run["state"]["asking"];
        let Some(answers) = question["answers"].as_array() else { return false };
        if question["lost"] == false {
            let version = &self.laboratory.device()["version"];
            assert_eq!(version, "1.0", "a question leaves the device on its old software: {question}");
        }
        if answers.contains(&"again".into()) {
            self.laboratory.succeed(&["run", "answer", &self.run.to_string(), "again"]);
        } else {
            self.laboratory.succeed(&self.edited().each_ref().map(String::as_str));
        }
        self.answered += 1;
        true
    }

    /// The command that answers with the configuration as an operator edits it.
    fn edited(&self) -> [String; 5] {
        let folder = self.laboratory.folder().join(format!("edited-{}", self.answered));
        let (run, path) = (self.run.to_string(), path_text(&folder));
        if !folder.exists() {
            self.laboratory.succeed(&["run", "export", &run, &path]);
            for file in std::fs::read_dir(&folder).unwrap() {
                let file = file.unwrap().path();
                let text = std::fs::read_to_string(&file).unwrap();
                std::fs::write(&file, text.replacen("format=1", "format=2", 1)).unwrap();
            }
        }
        ["run".into(), "answer".into(), run, "edited".into(), path]
    }

    /// What the converter and the test tell each other.
    pub(super) fn converter(&self, what: &str) -> PathBuf {
        self.laboratory.folder().join(format!("converter-{what}"))
    }

    fn script(&self) -> String {
        let (begun, go) = (path_text(&self.converter("begun")), path_text(&self.converter("go")));
        format!(
            "#!/bin/sh\n: > '{begun}'\nwhile [ ! -e '{go}' ]; do sleep 0.05; done\nexec sed \"1s/format=$2/format=$3/\"\n"
        )
    }

    fn check(mut self) {
        let ended = self.operate();
        assert_eq!(ended["outcome"], "succeeded", "{ended}");
        evidence::check(&self);
    }
}
