//! The loop of the director: take what came, work out what follows, commit it, and only then perform it.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use core::time::Duration;
use engine::Director;
use engine::commander::{Answer, Ask, Asker, Outcome, What};
use engine::director::{Convert, Effect, Entry, Input, Told, Turn};
use engine::file_server::{Order, Report};
use engine::listener::{DeviceIndex, Heard};
use tokio::sync::{mpsc, watch};
use upgrade::profile::{Scope, Server};
use upgrade::run::{Beginning, Choices, Goal, State, Subject};
use upgrade::{DeviceId, Kind, Protocol, Run, RunId, StoredFile};

use super::clock::Clock;
use super::{Command, Ports, Receiving, Refusal, RefusalCode, Reply, Status, Trap, converter};
use crate::files::Files;
use crate::inventory::{Device, SnmpVersion};
use crate::net::listener::{Figures, News};
use crate::net::northbound::Notification;
use crate::profiles::{Catalogue, restored};
use crate::store::{Store, StoreError};

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
    pub index: watch::Sender<Arc<DeviceIndex>>,
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
    /// Transfers that run.
    pub transfers: Arc<AtomicU64>,
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
    /// Why nothing can be stored, where that is so.
    stuck: Option<Refusal>,
}

struct Probe {
    profile: Arc<upgrade::Profile>,
    address: SocketAddr,
    reply: Reply<upgrade::Reading>,
}

/// What came, until it is committed.
#[derive(Default)]
struct Batch {
    inputs: Vec<Input>,
    traps: Vec<Trap>,
    started: Vec<(RunId, Reply<RunId>)>,
    asked: Vec<(RunId, Reply<()>)>,
}

/// Runs until the API's side is gone or a signal ends the daemon.
///
/// # Errors
///
/// The store cannot be read at the start.
pub async fn run(connections: Connections, clock: Clock) -> Result<(), StoreError> {
    let (converted, mut conversions) = mpsc::unbounded_channel();
    let next_run = connections.store.next_run().await?.0;
    let mut this = Loop {
        director: Director::new(),
        connections,
        clock,
        started: clock.now(),
        converted,
        probes: BTreeMap::new(),
        last_probe: 0,
        next_run,
        names: BTreeMap::new(),
        stuck: None,
    };
    this.refresh_index().await?;
    let mut pending = Some(this.resume().await?);
    loop {
        if let Some(batch) = pending.take() {
            pending = this.settle(batch).await;
        }
        let clock = this.clock;
        if pending.is_some() {
            // Nothing can be stored: all but operators' words waits.
            let again = clock.elapsed() + COMMIT_AGAIN;
            tokio::select! {
                command = this.connections.receiving.commands.recv() => match command {
                    Some(command) => this.command_while_stuck(command),
                    None => return Ok(()),
                },
                () = clock.sleep_until(Some(again)) => {}
            }
            continue;
        }
        let mut batch = Batch::default();
        let mut answers = Vec::new();
        let mut reports = Vec::new();
        let mut news = Vec::new();
        let due = this.director.next_deadline().map(Duration::from);
        let Connections { answers: answering, reports: reporting, news: hearing, receiving, .. } =
            &mut this.connections;
        tokio::select! {
            command = receiving.commands.recv() => match command {
                Some(command) => this.command(command, &mut batch).await,
                None => return Ok(()),
            },
            _ = answering.recv_many(&mut answers, MOST_AT_ONCE) => {}
            _ = reporting.recv_many(&mut reports, MOST_AT_ONCE) => {}
            _ = hearing.recv_many(&mut news, MOST_AT_ONCE) => {}
            Some((run, result)) = conversions.recv() => {
                batch.inputs.push(Input::Converted { run, result });
            }
            () = clock.sleep_until(due) => batch.inputs.push(Input::Clock),
        }
        // What else is there already goes into the same commit.
        this.take_more(&mut batch, &mut answers, &mut reports, &mut news).await;
        pending = Some(batch);
    }
}

impl Loop {
    async fn take_more(
        &mut self,
        batch: &mut Batch,
        answers: &mut Vec<Answer>,
        reports: &mut Vec<Report>,
        news: &mut Vec<News>,
    ) {
        let Connections { answers: answering, reports: reporting, news: hearing, .. } = &mut self.connections;
        while let (true, Ok(answer)) = (answers.len() < MOST_AT_ONCE, answering.try_recv()) {
            answers.push(answer);
        }
        while let (true, Ok(report)) = (reports.len() < MOST_AT_ONCE, reporting.try_recv()) {
            reports.push(report);
        }
        while let (true, Ok(heard)) = (news.len() < MOST_AT_ONCE, hearing.try_recv()) {
            news.push(heard);
        }
        for answer in answers.drain(..) {
            match answer.asker {
                Asker::Run { .. } => batch.inputs.push(Input::Answer(answer)),
                Asker::Probe(number) => self.probed(number, answer.outcome),
            }
        }
        for report in reports.drain(..) {
            if let Report::Refused { peer, name, reason } = &report {
                let name = name.as_deref().unwrap_or("-");
                tracing::warn!(%peer, name, %reason, "a file transfer was refused");
            }
            batch.inputs.push(Input::Report(report));
        }
        for told in news.drain(..) {
            match told {
                News::Heard(heard) => {
                    batch.traps.push(self.trap(&heard));
                    batch.inputs.push(Input::Heard(heard));
                }
                News::Gap => batch.inputs.push(Input::Gap),
            }
        }
        for _ in 0..MOST_AT_ONCE {
            let Ok(command) = self.connections.receiving.commands.try_recv() else { break };
            self.command(command, batch).await;
        }
    }

    /// Commits and performs a batch. What cannot be stored is given back, to be tried again: nothing of it is
    /// performed, and nothing is lost. Operators are told at once, and ask again.
    async fn settle(&mut self, batch: Batch) -> Option<Batch> {
        let Batch { mut inputs, traps, started, asked } = batch;
        let now = self.clock.now();
        let turn = self.director.turn(inputs.clone(), now);
        let Connections { store, catalogue, .. } = &self.connections;
        let committed = if turn.transaction.writes.is_empty() && traps.is_empty() {
            Ok(())
        } else {
            store.commit(now, &turn.transaction.writes, &traps, catalogue).await.map(drop)
        };
        match committed {
            Ok(()) => {
                started.into_iter().for_each(|(run, reply)| drop(reply.send(Ok(run))));
                for (run, reply) in asked {
                    let answer = if turn.rejected.contains(&run) { Err(self.not_now(run)) } else { Ok(()) };
                    let _ = reply.send(answer);
                }
                self.stuck = None;
                self.perform(turn, traps).await;
                None
            }
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "nothing can be stored; trying again"
                );
                let refusal = Refusal::from(&error);
                started.into_iter().for_each(|(_, reply)| drop(reply.send(Err(refusal.clone()))));
                asked.into_iter().for_each(|(_, reply)| drop(reply.send(Err(refusal.clone()))));
                inputs.retain(|input| !is_of_operator(input));
                self.stuck = Some(refusal);
                Some(Batch { inputs, traps, ..Batch::default() })
            }
        }
    }

    fn command_while_stuck(&self, command: Command) {
        let Some(refusal) = self.stuck.clone() else { return };
        match command {
            Command::Status { reply } => drop(reply.send(Ok(self.status()))),
            Command::Start { reply, .. } => drop(reply.send(Err(refusal))),
            Command::Probe { reply, .. } => drop(reply.send(Err(refusal))),
            Command::Answer { reply, .. }
            | Command::Cancel { reply, .. }
            | Command::StopOperation { reply, .. }
            | Command::TestNorthbound { reply, .. } => drop(reply.send(Err(refusal))),
            // It is read anew once something can be stored; until then nothing of it can have changed.
            Command::InventoryChanged => {}
        }
    }

    async fn perform(&mut self, turn: Turn, traps: Vec<Trap>) {
        self.director.apply(&turn);
        for trap in traps {
            // Nobody may be watching.
            let _ = self.connections.receiving.traps.send(trap);
        }
        let learnt = turn.transaction.writes.iter().any(|write| write.unique_id.is_some());
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
        if learnt && let Err(error) = self.refresh_index().await {
            tracing::error!(error = &error as &dyn std::error::Error, "the inventory cannot be read");
        }
    }

    async fn tell(&self, turn: &Turn, told: Vec<Told>) {
        let uptime = (self.clock.now() - self.started).as_millis() / 10;
        let uptime = u32::try_from(uptime % (1 << 32)).unwrap_or(0);
        let events: Vec<_> = told
            .iter()
            .filter_map(|told| engine::northbound::event(turn.run(told.run)?, &told.story, uptime))
            .collect();
        for told in told {
            tracing::debug!(run = told.run.0, device = told.device, story = ?told.story, "told");
            let _ = self.connections.receiving.told.send(told);
        }
        if events.is_empty() {
            return;
        }
        match self.connections.store.targets().await {
            Ok(targets) => {
                for (target, event) in
                    targets.iter().flat_map(|target| events.iter().map(move |e| (target, e)))
                {
                    let (target, event) = (target.clone(), event.clone());
                    let _ = self.connections.northbound.send(Notification { target, event, reply: None });
                }
            }
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "the northbound targets cannot be read"
                );
            }
        }
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

    async fn command(&mut self, command: Command, batch: &mut Batch) {
        match command {
            Command::Start { device, goal, choices, protocol, reply } => {
                match self.new_run(device, goal, choices, protocol, batch).await {
                    Ok(entry) => {
                        batch.started.push((entry.run.id, reply));
                        batch.inputs.push(Input::Start(Box::new(entry)));
                    }
                    Err(refusal) => drop(reply.send(Err(refusal))),
                }
            }
            Command::Answer { run, answer, reply } => {
                batch.asked.push((run, reply));
                batch.inputs.push(Input::Operator { run, answer });
            }
            Command::Cancel { run, reply } => {
                batch.asked.push((run, reply));
                batch.inputs.push(Input::Cancel(run));
            }
            Command::StopOperation { run, reply } => {
                batch.asked.push((run, reply));
                batch.inputs.push(Input::StopOperation(run));
            }
            Command::Probe { access, profile, reply } => self.probe(&access, &profile, reply),
            Command::TestNorthbound { target, reply } => {
                let event = engine::northbound::test("a test of iadms", 0);
                let notification = Notification { target, event, reply: Some(reply) };
                let _ = self.connections.northbound.send(notification);
            }
            Command::InventoryChanged => {
                if let Err(error) = self.refresh_index().await {
                    tracing::error!(error = &error as &dyn std::error::Error, "the inventory cannot be read");
                }
            }
            Command::Status { reply } => drop(reply.send(Ok(self.status()))),
        }
    }

    async fn new_run(
        &mut self,
        device: DeviceId,
        goal: Goal,
        choices: Choices,
        protocol: Option<Protocol>,
        batch: &Batch,
    ) -> Result<Entry, Refusal> {
        let device =
            self.connections.store.device_by_id(device).await.map_err(|error| Refusal::from(&error))?;
        let begun = |input: &Input| match input {
            Input::Start(entry) if entry.run.device.id == device.id => Some(entry.run.id),
            _ => None,
        };
        let open = self.director.run_of(device.id).or_else(|| batch.inputs.iter().find_map(begun));
        if let Some(run) = open {
            return Err(Refusal::from(&StoreError::OpenRun { device: device.entry.name, run }));
        }
        let name = &device.entry.profile;
        let known = self.connections.catalogue.get(name).ok_or_else(|| no_profile(name))?;
        let profile = Arc::clone(&known.profile);
        let id = RunId(self.next_run);
        let secret = random_digits()?;
        let protocol = protocol.or(device.entry.protocol).unwrap_or(Protocol::Tftp);
        let server = self.server(id, &device, protocol, &secret)?;
        self.next_run += 1;
        let run = Run::new(Beginning {
            id,
            device: Subject {
                id: device.id,
                name: device.entry.name.clone(),
                address: device.entry.access.address,
                unique_id: device.unique_id.clone(),
            },
            goal,
            choices,
            profile: name.clone(),
            server,
            secret,
            begun: self.clock.now(),
        });
        let access = access(&device, &profile);
        Ok(Entry::stored(run, 0, 0, profile, access))
    }

    /// The file server as this device is told it.
    fn server(
        &self,
        run: RunId,
        device: &Device,
        protocol: Protocol,
        secret: &str,
    ) -> Result<Server, Refusal> {
        let towards = device.entry.access.address;
        let Addresses { told, ports } = &self.connections.addresses;
        let listening = match protocol {
            Protocol::Tftp => ports.tftp,
            Protocol::Ftp => ports.ftp,
        };
        let listening = listening.ok_or_else(|| {
            Refusal::new(
                RefusalCode::Unavailable,
                format!("the daemon does not serve {protocol}"),
                format!("start `iadms serve` with --{protocol} ADDRESS:PORT, or choose the other protocol"),
            )
        })?;
        let same_family = told.iter().copied().find(|address| address.is_ipv4() == towards.is_ipv4());
        let address = same_family.or_else(|| local_address(towards)).ok_or_else(|| {
            Refusal::new(
                RefusalCode::Unreachable,
                format!(
                    "there is no way from here to {towards}, the address of device {:?}",
                    device.entry.name
                ),
                "check the address and the routes of this host, or give `iadms serve` a --server-address",
            )
        })?;
        let (user, password) = match protocol {
            Protocol::Ftp => (run.to_string(), Run::password(secret)),
            Protocol::Tftp => (String::new(), String::new()),
        };
        Ok(Server { protocol, address, port: listening.port(), user, password })
    }

    fn probe(&mut self, access: &crate::inventory::Access, profile: &str, reply: Reply<upgrade::Reading>) {
        let Some(known) = self.connections.catalogue.get(profile) else {
            return drop(reply.send(Err(no_profile(profile))));
        };
        self.last_probe += 1;
        let profile = Arc::clone(&known.profile);
        let address = SocketAddr::new(access.address, access.port);
        let asker = Asker::Probe(self.last_probe);
        let what = What::Get(profile.questions(Scope::Whole));
        let ask = Ask { asker, access: engine_access(access, &profile), what };
        self.probes.insert(self.last_probe, Probe { profile, address, reply });
        let _ = self.connections.asks.send(ask);
    }

    fn probed(&mut self, number: u64, outcome: Outcome) {
        let Some(Probe { profile, address, reply }) = self.probes.remove(&number) else { return };
        let answer = match outcome {
            Outcome::Values(values) => Ok(profile.reading(&values, self.clock.now())),
            Outcome::Unanswered => Err(Refusal::new(
                RefusalCode::Unreachable,
                format!("no SNMP agent answers at {address}"),
                "check address, port, version and read community: an agent is silent to a wrong community",
            )),
            Outcome::Refused(why) => Err(Refusal::new(
                RefusalCode::Unreachable,
                format!("the SNMP agent at {address} does not let itself be read: {why}"),
                "check the version and the read community",
            )),
        };
        let _ = reply.send(answer);
    }

    fn status(&self) -> Status {
        let questions = self.director.runs().filter(|run| matches!(run.state, State::Asking(_))).count();
        Status {
            now: self.clock.now(),
            started: self.started,
            ports: self.connections.addresses.ports,
            open_runs: self.director.runs().count() as u64,
            questions: questions as u64,
            datagrams_lost: self.connections.figures.dropped.load(Ordering::Relaxed),
            notifications: self.connections.figures.heard.load(Ordering::Relaxed),
            transfers: self.connections.transfers.load(Ordering::Relaxed),
        }
    }

    /// Why an operator's word meant nothing to a run.
    fn not_now(&self, run: RunId) -> Refusal {
        match self.director.run(run) {
            None => Refusal::new(
                RefusalCode::Unknown,
                format!("there is no run {run} that is not over"),
                "see `iadms run list`",
            ),
            Some(_) => Refusal::new(
                RefusalCode::Conflict,
                format!("run {run} cannot take that as it stands"),
                format!("see `iadms run show {run}` for what it is doing and whether it asks anything"),
            ),
        }
    }

    fn trap(&self, heard: &Heard) -> Trap {
        Trap {
            at: self.clock.now(),
            from: heard.peer,
            device: heard.device.and_then(|device| self.names.get(&device).cloned()),
            version: heard.version.to_owned(),
            kind: if heard.inform { "inform" } else { "trap" }.to_owned(),
            oid: heard.name.clone(),
            uptime: heard.uptime,
            varbinds: heard.varbinds.clone(),
        }
    }

    async fn refresh_index(&mut self) -> Result<(), StoreError> {
        let devices = self.connections.store.devices().await?;
        let mut index = DeviceIndex::default();
        self.names.clear();
        for device in devices {
            if let Some(known) = self.connections.catalogue.get(&device.entry.profile) {
                index.profiles.insert(device.id, Arc::clone(&known.profile));
            }
            index.by_unique_id.extend(device.unique_id.map(|unique_id| (unique_id, device.id)));
            index.by_address.insert(device.entry.access.address.to_canonical(), device.id);
            self.names.insert(device.id, device.entry.name);
        }
        self.connections.index.send_replace(Arc::new(index));
        Ok(())
    }

    /// Every run that was not over goes on where it stood, with a look at its device first.
    async fn resume(&self) -> Result<Batch, StoreError> {
        let mut batch = Batch::default();
        for open in self.connections.store.open_runs().await? {
            let device = self.connections.store.device_by_id(open.run.device.id).await?;
            match restored(&open.profile) {
                Ok(profile) => {
                    let profile = Arc::new(profile);
                    let access = access(&device, &profile);
                    let entry = Entry::stored(open.run, open.seq, open.told, profile, access);
                    batch.inputs.push(Input::Resume(Box::new(entry)));
                }
                Err(error) => {
                    let run = open.run.id.0;
                    tracing::error!(run, %error, "the profile kept with a run cannot be read; the run stands still");
                }
            }
        }
        Ok(batch)
    }
}

const fn is_of_operator(input: &Input) -> bool {
    matches!(input, Input::Start(_) | Input::Operator { .. } | Input::Cancel(_) | Input::StopOperation(_))
}

fn access(device: &Device, profile: &upgrade::Profile) -> engine::Access {
    engine_access(&device.entry.access, profile)
}

fn engine_access(access: &crate::inventory::Access, profile: &upgrade::Profile) -> engine::Access {
    engine::Access {
        address: SocketAddr::new(access.address, access.port),
        version: match access.version {
            SnmpVersion::V1 => engine::access::Version::V1,
            SnmpVersion::V2c => engine::access::Version::V2c,
        },
        read_community: access.read_community.0.clone(),
        write_community: access.write_community.0.clone(),
        answer_ms: profile.limits.answer_ms,
        repeats: profile.limits.repeats,
    }
}

fn no_profile(name: &str) -> Refusal {
    Refusal::new(
        RefusalCode::Unknown,
        format!("the daemon knows no profile {name:?}"),
        "see `iadms profile list`; profiles of your own are read from the folder given with --profiles",
    )
}

/// The address of ours that packets towards `peer` leave from. Nothing is sent.
fn local_address(peer: IpAddr) -> Option<IpAddr> {
    let unspecified: IpAddr =
        if peer.is_ipv4() { [0, 0, 0, 0].into() } else { std::net::Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((unspecified, 0)).ok()?;
    socket.connect((peer, 9)).ok()?;
    socket.local_addr().ok().map(|address| address.ip())
}

/// 128 random bits.
fn random_digits() -> Result<String, Refusal> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| {
        Refusal::new(
            RefusalCode::Unavailable,
            format!("the system gives no random numbers: {error}"),
            "without them file names could be guessed; check the system",
        )
    })?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
