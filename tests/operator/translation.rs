//! Devices behind an address translation (NAPT, RFC 2663 section 4.1.2): a network namespace has them, and leads to this machine by
//! one link with one address. What they send leaves from that, from ports of the kernel's choice, and each is met at a port of it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::Command;
use std::sync::atomic::{AtomicU16, Ordering};

use crate::laboratory::{Answered, answer};

/// Of both sides, and of the devices within.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    V4,
    V6,
}

#[derive(Debug)]
pub(crate) struct Translation {
    family: Family,
    /// Of the namespace; its link's ends are named for it.
    name: String,
    ip: std::path::PathBuf,
    nft: std::path::PathBuf,
    /// The port at which the next device is met.
    next: AtomicU16,
}

/// So many devices have addresses within.
const DEVICES: u8 = 8;

impl Translation {
    /// One for devices of this family; none, which is told, where this machine lets nobody make a network.
    pub(crate) fn new(family: Family, [ip, nft]: [std::path::PathBuf; 2]) -> Option<Self> {
        let name = format!("iad{}{}", std::process::id(), if family == Family::V4 { "a" } else { "b" });
        let next = AtomicU16::new(16_101);
        let translation = Self { family, name, ip, nft, next };
        let made = translation.make();
        if made.code == Some(0) {
            return Some(translation);
        }
        eprintln!("LEFT OUT: no network can be made here, so no address translation was tried: {made:?}");
        None
    }

    fn make(&self) -> Answered {
        let (inner, outer) = (format!("{}i", self.name), format!("{}o", self.name));
        let (ours, theirs) = (self.managers_address(), self.gateway());
        let (length, nodad) = match self.family {
            Family::V4 => (24, ""),
            Family::V6 => (64, " nodad"),
        };
        let mut lines = vec![
            format!("ip netns add {}", self.name),
            format!("ip link add {outer} type veth peer name {inner} netns {}", self.name),
            format!("ip address add {ours}/{length} dev {outer}{nodad}"),
            format!("ip link set {outer} up"),
        ];
        let mut within = vec![
            "ip link set lo up".to_owned(),
            format!("ip address add {theirs}/{length} dev {inner}{nodad}"),
            format!("ip link set {inner} up"),
        ];
        within.extend((0..DEVICES).map(|place| {
            let address = self.device(place);
            let host = if self.family == Family::V4 { 32 } else { 128 };
            format!("ip address add {address}/{host} dev lo{nodad}")
        }));
        let table = self.table();
        within.extend([
            format!("nft add table {table}"),
            format!("nft add chain {table} in '{{ type nat hook prerouting priority dstnat; }}'"),
            format!("nft add chain {table} out '{{ type nat hook postrouting priority srcnat; }}'"),
            format!("nft add rule {table} out oifname {inner} masquerade random"),
        ]);
        lines.extend(within.into_iter().map(|line| format!("ip netns exec {} {line}", self.name)));
        let script = lines.join(" && ");
        answer(Command::new("sh").args(["-c", &script]).env("PATH", self.path()))
    }

    /// Where both programs are, and those of the system.
    fn path(&self) -> String {
        let folders = [&self.ip, &self.nft].map(|program| program.parent().unwrap().to_str().unwrap());
        format!("{}:{}", folders.join(":"), std::env::var("PATH").unwrap_or_default())
    }

    const fn table(&self) -> &str {
        match self.family {
            Family::V4 => "ip iad",
            Family::V6 => "ip6 iad",
        }
    }

    /// Networks of this process's own.
    fn on_the_link(&self, host: u8) -> IpAddr {
        let [.., a, b] = std::process::id().to_be_bytes();
        match self.family {
            Family::V4 => Ipv4Addr::new(10, a, b, host).into(),
            Family::V6 => Ipv6Addr::new(0xfd00, a.into(), b.into(), 0, 0, 0, 0, host.into()).into(),
        }
    }

    /// Where devices reach the manager.
    pub(crate) fn managers_address(&self) -> IpAddr {
        self.on_the_link(1)
    }

    /// From where all that devices send comes.
    pub(crate) fn gateway(&self) -> IpAddr {
        self.on_the_link(2)
    }

    fn device(&self, place: u8) -> IpAddr {
        match self.family {
            Family::V4 => Ipv4Addr::new(192, 168, 1, place + 1).into(),
            Family::V6 => Ipv6Addr::new(0xfd01, 0, 0, 0, 0, 0, 0, u16::from(place) + 1).into(),
        }
    }

    /// The address of the first device, which nobody outside knows; the others follow.
    pub(crate) fn first_device(&self) -> IpAddr {
        self.device(0)
    }

    /// A command that is run where the devices are; its words are still to come.
    pub(crate) fn within(&self, program: &std::path::Path) -> Command {
        let mut command = Command::new(&self.ip);
        command.args(["netns", "exec", &self.name]).arg(program);
        command
    }

    /// From now on a device is met where this says.
    pub(crate) fn lead_to_device(&self, device: SocketAddr) -> SocketAddr {
        let port = self.next.fetch_add(1, Ordering::Relaxed);
        let rule = format!("udp dport {port} dnat to {device}");
        let table: Vec<_> = self.table().split(' ').collect();
        let mut nft = self.within(&self.nft);
        nft.args(["add", "rule"]).args(table).arg("in").args(rule.split(' '));
        let added = answer(&mut nft);
        assert_eq!(added.code, Some(0), "{added:?}");
        SocketAddr::new(self.gateway(), port)
    }
}

impl Drop for Translation {
    /// The link goes with it.
    fn drop(&mut self) {
        let _ = answer(Command::new(&self.ip).args(["netns", "delete", &self.name]));
    }
}

mod needs_iproute2 {
    mod needs_nftables {
        use std::net::SocketAddr;
        use std::sync::Arc;

        use tests::peers;

        use super::super::{Family, Translation};
        use crate::laboratory::{Laboratory, Setup, json};

        /// Two devices behind one address go through an upgrade by SNMPv3 with privacy, the one by TFTP and the other by FTP.
        fn devices_behind_an_address_translation_are_upgraded(family: Family) {
            let programs = [peers::program("iproute2"), peers::program("nftables")];
            let Some(translation) = Translation::new(family, programs).map(Arc::new) else { return };
            let laboratory = Laboratory::with(&Setup {
                devices: &["--count", "2"],
                translation: Some(Arc::clone(&translation)),
                ..Setup::default()
            });
            laboratory.add_image("new", "2.0", &[]);
            for (device, protocol) in [("IAD-000001", "tftp"), ("IAD-000002", "ftp")] {
                let words = ["upgrade", device, "--image", "new", "--protocol", protocol];
                let run = laboratory.begin(&words);
                let ending = laboratory.ending(run);
                assert_eq!(ending["outcome"], "succeeded", "{ending}");
                let traps =
                    laboratory.succeed(&["trap", "tail", "--no-follow", "--last", "100", "--output", "json"]);
                let traps = traps.lines().map(json).filter(|trap| trap["device"] == device);
                let from: Vec<_> =
                    traps.map(|trap| (trap["version"].clone(), trap["from"].clone())).collect();
                assert!(from.len() > 4, "{from:?}");
                let gateway = translation.gateway();
                for (version, from) in &from {
                    let from: SocketAddr = from.as_str().unwrap().parse().unwrap();
                    assert_eq!((version.as_str(), from.ip()), (Some("v3"), gateway));
                }
            }
        }

        #[test]
        fn b13_devices_behind_one_ipv4_address_are_upgraded() {
            devices_behind_an_address_translation_are_upgraded(Family::V4);
        }

        #[test]
        fn b13_devices_behind_one_ipv6_address_are_upgraded() {
            devices_behind_an_address_translation_are_upgraded(Family::V6);
        }
    }
}
