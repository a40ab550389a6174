//! What the tasks share with the tests: where the repository is, and which foreign programs the tests meet.

pub mod peers;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The environment variable by which `cargo xtask test` tells tests that it has built our own programs, so that not each
/// test has to see to it.
pub const PROGRAMS_ARE_BUILT: &str = "IADMS_PROGRAMS_ARE_BUILT";

/// The root folder of the repository, where the workspace's `Cargo.toml` is.
#[must_use]
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// `cargo` in the root folder, as if it was typed there. What cargo tells the programs that it runs, such as `CARGO_PKG_NAME`, is not
/// passed on: build scripts that look at that would run again, and all that depends on them be built anew, with each change between a
/// build from here and one that was typed.
#[must_use]
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let is_told = |name: &OsString| {
        let name = name.to_string_lossy();
        let of_packages = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"];
        let alone = ["CARGO_CRATE_NAME", "CARGO_PRIMARY_PACKAGE", "OUT_DIR"];
        of_packages.iter().any(|prefix| name.starts_with(prefix)) || alone.contains(&&*name)
    };
    std::env::vars_os().map(|(name, _)| name).filter(is_told).for_each(|name| _ = command.env_remove(name));
    command.current_dir(root());
    command
}
