//! The handle of a running simulator.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use datagram::{BindError, Outbox, Socket, SocketOptions};
use snmp::agent::{Agent, Settings as AgentSettings};
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::task::JoinSet;

use super::clock::Clock;
use super::control;
use super::core::Core;
use super::message::{Event, Message, Request, Response, Waiter};
use super::notifier::Notifier;
use super::settings::SimulatorSettings;
use super::store::{Store, StoreError};
use super::tftp::TftpPool;
use super::timers::Timers;
use super::unit::Unit;
use super::view::{DeviceView, FaultView};
use crate::device::{ConfigurationKind, Device, Durable, Power};
use crate::fault::{Fault, FaultError};

/// How many reports of transfers may wait for the devices to take them.
const REPORTS: usize = 256;

/// How many events may wait for a slow listener, who then misses the oldest.
const EVENTS: usize = 4096;

/// Devices that run in the background, until this is dropped: then they all lose power.
#[derive(Debug)]
pub struct Simulator {
    core: mpsc::Sender<Message>,
    events: broadcast::Sender<Event>,
    port: u16,
    places: BTreeMap<String, usize>,
    addresses: Vec<IpAddr>,
    tasks: JoinSet<()>,
}

/// A simulator cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A socket cannot be opened.
    #[error("cannot open a socket for the devices")]
    Bind(#[from] BindError),
    /// What is stored cannot be used.
    #[error("cannot use the stored devices")]
    Store(#[from] StoreError),
    /// The control socket cannot be opened.
    #[error("cannot open the control socket {path}")]
    Control {
        /// The socket.
        path: PathBuf,
        /// What the system says.
        #[source]
        cause: io::Error,
    },
    /// A fault of the script makes no sense.
    #[error("cannot use the fault script")]
    Fault(#[from] FaultError),
    /// Devices and the one they notify are of different families.
    #[error("devices at {device} cannot notify {listener}: one is IPv4, the other IPv6")]
    Family {
        /// The address of the first device.
        device: IpAddr,
        /// The address of the listener.
        listener: IpAddr,
    },
}

/// A running simulator does not do what it is asked.
#[derive(Debug, thiserror::Error)]
pub enum SimulatorError {
    /// It makes no sense.
    #[error("{0}")]
    Refused(String),
    /// It has stopped.
    #[error("the simulator has stopped")]
    Stopped,
}

impl Simulator {
    /// Starts devices in the background of the present tokio runtime. They have power from the start, and begin to boot.
    ///
    /// # Errors
    /// When sockets or stored devices cannot be had.
    pub async fn start(settings: SimulatorSettings) -> Result<Self, StartError> {
        let clock = Clock::start();
        let options = SocketOptions { freebind: settings.bind.is_ipv6(), ..SocketOptions::default() };
        let socket = Socket::bind(settings.any_address(settings.port), &options)?;
        let notifier = open_notifier(&settings, &options)?;
        let store = match &settings.state {
            Some(folder) => Some(Store::open(folder, settings.synchronous)?),
            None => None,
        };
        let mut tasks = JoinSet::new();
        let (reports, inbox) = mpsc::channel(REPORTS);
        let tftp = TftpPool::open(&settings, clock, &reports, &mut tasks)?;
        let units = units(&settings, store.as_ref(), clock)?;
        let (core_messages, messages) = mpsc::channel(REPORTS);
        let events = broadcast::Sender::new(EVENTS);
        let mut core = Core {
            clock,
            agent: Agent::new(agent_settings(&settings), salt()),
            socket,
            answers: Outbox::default(),
            by_address: units.iter().enumerate().map(|(place, unit)| (unit.address, place)).collect(),
            units,
            timers: Timers::default(),
            storm: None,
            tftp,
            transfer: settings.transfer.clone(),
            notifier,
            store,
            reports,
            events: events.clone(),
            waiters: Vec::new(),
            faults_added: 0,
            tasks: JoinSet::new(),
        };
        for fault in &settings.faults.faults {
            fault.check()?;
            core.add_fault(fault.clone());
        }
        if let Some(path) = &settings.control {
            let listening = control::listen(path).await;
            let listener = listening.map_err(|cause| StartError::Control { path: path.clone(), cause })?;
            tasks.spawn(control::serve(listener, core_messages.clone()));
        }
        let simulator = Self {
            core: core_messages,
            events,
            port: core.socket.address().port(),
            places: core
                .units
                .iter()
                .enumerate()
                .map(|(place, unit)| (unit.device.settings().unique_id.clone(), place))
                .collect(),
            addresses: core.units.iter().map(|unit| unit.address).collect(),
            tasks: {
                tasks.spawn(core.run(messages, inbox));
                tasks
            },
        };
        Ok(simulator)
    }

    /// Waits until all devices have started, or turned out not to start.
    ///
    /// # Errors
    /// When the simulator stops meanwhile.
    pub async fn all_started(&self) -> Result<(), SimulatorError> {
        for place in 0..self.addresses.len() {
            self.wait_at(place, |device| device.power() != Power::Booting).await?;
        }
        Ok(())
    }

    /// Cuts the power of all devices, and waits until nothing of them is left: no socket is open, nothing more is stored.
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
    }

    /// The UDP port on which all devices answer.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The unique ids of all devices.
    pub fn devices(&self) -> impl Iterator<Item = &str> {
        self.places.keys().map(String::as_str)
    }

    /// Where a device answers SNMP.
    pub fn address(&self, device: &str) -> Option<SocketAddr> {
        let address = self.addresses.get(*self.places.get(device)?)?;
        Some(SocketAddr::new(*address, self.port))
    }

    /// What is shown of a device.
    ///
    /// # Errors
    /// When there is no such device.
    pub async fn show(&self, device: &str) -> Result<DeviceView, SimulatorError> {
        match self.ask(Request::ShowDevice { device: device.to_owned() }).await? {
            Response::Device { device } => Ok(*device),
            other => Err(unexpected(other)),
        }
    }

    /// What is shown of all devices.
    ///
    /// # Errors
    /// When the simulator has stopped.
    pub async fn list(&self) -> Result<Vec<DeviceView>, SimulatorError> {
        match self.ask(Request::ListDevices).await? {
            Response::Devices { devices } => Ok(devices),
            other => Err(unexpected(other)),
        }
    }

    /// Cuts the power of a device.
    ///
    /// # Errors
    /// When there is no such device.
    pub async fn power_off(&self, device: &str) -> Result<(), SimulatorError> {
        self.done(Request::Power { device: Some(device.to_owned()), on: false }).await
    }

    /// Switches a device on.
    ///
    /// # Errors
    /// When there is no such device.
    pub async fn power_on(&self, device: &str) -> Result<(), SimulatorError> {
        self.done(Request::Power { device: Some(device.to_owned()), on: true }).await
    }

    /// Changes the running configuration at the device itself.
    ///
    /// # Errors
    /// When there is no such device, or it does not run.
    pub async fn configure(
        &self,
        device: &str,
        kind: ConfigurationKind,
        entries: &[(&str, &str)],
    ) -> Result<(), SimulatorError> {
        let entries = entries.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        self.done(Request::SetConfiguration { device: device.to_owned(), kind, entries }).await
    }

    /// How many calls a device has from now on, as long as they are admitted.
    ///
    /// # Errors
    /// When there is no such device.
    pub async fn set_calls(&self, device: &str, calls: u32) -> Result<(), SimulatorError> {
        self.done(Request::SetCalls { device: Some(device.to_owned()), calls }).await
    }

    /// Lets something go wrong, and gives the number of the fault.
    ///
    /// # Errors
    /// When the fault lacks something, or there is no such device.
    pub async fn add_fault(&self, fault: Fault) -> Result<u32, SimulatorError> {
        match self.ask(Request::AddFault { fault }).await? {
            Response::Added { number } => Ok(number),
            other => Err(unexpected(other)),
        }
    }

    /// All faults, with how often they happened.
    ///
    /// # Errors
    /// When the simulator has stopped.
    pub async fn faults(&self) -> Result<Vec<FaultView>, SimulatorError> {
        match self.ask(Request::ListFaults).await? {
            Response::Faults { faults } => Ok(faults),
            other => Err(unexpected(other)),
        }
    }

    /// Lets one fault, or none of them, happen any more.
    ///
    /// # Errors
    /// When the simulator has stopped.
    pub async fn clear_faults(&self, number: Option<u32>) -> Result<(), SimulatorError> {
        self.done(Request::ClearFaults { number }).await
    }

    /// Waits until a device is as wanted: that is looked at now, and after everything that happens to it.
    ///
    /// # Errors
    /// When there is no such device, or the simulator stops meanwhile.
    pub async fn wait(
        &self,
        device: &str,
        wanted: impl Fn(&Device) -> bool + Send + 'static,
    ) -> Result<DeviceView, SimulatorError> {
        let place = self.places.get(device).copied();
        let place = place.ok_or_else(|| SimulatorError::Refused(format!("there is no device {device}")))?;
        self.wait_at(place, wanted).await
    }

    /// What happens to all devices from now on.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    /// Asks the simulator.
    ///
    /// # Errors
    /// When it has stopped.
    pub async fn ask(&self, request: Request) -> Result<Response, SimulatorError> {
        let (reply, answer) = oneshot::channel();
        self.core.send(Message::Ask(request, reply)).await.map_err(|_| SimulatorError::Stopped)?;
        answer.await.map_err(|_| SimulatorError::Stopped)
    }

    async fn done(&self, request: Request) -> Result<(), SimulatorError> {
        match self.ask(request).await? {
            Response::Done => Ok(()),
            other => Err(unexpected(other)),
        }
    }

    async fn wait_at(
        &self,
        device: usize,
        wanted: impl Fn(&Device) -> bool + Send + 'static,
    ) -> Result<DeviceView, SimulatorError> {
        let (reply, answer) = oneshot::channel();
        let waiter = Waiter { device, wanted: Box::new(wanted), reply };
        self.core.send(Message::Wait(waiter)).await.map_err(|_| SimulatorError::Stopped)?;
        answer.await.map_err(|_| SimulatorError::Stopped)
    }
}

fn unexpected(response: Response) -> SimulatorError {
    match response {
        Response::Refused { reason } => SimulatorError::Refused(reason),
        other => SimulatorError::Refused(format!("unexpected answer {other:?}")),
    }
}

fn agent_settings(settings: &SimulatorSettings) -> AgentSettings {
    AgentSettings {
        read_only: vec![settings.read_community.clone().into_bytes()],
        read_write: vec![settings.write_community.clone().into_bytes()],
        read_only_users: settings.read_only_users.clone(),
        read_write_users: settings.read_write_users.clone(),
        ..AgentSettings::default()
    }
}

/// Other than all that was ever encrypted with, also by a simulator before this one: not from the seed, but from the clock.
fn salt() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or_default()
}

fn open_notifier(
    settings: &SimulatorSettings,
    options: &SocketOptions,
) -> Result<Option<Notifier>, StartError> {
    let Some(notify) = &settings.notify else { return Ok(None) };
    if notify.address.is_ipv4() != settings.bind.is_ipv4() {
        return Err(StartError::Family { device: settings.bind, listener: notify.address.ip() });
    }
    let socket = Socket::bind(settings.any_address(0), options)?;
    Ok(Some(Notifier::new(socket, notify.clone(), settings.seed, salt())))
}

/// All devices: as they were stored, or as delivered.
fn units(settings: &SimulatorSettings, store: Option<&Store>, clock: Clock) -> Result<Vec<Unit>, StoreError> {
    let mut units = Vec::new();
    let mut images = BTreeSet::new();
    for place in 0..settings.count {
        let device = settings.device_at(place);
        let stored = match store {
            Some(store) => store.load(&device.unique_id)?,
            None => None,
        };
        let (durable, counters) = match stored {
            Some(stored) => (stored.durable, stored.counters),
            None => {
                let delivered =
                    Durable::delivered(&device, &settings.version, settings.format, settings.image_size);
                (delivered, Default::default())
            }
        };
        images.extend(durable.buffers.iter().filter_map(|buffer| buffer.sha256));
        let seed = settings.seed ^ (u64::from(device.number) << 32);
        let mut device = Device::switched_off(device, durable, seed);
        device.set_counters(counters);
        device.power_on(clock.now());
        units.push(Unit::new(device, settings.address_at(place)));
    }
    if let Some(store) = store {
        store.keep_images(&images)?;
    }
    Ok(units)
}
