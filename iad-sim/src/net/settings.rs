//! What a simulator is started with.

use core::time::Duration;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use snmp::Security;
use snmp::manager::Principal;
use snmp::usm::User;

use crate::device::Settings;
use crate::fault::Script;
use crate::transfer::TransferSettings;

/// What a simulator is started with.
#[derive(Debug, Clone)]
pub struct SimulatorSettings {
    /// How many devices.
    pub count: u32,
    /// The number of the first device; the others count up.
    pub first_number: u32,
    /// The address of the first device; the others count up.
    pub bind: IpAddr,
    /// The UDP port on which the devices answer SNMP; 0: the system chooses one for all.
    pub port: u16,
    /// What each device is like, but for its unique id and number.
    pub device: Settings,
    /// The version of the software that new devices are delivered with.
    pub version: String,
    /// The format of configuration that it reads.
    pub format: u32,
    /// The size of that image in bytes.
    pub image_size: u64,
    /// The community that may read.
    pub read_community: String,
    /// The community that may read and write.
    pub write_community: String,
    /// Users of SNMPv3 that may read.
    pub read_only_users: Vec<User>,
    /// Users of SNMPv3 that may read and write.
    pub read_write_users: Vec<User>,
    /// To whom notifications go.
    pub notify: Option<NotifySettings>,
    /// How files are moved.
    pub transfer: TransferSettings,
    /// Where the devices are stored; without it they are lost with the simulator.
    pub state: Option<PathBuf>,
    /// Whether what is stored outlives a crash of the host, not only the end of the simulator. Much slower.
    pub synchronous: bool,
    /// A Unix socket on which commands are taken.
    pub control: Option<PathBuf>,
    /// What is to go wrong.
    pub faults: Script,
    /// From which all randomness follows.
    pub seed: u64,
}

/// To whom notifications go, and how.
#[derive(Debug, Clone)]
pub struct NotifySettings {
    /// The address of the one that listens.
    pub address: SocketAddr,
    /// On whose behalf.
    pub principal: Principal,
    /// Whether they are INFORMs, repeated until they are acknowledged.
    pub inform: bool,
    /// How long to wait for an acknowledgement; each repetition doubles it.
    pub timeout: Duration,
    /// How often an INFORM is repeated.
    pub retries: u32,
}

impl Default for SimulatorSettings {
    /// One device on 127.1.0.1, on a port that the system chooses, stored nowhere.
    fn default() -> Self {
        Self {
            count: 1,
            first_number: 1,
            bind: IpAddr::V4(Ipv4Addr::new(127, 1, 0, 1)),
            port: 0,
            device: Settings::numbered(0),
            version: "1.0".to_owned(),
            format: 1,
            image_size: 1 << 20,
            read_community: "public".to_owned(),
            write_community: "private".to_owned(),
            read_only_users: Vec::new(),
            read_write_users: Vec::new(),
            notify: None,
            transfer: TransferSettings::default(),
            state: None,
            synchronous: false,
            control: None,
            faults: Script::default(),
            seed: 1,
        }
    }
}

impl NotifySettings {
    /// Traps to this address, community `public`.
    pub fn traps_to(address: SocketAddr) -> Self {
        Self {
            address,
            principal: Security::v2c("public").into(),
            inform: false,
            timeout: Duration::from_secs(2),
            retries: 5,
        }
    }
}

impl SimulatorSettings {
    /// The settings of the device at this place, from 0.
    pub(crate) fn device_at(&self, place: u32) -> Settings {
        let named = Settings::numbered(self.first_number.wrapping_add(place));
        Settings { unique_id: named.unique_id, number: named.number, ..self.device.clone() }
    }

    /// The address of the device at this place, from 0.
    pub(crate) fn address_at(&self, place: u32) -> IpAddr {
        match self.bind {
            IpAddr::V4(first) => IpAddr::V4(Ipv4Addr::from_bits(first.to_bits().wrapping_add(place))),
            IpAddr::V6(first) => IpAddr::V6(Ipv6Addr::from_bits(first.to_bits().wrapping_add(place.into()))),
        }
    }

    /// Any address of the family of the devices.
    pub(crate) fn any_address(&self, port: u16) -> SocketAddr {
        match self.bind {
            IpAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)),
            IpAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)),
        }
    }
}
