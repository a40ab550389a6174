//! Our protocols against foreign implementations: net-snmp, tftp-hpa, atftp, curl, async-tftp.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by a panic")]

mod asking;
mod file_server;
mod files;
mod lab;
mod manager;
mod simulator;
mod snmp;
mod tftp_core;
