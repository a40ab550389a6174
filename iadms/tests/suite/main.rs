//! The manager's rooms, each by its public face.

mod files;
mod samples;
mod shared_store;
mod sqlite;
