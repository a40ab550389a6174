//! The link between a manager and its device: a relay that each takes for the other, so that a test can cut it. SNMP,
//! notifications and TFTP go through it; there is no other way between the two.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Condvar, LazyLock, Mutex};

use snmp::usm::{Authentication, EngineId, Keys, Overheard, Privacy, User};
use tests::loopback;
use tests::process::LIMIT;
use tokio::net::UdpSocket;
use tokio::runtime::{Builder, Runtime};

use crate::laboratory::{DEVICE, PASSPHRASES, USER};

/// The commands by which the link knows a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Command {
    ConfigureServer,
    Backup,
    Download,
    CloseCalls,
    Reset,
    Rollback,
    Convert,
    Restore,
    Confirm,
    OpenCalls,
}

impl Command {
    /// The end of the varbind that gives it: the last parts of the object's name under the IAD-MIB, and the head of the value,
    /// or all of it.
    const fn varbind(self) -> ([u8; 4], &'static [u8]) {
        const COMMAND: [u8; 4] = [1, 5, 2, 0];
        const CALL_ADMISSION: [u8; 4] = [1, 1, 7, 0];
        const SERVER_ADDRESS: [u8; 4] = [1, 4, 2, 0];
        match self {
            Self::ConfigureServer => (SERVER_ADDRESS, &[0x04]),
            Self::Backup => (COMMAND, &[0x02, 1, 1]),
            Self::Download => (COMMAND, &[0x02, 1, 2]),
            Self::Reset => (COMMAND, &[0x02, 1, 4]),
            Self::Rollback => (COMMAND, &[0x02, 1, 5]),
            Self::Convert => (COMMAND, &[0x02, 1, 6]),
            Self::Restore => (COMMAND, &[0x02, 1, 7]),
            Self::Confirm => (COMMAND, &[0x02, 1, 8]),
            Self::OpenCalls => (CALL_ADMISSION, &[0x02, 1, 1]),
            Self::CloseCalls => (CALL_ADMISSION, &[0x02, 1, 2]),
        }
    }
}

/// The head of a name of the IAD-MIB (1.3.6.1.4.1.32473.1) with four more parts (X.690 section 8.19).
const NAME: [u8; 11] = [0x06, 0x0d, 0x2b, 0x06, 0x01, 0x04, 0x01, 0x81, 0xfd, 0x59, 0x01];

/// The operation code of DATA (RFC 1350 section 5).
const DATA: [u8; 2] = [0, 3];

#[derive(Debug)]
pub(crate) struct Link {
    runtime: Runtime,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    gate: Mutex<Gate>,
    closed: Condvar,
    /// For whom each socket stands.
    sockets: Mutex<BTreeMap<(Whom, SocketAddr), Arc<UdpSocket>>>,
    /// The address at which the manager meets the device.
    device: Ipv4Addr,
    /// The address at which the device meets the manager.
    manager: Ipv4Addr,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Whom {
    Device,
    Manager,
}

/// What goes over a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    Requests,
    Notifications,
    Files,
}

/// What goes over the link, and what does not.
#[derive(Debug, Default)]
struct Gate {
    is_cut: bool,
    stop: Option<Stop>,
    lost: u64,
}

/// When the link cuts itself.
#[derive(Debug, Clone, Copy)]
enum Stop {
    /// Once this command was answered, and then so many packets of files went over.
    Commanded(Command, u32),
    Answered(u32),
    Packets(u32),
}

impl Link {
    pub(crate) fn new() -> Self {
        let shared = Shared {
            gate: Mutex::default(),
            closed: Condvar::new(),
            sockets: Mutex::default(),
            device: loopback::own_address(),
            manager: loopback::own_address(),
        };
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_io().build().unwrap();
        Self { runtime, shared: Arc::new(shared) }
    }

    /// The address at which the device meets the manager.
    pub(crate) fn managers_address(&self) -> Ipv4Addr {
        self.shared.manager
    }

    /// Lets the device reach these ports of the manager, under the same numbers.
    pub(crate) fn lead_to_manager(&self, notifications: SocketAddr, tftp: SocketAddr) {
        for (port, line) in [(notifications, Line::Notifications), (tftp, Line::Files)] {
            self.runtime.block_on(self.shared.open(Whom::Manager, port, port.port(), line));
        }
    }

    /// Lets the manager reach the device's agent, and returns where.
    pub(crate) fn lead_to_device(&self, agent: SocketAddr) -> SocketAddr {
        let socket = self.runtime.block_on(self.shared.open(Whom::Device, agent, 0, Line::Requests));
        socket.local_addr().unwrap()
    }

    /// Nothing goes over from now on, either way.
    pub(crate) fn cut(&self) {
        self.shared.gate.lock().unwrap().is_cut = true;
    }

    /// Everything goes over again.
    pub(crate) fn heal(&self) {
        *self.shared.gate.lock().unwrap() = Gate::default();
    }

    /// Everything goes over, until the next such command was answered, and then so many packets of files went over.
    pub(crate) fn cut_after(&self, command: Command, packets: u32) {
        let stop = Some(Stop::Commanded(command, packets));
        *self.shared.gate.lock().unwrap() = Gate { stop, ..Gate::default() };
    }

    /// Waits until it has cut itself.
    pub(crate) fn is_cut(&self) {
        let gate = self.shared.gate.lock().unwrap();
        let (gate, _) = self.shared.closed.wait_timeout_while(gate, LIMIT, |gate| !gate.is_cut).unwrap();
        assert!(gate.is_cut, "waited {LIMIT:?} for the link to cut itself: {gate:?}");
    }

    /// How many datagrams were lost since it was cut.
    pub(crate) fn lost(&self) -> u64 {
        self.shared.gate.lock().unwrap().lost
    }
}

impl Shared {
    /// A socket that stands for somebody, at a port of the system's choice where 0 is given.
    async fn open(self: &Arc<Self>, whom: Whom, real: SocketAddr, port: u16, line: Line) -> Arc<UdpSocket> {
        let address = match whom {
            Whom::Device => self.device,
            Whom::Manager => self.manager,
        };
        let socket = Arc::new(UdpSocket::bind((IpAddr::V4(address), port)).await.unwrap());
        self.sockets.lock().unwrap().insert((whom, real), Arc::clone(&socket));
        tokio::spawn(Arc::clone(self).carry(Arc::clone(&socket), whom, real, line));
        socket
    }

    /// Carries what comes to a socket on to the one for whom it stands, from a socket that stands for the sender.
    fn carry(
        self: Arc<Self>,
        socket: Arc<UdpSocket>,
        whom: Whom,
        real: SocketAddr,
        line: Line,
    ) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move {
            let mut bytes = vec![0; 1 << 16];
            while let Ok((length, from)) = socket.recv_from(&mut bytes).await {
                if !self.passes(whom, line, &bytes[..length]) {
                    continue;
                }
                let sender = match whom {
                    Whom::Device => Whom::Manager,
                    Whom::Manager => Whom::Device,
                };
                let known = self.sockets.lock().unwrap().get(&(sender, from)).cloned();
                let out = match known {
                    Some(socket) => socket,
                    None => self.open(sender, from, 0, line).await,
                };
                // Nobody may be there: that is as good as lost.
                let _ = out.send_to(&bytes[..length], real).await;
            }
        })
    }

    fn passes(&self, to: Whom, line: Line, bytes: &[u8]) -> bool {
        let mut gate = self.gate.lock().unwrap();
        if gate.is_cut {
            gate.lost += 1;
            return false;
        }
        gate.stop = match gate.stop {
            Some(Stop::Commanded(command, packets))
                if (to, line) == (Whom::Device, Line::Requests) && gives(bytes, command) =>
            {
                Some(Stop::Answered(packets))
            }
            Some(Stop::Answered(packets)) if (to, line) == (Whom::Manager, Line::Requests) => {
                Some(Stop::Packets(packets))
            }
            Some(Stop::Packets(packets)) if line == Line::Files && bytes.starts_with(&DATA) => {
                Some(Stop::Packets(packets - 1))
            }
            stop => stop,
        };
        if matches!(gate.stop, Some(Stop::Packets(0))) {
            // This one still goes over.
            gate.is_cut = true;
            self.closed.notify_all();
        }
        true
    }
}

fn gives(bytes: &[u8], command: Command) -> bool {
    let (object, value) = command.varbind();
    let wanted = [NAME.as_slice(), &object, value].concat();
    let overheard = Overheard::new(bytes, &KEYS).ok();
    let said = overheard.as_ref().map_or(bytes, Overheard::pdu);
    said.windows(wanted.len()).any(|window| window == wanted)
}

/// The keys of those who speak SNMPv3 with the device: what is hidden is overheard.
static KEYS: LazyLock<Keys> = LazyLock::new(|| {
    let [authentication, privacy] = PASSPHRASES.map(str::as_bytes);
    let user = User::new(USER).unwrap().authenticating(Authentication::Sha256, authentication).unwrap();
    user.encrypting(Privacy::Aes128, privacy).unwrap().localized(&EngineId::of_text(32473, DEVICE))
});
