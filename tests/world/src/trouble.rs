//! Trouble: how it begins, what it does, and when it is over.

use core::time::Duration;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use engine::datagram::Datagram;
use engine::director::Input;
use engine::file_server::Port;
use iad_sim::device::{ConfigurationKind, Power, Settings};
use iad_sim::fault::{Fault, FaultKind};
use tftp::{Direction, Mode, OptionList, Packet, Request};
use upgrade::Run;
use upgrade::run::Goal;

use crate::invariants::{Fate, Sent};
use crate::manager::Channel;
use crate::network::Network;
use crate::plan::{After, Cut, DevicePlan, Meanwhile, Trouble};
use crate::rival::RIVAL;
use crate::unit::{Nature, Stranded, Unit, address};
use crate::world::{Item, MANAGER, World, device_id};

/// Somebody in the network who is no device of ours.
pub(crate) const STRANGER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 200));

/// Before another unit is plugged in, and after it was: what was sent before has arrived by then, or never will.
const UNPLUGGED: Duration = Duration::from_secs(60);

/// After so many starts in vain a device takes its other software.
const STARTS: u32 = 3;

/// However often it starts in vain, a device is up so long after it has power again.
const UP_AGAIN: Duration = Duration::from_secs(200);

/// Whoever asks from this port asks for what is not meant for it; no device's transfer does.
pub(crate) const STRANGER_PORT: u16 = 2000;

impl World {
    pub(crate) fn begins(&mut self, number: usize) {
        let now = self.now;
        let Some(trouble) = self.plan.troubles.get(number).cloned() else { return };
        self.note(|| format!("trouble {number}: {trouble:?}"));
        match trouble {
            Trouble::PowerCut { device, lasts, .. } | Trouble::PowerCutAfter { device, lasts, .. } => {
                self.power_off(device);
                self.put(lasts, Item::Over(number));
            }
            Trouble::Gone { device, .. } => {
                if let Some(unit) = self.units.get_mut(device) {
                    unit.gone = true;
                }
                self.power_off(device);
            }
            Trouble::Rot { device, .. } => {
                if let Some(unit) = self.units.get_mut(device) {
                    unit.rots = true;
                }
            }
            Trouble::Impostor { device, lasts, .. } => {
                // One at a time.
                if let Some(unit) = self.units.get_mut(device).filter(|unit| unit.unplugged_until <= now) {
                    let until = now + UNPLUGGED + lasts + UNPLUGGED;
                    unit.unplugged_until = until;
                    unit.unheard_until = unit.unheard_until.max(until);
                    unit.deaf_until = unit.deaf_until.max(until);
                    self.put(UNPLUGGED, Item::Over(number));
                }
            }
            Trouble::Partition { device, lasts, cut, .. } => {
                if let Some(unit) = self.units.get_mut(device) {
                    let until = now + lasts;
                    if cut != Cut::ToDevice {
                        unit.unheard_until = unit.unheard_until.max(until);
                    }
                    if cut != Cut::FromDevice {
                        unit.deaf_until = unit.deaf_until.max(until);
                    }
                }
            }
            Trouble::Slow { device, lasts, by, .. } => {
                if let Some(unit) = self.units.get_mut(device) {
                    unit.slow = (now + lasts, by);
                }
            }
            Trouble::DiskFull { lasts, .. } => {
                self.store.full = true;
                self.put(lasts, Item::Over(number));
            }
            Trouble::Edit { device, .. } => self.edit(device),
            Trouble::EditOnTrial { device, .. } => {
                if let Some(unit) = self.units.get_mut(device) {
                    unit.edit_on_trial = Some(number);
                }
            }
            Trouble::Cancel { device, .. } => self.cancel(device),
            Trouble::Stranded { device, .. } => {
                if let Some(unit) = self.units.get_mut(device) {
                    unit.stranded = Some(Stranded { number, is_dark: false });
                }
            }
            Trouble::Stop { device, .. } => self.stop(device),
            Trouble::Gap(_) => self.send_input(Channel::News, Input::Gap),
            Trouble::LateCommand { device, .. } => {
                if let Some(unit) = self.units.get_mut(device) {
                    unit.late_command = Some(number);
                }
            }
            Trouble::EditBackedUp { device, .. } => {
                if let Some(unit) = self.units.get_mut(device) {
                    unit.edit_backed_up = Some(number);
                }
            }
            Trouble::Slide { device, .. } => {
                if let Some(unit) = self.units.get_mut(device) {
                    unit.slides.push(number);
                }
            }
            Trouble::Rival { device, work, .. } => self.rival(device, work),
            Trouble::Replaced { device, .. } => {
                if let Some(unit) = self.units.get_mut(device) {
                    unit.replaced = true;
                }
            }
            Trouble::MadeToRun { device, lasts, .. } => {
                if let Some(unit) = self.units.get_mut(device) {
                    unit.made_to_run = Some(lasts);
                }
            }
            Trouble::Stranger { device, .. } => {
                if let Some(unit) = self.units.get_mut(device) {
                    unit.overheard = true;
                }
            }
            Trouble::Heedless { device, lasts, .. } => {
                if let Some(unit) = self.units.get_mut(device) {
                    unit.heedless_until = unit.heedless_until.max(now + lasts);
                }
            }
            Trouble::Forger { device, lasts, .. } => {
                if let Some(unit) = self.units.get_mut(device) {
                    unit.forger = Some((number, now + lasts));
                }
            }
            Trouble::ClockJump { device, by, .. } => {
                if let Some(unit) = self.units.get_mut(device) {
                    unit.ahead += by;
                    unit.due = None;
                    let clock = unit.clock(now);
                    unit.device.tick(clock);
                }
                self.settle(device);
            }
            Trouble::Device(..)
            | Trouble::Kill { .. }
            | Trouble::Deaf(_)
            | Trouble::Twin(_)
            | Trouble::Secured(_)
            | Trouble::Forgetful(_)
            | Trouble::Pushed(_)
            | Trouble::Busy
            | Trouble::Rebuilt(_)
            | Trouble::Aimed(..)
            | Trouble::Misfit { .. }
            | Trouble::Single(_)
            | Trouble::Network { .. }
            | Trouble::Loss(_)
            | Trouble::SaidTwice { .. } => {}
        }
    }

    pub(crate) fn over(&mut self, number: usize) {
        match self.plan.troubles.get(number) {
            Some(
                Trouble::PowerCut { device, .. }
                | Trouble::PowerCutAfter { device, .. }
                | Trouble::LateCommand { device, .. },
            ) => {
                let device = *device;
                self.power_on(device);
            }
            Some(Trouble::Slide { device, changed_there, .. }) => {
                let (device, changed_there) = (*device, *changed_there);
                self.power_on(device);
                if changed_there {
                    self.put(UP_AGAIN, Item::Edit(device));
                }
            }
            Some(Trouble::Impostor { device, lasts, .. }) => {
                let (device, lasts) = (*device, *lasts);
                self.plug_in_another(device, number, lasts);
            }
            Some(Trouble::DiskFull { .. }) => self.store.full = false,
            Some(Trouble::Stranded { device, .. }) => {
                let device = *device;
                self.cancel(device);
            }
            Some(Trouble::EditBackedUp { device, .. }) => {
                let device = *device;
                self.edit(device);
            }
            Some(Trouble::EditOnTrial { device, cut, cancelled, .. }) => {
                let (device, cut, cancelled) = (*device, *cut, *cancelled);
                self.edit(device);
                if cancelled {
                    self.cancel(device);
                }
                if let Some(lasts) = cut.filter(|_| !self.is_quiet()) {
                    self.power_off(device);
                    self.put(lasts, Item::PowerOn(device));
                }
            }
            _ => {}
        }
    }

    /// Something has happened to a device: trouble that waited for it strikes.
    pub(crate) fn strike(&mut self, place: usize) {
        let is_quiet = self.is_quiet();
        self.edit_on_trial(place);
        let Some(unit) = self.units.get_mut(place) else { return };
        unit.events += 1;
        let cut = unit.cuts.remove(&unit.events).filter(|_| !is_quiet);
        let durable = unit.device.durable();
        let is_ours = durable.boot.trial.is_some() && !durable.operation.id.starts_with(RIVAL);
        let rots = unit.rots && is_ours && unit.new_software_starts();
        if rots {
            unit.rots = false;
            let seed = self.random.number();
            self.note(|| format!("device {}: the old software is broken", place + 1));
            if let Some(unit) = self.units.get_mut(place) {
                unit.rot(seed);
            }
            self.checks.rotted(place);
            self.power_on(place);
        }
        if let Some(number) = cut {
            self.begins(number);
        }
    }

    fn edit_on_trial(&mut self, place: usize) {
        let waits = self.units.get(place).and_then(|unit| unit.edit_on_trial);
        let Some(Trouble::EditOnTrial { after, .. }) =
            waits.and_then(|number| self.plan.troubles.get(number))
        else {
            return;
        };
        let after = *after;
        if self.checks.fate_of_an_edit(place, &self.units, &self.store) == Some(Fate::OnTrial)
            && let Some(unit) = self.units.get_mut(place)
            && let Some(number) = unit.edit_on_trial.take()
        {
            self.put(after, Item::Over(number));
        }
    }

    /// At the device's address another unit answers, where it is known which one should; or no more.
    fn plug_in_another(&mut self, place: usize, number: usize, lasts: Duration) {
        let is_known = self.store.unique_ids.contains_key(&device_id(place));
        if self.impostors.remove(&place).is_some() || !is_known || self.is_quiet() {
            return;
        }
        let Some(own) = self.plan.devices.get(place) else { return };
        let plan = DevicePlan {
            settings: Settings { timing: own.settings.timing, ..Settings::numbered(another_number(place)) },
            ..own.clone()
        };
        let seed = self.random.number();
        self.note(|| format!("another unit answers in the place of device {}", place + 1));
        // It is one of the operator's own devices.
        let is_secured = self.units.get(place).is_some_and(|unit| unit.secured.is_some());
        let nature = Nature { is_twin: true, is_secured, ..Nature::default() };
        self.impostors.insert(place, Unit::new(plan, seed, nature, self.now));
        self.put(lasts, Item::Over(number));
    }

    /// A device's software is to go back: it cannot be reached.
    pub(crate) fn goes_back(&mut self, place: usize) {
        let returns = self.run_of(place).is_some_and(|run| run.returning);
        let Some(stranded) = self.units.get_mut(place).and_then(|unit| unit.stranded.as_mut()) else {
            return;
        };
        if returns
            && !std::mem::replace(&mut stranded.is_dark, true)
            && let Some(Trouble::Stranded { lasts, .. }) = self.plan.troubles.get(stranded.number)
        {
            let until = self.now + *lasts;
            if let Some(unit) = self.units.get_mut(place) {
                unit.unheard_until = unit.unheard_until.max(until);
                unit.deaf_until = unit.deaf_until.max(until);
            }
        }
    }

    /// A run waits before it is tried once more to bring its device back: an operator cancels it.
    pub(crate) fn pauses(&mut self, place: usize) {
        let returns = self.run_of(place).is_some_and(|run| run.returning);
        let Some(unit) = self.units.get_mut(place).filter(|_| returns) else { return };
        if let Some((number, Trouble::Stranded { after, .. })) = unit
            .stranded
            .take()
            .and_then(|Stranded { number, .. }| Some((number, self.plan.troubles.get(number)?)))
        {
            self.put(*after, Item::Over(number));
        }
    }

    /// A backup of a device is whole: trouble that waited for it strikes.
    pub(crate) fn backed_up(&mut self, place: usize) {
        self.slide(place, After::BackedUp);
        // What a device is rolled back to is backed up, too, before today's settings are restored over it: half of those who come
        // during a roll-back come right then.
        let rolled_back = |number: usize| {
            matches!(self.plan.troubles.get(number), Some(Trouble::EditBackedUp { rolled_back: true, .. }))
        };
        let comes_later = |number: usize, run: &Run| match &run.goal {
            Goal::RollBack => run.loaded.is_none() && (number.is_multiple_of(2) || rolled_back(number)),
            _ => rolled_back(number),
        };
        let waiting = self.units.get(place).and_then(|unit| unit.edit_backed_up);
        if waiting.zip(self.run_of(place)).is_some_and(|(number, run)| comes_later(number, run)) {
            return;
        }
        let waits = self.units.get_mut(place).and_then(|unit| unit.edit_backed_up.take());
        if let Some((number, Trouble::EditBackedUp { after, .. })) =
            waits.and_then(|number| Some((number, self.plan.troubles.get(number)?)))
        {
            self.put(*after, Item::Over(number));
        }
    }

    /// Whether a device leaves its software after this.
    pub(crate) fn slide(&mut self, place: usize, moment: After) -> bool {
        let Some(unit) = self.units.get(place).filter(|unit| unit.could_run_another()) else { return false };
        let fits = |number: &usize| match self.plan.troubles.get(*number) {
            Some(Trouble::Slide { after, lasts, changed, .. }) if *after == moment => {
                Some((*number, *lasts, *changed))
            }
            _ => None,
        };
        let Some((number, lasts, changed)) = unit.slides.iter().find_map(fits) else { return false };
        if changed {
            self.edit(place);
        }
        self.note(|| format!("device {}: what it runs does not start again", place + 1));
        if let Some(unit) = self.units.get_mut(place) {
            unit.slides.retain(|waiting| *waiting != number);
            let fault = Fault { times: STARTS, ..Fault::once(FaultKind::BootLoop) };
            unit.device.faults_mut().add(u32::try_from(number + 1).unwrap_or(u32::MAX), fault);
        }
        self.power_off(place);
        self.put(lasts, Item::Over(number));
        true
    }

    /// The trouble that makes what is sent to a device late, if it is a command that one waits for.
    pub(crate) fn takes_longer(&mut self, place: usize, said: &Sent) -> Option<usize> {
        let unit = self.units.get_mut(place).filter(|_| said.is_set)?;
        let troubles = &self.plan.troubles;
        unit.late_command.take_if(|number| match troubles.get(*number) {
            Some(Trouble::LateCommand { only, .. }) => {
                only.is_empty() || only.iter().any(|command| said.commands(*command))
            }
            _ => true,
        })
    }

    /// A command is sent that is late; whether it is sent as usual, too.
    pub(crate) fn delay(&mut self, number: usize, place: usize, from: SocketAddr, bytes: &[u8]) -> bool {
        let Some(Trouble::LateCommand { by, doubled, meanwhile, .. }) = self.plan.troubles.get(number) else {
            return true;
        };
        let (by, doubled, meanwhile) = (*by, *doubled, *meanwhile);
        self.note(|| format!("a command to device {} is late by {by:?}: {meanwhile:?}", place + 1));
        self.put(by, Item::ToAgent { place, from, bytes: bytes.to_vec() });
        match meanwhile {
            Meanwhile::Nothing => {}
            Meanwhile::Cancel => self.cancel(place),
            Meanwhile::Rival(work) => self.rival(place, work),
            Meanwhile::Edit => self.edit(place),
            Meanwhile::PowerCut(lasts) => {
                self.power_off(place);
                self.put(lasts, Item::Over(number));
            }
        }
        doubled
    }

    pub(crate) fn power_off(&mut self, place: usize) {
        let now = self.now;
        if let Some(unit) = self.units.get_mut(place) {
            let clock = unit.clock(now);
            unit.device.power_off(clock);
        }
        self.settle(place);
    }

    pub(crate) fn power_on(&mut self, place: usize) {
        let now = self.now;
        if let Some(unit) = self.units.get_mut(place).filter(|unit| !unit.gone) {
            let clock = unit.clock(now);
            unit.device.power_on(clock);
        }
        self.settle(place);
    }

    pub(crate) fn be_quiet(&mut self) {
        self.note(|| "all trouble is over".into());
        self.quiet_since = Some(self.now);
        self.network = Network::default();
        self.busy = false;
        self.kills.clear();
        self.store.full = false;
        self.impostors.clear();
        for place in 0..self.units.len() {
            if let Some(unit) = self.units.get_mut(place) {
                unit.unheard_until = Duration::ZERO;
                unit.deaf_until = Duration::ZERO;
                unit.heedless_until = Duration::ZERO;
                unit.slow = (Duration::ZERO, Duration::ZERO);
                unit.late_command = None;
                unit.forger = None;
                unit.replaced = false;
                unit.made_to_run = None;
                unit.slides.clear();
                unit.rots = false;
                unit.edit_on_trial = None;
                unit.edit_backed_up = None;
                unit.stranded = None;
                unit.device.faults_mut().clear(None);
            }
            self.rival_gives_up(place);
            self.power_cycle_what_does_not_run(place);
            self.put(Duration::from_secs(1), Item::Operator(place));
        }
    }

    /// How a start ends that has begun is settled: whatever is about to die of one is started anew.
    fn power_cycle_what_does_not_run(&mut self, place: usize) {
        if self.units.get(place).is_some_and(|unit| unit.device.power() != Power::Running) {
            self.power_off(place);
            self.power_on(place);
        }
    }

    /// Somebody changes a setting at a device, on the software that it is meant to run or on what is watched there.
    pub(crate) fn edit(&mut self, place: usize) {
        let fate = self.checks.fate_of_an_edit(place, &self.units, &self.store);
        let Some((unit, fate)) = self.units.get_mut(place).zip(fate) else { return };
        unit.edits += 1;
        // No two devices are given the same, and none the same twice: that would be no change.
        let value = format!("{fate:?}-{place}-{}", unit.edits);
        let runs = unit.device.power() == Power::Running;
        if runs && unit.device.configure(ConfigurationKind::UserData, &[("edited".into(), value)]) {
            self.note(|| format!("device {}: a person changes settings: {fate:?}", place + 1));
            self.checks.edited(place, &self.units, fate);
            self.settle(place);
        }
    }

    /// A device begins to move a file; whoever listens may ask for it, or send it, sooner or later than the device.
    pub(crate) fn overhear(&mut self, place: usize, name: &str, writes: bool) {
        let heard = self.units.get(place).is_some_and(|unit| unit.overheard);
        if heard {
            let after = self.random.span(0, 300);
            // A stranger, another device of ours, or the device itself the wrong way round.
            let (from, writes) = match self.random.below(3) {
                0 => (STRANGER, writes),
                1 => (address((place + 1) % self.units.len()), writes),
                _ => (address(place), !writes),
            };
            self.put(after, Item::Stranger { from, name: name.to_owned(), writes });
        }
    }

    pub(crate) fn stranger_asks(&mut self, from: IpAddr, name: &str, writes: bool) {
        let now = self.now;
        let direction = if writes { Direction::Write } else { Direction::Read };
        let request =
            Request { direction, filename: name, mode: Mode::Octet, options: OptionList::default() };
        let mut bytes = Vec::new();
        Packet::Request(request).encode(&mut bytes);
        let Some(manager) = &mut self.manager else { return };
        let peer = SocketAddr::new(from, STRANGER_PORT);
        let datagram = [Datagram { peer, local: Some(MANAGER), bytes: &bytes }];
        manager.files.handle(Port::Requests, &datagram, now);
        self.pump_files();
    }
}

/// The number of the unit that answers in the place of a device.
fn another_number(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(0).saturating_add(1000)
}
