//! The parts of the manager: director, commander, listener, file server, and the messages between them.
//!
//! Pure: datagrams, messages, storage's answers and the time come in; datagrams and messages go out. A daemon
//! carries them between threads and sockets; a test may carry them on virtual time.

pub mod access;
pub mod commander;
pub mod datagram;
pub mod director;
pub mod file_server;
pub mod listener;
pub mod northbound;

pub use access::Access;
pub use commander::Commander;
pub use director::Director;
pub use file_server::FileServer;
pub use listener::Listener;
