//! How many control connections there may be, and who has to leave when there are too many.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// All connections. Where there are as many as may be, the oldest of those that have not logged in makes room:
/// strangers who only hold connections keep no device out.
#[derive(Debug, Clone)]
pub(super) struct Guests {
    most: usize,
    inside: Arc<Mutex<Inside>>,
}

/// By number, which is their order. Dropping what is kept here sends a connection away.
#[derive(Debug, Default)]
struct Inside {
    last_number: u64,
    strangers: BTreeMap<u64, oneshot::Sender<()>>,
    logged_in: BTreeMap<u64, oneshot::Sender<()>>,
}

/// One connection. Dropped, it has ended.
#[derive(Debug)]
pub(super) struct Guest {
    number: u64,
    guests: Guests,
}

impl Guests {
    pub(super) fn new(most: usize) -> Self {
        Self { most, inside: Arc::default() }
    }

    /// Lets one in, with what tells it to leave again; none where all who are inside have logged in.
    pub(super) fn admit(&self) -> Option<(Guest, oneshot::Receiver<()>)> {
        let mut inside = self.inside();
        if inside.strangers.len() + inside.logged_in.len() >= self.most {
            inside.strangers.pop_first()?;
        }
        inside.last_number += 1;
        let number = inside.last_number;
        let (stay, leave) = oneshot::channel();
        inside.strangers.insert(number, stay);
        Some((Guest { number, guests: self.clone() }, leave))
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        // Each change is one insertion or removal: a panic elsewhere leaves nothing half done.
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Guest {
    /// From now on it is nobody's turn to send it away.
    pub(super) fn logged_in(&self) {
        let mut inside = self.guests.inside();
        if let Some(stay) = inside.strangers.remove(&self.number) {
            inside.logged_in.insert(self.number, stay);
        }
    }

    pub(super) fn is_stranger(&self) -> bool {
        !self.guests.inside().logged_in.contains_key(&self.number)
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut inside = self.guests.inside();
        inside.strangers.remove(&self.number);
        inside.logged_in.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::Guests;

    #[test]
    fn the_oldest_stranger_makes_room_and_a_device_never() {
        let guests = Guests::new(2);
        let (device, mut device_leaves) = guests.admit().unwrap();
        device.logged_in();
        let (_stranger, mut stranger_leaves) = guests.admit().unwrap();
        assert!(
            stranger_leaves
                .try_recv()
                .is_err_and(|open| open == tokio::sync::oneshot::error::TryRecvError::Empty)
        );
        let (other, _) = guests.admit().unwrap();
        assert!(
            stranger_leaves
                .try_recv()
                .is_err_and(|open| open != tokio::sync::oneshot::error::TryRecvError::Empty)
        );
        other.logged_in();
        assert!(guests.admit().is_none(), "both have logged in");
        assert!(
            device_leaves
                .try_recv()
                .is_err_and(|open| open == tokio::sync::oneshot::error::TryRecvError::Empty)
        );
        drop(device);
        assert!(guests.admit().is_some());
    }
}
