//! SNMP against net-snmp.

mod asking;
mod manager;
mod notifications;

use snmp::ObjectIdentifier;

/// An object identifier as people write it.
fn oid(text: &str) -> ObjectIdentifier {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}
