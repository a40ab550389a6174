//! `/backups`: what was saved of devices.

use axum::extract::{Path, Query, State};
use serde::Deserialize;

use super::{Api, Body, Refused};
use crate::store::Backup;

/// Which backups are listed.
#[derive(Debug, Deserialize)]
pub(super) struct Listed {
    device: Option<String>,
    most: Option<u32>,
}

/// Backups listed unless told otherwise.
const LISTED: u32 = 100;

pub(super) async fn list(
    State(api): State<Api>,
    Query(listed): Query<Listed>,
) -> Result<Body<Vec<Backup>>, Refused> {
    let device = match &listed.device {
        Some(name) => Some(api.store.device(name).await?.id),
        None => None,
    };
    Ok(Body(api.store.backups(device, listed.most.unwrap_or(LISTED)).await?))
}

pub(super) async fn show(State(api): State<Api>, Path(id): Path<u64>) -> Result<Body<Backup>, Refused> {
    Ok(Body(api.store.backup(id).await?))
}
