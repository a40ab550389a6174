//! Devices that are spoken to in SNMPv3: the user that all of them know, and what a device has to prove itself.

use core::time::Duration;
use std::sync::{Arc, OnceLock};

use engine::access::Credentials;
use iad_sim::device::Device;
use iad_sim::personality::iad::{engine_id, engine_time};
use snmp::agent::Engine;
use snmp::notification::Event;
use snmp::usm::{Authentication, Authority, EngineTime, Keys, Privacy, User};

/// The credential by which the manager asks them.
pub(crate) const CREDENTIAL: &str = "world";

/// The user that the devices know. Its keys are derived once for all worlds.
pub(crate) fn user() -> Arc<User> {
    static USER: OnceLock<Arc<User>> = OnceLock::new();
    let user = || {
        let user = User::new("world")?.authenticating(Authentication::Sha256, b"maplesyrup")?;
        user.encrypting(Privacy::Aes128, b"rupryselpam").map(Arc::new)
    };
    // The name and the pass-phrases are as they must be.
    Arc::clone(USER.get_or_init(|| user().unwrap_or_else(|error| unreachable!("{error}"))))
}

/// What the manager knows.
pub(crate) fn credentials() -> Credentials {
    [(CREDENTIAL.to_owned(), [user()].into())].into()
}

/// The engine of a device, and its user's keys for it.
#[derive(Debug)]
pub(crate) struct Secured {
    authority: Authority,
    keys: Keys,
    /// It forgets how often it has started.
    forgetful: bool,
    /// The last one that was used to encrypt a trap.
    salt: u64,
}

impl Secured {
    pub(crate) fn new(device: &Device, forgetful: bool, salt: u64) -> Self {
        let id = engine_id(device);
        Self { authority: Authority::new(id), keys: user().localized(&id), forgetful, salt }
    }

    pub(crate) const fn keys(&self) -> &Keys {
        &self.keys
    }

    pub(crate) fn engine(&mut self, device: &Device, now: Duration) -> Engine<'_> {
        let at = self.at(device, now);
        Engine { authority: &mut self.authority, at }
    }

    /// A trap of the device's.
    pub(crate) fn trap(&mut self, device: &Device, event: Event, id: i32, now: Duration) -> Option<Vec<u8>> {
        self.salt = self.salt.wrapping_add(1);
        let mut bytes = Vec::new();
        let at = self.at(device, now);
        event.trap_v3(&self.keys, self.authority.id(), at, id, self.salt).encode(&mut bytes).ok()?;
        Some(bytes)
    }

    fn at(&self, device: &Device, now: Duration) -> EngineTime {
        let at = engine_time(device, now);
        if self.forgetful { EngineTime { boots: 1, ..at } } else { at }
    }
}
