//! `cargo xtask test [FILTER]...`: everything that must hold before a change is taken, cheapest first. The first step
//! that fails ends it.

mod left_out;
mod runner;

use std::process::Command;
use std::time::Instant;

use crate::fetch;
use crate::step::{self, Failed};

/// Runs all steps; the last one is the runner's, whose count closes the output.
pub(crate) fn run(filters: &[&str]) -> Result<(), Failed> {
    if let Some(option) = filters.iter().find(|filter| filter.starts_with('-')) {
        return Err(Failed(format!(
            "'{option}' is not an option of test; it takes parts of test names only"
        )));
    }
    let began = Instant::now();
    step::run("formatting", &mut cargo(&["fmt", "--all", "--check"]))?;
    fetch::fetch();
    let left_out = left_out::peers();
    step::run(
        "lints",
        &mut cargo(&["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"]),
    )?;
    step::run(
        "documentation",
        cargo(&["doc", "--workspace", "--no-deps", "--quiet"]).env("RUSTDOCFLAGS", "-D warnings"),
    )?;
    if filters.is_empty() {
        step::run("examples in the documentation", &mut cargo(&["test", "--workspace", "--doc", "--quiet"]))?;
    }
    // Tests of the whole run the two programs, which building the tests alone would leave as they were.
    step::run("programs", &mut cargo(&["build", "--workspace", "--bins", "--quiet"]))?;
    left_out::tell(&left_out);
    let marks: Vec<&str> = left_out.iter().map(|(peer, _)| peer.mark).collect();
    runner::run(filters, &marks, began)
}

/// `cargo` with these arguments, in the root of the repository.
fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(xtask::root()).env(xtask::PROGRAMS_ARE_BUILT, "yes");
    command
}
