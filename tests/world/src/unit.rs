//! A device in the world: its model, its power, its clock, its transfers, and the INFORMs it repeats.

use core::time::Duration;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use iad_sim::device::{
    Buffer, BufferState, Device, Durable, Fetch, Power, Server, ServerProtocol, TransferId, Upload,
};
use iad_sim::personality::iad::{IadObjects, event};
use iad_sim::transfer::{TftpTransfer, TransferSettings};
use snmp::Security;
use snmp::agent::{Agent, Outcome, Settings as AgentSettings};
use snmp::manager::{Manager, Settings as ManagerSettings, Target};
use snmp::usm::{Keys, User};
use upgrade::Protocol;

use crate::images::{Quality, images};
use crate::plan::DevicePlan;
use crate::secured::{Secured, user};

/// Where a device's agent listens.
pub(crate) const SNMP_PORT: u16 = 161;

/// The port of a device's first transfer; the others count up.
const FIRST_PORT: u16 = 1024;

/// The port a device's notifications come from.
pub(crate) const NOTIFYING_PORT: u16 = 1023;

/// A device in the world.
#[derive(Debug)]
pub(crate) struct Unit {
    pub(crate) device: Device,
    pub(crate) agent: Agent,
    pub(crate) plan: DevicePlan,
    pub(crate) transfers: BTreeMap<TransferId, Moving>,
    /// What proves it in SNMPv3; none where it is spoken to by communities.
    pub(crate) secured: Option<Secured>,
    informs: Manager,
    trap_id: i32,
    /// How far its clock is ahead of the world's.
    pub(crate) ahead: Duration,
    /// When it is looked at next.
    pub(crate) due: Option<Duration>,
    /// What was seen of its durable memory last.
    pub(crate) seen_changes: u64,
    /// What it sends is lost until then.
    pub(crate) unheard_until: Duration,
    /// What is sent to it is lost until then.
    pub(crate) deaf_until: Duration,
    /// It heeds no command until then.
    pub(crate) heedless_until: Duration,
    /// It is not plugged in until then.
    pub(crate) unplugged_until: Duration,
    /// Until then all datagrams come so much later.
    pub(crate) slow: (Duration, Duration),
    /// The number of the trouble that changes its configuration once that is on trial.
    pub(crate) edit_on_trial: Option<usize>,
    /// The number of the trouble that changes its configuration once that is backed up.
    pub(crate) edit_backed_up: Option<usize>,
    /// What is to strand it on its way back.
    pub(crate) stranded: Option<Stranded>,
    /// The number of the trouble that makes the next command to it late.
    pub(crate) late_command: Option<usize>,
    /// The number of the trouble that has somebody answer in its place, and until when.
    pub(crate) forger: Option<(usize, Duration)>,
    /// Once a run has loaded an image, somebody else loads another one of the same version.
    pub(crate) replaced: bool,
    /// As a run is about to make an image run, a person changes settings, and somebody else tries it for so long.
    pub(crate) made_to_run: Option<Duration>,
    /// What it runs does not start again once a question is asked, or a run has ended, by these troubles.
    pub(crate) slides: Vec<usize>,
    /// How often persons have changed its settings.
    pub(crate) edits: u64,
    /// How many things have happened to it.
    pub(crate) events: u64,
    /// After so many its power is cut, by the trouble of this number.
    pub(crate) cuts: BTreeMap<u64, usize>,
    /// Nobody will ever switch it on again.
    pub(crate) gone: bool,
    /// As soon as new software is on trial the old one is broken.
    pub(crate) rots: bool,
    /// Somebody listens to which files it moves.
    pub(crate) overheard: bool,
    /// Nobody hears its notifications.
    pub(crate) deaf: bool,
}

/// What strands a device on its way back.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stranded {
    /// The number of the trouble.
    pub(crate) number: usize,
    /// Its power has failed.
    pub(crate) is_dark: bool,
}

/// A file on its way.
#[derive(Debug)]
pub(crate) enum Moving {
    Tftp(TftpTransfer),
    /// By FTP: the connection is the world's.
    Ftp,
}

/// What a device is from the beginning.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Nature {
    /// Both of its buffers hold the same version.
    pub(crate) is_twin: bool,
    /// It has one buffer.
    pub(crate) is_single: bool,
    /// It is spoken to in SNMPv3.
    pub(crate) is_secured: bool,
    /// Its engine forgets how often it has started.
    pub(crate) is_forgetful: bool,
    /// Images are written to it.
    pub(crate) is_pushed: bool,
}

/// The address of a device.
pub(crate) fn address(place: usize) -> IpAddr {
    let last = u8::try_from(place + 1).unwrap_or(u8::MAX);
    IpAddr::V4(Ipv4Addr::new(10, 0, 0, last))
}

/// The place of the device with this address.
pub(crate) fn place(address: IpAddr) -> Option<usize> {
    match address {
        IpAddr::V4(v4) => usize::from(v4.octets()[3]).checked_sub(1),
        IpAddr::V6(_) => None,
    }
}

impl Unit {
    pub(crate) fn new(mut plan: DevicePlan, seed: u64, nature: Nature, now: Duration) -> Self {
        plan.settings.capabilities.dual_image &= !nature.is_single;
        if nature.is_pushed && plan.protocol == Protocol::Tftp {
            plan.settings.capabilities.push = true;
            plan.protocol = Protocol::Push;
        }
        let mut durable = Durable::delivered(&plan.settings, "1.0", 1, 40_000);
        if nature.is_twin {
            durable.deliver_twice();
        }
        let communities =
            |community: &str| if nature.is_secured { Vec::new() } else { vec![community.into()] };
        let settings = AgentSettings {
            read_only: communities("public"),
            read_write: communities("private"),
            read_write_users: nature.is_secured.then(|| User::clone(&user())).into_iter().collect(),
            ..AgentSettings::default()
        };
        let device = Device::boot(plan.settings.clone(), durable, seed, now);
        let secured = nature.is_secured.then(|| Secured::new(&device, nature.is_forgetful, seed));
        Self {
            device,
            secured,
            agent: Agent::new(settings, seed),
            plan,
            transfers: BTreeMap::new(),
            informs: Manager::new(ManagerSettings::default(), seed),
            trap_id: 0,
            ahead: Duration::ZERO,
            due: None,
            seen_changes: u64::MAX,
            unheard_until: Duration::ZERO,
            unplugged_until: Duration::ZERO,
            deaf_until: Duration::ZERO,
            heedless_until: Duration::ZERO,
            slow: (Duration::ZERO, Duration::ZERO),
            edit_on_trial: None,
            edit_backed_up: None,
            stranded: None,
            late_command: None,
            forger: None,
            replaced: false,
            made_to_run: None,
            slides: Vec::new(),
            edits: 0,
            events: 0,
            cuts: BTreeMap::new(),
            gone: false,
            rots: false,
            overheard: false,
            deaf: false,
        }
    }

    /// The keys of those who speak SNMPv3 with it.
    pub(crate) fn keys(&self) -> Option<&Keys> {
        self.secured.as_ref().map(Secured::keys)
    }

    /// Whether a connection with the manager stands.
    pub(crate) fn is_reachable(&self, now: Duration) -> bool {
        self.unheard_until <= now && self.deaf_until <= now
    }

    /// Whether what was selected to run is new software, and starts.
    pub(crate) fn new_software_starts(&self) -> bool {
        self.device.durable().active().is_some_and(|active| starts(active) == Some(true))
    }

    /// Whether it runs, and has other software that starts.
    pub(crate) fn could_run_another(&self) -> bool {
        let standby = self.device.durable().standby().filter(|standby| standby.is_valid());
        self.device.power() == Power::Running && standby.is_some_and(|standby| starts(standby) != Some(false))
    }

    /// The flash that holds the old software is broken.
    pub(crate) fn rot(&mut self, seed: u64) {
        let mut durable = self.device.durable().clone();
        let standby = durable.standby_index();
        if let Some(buffer) = standby.and_then(|standby| durable.buffers.get_mut(standby)) {
            buffer.state = BufferState::Invalid;
        }
        let mut device = Device::switched_off(self.plan.settings.clone(), durable, seed);
        device.set_counters(self.device.counters().clone());
        self.device = device;
        self.transfers.clear();
    }

    /// The time by its own clock.
    pub(crate) fn clock(&self, now: Duration) -> Duration {
        now + self.ahead
    }

    /// Answers a request.
    pub(crate) fn answer(&mut self, bytes: &[u8], now: Duration) -> Option<Vec<u8>> {
        if !self.device.answers() {
            return None;
        }
        let now = self.clock(now);
        let mut response = Vec::new();
        let engine = self.secured.as_mut().map(|secured| secured.engine(&self.device, now));
        let mut objects = IadObjects::new(&mut self.device, now);
        let outcome = self.agent.respond(bytes, engine, &mut objects, &mut response);
        objects.finish();
        let operation = match outcome {
            Outcome::Answered { operation, .. } => operation,
            Outcome::Reported(_) => return (!response.is_empty()).then_some(response),
            Outcome::Dropped(_) => return None,
        };
        let request = match operation {
            snmp::Operation::Set => iad_sim::fault::RequestKind::Set,
            _ => iad_sim::fault::RequestKind::Get,
        };
        (!self.device.loses_answer(request)).then_some(response)
    }

    /// The port of a transfer of its own.
    pub(crate) fn port(transfer: TransferId) -> u16 {
        FIRST_PORT + u16::try_from(transfer.0 % 50_000).unwrap_or(0)
    }

    /// The transfer with this port.
    pub(crate) fn transfer_at(&self, port: u16) -> Option<TransferId> {
        self.transfers.keys().copied().find(|transfer| Self::port(*transfer) == port)
    }

    pub(crate) fn fetch(&mut self, fetch: &Fetch, server: SocketAddr, now: Duration) {
        let moving = match fetch.server.protocol {
            ServerProtocol::Tftp => Moving::Tftp(TftpTransfer::begin(
                server,
                &fetch.name,
                None,
                fetch.stall,
                &TransferSettings::default(),
                now,
            )),
            ServerProtocol::Ftp => Moving::Ftp,
            ServerProtocol::Push => Moving::Tftp(TftpTransfer::wait(
                server,
                fetch.name.clone(),
                Self::port(fetch.transfer),
                fetch.stall,
                &TransferSettings::default(),
                now,
            )),
        };
        self.transfers.insert(fetch.transfer, moving);
    }

    pub(crate) fn upload(&mut self, upload: &Upload, server: SocketAddr, now: Duration) {
        let content: Arc<[u8]> = upload.content.clone().into();
        let moving = match upload.server.protocol {
            // Only images are written to it.
            ServerProtocol::Tftp | ServerProtocol::Push => Moving::Tftp(TftpTransfer::begin(
                server,
                &upload.name,
                Some(content),
                upload.stall,
                &TransferSettings::default(),
                now,
            )),
            ServerProtocol::Ftp => Moving::Ftp,
        };
        self.transfers.insert(upload.transfer, moving);
    }

    /// Where a server is, as this device was told it.
    pub(crate) fn server(server: &Server) -> Option<SocketAddr> {
        let address: IpAddr = server.address.parse().ok()?;
        Some(SocketAddr::new(address, server.port))
    }

    /// A notification as it goes out: a trap at once, an INFORM by [`Self::poll_inform`].
    pub(crate) fn notify(
        &mut self,
        notification: &iad_sim::device::Notification,
        listener: SocketAddr,
        now: Duration,
    ) -> Option<Vec<u8>> {
        let event = event(&self.device, notification, self.clock(now));
        let security = Security::v2c("public");
        if self.plan.informs {
            let target = Target {
                address: listener,
                principal: if self.secured.is_some() { user().into() } else { security.into() },
                timeout: Duration::from_secs(2),
                retries: 5,
            };
            // A queue that is full drops it, as a device would.
            let _ = self.informs.request(&target, event.inform());
            return None;
        }
        self.trap_id = self.trap_id.wrapping_add(1) & i32::MAX;
        let clock = self.clock(now);
        if let Some(secured) = &mut self.secured {
            return secured.trap(&self.device, event, self.trap_id, clock);
        }
        let mut bytes = Vec::new();
        event.trap(security, self.trap_id).encode(&mut bytes).ok()?;
        Some(bytes)
    }

    /// The next INFORM to be sent.
    pub(crate) fn poll_inform(&mut self, now: Duration) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        let sent = self.informs.poll_transmit(now, &mut bytes);
        while self.informs.poll_event().is_some() {}
        sent.map(|_| bytes)
    }

    pub(crate) fn acknowledged(&mut self, from: SocketAddr, bytes: &[u8], now: Duration) {
        self.informs.handle(from, bytes, now);
        while self.informs.poll_event().is_some() {}
    }

    /// A device that has lost power repeats nothing.
    pub(crate) fn forget_informs(&mut self, seed: u64) {
        self.informs = Manager::new(ManagerSettings::default(), seed);
    }

    /// When it is to be looked at next, by the world's clock.
    pub(crate) fn deadline(&self, now: Duration) -> Option<Duration> {
        let own = self.device.next_deadline(self.clock(now)).map(|due| due.saturating_sub(self.ahead));
        let moving = self.transfers.values().filter_map(|moving| match moving {
            Moving::Tftp(transfer) => transfer.deadline(),
            Moving::Ftp => None,
        });
        own.into_iter().chain(moving).chain(self.informs.next_deadline()).min()
    }
}

/// Whether software starts, if it is one of the images that are made here.
fn starts(software: &Buffer) -> Option<bool> {
    let starts = |quality| !matches!(quality, Quality::Loops | Quality::Hangs);
    images(|images| {
        let made = images.iter().find(|made| made.image.manifest.version == software.version);
        made.map(|made| starts(made.quality))
    })
}
