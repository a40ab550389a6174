//! `iadms profile`: what kinds of device are like.

mod check;

use clap::Subcommand;

use super::{Context, Exit, Failure, Output, encoded, output};
use crate::api::{ProfileSummary, ProfileText};

/// Profiles: what kinds of device are like
#[derive(Debug, Subcommand)]
pub(super) enum Profile {
    /// List the profiles that the daemon knows
    List,
    /// Show the text of a profile, and of those that it extends
    Show {
        /// The profile's name
        profile: String,
    },
    Check(check::Check),
}

impl Profile {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Failure> {
        match self {
            Self::List => list(context).await,
            Self::Show { profile } => show(context, &profile).await,
            Self::Check(command) => command.run(context),
        }
    }
}

async fn list(context: &Context) -> Result<Exit, Failure> {
    let profiles: Vec<ProfileSummary> = context.client.get("/profiles").await?;
    if context.output == Output::Json {
        output::json(&profiles)?;
        return Ok(Exit::Success);
    }
    let row = |profile: &ProfileSummary| {
        [profile.name.clone(), profile.title.clone(), profile.kinds.join(", "), profile.file.clone()]
    };
    output::table(
        ["PROFILE", "TITLE", "KINDS", "FILE"],
        profiles.iter().map(row).collect(),
        "there is none",
    )?;
    Ok(Exit::Success)
}

async fn show(context: &Context, name: &str) -> Result<Exit, Failure> {
    let profile: ProfileText = context.client.get(&format!("/profiles/{}", encoded(name))).await?;
    if context.output == Output::Json {
        output::json(&profile)?;
        return Ok(Exit::Success);
    }
    for (file, text) in &profile.layers {
        output::line(&format!("# ==== {file}\n{}", text.trim_end()))?;
    }
    Ok(Exit::Success)
}
