//! Changing to other software: with a restart (reset, roll-back) or without (activate, roll-back).

use super::{Context, Outcome, Span, Step, Work, failed};
use crate::device::boot::{Ending, ending};
use crate::device::boot_reason::BootReason;
use crate::device::durable::Trial;
use crate::device::hardware::Halt;
use crate::device::operation::{Command, ErrorCode};

/// Switching to the other buffer without a restart.
#[derive(Debug)]
pub(crate) struct Switch {
    pub(super) span: Span,
    target: usize,
}

/// Activate: the standby buffer, which has to hold the version meant.
pub(super) fn switch_to_standby(context: &mut Context<'_>) -> Step {
    let target = match standby(context) {
        Ok(target) => target,
        Err(text) => return failed(ErrorCode::NoImage, text),
    };
    let span = context.span(0, 9900, context.hardware.settings.timing.activate);
    Ok(Outcome::Again(Work::Switch(Switch { span, target })))
}

/// Reset or roll-back: a restart into the software that the operation means.
pub(super) fn restart(context: &mut Context<'_>) -> Step {
    let durable = &context.hardware.durable;
    let selected = durable.boot.selected;
    let version = &durable.operation.parameters.version;
    let plain = durable.operation.command == Command::Reset
        && (version.is_empty() || version == context.hardware.running_version());
    if durable.operation.command == Command::Rollback && !context.hardware.settings.capabilities.needs_reset {
        return switch_to_standby(context);
    }
    let target = match if plain { Ok(selected) } else { standby(context) } {
        Ok(target) => target,
        Err(text) => return failed(ErrorCode::NoImage, text),
    };
    context.advance(10_000, 0)?;
    let left = context.trial_ends.map(|ends| milliseconds(ends.saturating_sub(context.now)));
    let trial = trial(context);
    let durable = context.hardware.store();
    durable.operation.restarting_into = Some(target);
    if !plain {
        durable.select(target, trial);
    } else if let (Some(trial), Some(left)) = (&mut durable.boot.trial, left) {
        trial.remaining_ms = left;
    }
    Err(Halt::Restart(BootReason::Commanded))
}

impl Switch {
    pub(super) fn step(self, context: &mut Context<'_>) -> Step {
        context.advance(self.span.reached(context.now), 0)?;
        if !self.span.is_over(context.now) {
            return Ok(Outcome::Wait(Work::Switch(self)));
        }
        if context.hardware.durable.operation.parameters.is_stale(&context.hardware.durable) {
            return failed(ErrorCode::RevisionMoved, "the running configuration has moved");
        }
        let kind = &context.hardware.settings.hardware;
        if !context.hardware.durable.standby().is_some_and(|buffer| buffer.is_bootable(kind)) {
            return failed(ErrorCode::BootFailed, "the other software does not start");
        }
        context.advance(10_000, 0)?;
        let trial = trial(context);
        *context.trial_ends =
            trial.as_ref().map(|trial| context.now + core::time::Duration::from_millis(trial.remaining_ms));
        let durable = context.hardware.store();
        durable.select(self.target, trial);
        durable.operation.restarting_into = Some(self.target);
        match ending(context.hardware) {
            Ending::Starts => {}
            Ending::Crashes => return Err(Halt::Restart(BootReason::Crash)),
            Ending::Hangs => return Err(Halt::Hang),
        }
        *context.is_healthy = context.hardware.is_healthy();
        Ok(Outcome::Done("the other software runs"))
    }
}

/// The standby buffer, if it can be changed to.
fn standby(context: &Context<'_>) -> Result<usize, String> {
    let durable = &context.hardware.durable;
    let (Some(target), Some(buffer)) = (durable.standby_index(), durable.standby()) else {
        return Err("the device has one software buffer only".to_owned());
    };
    let version = &durable.operation.parameters.version;
    if !buffer.is_valid() {
        return Err("the other buffer holds no valid software".to_owned());
    }
    if !version.is_empty() && *version != buffer.version {
        return Err(format!("the other buffer holds version {}", buffer.version));
    }
    Ok(target)
}

/// The trial that the operation asks for. Going back is never on trial.
fn trial(context: &Context<'_>) -> Option<Trial> {
    let operation = &context.hardware.durable.operation;
    let seconds = operation.parameters.trial_time_s;
    (seconds > 0 && operation.command != Command::Rollback)
        .then(|| Trial { remaining_ms: u64::from(seconds) * 1000, operation: operation.id.clone() })
}

fn milliseconds(duration: core::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
