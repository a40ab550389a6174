//! What decisions in `docs/adr/` rest on, shown by what other people's packages do. When a test here fails after an
//! update, the package has changed, and the decision is worth another look.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by a panic")]

mod async_tftp;
