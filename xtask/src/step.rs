//! The steps of a task: commands, each told in one line on stderr with the time at which it begins.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// Why a task ended early, as a sentence for the person who started it.
#[derive(Debug)]
pub(crate) struct Failed(pub(crate) String);

impl fmt::Display for Failed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Tells the steps of one task.
#[derive(Debug)]
pub(crate) struct Narrator {
    began: Instant,
}

impl Narrator {
    /// The task begins now.
    pub(crate) fn begin() -> Self {
        Self { began: Instant::now() }
    }

    /// Says what happens now.
    pub(crate) fn tell(&self, what: &str) {
        eprintln!("xtask [{:6.1} s] {what}", self.began.elapsed().as_secs_f64());
    }

    /// Says that a step begins, and runs its command with nothing to read and its output shown.
    pub(crate) fn run(&self, step: &str, command: &mut Command) -> Result<(), Failed> {
        self.tell(step);
        let status =
            command.stdin(Stdio::null()).status().map_err(|error| not_started(step, command, &error))?;
        if status.success() {
            return Ok(());
        }
        Err(Failed(format!("{step}: failed ({status}): {}", line_of(command))))
    }
}

/// `cargo`, the one that runs this task, in this folder.
pub(crate) fn cargo(folder: &Path) -> Command {
    let mut command = xtask::cargo();
    command.current_dir(folder);
    command
}

/// Where cargo builds, in the tree in this folder.
pub(crate) fn target(root: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from)
}

/// The failure of a step whose command does not even start.
pub(crate) fn not_started(step: &str, command: &Command, error: &std::io::Error) -> Failed {
    Failed(format!("{step}: cannot start {}: {error}", line_of(command)))
}

/// A command as it could be typed again.
fn line_of(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| quoted(&word.to_string_lossy())).collect::<Vec<_>>().join(" ")
}

fn quoted(word: &str) -> String {
    if word.contains(|letter: char| letter.is_whitespace() || "()|&'\"$*".contains(letter)) {
        format!("'{}'", word.replace('\'', r"'\''"))
    } else {
        word.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_command_is_told_as_it_can_be_typed_again() {
        let mut command = Command::new("sh");
        command.args(["-c", "exit 3", "it's"]);
        let failed = Narrator::begin().run("tests", &mut command).unwrap_err();
        assert_eq!(failed.to_string(), r"tests: failed (exit status: 3): sh -c 'exit 3' 'it'\''s'");
    }
}
