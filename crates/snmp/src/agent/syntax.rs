//! What values an object takes, and which error a value that it does not take is answered with.

use std::ops::RangeInclusive;

use crate::{ErrorStatus, Value};

/// The values a writable object takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Syntax {
    /// Integer32 within a range.
    Integer(RangeInclusive<i32>),
    /// INTEGER with these named numbers.
    Enumeration(&'static [i32]),
    /// Unsigned32 or Gauge32 within a range.
    Unsigned(RangeInclusive<u32>),
    /// TimeTicks.
    TimeTicks,
    /// Any octets, as many as the range says.
    Octets(RangeInclusive<usize>),
    /// Text in UTF-8, as many octets as the range says.
    Text(RangeInclusive<usize>),
    /// An object identifier.
    ObjectIdentifier,
    /// An IPv4 address.
    IpAddress,
}

impl Syntax {
    /// Checks type, length and value, in the order of RFC 3416 section 4.2.5. (`wrongEncoding` cannot come up: a value whose
    /// encoding is wrong makes the whole message unreadable.)
    ///
    /// # Errors
    /// `wrongType`, `wrongLength` or `wrongValue`.
    pub fn check(&self, value: &Value) -> Result<(), ErrorStatus> {
        let in_range = |taken: bool| if taken { Ok(()) } else { Err(ErrorStatus::WrongValue) };
        match (self, value) {
            (Syntax::Integer(range), Value::Integer(value)) => in_range(range.contains(value)),
            (Syntax::Enumeration(numbers), Value::Integer(value)) => in_range(numbers.contains(value)),
            (Syntax::Unsigned(range), Value::Gauge32(value)) => in_range(range.contains(value)),
            (Syntax::Octets(range) | Syntax::Text(range), Value::OctetString(octets)) => {
                if !range.contains(&octets.len()) {
                    return Err(ErrorStatus::WrongLength);
                }
                in_range(matches!(self, Syntax::Octets(_)) || value.as_text().is_some())
            }
            (Syntax::TimeTicks, Value::TimeTicks(_))
            | (Syntax::ObjectIdentifier, Value::ObjectIdentifier(_))
            | (Syntax::IpAddress, Value::IpAddress(_)) => Ok(()),
            _ => Err(ErrorStatus::WrongType),
        }
    }
}
