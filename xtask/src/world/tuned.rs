//! The world built by what it does: it is built once with counters, run for some worlds, and built again by what was counted
//! (profile-guided optimization, as the rustc book tells it). Takes minutes more to build, and a hundred thousand worlds take a
//! fifth less.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::step::{Failed, Narrator, cargo, not_started, target};

/// So many worlds are counted.
const COUNTED: &str = "600";

/// The world, built by what it does.
pub(super) fn build(narrator: &Narrator) -> Result<PathBuf, Failed> {
    let root = xtask::root();
    let folder = target(&root).join("tuned");
    let (counts, profile) = (folder.join("counts"), folder.join("worlds.profdata"));
    let merge = profdata()?;
    if !merge.exists() {
        let mut add = Command::new("rustup");
        narrator.run("what reads the counts", add.args(["component", "add", "llvm-tools"]))?;
    }
    let (counter, flags) = (folder.join("counting"), format!("-Cprofile-generate={}", counts.display()));
    let counting = build_with(narrator, "the world, with counters", &counter, &flags)?;
    // What was counted of an earlier one tells nothing.
    match std::fs::remove_dir_all(&counts) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(Failed(format!("cannot remove {}: {error}", counts.display())));
        }
        _ => {}
    }
    let mut worlds = Command::new(counting);
    narrator.run("worlds to count", worlds.args(["--seeds", COUNTED]).stdout(Stdio::null()))?;
    let mut merged = Command::new(merge);
    narrator.run("counts", merged.arg("merge").arg("-o").arg(&profile).arg(&counts))?;
    let built = folder.join("built");
    build_with(narrator, "the world, by them", &built, &format!("-Cprofile-use={}", profile.display()))
}

fn build_with(narrator: &Narrator, step: &str, folder: &Path, flags: &str) -> Result<PathBuf, Failed> {
    let mut build = cargo(&xtask::root());
    build.args(["build", "--quiet", "--profile", "world", "-p", "world"]);
    narrator.run(step, build.env("CARGO_TARGET_DIR", folder).env("RUSTFLAGS", flags))?;
    Ok(folder.join("world/world"))
}

/// What merges counts: of the toolchain's own LLVM, since no other reads them.
fn profdata() -> Result<PathBuf, Failed> {
    let sysroot = said_by_rustc(&["--print", "sysroot"])?;
    let version = said_by_rustc(&["-vV"])?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    let host = host.ok_or_else(|| Failed("rustc -vV tells no host".to_owned()))?;
    Ok(Path::new(sysroot.trim()).join("lib/rustlib").join(host).join("bin/llvm-profdata"))
}

fn said_by_rustc(words: &[&str]) -> Result<String, Failed> {
    let mut rustc = Command::new("rustc");
    let output = rustc.args(words).stdin(Stdio::null()).output();
    let output = output.map_err(|error| not_started("rustc", &rustc, &error))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
