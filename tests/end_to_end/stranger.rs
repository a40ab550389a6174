//! Somebody on the network who is neither manager nor device, and says what he likes.

use std::net::{IpAddr, SocketAddr};

use snmp::notification::Event;
use snmp::{Body, ErrorStatus, Message, ObjectIdentifier, Operation, Pdu, Security, Value, VarBind};
use tokio::net::UdpSocket;

use crate::laboratory::bounded;

/// Where IAD-MIB begins.
const IAD_MIB: &str = "1.3.6.1.4.1.32473.1";

/// Somebody on the network.
pub(crate) struct Stranger {
    socket: UdpSocket,
}

/// What a TFTP server says to a request (RFC 1350).
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// An error of this code.
    Error(u16),
    /// Anything else: the request is taken.
    Taken,
}

impl Stranger {
    /// Speaks from this address.
    pub(crate) async fn at(address: IpAddr) -> Self {
        Self { socket: UdpSocket::bind((address, 0)).await.expect("a socket") }
    }

    /// Where he is.
    pub(crate) fn address(&self) -> SocketAddr {
        self.socket.local_addr().expect("an address")
    }

    /// Sends any bytes.
    pub(crate) async fn sends(&self, to: SocketAddr, bytes: &[u8]) {
        self.socket.send_to(bytes, to).await.expect("a datagram");
    }

    /// Writes objects of a device, which says what it thinks of that.
    pub(crate) async fn sets(&self, device: SocketAddr, objects: &[(&str, Value)]) -> ErrorStatus {
        let varbinds =
            objects.iter().map(|(name, value)| VarBind::new(object(name), value.clone())).collect();
        let pdu = Pdu { request_id: 1, operation: Operation::Set, varbinds };
        let mut datagram = Vec::new();
        Message::new(Security::v2c("private"), pdu).encode(&mut datagram).expect("a message");
        self.sends(device, &datagram).await;
        let mut answer = vec![0; 65_536];
        let (length, _) = bounded("an answer", self.socket.recv_from(&mut answer)).await.expect("an answer");
        match Message::decode(&answer[..length]).expect("SNMP").body {
            Body::Pdu(Pdu { operation: Operation::Response { status, .. }, .. }) => status,
            other => panic!("no response: {other:?}"),
        }
    }

    /// Has a device empty its standby buffer.
    pub(crate) async fn has_erased(&self, device: SocketAddr, id: &str) {
        let id = Value::OctetString(id.as_bytes().to_vec());
        let status = self.sets(device, &[("1.5.1.0", id), ("1.5.2.0", Value::Integer(9))]).await;
        assert_eq!(status, ErrorStatus::NoError);
    }

    /// Tells the manager, in the name of a device, how one of its operations went: notification `number` of IAD-MIB.
    pub(crate) async fn notifies(&self, manager: SocketAddr, number: u32, unique_id: &str, operation: &str) {
        let text = |text: &str| Value::OctetString(text.as_bytes().to_vec());
        let varbinds = vec![
            VarBind::new(object("1.1.3.0"), text(unique_id)),
            VarBind::new(object("1.5.1.0"), text(operation)),
            VarBind::new(object("1.5.15.0"), Value::Gauge32(100)),
        ];
        let event = Event { name: object(&format!("0.{number}")), uptime: 1, varbinds };
        let mut datagram = Vec::new();
        event.trap(Security::v2c("public"), 1).encode(&mut datagram).expect("a message");
        self.sends(manager, &datagram).await;
    }

    /// Asks a TFTP server to read (1) or write (2) a file, and says what it says.
    pub(crate) async fn asks_tftp(
        &self,
        server: SocketAddr,
        opcode: u8,
        name: &str,
        options: &[&str],
    ) -> Said {
        let mut request = vec![0, opcode];
        for text in [name, "octet"].iter().chain(options) {
            request.extend(text.as_bytes());
            request.push(0);
        }
        self.sends(server, &request).await;
        let mut answer = vec![0; 65_536];
        let (length, from) =
            bounded("an answer", self.socket.recv_from(&mut answer)).await.expect("an answer");
        if answer[..2] == [0, 5] {
            return Said::Error(u16::from_be_bytes([answer[2], answer[3]]));
        }
        assert!(length >= 2);
        // He leaves it at that.
        self.sends(from, b"\0\x05\0\0enough\0").await;
        Said::Taken
    }
}

/// An object of IAD-MIB, by what follows the module's own name.
fn object(rest: &str) -> ObjectIdentifier {
    format!("{IAD_MIB}.{rest}").parse().expect("an object identifier")
}
