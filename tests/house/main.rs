//! The rules of the house that the compiler does not know: who may import whom, what pure code may name, and that the
//! MIB modules are flawless.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by a panic")]

mod arrows;
mod mibs;
mod purity;
