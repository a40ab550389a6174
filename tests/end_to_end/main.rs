//! The two programs together: a real manager and simulated devices, over real sockets.
//!
//! Each test of a row of the requirements begins with the row's number; what is bad input begins with `bad`.
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

mod backup;
mod bad_input;
mod calls;
mod conversion;
mod drift;
mod evidence;
mod going_back;
mod identity;
mod killed;
mod laboratory;
mod power;
mod preflight;
mod profile;
mod questions;
mod restore;
mod setup;
mod stranger;
mod tickets;
mod trial;
mod upgrade;
