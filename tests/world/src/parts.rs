//! The parts of the manager as the world calls them: messages between them, datagrams, deadlines, death.

use core::time::Duration;
use std::net::SocketAddr;
use std::sync::Arc;

use engine::Access;
use engine::access::Version;
use engine::commander::Outcome;
use engine::director::{Entry, Input};
use engine::file_server::{Port, Report};
use engine::listener::DeviceIndex;
use upgrade::Time;

use crate::invariants::{Sent, a_ticket_serves_its_device_alone};
use crate::manager::{Channel, Manager, Message, Part};
use crate::secured::{CREDENTIAL, user};
use crate::trouble::{STRANGER, STRANGER_PORT};
use crate::unit::{SNMP_PORT, Unit, address, place};
use crate::world::{
    COMMANDER_PORT, Item, LISTENER_PORT, MANAGER, TFTP_PORT, TRANSFER_PORT, World, device_id, place_of,
};

impl World {
    pub(crate) fn start(&mut self) {
        if self.manager.is_some() {
            return;
        }
        self.life += 1;
        let seed = self.random.number();
        let mut manager = Manager::new(seed, &self.store);
        manager.listener.know(self.index());
        for stored in self.store.open_runs() {
            let access = self.access(place_of(stored.run.device.id));
            let entry =
                Entry::stored(stored.run.clone(), stored.seq, stored.told, Arc::clone(&self.profile), access);
            manager.inbox.put(Input::Resume(Box::new(entry)));
        }
        let life = self.life;
        self.note(|| format!("the manager starts, life {life}"));
        self.manager = Some(manager);
        self.run_director();
    }

    fn kill(&mut self, lasts: Duration) {
        let step = self.steps;
        self.note(|| format!("the manager is killed at step {step}"));
        self.killed += 1;
        self.manager = None;
        self.checks.looks_anew();
        let lasts = if self.is_quiet() { Duration::from_secs(1) } else { lasts };
        self.put(lasts, Item::Start);
        let checked = self.checks.replays(&self.store, &self.profile);
        self.judge(checked);
    }

    /// One step of the manager; true: it is killed before that.
    pub(crate) fn step(&mut self) -> bool {
        self.steps += 1;
        match self.kills.remove(&self.steps) {
            Some(lasts) => {
                self.kill(lasts);
                true
            }
            None => false,
        }
    }

    pub(crate) fn index(&self) -> DeviceIndex {
        let mut index = DeviceIndex::default();
        for place in 0..self.units.len() {
            let id = device_id(place);
            index.by_address.insert(address(place), id);
            index.profiles.insert(id, Arc::clone(&self.profile));
            index.by_unique_id.extend(self.store.unique_ids.get(&id).map(|unique| (unique.clone(), id)));
            index.by_engine.extend(self.store.engines.get(&id).map(|engine| (*engine, id)));
            index.users.insert(id, [user()].into());
        }
        index.believed = vec![user()];
        index
    }

    pub(crate) fn access(&self, place: usize) -> Access {
        let is_secured = self.units.get(place).is_some_and(|unit| unit.secured.is_some());
        Access {
            address: SocketAddr::new(address(place), SNMP_PORT),
            version: if is_secured { Version::V3 } else { Version::V2c },
            read_community: "public".into(),
            write_community: "private".into(),
            credential: is_secured.then(|| CREDENTIAL.to_owned()),
            engine: self.store.engines.get(&device_id(place)).copied(),
            answer_ms: self.profile.limits.answer_ms,
            repeats: self.profile.limits.repeats,
        }
    }

    /// A message from one part of the manager to another: none overtakes another on the same channel.
    pub(crate) fn message(&mut self, channel: Channel, message: Message) {
        let late = if self.random.permille(20) { 200 } else { 3 };
        let at = self.now + self.random.span(0, late);
        let Some(manager) = &mut self.manager else { return };
        let last = manager.channels.entry(channel).or_default();
        *last = at.max(*last);
        let (at, life) = (*last, self.life);
        self.queue.put(at, Item::Message { life, message });
    }

    pub(crate) fn send_input(&mut self, channel: Channel, input: Input) {
        self.message(channel, Message::Input(input));
    }

    pub(crate) fn deliver(&mut self, message: Message) {
        let now = self.now;
        let Some(manager) = &mut self.manager else { return };
        match message {
            Message::Ask(ask) => {
                manager.commander.ask(ask);
                self.pump_commander();
            }
            Message::Order(order) => {
                manager.files.order(order, now);
                self.pump_files();
            }
            Message::Storage(asked) => {
                if let Some(stored) = manager.store(asked, &mut self.store) {
                    self.message(Channel::Stored, Message::Stored(stored));
                }
            }
            Message::Stored(stored) => {
                manager.files.storage(stored, now);
                self.pump_files();
            }
            Message::Input(input) => {
                manager.inbox.put(input);
                self.run_director();
            }
            Message::Receipt(receipt) => {
                manager.listener.committed(receipt);
                self.pump_listener();
            }
            Message::Learnt(learnt) => manager.listener.learn(learnt),
            Message::Regression(regression) => {
                manager.listener.restarted_anew(&regression.engine, regression.told, now);
            }
            Message::Commit => self.commit(),
            Message::Retry => self.retry(),
        }
    }

    pub(crate) fn part_due(&mut self, part: Part) {
        let now = self.now;
        let Some(manager) = &mut self.manager else { return };
        if manager.due.get(&part) != Some(&now) {
            return;
        }
        manager.due.remove(&part);
        match part {
            Part::Director => self.run_director(),
            Part::Commander => {
                self.pump_commander();
            }
            Part::Files => {
                self.pump_files();
            }
        }
    }

    pub(crate) fn due(&mut self, part: Part, deadline: Option<Duration>) {
        let (now, life) = (self.now, self.life);
        let (Some(manager), Some(deadline)) = (&mut self.manager, deadline) else { return };
        let at = deadline.max(now + Duration::from_micros(1));
        if manager.due.get(&part).is_none_or(|due| at < *due) {
            manager.due.insert(part, at);
            self.queue.put(at, Item::PartDue { life, part });
        }
    }

    /// Lets the commander do what it has to, and tells how many of its answers are what a device said.
    pub(crate) fn pump_commander(&mut self) -> usize {
        let now = self.now;
        let mut buffer = std::mem::take(&mut self.buffer);
        let from = SocketAddr::new(MANAGER, COMMANDER_PORT);
        while let Some(manager) = &mut self.manager {
            let Some(sent) = manager.commander.poll_transmit(now, &mut buffer) else { break };
            if let Some(place) = place(sent.peer.ip()) {
                let bytes = buffer.get(..sent.length).unwrap_or_default().to_vec();
                let said = Sent::of(&bytes, self.units.get(place).and_then(Unit::keys));
                let checked = said.nothing_is_said_in_the_open(place);
                self.judge(checked);
                let checked = said.nothing_is_loaded_over_the_only_software(place, self.units.get(place));
                self.judge(checked);
                let checked = self.checks.a_command_is_not_sent_for_ever(place, &said, self.units.get(place));
                self.judge(checked);
                let repeats = self.profile.limits.repeats;
                let checked = self.checks.a_question_is_not_sent_for_ever(place, &said, repeats);
                self.judge(checked);
                let checked = self.checks.a_command_follows_a_look(place, self.life, &said);
                self.judge(checked);
                let checked = self.checks.who_is_busy_is_commanded_nothing(place, &said);
                self.judge(checked);
                let late = self.takes_longer(place, &said);
                if late.is_some_and(|number| !self.delay(number, place, from, &bytes)) {
                    continue;
                }
                self.forge_answer(place, &bytes);
                self.send_to_device(place, move |bytes| Item::ToAgent { place, from, bytes }, bytes);
            }
        }
        self.buffer = buffer;
        let mut believed = 0;
        while let Some(answer) = self.manager.as_mut().and_then(|manager| manager.commander.poll_answer(now))
        {
            believed += usize::from(matches!(answer.outcome, Outcome::Values(_)));
            let checked = self.checks.shown(&answer, &self.store, &self.profile, Time::from(now));
            self.judge(checked);
            self.send_input(Channel::Answers, Input::Answer(answer));
        }
        while let Some(told) = self.manager.as_mut().and_then(|manager| manager.commander.poll_regression()) {
            self.message(Channel::Regressions, Message::Regression(told));
        }
        let deadline = self.manager.as_ref().and_then(|manager| manager.commander.next_deadline());
        self.due(Part::Commander, deadline);
        believed
    }

    /// Lets the listener do what it has to, and tells how many notifications it has heard.
    pub(crate) fn pump_listener(&mut self) -> usize {
        let mut believed = 0;
        while let Some(device) = self.manager.as_mut().and_then(|manager| manager.listener.poll_doubted()) {
            self.send_input(Channel::News, Input::Doubted(device));
        }
        while let Some(heard) = self.manager.as_mut().and_then(|manager| manager.listener.poll_heard()) {
            believed += 1;
            self.send_input(Channel::News, Input::Heard(heard));
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        let from = SocketAddr::new(MANAGER, LISTENER_PORT);
        while let Some(manager) = &mut self.manager {
            let Some(sent) = manager.listener.poll_transmit(&mut buffer) else { break };
            if let Some(place) = place(sent.peer.ip()) {
                let bytes = buffer.get(..sent.length).unwrap_or_default().to_vec();
                self.send_to_device(place, move |bytes| Item::ToNotifier { place, from, bytes }, bytes);
            }
        }
        self.buffer = buffer;
        believed
    }

    /// Lets the file server do what it has to, and tells how much comes of that for tickets and storage.
    pub(crate) fn pump_files(&mut self) -> usize {
        let mut told = 0;
        let now = self.now;
        let mut buffer = std::mem::take(&mut self.buffer);
        while let Some(manager) = &mut self.manager {
            let Some((port, sent)) = manager.files.poll_transmit(now, &mut buffer) else { break };
            let own = match port {
                Port::Requests => TFTP_PORT,
                Port::Transfers => TRANSFER_PORT,
            };
            let from = SocketAddr::new(MANAGER, own);
            let whole = buffer.get(..sent.length).unwrap_or_default();
            if sent.peer.port() == STRANGER_PORT || sent.peer.ip() == STRANGER {
                let checked = a_ticket_serves_its_device_alone(whole);
                self.judge(checked);
                continue;
            }
            let Some(place) = place(sent.peer.ip()) else { continue };
            let to = sent.peer.port();
            for packet in whole.chunks(sent.segment_size.max(1)) {
                self.forge_packet(place, to, packet);
                self.send_to_device(
                    place,
                    move |bytes| Item::ToTransfer { place, port: to, from, bytes },
                    packet.to_vec(),
                );
            }
        }
        self.buffer = buffer;
        while let Some(asked) = self.manager.as_mut().and_then(|manager| manager.files.poll_storage()) {
            told += 1;
            let reads = matches!(asked, engine::file_server::ToStorage::Need { .. });
            let channel = if reads { Channel::Reading } else { Channel::Writing };
            self.message(channel, Message::Storage(asked));
        }
        while let Some(report) = self.manager.as_mut().and_then(|manager| manager.files.poll_report()) {
            told += usize::from(matches!(report, Report::Ticket { .. }));
            let checked = self.checks.reported(&report);
            self.judge(checked);
            self.send_input(Channel::Reports, Input::Report(report));
        }
        while let Some(stopped) = self.manager.as_mut().and_then(|manager| manager.files.poll_ftp_stop()) {
            self.checks.ftp_stopped.insert(stopped);
        }
        let deadline = self.manager.as_ref().and_then(|manager| manager.files.next_deadline());
        self.due(Part::Files, deadline);
        told
    }
}
