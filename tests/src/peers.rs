//! The foreign programs that tests run. A test that needs one is named for it, so that `cargo xtask test` can leave it
//! out by name where the program cannot be had; started in any other way, the test then fails.

use std::path::PathBuf;

use xtask::peers::Peer;

/// The program by which a Debian package is known, such as `in.tftpd` of `tftpd-hpa`.
///
/// # Panics
///
/// When the program is missing, or the test is not in a module named `needs_…` for the package.
#[must_use]
pub fn program(package: &str) -> PathBuf {
    let peer = peer(package);
    found(peer, peer.program)
}

/// Another program of a Debian package, such as `snmpset` of `snmp`.
///
/// # Panics
///
/// As [`program`] does.
#[must_use]
pub fn program_of(package: &str, program: &str) -> PathBuf {
    found(peer(package), program)
}

fn peer(package: &str) -> &'static Peer {
    let known = xtask::peers::of_package(package);
    known.unwrap_or_else(|| panic!("{package} is not in the list in xtask/src/peers.rs"))
}

fn found(peer: &Peer, program: &str) -> PathBuf {
    if let Some(test) = test_name() {
        let mark = peer.mark;
        assert!(
            test.contains(mark),
            "{test} runs {program}: its name must contain {mark}, so that it can be left out"
        );
    }
    assert!(!peer.only_as_root || xtask::peers::is_root(), "{program} runs only as root");
    let path = peer.path_of(program);
    path.unwrap_or_else(|| {
        panic!(
            "{program} is missing: 'cargo xtask fetch' gets it, or install the Debian package {}",
            peer.package
        )
    })
}

/// The name of the test that runs, where it can be known: a runner that runs one test after the other has no thread
/// for each.
fn test_name() -> Option<String> {
    let by_nextest = std::env::var("NEXTEST_TEST_NAME").ok();
    by_nextest.or_else(|| std::thread::current().name().filter(|name| *name != "main").map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    mod needs_curl {
        #[test]
        fn a_program_is_found_and_runs() {
            let curl = std::process::Command::new(super::program("curl")).arg("--version").output().unwrap();
            assert!(curl.status.success());
        }
    }

    #[test]
    #[should_panic(expected = "its name must contain needs_curl::")]
    fn a_test_that_is_not_named_for_the_program_it_needs_fails() {
        let _ = program("curl");
    }
}
