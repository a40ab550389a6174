//! `iadms completion`.

use std::io::Write as _;

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::{Cli, Exit, Failure};

/// Write completions for a shell on stdout
///
/// For bash: source <(iadms completion bash)
#[derive(Debug, Args)]
pub(super) struct Completion {
    /// The shell
    shell: Shell,
}

impl Completion {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "iadms", &mut script);
        std::io::stdout().write_all(&script).map_err(|error| Failure::output(&error))?;
        Ok(Exit::Success)
    }
}
