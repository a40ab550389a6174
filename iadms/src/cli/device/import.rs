//! `iadms device import`.

use std::path::PathBuf;

use clap::Args;

use super::table_file;
use crate::api::{Added, NewDevices, Problem};
use crate::cli::{Context, Exit, Failure, Output, output};

/// Add the devices of a CSV file with a header: all of them, or none if a line is wrong
///
/// Columns: name, address; and, where they are wanted: port, version (v1, v2c or v3), credential (for v3), read_community and
/// write_community (for v1 and v2c), profile, protocol (tftp, ftp or push), labels (KEY=VALUE, with blanks between). Without a version
/// it is v3 where there is a credential, else v2c.
#[derive(Debug, Args)]
pub(in crate::cli) struct Import {
    /// The file
    file: PathBuf,

    /// Only say what is wrong, and add nothing
    #[arg(long)]
    dry_run: bool,
}

impl Import {
    pub(in crate::cli) async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let bytes = std::fs::read(&self.file).map_err(|error| Failure::file("read", &self.file, &error))?;
        let (entries, mut bad) = table_file::read(&bytes);
        let (lines, devices): (Vec<_>, Vec<_>) = entries.into_iter().unzip();
        let devices = NewDevices { devices };
        if !devices.devices.is_empty() {
            let problems: Vec<Problem> = context.client.post("/devices/check", &devices).await?;
            bad.extend(problems.into_iter().map(|problem| table_file::BadLine {
                line: lines.get(problem.index).copied().unwrap_or(0),
                problem: problem.error,
            }));
        }
        bad.sort_by_key(|bad| bad.line);
        let file = self.file.display();
        for bad in &bad {
            output::note(&format!("{file}, line {}: {}", bad.line, bad.problem));
        }
        let count = devices.devices.len();
        match (bad.len(), count) {
            (0, 0) => {
                return Err(Failure::new(format!("{file} names no device"), "add a line for each device"));
            }
            (0, _) => {}
            (wrong, _) => {
                let lines = if wrong == 1 { "line" } else { "lines" };
                let error = format!("{file} has {wrong} wrong {lines}, told above");
                return Err(Failure::new(error, "correct the file and import it again; nothing was added"));
            }
        }
        if self.dry_run {
            output::note(&format!("{count} devices could be added; nothing was"));
            return Ok(Exit::Success);
        }
        let added: Added = context.client.post("/devices", &devices).await?;
        match context.output {
            Output::Json => output::json(&added)?,
            Output::Table => {
                output::note(&format!("{count} devices were added"));
                let open = devices.devices.iter().filter(|entry| entry.access.gives_up().is_some()).count();
                if open > 0 {
                    output::note(&format!(
                        "{open} of them are spoken to by communities, which anybody on the way can read; SNMPv3 with a credential \
                         gives up nothing"
                    ));
                }
            }
        }
        Ok(Exit::Success)
    }
}
