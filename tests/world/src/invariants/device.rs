//! What must hold of a device's durable memory, whatever happens to it.

use std::collections::{BTreeMap, BTreeSet};

use iad_sim::device::{ConfigurationKind, Document, Durable, Power};
use upgrade::Digest;

use super::{Checked, Checks, Known, broken};
use crate::images::{digest, digest_of};
use crate::rival::RIVAL;
use crate::store::Store;
use crate::unit::Unit;
use crate::world::device_id;

impl Checks {
    /// A subscriber's configuration that is nowhere is lost for ever: at every instant it is on the device it belongs
    /// to, in a backup of it, or both.
    pub(super) fn a_configuration_is_on_its_device_or_in_a_backup(
        &self,
        place: usize,
        store: &Store,
    ) -> Checked {
        let Some(known) = self.devices.get(place) else { return Ok(()) };
        let lost = known
            .history
            .iter()
            .find(|digest| !known.held.contains(digest) && !store.has_backup(device_id(place), **digest));
        match lost {
            Some(digest) => broken(
                "a_configuration_is_on_its_device_or_in_a_backup",
                format!("device {} has lost {}", place + 1, digest.short()),
            ),
            None => Ok(()),
        }
    }

    /// With another one's configuration a device answers to other people's numbers.
    pub(super) fn no_configuration_is_on_another_device(&self, place: usize, durable: &Durable) -> Checked {
        for configuration in durable.configurations.iter().flatten() {
            let owner = self.owners.get(&digest(configuration.sha256()));
            if let Some(owner) = owner.filter(|owner| **owner != place) {
                let what = format!("device {} has the configuration of device {}", place + 1, owner + 1);
                return broken("no_configuration_is_on_another_device", what);
            }
        }
        Ok(())
    }

    /// The way back is the other buffer: it must be there for as long as the new software may fail.
    pub(super) fn the_old_image_stays_until_the_new_one_is_confirmed(
        &mut self,
        place: usize,
        durable: &Durable,
    ) -> Checked {
        let Some(known) = self.devices.get_mut(place) else { return Ok(()) };
        // What another manager has it try begins from whatever runs then.
        if durable.boot.trial.is_none() || durable.operation.id.starts_with(RIVAL) {
            known.before_trial = None;
            return Ok(());
        }
        let standby =
            durable.standby().filter(|standby| standby.is_valid()).map(|standby| standby.version.clone());
        if known.rotted {
            return Ok(());
        }
        let before = known.before_trial.get_or_insert_with(|| standby.clone().unwrap_or_default());
        if standby.as_ref() == Some(before) {
            return Ok(());
        }
        let what = format!("device {}: {before:?} was the way back, now it is {standby:?}", place + 1);
        broken("the_old_image_stays_until_the_new_one_is_confirmed", what)
    }
}

impl Known {
    pub(super) fn owe(
        &mut self,
        place: usize,
        owed: BTreeMap<ConfigurationKind, Document>,
        owners: &mut BTreeMap<Digest, usize>,
    ) {
        for (kind, document) in &owed {
            let digest = digest_of(document.text().as_bytes());
            self.history.insert(digest);
            // What is empty, or comes with the software, is nobody's own.
            if *kind != ConfigurationKind::DefaultParameters && document.entries().next().is_some() {
                owners.insert(digest, place);
            }
        }
        self.owed = owed;
    }
}

/// A device that has nothing to start is dead, and somebody has to drive there.
pub(super) fn there_is_always_software_to_start(place: usize, durable: &Durable) -> Checked {
    if durable.buffers.iter().any(iad_sim::device::Buffer::is_valid) {
        return Ok(());
    }
    broken("there_is_always_software_to_start", format!("device {} has none", place + 1))
}

/// A device that runs nothing is dead, and somebody has to drive there.
pub(super) fn no_device_is_left_dead(place: usize, unit: &Unit) -> Checked {
    match unit.device.power() {
        Power::Dead => broken("no_device_is_left_dead", format!("device {}", place + 1)),
        _ => Ok(()),
    }
}

/// Whether this runs, in this buffer by its index at the device (IAD-MIB `iadBufferIndex`) where that is known.
pub(super) fn is_running(durable: &Durable, version: &str, buffer: Option<u32>) -> bool {
    let index = u32::try_from(durable.boot.selected + 1).ok();
    let active = durable.active().map(|active| active.version.as_str());
    active == Some(version) && (buffer.is_none() || buffer == index)
}

/// The configuration in force.
pub(super) fn in_force(durable: &Durable) -> BTreeMap<ConfigurationKind, Document> {
    let document = |kind| Some((kind, durable.running_configuration(kind)?.document().clone()));
    ConfigurationKind::ALL.into_iter().filter_map(document).collect()
}

/// The configuration of the software in the other buffer.
pub(super) fn aside(durable: &Durable) -> BTreeMap<ConfigurationKind, Document> {
    let other = durable.standby_index();
    let document = |kind| Some((kind, durable.configuration(other?, kind)?.document().clone()));
    ConfigurationKind::ALL.into_iter().filter_map(document).collect()
}

/// What kind of configuration each is that a device holds.
pub(super) fn kinds(durable: &Durable) -> impl Iterator<Item = (Digest, ConfigurationKind)> {
    let all = durable.configurations.iter().flatten();
    all.map(|configuration| (digest(configuration.sha256()), configuration.document().kind))
}

/// Notes under which software each is that a device holds.
pub(super) fn note_software(durable: &Durable, under: &mut BTreeMap<Digest, BTreeSet<String>>) {
    for (buffer, configurations) in durable.buffers.iter().zip(&durable.configurations) {
        for configuration in configurations {
            let versions = under.entry(digest(configuration.sha256())).or_default();
            if !versions.contains(&buffer.version) {
                versions.insert(buffer.version.clone());
            }
        }
    }
}

/// The digests of all that a device holds.
pub(super) fn held(durable: &Durable) -> BTreeSet<Digest> {
    durable.configurations.iter().flatten().map(|configuration| digest(configuration.sha256())).collect()
}
