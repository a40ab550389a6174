//! The daemon as a program: it starts, says where it listens, answers, and ends when it is told to.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

/// A daemon that is killed when the test ends.
struct Daemon {
    child: Child,
    ready: Value,
}

impl Daemon {
    fn start(data: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_iadms"));
        command.args(["serve", "--ready", "--data"]).arg(data);
        command.args(["--notifications", "127.0.0.1:0", "--tftp", "127.0.0.1:0", "--ftp", "127.0.0.1:0"]);
        command.env_remove("IADMS_SOCKET").stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, ready: serde_json::from_str(&line).expect("the line that says that all listen") }
    }

    fn ask(&self, arguments: &[&str]) -> Output {
        let socket = self.ready["socket"].as_str().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_iadms"));
        command.env("IADMS_SOCKET", socket).args(arguments).output().unwrap()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn it_says_where_it_listens_answers_and_ends_in_good_order() {
    let folder = tempfile::tempdir().unwrap();
    let mut daemon = Daemon::start(folder.path());
    for port in ["notifications", "tftp", "ftp"] {
        let address: std::net::SocketAddr = daemon.ready[port].as_str().unwrap().parse().unwrap();
        assert_ne!(address.port(), 0, "{port}");
    }
    let doctor = daemon.ask(&["doctor", "--output", "json"]);
    assert_eq!(doctor.status.code(), Some(0));
    let checks: Vec<Value> = serde_json::from_slice(&doctor.stdout).unwrap();
    let names: Vec<_> = checks.iter().map(|check| check["name"].as_str().unwrap()).collect();
    for name in ["daemon", "ports", "clock", "disk", "database", "images", "runs"] {
        assert!(names.contains(&name), "{names:?}");
    }
    assert_eq!(
        daemon.ask(&["device", "add", "iad-1", "192.0.2.1", "--snmp-version", "v2c"]).status.code(),
        Some(0)
    );
    assert!(Command::new("kill").arg(daemon.child.id().to_string()).status().unwrap().success());
    assert!(daemon.child.wait().unwrap().success());
    assert!(!folder.path().join("iadms.sock").exists());
}

#[test]
fn what_was_added_is_there_after_it_was_killed() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path());
    assert_eq!(
        daemon.ask(&["device", "add", "iad-1", "192.0.2.1", "--snmp-version", "v2c"]).status.code(),
        Some(0)
    );
    let csv = folder.path().join("more.csv");
    std::fs::write(&csv, "name,address\niad-2,192.0.2.2\niad-1,192.0.2.3\niad-3,\n").unwrap();
    let refused = daemon.ask(&["device", "import", csv.to_str().unwrap()]);
    let said = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1));
    assert!(said.contains("more.csv, line 3") && said.contains("already a device \"iad-1\""), "{said}");
    assert!(said.contains("more.csv, line 4") && said.contains("nothing was added"), "{said}");
    drop(daemon);

    let daemon = Daemon::start(folder.path());
    let listed: Vec<Value> =
        serde_json::from_slice(&daemon.ask(&["device", "list", "--output", "json"]).stdout).unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0]["name"], "iad-1");
    assert_eq!(listed[0]["access"]["read_community"], "********");
}

#[test]
fn a_second_daemon_on_the_same_data_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let _daemon = Daemon::start(folder.path());
    let mut second = Command::new(env!("CARGO_BIN_EXE_iadms"));
    second.args(["serve", "--data"]).arg(folder.path());
    let second = second
        .args(["--notifications", "127.0.0.1:0", "--tftp", "127.0.0.1:0", "--ftp", "off"])
        .output()
        .unwrap();
    assert_eq!(second.status.code(), Some(1));
    let said = String::from_utf8(second.stderr).unwrap();
    assert!(said.contains("in use by another iadms"), "{said}");
}
