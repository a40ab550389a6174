//! The two programs together: a real manager and simulated devices, over real sockets.
//!
//! Each test of a row of the requirements begins with the row's number.

mod laboratory;
mod upgrade;
