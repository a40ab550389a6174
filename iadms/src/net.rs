//! Sockets: each carries datagrams and messages to and from one pure part of the engine.

pub mod commander;
pub mod file_server;
pub mod ftp;
pub mod listener;
pub mod northbound;
pub mod sockets;
pub mod storage;
