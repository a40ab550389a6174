//! TFTP: packets, options, sender, receiver (RFC 1350, 2347, 2348, 2349, 7440).
//!
//! Pure: no socket, no clock, no file system. The time is a `Duration` since any fixed moment, storage is
//! messages ([`Need`], [`Chunk`], [`Write`]), and packets are byte slices. [`Sender`] and [`Receiver`] each carry
//! one transfer and know no addresses: whoever owns them tells transfers apart by the peer.
//!
//! | | reads a file | writes a file |
//! |---|---|---|
//! | client | [`Receiver::request`] | [`Sender::request`] |
//! | server | [`Sender::answer`] | [`Receiver::answer`] |
//!
//! The owner gives each packet to `handle`, then calls `poll_transmit` until it has nothing to send, again at
//! `next_deadline`, until `is_over`. What became of the transfer is its `outcome`.

pub mod netascii;
mod opening;
pub mod options;
pub mod outcome;
pub mod packet;
pub mod receiver;
pub mod sender;
mod text;
pub mod timing;
pub mod transmit;

pub use options::{Limits, OptionList, Options};
pub use outcome::{Failure, Outcome};
pub use packet::{DATA_HEADER, DecodeError, Direction, ErrorCode, Mode, Packet, Request};
pub use receiver::{Receiver, Write};
pub use sender::{Chunk, Need, Sender};
pub use timing::Timing;
pub use transmit::{MAX_BURST_BYTES, MAX_BURST_SEGMENTS, Transmit};
