//! Management system that upgrades access devices over SNMP, TFTP and FTP.
fn main() {}
