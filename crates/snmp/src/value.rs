//! Values of variable bindings: the types of SMIv2 (RFC 2578 section 7.1) and the exceptions of RFC 3416 section 3.

use std::fmt;
use std::net::Ipv4Addr;

use crate::ObjectIdentifier;
use crate::ber::{
    DecodeError, Writer, element_length, integer_length, integer32, object_identifier,
    object_identifier_length, tag, unsigned_length, unsigned32, unsigned64,
};

/// Octets of a message: owned (`Vec<u8>`), or borrowed from the datagram (`&[u8]`).
pub trait Octets: AsRef<[u8]> + Into<Vec<u8>> + Clone + fmt::Debug {}

impl<B: AsRef<[u8]> + Into<Vec<u8>> + Clone + fmt::Debug> Octets for B {}

/// A value, owning its octets or, as `Value<&[u8]>`, borrowing them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value<B = Vec<u8>> {
    /// INTEGER and Integer32.
    Integer(i32),
    /// OCTET STRING and BITS; empty is not the same as [`Null`](Value::Null).
    OctetString(B),
    /// No value: what requests for reading carry.
    Null,
    /// OBJECT IDENTIFIER.
    ObjectIdentifier(ObjectIdentifier),
    /// IpAddress, IPv4 only.
    IpAddress(Ipv4Addr),
    /// Counter32.
    Counter32(u32),
    /// Gauge32 and Unsigned32, which look the same on the wire.
    Gauge32(u32),
    /// TimeTicks, hundredths of a second.
    TimeTicks(u32),
    /// Opaque: BER of something else, as it is.
    Opaque(B),
    /// Counter64; SNMPv1 does not have it.
    Counter64(u64),
    /// The agent has no such object (RFC 3416 section 4.2.1).
    NoSuchObject,
    /// The agent has the object, but not this instance.
    NoSuchInstance,
    /// No object follows (RFC 3416 section 4.2.2).
    EndOfMibView,
}

/// The type of a [`Value`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "each is the type of the variant of `Value` with its name")]
pub enum ValueKind {
    Integer,
    OctetString,
    Null,
    ObjectIdentifier,
    IpAddress,
    Counter32,
    Gauge32,
    TimeTicks,
    Opaque,
    Counter64,
    NoSuchObject,
    NoSuchInstance,
    EndOfMibView,
}

impl<B> Value<B> {
    /// The type of the value.
    pub fn kind(&self) -> ValueKind {
        match self {
            Value::Integer(_) => ValueKind::Integer,
            Value::OctetString(_) => ValueKind::OctetString,
            Value::Null => ValueKind::Null,
            Value::ObjectIdentifier(_) => ValueKind::ObjectIdentifier,
            Value::IpAddress(_) => ValueKind::IpAddress,
            Value::Counter32(_) => ValueKind::Counter32,
            Value::Gauge32(_) => ValueKind::Gauge32,
            Value::TimeTicks(_) => ValueKind::TimeTicks,
            Value::Opaque(_) => ValueKind::Opaque,
            Value::Counter64(_) => ValueKind::Counter64,
            Value::NoSuchObject => ValueKind::NoSuchObject,
            Value::NoSuchInstance => ValueKind::NoSuchInstance,
            Value::EndOfMibView => ValueKind::EndOfMibView,
        }
    }

    /// Whether this stands for "nothing there": `NoSuchObject`, `NoSuchInstance` or `EndOfMibView`.
    pub fn is_exception(&self) -> bool {
        matches!(self, Value::NoSuchObject | Value::NoSuchInstance | Value::EndOfMibView)
    }

    /// Whether SNMPv1 has it (RFC 3584 section 4.2.2): it has no exceptions, and no counters of 64 bits.
    pub(crate) fn is_of_v1(&self) -> bool {
        !self.is_exception() && !matches!(self, Value::Counter64(_))
    }

    /// The number, if the value is one of any type.
    pub fn as_number(&self) -> Option<i128> {
        match self {
            Value::Integer(value) => Some(i128::from(*value)),
            Value::Counter32(value) | Value::Gauge32(value) | Value::TimeTicks(value) => {
                Some(i128::from(*value))
            }
            Value::Counter64(value) => Some(i128::from(*value)),
            _ => None,
        }
    }

    /// The object identifier, if the value is one.
    pub fn as_object_identifier(&self) -> Option<&ObjectIdentifier> {
        match self {
            Value::ObjectIdentifier(name) => Some(name),
            _ => None,
        }
    }
}

impl<B: Octets> Value<B> {
    /// The octets of an OCTET STRING or Opaque.
    pub fn as_octets(&self) -> Option<&[u8]> {
        match self {
            Value::OctetString(octets) | Value::Opaque(octets) => Some(octets.as_ref()),
            _ => None,
        }
    }

    /// The text of an OCTET STRING that is UTF-8.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Value::OctetString(octets) => std::str::from_utf8(octets.as_ref()).ok(),
            _ => None,
        }
    }

    /// The same value with octets of its own.
    pub fn into_owned(self) -> Value {
        match self {
            Value::Integer(value) => Value::Integer(value),
            Value::OctetString(octets) => Value::OctetString(octets.into()),
            Value::Null => Value::Null,
            Value::ObjectIdentifier(name) => Value::ObjectIdentifier(name),
            Value::IpAddress(address) => Value::IpAddress(address),
            Value::Counter32(value) => Value::Counter32(value),
            Value::Gauge32(value) => Value::Gauge32(value),
            Value::TimeTicks(value) => Value::TimeTicks(value),
            Value::Opaque(octets) => Value::Opaque(octets.into()),
            Value::Counter64(value) => Value::Counter64(value),
            Value::NoSuchObject => Value::NoSuchObject,
            Value::NoSuchInstance => Value::NoSuchInstance,
            Value::EndOfMibView => Value::EndOfMibView,
        }
    }

    /// Bytes the value takes in a message.
    pub fn encoded_length(&self) -> usize {
        element_length(match self {
            Value::Integer(value) => integer_length(*value),
            Value::OctetString(octets) | Value::Opaque(octets) => octets.as_ref().len(),
            Value::ObjectIdentifier(name) => object_identifier_length(name),
            Value::IpAddress(_) => 4,
            Value::Counter32(value) | Value::Gauge32(value) | Value::TimeTicks(value) => {
                unsigned_length(u64::from(*value))
            }
            Value::Counter64(value) => unsigned_length(*value),
            Value::Null | Value::NoSuchObject | Value::NoSuchInstance | Value::EndOfMibView => 0,
        })
    }

    pub(crate) fn write(&self, writer: &mut Writer<'_>) {
        match self {
            Value::Integer(value) => writer.integer(*value),
            Value::OctetString(octets) => writer.octets(tag::OCTET_STRING, octets.as_ref()),
            Value::Null => writer.octets(tag::NULL, &[]),
            Value::ObjectIdentifier(name) => writer.object_identifier(name),
            Value::IpAddress(address) => writer.octets(tag::IP_ADDRESS, &address.octets()),
            Value::Counter32(value) => writer.unsigned(tag::COUNTER32, u64::from(*value)),
            Value::Gauge32(value) => writer.unsigned(tag::GAUGE32, u64::from(*value)),
            Value::TimeTicks(value) => writer.unsigned(tag::TIME_TICKS, u64::from(*value)),
            Value::Opaque(octets) => writer.octets(tag::OPAQUE, octets.as_ref()),
            Value::Counter64(value) => writer.unsigned(tag::COUNTER64, *value),
            Value::NoSuchObject => writer.octets(tag::NO_SUCH_OBJECT, &[]),
            Value::NoSuchInstance => writer.octets(tag::NO_SUCH_INSTANCE, &[]),
            Value::EndOfMibView => writer.octets(tag::END_OF_MIB_VIEW, &[]),
        }
    }
}

impl<'a> Value<&'a [u8]> {
    /// Reads the content of an element with this tag.
    pub(crate) fn read(tag: u8, content: &'a [u8]) -> Result<Self, DecodeError> {
        let without_content = |value| if content.is_empty() { Ok(value) } else { Err(DecodeError::Content) };
        match tag {
            tag::INTEGER => integer32(content).map(Value::Integer),
            tag::OCTET_STRING => Ok(Value::OctetString(content)),
            tag::NULL => without_content(Value::Null),
            tag::OBJECT_IDENTIFIER => object_identifier(content).map(Value::ObjectIdentifier),
            tag::IP_ADDRESS => {
                let octets = <[u8; 4]>::try_from(content).map_err(|_| DecodeError::IpAddress)?;
                Ok(Value::IpAddress(Ipv4Addr::from(octets)))
            }
            tag::COUNTER32 => unsigned32(content).map(Value::Counter32),
            tag::GAUGE32 | tag::UINTEGER32 => unsigned32(content).map(Value::Gauge32),
            tag::TIME_TICKS => unsigned32(content).map(Value::TimeTicks),
            tag::OPAQUE => Ok(Value::Opaque(content)),
            tag::COUNTER64 => unsigned64(content).map(Value::Counter64),
            tag::NO_SUCH_OBJECT => without_content(Value::NoSuchObject),
            tag::NO_SUCH_INSTANCE => without_content(Value::NoSuchInstance),
            tag::END_OF_MIB_VIEW => without_content(Value::EndOfMibView),
            _ => Err(DecodeError::UnknownTag),
        }
    }
}

impl From<i32> for Value {
    fn from(value: i32) -> Self {
        Value::Integer(value)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::OctetString(text.as_bytes().to_vec())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Value::OctetString(text.into_bytes())
    }
}

impl From<ObjectIdentifier> for Value {
    fn from(name: ObjectIdentifier) -> Self {
        Value::ObjectIdentifier(name)
    }
}

impl From<Ipv4Addr> for Value {
    fn from(address: Ipv4Addr) -> Self {
        Value::IpAddress(address)
    }
}

/// For an operator's eyes: numbers as numbers, text as text, other octets in hexadecimal.
impl<B: Octets> fmt::Display for Value<B> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Integer(value) => write!(formatter, "{value}"),
            Value::OctetString(octets) => match std::str::from_utf8(octets.as_ref()) {
                Ok(text) if !text.chars().any(char::is_control) => write!(formatter, "\"{text}\""),
                _ => write_hexadecimal(octets.as_ref(), formatter),
            },
            Value::Opaque(octets) => write_hexadecimal(octets.as_ref(), formatter),
            Value::Null => formatter.write_str("null"),
            Value::ObjectIdentifier(name) => write!(formatter, "{name}"),
            Value::IpAddress(address) => write!(formatter, "{address}"),
            Value::Counter32(value) | Value::Gauge32(value) => write!(formatter, "{value}"),
            Value::TimeTicks(value) => write!(formatter, "{}.{:02} s", value / 100, value % 100),
            Value::Counter64(value) => write!(formatter, "{value}"),
            Value::NoSuchObject => formatter.write_str("no such object"),
            Value::NoSuchInstance => formatter.write_str("no such instance"),
            Value::EndOfMibView => formatter.write_str("end of MIB view"),
        }
    }
}

fn write_hexadecimal(octets: &[u8], formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
    formatter.write_str("0x")?;
    octets.iter().try_for_each(|octet| write!(formatter, "{octet:02x}"))
}
