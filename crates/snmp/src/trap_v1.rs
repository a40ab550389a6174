//! The trap of SNMPv1 (RFC 1157 section 4.1.6), the one PDU with a shape of its own.

use std::net::Ipv4Addr;

use crate::ber::{DecodeError, Reader, Writer, object_identifier, tag, unsigned32};
use crate::varbind::{read_varbinds, write_varbinds};
use crate::{ObjectIdentifier, Octets, VarBind};

/// The trap of SNMPv1 (RFC 1157 section 4.1.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrapV1<B = Vec<u8>> {
    /// What kind of device sends it, or whose traps these are.
    pub enterprise: ObjectIdentifier,
    /// The device's address as it knows it; often 0.0.0.0, and behind a translation not the one seen from here.
    pub agent_address: Ipv4Addr,
    /// One of the six standard traps, or that it is the enterprise's own.
    pub generic: GenericTrap,
    /// The number of the enterprise's own trap.
    pub specific: i32,
    /// Hundredths of a second since the device's management started.
    pub uptime: u32,
    /// The objects the trap carries.
    pub varbinds: Vec<VarBind<B>>,
}

/// The field `generic-trap` of a trap of SNMPv1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "named as in RFC 1157 section 4.1.6")]
pub enum GenericTrap {
    ColdStart,
    WarmStart,
    LinkDown,
    LinkUp,
    AuthenticationFailure,
    EgpNeighborLoss,
    EnterpriseSpecific,
    /// A number that RFC 1157 does not know.
    Other(i32),
}

impl<B: Octets> TrapV1<B> {
    /// The same with octets of its own.
    pub fn into_owned(self) -> TrapV1 {
        TrapV1 {
            enterprise: self.enterprise,
            agent_address: self.agent_address,
            generic: self.generic,
            specific: self.specific,
            uptime: self.uptime,
            varbinds: self.varbinds.into_iter().map(VarBind::into_owned).collect(),
        }
    }

    pub(crate) fn write(&self, writer: &mut Writer<'_>) {
        writer.constructed(tag::TRAP_V1, |writer| {
            write_varbinds(&self.varbinds, writer);
            writer.unsigned(tag::TIME_TICKS, u64::from(self.uptime));
            writer.integer(self.specific);
            writer.integer(self.generic.code());
            writer.octets(tag::IP_ADDRESS, &self.agent_address.octets());
            writer.object_identifier(&self.enterprise);
        });
    }
}

impl<'a> TrapV1<&'a [u8]> {
    pub(crate) fn read(content: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let enterprise = object_identifier(content.expect(tag::OBJECT_IDENTIFIER)?)?;
        let address =
            <[u8; 4]>::try_from(content.expect(tag::IP_ADDRESS)?).map_err(|_| DecodeError::IpAddress)?;
        Ok(TrapV1 {
            enterprise,
            agent_address: Ipv4Addr::from(address),
            generic: GenericTrap::from_code(content.integer32()?),
            specific: content.integer32()?,
            uptime: unsigned32(content.expect(tag::TIME_TICKS)?)?,
            varbinds: read_varbinds(content)?,
        })
    }
}

impl GenericTrap {
    /// The number on the wire.
    pub fn code(self) -> i32 {
        match self {
            GenericTrap::ColdStart => 0,
            GenericTrap::WarmStart => 1,
            GenericTrap::LinkDown => 2,
            GenericTrap::LinkUp => 3,
            GenericTrap::AuthenticationFailure => 4,
            GenericTrap::EgpNeighborLoss => 5,
            GenericTrap::EnterpriseSpecific => 6,
            GenericTrap::Other(code) => code,
        }
    }

    /// The trap that has this number on the wire.
    pub fn from_code(code: i32) -> GenericTrap {
        match code {
            0 => GenericTrap::ColdStart,
            1 => GenericTrap::WarmStart,
            2 => GenericTrap::LinkDown,
            3 => GenericTrap::LinkUp,
            4 => GenericTrap::AuthenticationFailure,
            5 => GenericTrap::EgpNeighborLoss,
            6 => GenericTrap::EnterpriseSpecific,
            other => GenericTrap::Other(other),
        }
    }
}
