//! The foreign programs that the interoperability tests meet: which Debian package each comes from, and where it is
//! found. `cargo xtask test` fetches them, the tests look them up: one list for both.

use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A foreign program that tests run.
#[derive(Debug, PartialEq, Eq)]
pub struct Peer {
    /// The Debian package it comes from.
    pub package: &'static str,
    /// The program by which it is known to be there. Its package may hold more.
    pub program: &'static str,
    /// How `cargo xtask test` gets it.
    pub delivery: Delivery,
    /// Whether it runs only as root.
    pub only_as_root: bool,
    /// What the names of the tests that need it contain, so that they can be left out by name.
    pub mark: &'static str,
}

/// How a peer comes onto the machine.
#[derive(Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Installed as a package.
    Installed,
    /// Unpacked into `target/peers/PACKAGE`, because its package would start a daemon, or is in conflict with another
    /// one of these. The libraries it needs are installed.
    Unpacked,
}

/// Why a peer cannot be run here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obstacle {
    /// The program is not there.
    Missing,
    /// The program runs only as root, and this user is another.
    NotRoot,
}

impl fmt::Display for Obstacle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Missing => "it is not installed",
            Self::NotRoot => "it runs only as root",
        })
    }
}

/// Every foreign program the tests know.
pub const PEERS: [Peer; 11] = [
    Peer {
        package: "smitools",
        program: "smilint",
        delivery: Delivery::Installed,
        only_as_root: false,
        mark: "needs_smitools::",
    },
    Peer {
        package: "snmp",
        program: "snmpget",
        delivery: Delivery::Installed,
        only_as_root: false,
        mark: "needs_snmp::",
    },
    Peer {
        package: "curl",
        program: "curl",
        delivery: Delivery::Installed,
        only_as_root: false,
        mark: "needs_curl::",
    },
    Peer {
        package: "snmpd",
        program: "snmpd",
        delivery: Delivery::Unpacked,
        only_as_root: false,
        mark: "needs_snmpd::",
    },
    Peer {
        package: "snmptrapd",
        program: "snmptrapd",
        delivery: Delivery::Unpacked,
        only_as_root: false,
        mark: "needs_snmptrapd::",
    },
    Peer {
        package: "tftp-hpa",
        program: "tftp",
        delivery: Delivery::Unpacked,
        only_as_root: false,
        mark: "needs_tftp_hpa::",
    },
    Peer {
        package: "tftpd-hpa",
        program: "in.tftpd",
        delivery: Delivery::Unpacked,
        only_as_root: true,
        mark: "needs_tftpd_hpa::",
    },
    Peer {
        package: "atftp",
        program: "atftp",
        delivery: Delivery::Unpacked,
        only_as_root: false,
        mark: "needs_atftp::",
    },
    Peer {
        package: "atftpd",
        program: "atftpd",
        delivery: Delivery::Unpacked,
        only_as_root: false,
        mark: "needs_atftpd::",
    },
    Peer {
        package: "iproute2",
        program: "ip",
        delivery: Delivery::Installed,
        only_as_root: true,
        mark: "needs_iproute2::",
    },
    Peer {
        package: "nftables",
        program: "nft",
        delivery: Delivery::Installed,
        only_as_root: true,
        mark: "needs_nftables::",
    },
];

/// Foreign programs that only `cargo xtask bench` runs.
pub const MEASURED: [Peer; 2] = [
    Peer {
        package: "dnsmasq-base",
        program: "dnsmasq",
        delivery: Delivery::Unpacked,
        only_as_root: true,
        mark: "needs_dnsmasq::",
    },
    Peer {
        package: "vsftpd",
        program: "vsftpd",
        delivery: Delivery::Unpacked,
        only_as_root: true,
        mark: "needs_vsftpd::",
    },
];

/// The program of rs-tftpd in the registry of crates, and the version that is measured.
pub const TFTPD_CRATE: (&str, &str) = ("tftpd", "1.0.0");

/// The peer that a Debian package holds.
#[must_use]
pub fn of_package(package: &str) -> Option<&'static Peer> {
    PEERS.iter().chain(&MEASURED).find(|peer| peer.package == package)
}

/// Where programs out of the registry of crates are installed for `cargo xtask bench`.
#[must_use]
pub fn crates_folder() -> PathBuf {
    crate::root().join("target/peers/crates")
}

/// Where the program of a crate is, if it is there.
#[must_use]
pub fn of_crate(name: &str) -> Option<PathBuf> {
    Some(crates_folder().join("bin").join(name)).filter(|path| is_file(path))
}

impl Peer {
    /// Where the package is unpacked, if it is not installed.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        crate::root().join("target/peers").join(self.package)
    }

    /// Why tests cannot run this peer here, if they cannot.
    #[must_use]
    pub fn obstacle(&self) -> Option<Obstacle> {
        if self.path_of(self.program).is_none() {
            Some(Obstacle::Missing)
        } else if self.only_as_root && !is_root() {
            Some(Obstacle::NotRoot)
        } else {
            None
        }
    }

    /// Where another program of the same package is, if it is there: unpacked, in `PATH`, or among the daemons, which are
    /// not in every user's `PATH`.
    #[must_use]
    pub fn path_of(&self, program: &str) -> Option<PathBuf> {
        let unpacked = ["usr/bin", "usr/sbin"].map(|folder| self.folder().join(folder));
        let path = std::env::var_os("PATH").unwrap_or_default();
        unpacked
            .into_iter()
            .chain(std::env::split_paths(&path))
            .chain(["/usr/sbin", "/sbin"].map(PathBuf::from))
            .map(|folder| folder.join(program))
            .find(|candidate| is_file(candidate))
    }
}

/// Whether this process is root's.
#[must_use]
pub fn is_root() -> bool {
    Path::new("/proc/self").metadata().is_ok_and(|own| own.uid() == 0)
}

fn is_file(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| metadata.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_mark_is_part_of_another_one_so_that_leaving_one_out_leaves_the_others_in() {
        for one in &PEERS {
            for other in PEERS.iter().filter(|other| *other != one) {
                assert!(!other.mark.contains(one.mark), "{} is part of {}", one.mark, other.mark);
            }
        }
    }

    #[test]
    fn a_program_that_is_nowhere_is_not_found() {
        assert_eq!(PEERS[0].path_of("no-such-program-anywhere"), None);
    }
}
