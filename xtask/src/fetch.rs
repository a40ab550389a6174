//! `cargo xtask fetch`, and the beginning of `cargo xtask test`: gets the foreign programs from Debian, where this user
//! may. Plain clients are installed; what would start a daemon or is in conflict with its like is unpacked beside each
//! other in `target/peers`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use xtask::peers::{Delivery, Obstacle, PEERS, Peer};

use crate::step::{Failed, Narrator};

/// Fetches what is missing; fails if something is missing after that.
pub(crate) fn run() -> Result<(), Failed> {
    fetch(&Narrator::begin(), &PEERS);
    let missing: Vec<&str> = missing(&PEERS).iter().map(|peer| peer.package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Failed(format!("these Debian packages could not be had: {}", missing.join(", "))))
}

/// Fetches what is missing, as far as it can be had.
pub(crate) fn fetch(narrator: &Narrator, peers: &'static [Peer]) {
    let missing = missing(peers);
    if missing.is_empty() {
        return;
    }
    match Right::find() {
        Some(right) => Installer { right, narrator }.fetch(&missing),
        None => narrator
            .tell("cannot install Debian packages: no apt-get, or neither root nor password-free sudo"),
    }
}

fn missing(peers: &'static [Peer]) -> Vec<&'static Peer> {
    peers.iter().filter(|peer| peer.obstacle() == Some(Obstacle::Missing)).collect()
}

/// The right to install packages.
enum Right {
    Root,
    /// A `sudo` that asks for no password.
    Sudo,
}

impl Right {
    fn find() -> Option<Self> {
        if !succeeds(Command::new("apt-get").arg("--version")) {
            return None;
        }
        if xtask::peers::is_root() {
            return Some(Self::Root);
        }
        succeeds(Command::new("sudo").args(["-n", "true"])).then_some(Self::Sudo)
    }
}

struct Installer<'a> {
    right: Right,
    narrator: &'a Narrator,
}

impl Installer<'_> {
    fn fetch(&self, missing: &[&'static Peer]) {
        let mut list_is_fresh = false;
        // One after the other, so that a package that this release of Debian does not have costs no other one.
        for peer in missing {
            let got = self.get(peer);
            // A new machine has no list of packages, or an old one that names what is gone.
            if !got && !list_is_fresh {
                self.narrator.tell("fetching the list of Debian packages");
                succeeds(&mut self.apt_get(&["update"]));
                list_is_fresh = true;
                self.get(peer);
            }
        }
    }

    fn get(&self, peer: &Peer) -> bool {
        match peer.delivery {
            Delivery::Installed => self.install(peer.package),
            Delivery::Unpacked => self.unpack(peer),
        }
    }

    fn install(&self, package: &str) -> bool {
        self.narrator.tell(&format!("installing the Debian package {package}"));
        succeeds(&mut self.apt_get(&["install", "--yes", "--no-install-recommends", package]))
    }

    /// Unpacks a package into the peer's folder; nothing of it is configured or started.
    fn unpack(&self, peer: &Peer) -> bool {
        let folder = peer.folder();
        self.narrator.tell(&format!(
            "unpacking the Debian package {} into {}",
            peer.package,
            folder.display()
        ));
        if std::fs::create_dir_all(&folder).is_err() {
            return false;
        }
        // As root, apt-get would drop its rights for the download and then warn that it cannot write here.
        let download = ["download", "--quiet=2", "-o", "APT::Sandbox::User=root", peer.package];
        if !succeeds(Command::new("apt-get").args(download).current_dir(&folder)) {
            return false;
        }
        let Some(file) = package_file(&folder) else { return false };
        let depends = output(Command::new("dpkg-deb").arg("--field").arg(&file).arg("Depends"));
        let mut missing = libraries(&depends).filter(|library| !is_installed(library));
        let unpacked = missing.all(|library| self.install(library))
            && succeeds(Command::new("dpkg-deb").arg("--extract").arg(&file).arg(&folder));
        // The file is of no more use, and in the way of the next version.
        std::fs::remove_file(file).is_ok() && unpacked
    }

    fn apt_get(&self, arguments: &[&str]) -> Command {
        let mut command = match self.right {
            Right::Root => Command::new("env"),
            Right::Sudo => Command::new("sudo"),
        };
        if matches!(self.right, Right::Sudo) {
            command.args(["-n", "env"]);
        }
        command
            .args(["DEBIAN_FRONTEND=noninteractive", "apt-get", "--quiet=2", "-o", LOCK_TIME_LIMIT])
            .args(arguments);
        command
    }
}

/// How long to wait for another process that installs packages.
const LOCK_TIME_LIMIT: &str = "DPkg::Lock::Timeout=120";

/// The libraries among the packages of a `Depends` field, whose names differ from release to release.
fn libraries(depends: &str) -> impl Iterator<Item = &str> {
    let names = depends.split(',').filter_map(|package| package.split_whitespace().next());
    names.filter(|name| name.starts_with("lib"))
}

fn is_installed(package: &str) -> bool {
    output(Command::new("dpkg-query").args(["--show", "--showformat=${db:Status-Status}", package]))
        == "installed"
}

/// The package file that was downloaded into `folder`.
fn package_file(folder: &Path) -> Option<PathBuf> {
    let mut entries = std::fs::read_dir(folder).ok()?.filter_map(Result::ok).map(|entry| entry.path());
    entries.find(|path| path.extension().is_some_and(|extension| extension == "deb"))
}

fn succeeds(command: &mut Command) -> bool {
    command.stdin(Stdio::null()).stdout(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// What the command writes to stdout; nothing if it does not start.
fn output(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_a_package_depends_on_the_libraries_are_chosen() {
        let depends = "libc6 (>= 2.34), libwrap0 (>= 7.6-4~), adduser, debconf (>= 0.5) | debconf-2.0, libsnmp40t64 (= 5.9)";
        assert_eq!(libraries(depends).collect::<Vec<_>>(), ["libc6", "libwrap0", "libsnmp40t64"]);
    }
}
