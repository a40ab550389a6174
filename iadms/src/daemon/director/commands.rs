//! What operators ask of the loop, by the API.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use engine::commander::{Answer, Ask, Asker, Outcome, What};
use engine::director::{Entry, Input};
use snmp::usm::EngineId;
use upgrade::profile::{Scope, Server};
use upgrade::run::{Beginning, Choices, Goal, State, Subject};
use upgrade::{DeviceId, Protocol, Run, RunId};

use super::{Addresses, Batch, Loop, Probe};
use crate::daemon::{Command, Probed, Refusal, RefusalCode, Reply, Status, Told};
use crate::inventory::{Device, SnmpVersion};
use crate::net::northbound::{self, Notification};
use crate::store::{StoreError, ToldStory, UnreadableRun};

impl Loop {
    pub(super) fn command_while_stuck(&mut self, command: Command) {
        let Some(refusal) = self.stuck.clone() else { return };
        match command {
            Command::Status { reply } => drop(reply.send(Ok(self.status()))),
            Command::Start { reply, .. } => drop(reply.send(Err(refusal))),
            Command::Probe { reply, .. } => drop(reply.send(Err(refusal))),
            Command::Answer { reply, .. }
            | Command::Cancel { reply, .. }
            | Command::StopOperation { reply, .. }
            | Command::Forget { reply, .. }
            | Command::TestNorthbound { reply, .. } => drop(reply.send(Err(refusal))),
            Command::InventoryChanged => self.stale = true,
        }
    }

    pub(super) async fn command(&mut self, command: Command, batch: &mut Batch) {
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
            Command::Answer { run, asked_at, answer, reply } => {
                batch.asked.push((run, reply));
                batch.inputs.push(Input::Operator { run, asked_at, answer });
            }
            Command::Cancel { run, reply } => {
                batch.asked.push((run, reply));
                batch.inputs.push(Input::Cancel(run));
            }
            Command::StopOperation { run, reply } => {
                batch.asked.push((run, reply));
                batch.inputs.push(Input::StopOperation(run));
            }
            Command::Forget { run, reply } => drop(reply.send(self.forget(run).await)),
            Command::Probe { access, profile, reply } => self.probe(&access, &profile, reply),
            Command::TestNorthbound { target, reply } => {
                let event = engine::northbound::test("a test of iadms", 0);
                let notification = Notification { target, event, reply: northbound::Reply::Asked(reply) };
                let _ = self.connections.northbound.send(notification);
            }
            Command::InventoryChanged => {
                // What begins with this batch was read before the change, and is not among the runs yet.
                self.stale |= batch.inputs.as_slice().iter().any(|input| matches!(input, Input::Start(_)));
                let moved = self.refresh_inventory().await;
                batch.inputs.extend(moved);
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
        let open = self.director.run_of(device.id).or_else(|| batch.inputs.as_slice().iter().find_map(begun));
        if let Some(run) = open {
            return Err(Refusal::from(&StoreError::OpenRun { device: device.entry.name, run }));
        }
        if let Some(run) = self.aside.get(&device.id) {
            return Err(set_aside(run));
        }
        let name = &device.entry.profile;
        let known = self.connections.catalogue.get(name).ok_or_else(|| no_profile(name))?;
        let profile = Arc::clone(&known.profile);
        let id = RunId(self.next_run);
        let secret = random_digits()?;
        let protocol = protocol.or(device.entry.protocol).or(profile.protocol).unwrap_or(Protocol::Tftp);
        let server = self.server(id, &device, protocol, &secret)?;
        let expected = self.connections.store.expected(device.id, device.unique_id.as_deref()).await;
        let expected = expected.map_err(|error| Refusal::from(&error))?;
        self.next_run += 1;
        let activate_at = choices.activate_at.map(|at| self.clock.of_system(at));
        let run = Run::new(Beginning {
            id,
            device: Subject {
                id: device.id,
                name: device.entry.name.clone(),
                address: device.entry.access.address,
                unique_id: device.unique_id.clone(),
            },
            goal,
            choices: Choices { activate_at, ..choices },
            profile: name.clone(),
            server,
            secret,
            begun: self.clock.now(),
            expected,
        });
        let access = access(&device, &profile);
        Ok(Entry::stored(run, 0, 0, profile, access))
    }

    /// The file server as this device is told it.
    pub(super) fn server(
        &self,
        run: RunId,
        device: &Device,
        protocol: Protocol,
        secret: &str,
    ) -> Result<Server, Refusal> {
        let towards = device.entry.access.address;
        let Addresses { told, ports } = &self.connections.addresses;
        let (listening, served) = match protocol {
            Protocol::Tftp | Protocol::Push => (ports.tftp, Protocol::Tftp),
            Protocol::Ftp => (ports.ftp, Protocol::Ftp),
        };
        let listening = listening.ok_or_else(|| {
            Refusal::new(
                RefusalCode::Unavailable,
                format!("the daemon does not serve {served}"),
                format!("start `iadms serve` with --{served} ADDRESS:PORT, or choose the other protocol"),
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
            Protocol::Tftp | Protocol::Push => (String::new(), String::new()),
        };
        Ok(Server { protocol, address, port: listening.port(), user, password })
    }

    fn probe(&mut self, access: &crate::inventory::Access, profile: &str, reply: Reply<Probed>) {
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

    pub(super) fn probed(&mut self, number: u64, answer: Answer) {
        let Some(Probe { profile, address, reply }) = self.probes.remove(&number) else { return };
        let answer = match answer.outcome {
            Outcome::Values(values) => Ok(Probed {
                reading: profile.reading(&values, self.clock.now()),
                engine_id: answer.proof.map(|proof| proof.engine.to_string()),
                superseded: answer.proof.is_some_and(|proof| proof.superseded),
            }),
            Outcome::Unanswered => Err(Refusal::new(
                RefusalCode::Unreachable,
                format!("no SNMP agent answers at {address}"),
                "check address, port, version and read community: an agent is silent to a wrong community, or to a version \
                 that it does not speak",
            )),
            Outcome::Refused(why) => Err(Refusal::new(
                RefusalCode::Unreachable,
                format!("the SNMP agent at {address} does not let itself be read: {why}"),
                "check the version, and the read community or the credential",
            )),
        };
        let _ = reply.send(answer);
    }

    /// Lets go of a run that cannot be read.
    async fn forget(&mut self, run: RunId) -> Result<(), Refusal> {
        let Some(aside) = self.aside.values().find(|aside| aside.id == run).cloned() else {
            return Err(match self.director.run(run) {
                None => self.not_now(run),
                Some(_) => Refusal::new(
                    RefusalCode::Conflict,
                    format!("run {run} can be read and goes on"),
                    format!("`iadms run cancel {run}` ends it, with its device as it was before"),
                ),
            });
        };
        let forgotten = self.connections.store.forget_run(run, self.clock.now()).await;
        let ToldStory { n, at, story } = forgotten.map_err(|error| Refusal::from(&error))?;
        self.aside.remove(&aside.device);
        self.tell_aside();
        tracing::warn!(run = run.0, device = aside.name, "an operator let go of a run that cannot be read");
        let _ = self.connections.receiving.told.send(Told { run, device: aside.name, at, n, story });
        Ok(())
    }

    /// The API tells which runs were set aside without asking here.
    pub(super) fn tell_aside(&self) {
        self.connections.receiving.aside.send_replace(self.aside.values().cloned().collect());
    }

    fn status(&self) -> Status {
        let questions = self.director.runs().filter(|run| matches!(run.state, State::Asking(_))).count();
        Status {
            now: self.clock.now(),
            started: self.started,
            ports: self.connections.addresses.ports,
            open_runs: self.director.runs().count() as u64,
            questions: questions as u64,
            aside: self.aside.values().cloned().collect(),
            datagrams_lost: self.connections.figures.dropped.load(Ordering::Relaxed),
            undecodable: self.connections.figures.undecodable.load(Ordering::Relaxed),
            unproven: self.connections.figures.unproven.load(Ordering::Relaxed),
            restarted_anew: self.connections.figures.restarted_anew.load(Ordering::Relaxed),
            notifications: self.connections.figures.heard.load(Ordering::Relaxed),
            transfers: self.connections.transfers.running.load(Ordering::Relaxed),
            transfers_waiting: self.connections.transfers.waiting.load(Ordering::Relaxed),
        }
    }

    /// Why an operator's word meant nothing to a run.
    pub(super) fn not_now(&self, run: RunId) -> Refusal {
        if let Some(aside) = self.aside.values().find(|aside| aside.id == run) {
            return set_aside(aside);
        }
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
}

pub(super) fn access(device: &Device, profile: &upgrade::Profile) -> engine::Access {
    engine::Access { engine: engine_of(device), ..engine_access(&device.entry.access, profile) }
}

/// The engine that speaks for it, where one has proven to.
pub(super) fn engine_of(device: &Device) -> Option<EngineId> {
    device.engine_id.as_ref().and_then(|engine| engine.parse().ok())
}

fn engine_access(access: &crate::inventory::Access, profile: &upgrade::Profile) -> engine::Access {
    engine::Access {
        address: SocketAddr::new(access.address, access.port),
        version: match access.version {
            SnmpVersion::V1 => engine::access::Version::V1,
            SnmpVersion::V2c => engine::access::Version::V2c,
            SnmpVersion::V3 => engine::access::Version::V3,
        },
        read_community: access.read_community.0.clone(),
        write_community: access.write_community.0.clone(),
        credential: access.credential.clone(),
        engine: None,
        answer_ms: profile.limits.answer_ms,
        repeats: profile.limits.repeats,
    }
}

fn set_aside(run: &UnreadableRun) -> Refusal {
    let UnreadableRun { id, name, unreadable, .. } = run;
    Refusal::new(
        RefusalCode::Conflict,
        format!("device {name} is in run {id}, which cannot be read ({unreadable}) and was set aside"),
        format!(
            "look at the device: `iadms device probe {name}`; then `iadms run forget {id}` lets go of the run"
        ),
    )
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
