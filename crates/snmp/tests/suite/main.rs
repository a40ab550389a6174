//! What the crate promises, as stories: one module per part.

mod byte_vectors;
mod manager;
mod round_trip;
mod samples;
