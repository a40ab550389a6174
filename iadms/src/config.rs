//! How a manager is set up: the options of `iadms serve`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU64;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use clap::builder::RangedU64ValueParser;
use engine::file_server::{Link, Rates, Settings};

use crate::net::ftp::Tls;

/// Where the data is, unless told otherwise.
pub const DATA: &str = "/var/lib/iadms";
/// The name of the command socket in the data folder.
pub const SOCKET: &str = "iadms.sock";

/// Options of `iadms serve`.
#[derive(Debug, Clone, Args)]
pub struct ServeOptions {
    /// Folder of database, images and backups; made where it is missing
    #[arg(long, value_name = "DIR", default_value = DATA, env = "IADMS_DATA")]
    pub data: PathBuf,

    /// Unix socket that the other commands talk to, where one is given; default: iadms.sock in the data folder
    #[arg(skip)]
    pub socket: Option<PathBuf>,

    /// Where SNMP notifications arrive; port 0: one that the system chooses
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "[::]:162")]
    pub notifications: SocketAddr,

    /// Where the TFTP server listens
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "[::]:69")]
    pub tftp: SocketAddr,

    /// All files go over from that port, too: for devices behind an address translation, or a firewall, that knows nothing of TFTP
    #[arg(long)]
    pub tftp_single_port: bool,

    /// How fast files go over
    #[command(flatten)]
    pub file_limits: FileLimits,

    /// Where the FTP server listens; off: nowhere
    #[arg(long, value_name = "ADDRESS:PORT|off", default_value = "[::]:21")]
    pub ftp: FtpListen,

    /// Ports of FTP's data connections in passive mode, for firewalls; default: what the system chooses
    #[arg(long, value_name = "FIRST-LAST", default_value = "0-0", hide_default_value = true)]
    pub ftp_passive_ports: PortRange,

    /// How it is secured
    #[command(flatten)]
    pub ftp_tls: FtpTls,

    /// Address by which devices reach the file server, one each of IPv4 and IPv6; default: the address from which
    /// this machine reaches the device
    #[arg(long, value_name = "ADDRESS")]
    pub server_address: Vec<IpAddr>,

    /// Address that SNMP requests are sent from; default: what the system chooses
    #[arg(long, value_name = "ADDRESS")]
    pub snmp_address: Option<IpAddr>,

    /// File with the key under which secrets are kept (`iadms credential key` makes one); default: the systemd credential
    /// iadms.key, where the service has it. Without a key there are no credentials
    #[arg(long, value_name = "FILE", env = "IADMS_KEY")]
    pub key: Option<PathBuf>,

    /// Start although the key of credentials is lost: their devices are out of reach until `iadms credential rotate` has given
    /// each new pass-phrases
    #[arg(long)]
    pub lost_key: bool,

    /// Folder of more device profiles (*.toml); may be given several times
    #[arg(long, value_name = "DIR")]
    pub profiles: Vec<PathBuf>,

    /// Print one line of JSON with the ports once all of them listen
    #[arg(long)]
    pub ready: bool,
}

/// How FTP is secured by TLS (RFC 4217).
#[derive(Debug, Clone, Default, Args)]
pub struct FtpTls {
    /// File with the certificate chain of the FTP server (PEM): devices that ask for TLS get it; default: no TLS
    #[arg(id = "ftp_certificate", long = "ftp-certificate", value_name = "FILE", requires = "ftp_key")]
    pub certificate: Option<PathBuf>,

    /// File with the private key of that certificate (PEM)
    #[arg(id = "ftp_key", long = "ftp-key", value_name = "FILE", requires = "ftp_certificate")]
    pub key: Option<PathBuf>,

    /// Take neither logins nor files by FTP without TLS
    #[arg(id = "ftp_tls_only", long = "ftp-tls-only", requires = "ftp_certificate")]
    pub only: bool,
}

impl FtpTls {
    /// As the FTP server takes it.
    pub fn settings(&self) -> Option<Tls> {
        let (certificate, key) = self.certificate.clone().zip(self.key.clone())?;
        Some(Tls { certificate, key, required: self.only })
    }
}

/// How fast files go over, and how many at once.
#[derive(Debug, Clone, Args)]
pub struct FileLimits {
    /// Bits a second of all file transfers together, such as 20M; default: no limit
    #[arg(long = "bandwidth", value_name = "RATE")]
    pub all: Option<Bandwidth>,

    /// Bits a second of each file transfer, such as 512k; default: no limit
    #[arg(long = "transfer-bandwidth", value_name = "RATE")]
    pub each: Option<Bandwidth>,

    /// Bits a second of all file transfers over the link to the devices of a network, such as 10.1.0.0/16=2M; may be given several
    /// times
    #[arg(long = "link-bandwidth", value_name = "NETWORK=RATE")]
    pub links: Vec<LinkBandwidth>,

    /// File transfers at once; further devices wait for their turn
    #[arg(long = "transfers", value_name = "NUMBER", default_value_t = MOST_TRANSFERS,
        value_parser = RangedU64ValueParser::<usize>::new().range(1..=1_000_000))]
    pub transfers: usize,
}

/// As many as there is memory for in any case.
const MOST_TRANSFERS: usize = 16_384;

impl Default for FileLimits {
    fn default() -> Self {
        Self { all: None, each: None, links: Vec::new(), transfers: MOST_TRANSFERS }
    }
}

impl FileLimits {
    /// As the file server takes them.
    pub fn settings(&self) -> Settings {
        let rates = Rates { all: self.all.map(Bandwidth::bytes), each: self.each.map(Bandwidth::bytes) };
        let links = self.links.iter().map(|LinkBandwidth(link)| *link).collect();
        Settings { rates, links, most_transfers: self.transfers, ..Settings::default() }
    }
}

/// How fast files go over one link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkBandwidth(Link);

/// What stands there is no link with its bandwidth.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotALink {
    /// There is no network, or no `=`.
    #[error("a network and its bandwidth, such as 10.1.0.0/16=2M, were expected")]
    Network,
    /// What stands behind the network.
    #[error(transparent)]
    Bandwidth(#[from] NotABandwidth),
}

impl FromStr for LinkBandwidth {
    type Err = NotALink;

    fn from_str(text: &str) -> Result<Self, NotALink> {
        let (network, rate) = text.split_once('=').ok_or(NotALink::Network)?;
        let network = network.parse().map_err(|_| NotALink::Network)?;
        Ok(Self(Link { network, rate: rate.parse::<Bandwidth>()?.bytes() }))
    }
}

/// Bits a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bandwidth(NonZeroU64);

/// What stands there is no bandwidth.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("bits a second, 8 or more, such as 512k, 20M or 1G, were expected")]
pub struct NotABandwidth;

impl Bandwidth {
    /// The same in bytes a second.
    pub fn bytes(self) -> NonZeroU64 {
        NonZeroU64::new(self.0.get() / 8).unwrap_or(NonZeroU64::MIN)
    }
}

impl FromStr for Bandwidth {
    type Err = NotABandwidth;

    fn from_str(text: &str) -> Result<Self, NotABandwidth> {
        let units = [("k", 1_000), ("K", 1_000), ("M", 1_000_000), ("G", 1_000_000_000)];
        let in_unit = units.iter().find_map(|(unit, size)| Some((text.strip_suffix(unit)?, *size)));
        let (number, unit) = in_unit.unwrap_or((text, 1));
        if !number.bytes().all(|octet| octet.is_ascii_digit()) {
            return Err(NotABandwidth);
        }
        let bits = number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
        bits.filter(|bits| *bits >= 8).and_then(NonZeroU64::new).map(Self).ok_or(NotABandwidth)
    }
}

/// Where FTP listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FtpListen {
    /// Nowhere.
    Off,
    /// There.
    At(SocketAddr),
}

/// What stands there is neither an address with a port nor `off`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an address with a port, such as [::]:21, or off was expected")]
pub struct NotAnFtpAddress;

impl FromStr for FtpListen {
    type Err = NotAnFtpAddress;

    fn from_str(text: &str) -> Result<Self, NotAnFtpAddress> {
        match text {
            "off" => Ok(Self::Off),
            text => text.parse().map(Self::At).map_err(|_| NotAnFtpAddress),
        }
    }
}

/// A range of TCP ports; 0 to 0: any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortRange(pub RangeInclusive<u16>);

/// What stands there is no range of ports.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the first and the last port, such as 50000-50999, were expected")]
pub struct NotAPortRange;

impl FromStr for PortRange {
    type Err = NotAPortRange;

    fn from_str(text: &str) -> Result<Self, NotAPortRange> {
        let (first, last) = text.split_once('-').ok_or(NotAPortRange)?;
        let (first, last) =
            (first.parse().map_err(|_| NotAPortRange)?, last.parse().map_err(|_| NotAPortRange)?);
        let range: RangeInclusive<u16> = first..=last;
        let any = range == (0..=0);
        if any || (first > 0 && first <= last) { Ok(Self(range)) } else { Err(NotAPortRange) }
    }
}

impl ServeOptions {
    /// The path of the command socket.
    pub fn socket_path(&self) -> PathBuf {
        self.socket.clone().unwrap_or_else(|| self.data.join(SOCKET))
    }

    /// The address that a device at `device` is told for the file server, where one was given for its family.
    pub fn server_address_for(&self, device: IpAddr) -> Option<IpAddr> {
        self.server_address.iter().copied().find(|address| address.is_ipv4() == device.is_ipv4())
    }

    /// Checks what the form alone cannot: at most one server address of each family, none that stands for all.
    ///
    /// # Errors
    ///
    /// One sentence about the first that will not do.
    pub fn check(&self) -> Result<(), String> {
        for address in &self.server_address {
            if address.is_unspecified()
                || address.is_multicast()
                || *address == IpAddr::V4(Ipv4Addr::BROADCAST)
            {
                return Err(format!("--server-address {address}: devices cannot reach a server there"));
            }
            let same_family = self.server_address.iter().filter(|other| other.is_ipv4() == address.is_ipv4());
            if same_family.count() > 1 {
                return Err(format!(
                    "--server-address {address}: only one address of each family can be given"
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bandwidth_is_bits_a_second_with_a_unit_or_without() {
        let bytes = |text: &str| text.parse::<Bandwidth>().map(|bandwidth| bandwidth.bytes().get());
        for (text, expected) in [("8", 1), ("512k", 64_000), ("20M", 2_500_000), ("1G", 125_000_000)] {
            assert_eq!(bytes(text), Ok(expected), "{text}");
        }
        for text in
            ["", "0", "7", "k", "-5", "+5", "1.5M", "20 M", "20MB", "99999999999999999999", "9999999999999G"]
        {
            assert_eq!(bytes(text), Err(NotABandwidth), "{text:?}");
        }
    }

    #[test]
    fn a_link_is_a_network_and_its_bandwidth() {
        for (text, network) in [("10.1.0.0/16=2M", "10.1.0.0/16"), ("2001:db8::/32=2M", "2001:db8::/32")] {
            let LinkBandwidth(link) = text.parse().unwrap();
            assert_eq!((link.network.to_string(), link.rate.get()), (network.to_owned(), 250_000));
        }
        for text in ["", "10.1.0.0=2M", "10.1.0.0/33=2M", "10.1.0.0/16", "=2M"] {
            assert_eq!(text.parse::<LinkBandwidth>(), Err(NotALink::Network), "{text:?}");
        }
        assert_eq!("10.1.0.0/16=fast".parse::<LinkBandwidth>(), Err(NotABandwidth.into()));
    }
}
