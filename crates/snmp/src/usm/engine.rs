//! SNMP engines: their ids (RFC 3411 section 5, `SnmpEngineID`) and the time they tell.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// The shortest and the longest id of an engine, in octets (RFC 3411 section 5).
const LENGTHS: std::ops::RangeInclusive<usize> = 5..=32;

/// The highest count of starts and of seconds: an engine that gets there needs new keys (RFC 3414 section 2.2.2).
pub(super) const LATCHED: u32 = i32::MAX as u32;

/// The id of an engine, five to 32 octets that no other engine has.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EngineId {
    octets: [u8; 32],
    length: u8,
}

/// Octets are no id of an engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the id of an engine has 5 to 32 octets, not all of them 0 or 255")]
pub struct InvalidEngineId;

impl EngineId {
    /// The id with these octets.
    ///
    /// # Errors
    /// There are fewer than five or more than 32, or they are all zero or all 255 (RFC 3411 section 5).
    pub fn new(octets: &[u8]) -> Result<EngineId, InvalidEngineId> {
        let all = |octet| octets.iter().all(|one| *one == octet);
        if !LENGTHS.contains(&octets.len()) || all(0) || all(u8::MAX) {
            return Err(InvalidEngineId);
        }
        let mut padded = [0; 32];
        padded.iter_mut().zip(octets).for_each(|(place, octet)| *place = *octet);
        let length = u8::try_from(octets.len()).map_err(|_| InvalidEngineId)?;
        Ok(EngineId { octets: padded, length })
    }

    /// The id of an engine under an enterprise's number, from octets of its own (RFC 3411 section 5, format 5): as many of
    /// them as there is room for, 27.
    pub fn of_enterprise(enterprise: u32, own: &[u8]) -> EngineId {
        EngineId::formatted(enterprise, 5, own)
    }

    /// The same from a text of its own (format 4).
    pub fn of_text(enterprise: u32, own: &str) -> EngineId {
        EngineId::formatted(enterprise, 4, own.as_bytes())
    }

    fn formatted(enterprise: u32, format: u8, own: &[u8]) -> EngineId {
        let head = (enterprise | 1 << 31).to_be_bytes();
        let mut octets = [0; 32];
        let whole = head.iter().chain([&format]).chain(own);
        let length = octets.iter_mut().zip(whole).map(|(place, octet)| *place = *octet).count();
        EngineId { octets, length: u8::try_from(length).unwrap_or(32) }
    }
}

impl AsRef<[u8]> for EngineId {
    fn as_ref(&self) -> &[u8] {
        self.octets.get(..usize::from(self.length)).unwrap_or(&self.octets)
    }
}

/// In hexadecimal digits, as net-snmp writes it behind `0x`.
impl fmt::Display for EngineId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_ref().iter().try_for_each(|octet| write!(formatter, "{octet:02x}"))
    }
}

/// As it is displayed.
impl FromStr for EngineId {
    type Err = InvalidEngineId;

    fn from_str(text: &str) -> Result<Self, InvalidEngineId> {
        let digits = text.as_bytes().chunks(2).map(|pair| {
            let pair = std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2)?;
            u8::from_str_radix(pair, 16).ok().filter(|_| pair.bytes().all(|digit| digit.is_ascii_hexdigit()))
        });
        Self::new(&digits.collect::<Option<Vec<u8>>>().ok_or(InvalidEngineId)?)
    }
}

impl fmt::Debug for EngineId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "EngineId({self})")
    }
}

/// What an engine's clock shows (RFC 3414 section 2.2.2).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct EngineTime {
    /// `snmpEngineBoots`: how often it started, 0 to 2^31 - 1.
    pub boots: u32,
    /// `snmpEngineTime`: seconds since then, 0 to 2^31 - 1.
    pub time: u32,
}

impl EngineTime {
    /// What the clock of an engine shows that started for the `boots`th time so long ago. Where the seconds run over it
    /// counts as started once more; the count of starts stays at its end once it is there.
    pub fn after(boots: u32, uptime: Duration) -> EngineTime {
        let rounds = u64::from(LATCHED) + 1;
        let over = u32::try_from(uptime.as_secs() / rounds).unwrap_or(LATCHED);
        let time = (uptime.as_secs() % rounds) as u32;
        EngineTime { boots: boots.saturating_add(over).min(LATCHED), time }
    }

    pub(crate) fn is_valid(self) -> bool {
        self.boots <= LATCHED && self.time <= LATCHED
    }
}
