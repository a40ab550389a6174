//! Links that are thinner than the manager's own, each by the addresses of the devices behind it. Transfers over one link take turns
//! among themselves, and the links take turns with each other; one that has had its bytes is passed over until the next may go.

use core::num::NonZeroU64;
use core::time::Duration;
use std::collections::{BTreeSet, VecDeque};
use std::net::IpAddr;

use ipnet::IpNet;

use super::message::TransferId;
use super::pace::{Pace, most_transfers};

/// A link, and the most that goes over it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// The addresses of the devices behind it. Of several networks that hold an address the smallest is its link.
    pub network: IpNet,
    /// Bytes of TFTP packets, and of files by FTP, each second.
    pub rate: NonZeroU64,
}

/// One of the links, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LinkId(usize);

/// All links, and the transfers over each that may have something to send.
#[derive(Debug)]
pub(super) struct Links {
    /// The last one is of all devices that are behind no link.
    rows: Vec<Row>,
    /// Links that have transfers, in turn.
    ready: VecDeque<LinkId>,
    /// Links that have transfers and have had their bytes, and until when.
    blocked: BTreeSet<(Duration, LinkId)>,
}

#[derive(Debug, Default)]
struct Row {
    link: Option<Link>,
    pace: Pace,
    transfers: VecDeque<TransferId>,
    /// It is among those that are ready or blocked.
    listed: bool,
    /// Transfers over it that have not ended.
    active: usize,
}

impl Links {
    pub(super) fn new(links: &[Link]) -> Self {
        let mut rows: Vec<Row> =
            links.iter().map(|link| Row { link: Some(*link), ..Row::default() }).collect();
        rows.sort_by_key(|row| row.link.map(|link| core::cmp::Reverse(link.network.prefix_len())));
        rows.push(Row::default());
        Self { rows, ready: VecDeque::new(), blocked: BTreeSet::new() }
    }

    /// The link of the device with this address.
    pub(super) fn of(&self, address: IpAddr) -> LinkId {
        let address = address.to_canonical();
        let holds = |row: &Row| row.link.is_none_or(|link| link.network.contains(&address));
        LinkId(self.rows.iter().position(holds).unwrap_or(self.rows.len()))
    }

    /// Bytes a second of a link, where that is limited.
    pub(super) fn rate(&self, link: LinkId) -> Option<NonZeroU64> {
        Some(self.rows.get(link.0)?.link?.rate)
    }

    /// Whether one more transfer may begin over it.
    pub(super) fn has_room(&self, link: LinkId) -> bool {
        self.rows.get(link.0).is_none_or(|row| row.active < most_transfers(row.link.map(|link| link.rate)))
    }

    /// A transfer over it has begun.
    pub(super) fn begun(&mut self, link: LinkId) {
        if let Some(row) = self.rows.get_mut(link.0) {
            row.active += 1;
        }
    }

    /// It has ended.
    pub(super) fn ended(&mut self, link: LinkId) {
        if let Some(row) = self.rows.get_mut(link.0) {
            row.active = row.active.saturating_sub(1);
        }
    }

    /// A transfer may have something to send.
    pub(super) fn push(&mut self, link: LinkId, transfer: TransferId) {
        let Some(row) = self.rows.get_mut(link.0) else { return };
        row.transfers.push_back(transfer);
        if !std::mem::replace(&mut row.listed, true) {
            self.ready.push_back(link);
        }
    }

    /// Whose turn it is.
    pub(super) fn pop(&mut self, now: Duration) -> Option<TransferId> {
        while let Some(&(until, link)) = self.blocked.first()
            && until <= now
        {
            self.blocked.pop_first();
            self.ready.push_back(link);
        }
        while let Some(link) = self.ready.pop_front() {
            let Some(row) = self.rows.get_mut(link.0) else { continue };
            if let Some(until) = row.pace.free_at(now) {
                self.blocked.insert((until, link));
                continue;
            }
            let Some(transfer) = row.transfers.pop_front() else {
                row.listed = false;
                continue;
            };
            self.ready.push_back(link);
            return Some(transfer);
        }
        None
    }

    /// Bytes go over it.
    pub(super) fn spend(&mut self, link: LinkId, bytes: usize, now: Duration) {
        if let Some(row) = self.rows.get_mut(link.0) {
            row.pace.spend(bytes, row.link.map(|link| link.rate), now);
        }
    }

    /// When it is some transfer's turn; none where no transfer has anything to send.
    pub(super) fn next(&self) -> Option<Duration> {
        let is_waiting = |link: &LinkId| self.rows.get(link.0).is_some_and(|row| !row.transfers.is_empty());
        let ready = self.ready.iter().any(is_waiting).then_some(Duration::ZERO);
        ready.or_else(|| self.blocked.first().map(|(until, _)| *until))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links() -> Links {
        let link = |network: &str, rate| Link {
            network: network.parse().unwrap(),
            rate: NonZeroU64::new(rate).unwrap(),
        };
        Links::new(&[link("10.0.0.0/8", 1_000_000), link("10.1.0.0/16", 50_000), link("2001:db8::/32", 8192)])
    }

    #[test]
    fn a_device_is_behind_the_smallest_network_that_holds_its_address() {
        let links = links();
        let rate = |address: &str| links.rate(links.of(address.parse().unwrap())).map(NonZeroU64::get);
        assert_eq!(rate("10.1.2.3"), Some(50_000));
        assert_eq!(rate("::ffff:10.1.2.3"), Some(50_000));
        assert_eq!(rate("10.2.2.3"), Some(1_000_000));
        assert_eq!(rate("2001:db8::1"), Some(8192));
        assert_eq!((rate("192.0.2.1"), rate("::1")), (None, None));
    }

    #[test]
    fn links_take_turns_and_one_that_had_its_bytes_is_passed_over() {
        let (mut links, now) = (links(), Duration::from_secs(100));
        let [thin, other, none] =
            ["10.1.0.1", "10.2.0.1", "192.0.2.1"].map(|address| links.of(address.parse().unwrap()));
        assert_eq!(links.next(), None);
        for (link, transfers) in [(thin, 1..=3), (other, 4..=5), (none, 6..=7)] {
            transfers.for_each(|number| links.push(link, TransferId(number)));
        }
        let order: Vec<_> = (0..3).map_while(|_| links.pop(now)).map(|transfer| transfer.0).collect();
        assert_eq!(order, [1, 4, 6]);
        links.spend(thin, 10_000, now);
        let rest: Vec<_> = std::iter::from_fn(|| links.pop(now)).map(|transfer| transfer.0).collect();
        assert_eq!(rest, [5, 7]);
        // It is made up for 50 ms that were not used.
        let until = now + Duration::from_millis(150);
        assert_eq!(links.next(), Some(until));
        assert_eq!(links.pop(until).map(|transfer| transfer.0), Some(2));
        assert_eq!(
            (links.next(), links.pop(until).map(|transfer| transfer.0)),
            (Some(Duration::ZERO), Some(3))
        );
        assert_eq!((links.pop(until), links.next()), (None, None));
    }

    #[test]
    fn so_many_transfers_go_over_a_link_as_each_has_a_share_worth_having() {
        let mut links = links();
        let thin = links.of("2001:db8::1".parse().unwrap());
        for _ in 0..2 {
            assert!(links.has_room(thin));
            links.begun(thin);
        }
        assert!(!links.has_room(thin));
        links.ended(thin);
        assert!(links.has_room(thin));
    }
}
