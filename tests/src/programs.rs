//! Our own two programs, as users start them.

use std::path::PathBuf;
use std::process::Command;

use crate::process;

/// The program of a package of this workspace, `iadms` or `iad-sim`, built from the sources as they are now.
///
/// # Panics
///
/// When it does not build.
#[must_use]
pub fn program(package: &str) -> PathBuf {
    if std::env::var_os(xtask::PROGRAMS_ARE_BUILT).is_none() {
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "--package", package, "--bin", package]).current_dir(xtask::root());
        let _ = process::succeed(&mut build);
    }
    // Test programs are in `deps` of the folder in which the programs are.
    let this_test = std::env::current_exe().unwrap();
    let path = this_test.parent().and_then(|deps| Some(deps.parent()?.join(package))).unwrap();
    assert!(path.is_file(), "{} was not built", path.display());
    path
}
