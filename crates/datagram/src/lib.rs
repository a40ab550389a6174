//! Batched UDP with source and destination addresses, for everyone with a socket.
//!
//! One [`Socket`] on a wildcard address serves any number of local addresses: each datagram tells which of them it
//! came to, and an answer goes out from there. Many datagrams are taken in one call into a [`Batch`] that is
//! used again and again; datagrams of equal size to one peer go out in one segmented call where the kernel can do
//! that, and those to many peers in one call from an [`Outbox`]. For Linux.

mod batch;
mod bind;
mod drops;
mod outbox;
mod socket;

pub use batch::{Batch, Received};
pub use bind::{BindError, SocketOptions};
pub use outbox::Outbox;
pub use socket::{Socket, Transmit};
