//! What devices want done in the world: files, notifications, time.

use engine::file_server::Port;
use iad_sim::device::{Effect as Wish, TransferError, TransferEvent, TransferId};
use iad_sim::transfer::Progress;
use std::net::SocketAddr;

use upgrade::Time;

use crate::unit::{Moving, NOTIFYING_PORT, Unit, address};
use crate::world::{Item, LISTENER_PORT, MANAGER, Socket, TFTP_PORT, World};

impl World {
    pub(crate) fn unit_due(&mut self, place: usize) {
        let now = self.now;
        let Some(unit) = self.units.get_mut(place) else { return };
        if unit.due != Some(now) {
            return;
        }
        unit.due = None;
        let clock = unit.clock(now);
        unit.device.tick(clock);
        self.settle(place);
    }

    /// Performs what a device wants, moves its files on, and checks what changed.
    pub(crate) fn settle(&mut self, place: usize) {
        loop {
            let Some(unit) = self.units.get_mut(place) else { return };
            let wishes: Vec<Wish> = std::iter::from_fn(|| unit.device.next_effect()).collect();
            let idle = wishes.is_empty();
            for wish in wishes {
                self.wish(place, wish);
            }
            if !self.move_files(place) && idle {
                break;
            }
        }
        let now = self.now;
        let Some(unit) = self.units.get_mut(place) else { return };
        if !unit.device.answers() {
            let seed = self.random.number();
            unit.forget_informs(seed);
        }
        while let Some(inform) = self.units.get_mut(place).and_then(|unit| unit.poll_inform(now)) {
            self.send_notification(place, inform);
        }
        self.strike(place);
        let Some(unit) = self.units.get_mut(place) else { return };
        let changes = unit.device.changes();
        if unit.seen_changes != changes {
            unit.seen_changes = changes;
            let checked = self.checks.device_changed(place, &self.units, &self.store, Time::from(now));
            self.judge(checked);
        }
        self.arm(place);
    }

    fn arm(&mut self, place: usize) {
        let now = self.now;
        let Some(unit) = self.units.get_mut(place) else { return };
        let Some(deadline) = unit.deadline(now) else { return };
        let at = deadline.max(now);
        if unit.due.is_none_or(|due| at < due) {
            unit.due = Some(at);
            self.queue.put(at, Item::UnitDue(place));
        }
    }

    fn wish(&mut self, place: usize, wish: Wish) {
        let now = self.now;
        let Some(unit) = self.units.get_mut(place) else { return };
        match wish {
            Wish::Fetch(fetch) => match Unit::server(&fetch.server) {
                Some(server) if server.ip() == MANAGER => {
                    unit.fetch(&fetch, server, now);
                    self.overhear(place, &fetch.name, false);
                    self.open_ftp(place, fetch.transfer, &fetch.server, fetch.name, None);
                }
                Some(_) => self.rival_serves(place, fetch.transfer, &fetch.name, fetch.purpose),
                None => self.give_up(place, fetch.transfer),
            },
            Wish::Upload(upload) => match Unit::server(&upload.server) {
                Some(server) if server.ip() == MANAGER => {
                    unit.upload(&upload, server, now);
                    self.overhear(place, &upload.name, true);
                    let content = Some(upload.content.into());
                    self.open_ftp(place, upload.transfer, &upload.server, upload.name, content);
                }
                // A server of somebody else's: by TFTP it does not answer, by FTP it takes nothing.
                Some(server) => unit.upload(&upload, server, now),
                None => self.give_up(place, upload.transfer),
            },
            Wish::Cancel { transfer, silent } => {
                if !silent && let Some(Moving::Tftp(moving)) = unit.transfers.get_mut(&transfer) {
                    moving.cancel();
                    self.transmit(place, transfer);
                }
                if let Some(unit) = self.units.get_mut(place) {
                    unit.transfers.remove(&transfer);
                }
            }
            Wish::Notify(notification) => {
                let listener = SocketAddr::new(MANAGER, LISTENER_PORT);
                let trap = unit.notify(&notification, listener, now);
                self.note(|| {
                    format!(
                        "device {} notifies {:?} {}",
                        place + 1,
                        notification.kind,
                        notification.operation
                    )
                });
                if let Some(trap) = trap {
                    self.send_notification(place, trap);
                }
            }
            Wish::KeepImage(_) => {}
        }
    }

    pub(crate) fn give_up(&mut self, place: usize, transfer: TransferId) {
        self.tell_transfer(place, transfer, TransferEvent::Failed(TransferError::Unreachable));
    }

    pub(crate) fn tell_transfer(&mut self, place: usize, transfer: TransferId, event: TransferEvent<'_>) {
        let now = self.now;
        if let Some(unit) = self.units.get_mut(place) {
            if matches!(event, TransferEvent::Finished | TransferEvent::Failed(_)) {
                unit.transfers.remove(&transfer);
            }
            let clock = unit.clock(now);
            unit.device.transfer(transfer, event, clock);
        }
    }

    fn send_notification(&mut self, place: usize, bytes: Vec<u8>) {
        if self.units.get(place).is_some_and(|unit| unit.deaf && !self.is_quiet()) {
            return;
        }
        let peer = SocketAddr::new(address(place), NOTIFYING_PORT);
        let arrive = move |bytes| Item::ToManager { socket: Socket::Listener, peer, bytes };
        self.send_to_manager(place, arrive, bytes);
    }

    /// Moves the files of a device on. Whether anything was told to it.
    fn move_files(&mut self, place: usize) -> bool {
        let now = self.now;
        let Some(unit) = self.units.get_mut(place) else { return false };
        let moving: Vec<TransferId> = unit.transfers.keys().copied().collect();
        let mut told = false;
        for id in moving {
            self.transmit(place, id);
            let Some(unit) = self.units.get_mut(place) else { return told };
            let Some(Moving::Tftp(transfer)) = unit.transfers.get_mut(&id) else { continue };
            if transfer.stalls(now) {
                continue;
            }
            let progress = transfer.progress(now);
            let done = transfer.is_done();
            told |= !progress.is_empty();
            let clock = unit.clock(now);
            for step in &progress {
                let event = match step {
                    Progress::Received(bytes) => TransferEvent::Received(bytes),
                    Progress::Waits(port) => TransferEvent::Waits(*port),
                    Progress::Sent(bytes) => TransferEvent::Sent(*bytes),
                    Progress::Finished => TransferEvent::Finished,
                    Progress::Failed(error) => TransferEvent::Failed(*error),
                };
                unit.device.transfer(id, event, clock);
            }
            self.transmit(place, id);
            if done && let Some(unit) = self.units.get_mut(place) {
                unit.transfers.remove(&id);
            }
        }
        told
    }

    fn transmit(&mut self, place: usize, id: TransferId) {
        let now = self.now;
        let mut buffer = std::mem::take(&mut self.buffer);
        while let Some(unit) = self.units.get_mut(place) {
            let Some(Moving::Tftp(transfer)) = unit.transfers.get_mut(&id) else { break };
            if transfer.stalls(now) {
                break;
            }
            let Some(sent) = transfer.poll_transmit(now, &mut buffer) else { break };
            let to = transfer.peer();
            if to.ip() != MANAGER {
                continue;
            }
            let peer = SocketAddr::new(address(place), Unit::port(id));
            let port = if to.port() == TFTP_PORT { Port::Requests } else { Port::Transfers };
            let whole = buffer.get(..sent.length).unwrap_or_default();
            for packet in whole.chunks(sent.segment_size.max(1)) {
                let arrive = move |bytes| Item::ToManager { socket: Socket::Files(port), peer, bytes };
                self.send_to_manager(place, arrive, packet.to_vec());
            }
        }
        self.buffer = buffer;
    }
}
