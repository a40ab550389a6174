//! Notifications of all devices over one socket: traps, or INFORMs that are repeated until they are acknowledged.

use core::time::Duration;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use datagram::{Batch, Socket, Transmit};
use snmp::manager::{Manager, Principal, Settings as ManagerSettings, Target};
use snmp::notification::Event;
use snmp::usm::{EngineId, EngineTime};

use super::settings::NotifySettings;
use super::timers::Timers;

/// Sends the notifications of all devices.
#[derive(Debug)]
pub(crate) struct Notifier {
    socket: Socket,
    settings: NotifySettings,
    seed: u64,
    trap_id: i32,
    /// The last one used to encrypt a trap.
    salt: u64,
    /// The INFORMs that are not acknowledged yet, by the address of the device, and when they are sent again.
    informs: BTreeMap<IpAddr, Manager>,
    timers: Timers<IpAddr>,
    buffer: Vec<u8>,
}

impl Notifier {
    pub(crate) fn new(socket: Socket, settings: NotifySettings, seed: u64, salt: u64) -> Self {
        Self {
            socket,
            settings,
            seed,
            trap_id: 0,
            salt,
            informs: BTreeMap::new(),
            timers: Timers::default(),
            buffer: Vec::new(),
        }
    }

    /// Sends a notification of the device with this address, whose engine this is.
    pub(crate) fn notify(
        &mut self,
        device: IpAddr,
        engine: (EngineId, EngineTime),
        event: Event,
        now: Duration,
    ) {
        if !self.settings.inform {
            self.trap_id = self.trap_id.wrapping_add(1) & i32::MAX;
            self.buffer.clear();
            let written = match &self.settings.principal {
                Principal::Community(security) => {
                    event.trap(security.clone(), self.trap_id).encode(&mut self.buffer)
                }
                Principal::User(user) => {
                    let (id, at) = engine;
                    self.salt = self.salt.wrapping_add(1);
                    let keys = user.localized(&id);
                    event.trap_v3(&keys, &id, at, self.trap_id, self.salt).encode(&mut self.buffer)
                }
            };
            if let Err(error) = written {
                tracing::error!(%error, "cannot write a notification");
                return;
            }
            send(&self.socket, device, self.settings.address, &self.buffer);
            return;
        }
        let target = Target {
            address: self.settings.address,
            principal: self.settings.principal.clone(),
            timeout: self.settings.timeout,
            retries: self.settings.retries,
        };
        self.seed = self.seed.wrapping_add(1);
        let seed = self.seed;
        let manager =
            self.informs.entry(device).or_insert_with(|| Manager::new(ManagerSettings::default(), seed));
        if let Err(error) = manager.request(&target, event.inform()) {
            tracing::error!(%error, "cannot write an INFORM");
        }
        self.pump(device, now);
    }

    /// Takes acknowledgements.
    pub(crate) fn take(&mut self, batch: &Batch, now: Duration) {
        for datagram in batch.iter() {
            let Some(device) = datagram.local else { continue };
            if let Some(manager) = self.informs.get_mut(&device) {
                manager.handle(datagram.peer, datagram.bytes, now);
                self.pump(device, now);
            }
        }
    }

    /// Sends what is due.
    pub(crate) fn repeat(&mut self, now: Duration) {
        while let Some(device) = self.timers.pop(now) {
            self.pump(device, now);
        }
    }

    /// Sends what a device has to send, and forgets what is over.
    fn pump(&mut self, device: IpAddr, now: Duration) {
        let Some(manager) = self.informs.get_mut(&device) else { return };
        while let Some(peer) = manager.poll_transmit(now, &mut self.buffer) {
            send(&self.socket, device, peer, &self.buffer);
        }
        while manager.poll_event().is_some() {}
        let deadline = manager.next_deadline();
        let is_over = manager.outstanding() == 0;
        if is_over {
            self.informs.remove(&device);
        }
        self.timers.arm(device, deadline.filter(|_| !is_over));
    }

    /// A device that has lost power repeats nothing.
    pub(crate) fn forget(&mut self, device: IpAddr) {
        self.informs.remove(&device);
        self.timers.arm(device, None);
    }

    /// Waits for acknowledgements.
    pub(crate) async fn receive(&self, batch: &mut Batch) -> std::io::Result<()> {
        self.socket.receive(batch).await
    }

    pub(crate) fn next_deadline(&self) -> Option<Duration> {
        self.timers.next()
    }
}

fn send(socket: &Socket, device: IpAddr, peer: SocketAddr, bytes: &[u8]) {
    let transmit = Transmit { peer, local: Some(device), bytes, segment_size: None };
    if let Err(error) = socket.try_send(&transmit) {
        tracing::debug!(%error, %device, "a notification is lost");
    }
}
