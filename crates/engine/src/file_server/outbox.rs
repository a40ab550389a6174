//! What waits to be fetched by the shell: reports, storage messages and single error packets. Everything that
//! strangers can cause is bounded.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};

use upgrade::{RunId, TicketName};

use super::Port;
use super::message::{News, Report, ToStorage, TransferId};
use super::refusal::Refusal;

/// Refusals, and the errors that answer them, that may wait; more are only counted.
const MAX_REFUSALS: usize = 256;
/// Longest name of a refused request that is reported, in characters.
const MAX_NAME: usize = 64;

/// An error packet for somebody without a transfer.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) port: Port,
    pub(super) peer: SocketAddr,
    pub(super) local: Option<IpAddr>,
    pub(super) refusal: Refusal,
}

/// Whose news it is.
#[derive(Debug, Clone)]
pub(super) struct Owner {
    pub(super) name: TicketName,
    pub(super) run: RunId,
}

#[derive(Debug, Default)]
pub(super) struct Outbox {
    news: VecDeque<(Owner, News)>,
    /// The latest of each transfer.
    progress: BTreeMap<TransferId, (Owner, u64)>,
    refusals: VecDeque<Report>,
    refusals_uncounted: u64,
    replies: VecDeque<Reply>,
    storage: VecDeque<ToStorage>,
    stopped: VecDeque<TransferId>,
    leaves: VecDeque<(TransferId, usize)>,
}

impl Outbox {
    pub(super) fn report(&mut self, owner: Owner, news: News) {
        self.news.push_back((owner, news));
    }

    /// The latest wins, and none comes after the end of its transfer.
    pub(super) fn progress(&mut self, transfer: TransferId, owner: Owner, bytes: u64) {
        self.progress.insert(transfer, (owner, bytes));
    }

    pub(super) fn end(&mut self, transfer: TransferId, owner: Owner, news: News) {
        self.progress.remove(&transfer);
        self.report(owner, news);
    }

    pub(super) fn refuse(&mut self, name: Option<&str>, reply: Reply) {
        self.refused(reply.peer, name, reply.refusal);
        if self.replies.len() < MAX_REFUSALS {
            self.replies.push_back(reply);
        }
    }

    /// Reports a refusal that is answered elsewhere.
    pub(super) fn refused(&mut self, peer: SocketAddr, name: Option<&str>, reason: Refusal) {
        if self.refusals.len() < MAX_REFUSALS {
            let printable =
                |name: &str| name.chars().filter(|letter| !letter.is_control()).take(MAX_NAME).collect();
            self.refusals.push_back(Report::Refused { peer, name: name.map(printable), reason });
        } else {
            self.refusals_uncounted += 1;
        }
    }

    pub(super) fn ask_storage(&mut self, message: ToStorage) {
        self.storage.push_back(message);
    }

    /// Tells the FTP server to end a transfer.
    pub(super) fn stop(&mut self, transfer: TransferId) {
        self.stopped.push_back(transfer);
    }

    /// Tells the FTP server that a transfer may move so many bytes.
    pub(super) fn leave(&mut self, transfer: TransferId, bytes: usize) {
        self.leaves.push_back((transfer, bytes));
    }

    pub(super) fn next_report(&mut self) -> Option<Report> {
        let ticket = |(Owner { name, run }, news)| Report::Ticket { name, run, news };
        let progress = |(_, (owner, bytes))| ticket((owner, News::Progress { bytes }));
        self.news
            .pop_front()
            .map(ticket)
            .or_else(|| self.progress.pop_first().map(progress))
            .or_else(|| self.refusals.pop_front())
    }

    pub(super) fn next_storage(&mut self) -> Option<ToStorage> {
        self.storage.pop_front()
    }

    pub(super) fn next_reply(&mut self) -> Option<Reply> {
        self.replies.pop_front()
    }

    pub(super) fn next_stopped(&mut self) -> Option<TransferId> {
        self.stopped.pop_front()
    }

    pub(super) fn next_leave(&mut self) -> Option<(TransferId, usize)> {
        self.leaves.pop_front()
    }

    pub(super) fn refusals_uncounted(&self) -> u64 {
        self.refusals_uncounted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file_server::Cause;

    #[test]
    fn the_latest_progress_wins_and_none_comes_after_the_end() {
        let owner = Owner { name: TicketName("image1".to_owned()), run: RunId(1) };
        let report = |news| Some(Report::Ticket { name: owner.name.clone(), run: owner.run, news });
        let mut outbox = Outbox::default();
        outbox.progress(TransferId(1), owner.clone(), 5);
        outbox.progress(TransferId(1), owner.clone(), 9);
        assert_eq!(outbox.next_report(), report(News::Progress { bytes: 9 }));
        assert_eq!(outbox.next_report(), None);
        outbox.progress(TransferId(1), owner.clone(), 10);
        outbox.end(TransferId(1), owner.clone(), News::Failed { cause: Cause::Silent });
        assert_eq!(outbox.next_report(), report(News::Failed { cause: Cause::Silent }));
        assert_eq!(outbox.next_report(), None);
    }
}
