//! How commands end: exit codes, and errors with what to do next.

use std::fmt;
use std::io;

use crate::causes::with_causes;
use crate::daemon::Refusal;
use crate::store::StoreError;

/// The exit codes, as `iadms --help` tells them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// Done.
    Success,
    /// Not done.
    Error,
    /// The command line makes no sense; told by the parser.
    Usage,
    /// A run ended otherwise than wanted.
    RunFailed,
    /// A run waits for an operator's answer.
    Waiting,
    /// The database or a stored file is damaged, or not one that this program can use.
    Unsound,
}

/// What `iadms --help` says of exit codes.
pub(super) const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  not done: an error, told on stderr with what to do next
  2  the command line makes no sense
  3  a run ended otherwise than wanted: refused, rolled back, ended, cancelled, device lost
  4  a run waits for an operator's answer
  5  the database or a stored file is damaged, or of another version: starting again does not help

Data goes to stdout, everything else to stderr.";

impl Exit {
    /// The number.
    pub const fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Error => 1,
            Self::Usage => 2,
            Self::RunFailed => 3,
            Self::Waiting => 4,
            Self::Unsound => 5,
        }
    }
}

/// Why a command did not do what it should.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// One sentence that names the thing.
    pub error: String,
    /// What to do; may be empty.
    pub next: String,
}

impl Failure {
    /// An error and what to do about it.
    pub fn new(error: impl Into<String>, next: impl Into<String>) -> Self {
        Self { exit: Exit::Error, error: error.into(), next: next.into() }
    }

    /// A command line that makes no sense, though its form is right.
    pub fn usage(error: impl Into<String>, next: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, ..Self::new(error, next) }
    }

    /// A file or folder of the operator's that cannot be used.
    pub fn file(action: &str, path: &std::path::Path, error: &io::Error) -> Self {
        Self::new(format!("cannot {action} {}: {error}", path.display()), "check the path and its rights")
    }

    /// What is wrong with the store.
    pub fn store(error: &StoreError) -> Self {
        let exit = if error.is_of_the_database() { Exit::Unsound } else { Exit::Error };
        Self { exit, ..Self::of(error, error.next()) }
    }

    /// Output that cannot be written. A reader that has seen enough, such as `head`, is no error.
    pub fn output(error: &io::Error) -> Self {
        let exit = if error.kind() == io::ErrorKind::BrokenPipe { Exit::Success } else { Exit::Error };
        Self { exit, error: format!("the output cannot be written: {error}"), next: String::new() }
    }

    /// Any error, with its causes.
    pub fn of(error: &dyn std::error::Error, next: impl Into<String>) -> Self {
        Self::new(with_causes(error), next)
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::new(refusal.error, refusal.next)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "error: {}", self.error)?;
        if self.next.is_empty() { Ok(()) } else { write!(formatter, "\n next: {}", self.next) }
    }
}
