//! net-snmp's agent, its receiver of notifications, and its commands, none of which reads this machine's settings.

use std::net::SocketAddr;
use std::process::Command;

use tempfile::TempDir;

use crate::process::Running;
use crate::{loopback, mibs, peers};

/// The first line of both daemons once they listen.
const READY: &str = "NET-SNMP version";

/// `snmpd` with communities `public` (reads) and `private` (writes), and objects of its configuration.
#[derive(Debug)]
pub struct Snmpd {
    address: SocketAddr,
    _folder: TempDir,
    _process: Running,
}

impl Snmpd {
    /// Starts it with further lines of configuration, such as `override -rw OID TYPE VALUE`.
    ///
    /// # Panics
    ///
    /// When it does not come up.
    #[must_use]
    pub fn start(configuration: &str) -> Self {
        let common = "rocommunity public\nrwcommunity private\ndontLogTCPWrappersConnects yes\n";
        let mut snmpd = Command::new(peers::program("snmpd"));
        let address = free_address();
        let (folder, process) = daemon(&mut snmpd, &format!("{common}{configuration}\n"), address);
        Self { address, _folder: folder, _process: process }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// `snmptrapd`, which writes each notification in one line, by the names of our modules.
#[derive(Debug)]
pub struct Snmptrapd {
    address: SocketAddr,
    _folder: TempDir,
    process: Running,
}

impl Snmptrapd {
    /// Starts it.
    ///
    /// # Panics
    ///
    /// When it does not come up.
    #[must_use]
    pub fn start() -> Self {
        Self::start_at(free_address())
    }

    /// Starts it with these users and what they may.
    ///
    /// # Panics
    ///
    /// When it does not come up.
    #[must_use]
    pub fn start_with(configuration: &str) -> Self {
        Self::configured(configuration, free_address())
    }

    /// Starts it at this address.
    ///
    /// # Panics
    ///
    /// When it does not come up.
    #[must_use]
    pub fn start_at(address: SocketAddr) -> Self {
        Self::configured("disableAuthorization yes\n", address)
    }

    fn configured(configuration: &str, address: SocketAddr) -> Self {
        let mut snmptrapd = Command::new(peers::program("snmptrapd"));
        snmptrapd.args(["-n", "-F", "notification: %v\n", "-OQ"]);
        let (folder, process) = daemon(&mut snmptrapd, configuration, address);
        Self { address, _folder: folder, process }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits for the next notification, as snmptrapd writes it.
    ///
    /// # Panics
    ///
    /// When none comes.
    pub fn next_notification(&mut self) -> String {
        self.process.wait_for("a notification", |line| line.strip_prefix("notification: ").map(str::to_owned))
    }
}

/// A command out of the package `snmp`, such as `snmpget`, that knows the modules laid out in `folder`.
#[must_use]
pub fn command(program: &str, folder: &TempDir) -> Command {
    let mut command = Command::new(peers::program_of("snmp", program));
    mibs::for_net_snmp(&mut command, folder);
    command
}

/// A port of an address that no other test has.
fn free_address() -> SocketAddr {
    let address = loopback::own_address();
    SocketAddr::from((address, loopback::free_udp_port(address)))
}

/// Starts a daemon in the foreground, and waits until it listens.
fn daemon(command: &mut Command, configuration: &str, address: SocketAddr) -> (TempDir, Running) {
    let folder = mibs::laid_out();
    let file = folder.path().join("daemon.conf");
    std::fs::write(&file, configuration).unwrap();
    mibs::for_net_snmp(command, &folder).args(["-f", "-Lo", "-C", "-c"]).arg(file);
    command.arg("-p").arg(folder.path().join("pid")).arg(format!("udp:{address}"));
    let mut process = Running::start(command);
    process.wait_for(READY, |line| line.starts_with(READY).then_some(()));
    (folder, process)
}
