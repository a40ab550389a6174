//! The software of the device while it runs: it starts, takes SETs, carries out the operation, watches a trial, and stops.

use core::time::Duration;

use super::boot_reason::BootReason;
use super::calls::Calls;
use super::effect::{Effect, NotificationKind, TransferEvent, TransferId};
use super::hardware::{Halt, Hardware};
use super::operation::{Command, DelayPolicy, ErrorCode, OperationState, Parameters};
use super::request::Changes;
use super::work::{Context, Outcome, Work};

/// So many ids of earlier operations are remembered (`iadOpId`).
const EARLIER_IDS: usize = 16;

/// What the software knows only while it runs.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) started: Duration,
    pub(crate) reason: BootReason,
    pub(crate) calls: Calls,
    pub(crate) is_healthy: bool,
    pub(crate) trial_ends: Option<Duration>,
    work: Option<Work>,
    transfer: Option<TransferId>,
    told: u32,
}

impl Running {
    /// The software has started: it settles what became of the operation, and tells.
    pub(crate) fn start(hardware: &mut Hardware, reason: BootReason, now: Duration) -> Self {
        let is_healthy = hardware.is_healthy();
        settle_operation(hardware, reason);
        hardware.store().boot.boots += 1;
        hardware.notify(NotificationKind::Restarted, now);
        if std::mem::take(&mut hardware.store().operation.unannounced) {
            announce(hardware, now);
        }
        let (level, longest) = (hardware.settings.calls, hardware.settings.timing.call);
        let trial = hardware.durable.boot.trial.as_ref();
        Self {
            started: now,
            reason,
            is_healthy,
            trial_ends: trial.map(|trial| now + Duration::from_millis(trial.remaining_ms)),
            calls: Calls::new(level, longest, &mut hardware.random, now),
            work: None,
            transfer: None,
            told: 0,
        }
    }

    /// The UDP port at which a file is waited for; 0 for none.
    pub(crate) fn waits_at(&self) -> u16 {
        self.work.as_ref().map_or(0, Work::waits_at)
    }

    /// The place of the file of an image that is loaded, or waited for, from 0.
    pub(crate) fn file(&self) -> Option<usize> {
        self.work.as_ref().and_then(Work::file)
    }

    /// Does what is due by now.
    pub(crate) fn step(&mut self, hardware: &mut Hardware, now: Duration) -> Result<(), Halt> {
        if self.trial_ends.is_some_and(|ends| ends <= now) {
            return Err(Halt::Restart(BootReason::Watchdog));
        }
        if let Some(work) = self.work.take() {
            let outcome = work.step(&mut self.context(hardware, now))?;
            self.go_on(outcome, hardware, now)?;
        }
        Ok(())
    }

    pub(crate) fn deadline(&self, hardware: &Hardware, now: Duration) -> Option<Duration> {
        let work = self.work.as_ref().and_then(|work| work.deadline(hardware, now));
        work.into_iter().chain(self.trial_ends).min()
    }

    /// Takes what the world tells of a transfer.
    pub(crate) fn transfer(
        &mut self,
        hardware: &mut Hardware,
        transfer: TransferId,
        event: TransferEvent<'_>,
        now: Duration,
    ) -> Result<(), Halt> {
        if self.transfer != Some(transfer) {
            return Ok(());
        }
        if matches!(event, TransferEvent::Finished | TransferEvent::Failed(_)) {
            self.transfer = None;
        }
        let Some(work) = self.work.take() else { return Ok(()) };
        let outcome = work.transfer(event, &mut self.context(hardware, now))?;
        self.go_on(outcome, hardware, now)
    }

    /// Changes the objects that no operation is needed for.
    pub(crate) fn change(&mut self, hardware: &mut Hardware, changes: &Changes, now: Duration) {
        if let Some(admission) = changes.admission {
            self.calls.admit(admission, &mut hardware.random, now);
        }
        let durable = hardware.store();
        let texts = [
            (&changes.contact, &mut durable.contact),
            (&changes.name, &mut durable.name),
            (&changes.location, &mut durable.location),
            (&changes.address, &mut durable.server.address),
            (&changes.user, &mut durable.server.user),
            (&changes.password, &mut durable.server.password),
        ];
        for (change, text) in texts {
            if let Some(change) = change {
                text.clone_from(change);
            }
        }
        durable.server.protocol = changes.protocol.unwrap_or(durable.server.protocol);
        durable.server.port = changes.port.unwrap_or(durable.server.port);
        if changes.changes_parameters() {
            durable.operation.parameters = changes.parameters(durable);
            durable.operation.drafting = true;
        }
    }

    /// Takes on an operation. It begins with the next step, so that the answer to the SET comes first.
    pub(crate) fn accept(
        &mut self,
        hardware: &mut Hardware,
        id: String,
        command: Command,
        parameters: Parameters,
        now: Duration,
    ) {
        let delay = delay(hardware, &parameters);
        let durable = hardware.store();
        let operation = &mut durable.operation;
        let before = std::mem::replace(&mut operation.id, id);
        if durable.earlier_ids.len() == EARLIER_IDS {
            durable.earlier_ids.remove(0);
        }
        durable.earlier_ids.push(before);
        operation.command = command;
        operation.parameters = parameters;
        operation.state = if delay.is_zero() { OperationState::Running } else { OperationState::Waiting };
        operation.progress = 0;
        operation.error = ErrorCode::None;
        operation.text.clear();
        operation.drafting = false;
        self.work = Some(Work::Delay { until: now + delay });
    }

    /// Stops the operation under way.
    pub(crate) fn abort(&mut self, hardware: &mut Hardware, now: Duration) {
        if hardware.durable.operation.is_busy() {
            self.fail(hardware, ErrorCode::Aborted, "aborted by command", now);
        }
    }

    /// The software stops, without a word to anybody.
    pub(crate) fn stop(&mut self, hardware: &mut Hardware, now: Duration) {
        self.cancel_transfer(hardware, true);
        self.calls.refresh(&mut hardware.random, now);
        hardware.counters.calls_cut += u32::try_from(self.calls.in_progress()).unwrap_or(u32::MAX);
    }

    fn context<'a>(&'a mut self, hardware: &'a mut Hardware, now: Duration) -> Context<'a> {
        Context {
            hardware,
            now,
            transfer: &mut self.transfer,
            told: &mut self.told,
            trial_ends: &mut self.trial_ends,
            is_healthy: &mut self.is_healthy,
        }
    }

    fn go_on(&mut self, mut outcome: Outcome, hardware: &mut Hardware, now: Duration) -> Result<(), Halt> {
        loop {
            match outcome {
                Outcome::Wait(work) => {
                    self.work = Some(work);
                    return Ok(());
                }
                Outcome::Again(work) => outcome = work.step(&mut self.context(hardware, now))?,
                Outcome::Done(text) => {
                    self.context(hardware, now).advance(10_000, 0)?;
                    hardware.store().operation.succeed(text);
                    announce(hardware, now);
                    return Ok(());
                }
                Outcome::Failed(error, text) => {
                    self.fail(hardware, error, text, now);
                    return Ok(());
                }
            }
        }
    }

    fn fail(&mut self, hardware: &mut Hardware, error: ErrorCode, text: impl Into<String>, now: Duration) {
        self.work = None;
        self.cancel_transfer(hardware, false);
        super::work::give_up_loading(hardware);
        hardware.store().operation.fail(error, text);
        announce(hardware, now);
    }

    fn cancel_transfer(&mut self, hardware: &mut Hardware, silent: bool) {
        if let Some(transfer) = self.transfer.take() {
            hardware.effects.push_back(Effect::Cancel { transfer, silent });
        }
    }
}

/// An operation that was under way when the software stopped has failed, unless it asked for just this restart.
fn settle_operation(hardware: &mut Hardware, reason: BootReason) {
    let selected = hardware.durable.boot.selected;
    let operation = &hardware.durable.operation;
    if !operation.is_busy() {
        return;
    }
    let led_here = reason == BootReason::Commanded && operation.restarting_into == Some(selected);
    let operation = &mut hardware.store().operation;
    if led_here {
        operation.succeed("restarted");
    } else {
        operation.fail(ErrorCode::Interrupted, "the device restarted meanwhile");
    }
    operation.unannounced = true;
}

/// Tells how the operation ended.
fn announce(hardware: &mut Hardware, now: Duration) {
    let done = hardware.durable.operation.state == OperationState::Done;
    hardware.notify(if done { NotificationKind::Done } else { NotificationKind::Failed }, now);
}

/// How long the device waits before it begins (`iadOpDelayPolicy`).
fn delay(hardware: &mut Hardware, parameters: &Parameters) -> Duration {
    match parameters.delay_policy {
        DelayPolicy::None => Duration::ZERO,
        DelayPolicy::Fixed => Duration::from_secs(parameters.delay_s.into()),
        DelayPolicy::Random => {
            Duration::from_millis(hardware.random.up_to(u64::from(parameters.delay_s) * 1000))
        }
        DelayPolicy::Slot => {
            let devices = u64::from(parameters.slot_devices.max(1));
            let slot = u64::from(hardware.settings.number) % devices;
            Duration::from_millis(u64::from(parameters.slot_time_s) * 1000 * slot / devices)
        }
    }
}
