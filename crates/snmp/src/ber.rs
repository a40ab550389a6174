//! The part of BER that SNMP uses (RFC 3417 section 8): definite lengths, single-byte tags, integers of at most 64 bits.

mod reader;
mod writer;

pub use reader::DecodeError;
pub(crate) use reader::{
    Reader, integer32, object_identifier, read_object_identifier, unsigned32, unsigned64,
};
pub(crate) use writer::{Writer, element_length, integer_length, object_identifier_length, unsigned_length};

/// Identifier bytes of BER elements (X.690 section 8.1.2, RFC 2578 section 7.1, RFC 3416 section 3).
pub(crate) mod tag {
    pub(crate) const INTEGER: u8 = 0x02;
    pub(crate) const OCTET_STRING: u8 = 0x04;
    pub(crate) const NULL: u8 = 0x05;
    pub(crate) const OBJECT_IDENTIFIER: u8 = 0x06;
    pub(crate) const SEQUENCE: u8 = 0x30;
    pub(crate) const IP_ADDRESS: u8 = 0x40;
    pub(crate) const COUNTER32: u8 = 0x41;
    pub(crate) const GAUGE32: u8 = 0x42;
    pub(crate) const TIME_TICKS: u8 = 0x43;
    pub(crate) const OPAQUE: u8 = 0x44;
    pub(crate) const COUNTER64: u8 = 0x46;
    /// UInteger32 of RFC 1442, which old agents still send; read as Gauge32, which took its place.
    pub(crate) const UINTEGER32: u8 = 0x47;
    pub(crate) const NO_SUCH_OBJECT: u8 = 0x80;
    pub(crate) const NO_SUCH_INSTANCE: u8 = 0x81;
    pub(crate) const END_OF_MIB_VIEW: u8 = 0x82;
    pub(crate) const GET: u8 = 0xa0;
    pub(crate) const GET_NEXT: u8 = 0xa1;
    pub(crate) const RESPONSE: u8 = 0xa2;
    pub(crate) const SET: u8 = 0xa3;
    pub(crate) const TRAP_V1: u8 = 0xa4;
    pub(crate) const GET_BULK: u8 = 0xa5;
    pub(crate) const INFORM: u8 = 0xa6;
    pub(crate) const TRAP_V2: u8 = 0xa7;
    pub(crate) const REPORT: u8 = 0xa8;
}
