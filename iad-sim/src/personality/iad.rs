//! A device that answers the IAD-MIB (`mibs/IAD-MIB.mib`), the system group of SNMPv2-MIB (RFC 3418) and the engine group of
//! SNMP-FRAMEWORK-MIB (RFC 3411 section 5).

mod names;
mod notification;
mod read;
mod write;

use core::time::Duration;
use std::cell::RefCell;

use snmp::agent::{Objects, Refusal, UndoFailed, Writable};
use snmp::{ErrorStatus, ObjectIdentifier, Value, VarBind};

use crate::device::{Changes, Device};
use names::Found;

pub use notification::event;
pub use read::{engine_id, engine_time};

/// One device as an agent sees it, while one request is answered.
#[derive(Debug)]
pub struct IadObjects<'a> {
    device: &'a mut Device,
    now: Duration,
    /// What a SET asked that the device refused, to be counted once the answer is made.
    refused: RefCell<Option<Changes>>,
}

impl<'a> IadObjects<'a> {
    /// The device as it is at this moment.
    pub fn new(device: &'a mut Device, now: Duration) -> Self {
        device.refresh(now);
        Self { device, now, refused: RefCell::new(None) }
    }

    /// Ends the answering of the request.
    pub fn finish(self) {
        if let Some(changes) = self.refused.into_inner() {
            self.device.count_refused(&changes);
        }
    }
}

impl Objects for IadObjects<'_> {
    fn get(&self, name: &ObjectIdentifier) -> Value {
        match names::find(name) {
            Found::Instance(item) => {
                read::value(self.device, item, self.now).unwrap_or(Value::NoSuchInstance)
            }
            Found::Object => Value::NoSuchInstance,
            Found::Nothing => Value::NoSuchObject,
        }
    }

    fn next(&self, name: &ObjectIdentifier) -> Option<VarBind> {
        let shown = |(name, item): &(ObjectIdentifier, names::Item)| {
            Some(VarBind { name: name.clone(), value: read::value(self.device, *item, self.now)? })
        };
        names::after(name).iter().find_map(shown)
    }

    fn writable(&self, name: &ObjectIdentifier) -> Writable {
        write::writable(name)
    }

    fn test(&self, varbinds: &[VarBind]) -> Result<(), Refusal> {
        let changes = write::changes(varbinds)?;
        self.device.check(&changes).map_err(|refused| {
            self.refused.replace(Some(changes));
            Refusal::at(write::position(varbinds, refused.object), ErrorStatus::InconsistentValue)
        })
    }

    fn commit(&mut self, varbinds: &[VarBind]) -> Result<(), Refusal> {
        let failed = Refusal { index: 0, status: ErrorStatus::CommitFailed };
        let changes = write::changes(varbinds)?;
        self.device.set(&changes, self.now).map_err(|_| failed)
    }

    /// A device that refuses a SET has changed nothing.
    fn undo(&mut self, _before: &[VarBind]) -> Result<(), UndoFailed> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
