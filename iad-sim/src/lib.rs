//! Simulated access devices for laboratories and tests.
