//! SET: all variable bindings or none (RFC 3416 section 4.2.5). SNMPv1 has the same checks, answered in its own words.

use super::{Answer, Instance, Objects, Refusal, Writable};
use crate::{ErrorStatus, VarBind};

pub(super) fn set<O: Objects + ?Sized>(objects: &mut O, asked: &[VarBind<&[u8]>], room: usize) -> Answer {
    // Before anything is written: an answer that does not fit would say that nothing was.
    if asked.iter().map(VarBind::encoded_length).sum::<usize>() > room {
        return Err(Refusal { index: 0, status: ErrorStatus::TooBig });
    }
    let varbinds: Vec<VarBind> = asked.iter().cloned().map(VarBind::into_owned).collect();
    for (position, varbind) in varbinds.iter().enumerate() {
        check(objects, varbind).map_err(|status| Refusal::at(position, status))?;
    }
    objects.test(&varbinds)?;
    let before: Vec<VarBind> = varbinds
        .iter()
        .map(|varbind| VarBind { name: varbind.name.clone(), value: objects.get(&varbind.name) })
        .collect();
    let Err(refusal) = objects.commit(&varbinds) else { return Ok(varbinds) };
    Err(match objects.undo(&before) {
        Ok(()) => Refusal { index: refusal.index, status: ErrorStatus::CommitFailed },
        Err(_) => Refusal { index: 0, status: ErrorStatus::UndoFailed },
    })
}

/// The checks of RFC 3416 section 4.2.5 that look at one variable binding, in their order.
fn check<O: Objects + ?Sized>(objects: &O, varbind: &VarBind) -> Result<(), ErrorStatus> {
    let (syntax, instance) = match objects.writable(&varbind.name) {
        Writable::NoAccess => return Err(ErrorStatus::NoAccess),
        Writable::Never => return Err(ErrorStatus::NotWritable),
        Writable::Object { syntax, instance } => (syntax, instance),
    };
    syntax.check(&varbind.value)?;
    match instance {
        Instance::Impossible => Err(ErrorStatus::NoCreation),
        Instance::NotNow => Err(ErrorStatus::InconsistentName),
        Instance::Fixed => Err(ErrorStatus::NotWritable),
        Instance::Writable => Ok(()),
    }
}
