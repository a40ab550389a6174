//! Simulated access devices for laboratories and tests.

pub mod device;
pub mod fault;
pub mod personality;
