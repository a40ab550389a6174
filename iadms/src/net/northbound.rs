//! The socket towards network operations centres: notifications of IADMS-MIB, with repetition where they are INFORMs.

use core::time::Duration;
use std::collections::BTreeMap;
use std::net::SocketAddr;

use engine::datagram::Transmit;
use snmp::Security;
use snmp::manager::{Manager, Request, RequestKey, Settings, Target};
use snmp::notification::Event;
use tokio::sync::{mpsc, oneshot};

use super::sockets::{Batches, Sockets};
use crate::daemon::clock::Clock;
use crate::daemon::{Refusal, RefusalCode};
use crate::store::{NorthboundTarget, Owed};

/// A notification for a target.
#[derive(Debug)]
pub struct Notification {
    /// Who is told.
    pub target: NorthboundTarget,
    /// What.
    pub event: Event,
    /// Who wants to know whether it was sent or, for an INFORM, acknowledged.
    pub reply: Reply,
}

/// Who wants to know what became of a notification.
#[derive(Debug)]
pub enum Reply {
    /// Whoever asked for it.
    Asked(oneshot::Sender<Result<(), Refusal>>),
    /// The loop, which tells the story again after a restart unless it hears that it was sent or given up.
    Owed(mpsc::UnboundedSender<Owed>, Owed),
}

/// Sends notifications until nobody has any.
///
/// # Errors
///
/// The socket cannot be read any more.
pub async fn run(
    seed: u64,
    sockets: Sockets,
    mut notifications: mpsc::UnboundedReceiver<Notification>,
    clock: Clock,
) -> std::io::Result<()> {
    let mut sender = Sender {
        manager: Manager::new(Settings::default(), seed),
        open: BTreeMap::new(),
        traps: seed.to_le_bytes().iter().fold(0, |id: i32, byte| id.wrapping_mul(31) ^ i32::from(*byte)),
    };
    let mut batches = Batches::default();
    let mut buffer = Vec::new();
    loop {
        while let Some(peer) = sender.manager.poll_transmit(clock.elapsed(), &mut buffer) {
            sockets.send(&whole(peer, &buffer), &buffer).await;
        }
        sender.report();
        tokio::select! {
            received = sockets.receive(&mut batches) => {
                received?;
                for datagram in batches.datagrams() {
                    sender.manager.handle(datagram.peer, datagram.bytes, clock.elapsed());
                }
            }
            notification = notifications.recv() => {
                let Some(notification) = notification else { return Ok(()) };
                if let Some((peer, datagram, reply)) = sender.take(notification) {
                    let sent = sockets.send(&whole(peer, &datagram), &datagram).await;
                    settle_trap(reply, sent, peer);
                }
            }
            () = clock.sleep_until(sender.manager.next_deadline()) => {}
        }
    }
}

const fn whole(peer: SocketAddr, datagram: &[u8]) -> Transmit {
    Transmit { peer, local: None, segment_size: datagram.len(), length: datagram.len() }
}

struct Sender {
    manager: Manager,
    /// INFORMs that are not acknowledged yet.
    open: BTreeMap<RequestKey, Open>,
    /// The number of the last trap.
    traps: i32,
}

struct Open {
    target: String,
    reply: Reply,
}

impl Sender {
    /// The datagram to send at once, where it is a trap.
    fn take(&mut self, notification: Notification) -> Option<(SocketAddr, Vec<u8>, Reply)> {
        let Notification { target, event, reply } = notification;
        let security = Security::v2c(target.community.0.as_str());
        if target.inform {
            let asked = Target {
                address: target.address,
                principal: security.into(),
                timeout: Duration::from_millis(u64::from(target.timeout_ms)),
                retries: target.repeats,
            };
            let request: Request = event.inform();
            match self.manager.request(&asked, request) {
                Ok(key) => {
                    self.open.insert(key, Open { target: target.name, reply });
                }
                Err(error) => tell(reply, Err(unsendable(&target.name, &error.to_string()))),
            }
            return None;
        }
        self.traps = self.traps.wrapping_add(1);
        let mut datagram = Vec::new();
        match event.trap(security, self.traps).encode(&mut datagram) {
            Ok(()) => Some((target.address, datagram, reply)),
            Err(error) => {
                tell(reply, Err(unsendable(&target.name, &error.to_string())));
                None
            }
        }
    }

    fn report(&mut self) {
        while let Some((key, result)) = self.manager.poll_event() {
            let Some(open) = self.open.remove(&key) else { continue };
            let result = result.map(drop).map_err(|failure| {
                tracing::warn!(target = open.target, %failure, "an INFORM was not acknowledged");
                Refusal::new(
                    RefusalCode::Unreachable,
                    format!(
                        "the northbound target {:?} did not acknowledge the INFORM: {failure}",
                        open.target
                    ),
                    "check its address, port and community, and that a notification receiver runs there",
                )
            });
            tell(open.reply, result);
        }
    }
}

fn unsendable(target: &str, why: &str) -> Refusal {
    Refusal::new(
        RefusalCode::Invalid,
        format!("no notification can be sent to the northbound target {target:?}: {why}"),
        "check its community",
    )
}

/// A trap that this host could not send stays owed: it is told after the next start.
fn settle_trap(reply: Reply, sent: bool, peer: SocketAddr) {
    match reply {
        Reply::Owed(..) if !sent => tracing::warn!(%peer, "a trap could not be sent"),
        Reply::Asked(_) if !sent => tell(
            reply,
            Err(Refusal::new(
                RefusalCode::Unreachable,
                format!("this host cannot send to {peer}"),
                "check its network and routes",
            )),
        ),
        reply => tell(reply, Ok(())),
    }
}

fn tell(reply: Reply, result: Result<(), Refusal>) {
    // Who asked may have gone.
    match reply {
        Reply::Asked(asked) => drop(asked.send(result)),
        Reply::Owed(settled, owed) => drop(settled.send(owed)),
    }
}
