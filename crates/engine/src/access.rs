//! How a device is spoken to by SNMP, and the values of both languages: the decisions' and the wire's.

use core::time::Duration;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use snmp::manager::{Principal, Target};
use snmp::usm::{EngineId, User};
use snmp::{ObjectIdentifier, Octets, Security};
use upgrade::{Oid, Value};

/// How a device is spoken to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// Where its agent listens.
    pub address: SocketAddr,
    /// The version.
    pub version: Version,
    /// The community that may read.
    pub read_community: String,
    /// The community that may write.
    pub write_community: String,
    /// The name of the credential with the user of SNMPv3; the commander knows what is secret of it.
    pub credential: Option<String>,
    /// The engine that has proven to speak for it (RFC 3411 section 3.1.1.1).
    pub engine: Option<EngineId>,
    /// For one answer, milliseconds.
    pub answer_ms: u32,
    /// Repeats of an unanswered read.
    pub repeats: u32,
}

/// The version of SNMP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// SNMPv1 (RFC 1157).
    V1,
    /// SNMPv2c (RFC 1901).
    V2c,
    /// SNMPv3 (RFC 3410).
    V3,
}

/// The users of SNMPv3 as whom devices are asked, by the names of their credentials. While one is rotated it has two: the one
/// with the new secrets first, then the one with those of before, which some devices have still.
pub type Credentials = BTreeMap<String, Arc<[Arc<User>]>>;

/// A device is asked by SNMPv3 as a user whom nobody knows here, or whose secrets cannot be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no credential {0:?} that can be opened")]
pub struct UnknownCredential(pub String);

impl Access {
    /// As whom it is asked, most wanted first; in SNMPv1 and v2c by the community that reads.
    pub(crate) fn reading(&self, credentials: &Credentials) -> Result<Vec<Principal>, UnknownCredential> {
        self.principals(&self.read_community, credentials)
    }

    /// The same with the community that writes.
    pub(crate) fn writing(&self, credentials: &Credentials) -> Result<Vec<Principal>, UnknownCredential> {
        self.principals(&self.write_community, credentials)
    }

    fn principals(
        &self,
        community: &str,
        credentials: &Credentials,
    ) -> Result<Vec<Principal>, UnknownCredential> {
        Ok(match self.version {
            Version::V1 => vec![Security::v1(community).into()],
            Version::V2c => vec![Security::v2c(community).into()],
            Version::V3 => {
                let name = self.credential.as_deref().unwrap_or_default();
                let users = credentials.get(name).ok_or_else(|| UnknownCredential(name.to_owned()))?;
                users.iter().map(Arc::clone).map(Principal::User).collect()
            }
        })
    }

    pub(crate) fn target(&self, principal: Principal) -> Target {
        Target {
            address: self.address,
            principal,
            timeout: Duration::from_millis(u64::from(self.answer_ms)),
            retries: self.repeats,
        }
    }
}

/// The identifier on the wire; none where it is longer than SNMP allows.
pub fn to_wire_name(oid: &Oid) -> Option<ObjectIdentifier> {
    ObjectIdentifier::from_arcs(oid.numbers()).ok()
}

/// The identifier in the language of the decisions.
pub fn from_wire_name(name: &ObjectIdentifier) -> Oid {
    Oid::new(name.arcs())
}

/// The value on the wire.
pub(crate) fn to_wire(value: &Value) -> Option<snmp::Value> {
    Some(match value {
        Value::Integer(number) => snmp::Value::Integer(*number),
        Value::Unsigned(number) => snmp::Value::Gauge32(*number),
        Value::Counter(number) => snmp::Value::Counter64(*number),
        Value::Ticks(ticks) => snmp::Value::TimeTicks(*ticks),
        Value::Octets(octets) => snmp::Value::OctetString(octets.clone()),
        Value::Oid(oid) => snmp::Value::ObjectIdentifier(to_wire_name(oid)?),
        Value::Address(address) => snmp::Value::IpAddress(Ipv4Addr::from(*address)),
        Value::Absent => snmp::Value::Null,
    })
}

/// The value in the language of the decisions; what has no value there is absent.
pub fn from_wire<B: Octets>(value: snmp::Value<B>) -> Value {
    match value {
        snmp::Value::Integer(number) => Value::Integer(number),
        snmp::Value::OctetString(octets) | snmp::Value::Opaque(octets) => Value::Octets(octets.into()),
        snmp::Value::ObjectIdentifier(name) => Value::Oid(from_wire_name(&name)),
        snmp::Value::IpAddress(address) => Value::Address(address.octets()),
        snmp::Value::Counter32(number) => Value::Counter(u64::from(number)),
        snmp::Value::Counter64(number) => Value::Counter(number),
        snmp::Value::Gauge32(number) => Value::Unsigned(number),
        snmp::Value::TimeTicks(ticks) => Value::Ticks(ticks),
        snmp::Value::Null
        | snmp::Value::NoSuchObject
        | snmp::Value::NoSuchInstance
        | snmp::Value::EndOfMibView => Value::Absent,
    }
}
