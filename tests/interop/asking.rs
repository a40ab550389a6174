//! The manager's sessions with nothing around them but a socket, one request at a time.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use snmp::manager::{Failure, Manager, Request, Response, Settings, Target, Walk, WalkStep};
use snmp::{ObjectIdentifier, Security, VarBind};
use tests::process::LIMIT;

pub(crate) struct Asking {
    manager: Manager,
    socket: UdpSocket,
    began: Instant,
}

/// An object identifier as people write it.
pub(crate) fn oid(text: &str) -> ObjectIdentifier {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// Somebody to ask, who answers sooner or later.
pub(crate) fn target(address: SocketAddr, security: Security) -> Target {
    Target { address, principal: security.into(), timeout: Duration::from_secs(2), retries: 3 }
}

impl Asking {
    pub(crate) fn new() -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        Self { manager: Manager::new(Settings::default(), 4711), socket, began: Instant::now() }
    }

    /// Makes one request and returns its outcome.
    pub(crate) fn ask(&mut self, target: &Target, request: Request) -> Result<Response, Failure> {
        let key = self.manager.request(target, request).unwrap();
        let asked = Instant::now();
        let mut datagram = Vec::new();
        loop {
            assert!(asked.elapsed() < LIMIT, "the request has no outcome");
            while let Some(peer) = self.manager.poll_transmit(self.began.elapsed(), &mut datagram) {
                self.socket.send_to(&datagram, peer).unwrap();
            }
            if let Some((answered, outcome)) = self.manager.poll_event() {
                assert_eq!(answered, key);
                return outcome;
            }
            let wait = self.manager.next_deadline().unwrap_or_default().saturating_sub(self.began.elapsed());
            self.socket.set_read_timeout(Some(wait.max(Duration::from_millis(1)))).unwrap();
            let mut buffer = vec![0; 65_536];
            match self.socket.recv_from(&mut buffer) {
                Ok((length, from)) => self.manager.handle(from, &buffer[..length], self.began.elapsed()),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Everything a walk finds.
    pub(crate) fn walk(&mut self, target: &Target, mut walk: Walk) -> Vec<VarBind> {
        let mut found = Vec::new();
        loop {
            let outcome = self.ask(target, walk.request());
            match walk.take(outcome).unwrap() {
                WalkStep::More(varbinds) => found.extend(varbinds),
                WalkStep::Finished(varbinds) => {
                    found.extend(varbinds);
                    return found;
                }
            }
        }
    }
}
