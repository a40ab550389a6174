//! The daemon: the loop that gives each part of the engine its sockets, commits, and then performs.

mod handle;

pub use self::handle::{
    Command, Handle, Ports, Receiving, Refusal, RefusalCode, Reply, Status, Told, Trap, channel,
};
