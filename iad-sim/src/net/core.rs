//! The owner of all devices: it takes requests, what is told of transfers, and the time, and performs what the devices want.

use core::time::Duration;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use datagram::{Batch, Outbox, Socket};
use snmp::Operation;
use snmp::agent::{Agent, Outcome};
use tokio::sync::{broadcast, mpsc};
use tokio::task::JoinSet;

use super::clock::Clock;
use super::ftp;
use super::message::{Event, Happening, Message, Waiter};
use super::notifier::Notifier;
use super::store::Store;
use super::storm::Storm;
use super::tftp::TftpPool;
use super::timers::Timers;
use super::transfers::{Job, Owner, Report};
use super::unit::{Carrier, Unit};
use super::view::DeviceView;
use crate::device::{
    Effect, Notification, NotificationKind, Server, ServerProtocol, TransferError, TransferEvent, TransferId,
};
use crate::fault::RequestKind;
use crate::personality::iad::{IadObjects, engine_id, engine_time, event};
use crate::transfer::{Progress, TransferSettings};

/// So many notifications of a storm go out before requests are answered again, however many are due.
const MOST_OF_A_STORM: usize = 256;

/// The owner of all devices.
pub(crate) struct Core {
    pub(crate) clock: Clock,
    pub(crate) agent: Agent,
    pub(crate) socket: Socket,
    /// Answers that go out together.
    pub(crate) answers: Outbox,
    pub(crate) units: Vec<Unit>,
    pub(crate) by_address: BTreeMap<IpAddr, usize>,
    pub(crate) timers: Timers<usize>,
    pub(crate) storm: Option<Storm>,
    pub(crate) tftp: TftpPool,
    pub(crate) transfer: TransferSettings,
    pub(crate) notifier: Option<Notifier>,
    pub(crate) store: Option<Store>,
    pub(crate) reports: mpsc::Sender<Report>,
    pub(crate) events: broadcast::Sender<Event>,
    pub(crate) waiters: Vec<Waiter>,
    pub(crate) faults_added: u32,
    /// The tasks of FTP transfers, which end with this.
    pub(crate) tasks: JoinSet<()>,
}

impl Core {
    /// Runs until nobody holds the other end of `messages`.
    pub(crate) async fn run(
        mut self,
        mut messages: mpsc::Receiver<Message>,
        mut inbox: mpsc::Receiver<Report>,
    ) {
        let (mut requests, mut acknowledgements) = (Batch::new(), Batch::new());
        for place in 0..self.units.len() {
            self.settle(place);
        }
        loop {
            let informs = self.notifier.as_ref().and_then(Notifier::next_deadline);
            let storm = self.storm.as_ref().and_then(Storm::deadline);
            let deadline = self.timers.next().into_iter().chain(informs).chain(storm).min();
            tokio::select! {
                received = self.socket.receive(&mut requests) => match received {
                    Ok(()) => self.answer(&requests),
                    Err(error) => {
                        tracing::error!(%error, "the SNMP socket is lost");
                        return;
                    }
                },
                Some(report) = inbox.recv() => self.take(report),
                message = messages.recv() => match message {
                    Some(Message::Ask(request, reply)) => {
                        let _ = reply.send(self.carry_out(request));
                    }
                    Some(Message::Wait(waiter)) => {
                        let device = waiter.device;
                        self.waiters.push(waiter);
                        self.satisfy(device);
                    }
                    None => return,
                },
                Ok(()) = acknowledged(self.notifier.as_ref(), &mut acknowledgements) => {
                    let now = self.clock.now();
                    if let Some(notifier) = &mut self.notifier {
                        notifier.take(&acknowledgements, now);
                    }
                }
                Some(_) = self.tasks.join_next() => {}
                () = self.clock.until(deadline) => self.do_due(),
            }
        }
    }

    fn do_due(&mut self) {
        let now = self.clock.now();
        while let Some(place) = self.timers.pop(now) {
            if let Some(unit) = self.units.get_mut(place) {
                unit.device.tick(now);
            }
            self.settle(place);
        }
        if let Some(notifier) = &mut self.notifier {
            notifier.repeat(now);
        }
        self.go_on_storming(now);
    }

    /// Sends what is due of the storm. Devices that do not run are passed over, as if they had been heard.
    fn go_on_storming(&mut self, now: Duration) {
        for _ in 0..MOST_OF_A_STORM {
            let Some(number) = self.storm.as_mut().and_then(|storm| storm.next(now)) else { return };
            let count = u64::try_from(self.units.len()).unwrap_or(u64::MAX).max(1);
            let place = usize::try_from(number % count).unwrap_or_default();
            let running = self.units.get(place).filter(|unit| unit.device.answers());
            if let Some(notification) = running.map(|unit| unit.device.says(NotificationKind::Restarted)) {
                self.notify(place, notification, now);
            }
        }
    }

    /// Answers SNMP requests, each for the device whose address it came to.
    fn answer(&mut self, batch: &Batch) {
        let mut response = Vec::new();
        for datagram in batch.iter() {
            let now = self.clock.now();
            let Some(local) = datagram.local else { continue };
            let Some(place) = self.by_address.get(&local).copied() else { continue };
            let Some(unit) = self.units.get_mut(place).filter(|unit| unit.device.answers()) else { continue };
            let (engine, device) = unit.engine(now);
            let mut objects = IadObjects::new(device, now);
            let outcome = self.agent.respond(datagram.bytes, Some(engine), &mut objects, &mut response);
            objects.finish();
            if response.is_empty() {
                continue;
            }
            let is_set = matches!(outcome, Outcome::Answered { operation: Operation::Set, .. });
            let is_lost = unit.device.loses_answer(if is_set { RequestKind::Set } else { RequestKind::Get });
            // What was answered has to be true after a loss of power, too.
            unit.save(self.store.as_ref());
            if !is_lost {
                self.answers.push(datagram.peer, Some(local), &response);
            }
            if is_set {
                // A device answers before it does what it was told.
                self.send_answers();
                self.settle(place);
            }
        }
        self.send_answers();
    }

    fn send_answers(&mut self) {
        let lost = |peer, error: &std::io::Error| tracing::debug!(%error, %peer, "an answer is lost");
        self.socket.try_send_all(&mut self.answers, lost);
    }

    /// Takes what is told of a transfer.
    fn take(&mut self, report: Report) {
        let now = self.clock.now();
        let Owner { device: place, transfer } = report.owner;
        let Some(unit) = self.units.get_mut(place).filter(|unit| unit.carriers.contains_key(&transfer))
        else {
            return;
        };
        let event = match &report.progress {
            Progress::Received(bytes) => {
                unit.spool(report.owner, bytes);
                TransferEvent::Received(bytes)
            }
            Progress::Waits(port) => TransferEvent::Waits(*port),
            Progress::Sent(bytes) => TransferEvent::Sent(*bytes),
            Progress::Finished => TransferEvent::Finished,
            Progress::Failed(error) => TransferEvent::Failed(*error),
        };
        if matches!(event, TransferEvent::Finished | TransferEvent::Failed(_)) {
            unit.carriers.remove(&transfer);
        }
        unit.device.transfer(transfer, event, now);
        self.settle(place);
    }

    /// Stores what changed of a device, performs what it wants, and tells those who wait.
    pub(crate) fn settle(&mut self, place: usize) {
        let now = self.clock.now();
        loop {
            let Some(unit) = self.units.get_mut(place) else { return };
            let effects: Vec<Effect> = std::iter::from_fn(|| unit.device.next_effect()).collect();
            for effect in &effects {
                if let Effect::KeepImage(digest) = effect {
                    unit.keep_spool(self.store.as_ref(), *digest);
                }
            }
            if !unit.device.durable().operation.is_busy() || !unit.device.answers() {
                unit.discard_spool();
            }
            unit.save(self.store.as_ref());
            if effects.is_empty() {
                break;
            }
            effects.into_iter().for_each(|effect| self.perform(place, effect, now));
        }
        let Some(unit) = self.units.get_mut(place) else { return };
        self.timers.arm(place, unit.deadline(now));
        let power = unit.device.power();
        if std::mem::replace(&mut unit.told_power, power) != power {
            if let Some(notifier) = self.notifier.as_mut().filter(|_| !unit.device.answers()) {
                notifier.forget(unit.address);
            }
            self.tell(place, Happening::Power(power));
        }
        self.satisfy(place);
    }

    fn perform(&mut self, place: usize, effect: Effect, now: Duration) {
        match effect {
            Effect::Fetch(fetch) => {
                let Some(unit) = self.units.get_mut(place) else { return };
                unit.begin_spool(self.store.as_ref(), &fetch);
                let Some(server) = reachable(&fetch.server, unit.address) else {
                    return self.give_up(place, fetch.transfer);
                };
                let (owner, local) = (Owner { device: place, transfer: fetch.transfer }, unit.address);
                let waits = fetch.server.protocol == ServerProtocol::Push;
                let (name, stall) = (fetch.name, fetch.stall);
                let job = Job { owner, local, server, name, content: None, waits, stall };
                self.begin(place, job, &fetch.server);
            }
            Effect::Upload(upload) => {
                let Some(unit) = self.units.get_mut(place) else { return };
                let Some(server) = reachable(&upload.server, unit.address) else {
                    return self.give_up(place, upload.transfer);
                };
                let (owner, local) = (Owner { device: place, transfer: upload.transfer }, unit.address);
                let content = Some(upload.content.into());
                let (name, stall) = (upload.name, upload.stall);
                let job = Job { owner, local, server, name, content, waits: false, stall };
                self.begin(place, job, &upload.server);
            }
            Effect::Cancel { transfer, silent } => self.cancel(place, transfer, silent),
            Effect::Notify(notification) => self.notify(place, notification, now),
            Effect::KeepImage(_) => {}
        }
    }

    /// Begins to move a file.
    fn begin(&mut self, place: usize, job: Job, server: &Server) {
        let Some(unit) = self.units.get_mut(place) else { return };
        let transfer = job.owner.transfer;
        let carrier = match server.protocol {
            ServerProtocol::Tftp | ServerProtocol::Push => {
                self.tftp.begin(job);
                Carrier::Tftp
            }
            ServerProtocol::Ftp => {
                let login = ftp::Login { user: server.user.clone(), password: server.password.clone() };
                let carried = ftp::carry(job, login, self.transfer.give_up, self.reports.clone());
                Carrier::Ftp(self.tasks.spawn(carried))
            }
        };
        unit.carriers.insert(transfer, carrier);
    }

    /// The device cannot reach its server.
    fn give_up(&mut self, place: usize, transfer: TransferId) {
        let now = self.clock.now();
        if let Some(unit) = self.units.get_mut(place) {
            unit.device.transfer(transfer, TransferEvent::Failed(TransferError::Unreachable), now);
        }
    }

    fn cancel(&mut self, place: usize, transfer: TransferId, silent: bool) {
        match self.units.get_mut(place).and_then(|unit| unit.carriers.remove(&transfer)) {
            Some(Carrier::Tftp) => self.tftp.cancel(Owner { device: place, transfer }, silent),
            Some(Carrier::Ftp(task)) => task.abort(),
            None => {}
        }
    }

    fn notify(&mut self, place: usize, notification: Notification, now: Duration) {
        if let (Some(unit), Some(notifier)) = (self.units.get(place), &mut self.notifier) {
            let engine = (engine_id(&unit.device), engine_time(&unit.device, now));
            notifier.notify(unit.address, engine, event(&unit.device, &notification, now), now);
        }
        self.tell(place, Happening::Notified(notification));
    }

    fn tell(&self, place: usize, happening: Happening) {
        if let Some(unit) = self.units.get(place) {
            // Nobody has to listen.
            let _ = self.events.send(Event { device: unit.device.settings().unique_id.clone(), happening });
        }
    }

    fn satisfy(&mut self, place: usize) {
        let (now, Some(unit)) = (self.clock.now(), self.units.get_mut(place)) else { return };
        let mut satisfied = Vec::new();
        for (number, waiter) in self.waiters.iter().enumerate().rev() {
            if waiter.reply.is_closed() || waiter.device == place && (waiter.wanted)(&unit.device) {
                satisfied.push(number);
            }
        }
        for number in satisfied {
            unit.device.refresh(now);
            let address = SocketAddr::new(unit.address, self.socket.address().port());
            let _ = self.waiters.swap_remove(number).reply.send(DeviceView::of(&unit.device, address, now));
        }
    }
}

/// Waits for acknowledgements; for ever if no notifications are sent.
async fn acknowledged(notifier: Option<&Notifier>, batch: &mut Batch) -> std::io::Result<()> {
    match notifier {
        Some(notifier) => notifier.receive(batch).await,
        None => core::future::pending().await,
    }
}

/// Where a server is, as far as a device at `local` can reach it: an IPv4 device reaches no IPv6 server, nor the other way round.
fn reachable(server: &Server, local: IpAddr) -> Option<SocketAddr> {
    let address: IpAddr = server.address.parse().ok()?;
    let usual_port = if server.protocol == ServerProtocol::Ftp { 21 } else { 69 };
    let port = if server.port == 0 { usual_port } else { server.port };
    (address.is_ipv4() == local.is_ipv4()).then(|| SocketAddr::new(address, port))
}
