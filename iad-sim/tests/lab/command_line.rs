//! The program itself, as a person in the laboratory uses it; killed, it is a power failure.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use iad_sim::net::DeviceView;

/// The running program, killed in the end.
struct Program(Child);

impl Program {
    /// Starts devices, and gives the line that says they are ready.
    fn run(folder: &Path) -> (Self, String) {
        let mut child = iad_sim(folder)
            .args(["run", "--count", "2", "--port", "0", "--boot-time", "20ms", "--state"])
            .arg(folder.join("state"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        (Self(child), line)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // SIGKILL: the program has no chance to tidy up.
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn iad_sim(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_iad-sim"));
    command.env("IAD_SIM_CONTROL", folder.join("control"));
    command
}

fn say(folder: &Path, words: &[&str]) -> String {
    let output = iad_sim(folder).args(words).output().unwrap();
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn show(folder: &Path, device: &str) -> DeviceView {
    serde_json::from_str(&say(folder, &["device", "show", device, "--output", "json"])).unwrap()
}

#[test]
fn devices_are_shown_changed_switched_and_outlive_the_program() {
    let folder = tempfile::tempdir().unwrap();
    let (program, ready) = Program::run(folder.path());
    let port = ready.split(' ').find_map(|word| word.strip_prefix("port=")).unwrap();
    assert_eq!(ready, format!("ready address=127.1.0.1 port={port} devices=2\n"));

    let list = say(folder.path(), &["device", "list"]);
    assert!(list.contains("IAD-000002") && list.contains(&format!("127.1.0.2:{port}")), "{list}");
    let before = show(folder.path(), "1");
    say(folder.path(), &["device", "set-config", "1", "--kind", "portData", "port.1.admin=down"]);
    say(folder.path(), &["device", "calls", "3"]);
    let changed = show(folder.path(), "IAD-000001");
    assert_eq!(changed.configuration_revision, before.configuration_revision + 1);
    assert_eq!(changed.calls, 3);

    let number = say(folder.path(), &["fault", "add", "lose-answer", "--device", "2", "--times", "5"]);
    assert_eq!(number, "1\n");
    assert!(say(folder.path(), &["fault", "list"]).contains("lose-answer"));
    say(folder.path(), &["fault", "clear"]);
    assert!(!say(folder.path(), &["fault", "list"]).contains("lose-answer"));

    say(folder.path(), &["device", "power", "off", "2"]);
    assert!(say(folder.path(), &["device", "list"]).contains("off"));

    drop(program);
    let (_program, _) = Program::run(folder.path());
    let after = show(folder.path(), "1");
    assert_eq!(after.configurations, changed.configurations);
    assert_eq!(after.boots, changed.boots + 1);
}

#[test]
fn what_cannot_be_done_is_told_and_ends_with_a_failure() {
    let folder = tempfile::tempdir().unwrap();
    let told = |words: &[&str]| {
        let output = iad_sim(folder.path()).args(words).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{words:?}");
        assert!(output.stdout.is_empty());
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(told(&["device", "list"]).contains("no simulator answers"));
    let (_program, _) = Program::run(folder.path());
    assert!(told(&["device", "show", "9"]).contains("there is no device 9"));
    assert!(told(&["fault", "add", "hang"]).contains("needs 'during'"));
}

#[test]
fn images_are_made_and_shown() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let words =
        ["image", "make", "--version", "2.0", "--format", "2", "--size", "64KiB", "--files", "2", "-o", path];
    say(folder.path(), &words);
    let first = folder.path().join("iad-sim-2.0.1.img");
    assert!(folder.path().join("iad-sim-2.0.2.img").exists());
    let shown = say(folder.path(), &["image", "show", first.to_str().unwrap(), "--output", "json"]);
    let header: iad_sim::device::image::Header = serde_json::from_str(&shown).unwrap();
    assert_eq!((header.version.as_str(), header.format, header.payload_size), ("2.0", 2, 65_536));
    assert_eq!(header.converts_from, [1]);
}
