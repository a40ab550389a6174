//! The HTTP interface on the Unix socket: JSON, one file per resource. What goes on is streamed as lines of JSON.
//!
//! Who may open the socket may do everything: it is its owner's alone.

mod backups;
mod body;
mod credentials;
mod devices;
mod doctor;
mod files;
mod images;
mod lines;
mod northbound;
mod profiles;
mod refused;
mod runs;
mod socket;
mod traps;
mod watch;

use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::extract::State;
use axum::routing::{delete, get, post, put};
use tokio::net::UnixListener;

pub use self::body::Body;
pub use self::devices::{Added, ChangedDevice, NewDevices, ProbeRequest, Problem};
pub use self::doctor::{Check, Finding};
pub use self::images::NewImage;
pub use self::profiles::{ProfileSummary, ProfileText};
pub use self::refused::Refused;
pub use self::runs::{AnswerRequest, AnswerRun, Begun, StartRuns, Wanted};
pub use self::socket::{SocketError, bind};
use crate::daemon::clock::Clock;
use crate::daemon::{Handle, Status};
use crate::files::Files;
use crate::profiles::Catalogue;
use crate::seal::Key;
use crate::store::Store;

/// What the interface works with.
#[derive(Debug, Clone)]
pub struct Api {
    /// The daemon's loop.
    pub handle: Handle,
    /// What is remembered.
    pub store: Store,
    /// Files by digest.
    pub files: Files,
    /// The profiles.
    pub catalogue: Arc<Catalogue>,
    /// What seals secrets.
    pub key: Option<Arc<Key>>,
    /// The daemon's clock.
    pub clock: Clock,
    /// The data folder, for its disk space.
    pub data: PathBuf,
}

/// Bytes of a request in JSON: an import of a hundred thousand devices fits.
const MOST_JSON_BYTES: usize = 64 * 1024 * 1024;

/// All resources.
pub fn router(api: Api) -> Router {
    Router::new()
        .route("/status", get(status))
        .route("/doctor", get(doctor::examine))
        .route("/devices", get(devices::list).post(devices::add).put(devices::change))
        .route("/devices/check", post(devices::check))
        .route("/devices/{name}", get(devices::show).delete(devices::remove))
        .route("/devices/{name}/probe", post(devices::probe_known))
        .route("/probe", post(devices::probe))
        .route("/credentials", get(credentials::list).post(credentials::add))
        .route("/credentials/{name}", delete(credentials::remove))
        .route("/credentials/{name}/rotate", post(credentials::rotate))
        .route("/credentials/{name}/finish", post(credentials::finish))
        .route("/credentials/{name}/undo", post(credentials::undo))
        .route("/files", put(files::store))
        .route("/files/{digest}", get(files::fetch))
        .route("/images", get(images::list).post(images::add))
        .route("/images/{name}", get(images::show))
        .route("/runs", get(runs::list).post(runs::start))
        .route("/runs/watch", get(watch::watch))
        .route("/runs/{run}", get(runs::show))
        .route("/runs/{run}/stories", get(runs::stories))
        .route("/runs/{run}/events", get(runs::events))
        .route("/runs/{run}/answer", post(runs::answer))
        .route("/runs/{run}/cancel", post(runs::cancel))
        .route("/runs/{run}/forget", post(runs::forget))
        .route("/runs/{run}/stop-operation", post(runs::stop_operation))
        .route("/backups", get(backups::list))
        .route("/backups/{id}", get(backups::show))
        .route("/traps", get(traps::tail))
        .route("/northbound", get(northbound::list).post(northbound::add))
        .route("/northbound/{name}", get(northbound::show).delete(northbound::remove))
        .route("/northbound/{name}/test", post(northbound::test))
        .route("/profiles", get(profiles::list))
        .route("/profiles/{name}", get(profiles::show))
        .fallback(unknown)
        .layer(DefaultBodyLimit::max(MOST_JSON_BYTES))
        .with_state(api)
}

/// Answers requests until the future is dropped.
///
/// # Errors
///
/// The system takes no more connections.
pub async fn serve(listener: UnixListener, api: Api) -> std::io::Result<()> {
    axum::serve(listener, router(api)).await
}

async fn status(State(api): State<Api>) -> Result<Body<Status>, Refused> {
    Ok(Body(api.handle.status().await?))
}

async fn unknown(request: axum::extract::Request) -> Refused {
    let asked = format!("there is no resource {} {}", request.method(), request.uri().path());
    Refused::unknown(asked, "use the command line of the same version as the daemon")
}
