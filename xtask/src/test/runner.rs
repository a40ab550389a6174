//! Runs the tests by cargo-nextest, or where that is not installed by `cargo test`, whose many counts are added up.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use super::cargo;
use crate::step::{Failed, Narrator, not_started};

const NAME: &str = "tests";

/// Runs the tests whose names contain one of `filters` (all, if there is none) and whose names contain none of `left_out`.
pub(super) fn run(narrator: &Narrator, filters: &[&str], left_out: &[&str]) -> Result<(), Failed> {
    let version = cargo(&["nextest", "--version"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    if version.is_ok_and(|status| status.success()) {
        by_nextest(narrator, filters, left_out)
    } else {
        narrator.tell("cargo-nextest is not installed: cargo test runs the tests, without their time limits");
        by_cargo_test(narrator, filters, left_out)
    }
}

fn by_nextest(narrator: &Narrator, filters: &[&str], left_out: &[&str]) -> Result<(), Failed> {
    let profile = if std::env::var_os("CI").is_some() { "ci" } else { "default" };
    let mut command = cargo(&["nextest", "run", "--workspace", "--profile", profile, "--no-tests", "fail"]);
    if !left_out.is_empty() {
        let marks: Vec<String> = left_out.iter().map(|mark| format!("test({mark})")).collect();
        let unwanted = marks.join(" | ");
        let mut list = cargo(&["nextest", "list", "--workspace", "--message-format", "oneline", "-E"]);
        super::left_out::tell_names(narrator, list.arg(&unwanted));
        command.args(["-E", &format!("not ({unwanted})")]);
    }
    // The runner's summary is the last line of all.
    narrator.run(NAME, command.args(filters))
}

fn by_cargo_test(narrator: &Narrator, filters: &[&str], left_out: &[&str]) -> Result<(), Failed> {
    let mut command = cargo(&["test", "--workspace", "--lib", "--bins", "--tests", "--no-fail-fast", "--"]);
    command.args(left_out.iter().flat_map(|mark| ["--skip", mark])).args(filters);
    narrator.tell(NAME);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| not_started(NAME, &command, &error))?;
    let mut count = Count::default();
    for line in child
        .stdout
        .take()
        .into_iter()
        .flat_map(|stdout| BufReader::new(stdout).lines())
        .map_while(Result::ok)
    {
        println!("{line}");
        count.add(&line);
    }
    let status = child.wait().map_err(|error| not_started(NAME, &command, &error))?;
    println!(
        "{} tests run: {} passed, {} failed, {} skipped",
        count.run(),
        count.passed,
        count.failed,
        count.skipped
    );
    if !status.success() {
        return Err(Failed(format!("{} tests failed", count.failed)));
    }
    if count.run() == 0 {
        return Err(Failed("no test has such a name".to_owned()));
    }
    Ok(())
}

/// The sum of the counts that `cargo test` writes, one for each test program.
#[derive(Debug, Default, PartialEq, Eq)]
struct Count {
    passed: u64,
    failed: u64,
    skipped: u64,
}

impl Count {
    fn run(&self) -> u64 {
        self.passed + self.failed
    }

    /// Adds a line such as `test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in 0.00s`.
    fn add(&mut self, line: &str) {
        let Some(parts) = line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". ")) else {
            return;
        };
        for part in parts.1.split("; ") {
            let Some((number, what)) = part.split_once(' ') else { continue };
            let Ok(number) = number.parse::<u64>() else { continue };
            match what {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" | "filtered out" => self.skipped += number,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counts_of_all_test_programs_are_added_up() {
        let mut count = Count::default();
        count.add(
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in 0.00s",
        );
        count.add("test some::name ... ok");
        count.add("test result: FAILED. 4 passed; 5 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.20s");
        assert_eq!(count, Count { passed: 7, failed: 5, skipped: 3 });
        assert_eq!(count.run(), 12);
    }
}
