//! `/runs`: begin them, see them, answer and end them.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::{Path, Query, State};
use serde::{Deserialize, Serialize};
use upgrade::run::{Answer, Choices, Goal};
use upgrade::{Kind, Protocol, RunId, StoredFile};

use super::files::blocking;
use super::images::whole;
use super::{Api, Body, Refused};
use crate::daemon::Refusal;
use crate::inventory::Device;
use crate::store::{LoggedEvent, RunFilter, RunRecord, ToldStory};

/// Runs to be begun, one for each device.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StartRuns {
    /// The devices' names.
    pub devices: Vec<String>,
    /// What is wanted.
    pub wanted: Wanted,
    /// How.
    pub choices: Choices,
    /// How files go over; none: as each device's entry says.
    pub protocol: Option<Protocol>,
}

/// What is wanted of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wanted {
    /// This image runs.
    Upgrade {
        /// Its name.
        image: String,
    },
    /// The configuration is backed up.
    Backup,
    /// A backup is on the device again.
    Restore {
        /// Its number.
        backup: u64,
        /// Only these kinds; empty: all.
        kinds: Vec<Kind>,
        /// The device stands in the place of the one that the backup is of.
        replacement: bool,
    },
    /// The software in the other buffer runs.
    RollBack,
    /// The device has restarted.
    Reset,
}

/// What became of one device of [`StartRuns`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begun {
    /// The device's name.
    pub device: String,
    /// Its run, where it began.
    pub run: Option<RunId>,
    /// Why not, where it did not.
    pub refused: Option<Refusal>,
}

/// An answer to a question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AnswerRequest {
    /// Once more.
    Again,
    /// Once more with this image.
    Image {
        /// Its name.
        name: String,
    },
    /// Once more with these files, which were stored before.
    Edited {
        /// One of each kind that was backed up.
        files: BTreeMap<Kind, StoredFile>,
    },
    /// No more.
    End,
}

/// Which runs are listed.
#[derive(Debug, Deserialize)]
pub(super) struct Listed {
    device: Option<String>,
    #[serde(default)]
    open: bool,
    #[serde(default)]
    asking: bool,
    most: Option<u32>,
}

#[derive(Debug, Deserialize)]
pub(super) struct After {
    #[serde(default)]
    after: u64,
}

/// Runs listed unless told otherwise.
const LISTED: u32 = 100;

pub(super) async fn start(
    State(api): State<Api>,
    Body(request): Body<StartRuns>,
) -> Result<Body<Vec<Begun>>, Refused> {
    // Everything is looked up before anything begins: a name mistyped among a hundred begins no run.
    let mut devices = Vec::with_capacity(request.devices.len());
    let mut names = BTreeSet::new();
    for name in request.devices.iter().filter(|name| names.insert(name.as_str())) {
        devices.push(api.store.device(name).await?);
    }
    if devices.is_empty() {
        return Err(Refused::invalid("no device is named", "name at least one device"));
    }
    let goal = goal(&api, &request.wanted, &devices).await?;
    let mut started = Vec::with_capacity(devices.len());
    // All are asked for before the first is waited for: they share commits.
    for device in devices {
        let (handle, goal, choices) = (api.handle.clone(), goal.clone(), request.choices.clone());
        let run = tokio::spawn(async move { handle.start(device.id, goal, choices, request.protocol).await });
        started.push((device.entry.name, run));
    }
    let mut begun = Vec::with_capacity(started.len());
    for (device, run) in started {
        let ended =
            |error| Refused::conflict(format!("the request ended early: {error}"), "see `iadms run list`");
        begun.push(match run.await.map_err(ended)? {
            Ok(run) => Begun { device, run: Some(run), refused: None },
            Err(refusal) => Begun { device, run: None, refused: Some(refusal) },
        });
    }
    Ok(Body(begun))
}

pub(super) async fn list(
    State(api): State<Api>,
    Query(listed): Query<Listed>,
) -> Result<Body<Vec<RunRecord>>, Refused> {
    let device = match &listed.device {
        Some(name) => Some(api.store.device(name).await?.id),
        None => None,
    };
    let most = listed.most.unwrap_or(LISTED);
    let filter = RunFilter { device, open: listed.open, asking: listed.asking, most };
    Ok(Body(api.store.runs(&filter).await?))
}

pub(super) async fn show(State(api): State<Api>, Path(run): Path<u64>) -> Result<Body<RunRecord>, Refused> {
    Ok(Body(api.store.run(RunId(run)).await?))
}

pub(super) async fn stories(
    State(api): State<Api>,
    Path(run): Path<u64>,
    Query(After { after }): Query<After>,
) -> Result<Body<Vec<ToldStory>>, Refused> {
    api.store.run(RunId(run)).await?;
    Ok(Body(api.store.stories(RunId(run), after).await?))
}

pub(super) async fn events(
    State(api): State<Api>,
    Path(run): Path<u64>,
) -> Result<Body<Vec<LoggedEvent>>, Refused> {
    api.store.run(RunId(run)).await?;
    Ok(Body(api.store.events(RunId(run)).await?))
}

pub(super) async fn answer(
    State(api): State<Api>,
    Path(run): Path<u64>,
    Body(request): Body<AnswerRequest>,
) -> Result<Body<()>, Refused> {
    api.store.run(RunId(run)).await?;
    let answer = match request {
        AnswerRequest::Again => Answer::Again,
        AnswerRequest::End => Answer::End,
        AnswerRequest::Image { name } => Answer::OtherImage(Box::new(image(&api, &name).await?)),
        AnswerRequest::Edited { files } => {
            for (kind, file) in &files {
                let (storage, digest) = (api.files.clone(), file.digest);
                let size = blocking(move || storage.verify(digest)).await?;
                if size != file.size {
                    let error = format!("the edited {kind} has {size} bytes, not {}", file.size);
                    return Err(Refused::invalid(error, "hand the files back again"));
                }
            }
            Answer::Edited(files)
        }
    };
    Ok(Body(api.handle.answer(RunId(run), answer).await?))
}

pub(super) async fn cancel(State(api): State<Api>, Path(run): Path<u64>) -> Result<Body<()>, Refused> {
    api.store.run(RunId(run)).await?;
    Ok(Body(api.handle.cancel(RunId(run)).await?))
}

pub(super) async fn stop_operation(
    State(api): State<Api>,
    Path(run): Path<u64>,
) -> Result<Body<()>, Refused> {
    api.store.run(RunId(run)).await?;
    Ok(Body(api.handle.stop_operation(RunId(run)).await?))
}

async fn goal(api: &Api, wanted: &Wanted, devices: &[Device]) -> Result<Goal, Refused> {
    Ok(match wanted {
        Wanted::Upgrade { image: name } => Goal::Upgrade { image: image(api, name).await? },
        Wanted::Backup => Goal::Backup,
        Wanted::RollBack => Goal::RollBack,
        Wanted::Reset => Goal::Reset,
        Wanted::Restore { backup, kinds, replacement } => {
            let backup = api.store.backup(*backup).await?;
            if let Some(other) = devices.iter().find(|device| device.entry.name != backup.device)
                && !replacement
            {
                let (id, of, name) = (backup.id, &backup.device, &other.entry.name);
                return Err(Refused::conflict(
                    format!("backup {id} is of device {of:?}, not of {name:?}"),
                    format!("if {name} stands in the place of {of}, say so: --replacement"),
                ));
            }
            let mut set = backup.set;
            if let Some(missing) = kinds.iter().find(|kind| !set.files.contains_key(kind)) {
                let held: Vec<_> = set.files.keys().map(ToString::to_string).collect();
                let error = format!("backup {} holds no {missing}", backup.id);
                return Err(Refused::invalid(error, format!("choose of: {}", held.join(", "))));
            }
            if !kinds.is_empty() {
                set.files.retain(|kind, _| kinds.contains(kind));
            }
            for file in set.files.values().copied() {
                let files = api.files.clone();
                blocking(move || files.verify(file.digest)).await?;
            }
            Goal::Restore { set }
        }
    })
}

/// The image of this name, once its files have proven whole.
async fn image(api: &Api, name: &str) -> Result<upgrade::Image, Refused> {
    let image = api.store.image(name).await?.image;
    let (files, manifest) = (api.files.clone(), image.manifest.clone());
    let damaged = |error| Refused::conflict(format!("image {name:?}: {error}"), "add the image again");
    blocking(move || Ok(whole(&files, &manifest))).await?.map_err(damaged)?;
    Ok(image)
}
