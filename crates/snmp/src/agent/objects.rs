//! What a device shows to an [`Agent`](super::Agent): its objects, in order, and how they are written.

use super::Syntax;
use crate::{ErrorStatus, ObjectIdentifier, Value, VarBind};

/// The objects of one device.
///
/// A SET reaches the device as a whole, in three steps: [`writable`](Objects::writable) for each variable binding,
/// [`test`](Objects::test) for all of them together, [`commit`](Objects::commit) for all of them together. Only a commit
/// changes anything. One variable binding may depend on another of the same SET, in whatever order they come.
pub trait Objects {
    /// The value of an instance; [`Value::NoSuchObject`] or [`Value::NoSuchInstance`] if there is none, and
    /// [`Value::Null`] if it cannot be read now, which is answered as `genErr`.
    fn get(&self, name: &ObjectIdentifier) -> Value;

    /// The first instance whose name is greater than `name`, which itself need not exist. `None` after the last.
    fn next(&self, name: &ObjectIdentifier) -> Option<VarBind>;

    /// What a write to this name meets.
    fn writable(&self, name: &ObjectIdentifier) -> Writable;

    /// Checks that all these values can be written together, now. Syntax is checked before.
    ///
    /// # Errors
    /// `inconsistentValue`, `inconsistentName`, `resourceUnavailable`, `wrongValue` or `genErr`, for the first variable
    /// binding that is wrong.
    fn test(&self, varbinds: &[VarBind]) -> Result<(), Refusal>;

    /// Writes all these values, which were just tested.
    ///
    /// # Errors
    /// Something went wrong at the last moment, at this variable binding; [`undo`](Objects::undo) follows. Whatever status the
    /// refusal has, the answer says `commitFailed`.
    fn commit(&mut self, varbinds: &[VarBind]) -> Result<(), Refusal>;

    /// Puts back what a failed commit has changed. `before` are the names of the SET with their values from before it,
    /// exceptions for those that did not exist.
    ///
    /// # Errors
    /// Not everything could be put back.
    fn undo(&mut self, before: &[VarBind]) -> Result<(), UndoFailed>;
}

/// What a write to a name meets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Writable {
    /// The name is outside of what may be accessed: `noAccess`.
    NoAccess,
    /// Nothing below this object can ever be written: `notWritable`.
    Never,
    /// An object that can be written, at least as some instance.
    Object {
        /// What values it takes.
        syntax: Syntax,
        /// Whether this very instance can be written.
        instance: Instance,
    },
}

/// Whether an instance of a writable object can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Instance {
    /// It exists, or may be made by this write.
    Writable,
    /// It exists but is fixed, whatever the value: `notWritable`.
    Fixed,
    /// It does not exist and can never be made: `noCreation`.
    Impossible,
    /// It does not exist and cannot be made under the present circumstances: `inconsistentName`.
    NotNow,
}

/// A variable binding that cannot be had or written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// Which variable binding, counted from 1; 0 for none in particular.
    pub index: usize,
    /// Why. SNMPv1 is answered with what it has in its place.
    pub status: ErrorStatus,
}

impl Refusal {
    /// Refuses the variable binding at this position, counted from 0 as slices are.
    pub fn at(position: usize, status: ErrorStatus) -> Refusal {
        Refusal { index: position.saturating_add(1), status }
    }
}

/// A failed commit could not be undone wholly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UndoFailed;
