//! What the running software works with: durable memory, the faults that lurk in it, and the way out to the world.

use core::time::Duration;
use std::collections::VecDeque;

use super::boot_reason::BootReason;
use super::counters::Counters;
use super::durable::Durable;
use super::effect::{Effect, Notification, NotificationKind, TransferId};
use super::image::BootBehaviour;
use super::operation::Command;
use super::random::Random;
use super::request::Changes;
use super::settings::Settings;
use crate::fault::{Fault, FaultKind, Faults, Phase};

/// The device without its software.
#[derive(Debug, Clone)]
pub(crate) struct Hardware {
    pub(crate) settings: Settings,
    pub(crate) durable: Durable,
    pub(crate) faults: Faults,
    pub(crate) counters: Counters,
    pub(crate) random: Random,
    pub(crate) effects: VecDeque<Effect>,
    /// Notifications that a fault keeps back.
    late: Vec<(Duration, Notification)>,
    /// Grows whenever something changed that has to be stored.
    pub(crate) changes: u64,
    transfers: u64,
}

/// Why the software stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Halt {
    /// Power is lost, for a time or until it is switched on.
    PowerLoss(Option<Duration>),
    /// It starts again, for this reason.
    Restart(BootReason),
    /// It stands still until the watchdog restarts it.
    Hang,
    /// It stands still for good.
    Mute,
}

impl Hardware {
    pub(crate) fn new(settings: Settings, durable: Durable, seed: u64) -> Self {
        Self {
            settings,
            durable,
            faults: Faults::default(),
            counters: Counters::default(),
            random: Random::new(seed),
            effects: VecDeque::new(),
            late: Vec::new(),
            changes: 0,
            transfers: 0,
        }
    }

    /// The durable memory, to change what has to be stored.
    pub(crate) fn store(&mut self) -> &mut Durable {
        self.changes += 1;
        &mut self.durable
    }

    /// Counts a SET that names an operation.
    pub(crate) fn count(&mut self, changes: &Changes, started: bool) {
        if let (Some(id), Some(command)) = (&changes.id, changes.command)
            && command != Command::Abort
        {
            self.counters.saw(id, command, started);
            self.changes += 1;
        }
    }

    /// The version of the software that runs.
    pub(crate) fn running_version(&self) -> &str {
        self.durable.active().map_or("", |buffer| buffer.version.as_str())
    }

    pub(crate) fn next_transfer(&mut self) -> TransferId {
        self.transfers += 1;
        TransferId(self.transfers)
    }

    /// Whether a fault of this kind strikes the running software, once in an operation or boot.
    pub(crate) fn strikes(&mut self, kind: FaultKind) -> Option<Fault> {
        let version = self.running_version().to_owned();
        self.faults.strike_during(|fault| {
            fault.kind == kind && fault.version.as_ref().is_none_or(|only| *only == version)
        })
    }

    /// Whether the software that has just started finds nothing wrong with itself.
    pub(crate) fn is_healthy(&mut self) -> bool {
        let degraded = self.strikes(FaultKind::Unhealthy).is_some();
        let header = self.durable.active().and_then(|buffer| buffer.header.as_ref());
        !degraded && header.is_some_and(|header| header.boot != BootBehaviour::Unhealthy)
    }

    /// Whether a fault stops the software, with so much of `phase` done: in hundredths of a percent, and in bytes.
    pub(crate) fn stops(&mut self, phase: Phase, reached: u32, bytes: u64) -> Result<(), Halt> {
        let version = self.running_version().to_owned();
        let struck = self.faults.strike_during(|fault| {
            matches!(fault.kind, FaultKind::PowerLoss | FaultKind::Crash | FaultKind::Hang | FaultKind::Mute)
                && fault.during == Some(phase)
                && fault.byte.map_or(reached >= fault.percent * 100, |byte| bytes >= byte)
                && fault.version.as_ref().is_none_or(|only| *only == version)
        });
        let Some(fault) = struck else { return Ok(()) };
        Err(match fault.kind {
            FaultKind::Crash => Halt::Restart(BootReason::Crash),
            FaultKind::Hang => Halt::Hang,
            FaultKind::Mute => Halt::Mute,
            _ => Halt::PowerLoss(fault.for_ms.map(Duration::from_millis)),
        })
    }

    /// The least part of `phase`, beyond `reached` hundredths of a percent, at which a fault could stop the software.
    pub(crate) fn next_stop(&self, phase: Phase, reached: u32) -> Option<u32> {
        let stops = self.faults.pending().filter(|fault| fault.during == Some(phase) && fault.byte.is_none());
        stops.map(|fault| fault.percent * 100).filter(|percent| *percent > reached).min()
    }

    /// The least number of bytes in flash, at or beyond `written`, at which a fault could stop the software.
    pub(crate) fn next_byte_stop(&self, phase: Phase, written: u64) -> Option<u64> {
        let stops = self.faults.pending().filter(|fault| fault.during == Some(phase));
        stops.filter_map(|fault| fault.byte).filter(|byte| *byte >= written).min()
    }

    /// A notification, with what the device would say in it now.
    pub(crate) fn says(&self, kind: NotificationKind) -> Notification {
        let operation = &self.durable.operation;
        Notification {
            kind,
            unique_id: self.settings.unique_id.clone(),
            operation: operation.id.clone(),
            command: operation.command,
            progress: operation.progress,
            error: operation.error,
        }
    }

    /// Sends a notification about the operation as it stands.
    pub(crate) fn notify(&mut self, kind: NotificationKind, now: Duration) {
        let notification = self.says(kind);
        self.counters.notifications += 1;
        let wanted = |fault: &Fault| fault.notification.is_none_or(|only| only == kind);
        if self.faults.strike(FaultKind::LoseNotification, wanted).is_some() {
            return;
        }
        if self.faults.strike(FaultKind::DoubleNotification, wanted).is_some() {
            self.effects.push_back(Effect::Notify(notification.clone()));
        }
        match self.faults.strike(FaultKind::DelayNotification, wanted) {
            Some(fault) => {
                self.late.push((now + Duration::from_millis(fault.for_ms.unwrap_or_default()), notification))
            }
            None => self.effects.push_back(Effect::Notify(notification)),
        }
    }

    /// Sends what was kept back and is due.
    pub(crate) fn send_late(&mut self, now: Duration) {
        let (due, later) = std::mem::take(&mut self.late).into_iter().partition(|(at, _)| *at <= now);
        self.late = later;
        let due: Vec<(Duration, Notification)> = due;
        self.effects.extend(due.into_iter().map(|(_, notification)| Effect::Notify(notification)));
    }

    pub(crate) fn next_late(&self) -> Option<Duration> {
        self.late.iter().map(|(at, _)| *at).min()
    }
}
