//! The figure of a run, played against a small device on virtual time: each part works, fails, and outlives a manager
//! that is killed.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod device;
mod world;

mod activation;
mod backup;
mod by_itself;
mod calls;
mod cancelling;
mod copied;
mod download;
mod examined;
mod forged;
mod going_back;
mod hindered;
mod lasting;
mod left;
mod on_trial;
mod other_goals;
mod others;
mod policies;
mod preflight;
mod pushed;
mod random;
mod restore;
mod same_version;
mod torn;
