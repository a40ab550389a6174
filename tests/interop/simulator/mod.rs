//! A simulated device with foreign managers, file servers and receivers of notifications.

mod by_hand;
mod transfers;
