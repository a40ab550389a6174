//! What the tasks share with the tests: where the repository is, and which foreign programs the tests meet.

pub mod peers;

use std::path::{Path, PathBuf};

/// The root folder of the repository, where the workspace's `Cargo.toml` is.
#[must_use]
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}
