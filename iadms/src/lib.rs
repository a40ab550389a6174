//! Management system that upgrades access devices over SNMP, TFTP and FTP.

pub mod api;
pub mod causes;
pub mod cli;
pub mod config;
pub mod copy;
pub mod credential;
pub mod daemon;
pub mod files;
pub mod inventory;
pub mod net;
pub mod profiles;
pub mod seal;
pub mod soundness;
pub mod store;
