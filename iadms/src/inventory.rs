//! What the manager knows of each device before it asks it: its name, how it is reached, its profile.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};
use upgrade::{DeviceId, Protocol};

/// The UDP port of an SNMP agent (RFC 3417 section 3.1).
pub const SNMP_PORT: u16 = 161;

/// A device in the inventory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Its number, which stays.
    pub id: DeviceId,
    /// What an operator said of it.
    #[serde(flatten)]
    pub entry: DeviceEntry,
    /// What tells it from all others, as it said itself; none before the first probe or run.
    pub unique_id: Option<String>,
    /// The engine that speaks for it in SNMPv3 (RFC 3411 section 3.1.1.1), as it has proven itself, in hexadecimal digits; none
    /// before it did.
    #[serde(default)]
    pub engine_id: Option<String>,
}

/// What an operator says of a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceEntry {
    /// Its name; unique.
    pub name: String,
    /// How it is reached.
    pub access: Access,
    /// The name of the profile that describes its kind.
    pub profile: String,
    /// How it transfers files unless a run says otherwise; none: as its profile says, else by TFTP.
    #[serde(default)]
    pub protocol: Option<Protocol>,
    /// Words to choose devices by.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

/// How a device is reached by SNMP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Access {
    /// Its address.
    pub address: IpAddr,
    /// The UDP port of its agent.
    #[serde(default = "snmp_port")]
    pub port: u16,
    /// The version it is spoken to in.
    #[serde(default)]
    pub version: SnmpVersion,
    /// The community it is read with; empty in SNMPv3.
    #[serde(default)]
    pub read_community: Community,
    /// The community it is commanded with; empty in SNMPv3.
    #[serde(default)]
    pub write_community: Community,
    /// The name of the credential by which it is asked; none but in SNMPv3.
    #[serde(default)]
    pub credential: Option<String>,
}

impl Access {
    /// Where its agent listens.
    pub const fn agent(&self) -> SocketAddr {
        SocketAddr::new(self.address.to_canonical(), self.port)
    }

    /// What the version gives up, in one line; of SNMPv3 its credential tells.
    pub const fn gives_up(&self) -> Option<&'static str> {
        match self.version {
            SnmpVersion::V1 => Some(
                "SNMPv1: anybody on the way can read its communities, and command the device with them; SNMPv3 with a credential \
                 gives up nothing",
            ),
            SnmpVersion::V2c => Some(
                "SNMPv2c: anybody on the way can read its communities, and command the device with them; SNMPv3 with a \
                 credential gives up nothing",
            ),
            SnmpVersion::V3 => None,
        }
    }
}

const fn snmp_port() -> u16 {
    SNMP_PORT
}

/// A version of SNMP.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SnmpVersion {
    /// RFC 1157.
    V1,
    /// RFC 1901.
    #[default]
    V2c,
    /// RFC 3410, with the user-based security model.
    V3,
}

impl fmt::Display for SnmpVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::V1 => "v1",
            Self::V2c => "v2c",
            Self::V3 => "v3",
        })
    }
}

/// An SNMP community: a secret, which logs and debug output never show.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Community(pub String);

impl Community {
    /// What stands where a secret is not shown.
    pub const MASK: &'static str = "********";

    /// The same length for all, and no letter of it.
    pub fn masked() -> Self {
        Self(Self::MASK.to_owned())
    }
}

impl fmt::Debug for Community {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(Self::MASK)
    }
}

/// What is wrong with a device's entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// A name that cannot be typed or would be taken for an option.
    #[error(
        "the device name {0:?} will not do: 1 to 64 letters, digits, '.', '_' or '-' were expected, the first a letter or digit"
    )]
    Name(String),
    /// An address that stands for no single device.
    #[error("the address {0} of device {1:?} is no device's")]
    Address(IpAddr, String),
    /// Port 0.
    #[error("the SNMP port of device {0:?} is 0; 1 to 65535 was expected")]
    Port(String),
    /// A community that no message can carry.
    #[error("the {which} community of device {name:?} will not do: 1 to 255 characters were expected")]
    Community {
        /// Read or write.
        which: &'static str,
        /// The device.
        name: String,
    },
    /// SNMPv3 without anybody to ask as.
    #[error(
        "device {0:?} is spoken to in SNMPv3: the name of a credential was expected; see `iadms credential list`"
    )]
    NoCredential(String),
    /// What its version does not have.
    #[error("device {name:?} is spoken to in SNMP{version}, which has no {what}")]
    Needless {
        /// The device.
        name: String,
        /// Its version.
        version: SnmpVersion,
        /// `credentials` or `communities`.
        what: &'static str,
    },
}

impl DeviceEntry {
    /// Checks what the form alone cannot.
    ///
    /// # Errors
    ///
    /// The first field that will not do.
    pub fn check(&self) -> Result<(), EntryError> {
        if !is_name(&self.name) {
            return Err(EntryError::Name(self.name.clone()));
        }
        let address = self.access.address;
        let broadcast = matches!(address, IpAddr::V4(v4) if v4.is_broadcast());
        if address.is_unspecified() || address.is_multicast() || broadcast {
            return Err(EntryError::Address(address, self.name.clone()));
        }
        if self.access.port == 0 {
            return Err(EntryError::Port(self.name.clone()));
        }
        let needless =
            |what| Err(EntryError::Needless { name: self.name.clone(), version: self.access.version, what });
        let communities = [("read", &self.access.read_community), ("write", &self.access.write_community)];
        if self.access.version == SnmpVersion::V3 {
            return match (&self.access.credential, communities.iter().any(|(_, all)| !all.0.is_empty())) {
                (_, true) => needless("communities"),
                (None, _) => Err(EntryError::NoCredential(self.name.clone())),
                (Some(_), false) => Ok(()),
            };
        }
        for (which, community) in communities {
            if !(1..=255).contains(&community.0.len()) {
                return Err(EntryError::Community { which, name: self.name.clone() });
            }
        }
        if self.access.credential.is_some() { needless("credentials") } else { Ok(()) }
    }
}

impl Device {
    /// The same without its secrets.
    #[must_use]
    pub fn masked(mut self) -> Self {
        if self.entry.access.version != SnmpVersion::V3 {
            self.entry.access.read_community = Community::masked();
            self.entry.access.write_community = Community::masked();
        }
        self
    }
}

/// Whether operators can use `text` as the name of a device, an image or a target.
pub fn is_name(text: &str) -> bool {
    let allowed = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-');
    text.chars().count() <= 64
        && text.chars().all(allowed)
        && text.chars().next().is_some_and(char::is_alphanumeric)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> DeviceEntry {
        DeviceEntry {
            name: "iad-1".into(),
            access: Access {
                address: [192, 0, 2, 1].into(),
                port: SNMP_PORT,
                version: SnmpVersion::V2c,
                read_community: Community("public".into()),
                write_community: Community("private".into()),
                credential: None,
            },
            profile: "iad".into(),
            protocol: None,
            labels: BTreeMap::new(),
        }
    }

    #[test]
    fn entries_that_no_device_can_have_are_refused() {
        assert_eq!(entry().check(), Ok(()));
        let changed = |change: &dyn Fn(&mut DeviceEntry)| {
            let mut changed = entry();
            change(&mut changed);
            changed.check().unwrap_err().to_string()
        };
        assert!(changed(&|e| e.name = "--force".into()).contains("--force"));
        assert!(changed(&|e| e.name = "a b".into()).contains("a b"));
        assert!(changed(&|e| e.access.address = [0, 0, 0, 0].into()).contains("0.0.0.0"));
        assert!(changed(&|e| e.access.port = 0).contains("port"));
        assert!(changed(&|e| e.access.write_community.0.clear()).contains("write community"));
        assert!(changed(&|e| e.access.credential = Some("north".into())).contains("no credentials"));
        assert!(changed(&|e| e.access.version = SnmpVersion::V3).contains("no communities"));
        let v3 = |credential: Option<&str>| {
            let mut v3 = entry();
            let (version, credential) = (SnmpVersion::V3, credential.map(str::to_owned));
            let access = Access { version, credential, ..v3.access };
            v3.access = Access {
                read_community: Community::default(),
                write_community: Community::default(),
                ..access
            };
            v3.check()
        };
        assert_eq!(v3(Some("north")), Ok(()));
        assert_eq!(v3(None), Err(EntryError::NoCredential("iad-1".into())));
    }

    #[test]
    fn a_community_is_never_shown_by_accident() {
        assert!(!format!("{:?}", entry()).contains("private"));
        let device = Device { id: DeviceId(1), entry: entry(), unique_id: None, engine_id: None };
        assert!(!serde_json::to_string(&device.masked()).unwrap().contains("private"));
    }
}
