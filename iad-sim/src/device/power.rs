//! One device with its power switch: what happens to it from outside, and what it wants done.

use core::time::Duration;

use super::boot::{Boot, Booted};
use super::boot_reason::BootReason;
use super::calls::CallAdmission;
use super::configuration::ConfigurationKind;
use super::counters::Counters;
use super::durable::Durable;
use super::effect::{Effect, Notification, NotificationKind, TransferEvent, TransferId};
use super::hardware::{Halt, Hardware};
use super::request::{Changes, Refused, Verdict};
use super::running::Running;
use super::settings::Settings;
use crate::fault::{Fault, FaultKind, Faults, RequestKind};

/// One device. After each call take the effects, and store [`Device::durable`] if [`Device::changes`] moved before performing
/// them.
#[derive(Debug)]
pub struct Device {
    hardware: Hardware,
    state: State,
}

#[derive(Debug)]
enum State {
    Off { on_at: Option<Duration> },
    Booting(Boot),
    Running(Box<Running>),
    Hung { until: Duration },
    Mute,
    Dead,
}

/// What a device is doing, seen from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Power {
    /// It has no power.
    Off,
    /// It is starting.
    Booting,
    /// Its software runs.
    Running,
    /// Its software hangs, the watchdog will restart it.
    Hung,
    /// Its software hangs for good.
    Mute,
    /// Neither buffer can be started.
    Dead,
}

impl Device {
    /// Gives power to a device with this durable memory.
    pub fn boot(settings: Settings, durable: Durable, seed: u64, now: Duration) -> Self {
        let mut device = Self::switched_off(settings, durable, seed);
        device.power_on(now);
        device
    }

    /// A device with this durable memory, without power.
    pub fn switched_off(settings: Settings, durable: Durable, seed: u64) -> Self {
        Self { hardware: Hardware::new(settings, durable, seed), state: State::Off { on_at: None } }
    }

    /// Cuts the power.
    pub fn power_off(&mut self, now: Duration) {
        if !matches!(self.state, State::Off { .. }) {
            self.halt(Halt::PowerLoss(None), now);
        } else {
            self.state = State::Off { on_at: None };
        }
    }

    /// Switches the power on. Nothing happens to a device that has power, unless its software hangs for good.
    pub fn power_on(&mut self, now: Duration) {
        if matches!(self.state, State::Off { .. } | State::Mute | State::Dead) {
            self.start(BootReason::PowerOn, now);
            self.tick(now);
        }
    }

    /// Does what is due by now.
    pub fn tick(&mut self, now: Duration) {
        self.hardware.send_late(now);
        loop {
            match std::mem::replace(&mut self.state, State::Dead) {
                State::Booting(boot) => match boot.step(&mut self.hardware, now) {
                    Ok(Booted::NotYet(boot)) => {
                        let again = boot.deadline(&self.hardware, now) <= now;
                        self.state = State::Booting(boot);
                        if !again {
                            return;
                        }
                    }
                    Ok(Booted::Started(reason)) => {
                        self.state =
                            State::Running(Box::new(Running::start(&mut self.hardware, reason, now)));
                    }
                    Ok(Booted::Dead) => return,
                    Err(halt) => self.halt(halt, now),
                },
                State::Running(mut running) => {
                    let stepped = running.step(&mut self.hardware, now);
                    self.state = State::Running(running);
                    match stepped {
                        Ok(()) => return,
                        Err(halt) => self.halt(halt, now),
                    }
                }
                State::Off { on_at: Some(at) } if at <= now => self.start(BootReason::PowerOn, now),
                State::Hung { until } if until <= now => self.start(BootReason::Watchdog, now),
                waits @ (State::Off { .. } | State::Hung { .. } | State::Mute | State::Dead) => {
                    self.state = waits;
                    return;
                }
            }
        }
    }

    /// When [`Self::tick`] is due next.
    pub fn next_deadline(&self, now: Duration) -> Option<Duration> {
        let own = match &self.state {
            State::Off { on_at } => *on_at,
            State::Booting(boot) => Some(boot.deadline(&self.hardware, now)),
            State::Running(running) => running.deadline(&self.hardware, now),
            State::Hung { until } => Some(*until),
            State::Mute | State::Dead => None,
        };
        own.into_iter().chain(self.hardware.next_late()).min()
    }

    /// What the device wants done next.
    pub fn next_effect(&mut self) -> Option<Effect> {
        self.hardware.effects.pop_front()
    }

    /// Changes what a SET asks for, all or nothing.
    ///
    /// # Errors
    /// When the device refuses it; then nothing has changed.
    pub fn set(&mut self, changes: &Changes, now: Duration) -> Result<(), Refused> {
        let State::Running(running) = &mut self.state else { return Ok(()) };
        let hardware = &mut self.hardware;
        let judged = changes.judge(&hardware.durable);
        if judged.is_ok() {
            hardware.count(changes, matches!(judged, Ok(Verdict::Starts { .. })));
        }
        match judged {
            Err(refused) => {
                self.count_refused(changes);
                Err(refused)
            }
            Ok(Verdict::Repeats) => Ok(()),
            Ok(Verdict::Aborts) => {
                running.abort(hardware, now);
                Ok(())
            }
            Ok(Verdict::Changes) => {
                running.change(hardware, changes, now);
                Ok(())
            }
            Ok(Verdict::Starts { id, command, parameters }) => {
                running.change(hardware, changes, now);
                running.accept(hardware, id, command, parameters, now);
                Ok(())
            }
        }
    }

    /// Whether [`Self::set`] would refuse this.
    ///
    /// # Errors
    /// When it would.
    pub fn check(&self, changes: &Changes) -> Result<(), Refused> {
        changes.judge(&self.hardware.durable).map(|_| ())
    }

    /// Counts a SET that [`Self::check`] refused.
    pub fn count_refused(&mut self, changes: &Changes) {
        self.hardware.counters.sets_refused += 1;
        self.hardware.count(changes, false);
    }

    /// Takes what the world tells of a transfer.
    pub fn transfer(&mut self, transfer: TransferId, event: TransferEvent<'_>, now: Duration) {
        let State::Running(running) = &mut self.state else { return };
        if let Err(halt) = running.transfer(&mut self.hardware, transfer, event, now) {
            self.halt(halt, now);
            self.tick(now);
        }
    }

    /// Changes the running configuration at the device itself, as a subscriber would. False if it does not run, or
    /// a key or value is no text of one line.
    pub fn configure(&mut self, kind: ConfigurationKind, entries: &[(String, String)]) -> bool {
        let one_line = |text: &String| !text.chars().any(char::is_control);
        let fits = entries.iter().all(|(key, value)| one_line(key) && one_line(value) && !key.contains('='));
        let State::Running(_) = self.state else { return false };
        let Some(configuration) = self.hardware.durable.running_configuration(kind).filter(|_| fits) else {
            return false;
        };
        let mut document = configuration.document().clone();
        entries.iter().for_each(|(key, value)| document.set(key, value));
        self.hardware.store().configure(vec![document]);
        true
    }

    /// How many calls there are from now on, as long as they are admitted.
    pub fn set_calls(&mut self, level: u32, now: Duration) {
        self.hardware.settings.calls = level;
        if let State::Running(running) = &mut self.state {
            running.calls.set_level(level, &mut self.hardware.random, now);
        }
    }

    /// Brings up to date what changes with time alone. To be called before the device is read.
    pub fn refresh(&mut self, now: Duration) {
        if let State::Running(running) = &mut self.state {
            running.calls.refresh(&mut self.hardware.random, now);
        }
    }

    /// Whether a fault keeps back the answer to a request.
    pub fn loses_answer(&mut self, request: RequestKind) -> bool {
        let wanted = |fault: &Fault| fault.request.is_none_or(|only| only == request);
        self.hardware.faults.strike(FaultKind::LoseAnswer, wanted).is_some()
    }

    /// What the device is doing.
    pub fn power(&self) -> Power {
        match self.state {
            State::Off { .. } => Power::Off,
            State::Booting(_) => Power::Booting,
            State::Running(_) => Power::Running,
            State::Hung { .. } => Power::Hung,
            State::Mute => Power::Mute,
            State::Dead => Power::Dead,
        }
    }

    /// Whether it answers requests.
    pub fn answers(&self) -> bool {
        self.power() == Power::Running
    }

    /// Since when its software runs.
    pub fn running_since(&self) -> Option<Duration> {
        self.running().map(|running| running.started)
    }

    /// Why its software was started.
    pub fn boot_reason(&self) -> Option<BootReason> {
        self.running().map(|running| running.reason)
    }

    /// How many calls there are, and whether more are admitted.
    pub fn calls(&self) -> Option<(usize, CallAdmission)> {
        self.running().map(|running| (running.calls.in_progress(), running.calls.admission()))
    }

    /// The UDP port at which it waits for an image to be written to it; 0 for none (`iadOpPort`).
    pub fn waits_at(&self) -> u16 {
        self.running().map_or(0, |running| running.waits_at())
    }

    /// The place of the file of an image that it loads, or waits for, from 0 (`iadOpFile`, which counts from 1).
    pub fn file(&self) -> Option<usize> {
        self.running().and_then(|running| running.file())
    }

    /// Whether its check of itself finds nothing wrong.
    pub fn is_healthy(&self) -> bool {
        self.running().is_some_and(|running| running.is_healthy)
    }

    /// A notification of this kind, with what it would say in it now.
    pub fn says(&self, kind: NotificationKind) -> Notification {
        self.hardware.says(kind)
    }

    /// What survives a loss of power.
    pub fn durable(&self) -> &Durable {
        &self.hardware.durable
    }

    /// Grows whenever something changed that has to be stored.
    pub fn changes(&self) -> u64 {
        self.hardware.changes
    }

    /// What it is.
    pub fn settings(&self) -> &Settings {
        &self.hardware.settings
    }

    /// What the laboratory counted.
    pub fn counters(&self) -> &Counters {
        &self.hardware.counters
    }

    /// Goes on counting from here.
    pub fn set_counters(&mut self, counters: Counters) {
        self.hardware.counters = counters;
    }

    /// What may go wrong with it.
    pub fn faults(&self) -> &Faults {
        &self.hardware.faults
    }

    /// What may go wrong with it, to be changed.
    pub fn faults_mut(&mut self) -> &mut Faults {
        &mut self.hardware.faults
    }

    fn running(&self) -> Option<&Running> {
        match &self.state {
            State::Running(running) => Some(running),
            _ => None,
        }
    }

    fn start(&mut self, reason: BootReason, now: Duration) {
        self.state = Boot::begin(&mut self.hardware, reason, now).map_or(State::Dead, State::Booting);
    }

    fn halt(&mut self, halt: Halt, now: Duration) {
        if let State::Running(running) = &mut self.state {
            running.stop(&mut self.hardware, now);
        }
        self.hardware.changes += 1;
        match halt {
            Halt::PowerLoss(off) => {
                self.hardware.counters.power_losses += 1;
                self.state = State::Off { on_at: off.map(|off| now + off) };
            }
            Halt::Restart(reason) => self.start(reason, now),
            Halt::Hang => self.state = State::Hung { until: now + self.hardware.settings.timing.watchdog },
            Halt::Mute => self.state = State::Mute,
        }
    }
}
