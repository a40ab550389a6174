//! The two programs as an operator meets them: processes that are started, killed and started again, and driven by their
//! command lines alone.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by a panic")]

mod bad_input;
mod bad_start;
mod credentials;
mod daily;
mod database;
mod disk;
mod file_clients;
mod garbage;
mod idle;
mod kill_matrix;
mod killed;
mod laboratory;
mod link;
mod northbound;
mod notifications;
mod power_failure;
mod prompt;
mod scenarios;
mod translation;
mod waiting;
