//! The boot loader: which buffer is started, and when the device goes back to the other one.
//!
//! Software on trial goes on after a restart by command only: after anything else (power, crash, watchdog, the end
//! of its time) the other buffer is started. Confirmed software that does not start is tried a few times, then the other
//! buffer is started.

use core::time::Duration;

use super::boot_reason::BootReason;
use super::buffer::BufferState;
use super::hardware::{Halt, Hardware};
use super::image::BootBehaviour;
use super::operation::ErrorCode;
use super::span::Span;
use crate::fault::{FaultKind, Phase};

/// So often confirmed software is started before the boot loader gives it up.
const ATTEMPTS: u32 = 3;

/// A device that is starting.
#[derive(Debug, Clone)]
pub(crate) struct Boot {
    pub(crate) reason: BootReason,
    began: Duration,
    ends: Duration,
    ending: Ending,
    attempt: u32,
    fell_back: bool,
}

/// What starting software comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Starts,
    Crashes,
    Hangs,
}

/// What became of a device that is starting.
#[derive(Debug)]
pub(crate) enum Booted {
    /// It is still starting.
    NotYet(Boot),
    /// Its software runs.
    Started(BootReason),
    /// Neither buffer starts.
    Dead,
}

impl Boot {
    /// Begins to start, for this reason. `None`: neither buffer can be started.
    pub(crate) fn begin(hardware: &mut Hardware, reason: BootReason, now: Duration) -> Option<Self> {
        Self::attempt(hardware, reason, 1, false, now)
    }

    /// Goes on, as far as it comes by now.
    pub(crate) fn step(self, hardware: &mut Hardware, now: Duration) -> Result<Booted, Halt> {
        hardware.stops(Phase::Boot, self.reached(now), 0)?;
        if now < self.ends {
            return Ok(Booted::NotYet(self));
        }
        let reason = match self.ending {
            Ending::Starts => return Ok(Booted::Started(self.reason)),
            Ending::Crashes => BootReason::Crash,
            Ending::Hangs => BootReason::Watchdog,
        };
        let next = Self::attempt(hardware, reason, self.attempt + 1, self.fell_back, now);
        Ok(next.map_or(Booted::Dead, Booted::NotYet))
    }

    pub(crate) fn deadline(&self, hardware: &Hardware, now: Duration) -> Duration {
        let total = self.ends.saturating_sub(self.began);
        let stop = hardware.next_stop(Phase::Boot, self.reached(now));
        // One microsecond more, so that the rounding of `reached` does not come to just before it.
        let stop = stop.map(|stop| self.began + total * stop / 10_000 + Duration::from_micros(1));
        stop.map_or(self.ends, |stop| stop.min(self.ends))
    }

    fn attempt(
        hardware: &mut Hardware,
        mut reason: BootReason,
        mut attempt: u32,
        mut fell_back: bool,
        now: Duration,
    ) -> Option<Self> {
        hardware.faults.begin_occasion();
        give_up_half_written(hardware);
        let trial_is_over = hardware.durable.boot.trial.is_some() && reason != BootReason::Commanded;
        if trial_is_over || attempt > ATTEMPTS || !selected_is_bootable(hardware) {
            let started_before = attempt == 1 && selected_is_bootable(hardware);
            let error = if started_before { ErrorCode::FellBack } else { ErrorCode::BootFailed };
            if !fell_back && fall_back(hardware, error) {
                (reason, attempt, fell_back) = (BootReason::Fallback, 1, true);
            } else if attempt > ATTEMPTS || !selected_is_bootable(hardware) {
                return None;
            } else {
                hardware.store().boot.trial = None;
            }
        }
        let ending = ending(hardware);
        let timing = hardware.settings.timing;
        let hangs_for = if ending == Ending::Hangs { timing.watchdog } else { Duration::ZERO };
        Some(Self { reason, began: now, ends: now + timing.boot + hangs_for, ending, attempt, fell_back })
    }

    fn reached(&self, now: Duration) -> u32 {
        Span::of(10_000, self.began, self.ends).reached(now)
    }
}

/// A buffer that was being written when the software stopped holds no whole image.
fn give_up_half_written(hardware: &mut Hardware) {
    if hardware.durable.buffers.iter().any(|buffer| buffer.state == BufferState::Writing) {
        let half_written = |buffer: &&mut super::buffer::Buffer| buffer.state == BufferState::Writing;
        hardware
            .store()
            .buffers
            .iter_mut()
            .filter(half_written)
            .for_each(|buffer| buffer.state = BufferState::Invalid);
    }
}

fn selected_is_bootable(hardware: &Hardware) -> bool {
    hardware.durable.active().is_some_and(|buffer| buffer.is_bootable(&hardware.settings.hardware))
}

/// Selects the other buffer, if that can be started. The operation that led to the present one has failed then.
fn fall_back(hardware: &mut Hardware, error: ErrorCode) -> bool {
    let kind = hardware.settings.hardware.clone();
    let Some(other) = hardware.durable.standby_index() else { return false };
    if !hardware.durable.standby().is_some_and(|buffer| buffer.is_bootable(&kind)) {
        return false;
    }
    hardware.counters.fallbacks += 1;
    let durable = hardware.store();
    let began_trial =
        durable.boot.trial.as_ref().is_some_and(|trial| trial.operation == durable.operation.id);
    if let Some(failed) = durable.buffers.get_mut(durable.boot.selected)
        && !failed.is_bootable(&kind)
    {
        failed.state = BufferState::Invalid;
        failed.version.clear();
    }
    durable.select(other, None);
    if durable.operation.restarting_into.is_some() || began_trial {
        let text = match error {
            ErrorCode::BootFailed => "the new software did not start",
            _ => "the new software was not confirmed",
        };
        durable.operation.fail(error, text);
        durable.operation.unannounced = true;
    }
    true
}

/// What starting the selected software comes to.
pub(crate) fn ending(hardware: &mut Hardware) -> Ending {
    if hardware.strikes(FaultKind::BootLoop).is_some() {
        return Ending::Crashes;
    }
    if hardware.strikes(FaultKind::BootHang).is_some() {
        return Ending::Hangs;
    }
    match hardware.durable.active().and_then(|buffer| buffer.header.as_ref()).map(|header| header.boot) {
        Some(BootBehaviour::Ok | BootBehaviour::Unhealthy) => Ending::Starts,
        Some(BootBehaviour::Hang) => Ending::Hangs,
        Some(BootBehaviour::Loop) | None => Ending::Crashes,
    }
}
