//! One TFTP transfer: a sender or a receiver, whose it is, and where its answers go.

use core::num::NonZeroU64;
use core::time::Duration;
use std::net::{IpAddr, SocketAddr};

use tftp::{Failure, Outcome, Packet, Receiver, Sender};
use upgrade::Digest;

use super::Port;
use super::links::LinkId;
use super::message::{Cause, News};
use super::outbox::Owner;
use super::pace::Share;

/// How often progress is reported.
const PROGRESS_EVERY: Duration = Duration::from_secs(1);
/// A transfer that moved, and whose device then was silent for so long, may be begun anew by it: the device lost
/// power or its link and asks again. Within this time a second request is a repetition, or is refused.
const TAKEOVER_SILENCE: Duration = Duration::from_secs(3);

/// For so long after its end a transfer still takes in what was under way, silently: an error for each packet would
/// tell nobody anything.
const LINGER: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(super) struct Session {
    pub(super) owner: Owner,
    pub(super) peer: SocketAddr,
    pub(super) local: Option<IpAddr>,
    pub(super) port: Port,
    pub(super) link: LinkId,
    pub(super) end: End,
    /// Why this side ended it, where it did.
    pub(super) cause: Option<Cause>,
    /// When its end was reported.
    pub(super) ended_at: Option<Duration>,
    /// It waits in the row of those that may have something to send.
    pub(super) queued: bool,
    /// The moment it is registered to be looked at again, or sooner than it has to be.
    pub(super) deadline: Option<Duration>,
    pub(super) share: Share,
    heard_at: Duration,
    progress_at: Duration,
    progress_bytes: u64,
}

/// Which way the bytes go.
#[derive(Debug)]
pub(super) enum End {
    /// The device reads a stored file.
    Sends { sender: Sender, file: Digest },
    /// The device writes; the digest comes from storage at the end.
    Receives { receiver: Receiver, stored: Option<Digest> },
}

impl Session {
    pub(super) fn new(
        owner: Owner,
        peer: SocketAddr,
        local: Option<IpAddr>,
        port: Port,
        link: LinkId,
        end: End,
        now: Duration,
    ) -> Self {
        Self {
            owner,
            peer,
            local,
            port,
            link,
            end,
            cause: None,
            ended_at: None,
            queued: false,
            deadline: None,
            share: Share::default(),
            heard_at: now,
            progress_at: now,
            progress_bytes: 0,
        }
    }

    pub(super) fn handle(&mut self, packet: &Packet<'_>, now: Duration) {
        self.heard_at = now;
        match &mut self.end {
            End::Sends { sender, .. } => sender.handle(packet, now),
            End::Receives { receiver, .. } => receiver.handle(packet, now),
        }
    }

    pub(super) fn fail(&mut self, failure: Failure) {
        match &mut self.end {
            End::Sends { sender, .. } => sender.fail(failure),
            End::Receives { receiver, .. } => receiver.fail(failure),
        }
    }

    /// What it has to send, unless it sent so much that it has to wait.
    pub(super) fn transmit(
        &mut self,
        rate: Option<NonZeroU64>,
        now: Duration,
        buffer: &mut Vec<u8>,
    ) -> Option<tftp::Transmit> {
        if self.share.free_at(now).is_some() {
            return None;
        }
        let sent = match &mut self.end {
            End::Sends { sender, .. } => sender.poll_transmit(now, buffer),
            End::Receives { receiver, .. } => receiver.poll_transmit(now, buffer),
        }?;
        self.share.take_turn(sent.length, rate, now);
        Some(sent)
    }

    pub(super) fn next_deadline(&self, now: Duration) -> Option<Duration> {
        let transfer = match &self.end {
            End::Sends { sender, .. } => sender.next_deadline(),
            End::Receives { receiver, .. } => receiver.next_deadline(),
        };
        let transfer = transfer.or(self.ended_at.map(|ended_at| ended_at.saturating_add(LINGER)));
        // What is due before it may send comes when it may.
        self.share.free_at(now).or(transfer)
    }

    /// Whether it can be forgotten.
    pub(super) fn is_over(&self, now: Duration) -> bool {
        let transfer_is_over = match &self.end {
            End::Sends { sender, .. } => sender.is_over(),
            End::Receives { receiver, .. } => receiver.is_over(),
        };
        transfer_is_over && self.ended_at.is_some_and(|ended_at| ended_at.saturating_add(LINGER) <= now)
    }

    pub(super) fn outcome(&self) -> Option<&Outcome> {
        match &self.end {
            End::Sends { sender, .. } => sender.outcome(),
            End::Receives { receiver, .. } => receiver.outcome(),
        }
    }

    /// Whether another request for its file repeats the one that began it, or comes while it moves.
    pub(super) fn is_alive(&self, now: Duration) -> bool {
        self.outcome().is_none() && self.bytes() > 0 && !self.is_silent(now)
    }

    /// Whether a request from its own port is the one that began it, sent once more.
    pub(super) fn takes_repetition(&self, now: Duration) -> bool {
        self.outcome().is_none() && (self.bytes() == 0 || !self.is_silent(now))
    }

    /// How it ended, as it is reported; none while it runs.
    pub(super) fn conclusion(&self) -> Option<News> {
        let news = match (self.outcome()?, &self.cause, &self.end) {
            (Ok(size), _, End::Sends { file, .. }) => News::Done { size: *size, sha256: *file },
            (Ok(size), _, End::Receives { stored: Some(sha256), .. }) => {
                News::Done { size: *size, sha256: *sha256 }
            }
            (Ok(_), _, End::Receives { stored: None, .. }) => {
                News::Failed { cause: Cause::Storage("stored without a digest".to_owned()) }
            }
            (Err(_), Some(cause), _) => News::Failed { cause: cause.clone() },
            (Err(failure), None, _) => News::Failed { cause: failure.into() },
        };
        Some(news)
    }

    /// Bytes so far, if they are news and the last news are old enough.
    pub(super) fn progress(&mut self, now: Duration) -> Option<u64> {
        let bytes = self.bytes();
        let due = bytes > self.progress_bytes && now >= self.progress_at.saturating_add(PROGRESS_EVERY);
        due.then(|| {
            self.progress_at = now;
            self.progress_bytes = bytes;
            bytes
        })
    }

    fn bytes(&self) -> u64 {
        match &self.end {
            End::Sends { sender, .. } => sender.acknowledged_bytes(),
            End::Receives { receiver, .. } => receiver.received_bytes(),
        }
    }

    fn is_silent(&self, now: Duration) -> bool {
        now.saturating_sub(self.heard_at) >= TAKEOVER_SILENCE
    }
}
