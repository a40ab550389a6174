//! GET, GETNEXT and GETBULK (RFC 1157 sections 4.1.2 and 4.1.3, RFC 3416 sections 4.2.1 to 4.2.3).

use super::{Answer, Objects, Refusal};
use crate::ber::{DecodeError, Reader, read_object_identifier, tag};
use crate::varbind::{Found, pairs, usual_count};
use crate::{ErrorStatus, ObjectIdentifier, Value, ValueKind, VarBind, Version};

type Asked<'a> = [VarBind<&'a [u8]>];

/// What is found goes back under the name that is asked for, as that is written: most of an agent's work is this.
pub(super) fn get<'a, O: Objects + ?Sized>(
    objects: &O,
    version: Version,
    mut asked: Reader<'a>,
) -> Result<Result<Vec<Found<'a>>, Refusal>, DecodeError> {
    let list = asked.expect(tag::SEQUENCE)?;
    let mut answer = Vec::with_capacity(usual_count(list));
    let mut wanted = ObjectIdentifier::new([]);
    for (position, pair) in pairs(list).enumerate() {
        let (name, _) = pair?;
        read_object_identifier(name, &mut wanted)?;
        let value = objects.get(&wanted);
        if version == Version::V1 && !value.is_of_v1() {
            return Ok(Err(Refusal::at(position, ErrorStatus::NoSuchName)));
        }
        if let Err(refusal) = readable(position, &value) {
            return Ok(Err(refusal));
        }
        answer.push(Found { name, value });
    }
    Ok(Ok(answer))
}

pub(super) fn get_next<O: Objects + ?Sized>(objects: &O, version: Version, asked: &Asked<'_>) -> Answer {
    let read = |(position, asked): (usize, &VarBind<&[u8]>)| {
        let mut found = next(objects, &asked.name);
        if version == Version::V1 {
            // SNMPv1 passes over what it has no type for (RFC 3584 section 4.2.2.1).
            while found.value.kind() == ValueKind::Counter64 {
                found = next(objects, &found.name);
            }
            if found.value.is_exception() {
                return Err(Refusal::at(position, ErrorStatus::NoSuchName));
            }
        }
        readable(position, &found.value)?;
        Ok(found)
    };
    all(asked, read)
}

/// Reads until all repetitions are done, all names are at their end, or `room` bytes are full.
pub(super) fn get_bulk<O: Objects + ?Sized>(
    objects: &O,
    asked: &Asked<'_>,
    non_repeaters: u32,
    max_repetitions: u32,
    room: usize,
) -> Answer {
    let non_repeaters = usize::try_from(non_repeaters).unwrap_or(usize::MAX).min(asked.len());
    let (once, repeated) = asked.split_at(non_repeaters);
    let mut room = room;
    let mut found = Vec::new();
    for (position, asked) in once.iter().enumerate() {
        let following = next(objects, &asked.name);
        readable(position, &following.value)?;
        if !push_within(&mut room, &mut found, following) {
            return Ok(found);
        }
    }
    let mut names: Vec<ObjectIdentifier> = repeated.iter().map(|asked| asked.name.clone()).collect();
    for _ in 0..max_repetitions {
        let mut all_at_end = true;
        for (position, name) in names.iter_mut().enumerate() {
            let following = next(objects, name);
            readable(non_repeaters + position, &following.value)?;
            all_at_end &= following.value == Value::EndOfMibView;
            name.clone_from(&following.name);
            if !push_within(&mut room, &mut found, following) {
                return Ok(found);
            }
        }
        if all_at_end {
            break;
        }
    }
    Ok(found)
}

/// What `read` finds for each, or the first refusal.
fn all(asked: &Asked<'_>, read: impl Fn((usize, &VarBind<&[u8]>)) -> Result<VarBind, Refusal>) -> Answer {
    // Collecting results would make room for them bit by bit.
    let mut found = Vec::with_capacity(asked.len());
    for asked in asked.iter().enumerate() {
        found.push(read(asked)?);
    }
    Ok(found)
}

fn next<O: Objects + ?Sized>(objects: &O, name: &ObjectIdentifier) -> VarBind {
    objects.next(name).unwrap_or_else(|| VarBind { name: name.clone(), value: Value::EndOfMibView })
}

fn readable(position: usize, value: &Value) -> Result<(), Refusal> {
    match value {
        Value::Null => Err(Refusal::at(position, ErrorStatus::GenErr)),
        _ => Ok(()),
    }
}

fn push_within(room: &mut usize, found: &mut Vec<VarBind>, varbind: VarBind) -> bool {
    match room.checked_sub(varbind.encoded_length()) {
        Some(left) => {
            *room = left;
            found.push(varbind);
            true
        }
        None => false,
    }
}
