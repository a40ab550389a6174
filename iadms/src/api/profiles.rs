//! `/profiles`: the kinds of device the daemon knows.

use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};

use super::{Api, Body, Refused};

/// A profile in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileSummary {
    /// Its name.
    pub name: String,
    /// One line.
    pub title: String,
    /// The file it comes from.
    pub file: String,
    /// Its kinds of configuration.
    pub kinds: Vec<String>,
    /// What it can be commanded.
    pub commands: Vec<String>,
}

/// The text of a profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileText {
    /// In short.
    #[serde(flatten)]
    pub summary: ProfileSummary,
    /// File name and text of it and of those it extends, itself first.
    pub layers: Vec<(String, String)>,
}

pub(super) async fn list(State(api): State<Api>) -> Body<Vec<ProfileSummary>> {
    Body(api.catalogue.all().map(summary).collect())
}

pub(super) async fn show(
    State(api): State<Api>,
    Path(name): Path<String>,
) -> Result<Body<ProfileText>, Refused> {
    let unknown = || Refused::unknown(format!("there is no profile {name:?}"), "see `iadms profile list`");
    let known = api.catalogue.get(&name).ok_or_else(unknown)?;
    let layers = known.stored.layers.iter().map(|(_, file, text)| (file.clone(), text.clone())).collect();
    Ok(Body(ProfileText { summary: summary(known), layers }))
}

fn summary(known: &crate::profiles::Known) -> ProfileSummary {
    let profile = &known.profile;
    let word = |command| match serde_json::to_value(command) {
        Ok(serde_json::Value::String(word)) => word,
        _ => format!("{command:?}"),
    };
    ProfileSummary {
        name: profile.name.clone(),
        title: profile.title.clone(),
        file: known.file.clone(),
        kinds: profile.all_kinds().iter().map(ToString::to_string).collect(),
        commands: profile.commands.keys().map(word).collect(),
    }
}
