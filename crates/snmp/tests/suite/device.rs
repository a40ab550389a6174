//! A device for the agent's tests: objects in an ordered map, some writable, with holes between them.

use std::collections::BTreeMap;
use std::ops::Bound;

use snmp::agent::{Instance, Objects, Refusal, Syntax, UndoFailed, Writable};
use snmp::*;

use crate::samples::name;

/// Below this name are the writable objects.
pub(crate) const WRITABLE: ObjectIdentifier = ObjectIdentifier::new([1, 3, 6, 1, 4, 1, 32473, 9]);

#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Device {
    pub(crate) objects: BTreeMap<ObjectIdentifier, Value>,
    /// The variable bindings of each SET that was committed, whole.
    pub(crate) committed: Vec<Vec<VarBind>>,
    pub(crate) test_refuses: Option<(usize, ErrorStatus)>,
    /// A commit stops before this position.
    pub(crate) commit_fails_at: Option<usize>,
    pub(crate) undo_fails: bool,
}

impl Device {
    pub(crate) fn with(objects: impl IntoIterator<Item = (&'static str, Value)>) -> Device {
        let objects = objects.into_iter().map(|(text, value)| (name(text), value)).collect();
        Device { objects, ..Device::default() }
    }

    /// Three columns of a table of which some cells are missing, with scalars before and after.
    pub(crate) fn with_holes() -> Device {
        let mut device = Device::with([
            ("1.3.6.1.2.1.1.1.0", Value::from("IAD with holes")),
            ("1.3.6.1.2.1.1.3.0", Value::TimeTicks(4711)),
            ("1.3.6.1.6.3.1.1.6.1.0", Value::Integer(1)),
        ]);
        let column = |column| ObjectIdentifier::new([1, 3, 6, 1, 2, 1, 2, 2, 1]).child(column);
        for row in (1..40).filter(|row| row % 3 != 0) {
            device.objects.insert(column(1).child(row), Value::Integer(row as i32));
            if row % 5 != 0 {
                device.objects.insert(column(2).child(row), Value::from(format!("line {row}")));
            }
            device.objects.insert(column(10).child(row), Value::Counter64(u64::MAX - u64::from(row)));
        }
        device.objects.insert(column(10).child(u32::MAX), Value::Counter32(u32::MAX));
        device
    }

    pub(crate) fn below(&self, root: &ObjectIdentifier) -> Vec<VarBind> {
        let below = self.objects.iter().filter(|(name, _)| name.starts_with(root) && *name != root);
        below.map(|(name, value)| VarBind { name: name.clone(), value: value.clone() }).collect()
    }
}

impl Objects for Device {
    fn get(&self, name: &ObjectIdentifier) -> Value {
        self.objects.get(name).cloned().unwrap_or_else(|| {
            let object = name.parent();
            let has_instances =
                |object: &ObjectIdentifier| self.objects.keys().any(|name| name.starts_with(object));
            if object.as_ref().is_some_and(has_instances) {
                Value::NoSuchInstance
            } else {
                Value::NoSuchObject
            }
        })
    }

    fn next(&self, name: &ObjectIdentifier) -> Option<VarBind> {
        let (name, value) = self.objects.range((Bound::Excluded(name), Bound::Unbounded)).next()?;
        Some(VarBind { name: name.clone(), value: value.clone() })
    }

    /// Column 1 takes small integers, 2 text of 2 to 8 octets, 3 is as 1 but in all its instances something is the matter.
    fn writable(&self, name: &ObjectIdentifier) -> Writable {
        let object = |syntax, instance| Writable::Object { syntax, instance };
        match name.strip_prefix(&WRITABLE) {
            Some([1, _]) => object(Syntax::Integer(1..=100), Instance::Writable),
            Some([2, _]) => object(Syntax::Text(2..=8), Instance::Writable),
            Some([3, 1]) => object(Syntax::Integer(1..=100), Instance::Impossible),
            Some([3, 2]) => object(Syntax::Integer(1..=100), Instance::NotNow),
            Some([3, 3]) => object(Syntax::Integer(1..=100), Instance::Fixed),
            Some(_) => Writable::NoAccess,
            None => Writable::Never,
        }
    }

    fn test(&self, _: &[VarBind]) -> Result<(), Refusal> {
        match self.test_refuses {
            Some((position, status)) => Err(Refusal::at(position, status)),
            None => Ok(()),
        }
    }

    fn commit(&mut self, varbinds: &[VarBind]) -> Result<(), Refusal> {
        self.committed.push(varbinds.to_vec());
        for (position, varbind) in varbinds.iter().enumerate() {
            if self.commit_fails_at == Some(position) {
                return Err(Refusal::at(position, ErrorStatus::GenErr));
            }
            self.objects.insert(varbind.name.clone(), varbind.value.clone());
        }
        Ok(())
    }

    fn undo(&mut self, before: &[VarBind]) -> Result<(), UndoFailed> {
        if self.undo_fails {
            return Err(UndoFailed);
        }
        for varbind in before {
            if varbind.value.is_exception() {
                self.objects.remove(&varbind.name);
            } else {
                self.objects.insert(varbind.name.clone(), varbind.value.clone());
            }
        }
        Ok(())
    }
}
