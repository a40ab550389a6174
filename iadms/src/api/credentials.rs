//! `/credentials`: as whom devices are asked by SNMPv3. Secrets go in, and none comes out.

use axum::extract::{Path, State};

use super::{Api, Body, Refused};
use crate::causes::with_causes;
use crate::credential::{Credential, NewCredential, SealedCredential, SealedUser};
use crate::daemon::{Refusal, RefusalCode};
use crate::seal::Key;

pub(super) async fn list(State(api): State<Api>) -> Result<Body<Vec<Credential>>, Refused> {
    Ok(Body(api.store.credentials().await?.into_iter().map(SealedCredential::shown).collect()))
}

pub(super) async fn add(State(api): State<Api>, Body(new): Body<NewCredential>) -> Result<Body<()>, Refused> {
    let user = sealed(&api, &new)?;
    api.store.add_credential(&new.name, &user).await?;
    api.handle.inventory_changed().await;
    Ok(Body(()))
}

/// Gives it new secrets. Those of before are taken as well until all devices have the new ones.
pub(super) async fn rotate(
    State(api): State<Api>,
    Path(name): Path<String>,
    Body(new): Body<NewCredential>,
) -> Result<Body<()>, Refused> {
    let new = NewCredential { name, ..new };
    let user = sealed(&api, &new)?;
    let known = api.store.credential(&new.name).await?;
    let key = key(&api)?;
    if known.users().any(|user| user.secrets.key == *key.id()) {
        api.store.rotate_credential(&new.name, &user).await?;
    } else {
        // Nobody can open what was there before.
        api.store.replace_credential(&new.name, &user).await?;
    }
    api.handle.inventory_changed().await;
    Ok(Body(()))
}

/// All devices have the new secrets.
pub(super) async fn finish(State(api): State<Api>, Path(name): Path<String>) -> Result<Body<()>, Refused> {
    api.store.finish_rotation(&name).await?;
    api.handle.inventory_changed().await;
    Ok(Body(()))
}

/// The secrets of before are in force again.
pub(super) async fn undo(State(api): State<Api>, Path(name): Path<String>) -> Result<Body<()>, Refused> {
    api.store.undo_rotation(&name).await?;
    api.handle.inventory_changed().await;
    Ok(Body(()))
}

pub(super) async fn remove(State(api): State<Api>, Path(name): Path<String>) -> Result<Body<()>, Refused> {
    api.store.remove_credential(&name).await?;
    api.handle.inventory_changed().await;
    Ok(Body(()))
}

fn sealed(api: &Api, new: &NewCredential) -> Result<SealedUser, Refused> {
    new.check().map_err(|error| Refused::invalid(error.to_string(), "correct it; nothing was stored"))?;
    new.sealed(key(api)?, api.clock.now()).map_err(|error| {
        Refused(Refusal::new(
            RefusalCode::Unavailable,
            with_causes(&error),
            "what is not sealed is not stored; check the system",
        ))
    })
}

fn key(api: &Api) -> Result<&Key, Refused> {
    api.key.as_deref().ok_or_else(|| {
        Refused(Refusal::new(
            RefusalCode::Unavailable,
            "the daemon has no key to keep secrets under",
            "make one with `iadms credential key FILE`, and start `iadms serve` with --key FILE",
        ))
    })
}
