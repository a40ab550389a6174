//! What the crate promises, as stories: one module per part.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests may fail like tests"
)]

mod agent;
mod agent_set;
mod byte_vectors;
mod device;
mod manager;
mod notification;
mod other_decoders;
mod round_trip;
mod samples;
mod usm;
mod usm_notifications;
mod walk;
mod why_a_decoder_of_our_own;
