//! When each of any number of devices is due next.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

/// At most one deadline for each device, by its place or its address.
#[derive(Debug)]
pub(crate) struct Timers<K> {
    due: BTreeSet<(Duration, K)>,
    armed: BTreeMap<K, Duration>,
}

impl<K> Default for Timers<K> {
    fn default() -> Self {
        Self { due: BTreeSet::new(), armed: BTreeMap::new() }
    }
}

impl<K: Ord + Copy> Timers<K> {
    /// Sets or clears the deadline of a device.
    pub(crate) fn arm(&mut self, device: K, deadline: Option<Duration>) {
        let before = match deadline {
            Some(deadline) => self.armed.insert(device, deadline),
            None => self.armed.remove(&device),
        };
        if before == deadline {
            return;
        }
        if let Some(before) = before {
            self.due.remove(&(before, device));
        }
        if let Some(deadline) = deadline {
            self.due.insert((deadline, device));
        }
    }

    /// The first deadline.
    pub(crate) fn next(&self) -> Option<Duration> {
        self.due.first().map(|(deadline, _)| *deadline)
    }

    /// A device that is due by now; its deadline is cleared.
    pub(crate) fn pop(&mut self, now: Duration) -> Option<K> {
        let (_, device) = self.due.first().copied().filter(|(deadline, _)| *deadline <= now)?;
        self.arm(device, None);
        Some(device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_come_in_the_order_of_their_last_deadlines() {
        let at = Duration::from_secs;
        let mut timers = Timers::default();
        timers.arm(0, Some(at(3)));
        timers.arm(2, Some(at(1)));
        timers.arm(1, Some(at(2)));
        timers.arm(2, Some(at(4)));
        timers.arm(1, None);
        assert_eq!(timers.next(), Some(at(3)));
        assert_eq!(timers.pop(at(2)), None);
        assert_eq!(timers.pop(at(9)), Some(0));
        assert_eq!(timers.pop(at(9)), Some(2));
        assert_eq!((timers.pop(at(9)), timers.next()), (None, None));
    }
}
