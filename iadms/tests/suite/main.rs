//! The manager's rooms, each by its public face.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests may fail like tests"
)]

mod api;
mod command_line;
mod copy;
mod files;
mod program;
mod samples;
mod shared_store;
mod soundness;
mod sqlite;
mod torn;
