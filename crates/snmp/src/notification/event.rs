//! Building notifications, also as traps of SNMPv1 (RFC 3584 section 3.2).

use std::net::Ipv4Addr;

use super::{SNMP_TRAP_ENTERPRISE, SNMP_TRAP_OID, SNMP_TRAPS, SYS_UP_TIME};
use crate::manager::Request;
use crate::usm::{EngineId, EngineTime, Header, Keys, Seal};
use crate::{
    Body, EncodeError, GenericTrap, MAXIMUM_MESSAGE_SIZE, Message, ObjectIdentifier, Operation, Pdu,
    Security, TrapV1, Value, VarBind,
};

/// Something that happened, to be told as a notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// What happened: the value of `snmpTrapOID.0`.
    pub name: ObjectIdentifier,
    /// Hundredths of a second since the sender's management started.
    pub uptime: u32,
    /// The objects that come with it.
    pub varbinds: Vec<VarBind>,
}

/// An event has a name without arcs, which no trap of SNMPv1 can carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("notification cannot be told in SNMPv1")]
pub struct InexpressibleInV1;

/// The variable bindings of a notification: `sysUpTime.0`, `snmpTrapOID.0`, then `objects`.
pub fn varbinds(
    uptime: u32,
    name: ObjectIdentifier,
    objects: impl IntoIterator<Item = VarBind>,
) -> Vec<VarBind> {
    let uptime = VarBind::new(SYS_UP_TIME, Value::TimeTicks(uptime));
    [uptime, VarBind::new(SNMP_TRAP_OID, name)].into_iter().chain(objects).collect()
}

/// A trap of SNMPv3, ready to be written.
#[derive(Debug)]
pub struct TrapV3<'a> {
    keys: &'a Keys,
    engine: &'a EngineId,
    at: EngineTime,
    salt: u64,
    pdu: Pdu,
}

impl TrapV3<'_> {
    /// Appends the trap to `datagram`, as well protected as its user can be.
    ///
    /// # Errors
    /// It is too long; `datagram` is as before.
    pub fn encode(&self, datagram: &mut Vec<u8>) -> Result<(), EncodeError> {
        let message_id = self.pdu.request_id.max(0);
        Seal {
            header: Header { message_id, maximum_size: MAXIMUM_MESSAGE_SIZE as u32, reportable: false },
            level: self.keys.level(),
            engine: self.engine.as_ref(),
            at: self.at,
            keys: Some(self.keys),
            salt: self.salt,
            context_engine: self.engine.as_ref(),
            context_name: &[],
        }
        .write(datagram, |writer| self.pdu.write(writer))
    }
}

impl Event {
    /// The trap of SNMPv2. `security` is SNMPv2c; the encoder refuses SNMPv1.
    pub fn trap(self, security: Security, request_id: i32) -> Message {
        let varbinds = varbinds(self.uptime, self.name, self.varbinds);
        Message::new(security, Pdu { request_id, operation: Operation::Trap, varbinds })
    }

    /// The trap of SNMPv3: who sends it keeps its time. `salt` was never used before with these keys.
    pub fn trap_v3<'a>(
        self,
        keys: &'a Keys,
        engine: &'a EngineId,
        at: EngineTime,
        request_id: i32,
        salt: u64,
    ) -> TrapV3<'a> {
        let varbinds = varbinds(self.uptime, self.name, self.varbinds);
        TrapV3 { keys, engine, at, salt, pdu: Pdu { request_id, operation: Operation::Trap, varbinds } }
    }

    /// The INFORM, to be sent and repeated by a [`Manager`](crate::manager::Manager).
    pub fn inform(self) -> Request {
        Request::Inform(varbinds(self.uptime, self.name, self.varbinds))
    }

    /// The trap of SNMPv1; `agent_address` is 0.0.0.0 for a sender without IPv4.
    ///
    /// # Errors
    /// The name is too short to be taken apart.
    pub fn trap_v1(
        self,
        community: impl Into<Vec<u8>>,
        agent_address: Ipv4Addr,
    ) -> Result<Message, InexpressibleInV1> {
        let (enterprise, generic, specific) = match self.name.strip_prefix(&SNMP_TRAPS) {
            Some(&[arc @ 1..=6]) => {
                let stated = self.varbinds.iter().find(|varbind| varbind.name == SNMP_TRAP_ENTERPRISE);
                let enterprise = stated.and_then(|varbind| varbind.value.as_object_identifier()).cloned();
                (enterprise.unwrap_or(SNMP_TRAPS), GenericTrap::from_code(arc as i32 - 1), 0)
            }
            _ => match self.name.arcs() {
                [enterprise @ .., 0, specific] | [enterprise @ .., specific] => {
                    (enterprise.iter().copied().collect(), GenericTrap::EnterpriseSpecific, *specific as i32)
                }
                [] => return Err(InexpressibleInV1),
            },
        };
        let uptime = self.uptime;
        let trap = TrapV1 { enterprise, agent_address, generic, specific, uptime, varbinds: self.varbinds };
        Ok(Message { security: Security::v1(community), body: Body::TrapV1(trap) })
    }
}
