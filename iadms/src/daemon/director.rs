//! The loop of the director: take what came, work out what follows, commit it, and only then perform it.

mod commands;
mod inventory;
mod telling;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use core::time::Duration;
use engine::Director;
use engine::access::Credentials;
use engine::commander::{Answer, Ask, Asker};
use engine::director::{Convert, Effect, Input, Inputs, Turn, Write};
use engine::file_server::{Order, Report};
use tokio::sync::{mpsc, watch};
use upgrade::{DeviceId, Kind, RunId, StoredFile};

use self::inventory::Opened;
use self::telling::Telling;
use super::clock::Clock;
use super::{Ports, Probed, Receiving, Refusal, Reply, Trap, converter};
use crate::files::Files;
use crate::net::file_server::TransferFigures;
use crate::net::listener::{Figures, Known, News};
use crate::net::northbound::Notification;
use crate::profiles::Catalogue;
use crate::seal::Key;
use crate::store::{Store, StoreError, UnreadableRun};

/// How long a commit that failed is waited with before it is tried again.
const COMMIT_AGAIN: Duration = Duration::from_secs(1);

/// Messages of one kind taken into one commit.
const MOST_AT_ONCE: usize = 1024;

/// What the manager tells devices of itself.
#[derive(Debug, Clone)]
pub struct Addresses {
    /// The addresses told to devices, at most one of each family; where there is none, the one towards the device.
    pub told: Vec<IpAddr>,
    /// Where it really listens.
    pub ports: Ports,
}

/// What the loop is connected to.
#[derive(Debug)]
pub struct Connections {
    /// Where all is kept.
    pub store: Store,
    /// Files by digest.
    pub files: Files,
    /// Where converters are laid out.
    pub folder: std::path::PathBuf,
    /// The profiles.
    pub catalogue: Arc<Catalogue>,
    /// What devices are told.
    pub addresses: Addresses,
    /// Requests to devices.
    pub asks: mpsc::UnboundedSender<Ask>,
    /// Their answers.
    pub answers: mpsc::UnboundedReceiver<Answer>,
    /// Notifications.
    pub news: mpsc::Receiver<News>,
    /// Receipts of notifications that are committed.
    pub committed: mpsc::UnboundedSender<u64>,
    /// What the listener knows devices by.
    pub known: mpsc::UnboundedSender<Known>,
    /// As whom devices are asked by SNMPv3.
    pub credentials: watch::Sender<Credentials>,
    /// What opens the secrets of credentials.
    pub key: Option<Arc<Key>>,
    /// Orders to the file server.
    pub orders: mpsc::UnboundedSender<Order>,
    /// Its reports.
    pub reports: mpsc::UnboundedReceiver<Report>,
    /// Notifications to network operations centres.
    pub northbound: mpsc::UnboundedSender<Notification>,
    /// What the API asks.
    pub receiving: Receiving,
    /// Figures of the listener.
    pub figures: Arc<Figures>,
    /// Figures of the file server.
    pub transfers: Arc<TransferFigures>,
}

type Converted = (RunId, Result<BTreeMap<Kind, StoredFile>, String>);

struct Loop {
    director: Director,
    connections: Connections,
    clock: Clock,
    started: upgrade::Time,
    converted: mpsc::UnboundedSender<Converted>,
    probes: BTreeMap<u64, Probe>,
    last_probe: u64,
    next_run: u64,
    /// By name, as the listener knows them.
    names: BTreeMap<DeviceId, String>,
    /// The credentials as they were opened last, which takes milliseconds for each.
    opened: BTreeMap<String, Opened>,
    telling: Telling,
    /// Why nothing can be stored, where that is so.
    stuck: Option<Refusal>,
    /// Whether the inventory changed and may not have reached all runs; it is read anew once something is stored.
    stale: bool,
    /// Runs that cannot be read, by their devices.
    aside: BTreeMap<DeviceId, UnreadableRun>,
}

struct Probe {
    profile: Arc<upgrade::Profile>,
    address: SocketAddr,
    reply: Reply<Probed>,
}

/// What came, until it is committed.
struct Batch {
    inputs: Inputs,
    traps: Vec<Trap>,
    started: Vec<(RunId, Reply<RunId>)>,
    asked: Vec<(RunId, Reply<()>)>,
}

impl Default for Batch {
    fn default() -> Self {
        Self {
            inputs: Inputs::at_most(MOST_AT_ONCE),
            traps: Vec::new(),
            started: Vec::new(),
            asked: Vec::new(),
        }
    }
}

/// Runs until the API's side is gone or a signal ends the daemon.
///
/// # Errors
///
/// The store cannot be read at the start, or somebody else wrote a run.
pub async fn run(connections: Connections, clock: Clock) -> Result<(), StoreError> {
    let (converted, mut conversions) = mpsc::unbounded_channel();
    let mut this = Loop::new(connections, clock, converted).await?;
    this.read_inventory().await?;
    let mut pending = Some(this.resume().await?);
    let mut held = None;
    this.tell_what_is_owed().await?;
    loop {
        if let Some(batch) = pending.take() {
            pending = this.settle(batch).await?;
        }
        let clock = this.clock;
        if pending.is_some() && this.stuck.is_none() {
            continue;
        }
        if pending.is_some() {
            // Nothing can be stored: all but operators' words waits.
            if let Some(command) = held.take() {
                this.command_while_stuck(command);
            }
            let again = clock.elapsed() + COMMIT_AGAIN;
            tokio::select! {
                // Refused only once it was tried again: there may be room by now.
                command = this.connections.receiving.commands.recv() => match command {
                    Some(command) => held = Some(command),
                    None => return Ok(()),
                },
                () = clock.sleep_until(Some(again)) => {}
            }
            continue;
        }
        let mut batch = Batch::default();
        if let Some(command) = held.take() {
            this.command(command, &mut batch).await;
            pending = Some(batch);
            continue;
        }
        let mut first = First::default();
        let due = this.director.next_deadline().map(Duration::from);
        let settling = this.telling.settles_at;
        let Connections { answers, reports, news, receiving, .. } = &mut this.connections;
        tokio::select! {
            command = receiving.commands.recv() => match command {
                Some(command) => this.command(command, &mut batch).await,
                None => return Ok(()),
            },
            answer = answers.recv() => first.answer = answer,
            report = reports.recv() => first.report = report,
            told = news.recv() => first.news = told,
            Some((run, result)) = conversions.recv() => {
                batch.inputs.push(Input::Converted { run, result });
            }
            Some(told) = this.telling.settled.recv() => this.telling.note(told, clock),
            () = clock.sleep_until(settling), if settling.is_some() => this.settle_owed().await,
            () = clock.sleep_until(due) => {}
        }
        // What else is there already goes into the same commit.
        this.take_more(&mut batch, first).await;
        batch.inputs.judge_time(this.director.next_deadline(), this.clock.now());
        pending = Some(batch);
    }
}

/// What was waited for.
#[derive(Default)]
struct First {
    answer: Option<Answer>,
    report: Option<Report>,
    news: Option<News>,
}

impl Loop {
    async fn new(
        connections: Connections,
        clock: Clock,
        converted: mpsc::UnboundedSender<Converted>,
    ) -> Result<Self, StoreError> {
        let next_run = connections.store.next_run().await?.0;
        Ok(Self {
            director: Director::new(),
            connections,
            clock,
            started: clock.now(),
            converted,
            probes: BTreeMap::new(),
            last_probe: 0,
            next_run,
            names: BTreeMap::new(),
            opened: BTreeMap::new(),
            telling: Telling::new(),
            stuck: None,
            stale: false,
            aside: BTreeMap::new(),
        })
    }

    async fn take_more(&mut self, batch: &mut Batch, mut first: First) {
        let Connections { answers, reports, news, .. } = &mut self.connections;
        let mut probed = Vec::new();
        batch.inputs.take(|| {
            loop {
                let answer = first.answer.take().or_else(|| answers.try_recv().ok())?;
                match answer.asker {
                    Asker::Run { .. } => return Some(Input::Answer(answer)),
                    Asker::Probe(number) => probed.push((number, answer)),
                }
            }
        });
        batch.inputs.take(|| first.report.take().or_else(|| reports.try_recv().ok()).map(Input::Report));
        let mut heard = Vec::new();
        batch.inputs.take_news(|| {
            Some(match first.news.take().or_else(|| news.try_recv().ok())? {
                News::Heard(told) => {
                    heard.push(told.clone());
                    Input::Heard(told)
                }
                News::Gap => Input::Gap,
                News::Doubted(device) => Input::Doubted(device),
            })
        });
        batch.traps.extend(heard.iter().map(|heard| self.trap(heard)));
        for (number, answer) in probed {
            self.probed(number, answer);
        }
        for _ in 0..MOST_AT_ONCE {
            let Ok(command) = self.connections.receiving.commands.try_recv() else { break };
            self.command(command, batch).await;
        }
    }

    /// Commits and performs a batch. What cannot be stored is given back, to be tried again: nothing of it is
    /// performed, and nothing is lost. Operators are told at once, and ask again. Where somebody else wrote a run the
    /// daemon ends, to begin anew with what is stored.
    async fn settle(&mut self, batch: Batch) -> Result<Option<Batch>, StoreError> {
        let Batch { mut inputs, traps, started, asked } = batch;
        let now = self.clock.now();
        let turn = self.director.turn(inputs.as_slice(), now);
        let Connections { store, catalogue, .. } = &self.connections;
        let committed = if turn.transaction.writes.is_empty() && traps.is_empty() {
            Ok(())
        } else {
            store.commit(now, &turn.transaction.writes, &traps, catalogue).await.map(drop)
        };
        match committed {
            Ok(()) => {
                started.into_iter().for_each(|(run, reply)| drop(reply.send(Ok(run))));
                for ((run, reply), heeded) in asked.into_iter().zip(&turn.heeded) {
                    let answer = if *heeded { Ok(()) } else { Err(self.not_now(run)) };
                    let _ = reply.send(answer);
                }
                self.stuck = None;
                self.perform(turn, traps).await;
                if !std::mem::take(&mut self.stale) {
                    return Ok(None);
                }
                let mut moved = Batch::default();
                moved.inputs.extend(self.refresh_inventory().await);
                Ok(Some(moved))
            }
            // What is known here is no longer so, and trying again would not change that.
            Err(error @ StoreError::Conflict(_)) => Err(error),
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "nothing can be stored; trying again"
                );
                let refusal = Refusal::from(&error);
                started.into_iter().for_each(|(_, reply)| drop(reply.send(Err(refusal.clone()))));
                asked.into_iter().for_each(|(_, reply)| drop(reply.send(Err(refusal.clone()))));
                inputs.hinder();
                self.stuck = Some(refusal);
                Ok(Some(Batch { inputs, traps, ..Batch::default() }))
            }
        }
    }

    async fn perform(&mut self, turn: Turn, traps: Vec<Trap>) {
        self.director.apply(&turn);
        for trap in traps {
            // Nobody may be watching.
            let _ = self.connections.receiving.traps.send(trap);
        }
        for learnt in turn.transaction.writes.iter().flat_map(Write::learnt) {
            self.tell_listener(Known::Learnt(learnt));
        }
        let mut told = Vec::new();
        for effect in turn.effects.iter().cloned() {
            // A part that ended has ended the daemon too; what it would have done is looked after at the next start.
            match effect {
                Effect::Ask(ask) => drop(self.connections.asks.send(ask)),
                Effect::File(order) => drop(self.connections.orders.send(order)),
                Effect::Convert(convert) => self.convert(convert),
                Effect::Tell(story) => told.push(story),
                Effect::Committed { receipt } => drop(self.connections.committed.send(receipt)),
            }
        }
        self.tell(&turn, told).await;
    }

    fn convert(&self, convert: Convert) {
        let (files, folder) = (self.connections.files.clone(), self.connections.folder.clone());
        let converted = self.converted.clone();
        tokio::spawn(async move {
            let run = convert.run;
            let result = converter::convert(files, convert, folder).await;
            let _ = converted.send((run, result));
        });
    }
}
