//! Notifications: reading traps and INFORMs of every version as one thing, and building them (RFC 3416 sections 4.2.6
//! and 4.2.7, RFC 3584 section 3).

mod event;
mod received;
mod receiver;

pub use event::{Event, InexpressibleInV1, TrapV3, varbinds};
pub use received::{Notification, NotificationError, NotificationKind};
pub use receiver::{NotTaken, Received, Receiver, Why};

use crate::ObjectIdentifier;

/// `sysUpTime.0`, the first object of a notification: hundredths of a second since the device's management started.
pub const SYS_UP_TIME: ObjectIdentifier = ObjectIdentifier::new([1, 3, 6, 1, 2, 1, 1, 3, 0]);
/// `snmpTrapOID.0`, the second object of a notification: its name.
pub const SNMP_TRAP_OID: ObjectIdentifier = ObjectIdentifier::new([1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0]);
/// `snmpTrapEnterprise.0`, the enterprise of a trap that was translated from SNMPv1 (RFC 3584 section 3.1).
pub const SNMP_TRAP_ENTERPRISE: ObjectIdentifier = ObjectIdentifier::new([1, 3, 6, 1, 6, 3, 1, 1, 4, 3, 0]);
/// `snmpTrapAddress.0`, the agent's address in a trap that was forwarded (RFC 3584 section 3.1).
pub const SNMP_TRAP_ADDRESS: ObjectIdentifier = ObjectIdentifier::new([1, 3, 6, 1, 6, 3, 18, 1, 3, 0]);
/// `snmpTraps`: the standard notifications are its children.
pub const SNMP_TRAPS: ObjectIdentifier = ObjectIdentifier::new([1, 3, 6, 1, 6, 3, 1, 1, 5]);
/// `coldStart`: the device has started, perhaps with another configuration.
pub const COLD_START: ObjectIdentifier = ObjectIdentifier::new([1, 3, 6, 1, 6, 3, 1, 1, 5, 1]);
/// `warmStart`: the device has started, with the configuration as before.
pub const WARM_START: ObjectIdentifier = ObjectIdentifier::new([1, 3, 6, 1, 6, 3, 1, 1, 5, 2]);
