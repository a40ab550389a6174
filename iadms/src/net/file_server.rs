//! The sockets of the file server: TFTP transfers of all devices, and what FTP asks of the same tickets.

use core::time::Duration;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use engine::FileServer;
use engine::file_server::{FromStorage, Order, Port, Refusal, Report, TransferId};
use tokio::sync::{mpsc, oneshot};

use super::ftp::{Beginning, FtpCall};
use super::sockets::{Batches, Outgoing, Sockets};
use super::storage::Storage;
use crate::daemon::clock::Clock;

/// Everything a file server is connected to.
#[derive(Debug)]
pub struct Connections {
    /// The well-known port.
    pub requests: Sockets,
    /// The port of all transfers; none: the well-known one, too.
    pub transfers: Option<Sockets>,
    /// The director's orders.
    pub orders: mpsc::UnboundedReceiver<Order>,
    /// Reports to the director.
    pub reports: mpsc::UnboundedSender<Report>,
    /// The threads of storage.
    pub storage: Storage,
    /// Their answers.
    pub stored: mpsc::UnboundedReceiver<FromStorage>,
    /// What FTP asks.
    pub ftp: mpsc::Receiver<FtpCall>,
    /// For operators.
    pub figures: Arc<TransferFigures>,
}

/// Figures for operators.
#[derive(Debug, Default)]
pub struct TransferFigures {
    /// Transfers that run.
    pub running: AtomicU64,
    /// Devices that wait until there is room for theirs.
    pub waiting: AtomicU64,
}

/// Carries datagrams and messages until the director gives no orders any more.
///
/// # Errors
///
/// A socket cannot be read any more.
pub async fn run(mut server: FileServer, connections: Connections, clock: Clock) -> std::io::Result<()> {
    let Connections { requests, transfers, mut orders, reports, storage, mut stored, mut ftp, figures } =
        connections;
    let (mut asked, mut moved) = (Batches::default(), Batches::default());
    let (mut answers_out, mut packets) = (Outgoing::default(), Outgoing::default());
    let mut buffer = Vec::new();
    let mut answers = Vec::new();
    let mut guests = FtpGuests::default();
    let mut refusals = Refusals::default();
    loop {
        let mut busy = false;
        for sent in 0..MOST_AT_ONCE {
            let Some((port, transmit)) = server.poll_transmit(clock.elapsed(), &mut buffer) else { break };
            match &transfers {
                Some(transfers) if port == Port::Transfers => {
                    transfers.queue(&transmit, &buffer, &mut packets).await;
                }
                _ => requests.queue(&transmit, &buffer, &mut answers_out).await,
            }
            busy = sent + 1 == MOST_AT_ONCE;
        }
        requests.send_off(&mut answers_out).await;
        if let Some(transfers) = &transfers {
            transfers.send_off(&mut packets).await;
        }
        while let Some(work) = server.poll_storage() {
            storage.ask(work);
        }
        while let Some(report) = server.poll_report() {
            if let Report::Refused { peer, name, reason } = &report {
                // It has changed nothing: the director needs not know, and strangers fill no queue.
                refusals.log(clock.elapsed(), *peer, name.as_deref(), *reason);
                continue;
            }
            // A director that ended hears nothing; its orders have ended too.
            let _ = reports.send(report);
        }
        guests.tell(&mut server, clock);
        figures.running.store(server.transfers() as u64, Ordering::Relaxed);
        figures.waiting.store((server.waiting() + guests.waiting.len()) as u64, Ordering::Relaxed);
        if busy {
            // There is more to send; acknowledgements that came meanwhile are taken first.
            requests.try_receive(&mut asked)?;
            server.handle(Port::Requests, &asked.datagrams(), clock.elapsed());
            if let Some(transfers) = &transfers {
                transfers.try_receive(&mut moved)?;
                server.handle(Port::Transfers, &moved.datagrams(), clock.elapsed());
            }
            tokio::task::yield_now().await;
            continue;
        }
        tokio::select! {
            Some(received) = receive(transfers.as_ref(), &mut moved) => {
                received?;
                server.handle(Port::Transfers, &moved.datagrams(), clock.elapsed());
            }
            received = requests.receive(&mut asked) => {
                received?;
                server.handle(Port::Requests, &asked.datagrams(), clock.elapsed());
            }
            count = stored.recv_many(&mut answers, MOST_AT_ONCE) => {
                if count == 0 {
                    return Ok(());
                }
                answers.drain(..).for_each(|answer| server.storage(answer, clock.elapsed()));
            }
            order = orders.recv() => match order {
                Some(order) => server.order(order, clock.elapsed()),
                None => return Ok(()),
            },
            Some(call) = ftp.recv() => guests.answer(&mut server, call, clock),
            () = clock.sleep_until(server.next_deadline()) => {}
        }
    }
}

/// What comes to the port of all transfers, where that is one of its own.
async fn receive(transfers: Option<&Sockets>, moved: &mut Batches) -> Option<std::io::Result<()>> {
    Some(transfers?.receive(moved).await)
}

/// Datagrams sent, or messages taken, before the other side is looked after again.
const MOST_AT_ONCE: usize = 64;

/// Refusals logged in one second; of more only the number is told.
const MOST_LOGGED: u32 = 20;

/// What is told of transfers that were refused.
#[derive(Default)]
struct Refusals {
    second: u64,
    logged: u32,
    left_out: u64,
}

impl Refusals {
    fn log(&mut self, now: Duration, peer: SocketAddr, name: Option<&str>, reason: Refusal) {
        if self.second != now.as_secs() {
            if self.left_out > 0 {
                tracing::warn!(count = self.left_out, "more file transfers were refused within a second");
            }
            *self = Self { second: now.as_secs(), ..Self::default() };
        }
        if self.logged == MOST_LOGGED {
            self.left_out += 1;
            return;
        }
        self.logged += 1;
        tracing::warn!(%peer, name = name.unwrap_or("-"), %reason, "a file transfer was refused");
    }
}

/// Transfers by FTP that wait to be told something.
#[derive(Default)]
struct FtpGuests {
    stops: BTreeMap<TransferId, oneshot::Sender<()>>,
    asking: BTreeMap<TransferId, oneshot::Sender<usize>>,
    /// Those who may not begin yet, in the order in which they came.
    waiting: Vec<Beginning>,
}

impl FtpGuests {
    /// Tells who has to end, who may begin, and who may move bytes.
    fn tell(&mut self, server: &mut FileServer, clock: Clock) {
        if server.ftp_may_begin() {
            for beginning in std::mem::take(&mut self.waiting) {
                self.begin(server, beginning, clock);
            }
        }
        while let Some(transfer) = server.poll_ftp_stop() {
            self.asking.remove(&transfer);
            let _ = self.stops.remove(&transfer).map(|stop| stop.send(()));
        }
        while let Some((transfer, bytes)) = server.poll_ftp_leave() {
            let _ = self.asking.remove(&transfer).map(|reply| reply.send(bytes));
        }
    }

    /// Lets a transfer begin, or wait until there is room for it.
    fn begin(&mut self, server: &mut FileServer, beginning: Beginning, clock: Clock) {
        if beginning.reply.is_closed() {
            return;
        }
        let Beginning { name, address, direction, .. } = &beginning;
        if !server.ftp_has_room(name, *address, *direction, clock.elapsed()) {
            return self.waiting.push(beginning);
        }
        let Beginning { run, name, address, direction, stop, reply } = beginning;
        let granted = server.ftp_begin(run, &name, address, direction, clock.elapsed());
        if let Ok(grant) = &granted {
            self.stops.insert(grant.transfer, stop);
        }
        let _ = reply.send(granted);
    }

    /// Answers what FTP asks. One that no longer waits for its answer has closed its connection.
    fn answer(&mut self, server: &mut FileServer, call: FtpCall, clock: Clock) {
        let now = clock.elapsed();
        match call {
            FtpCall::Login { user, password, address, reply } => {
                let _ = reply.send(server.ftp_login(&user, &password, address, now));
            }
            FtpCall::Size { run, name, address, reply } => {
                let _ = reply.send(server.ftp_size(run, &name, address, now));
            }
            FtpCall::Begin(beginning) => self.begin(server, beginning, clock),
            FtpCall::Ask { transfer, bytes, reply } => {
                self.asking.insert(transfer, reply);
                server.ftp_ask(transfer, bytes, now);
            }
            FtpCall::Progress { transfer, bytes } => server.ftp_progress(transfer, bytes),
            FtpCall::End { transfer, outcome } => {
                self.stops.remove(&transfer);
                self.asking.remove(&transfer);
                server.ftp_end(transfer, outcome);
            }
        }
    }
}
