//! Somebody who hears what the manager says to a device, and answers sooner than it: in the words of the device, but not from
//! where that was sent to. Without SNMPv3, and by TFTP, nothing else tells the two apart (RFC 1350 section 4).

use std::net::SocketAddr;

use engine::file_server::Port;
use snmp::{Body, ErrorStatus, Message, Operation, Pdu};
use tftp::{ErrorCode, Packet};

use crate::invariants::what_comes_from_elsewhere_is_not_believed;
use crate::plan::Trouble;
use crate::trouble::{STRANGER, STRANGER_PORT};
use crate::unit::{SNMP_PORT, address};
use crate::world::{Item, Socket, World};

impl World {
    /// Where somebody answers from, as what is to answer from this port of the device.
    fn forges_from(&self, place: usize, port: u16) -> Option<SocketAddr> {
        let (number, until) = self.units.get(place)?.forger?;
        match self.plan.troubles.get(number)? {
            _ if until <= self.now => None,
            Trouble::Forger { is_at_the_device: true, .. } => {
                Some(SocketAddr::new(address(place), STRANGER_PORT))
            }
            _ => Some(SocketAddr::new(STRANGER, port)),
        }
    }

    /// The manager asks a device something: whoever forges agrees to everything.
    pub(crate) fn forge_answer(&mut self, place: usize, asked: &[u8]) {
        let Some(peer) = self.forges_from(place, SNMP_PORT) else { return };
        let Ok(Message { security, body: Body::Pdu(pdu) }) = Message::decode(asked) else { return };
        let body = Body::Pdu(Pdu {
            operation: Operation::Response { status: ErrorStatus::NoError, index: 0 },
            ..pdu
        });
        let mut bytes = Vec::new();
        let message = Message { security, body };
        if message.encode(&mut bytes).is_ok() {
            self.put_forged(Socket::Commander, peer, bytes);
        }
    }

    /// The manager sends a packet to the port of a transfer: whoever forges goes on with the transfer, or ends it.
    pub(crate) fn forge_packet(&mut self, place: usize, port: u16, sent: &[u8]) {
        let Some(peer) = self.forges_from(place, port) else { return };
        let ends = self.random.permille(500);
        let packet = match Packet::decode(sent) {
            Ok(_) if ends => Packet::Error { code: ErrorCode::NotDefined, message: b"no more" },
            Ok(Packet::Data { block, .. }) => Packet::Acknowledgement { block },
            Ok(Packet::Acknowledgement { block }) => {
                Packet::Data { block: block.wrapping_add(1), bytes: b"forged" }
            }
            Ok(Packet::OptionAcknowledgement(_)) => Packet::Acknowledgement { block: 0 },
            Ok(Packet::Request(_) | Packet::Error { .. }) | Err(_) => return,
        };
        let mut bytes = Vec::new();
        packet.encode(&mut bytes);
        self.put_forged(Socket::Files(Port::Transfers), peer, bytes);
    }

    fn put_forged(&mut self, socket: Socket, peer: SocketAddr, bytes: Vec<u8>) {
        let delay = self.random.span(1, 5);
        self.put(delay, Item::Forged { socket, peer, bytes });
    }

    /// What is forged comes to the manager. What was due anyway is done before.
    pub(crate) fn comes_forged(&mut self, socket: Socket, peer: SocketAddr, bytes: &[u8]) {
        self.pump_commander();
        self.pump_files();
        let noticed = self.manager_hears(socket, peer, bytes);
        let checked = what_comes_from_elsewhere_is_not_believed(peer, noticed);
        self.judge(checked);
    }
}
