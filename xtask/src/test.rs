//! `cargo xtask test [FILTER]...`: everything that must hold before a change is taken, cheapest first. The first step
//! that fails ends it.

mod left_out;
mod runner;

use std::io::IsTerminal;
use std::process::Command;

use xtask::peers::PEERS;

use crate::step::{Failed, Narrator};
use crate::{fetch, step, world};

/// Runs all steps; the last one is the runner's, whose count closes the output.
pub(crate) fn run(filters: &[&str]) -> Result<(), Failed> {
    if let Some(option) = filters.iter().find(|filter| filter.starts_with('-')) {
        return Err(Failed(format!(
            "'{option}' is not an option of test; it takes parts of test names only"
        )));
    }
    let narrator = Narrator::begin();
    narrator.run("formatting", &mut cargo(&["fmt", "--all", "--check"]))?;
    fetch::fetch(&narrator, &PEERS);
    narrator
        .run("lints", cargo(&["clippy", "--workspace", "--all-targets"]).args(quiet()).args(DENY_WARNINGS))?;
    narrator.run(
        "documentation",
        cargo(&["doc", "--workspace", "--no-deps"]).args(quiet()).env("RUSTDOCFLAGS", "-D warnings"),
    )?;
    // Tests of the whole run the two programs, which building the tests alone would leave as they were.
    narrator.run("programs", cargo(&["build", "--workspace", "--bins"]).args(quiet()))?;
    if filters.is_empty() {
        let examples = &mut cargo(&["test", "--workspace", "--doc", "--quiet"]);
        narrator.run("examples in the documentation", examples)?;
        world::explore_for_a_minute(&narrator)?;
    }
    runner::run(&narrator, filters, &left_out::tell(&narrator))
}

const DENY_WARNINGS: [&str; 3] = ["--", "-D", "warnings"];

/// Cargo shows what it compiles to people who look on, and does not fill a log with it.
fn quiet() -> Option<&'static str> {
    (!std::io::stderr().is_terminal()).then_some("--quiet")
}

/// `cargo` with these arguments, in the root of the repository.
fn cargo(arguments: &[&str]) -> Command {
    let mut command = step::cargo(&xtask::root());
    command.args(arguments).env(xtask::PROGRAMS_ARE_BUILT, "yes");
    command
}
