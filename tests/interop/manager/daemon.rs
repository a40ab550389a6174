//! `iadms serve` and the commands that talk to it, as processes.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;
use tests::process::{Running, succeed};
use tests::{loopback, programs};

/// A manager with a folder of its own, that listens on a loopback address of its own.
pub(super) struct Manager {
    program: PathBuf,
    tftp: SocketAddr,
    _serving: Running,
    folder: TempDir,
}

impl Manager {
    /// Starts it with one more profile, and waits until it listens.
    pub(super) fn with_profile(profile: &str) -> Self {
        let (program, folder) = (programs::program("iadms"), tempfile::tempdir().unwrap());
        let profiles = folder.path().join("profiles");
        std::fs::create_dir(&profiles).unwrap();
        std::fs::write(profiles.join("more.toml"), profile).unwrap();

        let address: Ipv4Addr = loopback::own_address();
        let mut serve = Command::new(&program);
        serve.args(["serve", "--ready", "--server-address", &address.to_string()]);
        for listener in ["--notifications", "--tftp", "--ftp"] {
            serve.args([listener, &format!("{address}:0")]);
        }
        serve.arg("--data").arg(folder.path().join("data")).arg("--profiles").arg(profiles);
        let mut serving = Running::start(&mut serve);
        let tftp = serving.wait_for("the line that says that it is ready", |line| {
            let ready: Value = serde_json::from_str(line).ok()?;
            ready["tftp"].as_str()?.parse().ok()
        });
        Self { program, tftp, _serving: serving, folder }
    }

    /// Where its TFTP server listens.
    pub(super) fn tftp(&self) -> SocketAddr {
        self.tftp
    }

    /// The folder of this manager, for whatever a test needs beside what the manager keeps there.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where it keeps its data.
    pub(super) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Runs one of its commands, which must succeed, and returns what it writes.
    pub(super) fn succeed(&self, words: &[&str]) -> String {
        succeed(Command::new(&self.program).args(words).env("IADMS_SOCKET", self.data().join("iadms.sock")))
    }

    /// Adds a device with the usual communities.
    pub(super) fn add_device(&self, name: &str, agent: SocketAddr, profile: &str) {
        let (address, port) = (agent.ip().to_string(), agent.port().to_string());
        let options = ["--port", &port, "--profile", profile, "--snmp-version", "v2c"];
        self.succeed(&[&["device", "add", name, &address], &options[..]].concat());
    }
}
