//! `/devices`: the inventory, and looks at devices.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use axum::extract::{Path, Query, State};
use serde::{Deserialize, Serialize};
use upgrade::DeviceId;

use super::{Api, Body, Refused};
use crate::daemon::Probed;
use crate::inventory::{Access, Device, DeviceEntry};

/// Devices to be added, all or none.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NewDevices {
    /// Their entries.
    pub devices: Vec<DeviceEntry>,
}

/// What holds of a device from now on.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ChangedDevice {
    /// Its entry; the name tells which device is meant.
    pub entry: DeviceEntry,
    /// Another unit stands in its place: the next one that answers is it.
    #[serde(default)]
    pub replaced: bool,
}

/// Devices that were added.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Added {
    /// Their numbers, in order.
    pub ids: Vec<DeviceId>,
}

/// What is wrong with one of several entries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Which, from 0.
    pub index: usize,
    /// One sentence.
    pub error: String,
}

/// A device to be looked at that need not be in the inventory.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ProbeRequest {
    /// How it is reached.
    pub access: Access,
    /// The profile to look by.
    pub profile: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Shown {
    #[serde(default)]
    secrets: bool,
}

pub(super) async fn list(
    State(api): State<Api>,
    Query(shown): Query<Shown>,
) -> Result<Body<Vec<Device>>, Refused> {
    let devices = api.store.devices().await?;
    Ok(Body(if shown.secrets { devices } else { devices.into_iter().map(Device::masked).collect() }))
}

pub(super) async fn show(
    State(api): State<Api>,
    Path(name): Path<String>,
    Query(shown): Query<Shown>,
) -> Result<Body<Device>, Refused> {
    let device = api.store.device(&name).await?;
    Ok(Body(if shown.secrets { device } else { device.masked() }))
}

pub(super) async fn add(State(api): State<Api>, Body(new): Body<NewDevices>) -> Result<Body<Added>, Refused> {
    if let Some(Problem { error, .. }) = problems(&api, &new.devices).await?.into_iter().next() {
        return Err(Refused::invalid(error, "correct it; nothing was added"));
    }
    let ids = api.store.add_devices(&new.devices).await?;
    api.handle.inventory_changed().await;
    Ok(Body(Added { ids }))
}

/// What would be wrong with adding these, all of it; adds nothing.
pub(super) async fn check(
    State(api): State<Api>,
    Body(new): Body<NewDevices>,
) -> Result<Body<Vec<Problem>>, Refused> {
    Ok(Body(problems(&api, &new.devices).await?))
}

/// What is wrong with these entries, at most one thing of each. Two names for one agent would let two runs at it.
async fn problems(api: &Api, entries: &[DeviceEntry]) -> Result<Vec<Problem>, Refused> {
    let known = api.store.devices().await?;
    let mut names: BTreeSet<&str> = known.iter().map(|device| device.entry.name.as_str()).collect();
    let mut agents: BTreeMap<SocketAddr, &str> =
        known.iter().map(|device| (device.entry.access.agent(), device.entry.name.as_str())).collect();
    let mut problems = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        let (name, agent) = (entry.name.as_str(), entry.access.agent());
        let error = problem(api, entry).or_else(|| {
            let taken = names.contains(name);
            taken.then(|| format!("there is already a device {name:?}; choose another name"))
        });
        let error = error.or_else(|| {
            let other = agents.get(&agent)?;
            Some(format!("device {name:?} is at {agent}, and so is {other:?}"))
        });
        names.insert(name);
        agents.entry(agent).or_insert(name);
        problems.extend(error.map(|error| Problem { index, error }));
    }
    Ok(problems)
}

pub(super) async fn change(
    State(api): State<Api>,
    Body(ChangedDevice { entry, replaced }): Body<ChangedDevice>,
) -> Result<Body<()>, Refused> {
    if let Some(error) = problem(&api, &entry) {
        return Err(Refused::invalid(error, "correct it; nothing was changed"));
    }
    let agent = entry.access.agent();
    let devices = api.store.devices().await?;
    let at_it = |device: &&Device| device.entry.access.agent() == agent && device.entry.name != entry.name;
    if let Some(other) = devices.iter().find(at_it) {
        let error = format!("device {:?} is at {agent} already", other.entry.name);
        return Err(Refused::conflict(error, "correct the address; nothing was changed"));
    }
    api.store.change_device(&entry, replaced).await?;
    api.handle.inventory_changed().await;
    Ok(Body(()))
}

pub(super) async fn remove(State(api): State<Api>, Path(name): Path<String>) -> Result<Body<()>, Refused> {
    api.store.remove_device(&name).await?;
    api.handle.inventory_changed().await;
    Ok(Body(()))
}

/// Looks at a device of the inventory and notes what it says it is, where that was not known.
pub(super) async fn probe_known(
    State(api): State<Api>,
    Path(name): Path<String>,
) -> Result<Body<Probed>, Refused> {
    let device = api.store.device(&name).await?;
    let probed = api.handle.probe(device.entry.access, device.entry.profile).await?;
    let mut changed = false;
    if let (None, Some(unique_id)) = (&device.unique_id, &probed.reading.unique_id) {
        api.store.note_unique_id(&name, unique_id).await?;
        changed = true;
    }
    // At its address may be another one, which speaks for itself alone.
    let is_it = device.unique_id.is_none() || device.unique_id == probed.reading.unique_id;
    if let Some(engine) =
        probed.engine_id.as_ref().filter(|engine| is_it && Some(*engine) != device.engine_id.as_ref())
    {
        api.store.note_engine_id(device.id, engine).await?;
        changed = true;
    }
    if changed {
        api.handle.inventory_changed().await;
    }
    Ok(Body(probed))
}

pub(super) async fn probe(
    State(api): State<Api>,
    Body(request): Body<ProbeRequest>,
) -> Result<Body<Probed>, Refused> {
    Ok(Body(api.handle.probe(request.access, request.profile).await?))
}

fn problem(api: &Api, entry: &DeviceEntry) -> Option<String> {
    if let Err(error) = entry.check() {
        return Some(error.to_string());
    }
    if api.catalogue.get(&entry.profile).is_none() {
        let known: Vec<_> = api.catalogue.all().map(|known| known.profile.name.as_str()).collect();
        let (name, profile) = (&entry.name, &entry.profile);
        let known = known.join(", ");
        return Some(format!("device {name:?}: there is no profile {profile:?}; there are: {known}"));
    }
    None
}
