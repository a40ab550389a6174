//! What must hold of what goes over the wire: to a device, and from whoever answers.

use std::collections::VecDeque;
use std::net::SocketAddr;

use engine::commander::{Answer, Asker, Outcome as Answered};
use engine::file_server::Refusal;
use iad_sim::device::Command;
use snmp::usm::{Keys, Overheard, SecurityLevel};
use snmp::{Body, Message, ObjectIdentifier, Value};
use tftp::Packet;
use upgrade::profile::Limits;
use upgrade::run::State;
use upgrade::{Profile, Run, RunId, Time};

use super::words::what_is_stopped_is_told_so;
use super::{Checked, Checks, Known, broken, command};
use crate::rival::RIVAL;
use crate::store::Store;
use crate::unit::Unit;
use crate::world::place_of;

/// A command is sent so often, as long as nothing comes of it.
const MOST_SENDS: u32 = 5;

/// How often a request is sent anew because its device reported where it is, or its clock.
const MOST_CORRECTIONS: u32 = 4;

/// After the time that others are waited for, a device is seen at their work so often at most, until that is committed.
const MOST_LATE_LOOKS: u32 = 20;

/// Whoever reads a device's address and user on the wire gets none of its files, and gives it none.
pub(crate) fn nobody_gets_in_by_another_password(admitted: &Result<RunId, Refusal>) -> Checked {
    match admitted {
        Ok(run) => broken("nobody_gets_in_by_another_password", format!("as the user of run {run}")),
        Err(_) => Ok(()),
    }
}

impl Checks {
    /// Whether a device has answered the manager in this life of it.
    pub(crate) fn has_looked(&self, place: usize, life: u32) -> bool {
        self.devices.get(place).is_none_or(|known| known.looked_in == life)
    }

    /// It has.
    pub(crate) fn looked(&mut self, place: usize, life: u32) {
        if let Some(known) = self.devices.get_mut(place) {
            known.looked_in = life;
        }
    }

    /// A look at a device is answered: whether it is at somebody else's work.
    pub(crate) fn shown(&mut self, answer: &Answer, store: &Store, profile: &Profile, now: Time) -> Checked {
        let (Asker::Run { run, .. }, Answered::Values(values)) = (answer.asker, &answer.outcome) else {
            return Ok(());
        };
        let Some(stored) = store.runs.get(&run) else { return Ok(()) };
        let Some(known) = self.devices.get_mut(place_of(stored.run.device.id)) else { return Ok(()) };
        // Most devices have never heard of anybody else.
        let others = known.shown_busy.is_some() || known.operation.id.starts_with(RIVAL);
        if others && let Some(shown) = command::shown(values, profile) {
            known.shown_busy = shown;
        }
        let own = profile.unique_id_in(values);
        if own.is_some() && own == stored.run.device.unique_id {
            what_is_stopped_is_told_so(known, &stored.run, now)?;
        }
        nobody_is_waited_for_for_ever(known, &stored.run, store, profile, now)
    }

    /// What happened while the manager was down is known to the device alone: it is asked before anything is sent.
    pub(crate) fn a_command_follows_a_look(&self, place: usize, life: u32, sent: &Sent) -> Checked {
        if self.has_looked(place, life) || !sent.is_set {
            return Ok(());
        }
        let what = format!("life {life} of the manager has not heard device {} yet", place + 1);
        broken("a_command_follows_a_look", what)
    }

    /// What is not heeded is sent again, and then given up: a device may have another community for commands, or be mute to them.
    /// One that speaks SNMPv3 may report its clock instead, and is then sent the same once more.
    pub(crate) fn a_command_is_not_sent_for_ever(
        &mut self,
        place: usize,
        sent: &Sent,
        unit: Option<&Unit>,
    ) -> Checked {
        let Some(known) = self.devices.get_mut(place) else { return Ok(()) };
        if sent.commands(Command::Abort) {
            known.stopped = None;
        }
        let Some(operation) = sent.operation.as_ref().filter(|_| sent.begins()) else { return Ok(()) };
        let last = &mut known.commanded;
        if last.operation != *operation {
            let looks = std::mem::take(&mut last.looks);
            *last = Commanded { operation: operation.clone(), looks, ..Commanded::default() };
        }
        let is_same = last.sends > 0 && last.request == sent.request;
        last.sends += u32::from(!is_same);
        last.copies = if is_same { last.copies + 1 } else { 1 };
        last.request = sent.request;
        last.on_trial = unit.is_some_and(|unit| unit.device.durable().boot.trial.is_some());
        last.selected = unit.map(|unit| unit.device.durable().boot.selected);
        let reports = unit.is_some_and(|unit| unit.keys().is_some());
        let most = if reports { 1 + MOST_CORRECTIONS } else { 1 };
        if last.sends > MOST_SENDS || last.copies > most {
            let Commanded { sends, copies, .. } = last;
            let what =
                format!("{operation} is sent to device {} the {sends}th time, copy {copies}", place + 1);
            return broken("a_command_is_not_sent_for_ever", what);
        }
        Ok(())
    }

    /// A thin link carries the same question as often as the profile says, and no more. Where it is understood by whoever hears it, that is
    /// counted.
    pub(crate) fn a_question_is_not_sent_for_ever(
        &mut self,
        place: usize,
        sent: &Sent,
        repeats: u32,
    ) -> Checked {
        let (Some(known), Some(asks)) = (self.devices.get_mut(place), sent.asks) else { return Ok(()) };
        let looks = &mut known.commanded.looks;
        let copies = match looks.iter_mut().find(|(request, _)| *request == asks) {
            Some((_, copies)) => {
                *copies += 1;
                *copies
            }
            None => {
                looks.truncate(MOST_QUESTIONS - 1);
                looks.push_front((asks, 1));
                1
            }
        };
        if copies > 1 + repeats {
            let what = format!("device {} is asked {asks} the {copies}th time", place + 1);
            return broken("a_question_is_not_sent_for_ever", what);
        }
        Ok(())
    }

    /// A device that was seen at somebody else's work is waited for: a command that it happens to take would end that.
    pub(crate) fn who_is_busy_is_commanded_nothing(&self, place: usize, sent: &Sent) -> Checked {
        match self.devices.get(place).and_then(|known| known.shown_busy.as_ref()) {
            Some(shown) if sent.begins() => broken(
                "who_is_busy_is_commanded_nothing",
                format!("device {} was seen at {shown} last, and is commanded", place + 1),
            ),
            _ => Ok(()),
        }
    }
}

/// Somebody else's work may never end, and whoever waits for that is told so: the profile says how long is long enough.
pub(super) fn nobody_is_waited_for_for_ever(
    known: &mut Known,
    run: &Run,
    store: &Store,
    profile: &Profile,
    now: Time,
) -> Checked {
    // What was commanded has a time limit of its own.
    let waits = matches!(&run.state, State::Working { operation, .. } if !operation.commanded);
    let told = store.runs.get(&run.id).map_or(0, |stored| stored.stories.len());
    let Some(busy) = known.shown_busy.clone().filter(|_| waits) else {
        known.waited_for = None;
        return Ok(());
    };
    let waits = (busy, known.looked_in, told);
    let waited = known.waited_for.get_or_insert_with(|| (waits.clone(), now, 0));
    if waited.0 != waits {
        *waited = (waits, now, 0);
    }
    let ((busy, ..), since, late) = waited;
    *late += u32::from(now >= *since + Limits::span(profile.limits.busy_s));
    if *late > MOST_LATE_LOOKS {
        let what = format!("run {} waits for {busy} since {since:?}", run.id);
        return broken("nobody_is_waited_for_for_ever", what);
    }
    Ok(())
}

/// What a ticket names goes to its device, and to nobody else who has heard the name.
pub(crate) fn a_ticket_serves_its_device_alone(answered: &[u8]) -> Checked {
    match Packet::decode(answered) {
        Ok(Packet::Error { .. }) | Err(_) => Ok(()),
        Ok(served) => {
            broken("a_ticket_serves_its_device_alone", format!("a stranger was served: {served:?}"))
        }
    }
}

/// A unit that happens to answer at the address of another one is somebody else's device, with a configuration of its own.
pub(crate) fn nothing_is_commanded_at_another_unit(place: usize, sent: &Sent) -> Checked {
    if sent.is_set {
        let what = format!("a SET for device {} went to another unit", place + 1);
        return broken("nothing_is_commanded_at_another_unit", what);
    }
    Ok(())
}

/// A command with one bit changed may be another command, and what is believed of a device decides which comes next: who
/// authenticates messages takes none that was damaged on its way.
pub(crate) fn what_was_damaged_is_not_believed(place: usize, believed: bool) -> Checked {
    if believed {
        let what = format!("device {} speaks SNMPv3, and a damaged message was believed", place + 1);
        return broken("what_was_damaged_is_not_believed", what);
    }
    Ok(())
}

/// Whoever hears what is asked can answer it, but not from where it was asked: what comes from elsewhere is taken no notice of.
pub(crate) fn what_comes_from_elsewhere_is_not_believed(from: SocketAddr, noticed: usize) -> Checked {
    if noticed > 0 {
        let what = format!("what came from {from} led to {noticed} things");
        return broken("what_comes_from_elsewhere_is_not_believed", what);
    }
    Ok(())
}

/// Whether a message of SNMP is a SET: its PDU's tag follows the version and the community (RFC 3416 section 3).
fn is_set(message: &[u8]) -> bool {
    const SET: u8 = 0xa3;
    pdu(message).is_some_and(|pdu| pdu.first() == Some(&SET))
}

/// The number of the request where a message is a GET.
fn asks(message: &[u8]) -> Option<i32> {
    const GET: u8 = 0xa0;
    let is_get = pdu(message)?.first() == Some(&GET);
    is_get.then(|| Message::decode(message).ok()).flatten().and_then(|message| request_of(&message.body))
}

/// The PDU in a message that names a community.
fn pdu(message: &[u8]) -> Option<&[u8]> {
    let after_length = |at: usize| {
        let length = *message.get(at)?;
        Some(if length < 0x80 { at + 1 } else { at + 1 + usize::from(length & 0x7f) })
    };
    let version = after_length(1)?;
    let community = version + 3;
    let length = usize::from(*message.get(community + 1)?);
    message.get(community + 2 + length..)
}

/// So many questions are open at a device at once, at most.
const MOST_QUESTIONS: usize = 32;

/// What was sent to a device last: the command, and the questions.
#[derive(Debug, Default)]
pub(super) struct Commanded {
    operation: String,
    /// Of which request, how many requests there were by then, and how many copies of this one.
    request: Option<i32>,
    sends: u32,
    copies: u32,
    /// Which requests, the latest first, and how many copies of each.
    looks: VecDeque<(i32, u32)>,
    /// The device had software on trial then.
    pub(super) on_trial: bool,
    /// The buffer that it was to start from then.
    pub(super) selected: Option<usize>,
}

/// What is sent to a device, as far as it is judged on its way.
pub(crate) struct Sent {
    pub(crate) is_set: bool,
    /// What it makes the device do (IAD-MIB `iadOpCommand`).
    command: Option<i32>,
    /// Which operation that is (IAD-MIB `iadOpId`).
    operation: Option<String>,
    /// Of which request this is a copy.
    request: Option<i32>,
    /// Of which question, where anybody understands that.
    asks: Option<i32>,
    /// It tells of objects, and anybody can read or write it although the device speaks SNMPv3.
    in_the_open: bool,
}

impl Sent {
    /// A message to a device with these keys, or with communities. What it was not meant for says nothing to it.
    pub(crate) fn of(bytes: &[u8], keys: Option<&Keys>) -> Self {
        let nothing = Self {
            is_set: false,
            command: None,
            operation: None,
            request: None,
            asks: None,
            in_the_open: false,
        };
        let Some(keys) = keys else {
            let body =
                is_set(bytes).then(|| Message::decode(bytes).ok()).flatten().map(|message| message.body);
            return Self {
                is_set: is_set(bytes),
                command: body.as_ref().and_then(command_of),
                operation: body.as_ref().and_then(operation_of),
                request: body.as_ref().and_then(request_of),
                asks: asks(bytes),
                ..nothing
            };
        };
        let Ok(overheard) = Overheard::new(bytes, keys) else { return nothing };
        let (is_set, is_open) = (overheard.is_set(), overheard.level < SecurityLevel::AuthPriv);
        let body = (is_set || is_open).then(|| overheard.body().ok()).flatten();
        Self {
            is_set,
            command: body.as_ref().filter(|_| is_set).and_then(command_of),
            operation: body.as_ref().filter(|_| is_set).and_then(operation_of),
            request: body.as_ref().filter(|_| is_set).and_then(request_of),
            asks: None,
            in_the_open: is_open && body.is_some_and(|body| !body.varbinds().is_empty()),
        }
    }

    /// Whether it makes the device do something, other than to stop.
    fn begins(&self) -> bool {
        self.command.is_some_and(|command| command != Command::Abort.number())
    }

    /// Whether it makes the device do this.
    pub(crate) fn commands(&self, command: Command) -> bool {
        self.command == Some(command.number())
    }

    /// A device that has one buffer has no way back from what is loaded into it, and not every device refuses that.
    pub(crate) fn nothing_is_loaded_over_the_only_software(
        &self,
        place: usize,
        unit: Option<&Unit>,
    ) -> Checked {
        let single = unit.is_some_and(|unit| unit.device.durable().buffers.len() < 2);
        if single && self.commands(Command::Download) {
            return broken("nothing_is_loaded_over_the_only_software", format!("device {}", place + 1));
        }
        Ok(())
    }

    /// Who can be spoken to so that nobody else understands or forges it, is.
    pub(crate) fn nothing_is_said_in_the_open(&self, place: usize) -> Checked {
        let what = || format!("device {} speaks SNMPv3", place + 1);
        if self.in_the_open { broken("nothing_is_said_in_the_open", what()) } else { Ok(()) }
    }
}

const fn request_of(body: &Body<&[u8]>) -> Option<i32> {
    match body {
        Body::Pdu(pdu) => Some(pdu.request_id),
        _ => None,
    }
}

fn command_of(body: &Body<&[u8]>) -> Option<i32> {
    const COMMAND: ObjectIdentifier = ObjectIdentifier::new([1, 3, 6, 1, 4, 1, 32473, 1, 1, 5, 2, 0]);
    let command = body.varbinds().iter().find(|varbind| varbind.name == COMMAND)?;
    match command.value {
        Value::Integer(command) => Some(command),
        _ => None,
    }
}

fn operation_of(body: &Body<&[u8]>) -> Option<String> {
    const ID: ObjectIdentifier = ObjectIdentifier::new([1, 3, 6, 1, 4, 1, 32473, 1, 1, 5, 1, 0]);
    let id = body.varbinds().iter().find(|varbind| varbind.name == ID)?;
    match &id.value {
        Value::OctetString(id) => Some(String::from_utf8_lossy(id).into_owned()),
        _ => None,
    }
}
