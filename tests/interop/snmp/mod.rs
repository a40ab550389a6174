//! SNMP against net-snmp.

mod manager;
mod notifications;
