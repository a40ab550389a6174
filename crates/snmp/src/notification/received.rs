//! Reading notifications: a trap of SNMPv1 gets the name it has in SNMPv2 (RFC 3584 section 3.1).

use std::net::Ipv4Addr;

use super::{SNMP_TRAP_ADDRESS, SNMP_TRAP_OID, SNMP_TRAPS, SYS_UP_TIME};
use crate::{
    Body, DecodeError, ErrorStatus, Message, ObjectIdentifier, Operation, Pdu, Security, TrapV1, Value,
    VarBind,
};

/// A notification as received, borrowing its octets from the datagram.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification<'a> {
    /// Trap or INFORM, and what only that has.
    pub kind: NotificationKind,
    /// Version, and the community of SNMPv1 and v2c. Of SNMPv3 the header; whose it is a [`Receiver`](super::Receiver) has proven.
    pub security: Security<&'a [u8]>,
    /// What happened: the value of `snmpTrapOID.0`.
    pub name: ObjectIdentifier,
    /// Hundredths of a second since the device's management started. Some devices leave it out.
    pub uptime: Option<u32>,
    /// The objects that come with it, without `sysUpTime.0` and `snmpTrapOID.0`.
    pub varbinds: Vec<VarBind<&'a [u8]>>,
}

/// How a notification was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotificationKind {
    /// A trap of SNMPv1.
    TrapV1 {
        /// What kind of device sends it, or whose traps these are.
        enterprise: ObjectIdentifier,
        /// The device's address as it says.
        agent_address: Ipv4Addr,
    },
    /// A trap of SNMPv2.
    Trap {
        /// Its sender's number.
        request_id: i32,
    },
    /// A notification whose sender repeats it until it is answered.
    Inform {
        /// Its sender's number, the same in repetitions and in the answer.
        request_id: i32,
    },
}

/// Why a datagram is no notification.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotificationError {
    /// It is no SNMP message.
    #[error("cannot read the message")]
    Decode(#[from] DecodeError),
    /// It is SNMPv3: who sent it is for a [`Receiver`](super::Receiver) to prove.
    #[error("who sent the message is not proven")]
    Unproven,
    /// It is a request or a response.
    #[error("message is no notification")]
    OtherPdu,
    /// It does not say what happened: `snmpTrapOID.0` is missing or of another type.
    #[error("notification without a name")]
    NoName,
}

impl<'a> Notification<'a> {
    /// Reads a datagram of SNMPv1 or v2c.
    ///
    /// # Errors
    /// The datagram is no notification, or one of SNMPv3.
    pub fn decode(datagram: &'a [u8]) -> Result<Self, NotificationError> {
        let message = Message::decode(datagram)?;
        match message.security {
            Security::V3(_) => Err(NotificationError::Unproven),
            _ => Notification::try_from(message),
        }
    }

    /// All its variable bindings, as they are sent.
    pub(super) fn all_varbinds(&self) -> Vec<VarBind<&'a [u8]>> {
        let uptime = self.uptime.map(|uptime| VarBind { name: SYS_UP_TIME, value: Value::TimeTicks(uptime) });
        let name = VarBind { name: SNMP_TRAP_OID, value: Value::ObjectIdentifier(self.name.clone()) };
        uptime.into_iter().chain([name]).chain(self.varbinds.iter().cloned()).collect()
    }

    /// The answer to an INFORM of SNMPv2c, which is owed once the notification is safe; `None` for traps.
    pub fn response(&self) -> Option<Message<&'a [u8]>> {
        let NotificationKind::Inform { request_id } = self.kind else { return None };
        let varbinds = self.all_varbinds();
        let operation = Operation::Response { status: ErrorStatus::NoError, index: 0 };
        Some(Message::new(self.security.clone(), Pdu { request_id, operation, varbinds }))
    }

    /// The device's own word on its address, where it says one: the field of an SNMPv1 trap, or what a proxy put into
    /// `snmpTrapAddress.0`. It proves nothing.
    pub fn agent_address(&self) -> Option<Ipv4Addr> {
        let address = match self.kind {
            NotificationKind::TrapV1 { agent_address, .. } => agent_address,
            NotificationKind::Trap { .. } | NotificationKind::Inform { .. } => {
                let varbind = self.varbinds.iter().find(|varbind| varbind.name == SNMP_TRAP_ADDRESS)?;
                let Value::IpAddress(address) = varbind.value else { return None };
                address
            }
        };
        (!address.is_unspecified()).then_some(address)
    }
}

impl<'a> TryFrom<Message<&'a [u8]>> for Notification<'a> {
    type Error = NotificationError;

    fn try_from(message: Message<&'a [u8]>) -> Result<Self, Self::Error> {
        match message.body {
            Body::TrapV1(trap) => Ok(from_v1(message.security, trap)),
            Body::Pdu(Pdu { operation: Operation::Trap, request_id, varbinds }) => {
                from_v2(message.security, NotificationKind::Trap { request_id }, varbinds)
            }
            Body::Pdu(Pdu { operation: Operation::Inform, request_id, varbinds }) => {
                from_v2(message.security, NotificationKind::Inform { request_id }, varbinds)
            }
            Body::Pdu(_) => Err(NotificationError::OtherPdu),
        }
    }
}

fn from_v1<'a>(security: Security<&'a [u8]>, trap: TrapV1<&'a [u8]>) -> Notification<'a> {
    let name = match trap.generic.code() {
        code @ 0..=5 => SNMP_TRAPS.child(code.unsigned_abs() + 1),
        // The cast gives a negative number the arc it would have had on the wire.
        _ => trap.enterprise.join(&[0, trap.specific as u32]),
    };
    Notification {
        kind: NotificationKind::TrapV1 { enterprise: trap.enterprise, agent_address: trap.agent_address },
        security,
        name,
        uptime: Some(trap.uptime),
        varbinds: trap.varbinds,
    }
}

/// Takes `sysUpTime.0` and `snmpTrapOID.0` wherever they are; they belong at the front, but not every agent obeys.
fn from_v2<'a>(
    security: Security<&'a [u8]>,
    kind: NotificationKind,
    mut varbinds: Vec<VarBind<&'a [u8]>>,
) -> Result<Notification<'a>, NotificationError> {
    let mut uptime = None;
    let mut name = None;
    varbinds.retain(|varbind| match &varbind.value {
        Value::TimeTicks(value) if uptime.is_none() && varbind.name == SYS_UP_TIME => {
            uptime = Some(*value);
            false
        }
        Value::ObjectIdentifier(value) if name.is_none() && varbind.name == SNMP_TRAP_OID => {
            name = Some(value.clone());
            false
        }
        _ => true,
    });
    let name = name.ok_or(NotificationError::NoName)?;
    Ok(Notification { kind, security, name, uptime, varbinds })
}
