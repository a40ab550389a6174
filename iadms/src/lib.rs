//! Management system that upgrades access devices over SNMP, TFTP and FTP.

pub mod daemon;
pub mod files;
pub mod inventory;
pub mod profiles;
pub mod store;
