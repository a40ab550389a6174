//! The network between devices and manager: it loses, doubles, delays, damages and cuts off.

use core::time::Duration;
use std::net::SocketAddr;

use engine::datagram::Datagram;
use snmp::usm::{EngineTime, Keys, Overheard};
use snmp::{Body, Operation};
use tftp::Packet;

use crate::invariants::{Sent, nothing_is_commanded_at_another_unit, what_was_damaged_is_not_believed};
use crate::unit::{Moving, SNMP_PORT, Unit, address, place};
use crate::world::{Item, MANAGER, Socket, World};

/// What the network does with a datagram, so many of a thousand.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Network {
    pub(crate) lost: u64,
    pub(crate) doubled: u64,
    pub(crate) damaged: u64,
}

impl World {
    /// Sends a datagram from the manager to a device.
    pub(crate) fn send_to_device(&mut self, place: usize, make: impl Fn(Vec<u8>) -> Item, bytes: Vec<u8>) {
        let now = self.now;
        self.checks.sent(place);
        let is_another = self.impostors.contains_key(&place);
        if let Some(unit) = self.units.get(place).filter(|unit| is_another || unit.deaf_until <= now) {
            let slow = unit.slow;
            self.send(slow, make, bytes);
        }
    }

    /// Sends a datagram from a device to the manager.
    pub(crate) fn send_to_manager(&mut self, place: usize, make: impl Fn(Vec<u8>) -> Item, bytes: Vec<u8>) {
        let now = self.now;
        if let Some(unit) = self.units.get(place).filter(|unit| unit.unheard_until <= now) {
            let slow = unit.slow;
            self.send(slow, make, bytes);
        }
    }

    pub(crate) fn send(
        &mut self,
        (until, by): (Duration, Duration),
        make: impl Fn(Vec<u8>) -> Item,
        bytes: Vec<u8>,
    ) {
        let Network { lost, doubled, damaged } = self.network;
        if self.random.permille(lost) {
            return;
        }
        let slowed = if self.now < until { by } else { Duration::ZERO };
        let second = self.random.permille(doubled).then(|| bytes.clone());
        for mut bytes in std::iter::once(bytes).chain(second) {
            let damage = self.random.permille(damaged);
            if damage && self.is_told_by_a_checksum_alone(&make(Vec::new())) {
                // Without SNMPv3 nothing but UDP's checksum tells a damaged command, and it does.
                continue;
            }
            if damage {
                let place = self.random.below(u64::try_from(bytes.len()).unwrap_or(0));
                let change = 1 << self.random.below(8);
                if let Some(byte) = usize::try_from(place).ok().and_then(|place| bytes.get_mut(place)) {
                    *byte ^= change;
                }
            }
            // A few arrive late, after those that were sent after them.
            let late = if self.random.permille(30) { 1500 } else { 40 };
            let delay = slowed + self.random.span(5, late);
            let item = make(bytes);
            self.put(delay, if damage { Item::Damaged(Box::new(item)) } else { item });
        }
    }

    /// Whether it is a command to a device without SNMPv3, or the answer to one.
    fn is_told_by_a_checksum_alone(&self, item: &Item) -> bool {
        let place = match item {
            Item::ToAgent { place, .. } => Some(*place),
            Item::ToManager { socket: Socket::Commander, peer, .. } => place(peer.ip()),
            _ => return false,
        };
        place.and_then(|place| self.units.get(place)).is_none_or(|unit| unit.secured.is_none())
    }

    /// A datagram comes that is not as it was sent. By SNMPv3 nothing of it is believed (RFC 3414 section 3.2).
    pub(crate) fn comes_damaged(&mut self, item: Item) {
        let (place, believed) = match item {
            Item::ToAgent { place, from, bytes } => {
                let answer = self.answer_of_agent(place, &bytes);
                let keys = self.units.get(place).and_then(Unit::keys);
                let believed = answer.as_ref().is_some_and(|answer| is_of_the_device(answer, keys));
                self.send_answer(place, from, answer);
                (Some(place), believed)
            }
            Item::ToManager { socket: socket @ (Socket::Commander | Socket::Listener), peer, bytes } => {
                (place(peer.ip()), self.manager_hears(socket, peer, &bytes) > 0)
            }
            other => return self.happen(other),
        };
        let secured = place.filter(|place| self.units.get(*place).is_some_and(|unit| unit.secured.is_some()));
        let checked = secured.map_or(Ok(()), |place| what_was_damaged_is_not_believed(place, believed));
        self.judge(checked);
    }

    /// A device's agent is asked.
    pub(crate) fn ask_agent(&mut self, place: usize, from: SocketAddr, bytes: &[u8]) {
        let answer = self.answer_of_agent(place, bytes);
        self.send_answer(place, from, answer);
    }

    fn answer_of_agent(&mut self, place: usize, bytes: &[u8]) -> Option<Vec<u8>> {
        let now = self.now;
        if self.impostors.contains_key(&place) {
            self.ask_another(place, bytes);
            return None;
        }
        let unit = self.units.get_mut(place).filter(|unit| unit.deaf_until <= now)?;
        if unit.heedless_until > now && Sent::of(bytes, unit.keys()).is_set {
            return None;
        }
        let answer = unit.answer(bytes, now);
        self.settle(place);
        answer
    }

    fn send_answer(&mut self, place: usize, from: SocketAddr, answer: Option<Vec<u8>>) {
        if let Some(answer) = answer
            && from.ip() == MANAGER
        {
            let peer = SocketAddr::new(address(place), SNMP_PORT);
            let arrive = move |bytes| Item::ToManager { socket: Socket::Commander, peer, bytes };
            self.send_to_manager(place, arrive, answer);
        }
    }

    /// Another unit answers at the address of a device.
    fn ask_another(&mut self, place: usize, bytes: &[u8]) {
        let now = self.now;
        let Some(unit) = self.impostors.get_mut(&place) else { return };
        let checked = nothing_is_commanded_at_another_unit(place, &Sent::of(bytes, unit.keys()));
        let clock = unit.clock(now);
        unit.device.tick(clock);
        let answer = unit.answer(bytes, now);
        self.judge(checked);
        let Some(bytes) = answer else { return };
        let peer = SocketAddr::new(address(place), SNMP_PORT);
        let delay = self.random.span(5, 40);
        self.put(delay, Item::ToManager { socket: Socket::Commander, peer, bytes });
    }

    pub(crate) fn transfer_hears(&mut self, place: usize, port: u16, from: SocketAddr, bytes: &[u8]) {
        let now = self.now;
        let Some(unit) = self.units.get_mut(place).filter(|unit| unit.deaf_until <= now) else { return };
        let Ok(packet) = Packet::decode(bytes) else { return };
        let known = unit.transfer_at(port);
        if let Some(Moving::Tftp(transfer)) = known.and_then(|known| unit.transfers.get_mut(&known))
            && transfer.is_with(from)
        {
            transfer.handle(from, &packet, now);
        }
        self.settle(place);
    }

    /// The manager hears something, and of how much it takes notice then: answers, notifications, what a transfer leads to.
    pub(crate) fn manager_hears(&mut self, socket: Socket, peer: SocketAddr, bytes: &[u8]) -> usize {
        let now = self.now;
        let Some(manager) = &mut self.manager else { return 0 };
        let datagram = [Datagram { peer, local: Some(MANAGER), bytes }];
        match socket {
            Socket::Commander => {
                if let Some(place) = place(peer.ip()).filter(|_| peer.port() == SNMP_PORT) {
                    let keys = self.units.get(place).and_then(Unit::keys);
                    if !self.checks.has_looked(place, self.life) && is_of_the_device(bytes, keys) {
                        self.checks.looked(place, self.life);
                    }
                }
                manager.commander.handle(&datagram, now);
                self.pump_commander()
            }
            Socket::Listener => {
                manager.listener.handle(&datagram, EngineTime::after(1, now), now);
                self.pump_listener()
            }
            Socket::Files(port) => {
                manager.files.handle(port, &datagram, now);
                self.pump_files()
            }
        }
    }
}

/// Whether a message of an agent tells of its device: a Report does not (RFC 3412 section 2.6).
fn is_of_the_device(bytes: &[u8], keys: Option<&Keys>) -> bool {
    let Some(keys) = keys else { return true };
    let said = Overheard::new(bytes, keys);
    let said = said.as_ref().ok().and_then(|said| said.body().ok());
    said.is_some_and(|body| matches!(&body, Body::Pdu(pdu) if pdu.operation != Operation::Report))
}
