//! One transfer under way: what may end it, how far it is told to be, and that its end is told once.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use engine::file_server::{Cause, FtpGrant, FtpOutcome};
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;
use unftp_core::storage::{Error, ErrorKind};
use upgrade::{Direction, RunId};

use super::connection::{Connection, Line};
use super::desk::{Beginning, Denied, FtpCall};

/// Bytes that go between the disk and a connection at once.
pub(super) const PIECE_BYTES: usize = 256 * 1024;

/// How often progress is told.
const TOLD_EVERY: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Transfer {
    connection: Arc<Connection>,
    grant: FtpGrant,
    stop: oneshot::Receiver<()>,
    line: watch::Receiver<Line>,
    told_at: Instant,
    /// Bytes that may move, where something limits how fast they do.
    leave: usize,
    is_ended: bool,
}

impl Transfer {
    /// Begins, if the desk gives leave.
    pub(super) async fn begin(
        connection: &Arc<Connection>,
        run: RunId,
        name: &str,
        direction: Direction,
    ) -> Result<Self, Denied> {
        let (name, address) = (name.to_owned(), connection.peer());
        let (stop, stopped) = oneshot::channel();
        let call = |reply| FtpCall::Begin(Beginning { run, name, address, direction, stop, reply });
        let grant = connection.ask(call).await?;
        connection.service().transfers.send_modify(|under_way| *under_way += 1);
        Ok(Self {
            connection: Arc::clone(connection),
            grant,
            stop: stopped,
            line: connection.line(),
            told_at: Instant::now(),
            leave: 0,
            is_ended: false,
        })
    }

    pub(super) const fn grant(&self) -> &FtpGrant {
        &self.grant
    }

    /// How many of so many bytes may move now; waits until some may.
    pub(super) async fn may_move(&mut self, bytes: usize) -> Result<usize, Cause> {
        if !self.grant.is_paced {
            return Ok(bytes);
        }
        if self.leave == 0 {
            let (reply, leave) = oneshot::channel();
            let ask = FtpCall::Ask { transfer: self.grant.transfer, bytes, reply };
            let connection = Arc::clone(&self.connection);
            let asked = async move {
                connection.service().desk.send(ask).await.ok()?;
                leave.await.ok()
            };
            // A desk that is gone, or has forgotten the transfer, waits for no file.
            self.leave = self.unless_over(asked).await?.ok_or(Cause::Withdrawn)?;
        }
        Ok(self.leave.min(bytes))
    }

    /// So many bytes have moved.
    pub(super) const fn moved(&mut self, bytes: usize) {
        self.leave = self.leave.saturating_sub(bytes);
    }

    /// Moves bytes, unless the transfer has to end before any has moved.
    pub(super) async fn moving<T>(&mut self, bytes: impl Future<Output = io::Result<T>>) -> Result<T, Cause> {
        let limit = self.connection.service().settings.stall_limit;
        match self.unless_over(tokio::time::timeout(limit, bytes)).await? {
            Ok(Ok(moved)) => Ok(moved),
            Ok(Err(error)) => Err(Cause::Device(format!("its data connection broke: {error}"))),
            Err(_) => Err(Cause::Silent),
        }
    }

    async fn unless_over<T>(&mut self, done: impl Future<Output = T>) -> Result<T, Cause> {
        tokio::select! {
            // What ends the transfer counts before bytes, and before their end.
            biased;
            // Fired or dropped: nobody waits for this file any more.
            _ = &mut self.stop => Err(Cause::Withdrawn),
            line = self.line.wait_for(|line| *line != Line::Open) => Err(line.map_or(Line::Lost, |line| *line).cause()),
            done = done => Ok(done),
        }
    }

    /// Whether the control connection is still there to tell the end on.
    pub(super) fn confirmable(&self) -> Result<(), Cause> {
        match *self.line.borrow() {
            Line::Open => Ok(()),
            gone => Err(gone.cause()),
        }
    }

    /// Tells how far it is, now and then.
    pub(super) fn progress(&mut self, bytes: u64) {
        if self.told_at.elapsed() >= TOLD_EVERY {
            self.told_at = Instant::now();
            // A desk that is too busy hears the next one.
            let _ = self
                .connection
                .service()
                .desk
                .try_send(FtpCall::Progress { transfer: self.grant.transfer, bytes });
        }
    }

    /// Tells how it ended, and the reply for the device: bytes of the file, or the error.
    pub(super) async fn end(mut self, outcome: FtpOutcome) -> Result<u64, Error> {
        self.is_ended = true;
        let transfer = self.grant.transfer;
        let reply = match &outcome {
            Ok((size, _)) => Ok(*size),
            Err(cause) => {
                tracing::debug!(%transfer, %cause, "a transfer by FTP ended without the file");
                Err(Error::new(reply_to(cause), cause.clone()))
            }
        };
        match self.connection.service().desk.send(FtpCall::End { transfer, outcome }).await {
            Ok(()) => reply,
            Err(_) => Err(Denied::NobodyThere.into()),
        }
    }
}

impl Drop for Transfer {
    fn drop(&mut self) {
        let service = self.connection.service();
        if !self.is_ended {
            // Cut off with its task; a desk that is gone or full by then has forgotten it or will see it expire.
            let cause = Cause::Storage("the transfer was cut off".to_owned());
            let end = FtpCall::End { transfer: self.grant.transfer, outcome: Err(cause) };
            let _ = service.desk.try_send(end);
        }
        service.transfers.send_modify(|under_way| *under_way -= 1);
    }
}

/// The kind of reply for a transfer that failed (RFC 959 section 4.2): 552, 452, 451 or 426.
fn reply_to(cause: &Cause) -> ErrorKind {
    match cause {
        Cause::TooLarge { .. } => ErrorKind::ExceededStorageAllocationError,
        Cause::NoRoom => ErrorKind::InsufficientStorageSpaceError,
        Cause::Storage(_) => ErrorKind::LocalError,
        Cause::Device(_)
        | Cause::Silent
        | Cause::Unconfirmed
        | Cause::Protocol(_)
        | Cause::Replaced
        | Cause::Expired
        | Cause::Withdrawn => ErrorKind::ConnectionClosed,
    }
}
