//! Pass-phrases: from a prompt, or a file. On a command line others could read them.

use std::io::{IsTerminal as _, Read as _, stdin};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::Args;
use dialoguer::Password;
use zeroize::Zeroizing;

use crate::cli::{Failure, ask};
use crate::credential::{Secrets, UserEntry};

/// Where the pass-phrases come from.
#[derive(Debug, Clone, Args)]
pub(super) struct SecretsOptions {
    /// File with the pass-phrases, the one for authentication on its first line, the one for privacy on its second; - : standard
    /// input. Default: they are asked for
    #[arg(long, value_name = "FILE")]
    secrets: Option<PathBuf>,
}

/// An algorithm, or none.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chosen<T>(pub(super) Option<T>);

impl<T: FromStr> FromStr for Chosen<T> {
    type Err = T::Err;

    fn from_str(text: &str) -> Result<Self, T::Err> {
        if text == "none" { Ok(Self(None)) } else { text.parse().map(Some).map(Self) }
    }
}

impl SecretsOptions {
    /// The pass-phrases that this user needs.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or nobody can be asked.
    pub(super) async fn read(&self, user: &UserEntry) -> Result<Secrets, Failure> {
        let (needs_first, needs_second) = (user.authentication.is_some(), user.privacy.is_some());
        match &self.secrets {
            _ if !needs_first => Ok(Secrets::default()),
            Some(path) => {
                let text = read(path).map_err(|error| Failure::file("read", path, &error))?;
                let mut lines = text.lines().map(str::to_owned);
                let authentication = lines.next().unwrap_or_default();
                let privacy = lines.next().filter(|_| needs_second).unwrap_or_default();
                Ok(Secrets { authentication, privacy })
            }
            None if stdin().is_terminal() => Ok(Secrets {
                authentication: asked("Pass-phrase for authentication").await?,
                privacy: if needs_second { asked("Pass-phrase for privacy").await? } else { String::new() },
            }),
            None => Err(Failure::usage(
                "there is no terminal to ask for the pass-phrases at",
                "give them in a file, one a line: --secrets FILE, or --secrets - for standard input",
            )),
        }
    }
}

fn read(path: &Path) -> std::io::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    match path.as_os_str() == "-" {
        true => stdin().read_to_string(&mut text)?,
        false => std::fs::File::open(path)?.read_to_string(&mut text)?,
    };
    Ok(text)
}

async fn asked(what: &'static str) -> Result<String, Failure> {
    let asking =
        move || Password::new().with_prompt(what).with_confirmation("Once more", "They differ").interact();
    ask::prompt(asking, "give them in a file: --secrets FILE").await
}
