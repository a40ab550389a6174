//! `/runs`: begin them, see them, answer and end them.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::{Path, Query, State};
use serde::{Deserialize, Serialize};
use upgrade::run::{Answer, AnswerKind, Choices, Goal, State as Standing};
use upgrade::{Digest, Kind, Protocol, RunId, StoredFile, Time};

use super::files::blocking;
use super::images::whole;
use super::{Api, Body, Refused};
use crate::daemon::Refusal;
use crate::inventory::Device;
use crate::store::{ListedRun, LoggedEvent, RunFilter, RunRecord, StoreError, ToldStory};

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

/// A question is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnswerRun {
    /// When the question was asked that is answered; none: whichever is open.
    #[serde(default)]
    pub asked_at: Option<Time>,
    /// How.
    pub answer: AnswerRequest,
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
        /// The files of the backup that were edited, where that is known.
        #[serde(default)]
        of: Option<BTreeMap<Kind, Digest>>,
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
    let ids: Vec<_> = devices.iter().map(|device| device.id).collect();
    let started = api.handle.start_all(&ids, &goal, &request.choices, request.protocol).await;
    let begun = |(device, started): (Device, Result<RunId, Refusal>)| {
        let device = device.entry.name;
        match started {
            Ok(run) => Begun { device, run: Some(run), refused: None },
            Err(refusal) => Begun { device, run: None, refused: Some(refusal) },
        }
    };
    Ok(Body(devices.into_iter().zip(started).map(begun).collect()))
}

pub(super) async fn list(
    State(api): State<Api>,
    Query(listed): Query<Listed>,
) -> Result<Body<Vec<ListedRun>>, Refused> {
    let device = match &listed.device {
        Some(name) => Some(api.store.device(name).await?.id),
        None => None,
    };
    let most = listed.most.unwrap_or(LISTED);
    let filter = RunFilter { device, open: listed.open, asking: listed.asking, most };
    let listed = api.store.runs(&filter).await?;
    let aside = api.handle.aside();
    let masked = |listed| match (aside.iter().find(|run| run.id == ListedRun::id(&listed)), listed) {
        (Some(aside), _) => ListedRun::Unreadable(aside.clone()),
        (None, ListedRun::Readable(record)) => ListedRun::Readable(Box::new(record.masked())),
        (None, ListedRun::Unreadable(run)) => ListedRun::Unreadable(run),
    };
    Ok(Body(listed.into_iter().map(masked).collect()))
}

pub(super) async fn show(State(api): State<Api>, Path(run): Path<u64>) -> Result<Body<RunRecord>, Refused> {
    Ok(Body(readable(&api, RunId(run)).await?.masked()))
}

/// The run, unless it was set aside: nobody goes on with it, whatever its state says.
pub(super) async fn readable(api: &Api, run: RunId) -> Result<RunRecord, Refused> {
    let record = api.store.run(run).await?;
    match api.handle.aside().into_iter().find(|aside| aside.id == run) {
        Some(aside) => Err(StoreError::UnreadableRun { run, why: aside.unreadable }.into()),
        None => Ok(record),
    }
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
    Body(AnswerRun { asked_at, answer: request }): Body<AnswerRun>,
) -> Result<Body<()>, Refused> {
    let record = open_run(&api, run).await?;
    let Standing::Asking(question) = &record.run.state else {
        let error = format!("run {run} of {} asks nothing now", record.run.device.name);
        return Err(Refused::conflict(error, format!("see how it goes: `iadms run show {run}`")));
    };
    if asked_at.is_some_and(|asked_at| asked_at != question.asked_at) {
        let error = format!("run {run} of {} asks something else by now", record.run.device.name);
        return Err(Refused::conflict(error, format!("see what it asks: `iadms run show {run}`")));
    }
    if !question.answers.contains(&request.kind()) {
        let error = format!("run {run} of {} cannot take that answer", record.run.device.name);
        return Err(Refused::conflict(error, format!("see which it takes: `iadms run show {run}`")));
    }
    let answer = match request {
        AnswerRequest::Again => Answer::Again,
        AnswerRequest::End => Answer::End,
        AnswerRequest::Image { name } => Answer::OtherImage(image(&api, &name).await?.into()),
        AnswerRequest::Edited { files, of } => {
            let held = record.run.backed_up();
            let is_todays =
                |(kind, digest): (&Kind, &Digest)| held.get(kind).is_some_and(|file| file.digest == *digest);
            if of.is_some_and(|of| !of.iter().all(is_todays)) {
                let error = format!(
                    "the files were exported before the settings of {} changed: they were backed up again since",
                    record.run.device.name
                );
                let next =
                    format!("export them into another folder, `iadms run export {run} DIR`, and edit those");
                return Err(Refused::conflict(error, next));
            }
            for (kind, file) in &files {
                let (storage, digest) = (api.files.clone(), file.digest);
                let size = blocking(move || storage.verify(digest)).await?;
                let most = api
                    .catalogue
                    .get(&record.run.profile)
                    .map(|known| known.profile.limits.configuration_bytes);
                if most.is_some_and(|most| size > most) {
                    let error = format!(
                        "the edited {kind} has {size} bytes; no more than {} were expected",
                        most.unwrap_or_default()
                    );
                    return Err(Refused::invalid(error, "hand in a configuration file"));
                }
                if size != file.size {
                    let error = format!("the edited {kind} has {size} bytes, not {}", file.size);
                    return Err(Refused::invalid(error, "hand the files back again"));
                }
            }
            Answer::Edited(files)
        }
    };
    Ok(Body(api.handle.answer(RunId(run), question.asked_at, answer).await?))
}

pub(super) async fn cancel(State(api): State<Api>, Path(run): Path<u64>) -> Result<Body<()>, Refused> {
    open_run(&api, run).await?;
    Ok(Body(api.handle.cancel(RunId(run)).await?))
}

pub(super) async fn forget(State(api): State<Api>, Path(run): Path<u64>) -> Result<Body<()>, Refused> {
    Ok(Body(api.handle.forget(RunId(run)).await?))
}

pub(super) async fn stop_operation(
    State(api): State<Api>,
    Path(run): Path<u64>,
) -> Result<Body<()>, Refused> {
    open_run(&api, run).await?;
    Ok(Body(api.handle.stop_operation(RunId(run)).await?))
}

impl AnswerRequest {
    /// The kind of answer.
    pub const fn kind(&self) -> AnswerKind {
        match self {
            Self::Again => AnswerKind::Again,
            Self::Image { .. } => AnswerKind::OtherImage,
            Self::Edited { .. } => AnswerKind::Edited,
            Self::End => AnswerKind::End,
        }
    }
}

/// The run, which is not over.
async fn open_run(api: &Api, run: u64) -> Result<RunRecord, Refused> {
    let record = readable(api, RunId(run)).await?;
    match &record.run.state {
        Standing::Ended(ending) => {
            let error = format!("run {run} of {} is over: {}", record.run.device.name, ending.outcome);
            Err(Refused::conflict(error, format!("see its story: `iadms run show {run}`")))
        }
        _ => Ok(record),
    }
}

async fn goal(api: &Api, wanted: &Wanted, devices: &[Device]) -> Result<Goal, Refused> {
    Ok(match wanted {
        Wanted::Upgrade { image: name } => Goal::Upgrade { image: image(api, name).await?.into() },
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
