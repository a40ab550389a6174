//! What a message carries around its PDU: the community of SNMPv1 and v2c (RFC 1157 section 3.2.5, RFC 1901), or the
//! header and security parameters of SNMPv3 (RFC 3412 section 6).
//!
//! Messages of SNMPv3 are read and written here as far as they are plain, and nobody is made responsible for them: that is for
//! the user-based security model, [`usm`](crate::usm).

use std::fmt;

use crate::Octets;
use crate::ber::{DecodeError, Reader, Writer, tag};

/// The version of SNMP that a message speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// SNMPv1, RFC 1157.
    V1,
    /// Community-based SNMPv2, RFC 1901.
    V2c,
    /// SNMPv3, RFC 3412.
    V3,
}

/// Who speaks, and how that is proven.
#[derive(Clone, PartialEq, Eq)]
pub enum Security<B = Vec<u8>> {
    /// SNMPv1 with a community.
    V1 {
        /// Any octets; a secret sent in the clear.
        community: B,
    },
    /// SNMPv2 with a community.
    V2c {
        /// Any octets; a secret sent in the clear.
        community: B,
    },
    /// SNMPv3.
    V3(HeaderV3<B>),
}

/// The header of an SNMPv3 message and of its scoped PDU (RFC 3412 section 6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderV3<B = Vec<u8>> {
    /// Matches responses with requests, 0 to 2^31 - 1.
    pub message_id: i32,
    /// The longest message the sender takes, in bytes, at least 484.
    pub maximum_size: u32,
    /// Whether the message is authenticated. Whether it truly is, nobody here has checked.
    pub authenticated: bool,
    /// Whether the receiver may answer with a Report.
    pub reportable: bool,
    /// The security model's number; 3 is the user-based one.
    pub model: i32,
    /// The security model's own parameters, not looked into.
    pub parameters: B,
    /// The engine whose objects the PDU is about.
    pub context_engine_id: B,
    /// Which of the engine's contexts.
    pub context_name: B,
}

impl Security {
    /// SNMPv1 with this community.
    pub fn v1(community: impl Into<Vec<u8>>) -> Security {
        Security::V1 { community: community.into() }
    }

    /// SNMPv2c with this community.
    pub fn v2c(community: impl Into<Vec<u8>>) -> Security {
        Security::V2c { community: community.into() }
    }
}

impl<B> Security<B> {
    /// The version of SNMP.
    pub fn version(&self) -> Version {
        match self {
            Security::V1 { .. } => Version::V1,
            Security::V2c { .. } => Version::V2c,
            Security::V3(_) => Version::V3,
        }
    }
}

impl<B: Octets> Security<B> {
    /// The community of SNMPv1 and v2c.
    pub fn community(&self) -> Option<&[u8]> {
        match self {
            Security::V1 { community } | Security::V2c { community } => Some(community.as_ref()),
            Security::V3(_) => None,
        }
    }

    /// The same with octets of its own.
    pub fn into_owned(self) -> Security {
        match self {
            Security::V1 { community } => Security::V1 { community: community.into() },
            Security::V2c { community } => Security::V2c { community: community.into() },
            Security::V3(header) => Security::V3(HeaderV3 {
                message_id: header.message_id,
                maximum_size: header.maximum_size,
                authenticated: header.authenticated,
                reportable: header.reportable,
                model: header.model,
                parameters: header.parameters.into(),
                context_engine_id: header.context_engine_id.into(),
                context_name: header.context_name.into(),
            }),
        }
    }

    /// Writes the message's content: this, around the PDU that `pdu` writes.
    pub(crate) fn write(&self, writer: &mut Writer<'_>, pdu: impl FnOnce(&mut Writer<'_>)) {
        match self {
            Security::V1 { community } | Security::V2c { community } => {
                pdu(writer);
                writer.octets(tag::OCTET_STRING, community.as_ref());
                writer.integer(self.version().code());
            }
            Security::V3(header) => header.write(writer, pdu),
        }
    }
}

impl<'a> Security<&'a [u8]> {
    /// Reads what stands before the PDU; the second part of the result begins with the PDU.
    pub(crate) fn read(content: &mut Reader<'a>) -> Result<(Self, Reader<'a>), DecodeError> {
        match Version::from_code(content.integer32()?)? {
            Version::V1 => Ok((Security::V1 { community: content.expect(tag::OCTET_STRING)? }, *content)),
            Version::V2c => Ok((Security::V2c { community: content.expect(tag::OCTET_STRING)? }, *content)),
            Version::V3 => HeaderV3::read(content).map(|(header, scoped)| (Security::V3(header), scoped)),
        }
    }
}

/// Communities are secrets and are not shown.
impl<B: fmt::Debug> fmt::Debug for Security<B> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Security::V1 { .. } => formatter.write_str("V1"),
            Security::V2c { .. } => formatter.write_str("V2c"),
            Security::V3(header) => header.fmt(formatter),
        }
    }
}

/// The user-based security model's number (RFC 3411 section 5, `SnmpSecurityModel`).
pub(crate) const USER_BASED: i32 = 3;

const AUTHENTICATED: u8 = 0x01;
const ENCRYPTED: u8 = 0x02;
const REPORTABLE: u8 = 0x04;

/// What stands before the security parameters (RFC 3412 section 6, `msgVersion` and `msgGlobalData`).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Envelope {
    pub(crate) message_id: i32,
    pub(crate) maximum_size: u32,
    pub(crate) authenticated: bool,
    pub(crate) encrypted: bool,
    pub(crate) reportable: bool,
    pub(crate) model: i32,
}

impl Envelope {
    /// Writes the header, then the version before it.
    pub(crate) fn write(&self, writer: &mut Writer<'_>) {
        writer.constructed(tag::SEQUENCE, |writer| {
            let flag = |set: bool, bit: u8| if set { bit } else { 0 };
            let flags = flag(self.authenticated, AUTHENTICATED)
                | flag(self.encrypted, ENCRYPTED)
                | flag(self.reportable, REPORTABLE);
            writer.integer(self.model);
            writer.octets(tag::OCTET_STRING, &[flags]);
            writer.integer(i32::try_from(self.maximum_size).unwrap_or(i32::MAX));
            writer.integer(self.message_id);
        });
        writer.integer(Version::V3.code());
    }

    /// Reads the header, after the version.
    pub(crate) fn read(content: &mut Reader<'_>) -> Result<Envelope, DecodeError> {
        let mut global = Reader::new(content.expect(tag::SEQUENCE)?);
        let message_id = global.integer32()?;
        let maximum_size = u32::try_from(global.integer32()?).map_err(|_| DecodeError::HeaderV3)?;
        let &[flags] = global.expect(tag::OCTET_STRING)? else { return Err(DecodeError::HeaderV3) };
        let model = global.integer32()?;
        Ok(Envelope {
            message_id,
            maximum_size,
            authenticated: flags & AUTHENTICATED != 0,
            encrypted: flags & ENCRYPTED != 0,
            reportable: flags & REPORTABLE != 0,
            model,
        })
    }
}

impl<B: Octets> HeaderV3<B> {
    fn write(&self, writer: &mut Writer<'_>, pdu: impl FnOnce(&mut Writer<'_>)) {
        writer.constructed(tag::SEQUENCE, |writer| {
            pdu(writer);
            writer.octets(tag::OCTET_STRING, self.context_name.as_ref());
            writer.octets(tag::OCTET_STRING, self.context_engine_id.as_ref());
        });
        writer.octets(tag::OCTET_STRING, self.parameters.as_ref());
        Envelope {
            message_id: self.message_id,
            maximum_size: self.maximum_size,
            authenticated: self.authenticated,
            encrypted: false,
            reportable: self.reportable,
            model: self.model,
        }
        .write(writer);
    }
}

impl<'a> HeaderV3<&'a [u8]> {
    fn read(content: &mut Reader<'a>) -> Result<(Self, Reader<'a>), DecodeError> {
        let envelope = Envelope::read(content)?;
        let parameters = content.expect(tag::OCTET_STRING)?;
        if envelope.encrypted {
            return Err(DecodeError::Encrypted);
        }
        let mut scoped = Reader::new(content.expect(tag::SEQUENCE)?);
        let header = HeaderV3 {
            message_id: envelope.message_id,
            maximum_size: envelope.maximum_size,
            authenticated: envelope.authenticated,
            reportable: envelope.reportable,
            model: envelope.model,
            parameters,
            context_engine_id: scoped.expect(tag::OCTET_STRING)?,
            context_name: scoped.expect(tag::OCTET_STRING)?,
        };
        Ok((header, scoped))
    }
}

impl Version {
    pub(crate) fn code(self) -> i32 {
        match self {
            Version::V1 => 0,
            Version::V2c => 1,
            Version::V3 => 3,
        }
    }

    fn from_code(code: i32) -> Result<Version, DecodeError> {
        match code {
            0 => Ok(Version::V1),
            1 => Ok(Version::V2c),
            3 => Ok(Version::V3),
            other => Err(DecodeError::UnknownVersion(other)),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Version::V1 => "SNMPv1",
            Version::V2c => "SNMPv2c",
            Version::V3 => "SNMPv3",
        })
    }
}
