//! `/northbound`: who is told of runs.

use axum::extract::{Path, State};

use super::{Api, Body, Refused};
use crate::inventory::Community;
use crate::store::NorthboundTarget;

pub(super) async fn list(State(api): State<Api>) -> Result<Body<Vec<NorthboundTarget>>, Refused> {
    Ok(Body(api.store.targets().await?.into_iter().map(masked).collect()))
}

pub(super) async fn show(
    State(api): State<Api>,
    Path(name): Path<String>,
) -> Result<Body<NorthboundTarget>, Refused> {
    Ok(Body(masked(api.store.target(&name).await?)))
}

pub(super) async fn add(
    State(api): State<Api>,
    Body(target): Body<NorthboundTarget>,
) -> Result<Body<()>, Refused> {
    let refused = |error: crate::store::TargetError| Refused::invalid(error.to_string(), "correct it");
    target.check().map_err(refused)?;
    Ok(Body(api.store.add_target(&target).await?))
}

pub(super) async fn remove(State(api): State<Api>, Path(name): Path<String>) -> Result<Body<()>, Refused> {
    Ok(Body(api.store.remove_target(&name).await?))
}

pub(super) async fn test(State(api): State<Api>, Path(name): Path<String>) -> Result<Body<()>, Refused> {
    let target = api.store.target(&name).await?;
    Ok(Body(api.handle.test_northbound(target).await?))
}

fn masked(mut target: NorthboundTarget) -> NorthboundTarget {
    target.community = Community::masked();
    target
}
