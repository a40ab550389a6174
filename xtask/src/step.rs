//! One step of a task: a command, one line on stderr when it begins and one with its time when it ends.

use std::fmt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Why a task ended early, as a sentence for the person who started it.
#[derive(Debug)]
pub(crate) struct Failed(pub(crate) String);

impl fmt::Display for Failed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Runs `command` with nothing to read, its output shown, and says how long it took.
pub(crate) fn run(name: &str, command: &mut Command) -> Result<(), Failed> {
    let began = Instant::now();
    run_untold(name, command)?;
    done(name, began);
    Ok(())
}

/// Runs `command` as [`run`] does, and says something only if it fails.
pub(crate) fn run_untold(name: &str, command: &mut Command) -> Result<(), Failed> {
    let began = Instant::now();
    let status = command.stdin(Stdio::null()).status().map_err(|error| not_started(name, command, &error))?;
    if !status.success() {
        return Err(Failed(format!(
            "{name} failed after {} ({status}): {}",
            seconds(began.elapsed()),
            line_of(command)
        )));
    }
    Ok(())
}

/// Says that a step has ended well.
pub(crate) fn done(name: &str, began: Instant) {
    eprintln!("xtask: {name}: done in {}", seconds(began.elapsed()));
}

/// The failure of a step whose command does not even start.
pub(crate) fn not_started(name: &str, command: &Command, error: &std::io::Error) -> Failed {
    Failed(format!("{name} could not start {}: {error}", line_of(command)))
}

/// A duration as people read it.
pub(crate) fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
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
