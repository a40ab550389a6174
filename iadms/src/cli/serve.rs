//! `iadms serve`: the daemon.

use std::io::{IsTerminal as _, stderr};
use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use super::{Exit, Failure, output};
use crate::api::{self, Api};
use crate::config::ServeOptions;
use crate::daemon::{self, Ports};

/// Run the daemon: it listens for notifications, serves files, carries out runs and answers the other commands
#[derive(Debug, Args)]
pub(super) struct Serve {
    #[command(flatten)]
    options: ServeOptions,
}

impl Serve {
    pub(super) async fn run(self, socket: Option<PathBuf>) -> Result<Exit, Failure> {
        let options = ServeOptions { socket, ..self.options };
        let wrong = |error| Failure::usage(error, "see `iadms serve --help`");
        options.check().map_err(wrong)?;
        let filter =
            EnvFilter::try_from_env("IADMS_LOG").unwrap_or_else(|_| EnvFilter::new("info,libunftp=warn"));
        // A second daemon in one process is a test's.
        let log = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(stderr().is_terminal());
        let _ = log.with_writer(stderr).try_init();
        let ends = |error: std::io::Error| Failure::of(&error, "this system gives no signals; report it");
        let mut terminate = signal(SignalKind::terminate()).map_err(ends)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(ends)?;

        let mut running = daemon::start(&options).await.map_err(|error| start_failure(&error, &options))?;
        let path = options.socket_path();
        let bound = api::bind(&path).await;
        let listener = bound.map_err(|error| Failure::of(&error, error.next()))?;
        let api = Api {
            handle: running.handle.clone(),
            store: running.store.clone(),
            files: running.files.clone(),
            catalogue: running.catalogue.clone(),
            key: running.key.clone(),
            clock: running.clock,
            data: options.data.clone(),
        };
        if options.ready {
            output::json_line(&ready(&running.ports, &path))?;
        }
        let ended = tokio::select! {
            served = api::serve(listener, api) => served.map_err(|error| Failure::of(&error, "start it again")),
            error = running.ended() => Err(Failure::of(&error, "start it again; runs go on where they stood")),
            _ = terminate.recv() => Ok(()),
            _ = interrupt.recv() => Ok(()),
        };
        // The socket of a daemon that ended would only mislead.
        let _ = std::fs::remove_file(&path);
        running.stop().await;
        ended.map(|()| Exit::Success)
    }
}

/// The line that says that all listen.
fn ready(ports: &Ports, socket: &std::path::Path) -> serde_json::Value {
    json!({
        "ready": true,
        "notifications": ports.notifications,
        "tftp": ports.tftp,
        "ftp": ports.ftp,
        "socket": socket,
    })
}

fn start_failure(error: &daemon::StartError, options: &ServeOptions) -> Failure {
    use daemon::StartError;
    let next = match error {
        StartError::Store(error) => return Failure::store(error),
        StartError::Catalogue(_) => "correct the profile; `iadms profile check FILE` checks one alone".into(),
        StartError::Files(_) => format!("check the rights and the disk of {}", options.data.display()),
        StartError::Bind(_) | StartError::Ftp(_) => {
            "end the program that has the port, give another one, or run with the right to take ports below 1024; \
             the options are --notifications, --tftp and --ftp"
                .into()
        }
        StartError::Key(error) => error.next().into(),
        StartError::NoKey { .. } | StartError::OtherKey { .. } => {
            "give its key: --key FILE; where it is lost, start with --lost-key, and give each credential new pass-phrases: \
             `iadms credential rotate NAME`"
                .into()
        }
        StartError::System(..) => "check the limits of the system".into(),
    };
    Failure::of(error, next)
}
