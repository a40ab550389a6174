//! What the tasks share with the tests: where the repository is, and which foreign programs the tests meet.

pub mod peers;

use std::path::{Path, PathBuf};

/// The environment variable by which `cargo xtask test` tells tests that it has built our own programs, so that not each
/// test has to see to it.
pub const PROGRAMS_ARE_BUILT: &str = "IADMS_PROGRAMS_ARE_BUILT";

/// The root folder of the repository, where the workspace's `Cargo.toml` is.
#[must_use]
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}
