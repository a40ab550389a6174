//! One manager and one simulator, each a process of its own, in a folder and on loopback addresses of their own.

mod credentials;
mod devices;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use serde_json::Value;
use tempfile::TempDir;
use tests::process::{Finished, LIMIT, Running};
use tests::{loopback, programs};

pub(crate) use self::credentials::{CREDENTIAL, PASSPHRASES, USER};
use crate::disk::Disk;
use crate::link::Link;
use crate::translation::Translation;

/// The device that most tests have; in the manager it has the same name.
pub(crate) const DEVICE: &str = "IAD-000001";

/// The usual device, looked at often, and tried again soon.
const PROFILE: &str = "name = \"quick\"\nextends = \"iad\"\n\n[limits]\n";

/// Its limits, unless a test gives others.
const LIMITS: [&str; 4] = ["poll_s = 0.3", "late_s = 0", "soak_s = 0.5", "backoff_s = 0.2"];

/// What the simulated devices are like unless a test says otherwise: nothing takes long.
const NO_TIME_LOST: [&str; 10] = [
    "--boot-time",
    "100ms",
    "--erase-time",
    "0s",
    "--activate-time",
    "0s",
    "--convert-time",
    "0s",
    "--apply-time",
    "0s",
];

/// What a laboratory is like.
#[derive(Debug, Default)]
pub(crate) struct Setup<'a> {
    /// Options of `iad-sim run`; of an option given twice the last counts.
    pub(crate) devices: &'a [&'a str],
    /// Faults, each as options of `iad-sim fault add`.
    pub(crate) faults: &'a [&'a [&'a str]],
    /// Limits of the profile, each as in its file.
    pub(crate) limits: &'a [&'a str],
    /// Limits of single commands, as in its file.
    pub(crate) commands: &'a str,
    /// Whether there is a link between manager and device that can be cut.
    pub(crate) linked: bool,
    /// Devices are behind an address translation.
    pub(crate) translation: Option<Arc<Translation>>,
    /// The manager's data is on a disk of its own with these options, which must be had here.
    pub(crate) disk: Option<&'static str>,
}

/// What a command wrote and how it ended.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) code: Option<i32>,
    /// Data.
    pub(crate) stdout: String,
    /// Everything else.
    pub(crate) stderr: String,
}

#[derive(Debug)]
pub(crate) struct Laboratory {
    folder: TempDir,
    iadms: PathBuf,
    iad_sim: PathBuf,
    manager: Option<Running>,
    simulator: Option<Running>,
    manager_options: Vec<String>,
    simulator_options: Vec<String>,
    /// Where the daemon told that it listens.
    ready: Value,
    link: Option<Link>,
    translation: Option<Arc<Translation>>,
    disk: Option<Disk>,
}

impl Laboratory {
    /// A manager, and one device that it knows.
    pub(crate) fn start() -> Self {
        Self::with(&Setup::default())
    }

    pub(crate) fn with(setup: &Setup<'_>) -> Self {
        let mut laboratory = Self::with_manager(setup);
        laboratory.start_simulator(setup.devices);
        for fault in setup.faults {
            laboratory.fault(fault);
        }
        let listed: Value = json(&laboratory.simulator(&["device", "list", "--output", "json"]));
        for device in listed.as_array().unwrap() {
            let name = device["unique-id"].as_str().unwrap();
            let address: SocketAddr = device["address"].as_str().unwrap().parse().unwrap();
            let met_at = match (&laboratory.link, &laboratory.translation) {
                (Some(link), _) => link.lead_to_device(address),
                (None, Some(translation)) => translation.lead_to_device(address),
                (None, None) => address,
            };
            laboratory.add_device(name, met_at);
        }
        laboratory
    }

    /// A manager that knows no device.
    pub(crate) fn with_manager_alone(limits: &[&str]) -> Self {
        Self::with_manager(&Setup { limits, ..Setup::default() })
    }

    fn with_manager(setup: &Setup<'_>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let profiles = folder.path().join("profiles");
        std::fs::create_dir(&profiles).unwrap();
        std::fs::write(profiles.join("quick.toml"), profile(setup.limits, setup.commands)).unwrap();
        let data = folder.path().join("data");
        let disk = setup.disk.and_then(|options| Disk::at(&data, options));
        let link = setup.linked.then(Link::new);
        let translation = setup.translation.as_ref();
        let address =
            translation.map_or_else(|| loopback::own_address().into(), |beyond| beyond.managers_address());
        let mut options = vec!["serve".to_owned(), "--ready".into()];
        for listener in ["--notifications", "--tftp", "--ftp"] {
            options.extend([listener.into(), SocketAddr::new(address, 0).to_string()]);
        }
        if translation.is_some() {
            options.push("--tftp-single-port".into());
        }
        let told = link.as_ref().map_or(address, |link| link.managers_address().into());
        options.extend(["--server-address".into(), told.to_string()]);
        options.extend(["--data".into(), path_text(&data)]);
        if disk.is_some() {
            // What is on that disk, only the daemon sees.
            options.extend(["--socket".into(), path_text(&folder.path().join("iadms.sock"))]);
        }
        options.extend(["--profiles".into(), path_text(&profiles)]);
        let iadms = programs::program("iadms");
        options.extend(credentials::key(&iadms, folder.path()));
        let mut laboratory = Self {
            folder,
            iadms,
            iad_sim: programs::program("iad-sim"),
            manager: None,
            simulator: None,
            manager_options: options,
            simulator_options: Vec::new(),
            ready: Value::Null,
            link,
            translation: setup.translation.clone(),
            disk,
        };
        laboratory.start_manager();
        laboratory.add_credential();
        // From now on the daemon listens where it did, however often it is started again.
        for listener in ["notifications", "tftp", "ftp"] {
            let port = laboratory.ready[listener].as_str().unwrap().to_owned();
            let option = format!("--{listener}");
            let place = laboratory.manager_options.iter().position(|word| *word == option).unwrap();
            laboratory.manager_options[place + 1] = port;
        }
        if let Some(link) = &laboratory.link {
            link.lead_to_manager(laboratory.port("notifications"), laboratory.port("tftp"));
        }
        laboratory
    }

    // The daemon

    /// Starts the daemon, on the data that there is.
    pub(crate) fn start_manager(&mut self) {
        let mut command = Command::new(&self.iadms);
        if let Some(disk) = &self.disk {
            command = disk.within();
            command.arg(&self.iadms);
        }
        let mut running = Running::start(command.args(&self.manager_options));
        self.ready = running.wait_for("the line that says that all listen", |line| {
            serde_json::from_str(line).ok().filter(|ready: &Value| ready["ready"] == true)
        });
        self.manager = Some(running);
    }

    /// `kill -9`.
    pub(crate) fn kill_manager(&mut self) {
        self.manager.take().expect("the manager runs").kill();
    }

    /// Ends the daemon in good order, as the system does.
    pub(crate) fn end_manager(&mut self) {
        let manager = self.manager.take().expect("the manager runs");
        let process = manager.process_id().to_string();
        assert_eq!(answer(Command::new("kill").args(["-TERM", &process])).code, Some(0));
        let finished = manager.finish_within(LIMIT);
        assert!(finished.status.success(), "{finished:?}");
    }

    /// Waits until the daemon has ended by itself, and tells how.
    pub(crate) fn manager_ends(&mut self, limit: std::time::Duration) -> Finished {
        self.manager.take().expect("the manager runs").finish_within(limit)
    }

    /// The process of the daemon.
    pub(crate) fn manager_process(&self) -> u32 {
        self.manager.as_ref().expect("the manager runs").process_id()
    }

    /// Where the daemon listens for this: notifications, tftp or ftp.
    pub(crate) fn port(&self, listener: &str) -> SocketAddr {
        self.ready[listener].as_str().unwrap().parse().unwrap()
    }

    /// The options of `iadms serve` with which the daemon runs.
    pub(crate) fn manager_options(&self) -> &[String] {
        &self.manager_options
    }

    /// Waits for a line of the daemon's log.
    pub(crate) fn manager_says(&mut self, words: &str) {
        let manager = self.manager.as_mut().expect("the manager runs");
        manager.wait_for(words, |line| line.contains(words).then_some(()));
    }

    /// Whether the manager's data is on a disk of its own.
    pub(crate) fn has_disk(&self) -> bool {
        self.disk.is_some()
    }

    /// Fills the manager's disk to the last byte.
    pub(crate) fn fill_disk(&self) {
        self.disk.as_ref().expect("a disk of its own").fill(self.manager_process());
    }

    pub(crate) fn make_room(&self) {
        self.disk.as_ref().expect("a disk of its own").make_room(self.manager_process());
    }

    /// The link between manager and device.
    pub(crate) fn link(&self) -> &Link {
        self.link.as_ref().expect("a link that can be cut")
    }

    // The operator

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(crate) fn program(&self) -> &Path {
        &self.iadms
    }

    /// A command of `iadms`.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.iadms);
        let beside = if self.disk.is_some() { self.folder.path().to_owned() } else { self.data() };
        command.args(words).env("IADMS_SOCKET", beside.join("iadms.sock")).env("NO_COLOR", "1");
        command
    }

    /// Runs a command of `iadms` to its end.
    pub(crate) fn run(&self, words: &[&str]) -> Answered {
        answer(&mut self.command(words))
    }

    /// Runs a command of `iadms`, which must succeed, and returns the data it writes.
    pub(crate) fn succeed(&self, words: &[&str]) -> String {
        let answered = self.run(words);
        assert_eq!(answered.code, Some(0), "iadms {words:?}: {answered:?}");
        answered.stdout
    }

    /// Runs a command of `iadms` that must succeed and write JSON.
    pub(crate) fn json(&self, words: &[&str]) -> Value {
        json(&self.succeed(&[words, &["--output", "json"]].concat()))
    }

    pub(crate) fn add_device(&self, name: &str, address: SocketAddr) {
        let (address, port) = (address.ip().to_string(), address.port().to_string());
        let options = ["--port", &port, "--profile", "quick", "--credential", CREDENTIAL];
        self.succeed(&[&["device", "add", name, &address], &options[..]].concat());
    }

    /// Makes an image with these options of `iad-sim image make`, and adds it under this name.
    pub(crate) fn add_image(&self, name: &str, version: &str, options: &[&str]) {
        let manifest = path_text(&self.make_image(name, version, options));
        self.succeed(&["image", "add", &manifest]);
    }

    /// The same, with a shell script as its converter.
    pub(crate) fn add_image_with_converter(&self, name: &str, version: &str, options: &[&str], script: &str) {
        let converter = self.folder.path().join(format!("{name}.sh"));
        std::fs::write(&converter, script).unwrap();
        let manifest = self.make_image_with(name, version, options, &["--converter", &path_text(&converter)]);
        std::fs::rename(&converter, manifest.with_extension("sh")).unwrap();
        self.succeed(&["image", "add", &path_text(&manifest)]);
    }

    /// Makes an image and its manifest, whose path this is.
    pub(crate) fn make_image(&self, name: &str, version: &str, options: &[&str]) -> PathBuf {
        self.make_image_with(name, version, options, &[])
    }

    fn make_image_with(&self, name: &str, version: &str, options: &[&str], more: &[&str]) -> PathBuf {
        let folder = self.folder.path().join(name);
        let mut make = Command::new(&self.iad_sim);
        make.args(["image", "make", "--version", version]).args(options).arg("--folder").arg(&folder);
        let made = answer(&mut make);
        assert_eq!(made.code, Some(0), "iad-sim image make: {made:?}");
        let files = std::fs::read_dir(&folder).unwrap().map(|entry| path_text(&entry.unwrap().path()));
        let mut files: Vec<_> = files.collect();
        files.sort();
        let option = |name: &str, otherwise: &str| {
            let place = options.iter().position(|word| *word == name);
            place.map_or(otherwise, |place| options[place + 1]).to_owned()
        };
        let (hardware, format) = (option("--hardware", "iad-8"), option("--format", "1"));
        let words =
            ["image", "manifest", "--for-version", version, "--hardware", &hardware, "--format", &format];
        let files: Vec<_> = files.iter().map(String::as_str).collect();
        let path = folder.join(format!("{name}.toml"));
        std::fs::write(&path, self.succeed(&[&words, files.as_slice(), more].concat())).unwrap();
        path
    }

    /// Begins a run of [`DEVICE`] by this command, and returns its number.
    pub(crate) fn begin(&self, words: &[&str]) -> u64 {
        let begun = self.json(words);
        begun[0]["run"].as_u64().unwrap_or_else(|| panic!("no run began: {begun}"))
    }

    /// The run as it stands.
    pub(crate) fn run_as_it_stands(&self, run: u64) -> Value {
        self.json(&["run", "show", &run.to_string()])["run"]["run"].take()
    }

    /// Listens to what is told of a run, from its beginning.
    pub(crate) fn watch(&self, run: u64) -> Watch {
        let words = ["run", "watch", &run.to_string(), "--output", "json"];
        Watch { process: Running::start(&mut self.command(&words)) }
    }

    /// Waits for the end of a run, and returns it.
    pub(crate) fn ending(&self, run: u64) -> Value {
        self.watch(run).wait_for("the end of the run", |story| {
            assert!(story.get("asked").is_none(), "nobody was to be asked: {story}");
            story.get("ended").cloned()
        })
    }
}

/// What is told of a run.
#[derive(Debug)]
pub(crate) struct Watch {
    process: Running,
}

impl Watch {
    /// Waits for a story of which `wanted` makes something.
    pub(crate) fn wait_for<T>(&mut self, what: &str, mut wanted: impl FnMut(&Value) -> Option<T>) -> T {
        self.process.wait_for(what, |line| wanted(&serde_json::from_str::<Value>(line).ok()?["story"]))
    }

    /// Waits until this part of the figure has begun.
    pub(crate) fn step_begun(&mut self, step: &str) {
        self.wait_for(&format!("the beginning of {step}"), |story| {
            assert!(story.get("ended").is_none(), "the run ended before {step}: {story}");
            (story["step-begun"]["step"] == step).then_some(())
        });
    }

    /// Waits until an operator is asked, and returns the question.
    pub(crate) fn asked(&mut self) -> Value {
        self.wait_for("a question", |story| {
            assert!(story.get("ended").is_none(), "the run ended unasked: {story}");
            story.get("asked").cloned()
        })
    }
}

/// Runs a command to its end, with its streams apart.
pub(crate) fn answer(command: &mut Command) -> Answered {
    // `timeout` bounds the wait; its own exit code for that is none of ours.
    let mut bounded = Command::new("timeout");
    bounded.args(["--kill-after=5", &LIMIT.as_secs().to_string()]).arg(command.get_program());
    bounded.args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => bounded.env(name, value),
            None => bounded.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        bounded.current_dir(folder);
    }
    let output = bounded.stdin(std::process::Stdio::null()).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Answered { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

pub(crate) fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("no JSON ({error}): {text}"))
}

pub(crate) fn path_text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

/// The profile of the devices, with these limits, and these of single commands.
pub(crate) fn profile(limits: &[&str], commands: &str) -> String {
    let name = |limit: &str| limit.split(' ').next().map(str::to_owned);
    let given: Vec<_> = limits.iter().map(|limit| name(limit)).collect();
    let usual = LIMITS.iter().filter(|limit| !given.contains(&name(limit)));
    let limits: Vec<_> = usual.chain(limits).copied().collect();
    format!("{PROFILE}{}\n\n{commands}\n", limits.join("\n"))
}

/// Options with values, of which those in `later` take the place of those in `earlier`.
fn with_the_last_word(earlier: &[&str], later: &[&str]) -> Vec<String> {
    let kept = earlier.chunks(2).filter(|option| !later.contains(&option[0])).flatten();
    kept.chain(later).map(|word| (*word).to_owned()).collect()
}

/// The address at which a test may have a program of its own.
pub(crate) fn another_address() -> Ipv4Addr {
    loopback::own_address()
}
