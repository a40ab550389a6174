//! Servers of files by TFTP: ours and its peers, each a process of its own, started anew for each round.

use core::time::Duration;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use tempfile::TempDir;
use xtask::peers;

use super::load::Load;
use crate::process::{NotStarted, Running, free_address, of_debian, own_address, serving};

/// A server has this long to answer its first request.
const START: Duration = Duration::from_secs(15);

/// Who serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Server {
    Ours,
    AsyncTftp,
    RsTftpd,
    TftpdHpa,
    Atftpd,
    Dnsmasq,
}

impl Server {
    pub(crate) const ALL: [Self; 6] =
        [Self::Ours, Self::AsyncTftp, Self::RsTftpd, Self::TftpdHpa, Self::Atftpd, Self::Dnsmasq];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::AsyncTftp => "async-tftp",
            Self::RsTftpd => "rs-tftpd",
            Self::TftpdHpa => "tftpd-hpa",
            Self::Atftpd => "atftpd",
            Self::Dnsmasq => "dnsmasq",
        }
    }

    /// Whether it can take part: two know no windows (RFC 7440), and one takes no files.
    pub(crate) const fn can(self, windows: bool, writes: bool) -> bool {
        match self {
            Self::Ours | Self::AsyncTftp | Self::RsTftpd | Self::Atftpd => true,
            Self::TftpdHpa => !windows,
            Self::Dnsmasq => !windows && !writes,
        }
    }

    /// Whether the system tells the processor time of all that it starts. tftpd-hpa has a process for each transfer and does not wait
    /// for them, so theirs is gone with them (proc(5), `cutime`).
    pub(crate) const fn is_told_its_time(self) -> bool {
        !matches!(self, Self::TftpdHpa)
    }

    /// The name by which a client asks it for the file.
    pub(crate) fn file_name(self, client: u32, writes: bool) -> String {
        match (self, writes) {
            (_, true) => format!("upload{client:05}"),
            // A ticket is good for one transfer: each client has its own.
            (Self::Ours, false) => format!("image{client:05}"),
            (_, false) => "image".to_owned(),
        }
    }

    /// Starts it with the file that the clients will ask for, in the folder, and returns when it answers.
    pub(crate) fn start(self, load: &Load, folder: &TempDir) -> Result<Running, NotStarted> {
        if !load.writes {
            fs::write(folder.path().join("image"), &load.file)?;
        }
        // One of the servers knows no port but the well-known one.
        let address = if self == Self::Dnsmasq { (own_address(), 69).into() } else { free_address()? };
        let running = Running::start(&mut self.command(folder.path(), address, load)?, address)?;
        wait_until_it_answers(address)?;
        Ok(running)
    }

    fn command(self, folder: &Path, address: SocketAddr, load: &Load) -> Result<Command, NotStarted> {
        let (host, port) = (address.ip().to_string(), address.port().to_string());
        let mut command = match self {
            Self::Ours => serving("files", address)?,
            Self::AsyncTftp => serving("async-tftp", address)?,
            Self::RsTftpd => Command::new(peers::of_crate("tftpd").ok_or(NotStarted::Missing("tftpd"))?),
            Self::TftpdHpa => Command::new(of_debian("tftpd-hpa")?),
            Self::Atftpd => Command::new(of_debian("atftpd")?),
            Self::Dnsmasq => Command::new(of_debian("dnsmasq-base")?),
        };
        match self {
            Self::Ours => {
                let (clients, bytes) = (load.clients.to_string(), load.file.len().to_string());
                command.args(["--clients", &clients, "--bytes", &bytes]);
                command.args(load.writes.then_some("--writes")).arg("--folder").arg(folder);
            }
            Self::AsyncTftp => {
                command.arg("--folder").arg(folder);
            }
            Self::RsTftpd => {
                command.args(["-i", &host, "-p", &port, "--overwrite", "-d"]).arg(folder);
            }
            Self::TftpdHpa => {
                command.args(["--foreground", "--secure", "--create", "--user", "root", "--address"]);
                command.arg(address.to_string()).arg(folder);
            }
            Self::Atftpd => {
                command.args(["--daemon", "--no-fork", "--user", "root.root", "--maxthread", "4000"]);
                command.args(["--logfile", "/dev/null", "--port", &port, "--bind-address", &host]);
                command.arg(folder);
            }
            Self::Dnsmasq => {
                command.args(["--keep-in-foreground", "--conf-file=/dev/null", "--port=0"]);
                command.args(["--bind-interfaces", "--enable-tftp", "--tftp-max=4000", "--user=root"]);
                command.args(["--pid-file=", "--log-facility=/dev/null"]);
                command.arg(format!("--listen-address={host}"));
                command.arg(format!("--tftp-root={}", folder.display()));
            }
        }
        Ok(command)
    }
}

/// Asks for what is not there until anything comes back.
fn wait_until_it_answers(address: SocketAddr) -> Result<(), NotStarted> {
    let probe = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    probe.set_read_timeout(Some(Duration::from_millis(50)))?;
    let begun = Instant::now();
    while begun.elapsed() < START {
        // Nobody may listen yet: the system says so at the next call.
        let _ = probe.send_to(b"\0\x01probe\0octet\0", address);
        if probe.recv_from(&mut [0; 1500]).is_ok() {
            return Ok(());
        }
    }
    Err(NotStarted::Silent)
}
