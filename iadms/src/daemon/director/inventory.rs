//! What the loop takes from the store at its start, and of the inventory whenever that changes.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use engine::access::Credentials;
use engine::director::{Entry, Input};
use engine::listener::{DeviceIndex, Heard};
use snmp::usm::User;
use upgrade::{Oid, Run, Value};

use super::commands::{access, engine_of};
use super::{Batch, Loop};
use crate::credential::SealedCredential;
use crate::daemon::Trap;
use crate::inventory::Device;
use crate::net::listener::Known;
use crate::profiles::restored;
use crate::seal::{Key, NotOpened};
use crate::store::{OpenRuns, StoreError};

impl Loop {
    pub(super) fn trap(&self, heard: &Heard) -> Trap {
        Trap {
            at: self.clock.now(),
            from: heard.peer,
            device: heard.device.and_then(|device| self.names.get(&device).cloned()),
            version: heard.version.to_owned(),
            kind: if heard.inform { "inform" } else { "trap" }.to_owned(),
            oid: heard.name.clone(),
            uptime: heard.uptime,
            varbinds: shortened(&heard.varbinds),
        }
    }

    /// Reads it anew. Runs under way go on with what it says now: a community or an address that was wrong needs no
    /// new run.
    pub(super) async fn read_inventory(&mut self) -> Result<Vec<Input>, StoreError> {
        self.open_credentials().await?;
        let devices = self.connections.store.devices().await?;
        let mut index = DeviceIndex::default();
        index.believed.extend(self.opened.values().flat_map(|opened| opened.users.iter().cloned()));
        let mut moved = Vec::new();
        self.names.clear();
        for device in devices {
            let run = self.director.run_of(device.id).and_then(|run| self.director.entry(run));
            moved.extend(run.and_then(|run| self.moved(run, &device)));
            if let Some(known) = self.connections.catalogue.get(&device.entry.profile) {
                index.profiles.insert(device.id, Arc::clone(&known.profile));
            }
            index.by_engine.extend(engine_of(&device).map(|engine| (engine, device.id)));
            let users = device.entry.access.credential.as_ref().and_then(|name| self.opened.get(name));
            index.users.extend(users.map(|opened| (device.id, Arc::clone(&opened.users))));
            index.by_unique_id.extend(device.unique_id.map(|unique_id| (unique_id, device.id)));
            index.by_address.insert(device.entry.access.address.to_canonical(), device.id);
            self.names.insert(device.id, device.entry.name);
        }
        self.tell_listener(Known::Inventory(index));
        Ok(moved)
    }

    /// Opens the secrets of credentials that are new. As whom devices are asked is told before anything is asked.
    async fn open_credentials(&mut self) -> Result<(), StoreError> {
        let mut opened = BTreeMap::new();
        for sealed in self.connections.store.credentials().await? {
            let known = self.opened.remove(&sealed.name).filter(|known| known.sealed == sealed);
            let known = known.unwrap_or_else(|| Opened::of(sealed, self.connections.key.as_deref()));
            opened.insert(known.sealed.name.clone(), known);
        }
        let all = |opened: &BTreeMap<String, Opened>| -> Credentials {
            let usable = opened.iter().filter(|(_, opened)| !opened.users.is_empty());
            usable.map(|(name, opened)| (name.clone(), Arc::clone(&opened.users))).collect()
        };
        let told = all(&opened);
        self.opened = opened;
        self.connections.credentials.send_if_modified(|known| {
            let changed = *known != told;
            *known = told;
            changed
        });
        Ok(())
    }

    /// The listener knows of a change only here, after it was committed.
    pub(super) fn tell_listener(&self, known: Known) {
        // A listener that ended has ended the daemon too.
        let _ = self.connections.known.send(known);
    }

    /// The same where nobody waits for an answer: what cannot be read is told in the log.
    pub(super) async fn refresh_inventory(&mut self) -> Vec<Input> {
        self.read_inventory().await.unwrap_or_else(|error| {
            tracing::error!(error = &error as &dyn std::error::Error, "the inventory cannot be read");
            Vec::new()
        })
    }

    /// Nothing where there is no way from here to the device, or no server by the run's protocol.
    fn moved(&self, entry: &Entry, device: &Device) -> Option<Input> {
        let Run { id, server, secret, .. } = entry.run.as_ref();
        let server = self.server(*id, device, server.protocol, secret).ok()?;
        let server = SocketAddr::new(server.address, server.port);
        Some(Input::Moved { run: *id, access: access(device, &entry.profile), server })
    }

    /// Every run that was not over goes on where it stood, with a look at its device first. One that cannot be read is set
    /// aside, and its device with it, until an operator has spoken: nobody knows what was commanded there.
    pub(super) async fn resume(&mut self) -> Result<Batch, StoreError> {
        let mut batch = Batch::default();
        let OpenRuns { readable, mut unreadable } = self.connections.store.open_runs().await?;
        for open in readable {
            let profile = match restored(&open.profile) {
                Ok(profile) => Arc::new(profile),
                Err(error) => {
                    unreadable.push(open.unreadable(format!("the profile that it began with: {error}")));
                    continue;
                }
            };
            let device = self.connections.store.device_by_id(open.run.device.id).await?;
            let access = access(&device, &profile);
            let entry = Entry::stored(open.run, open.seq, open.told, profile, access);
            // Device and file server may be elsewhere than before the restart.
            let moved = self.moved(&entry, &device);
            batch.inputs.push(Input::Resume(Box::new(entry)));
            batch.inputs.extend(moved);
        }
        for run in unreadable {
            tracing::error!(
                run = run.id.0,
                device = run.name,
                why = run.unreadable,
                "a run cannot be read, and was set aside"
            );
            self.aside.insert(run.device, run);
        }
        self.tell_aside();
        Ok(batch)
    }
}

/// A credential whose secrets are open.
pub(super) struct Opened {
    sealed: SealedCredential,
    /// The one in force first; nobody where the key is another one.
    users: Arc<[Arc<User>]>,
}

impl Opened {
    fn of(sealed: SealedCredential, key: Option<&Key>) -> Self {
        let mut users = Vec::new();
        for user in sealed.users() {
            match key.ok_or_else(|| NotOpened.into()).and_then(|key| user.opened(&sealed.name, key)) {
                Ok(opened) => users.push(opened),
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::error!(
                        error,
                        credential = sealed.name,
                        "the secrets of a credential cannot be opened"
                    );
                }
            }
        }
        Self { sealed, users: users.into() }
    }
}

/// Bytes of texts that are kept of one notification: strangers could fill the disk with more.
const MOST_TEXT: usize = 2048;
/// Objects that are kept of one notification.
const MOST_OBJECTS: usize = 64;

/// What is kept of a notification's objects: devices send a few short ones.
fn shortened(varbinds: &[(Oid, Value)]) -> Vec<(Oid, Value)> {
    let mut room = MOST_TEXT;
    let short = |(name, value): &(Oid, Value)| {
        let value = match value {
            Value::Octets(octets) => {
                let kept = octets.len().min(room);
                room -= kept;
                Value::Octets(octets.get(..kept).unwrap_or_default().to_vec())
            }
            other => other.clone(),
        };
        (name.clone(), value)
    };
    varbinds.iter().take(MOST_OBJECTS).map(short).collect()
}
