//! Batched UDP with source and destination addresses.
