//! SNMP, pure: messages, security, manager and agent sessions.
//!
//! Nothing here has a clock, a socket, randomness or storage: the time is an argument (`now`, since a fixed epoch of the
//! caller), datagrams are byte slices, seeds are inputs, and the same inputs give the same outputs.
//!
//! - [`Message`], [`Pdu`], [`VarBind`], [`Value`] and [`ObjectIdentifier`] are the messages (RFC 1157, 1901, 3412,
//!   3416); decoding borrows octets from the datagram, encoding appends to the caller's buffer.
//! - [`security`] is what a message carries around its PDU, and what of it can be handled.
//! - [`usm`] is the user-based security of SNMPv3: users, engines and their clocks.
//! - [`manager`] asks many agents over one socket.
//! - [`agent`] answers for devices.
//! - [`notification`] reads and builds traps and INFORMs.

mod ber;
mod error_status;
mod message;
mod object_identifier;
mod pdu;
mod trap_v1;
mod value;
mod varbind;

pub mod agent;
pub mod manager;
pub mod notification;
pub mod security;
pub mod usm;

pub use ber::DecodeError;
pub use error_status::ErrorStatus;
pub use message::{EncodeError, MAXIMUM_MESSAGE_SIZE, Message};
pub use object_identifier::{InvalidObjectIdentifier, MAXIMUM_ARCS, ObjectIdentifier};
pub use pdu::{Body, Operation, Pdu};
pub use security::{Security, Version};
pub use trap_v1::{GenericTrap, TrapV1};
pub use value::{Octets, Value, ValueKind};
pub use varbind::{MAXIMUM_VARBINDS, Question, VarBind};
