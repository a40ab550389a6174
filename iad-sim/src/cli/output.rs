//! How data and failures are written.

use std::error::Error;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use comfy_table::{Table, presets};
use serde::Serialize;

use crate::fault::FaultError;
use crate::net::{ControlError, SimulatorError, StartError};

/// How data is written
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct Output {
    /// How data is written
    #[arg(long, value_enum, default_value_t = Format::Text)]
    output: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// For programs
    Json,
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("cannot start the devices")]
    Start(#[from] StartError),
    #[error("the devices have stopped")]
    Stopped(#[from] SimulatorError),
    #[error("cannot ask the simulator; is it running with --control?")]
    Control(#[from] ControlError),
    #[error("{0}")]
    Refused(String),
    #[error("cannot use the file {path}")]
    File {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error("cannot use the fault script {path}")]
    Script {
        path: PathBuf,
        #[source]
        cause: FaultError,
    },
    #[error("cannot write the output")]
    Output(#[from] io::Error),
    #[error("cannot write the output")]
    Json(#[from] serde_json::Error),
}

impl Output {
    /// Writes data: as JSON, or as `text` makes it.
    pub(super) fn write<T: Serialize>(
        self,
        data: &T,
        text: impl FnOnce(&T) -> String,
    ) -> Result<(), Failure> {
        let written = match self.output {
            Format::Json => serde_json::to_string_pretty(data)?,
            Format::Text => text(data),
        };
        writeln!(io::stdout(), "{}", written.trim_end())?;
        Ok(())
    }
}

/// A table without lines.
pub(super) fn table(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(head.iter().copied());
    rows.into_iter().for_each(|row| {
        table.add_row(row);
    });
    table.column_iter_mut().for_each(|column| {
        column.set_padding((0, 2));
    });
    table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

/// Writes why a command failed, with all causes.
pub(super) fn report(failure: &Failure) {
    let mut line = format!("iad-sim: {failure}");
    let mut cause = failure.source();
    while let Some(error) = cause {
        line.push_str(&format!(": {error}"));
        cause = error.source();
    }
    // Where stderr is closed nobody can be told.
    let _ = writeln!(io::stderr(), "{line}");
}
