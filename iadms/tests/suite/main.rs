//! The manager's rooms, each by its public face.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests may fail like tests"
)]

mod files;
mod samples;
mod shared_store;
mod sqlite;
