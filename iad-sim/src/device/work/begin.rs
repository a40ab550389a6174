//! The operation begins: what it is given is looked at, and the first work is chosen.

use super::restore::Collect;
use super::send::{Convert, Sending};
use super::switch::{restart, switch_to_standby};
use super::{Context, Outcome, Step, failed, load};
use crate::device::durable::ServerProtocol;
use crate::device::effect::NotificationKind;
use crate::device::operation::{Command, ErrorCode, OperationState};

pub(super) fn begin(context: &mut Context<'_>) -> Step {
    context.hardware.store().operation.state = OperationState::Running;
    *context.told = 0;
    context.hardware.faults.begin_occasion();
    context.hardware.notify(NotificationKind::Begun, context.now);
    context.advance(0, 0)?;
    if let Some(reason) = obstacle(context) {
        return failed(reason.0, reason.1);
    }
    match context.hardware.durable.operation.command {
        Command::Backup => Sending::backup(context),
        Command::Convert => Convert::begin(context),
        Command::Download => load::Erase::begin(context, true),
        Command::Erase => load::Erase::begin(context, false),
        Command::Restore => Ok(Outcome::Again(super::Work::Collect(Box::new(Collect::begin(context))))),
        Command::Activate => switch_to_standby(context),
        Command::Reset | Command::Rollback => restart(context),
        Command::Confirm => Ok(confirm(context)),
        Command::None | Command::Abort => failed(ErrorCode::Unsupported, "no such command"),
    }
}

/// Why the device cannot begin, whatever it is told of files.
fn obstacle(context: &Context<'_>) -> Option<(ErrorCode, &'static str)> {
    let settings = &context.hardware.settings;
    let durable = &context.hardware.durable;
    let can = settings.capabilities;
    let operation = &durable.operation;
    let on_trial = durable.boot.trial.is_some();
    let unsupported = |text| Some((ErrorCode::Unsupported, text));
    match operation.command {
        Command::Download | Command::Activate | Command::Rollback | Command::Erase if !can.dual_image => {
            unsupported("the device has one software buffer only")
        }
        Command::Download | Command::Erase if on_trial => unsupported("the running software is on trial"),
        Command::Activate if can.needs_reset => unsupported("other software runs only after a reset"),
        Command::Convert if !can.convert => unsupported("the device has no conversion program"),
        Command::Backup | Command::Download | Command::Restore | Command::Convert
            if !speaks_protocol(context) =>
        {
            unsupported("the device does not speak this protocol")
        }
        Command::Activate | Command::Rollback | Command::Restore
            if operation.parameters.is_stale(durable) =>
        {
            Some((ErrorCode::RevisionMoved, "the running configuration has moved"))
        }
        Command::Reset
            if !operation.parameters.version.is_empty() && operation.parameters.is_stale(durable) =>
        {
            Some((ErrorCode::RevisionMoved, "the running configuration has moved"))
        }
        _ => None,
    }
}

fn speaks_protocol(context: &Context<'_>) -> bool {
    let can = context.hardware.settings.capabilities;
    match context.hardware.durable.server.protocol {
        ServerProtocol::Tftp => can.tftp,
        ServerProtocol::Ftp => can.ftp,
        ServerProtocol::Push => can.push && context.hardware.durable.operation.command == Command::Download,
    }
}

fn confirm(context: &mut Context<'_>) -> Outcome {
    context.hardware.store().boot.trial = None;
    *context.trial_ends = None;
    Outcome::Done("the running software is confirmed")
}
