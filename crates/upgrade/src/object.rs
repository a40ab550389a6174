//! Managed objects and their values, as far as the decisions need them: named by object identifiers
//! (RFC 2578 section 3.5), free of any encoding.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// An object identifier: at most 128 numbers (RFC 2578 section 3.5). Copies share them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Oid(Arc<[u32]>);

/// What stands there is no object identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an object identifier is numbers with dots between them, such as 1.3.6.1.2.1.1.3.0, not {0:?}")]
pub struct NotAnOid(String);

impl Oid {
    /// The most numbers an object identifier may have (RFC 2578 section 3.5).
    pub const MOST_NUMBERS: usize = 128;

    /// The identifier of these numbers.
    pub fn new(numbers: impl Into<Arc<[u32]>>) -> Self {
        Self(numbers.into())
    }

    /// The numbers, first to last.
    pub fn numbers(&self) -> &[u32] {
        &self.0
    }

    /// This identifier with more numbers behind it: an instance of an object.
    pub fn instance(&self, suffix: &[u32]) -> Self {
        Self([self.numbers(), suffix].concat().into())
    }

    /// What stands behind `prefix`, where this begins with it.
    pub fn behind(&self, prefix: &Self) -> Option<&[u32]> {
        self.0.strip_prefix(prefix.numbers())
    }
}

impl FromStr for Oid {
    type Err = NotAnOid;

    fn from_str(text: &str) -> Result<Self, NotAnOid> {
        let refused = || NotAnOid(text.chars().take(80).collect());
        let numbers: Result<Vec<u32>, _> =
            text.trim_start_matches('.').split('.').map(|part| part.parse().map_err(|_| refused())).collect();
        let numbers = numbers?;
        if (2..=Self::MOST_NUMBERS).contains(&numbers.len()) {
            Ok(Self(numbers.into()))
        } else {
            Err(refused())
        }
    }
}

impl TryFrom<String> for Oid {
    type Error = NotAnOid;

    fn try_from(text: String) -> Result<Self, NotAnOid> {
        text.parse()
    }
}

impl From<Oid> for String {
    fn from(oid: Oid) -> Self {
        oid.to_string()
    }
}

impl fmt::Display for Oid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, number) in self.0.iter().enumerate() {
            let dot = if position == 0 { "" } else { "." };
            write!(formatter, "{dot}{number}")?;
        }
        Ok(())
    }
}

/// The value of an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Value {
    /// INTEGER, Integer32.
    Integer(i32),
    /// Unsigned32, Gauge32.
    Unsigned(u32),
    /// Counter32, Counter64.
    Counter(u64),
    /// TimeTicks: hundredths of a second.
    Ticks(u32),
    /// OCTET STRING, BITS.
    Octets(Vec<u8>),
    /// OBJECT IDENTIFIER.
    Oid(Oid),
    /// IpAddress.
    Address([u8; 4]),
    /// The device has no such object or instance.
    Absent,
}

impl Value {
    /// The number, where it is one.
    pub fn number(&self) -> Option<i64> {
        match self {
            Self::Integer(number) => Some(i64::from(*number)),
            Self::Unsigned(number) | Self::Ticks(number) => Some(i64::from(*number)),
            Self::Counter(number) => i64::try_from(*number).ok(),
            Self::Octets(_) | Self::Oid(_) | Self::Address(_) | Self::Absent => None,
        }
    }

    /// The octets, where it has some.
    pub fn octets(&self) -> Option<&[u8]> {
        match self {
            Self::Octets(octets) => Some(octets),
            _ => None,
        }
    }

    /// The octets as text; what is no UTF-8, and what would break or steer a line of it, is replaced.
    pub fn text(&self) -> Option<String> {
        let text = String::from_utf8_lossy(self.octets()?);
        if !text.contains(char::is_control) {
            return Some(text.into_owned());
        }
        Some(text.replace(char::is_control, "\u{fffd}"))
    }
}

/// How an object's value is written to a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Syntax {
    /// INTEGER, Integer32.
    Integer,
    /// Unsigned32, Gauge32.
    Unsigned,
    /// Counter32, Counter64; only read.
    Counter,
    /// TimeTicks.
    Ticks,
    /// Text in an OCTET STRING.
    Text,
    /// Octets that are no text, such as digests; written from hexadecimal digits.
    Octets,
    /// BITS (RFC 2578 section 7.1.4); only read.
    Bits,
    /// OBJECT IDENTIFIER.
    Oid,
    /// IpAddress.
    Address,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_reads_what_it_writes() {
        let uptime: Oid = ".1.3.6.1.2.1.1.3.0".parse().unwrap();
        assert_eq!(uptime.to_string(), "1.3.6.1.2.1.1.3.0");
        assert_eq!(uptime.behind(&"1.3.6.1.2.1.1".parse().unwrap()), Some(&[3, 0][..]));
        for wrong in ["", "1", "1..3", "1.-3", "sysUpTime.0", "1.3.4294967296"] {
            assert!(wrong.parse::<Oid>().is_err(), "{wrong}");
        }
    }
}
