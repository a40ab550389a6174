//! `cargo xtask bench [OPTION]...`: gets the peers, builds what measures, and lets it measure; the options are those of the
//! program, `--help` tells them.

use std::process::{Command, Stdio};

use xtask::peers::{self, MEASURED, PEERS, TFTPD_CRATE};

use crate::fetch::fetch;
use crate::step::{Failed, Narrator, cargo, not_started, target};

/// Measures.
pub(crate) fn run(words: &[&str]) -> Result<(), Failed> {
    let narrator = Narrator::begin();
    let root = xtask::root();
    narrator.run("the bench", cargo(&root).args(["build", "--quiet", "--release", "--package", "bench"]))?;
    if !words.iter().any(|word| matches!(*word, "--help" | "-h" | "--list")) {
        fetch(&narrator, &PEERS);
        fetch(&narrator, &MEASURED);
        install(&narrator);
    }
    let mut bench = Command::new(target(&root).join("release/bench"));
    let status = bench.args(words).stdin(Stdio::null()).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(Failed("it could not be measured: see above".to_owned())),
        Err(error) => Err(not_started("the bench", &bench, &error)),
    }
}

/// A peer that cannot be had is told by the report, and costs no other one.
fn install(narrator: &Narrator) {
    let (name, version) = TFTPD_CRATE;
    if peers::of_crate(name).is_some() {
        return;
    }
    let mut install = cargo(&xtask::root());
    install.args(["install", "--quiet", "--locked", "--version", version, "--root"]);
    install.arg(peers::crates_folder()).arg(name);
    if let Err(failed) = narrator.run(&format!("installing {name} {version}"), &mut install) {
        narrator.tell(&failed.to_string());
    }
}
