//! SNMP against net-snmp.

mod manager;
mod notifications;
mod v3;
