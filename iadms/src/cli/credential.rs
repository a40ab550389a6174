//! `iadms credential`: as whom devices are asked by SNMPv3.

mod add;
mod rotate;
mod secrets;
mod test;

use std::path::PathBuf;

use clap::Subcommand;

use super::{Context, Exit, Failure, Output, encoded, output};
use crate::credential::{Credential as Known, UserEntry};
use crate::seal::Key;

/// Credentials: as whom devices are asked by SNMPv3
#[derive(Debug, Subcommand)]
pub(super) enum Credential {
    /// Make a key under which the daemon keeps secrets, in a new file that only its owner reads
    Key {
        /// The file; `iadms serve --key` is given it
        file: PathBuf,
    },
    Add(add::Add),
    /// List the credentials, without their secrets
    List,
    Rotate(rotate::Rotate),
    Test(test::Test),
    /// Remove a credential by which no device is asked
    Remove {
        /// The credential's name
        credential: String,
    },
}

impl Credential {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Failure> {
        match self {
            Self::Key { file } => {
                let key = Key::make(&file).map_err(|error| Failure::of(&error, error.next()))?;
                output::note(&format!(
                    "the key {} is in {}; keep a copy apart from those of the database, which are of no use without it",
                    key.id(),
                    file.display()
                ));
                Ok(Exit::Success)
            }
            Self::Add(command) => command.run(context).await,
            Self::List => list(context).await,
            Self::Rotate(command) => command.run(context).await,
            Self::Test(command) => command.run(context).await,
            Self::Remove { credential } => {
                context.client.delete(&format!("/credentials/{}", encoded(&credential))).await?;
                output::note(&format!("credential {credential} was removed"));
                Ok(Exit::Success)
            }
        }
    }
}

async fn list(context: &Context) -> Result<Exit, Failure> {
    let credentials: Vec<Known> = context.client.get("/credentials").await?;
    if context.output == Output::Json {
        output::json(&credentials)?;
        return Ok(Exit::Success);
    }
    let row = |known: &Known| {
        let UserEntry { user, authentication, privacy } = &known.user;
        let standing = if known.former.is_some() { "being rotated" } else { "in force" };
        [
            known.name.clone(),
            user.clone(),
            output::or_dash(authentication.as_ref()),
            output::or_dash(privacy.as_ref()),
            known.devices.to_string(),
            output::date_time(known.since),
            standing.to_owned(),
        ]
    };
    let headers = ["CREDENTIAL", "USER", "AUTHENTICATION", "PRIVACY", "DEVICES", "SINCE", "STANDING"];
    let none = "there is no credential; add one with `iadms credential add`";
    output::table(headers, credentials.iter().map(row).collect(), none)?;
    Ok(Exit::Success)
}
