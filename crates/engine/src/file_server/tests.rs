//! The file server among devices, storage and a link, all in virtual time.

mod ftp;
mod limits;
mod push;
mod refusals;
mod storage;
mod transfers;
mod world;
