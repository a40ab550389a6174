//! The daemon: the loop that gives each part of the engine its sockets, commits, and then performs.

pub mod clock;
mod converter;
pub mod director;
mod handle;
mod part;
mod start;

pub use self::handle::{
    Command, Handle, Ports, Probed, Receiving, Refusal, RefusalCode, Reply, Status, Told, Trap, channel,
};
pub use self::part::PartError;
pub use self::start::{Running, StartError, start};
