//! The processes of the demonstration, and their command lines. All of it ends and is removed with this.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::Value;

use crate::step::Failed;

/// What devices and waits of a demonstration are like: nobody wants to watch for an hour.
const PROFILE: &str = r#"
name = "demo"
extends = "iad"
title = "Simulated device of the demonstration"

[limits]
poll_s = 0.5
late_s = 0
soak_s = 1
drain_s = 10
"#;

/// The manager, two simulators and a temporary folder.
pub(super) struct Laboratory {
    folder: PathBuf,
    programs: PathBuf,
    manager: Child,
    simulators: Vec<Child>,
    watches: RefCell<Vec<Child>>,
    ports: Vec<String>,
    /// Lines that people were shown.
    shown: RefCell<Option<mpsc::Receiver<String>>>,
}

/// As whom the devices are asked and notify: the name, the pass-phrases for authentication and for privacy.
const USER: [&str; 3] = ["anna", "maplesyrup", "rupryselpam"];

/// How long a line that was told already may take to be shown.
const SHOWN_LIMIT: Duration = Duration::from_secs(5);

impl Laboratory {
    pub(super) fn start() -> Result<Self, Failed> {
        let folder = std::env::temp_dir().join(format!("iadms-demo-{}", std::process::id()));
        let profiles = folder.join("profiles");
        std::fs::create_dir_all(&profiles).map_err(|error| at(&profiles, &error))?;
        let profile = profiles.join("demo.toml");
        std::fs::write(&profile, PROFILE).map_err(|error| at(&profile, &error))?;
        let programs = std::env::current_exe().ok().and_then(|path| path.parent().map(Path::to_owned));
        let programs = programs.ok_or_else(|| Failed("the folder of the programs cannot be found".into()))?;
        let mut manager = Command::new(programs.join("iadms"));
        manager
            .arg("serve")
            .arg("--ready")
            .arg("--data")
            .arg(folder.join("data"))
            .arg("--profiles")
            .arg(&profiles);
        let key = folder.join("key");
        output(Command::new(programs.join("iadms")).args(["credential", "key"]).arg(&key))?;
        manager.arg("--key").arg(&key);
        for port in ["--notifications", "--tftp", "--ftp"] {
            manager.args([port, "127.0.0.1:0"]);
        }
        let (manager, ready) = started(&mut manager, &folder.join("manager.log"))?;
        let mut laboratory = Self {
            folder,
            programs,
            manager,
            simulators: Vec::new(),
            watches: RefCell::default(),
            ports: Vec::new(),
            shown: RefCell::default(),
        };
        let ready: Value =
            serde_json::from_str(&ready).map_err(|error| Failed(format!("{ready}: {error}")))?;
        let notify = ready.get("notifications").and_then(Value::as_str).unwrap_or_default().to_owned();
        laboratory.start_simulator(
            &notify,
            "1",
            "6",
            "127.7.0.1",
            "dual-image,needs-reset,convert,tftp,ftp",
        )?;
        laboratory.start_simulator(&notify, "101", "1", "127.7.1.1", "dual-image,convert,tftp,ftp")?;
        Ok(laboratory)
    }

    fn start_simulator(
        &mut self,
        notify: &str,
        first: &str,
        count: &str,
        bind: &str,
        capabilities: &str,
    ) -> Result<(), Failed> {
        let number = self.simulators.len();
        let mut simulator = Command::new(self.programs.join("iad-sim"));
        simulator.args(["run", "--first-number", first, "--count", count, "--bind", bind, "--port", "0"]);
        simulator.args(["--notify", notify, "--capability", capabilities, "--flash-speed", "300KiB"]);
        let [user, authentication, privacy] = USER;
        simulator.args(["--user", &format!("{user},SHA-256,{authentication},AES,{privacy}")]);
        simulator.args(["--notify-user", user]);
        simulator.arg("--state").arg(self.folder.join(format!("devices-{number}")));
        simulator.arg("--control").arg(self.control(number));
        let (simulator, ready) =
            started(&mut simulator, &self.folder.join(format!("simulator-{number}.log")))?;
        self.simulators.push(simulator);
        let port = ready.split_whitespace().find_map(|word| word.strip_prefix("port="));
        self.ports
            .push(port.ok_or_else(|| Failed(format!("the simulator tells no port: {ready}")))?.to_owned());
        Ok(())
    }

    /// Makes the images, writes their manifests and adds them.
    pub(super) fn add_images(&self) -> Result<(), Failed> {
        for (name, version, format, boot, files) in [
            ("iad-2.0", "2.0", "1", "ok", "1"),
            ("iad-2.0-bad", "2.0", "1", "loop", "1"),
            ("iad-2.1", "2.1", "1", "ok", "3"),
            ("iad-3.0", "3.0", "2", "ok", "1"),
        ] {
            let folder = self.folder.join(name);
            let mut make = Command::new(self.programs.join("iad-sim"));
            make.args([
                "image",
                "make",
                "--version",
                version,
                "--format",
                format,
                "--boot",
                boot,
                "--size",
                "1MiB",
            ]);
            make.args(["--seed", &name.len().to_string(), "--files", files, "--folder"]).arg(&folder);
            output(&mut make)?;
            let mut paths: Vec<PathBuf> = std::fs::read_dir(&folder)
                .map_err(|error| at(&folder, &error))?
                .filter_map(|entry| entry.ok().map(|entry| entry.path()))
                .collect();
            paths.sort();
            let mut manifest = Command::new(self.programs.join("iadms"));
            manifest.args([
                "image",
                "manifest",
                "--for-version",
                version,
                "--hardware",
                "iad-8",
                "--format",
                format,
            ]);
            let text = output(manifest.args(&paths))?;
            let path = folder.join(format!("{name}.toml"));
            std::fs::write(&path, text).map_err(|error| at(&path, &error))?;
            self.manager(&["image", "add", &path.display().to_string()])?;
        }
        Ok(())
    }

    /// Imports the devices from a list, as an operator would, to be spoken to in SNMPv3.
    pub(super) fn add_devices(&self) -> Result<(), Failed> {
        let [user, authentication, privacy] = USER;
        let secrets = self.folder.join("secrets");
        std::fs::write(&secrets, format!("{authentication}\n{privacy}\n"))
            .map_err(|error| at(&secrets, &error))?;
        self.manager(&[
            "credential",
            "add",
            "lab",
            "--user",
            user,
            "--secrets",
            &secrets.display().to_string(),
        ])?;
        let mut list = String::from("name,address,port,profile,credential\n");
        for (simulator, port) in self.ports.iter().enumerate() {
            for device in array(&self.simulator_at(simulator, &["device", "list", "--output", "json"])?) {
                let name = device.get("unique-id").and_then(Value::as_str).unwrap_or_default();
                let address = device.get("address").and_then(Value::as_str).unwrap_or_default();
                let address = address.rsplit_once(':').map_or(address, |(address, _)| address);
                list.push_str(&format!("{name},{address},{port},demo,lab\n"));
            }
        }
        let path = self.folder.join("devices.csv");
        std::fs::write(&path, list).map_err(|error| at(&path, &error))?;
        self.manager(&["device", "import", &path.display().to_string()]).map(drop)
    }

    /// All devices, by their own word.
    pub(super) fn devices(&self) -> Result<Vec<Value>, Failed> {
        let mut devices = Vec::new();
        for simulator in 0..self.simulators.len() {
            devices.extend(
                array(&self.simulator_at(simulator, &["device", "list", "--output", "json"])?).cloned(),
            );
        }
        Ok(devices)
    }

    /// What the manager tells from now on: for people on stdout, and for the demonstration.
    pub(super) fn watch(&self) -> Result<impl Iterator<Item = Result<Value, Failed>> + use<>, Failed> {
        let watch = |form: &str, stdout: Stdio| {
            let mut watch = self.command(&["run", "watch", "--output", form]);
            let watch = watch.stdout(stdout).stderr(Stdio::null()).stdin(Stdio::null()).spawn();
            watch.map_err(|error| Failed(format!("iadms run watch cannot be started: {error}")))
        };
        let mut shown = watch("table", Stdio::piped())?;
        let lines = shown.stdout.take().map(BufReader::new).into_iter().flat_map(BufRead::lines);
        let (shown_lines, told) = mpsc::channel();
        self.shown.replace(Some(told));
        std::thread::spawn(move || show(lines.map_while(Result::ok), &shown_lines));
        let mut read = watch("json", Stdio::piped())?;
        let stdout = read.stdout.take();
        self.watches.borrow_mut().extend([shown, read]);
        let lines = stdout.map(BufReader::new).into_iter().flat_map(BufRead::lines);
        Ok(lines.map(|line| {
            let line = line.map_err(|error| Failed(format!("iadms run watch: {error}")))?;
            serde_json::from_str(&line).map_err(|error| Failed(format!("iadms run watch: {line}: {error}")))
        }))
    }

    /// Waits until the end of this run was shown.
    pub(super) fn end_was_shown(&self, run: u64, outcome: &str) {
        let end = format!(" run {run}: {}", outcome.replace('-', " "));
        if let Some(shown) = self.shown.take() {
            let lines = std::iter::from_fn(|| shown.recv_timeout(SHOWN_LIMIT).ok());
            lines.take_while(|line| !line.contains(&end)).for_each(drop);
        }
    }

    pub(super) fn manager(&self, words: &[&str]) -> Result<String, Failed> {
        output(&mut self.command(words))
    }

    pub(super) fn manager_json(&self, words: &[&str]) -> Result<Value, Failed> {
        json(&self.manager(words)?)
    }

    /// Asks each simulator until one knows the device.
    pub(super) fn simulator(&self, words: &[&str]) -> Result<String, Failed> {
        let mut last = Failed("there is no simulator".into());
        for simulator in 0..self.simulators.len() {
            let mut command = Command::new(self.programs.join("iad-sim"));
            command.args(words).arg("--control").arg(self.control(simulator));
            match output(&mut command) {
                Ok(text) => return Ok(text),
                Err(failed) => last = failed,
            }
        }
        Err(last)
    }

    pub(super) fn simulator_json(&self, words: &[&str]) -> Result<Value, Failed> {
        json(&self.simulator(words)?)
    }

    fn simulator_at(&self, number: usize, words: &[&str]) -> Result<Value, Failed> {
        let mut command = Command::new(self.programs.join("iad-sim"));
        json(&output(command.args(words).arg("--control").arg(self.control(number)))?)
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(self.programs.join("iadms"));
        command.args(words).env("IADMS_SOCKET", self.folder.join("data/iadms.sock"));
        command
    }

    fn control(&self, number: usize) -> PathBuf {
        self.folder.join(format!("simulator-{number}.sock"))
    }
}

impl Drop for Laboratory {
    fn drop(&mut self) {
        let watches = self.watches.take();
        for mut child in watches.into_iter().chain(self.simulators.drain(..)) {
            // One that ended by itself cannot be ended again.
            let _ = child.kill();
            let _ = child.wait();
        }
        let _ = self.manager.kill();
        let _ = self.manager.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Shows what is told, but of the progress of each run only every fourth part.
fn show(lines: impl Iterator<Item = String>, lines_shown: &mpsc::Sender<String>) {
    let mut quarters = BTreeMap::new();
    for line in lines {
        let percent = line.strip_suffix(" %").and_then(|told| told.rsplit_once(' '));
        if let Some((what, percent)) = percent {
            let what = what.split_once(' ').map_or(what, |(_, what)| what).to_owned();
            let quarter = percent.parse::<u32>().unwrap_or(0) / 25;
            if quarters.insert(what, quarter).unwrap_or(0) == quarter {
                continue;
            }
        }
        println!("{line}");
        // Nobody waits for it before the end.
        let _ = lines_shown.send(line);
    }
}

/// Starts a program and waits for the line by which it says that it is ready.
fn started(command: &mut Command, log: &Path) -> Result<(Child, String), Failed> {
    let file = std::fs::File::create(log).map_err(|error| at(log, &error))?;
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(file).spawn();
    let mut child = child.map_err(|error| Failed(format!("{command:?} cannot be started: {error}")))?;
    let mut ready = String::new();
    let stdout: Option<ChildStdout> = child.stdout.take();
    let read = stdout.map(|stdout| BufReader::new(stdout).read_line(&mut ready));
    if matches!(read, Some(Ok(length)) if length > 0) {
        return Ok((child, ready));
    }
    let _ = child.kill();
    let _ = child.wait();
    let said = std::fs::read_to_string(log).unwrap_or_default();
    Err(Failed(format!("{command:?} did not get ready: {said}")))
}

fn output(command: &mut Command) -> Result<String, Failed> {
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|error| Failed(format!("{command:?} cannot be started: {error}")))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(Failed(format!("{command:?} ended with {}: {}", output.status, said.trim())))
}

fn json(text: &str) -> Result<Value, Failed> {
    serde_json::from_str(text).map_err(|error| Failed(format!("{text}: {error}")))
}

fn array(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn at(path: &Path, error: &std::io::Error) -> Failed {
    Failed(format!("{}: {error}", path.display()))
}
