//! Foreign TFTP servers, each with a folder of its own.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use async_tftp::server::TftpServerBuilder;
use tempfile::TempDir;

use crate::process::{Running, eventually};
use crate::{loopback, peers};

/// A server that runs until this is dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    folder: TempDir,
    process: Option<Running>,
}

impl Server {
    /// `in.tftpd` of tftpd-hpa, which runs only as root.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    #[must_use]
    pub fn tftpd_hpa() -> Self {
        let mut command = Command::new(peers::program("tftpd-hpa"));
        // Confined to its folder, it may create files there.
        command.args(["-vvv", "--secure", "--create", "--user", "root"]);
        let server = Self::process(&mut command);
        server.wait_until_it_answers_from_its_own_address();
        server
    }

    /// `atftpd`.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    #[must_use]
    pub fn atftpd() -> Self {
        let mut command = Command::new(peers::program("atftpd"));
        command.args(["--user", "root.root", "--logfile", "-", "--verbose=7"]);
        Self::process(&mut command)
    }

    /// A server out of the crate async-tftp, within this process; it ends with the process.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    #[must_use]
    pub fn async_tftp() -> Self {
        let (socket, address) = bound();
        let folder = tempfile::tempdir().unwrap();
        let server = TftpServerBuilder::with_dir_rw(folder.path()).unwrap().std_socket(socket).unwrap();
        let server = futures_lite::future::block_on(server.build()).unwrap();
        thread::spawn(move || futures_lite::future::block_on(server.serve()));
        Self { address, folder, process: None }
    }

    /// Both daemons can be handed a bound socket, as by inetd: so the system chooses the port, and what is sent before
    /// they are up waits in the socket.
    fn process(command: &mut Command) -> Self {
        let (socket, address) = bound();
        let folder = tempfile::tempdir().unwrap();
        command.arg(folder.path());
        let process = Running::start_with_input(command, Stdio::from(OwnedFd::from(socket)));
        Self { address, folder, process: Some(process) }
    }

    /// What was sent to tftpd-hpa before it was up it answers from another address than it was sent to.
    fn wait_until_it_answers_from_its_own_address(&self) {
        const PATIENCE: Duration = Duration::from_millis(50);
        let probe = UdpSocket::bind((self.address.ip(), 0)).unwrap();
        probe.set_read_timeout(Some(PATIENCE)).unwrap();
        eventually("tftpd-hpa answers", || {
            probe.send_to(b"\0\x01no such file\0octet\0", self.address).unwrap();
            probe.recv_from(&mut [0; 512]).is_ok_and(|(_, from)| from.ip() == self.address.ip())
        });
    }

    /// Where requests go.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The folder of the files it serves and stores.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The file that requests know by `name`.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What the server has said so far, if it is a process.
    #[must_use]
    pub fn said(&self) -> &str {
        self.process.as_ref().map_or("", Running::seen)
    }
}

fn bound() -> (UdpSocket, SocketAddr) {
    let address: Ipv4Addr = loopback::own_address();
    let socket = UdpSocket::bind((address, 0)).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}
