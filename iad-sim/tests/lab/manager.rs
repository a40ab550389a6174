//! The side that asks, over a socket of its own.

use std::net::SocketAddr;
use std::time::Duration;

use snmp::manager::{Failure, Manager, Request, Response, Settings, Target};
use snmp::{ObjectIdentifier, Security, Value, VarBind};
use tokio::net::UdpSocket;
use tokio::time::Instant;

/// Asks devices by SNMPv2c.
pub(crate) struct Asker {
    socket: UdpSocket,
    manager: Manager,
    started: Instant,
    pub(crate) community: &'static str,
    pub(crate) retries: u32,
    pub(crate) timeout: Duration,
}

impl Asker {
    pub(crate) async fn new() -> Self {
        Self::at("127.0.0.1:0").await
    }

    pub(crate) async fn at(address: &str) -> Self {
        Self {
            socket: UdpSocket::bind(address).await.unwrap(),
            manager: Manager::new(Settings::default(), 7),
            started: Instant::now(),
            community: "private",
            retries: 5,
            timeout: Duration::from_secs(2),
        }
    }

    pub(crate) async fn get(&mut self, device: SocketAddr, name: ObjectIdentifier) -> Result<Value, Failure> {
        self.ask(device, Request::Get(vec![name])).await.map(|response| response.varbinds().remove(0).value)
    }

    /// Sets once, without a repetition.
    pub(crate) async fn set(&mut self, device: SocketAddr, varbinds: Vec<VarBind>) -> Result<(), Failure> {
        self.ask(device, Request::set(varbinds)).await.map(drop)
    }

    pub(crate) async fn ask(&mut self, device: SocketAddr, request: Request) -> Result<Response, Failure> {
        let security = Security::v2c(self.community);
        let target = Target {
            address: device,
            principal: security.into(),
            timeout: self.timeout,
            retries: self.retries,
        };
        let key = self.manager.request(&target, request).unwrap();
        let mut buffer = Vec::new();
        let mut received = vec![0; 65_536];
        loop {
            while let Some(peer) = self.manager.poll_transmit(self.started.elapsed(), &mut buffer) {
                self.socket.send_to(&buffer, peer).await.unwrap();
            }
            if let Some((answered, outcome)) = self.manager.poll_event() {
                assert_eq!(answered, key);
                return outcome;
            }
            let deadline = self.started + self.manager.next_deadline().unwrap();
            tokio::select! {
                datagram = self.socket.recv_from(&mut received) => {
                    let (length, peer) = datagram.unwrap();
                    self.manager.handle(peer, &received[..length], self.started.elapsed());
                }
                () = tokio::time::sleep_until(deadline) => {}
            }
        }
    }
}
