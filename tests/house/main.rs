//! The rules of the house that the compiler does not know: who may import whom, what pure code may name, that the MIB
//! modules are flawless, and that promises are kept.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by a panic")]

mod arrows;
mod mibs;
mod promises;
mod purity;
mod sabotage;

use std::path::{Path, PathBuf};

/// All Rust sources in a folder and its folders.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}
