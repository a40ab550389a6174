//! What the loop takes from the store at its start, and of the inventory whenever that changes.

use std::sync::Arc;

use engine::director::{Entry, Input};
use engine::listener::{DeviceIndex, Heard};
use upgrade::Run;

use super::commands::access;
use super::{Batch, Loop};
use crate::daemon::Trap;
use crate::profiles::restored;
use crate::store::StoreError;

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
            varbinds: heard.varbinds.clone(),
        }
    }

    pub(super) async fn refresh_index(&mut self) -> Result<(), StoreError> {
        let devices = self.connections.store.devices().await?;
        let mut index = DeviceIndex::default();
        self.names.clear();
        for device in devices {
            if let Some(known) = self.connections.catalogue.get(&device.entry.profile) {
                index.profiles.insert(device.id, Arc::clone(&known.profile));
            }
            index.by_unique_id.extend(device.unique_id.map(|unique_id| (unique_id, device.id)));
            index.by_address.insert(device.entry.access.address.to_canonical(), device.id);
            self.names.insert(device.id, device.entry.name);
        }
        self.connections.index.send_replace(Arc::new(index));
        Ok(())
    }

    /// Every run that was not over goes on where it stood, with a look at its device first.
    pub(super) async fn resume(&self) -> Result<Batch, StoreError> {
        let mut batch = Batch::default();
        for mut open in self.connections.store.open_runs().await? {
            let device = self.connections.store.device_by_id(open.run.device.id).await?;
            // The file server may be at another address or port than before the restart.
            let Run { id, server, secret, .. } = &open.run;
            if let Ok(server) = self.server(*id, &device, server.protocol, secret) {
                open.run.server = server;
            }
            match restored(&open.profile) {
                Ok(profile) => {
                    let profile = Arc::new(profile);
                    let access = access(&device, &profile);
                    let entry = Entry::stored(open.run, open.seq, open.told, profile, access);
                    batch.inputs.push(Input::Resume(Box::new(entry)));
                }
                Err(error) => {
                    let run = open.run.id.0;
                    tracing::error!(run, %error, "the profile kept with a run cannot be read; the run stands still");
                }
            }
        }
        Ok(batch)
    }
}
