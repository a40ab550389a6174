//! The TFTP core as a client of foreign servers, with nothing around it but a socket: as a simulated device uses it.

mod client;
mod drive;
