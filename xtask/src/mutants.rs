//! `cargo xtask mutants [SHARD/OF]`: changes `crates/upgrade` and `crates/engine` in one small way after the other, and runs their
//! own tests on each: a change that no test notices is told. Hours of work, so it takes shards, and is no part of the tests.

use std::process::Stdio;

use crate::step::{Failed, Narrator, cargo};

/// So long may the tests of one mutant take, in seconds: several times what they take.
const TEST_LIMIT_S: &str = "120";

pub(crate) fn run(words: &[&str]) -> Result<(), Failed> {
    let shard = match words {
        [] => None,
        [shard] if is_shard(shard) => Some(*shard),
        _ => {
            return Err(Failed(
                "mutants takes one shard, such as 3/16 (from 0/16 to 15/16), or nothing".to_owned(),
            ));
        }
    };
    let root = xtask::root();
    let installed =
        cargo(&root).args(["mutants", "--version"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !installed.is_ok_and(|status| status.success()) {
        return Err(Failed(
            "cargo-mutants is not installed: cargo install --locked cargo-mutants".to_owned(),
        ));
    }
    let mut command = cargo(&root);
    command.args(["mutants", "--package", "upgrade", "--package", "engine", "--no-shuffle"]);
    command.args(["--profile", "mutants", "--test-tool", "nextest", "--jobs", "2"]);
    command.args(["--timeout", TEST_LIMIT_S, "--output", "target/mutants"]);
    command.args(shard.iter().flat_map(|shard| ["--shard", shard]));
    Narrator::begin().run("mutants", &mut command)
}

fn is_shard(word: &str) -> bool {
    let parts = word.split_once('/').map(|(shard, of)| (shard.parse::<u32>(), of.parse::<u32>()));
    matches!(parts, Some((Ok(shard), Ok(of))) if shard < of)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_is_one_of_so_many_from_none() {
        assert!(is_shard("0/16") && is_shard("15/16"));
        for word in ["16/16", "3", "a/b", "-1/4", "/", "1/0"] {
            assert!(!is_shard(word), "{word}");
        }
    }
}
