//! The deterministic world: the whole system, manager and devices, in one process on virtual time, from one seed.
//!
//! The manager's parts (director, commander, listener, file server), the SNMP and TFTP cores and the device models are the
//! real ones. The world carries datagrams and messages between them, late, twice or never; cuts power, kills the
//! manager, fills its disk; and checks after each event that nothing was lost. The same seed gives the same story to the
//! byte: no threads, no sockets, no clock.

mod desk;
mod devices;
mod forger;
mod ftp;
mod images;
mod invariants;
mod manager;
mod network;
mod parts;
mod plan;
mod queue;
mod random;
mod reference;
mod rival;
mod secured;
mod shrink;
mod stage;
mod store;
mod tally;
mod trouble;
mod turns;
mod unit;
mod world;

pub use images::Quality;
pub use invariants::Violation;
pub use plan::{
    Cut, DevicePlan, Errand, Meanwhile, Plan, Reaction, Trouble, UnknownTrouble, Wanted, Weights,
};
pub use random::Random;
pub use shrink::shrink;
pub use stage::{Nothing, Stage};
pub use tally::Tally;
pub use world::{Verdict, run};
