//! What a device answers as: one file per family of MIBs. A personality shows a [`Device`](crate::device::Device) as the objects that
//! an SNMP agent reads and writes, and its notifications as events.

pub mod iad;
