//! Carrying out an operation: one kind of work after another, each with its own file. Work takes what it is told, and hands
//! on what comes next; whatever can stop the software comes back as an error.

mod begin;
mod incoming;
mod load;
mod restore;
mod send;
mod switch;

use core::time::Duration;

use super::durable::Server;
use super::effect::{
    Effect, Fetch, NotificationKind, Purpose, Stall, TransferError, TransferEvent, TransferId, Upload,
};
use super::hardware::{Halt, Hardware};
use super::operation::ErrorCode;
use super::span::Span;
use crate::fault::{FaultKind, Phase};

pub(crate) use load::give_up_loading;

/// What the operation is at.
#[derive(Debug)]
pub(crate) enum Work {
    /// Waiting for its delay to pass.
    Delay { until: Duration },
    /// Erasing the standby buffer, to load an image into it or for good.
    Erase(load::Erase),
    /// Loading an image.
    Load(Box<load::Load>),
    /// Converting the configuration of the other buffer.
    Convert(send::Convert),
    /// Sending files.
    Send(send::Sending),
    /// Loading configuration files.
    Collect(Box<restore::Collect>),
    /// Applying configuration.
    Apply(restore::Apply),
    /// Switching to the other buffer without a restart.
    Switch(switch::Switch),
}

/// What comes after a step.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// This, once something happens.
    Wait(Work),
    /// This, at once.
    Again(Work),
    /// The operation is done.
    Done(&'static str),
    /// The operation has failed.
    Failed(ErrorCode, String),
}

pub(crate) type Step = Result<Outcome, Halt>;

/// What work has at hand.
pub(crate) struct Context<'a> {
    pub(crate) hardware: &'a mut Hardware,
    pub(crate) now: Duration,
    pub(crate) transfer: &'a mut Option<TransferId>,
    pub(crate) told: &'a mut u32,
    pub(crate) trial_ends: &'a mut Option<Duration>,
    pub(crate) is_healthy: &'a mut bool,
}

impl Work {
    pub(crate) fn step(self, context: &mut Context<'_>) -> Step {
        match self {
            Self::Delay { until } if until <= context.now => begin::begin(context),
            Self::Delay { .. } => Ok(Outcome::Wait(self)),
            Self::Erase(erase) => erase.step(context),
            Self::Load(load) => load.step(context),
            Self::Convert(convert) => convert.step(context),
            Self::Send(sending) => Ok(sending.step(context)),
            Self::Collect(collect) => Ok(collect.step(context)),
            Self::Apply(apply) => apply.step(context),
            Self::Switch(switch) => switch.step(context),
        }
    }

    pub(crate) fn transfer(self, event: TransferEvent<'_>, context: &mut Context<'_>) -> Step {
        if let TransferEvent::Failed(error) = event {
            return Ok(failed_transfer(error));
        }
        match self {
            Self::Load(load) => load.transfer(event, context),
            Self::Send(sending) => sending.transfer(event, context),
            Self::Collect(collect) => collect.transfer(event, context),
            Self::Delay { .. } | Self::Erase(_) | Self::Convert(_) | Self::Apply(_) | Self::Switch(_) => {
                Ok(Outcome::Wait(self))
            }
        }
    }

    /// The UDP port at which a file is waited for; 0 for none.
    pub(crate) fn waits_at(&self) -> u16 {
        if let Self::Load(load) = self { load.waits_at() } else { 0 }
    }

    /// The place of the file of an image that is loaded, or waited for, from 0.
    pub(crate) fn file(&self) -> Option<usize> {
        if let Self::Load(load) = self { load.file() } else { None }
    }

    /// When the next step is due, if something other than a transfer brings it.
    pub(crate) fn deadline(&self, hardware: &Hardware, now: Duration) -> Option<Duration> {
        match self {
            Self::Delay { until } => Some(*until),
            Self::Load(load) => load.deadline(hardware),
            Self::Erase(load::Erase { span, .. })
            | Self::Convert(send::Convert { span, .. })
            | Self::Apply(restore::Apply { span, .. })
            | Self::Switch(switch::Switch { span, .. }) => Some(span.deadline(hardware, now)),
            Self::Send(_) | Self::Collect(_) => None,
        }
    }
}

impl Context<'_> {
    /// So much is done, in hundredths of a percent; of a download also how many bytes are in flash. Tells it, and lets a fault strike.
    pub(crate) fn advance(&mut self, reached: u32, bytes: u64) -> Result<(), Halt> {
        // 100 % is evidence of success, so it is told only once that is stored.
        let mut percent = (reached / 100).min(99);
        let phase = self.phase();
        let lie = self.hardware.faults.strike_during(|fault| {
            fault.kind == FaultKind::FalseProgress && fault.during.is_none_or(|during| Some(during) == phase)
        });
        if let Some(lie) = lie {
            percent = lie.percent;
        }
        let operation = &mut self.hardware.durable.operation;
        operation.progress = operation.progress.max(percent);
        if let Some(phase) = phase {
            self.hardware.stops(phase, reached, bytes)?;
        }
        let step = self.hardware.settings.progress_step_percent.max(1);
        if percent / step > *self.told / step && reached < 10_000 {
            *self.told = percent;
            self.hardware.notify(NotificationKind::Progress, self.now);
        }
        Ok(())
    }

    pub(crate) fn phase(&self) -> Option<Phase> {
        Phase::of(self.hardware.durable.operation.command)
    }

    /// Begins to load a file.
    pub(crate) fn fetch(&mut self, server: &Server, name: &str, purpose: Purpose, expected: Option<u64>) {
        let transfer = self.hardware.next_transfer();
        *self.transfer = Some(transfer);
        let stall = self.stall(expected.unwrap_or_default());
        let fetch = Fetch { transfer, server: server.clone(), name: name.to_owned(), purpose, stall };
        self.hardware.effects.push_back(Effect::Fetch(fetch));
    }

    /// Begins to send a file.
    pub(crate) fn send(&mut self, server: &Server, name: &str, content: Vec<u8>) {
        let transfer = self.hardware.next_transfer();
        *self.transfer = Some(transfer);
        let stall = self.stall(u64::try_from(content.len()).unwrap_or(u64::MAX));
        let upload = Upload { transfer, server: server.clone(), name: name.to_owned(), content, stall };
        self.hardware.effects.push_back(Effect::Upload(upload));
    }

    /// Where a transfer of so many bytes stands still, if a fault says so.
    fn stall(&mut self, expected: u64) -> Option<Stall> {
        let phase = self.phase();
        let fault = self.hardware.faults.strike_during(|fault| {
            fault.kind == FaultKind::StallTransfer && fault.during.is_none_or(|during| Some(during) == phase)
        })?;
        let at = fault.byte.unwrap_or(expected * u64::from(fault.percent) / 100);
        Some(Stall { at, time: fault.for_ms.map(Duration::from_millis) })
    }

    /// Work that takes this time, and brings the operation from one part done to another.
    pub(crate) fn span(&self, from: u32, to: u32, takes: Duration) -> Span {
        Span::between(from, to, self.now, self.now + takes)
    }
}

fn failed_transfer(error: TransferError) -> Outcome {
    let text = match error {
        TransferError::Unreachable => "the server does not answer",
        TransferError::NotFound => "the server has no such file",
        TransferError::Refused => "the server refuses",
        TransferError::Broken => "the transfer broke off",
        TransferError::DiskFull => "the server has no room",
        TransferError::Unsupported => "the device does not speak this protocol",
    };
    Outcome::Failed(error.into(), text.to_owned())
}

fn failed(error: ErrorCode, text: impl Into<String>) -> Step {
    Ok(Outcome::Failed(error, text.into()))
}
