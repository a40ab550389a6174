//! One device among many: its address, what is stored of it, and the transfers that are carried for it.

use core::time::Duration;
use std::collections::BTreeMap;
use std::net::IpAddr;

use snmp::agent::Engine;
use snmp::usm::Authority;
use tokio::task::AbortHandle;

use super::spool::Spool;
use super::store::{Store, Stored};
use super::transfers::Owner;
use crate::device::{Device, Digest, Fetch, Power, Purpose, TransferId};
use crate::personality::iad::{engine_id, engine_time};

/// One device among many.
#[derive(Debug)]
pub(crate) struct Unit {
    pub(crate) device: Device,
    pub(crate) address: IpAddr,
    /// Its engine, once somebody has spoken SNMPv3 to it.
    authority: Option<Box<Authority>>,
    pub(crate) carriers: BTreeMap<TransferId, Carrier>,
    /// What it was doing when that was last told.
    pub(crate) told_power: Power,
    saved: Option<u64>,
    spool: Option<Spool>,
    /// The transfer whose bytes go to the spool.
    spooled: Option<TransferId>,
}

/// Who moves a file.
#[derive(Debug)]
pub(crate) enum Carrier {
    /// A socket of the TFTP pool.
    Tftp,
    /// A task of its own.
    Ftp(AbortHandle),
}

impl Unit {
    pub(crate) fn new(device: Device, address: IpAddr) -> Self {
        let told_power = device.power();
        Self {
            device,
            address,
            authority: None,
            carriers: BTreeMap::new(),
            told_power,
            saved: None,
            spool: None,
            spooled: None,
        }
    }

    /// What answers for the device, and the device.
    pub(crate) fn engine(&mut self, now: Duration) -> (Engine<'_>, &mut Device) {
        let at = engine_time(&self.device, now);
        let id = engine_id(&self.device);
        let authority = self.authority.get_or_insert_with(|| Box::new(Authority::new(id)));
        (Engine { authority, at }, &mut self.device)
    }

    /// Stores the device if anything changed.
    pub(crate) fn save(&mut self, store: Option<&Store>) {
        let changes = self.device.changes();
        let Some(store) = store.filter(|_| self.saved != Some(changes)) else { return };
        let stored =
            Stored { durable: self.device.durable().clone(), counters: self.device.counters().clone() };
        match store.save(&self.device.settings().unique_id, &stored) {
            Ok(()) => self.saved = Some(changes),
            Err(error) => tracing::error!(error = &error as &dyn std::error::Error, "a device is not stored"),
        }
    }

    /// A file is about to be loaded: if it is the first of an image its content is collected from here on.
    pub(crate) fn begin_spool(&mut self, store: Option<&Store>, fetch: &Fetch) {
        self.spooled = None;
        let (Some(store), Purpose::Image(part)) = (store, fetch.purpose) else { return };
        if part == 0 {
            self.discard_spool();
            let digests = &self.device.durable().operation.parameters.digests;
            let expected = digests.first().copied().filter(|_| digests.len() == 1);
            let begun = Spool::begin(store, &self.device.settings().unique_id, expected);
            self.spool = begun.unwrap_or_else(|error| {
                tracing::error!(%error, "the content of an image is not kept");
                None
            });
        }
        self.spooled = self.spool.as_ref().map(|_| fetch.transfer);
    }

    /// Takes bytes of a file that is being loaded.
    pub(crate) fn spool(&mut self, owner: Owner, bytes: &[u8]) {
        if self.spooled != Some(owner.transfer) {
            return;
        }
        if let Some(Err(error)) = self.spool.as_mut().map(|spool| spool.write(bytes)) {
            tracing::error!(%error, "the content of an image is not kept");
            self.discard_spool();
        }
    }

    /// The image is good.
    pub(crate) fn keep_spool(&mut self, store: Option<&Store>, digest: Digest) {
        if let (Some(store), Some(spool)) = (store, self.spool.take())
            && let Err(error) = spool.keep(store, digest)
        {
            tracing::error!(%error, "the content of an image is not kept");
        }
    }

    /// Nothing comes any more of what was collected.
    pub(crate) fn discard_spool(&mut self) {
        if let Some(Err(error)) = self.spool.take().map(Spool::discard) {
            tracing::debug!(%error, "a part of an image stays behind");
        }
    }

    /// When the device is due next.
    pub(crate) fn deadline(&self, now: Duration) -> Option<Duration> {
        self.device.next_deadline(now)
    }
}
