//! When each device is due next, for any number of devices.

use core::time::Duration;
use std::collections::BTreeSet;

/// At most one deadline for each device.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    due: BTreeSet<(Duration, usize)>,
    armed: Vec<Option<Duration>>,
}

impl Timers {
    /// Sets or clears the deadline of a device.
    pub(crate) fn arm(&mut self, device: usize, deadline: Option<Duration>) {
        if self.armed.len() <= device {
            self.armed.resize(device + 1, None);
        }
        let Some(armed) = self.armed.get_mut(device) else { return };
        if *armed == deadline {
            return;
        }
        if let Some(before) = std::mem::replace(armed, deadline) {
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
    pub(crate) fn pop(&mut self, now: Duration) -> Option<usize> {
        let (deadline, device) = self.due.first().copied().filter(|(deadline, _)| *deadline <= now)?;
        self.due.remove(&(deadline, device));
        if let Some(armed) = self.armed.get_mut(device) {
            *armed = None;
        }
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
