//! Our own two programs, as users start them.

use std::path::PathBuf;
use std::time::Duration;

use crate::process::Running;

/// How long building one program may take, from nothing and beside other builds.
const BUILD_LIMIT: Duration = Duration::from_secs(1800);

/// The program of a package of this workspace, `iadms` or `iad-sim`, built from the sources as they are now.
///
/// # Panics
///
/// When it does not build.
#[must_use]
pub fn program(package: &str) -> PathBuf {
    if std::env::var_os(xtask::PROGRAMS_ARE_BUILT).is_none() {
        let mut build = xtask::cargo();
        // As `cargo build` builds them: what that has built is built.
        build.args(["build", "--quiet", "--workspace", "--bins"]);
        let built = Running::start(&mut build).finish_within(BUILD_LIMIT);
        assert!(built.status.success(), "{package} does not build:\n{}", built.output);
    }
    // Test programs are in `deps` of the folder in which the programs are.
    let this_test = std::env::current_exe().unwrap();
    let path = this_test.parent().and_then(|deps| Some(deps.parent()?.join(package))).unwrap();
    assert!(path.is_file(), "{} was not built", path.display());
    path
}
