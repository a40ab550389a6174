//! Simulated access devices for laboratories and tests.
fn main() {}
