//! What tests of the whole have in common: foreign programs, processes and their output, loopback addresses of their
//! own, and MIB modules laid out for other people's tools.
//!
//! Everything here is for tests: what does not work panics, with what was seen until then.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by a panic")]

pub mod loopback;
pub mod mibs;
pub mod net_snmp;
pub mod peers;
pub mod process;
pub mod programs;
pub mod tftp_client;
pub mod tftpd;
