//! `iadms profile check`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::cli::{Context, Exit, Failure, Output, output};
use crate::profiles::Catalogue;

/// Check a profile file; no daemon is needed
#[derive(Debug, Args)]
pub(in crate::cli) struct Check {
    /// The file
    file: PathBuf,

    /// Folder of profiles that it may extend, besides those that come with the program
    #[arg(long, value_name = "DIR")]
    profiles: Vec<PathBuf>,
}

impl Check {
    pub(in crate::cli) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let next = "correct it; nothing is used of a profile with an error";
        let text =
            std::fs::read_to_string(&self.file).map_err(|error| Failure::file("read", &self.file, &error))?;
        let known = Catalogue::open(&self.profiles).map_err(|error| Failure::of(&error, next))?;
        let file = self.file.display().to_string();
        let profile = known.load(&file, &text).map_err(|error| Failure::of(&error, next))?;
        match context.output {
            Output::Json => {
                let kinds: Vec<_> = profile.all_kinds();
                output::json(&json!({ "name": profile.name, "title": profile.title, "kinds": kinds }))?;
            }
            Output::Table => {
                let (objects, commands) = (profile.objects.len(), profile.commands.len());
                let name = &profile.name;
                output::line(&format!(
                    "{file}: profile {name} is in order: {objects} objects, {commands} commands"
                ))?;
            }
        }
        Ok(Exit::Success)
    }
}
