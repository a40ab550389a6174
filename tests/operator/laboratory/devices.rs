//! The simulated devices of the laboratory.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;
use tests::loopback;
use tests::process::{Running, eventually};

use super::{
    DEVICE, Laboratory, NO_TIME_LOST, PASSPHRASES, USER, answer, credentials, json, path_text,
    with_the_last_word,
};

impl Laboratory {
    pub(super) fn start_simulator(&mut self, options: &[&str]) {
        let translation = self.translation.as_ref();
        let address =
            translation.map_or_else(|| loopback::own_address().into(), |beyond| beyond.first_device());
        let mut all =
            vec!["run".to_owned(), "--bind".into(), address.to_string(), "--port".into(), "0".into()];
        let notified = self.port("notifications");
        let told = self.link.as_ref().map_or(notified.ip(), |link| link.managers_address().into());
        all.extend(["--notify".into(), SocketAddr::new(told, notified.port()).to_string()]);
        all.extend(["--user".into(), credentials::user(PASSPHRASES), "--notify-user".into(), USER.into()]);
        all.extend(["--state".into(), path_text(&self.state())]);
        all.extend(["--control".into(), path_text(&self.control())]);
        all.extend(with_the_last_word(&NO_TIME_LOST, options));
        self.simulator_options = all;
        let ready = self.run_simulator();
        let port = ready.split_whitespace().find_map(|word| word.strip_prefix("port=")).unwrap();
        let place = self.simulator_options.iter().position(|word| word == "--port").unwrap();
        self.simulator_options[place + 1] = port.to_owned();
    }

    /// Starts the devices again where they were, with what they had stored: their power is back.
    pub(crate) fn start_simulator_again(&mut self) {
        self.run_simulator();
    }

    fn run_simulator(&mut self) -> String {
        let mut command = match &self.translation {
            Some(translation) => translation.within(&self.iad_sim),
            None => Command::new(&self.iad_sim),
        };
        let mut running = Running::start(command.args(&self.simulator_options));
        let ready = running.wait_for("the line that says that all devices run", |line| {
            line.starts_with("ready ").then(|| line.to_owned())
        });
        self.simulator = Some(running);
        ready
    }

    /// `kill -9`: a failure of power at all devices.
    pub(crate) fn kill_simulator(&mut self) {
        self.simulator.take().expect("the simulator runs").kill();
    }

    /// Runs a command of `iad-sim`, which must succeed, and returns what it writes.
    pub(crate) fn simulator(&self, words: &[&str]) -> String {
        let mut command = Command::new(&self.iad_sim);
        let answered = answer(command.args(words).arg("--control").arg(self.control()));
        assert_eq!(answered.code, Some(0), "iad-sim {words:?}: {answered:?}");
        answered.stdout
    }

    /// Lets something go wrong.
    pub(crate) fn fault(&self, options: &[&str]) {
        self.simulator(&[&["fault", "add"], options].concat());
    }

    /// The device, by its own word.
    pub(crate) fn device(&self) -> Value {
        json(&self.simulator(&["device", "show", DEVICE, "--output", "json"]))
    }

    /// Waits until the device is as wanted.
    pub(crate) fn device_becomes(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut device = Value::Null;
        eventually(what, || {
            device = self.device();
            wanted(&device)
        });
        device
    }

    /// Where devices keep what survives a failure of power.
    pub(crate) fn state(&self) -> PathBuf {
        self.folder.path().join("devices")
    }

    fn control(&self) -> PathBuf {
        self.folder.path().join("simulator.sock")
    }
}
