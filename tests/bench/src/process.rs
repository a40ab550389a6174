//! Servers in processes of their own, started anew for each round and gone with it.

use core::time::Duration;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process, set_child_subreaper, wait};
use xtask::peers;

use crate::usage::descendants;

/// A server has this long to come up.
const START: Duration = Duration::from_secs(15);

/// How often it is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// A server that runs until this is dropped.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    address: SocketAddr,
}

/// Why a server does not run here.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotStarted {
    #[error("{0} is not there: 'cargo xtask bench' gets it")]
    Missing(&'static str),
    #[error("it does not come up")]
    Silent,
    #[error(transparent)]
    System(#[from] io::Error),
}

/// What the system knows of a UDP socket (`/proc/net/udp`).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Queue {
    /// Bytes that wait to be read.
    pub(crate) waiting: u64,
    /// Datagrams dropped for want of room, since it was opened.
    pub(crate) dropped: u64,
}

impl Running {
    /// Starts a server that is to listen at `address`, and returns when it does.
    pub(crate) fn start(command: &mut Command, address: SocketAddr) -> Result<Self, NotStarted> {
        Self::start_when(command, address, || queue(address).is_some())
    }

    /// The same, where it can be told otherwise that it listens.
    pub(crate) fn start_when(
        command: &mut Command,
        address: SocketAddr,
        listens: impl Fn() -> bool,
    ) -> Result<Self, NotStarted> {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut running = Self { child: command.spawn()?, address };
        let begun = Instant::now();
        while begun.elapsed() < START {
            if listens() {
                return Ok(running);
            }
            if running.child.try_wait()?.is_some() {
                break;
            }
            std::thread::sleep(LOOK_EVERY);
        }
        Err(NotStarted::Silent)
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Running {
    /// What it has started may have left its group, and is this process's then.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let left = descendants().into_iter().filter_map(|number| Pid::from_raw(i32::try_from(number).ok()?));
        left.for_each(|process| _ = kill_process(process, Signal::KILL));
        while let Ok(Some(_)) = wait(WaitOptions::empty()) {}
    }
}

/// What a server starts and leaves behind is to be this process's, so that it can be counted and ended (prctl(2)).
pub(crate) fn adopt_orphans() -> io::Result<()> {
    Ok(set_child_subreaper(Some(getpid()))?)
}

/// A loopback address of this process's own, with a port that is free now.
pub(crate) fn free_address() -> io::Result<SocketAddr> {
    UdpSocket::bind((own_address(), 0))?.local_addr()
}

/// A loopback address of this process's own.
pub(crate) fn own_address() -> Ipv4Addr {
    let [.., a, b] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, 89, a, b)
}

/// A program of a Debian package.
pub(crate) fn of_debian(package: &'static str) -> Result<PathBuf, NotStarted> {
    let peer = peers::of_package(package);
    peer.and_then(|peer| peer.path_of(peer.program)).ok_or(NotStarted::Missing(package))
}

/// This program, to be one of the servers.
pub(crate) fn serving(server: &str, address: SocketAddr) -> io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["serve", server, "--address", &address.to_string()]);
    Ok(command)
}

/// The socket that is bound to an address, or to its port on all addresses; none where there is none.
pub(crate) fn queue(address: SocketAddr) -> Option<Queue> {
    let SocketAddr::V4(v4) = address else { return None };
    let own = [*v4.ip(), Ipv4Addr::UNSPECIFIED]
        .map(|address| format!("{:08X}:{:04X}", u32::from_ne_bytes(address.octets()), v4.port()));
    let table = fs::read_to_string("/proc/net/udp").ok()?;
    let row = table
        .lines()
        .find(|row| row.split_whitespace().nth(1).is_some_and(|bound| own.iter().any(|own| own == bound)))?;
    let fields: Vec<&str> = row.split_whitespace().collect();
    let (_, waiting) = fields.get(4)?.split_once(':')?;
    Some(Queue { waiting: u64::from_str_radix(waiting, 16).ok()?, dropped: fields.last()?.parse().ok()? })
}
