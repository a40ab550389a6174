//! What everything on one control connection shares.

use std::net::IpAddr;
use std::sync::Arc;

use engine::file_server::{Cause, Refusal};
use tokio::sync::{oneshot, watch};
use upgrade::RunId;

use super::Service;
use super::desk::{Denied, FtpCall};
use super::guests::Guest;

/// What everything on one control connection shares.
#[derive(Debug)]
pub(super) struct Connection {
    service: Arc<Service>,
    peer: IpAddr,
    guest: Guest,
    line: watch::Sender<Line>,
}

/// Whether the control connection lasts. Without it no transfer goes on (RFC 959 section 3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    /// It does.
    Open,
    /// The device has closed or lost it.
    Lost,
    /// We close it.
    Closed,
}

impl Line {
    /// Why a transfer ends with it.
    pub(super) fn cause(self) -> Cause {
        match self {
            Self::Open | Self::Lost => Cause::Device("its control connection is gone".to_owned()),
            Self::Closed => Cause::Storage("the FTP server closes the connection".to_owned()),
        }
    }
}

impl Connection {
    pub(super) fn new(service: Arc<Service>, peer: IpAddr, guest: Guest) -> Self {
        Self { service, peer, guest, line: watch::Sender::new(Line::Open) }
    }

    /// Whether it has not logged in yet.
    pub(super) fn is_strange(&self) -> bool {
        self.guest.is_stranger()
    }

    /// The control connection ended, this way.
    pub(super) fn end(&self, line: Line) {
        self.line.send_replace(line);
    }

    pub(super) fn service(&self) -> &Service {
        &self.service
    }

    pub(super) fn peer(&self) -> IpAddr {
        self.peer
    }

    /// Sees the control connection end.
    pub(super) fn line(&self) -> watch::Receiver<Line> {
        self.line.subscribe()
    }

    /// Asks the desk whether somebody may log in.
    pub(super) async fn log_in(&self, user: &str, password: &str) -> Result<RunId, Denied> {
        let (user, password) = (user.to_owned(), password.to_owned());
        let run = self.ask(|reply| FtpCall::Login { user, password, address: self.peer, reply }).await?;
        self.guest.logged_in();
        Ok(run)
    }

    /// Asks the desk, and waits for its answer.
    pub(super) async fn ask<T>(
        &self,
        call: impl FnOnce(oneshot::Sender<Result<T, Refusal>>) -> FtpCall,
    ) -> Result<T, Denied> {
        let (reply, answer) = oneshot::channel();
        self.service.desk.send(call(reply)).await.map_err(|_| Denied::NobodyThere)?;
        Ok(answer.await.map_err(|_| Denied::NobodyThere)??)
    }
}
