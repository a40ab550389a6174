//! What a laboratory is set up with, and what tests ask of it most often.

use core::time::Duration;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::Path;

use iad_sim::device::image::{BootBehaviour, Plan, make};
use iad_sim::device::{Settings, Timing};
use iad_sim::net::SimulatorSettings;
use iadms::config::{FileLimits, FtpListen, FtpTls, PortRange, ServeOptions};
use iadms::credential::{NewCredential, Secrets, UserEntry};
use iadms::seal::Key;
use snmp::usm::{Authentication, Privacy, User};
use tests::loopback::own_address;
use upgrade::Image;
use upgrade::image::{ImageFile, Manifest};
use upgrade::run::{Choices, Policy};

use crate::laboratory::Laboratory;

/// What all tests change of the profile `iad`: looks are frequent and pauses short. What must happen is waited for
/// long, however busy the machine is; a test in which the time must be up says so itself.
const BRISK: &str = r#"
name = "brisk"
extends = "iad"

[limits]
answer_ms = 500
repeats = 6
poll_s = 0.2
reach_s = 60
busy_s = 60
late_s = 0
evidence_s = 60
drain_s = 600
trial_s = 300
soak_s = 0.2
backoff_s = 0.1
backoff_cap_s = 0.4
"#;

/// As whom devices are asked, and whom they notify as.
pub(crate) fn credential() -> NewCredential {
    NewCredential {
        name: "laboratory".into(),
        user: UserEntry {
            user: "anna".into(),
            authentication: Some(Authentication::Sha256),
            privacy: Some(Privacy::Aes128),
        },
        secrets: Secrets { authentication: "maplesyrup".into(), privacy: "rupryselpam".into() },
    }
}

/// The same, as the devices know it.
pub(crate) fn user() -> User {
    let NewCredential { user, secrets, .. } = credential();
    user.with(&secrets).expect("a user")
}

/// What a laboratory is set up with.
pub(crate) struct Setup {
    pub(crate) simulator: SimulatorSettings,
    /// What stands in place of the profile `iad`, under another name.
    pub(crate) kind: Option<(&'static str, String)>,
    /// What the test changes of the profile.
    pub(crate) profile: String,
    /// Whether the devices send notifications.
    pub(crate) notify: bool,
    /// How fast the manager serves files, and how many at once.
    file_limits: FileLimits,
    /// Which laboratory of this process it is.
    number: u16,
}

impl Default for Setup {
    /// One device, for which nothing takes any time.
    fn default() -> Self {
        let [a, b, c, number] = own_address().octets();
        let timing = Timing {
            boot: Duration::ZERO,
            erase: Duration::ZERO,
            flash_bytes_per_second: 0,
            activate: Duration::ZERO,
            convert: Duration::ZERO,
            apply: Duration::ZERO,
            watchdog: Duration::from_millis(200),
            call: Duration::from_millis(100),
        };
        let simulator = SimulatorSettings {
            bind: IpAddr::from([a, b, c, 2]),
            device: Settings { timing, ..Settings::numbered(0) },
            image_size: 65_536,
            read_write_users: vec![user()],
            ..SimulatorSettings::default()
        };
        let file_limits = FileLimits::default();
        Self {
            simulator,
            kind: None,
            profile: String::new(),
            notify: true,
            file_limits,
            number: number.into(),
        }
    }
}

impl Setup {
    /// The device is changed so.
    pub(crate) fn device(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.simulator.device);
        self
    }

    /// So many devices.
    pub(crate) fn devices(mut self, count: u32) -> Self {
        self.simulator.count = count;
        self
    }

    /// The manager serves files no faster, and no more at once.
    pub(crate) fn file_limits(mut self, limits: FileLimits) -> Self {
        self.file_limits = limits;
        self
    }

    /// These lines are added to the profile.
    pub(crate) fn profile(mut self, lines: &str) -> Self {
        self.profile = lines.to_owned();
        self
    }

    /// This profile stands in place of `iad`.
    pub(crate) fn kind(mut self, name: &'static str, text: String) -> Self {
        self.kind = Some((name, text));
        self
    }

    /// The devices send no notifications.
    pub(crate) fn silent(mut self) -> Self {
        self.notify = false;
        self
    }

    /// A device gives a transfer up once it has heard nothing for so long.
    pub(crate) fn giving_up_after(mut self, silence: Duration) -> Self {
        self.simulator.transfer.give_up = silence;
        self
    }

    /// Everything is at the one IPv6 address of loopback.
    pub(crate) fn over_ipv6(mut self) -> Self {
        self.simulator.bind = IpAddr::V6(Ipv6Addr::LOCALHOST);
        self
    }

    /// Flash takes so many bytes a second.
    pub(crate) fn flash(self, bytes_per_second: u64) -> Self {
        self.device(|device| device.timing.flash_bytes_per_second = bytes_per_second)
    }

    /// Other software runs without a restart.
    pub(crate) fn hot(self) -> Self {
        self.device(|device| device.capabilities.needs_reset = false)
    }

    /// The device has no conversion program.
    pub(crate) fn without_conversion(self) -> Self {
        self.device(|device| device.capabilities.convert = false)
    }

    /// The options of a manager whose data and profiles are in `folder`.
    pub(crate) fn options(&self, folder: &Path) -> ServeOptions {
        let profiles = folder.join("profiles");
        std::fs::create_dir(&profiles).expect("a folder of profiles");
        let write = |name: &str, text: String| {
            std::fs::write(profiles.join(format!("{name}.toml")), text).expect("a profile");
        };
        let mut brisk = BRISK.to_owned();
        if let Some((name, text)) = &self.kind {
            write(name, text.clone());
            brisk = brisk.replace("extends = \"iad\"", &format!("extends = {name:?}"));
        }
        write("brisk", brisk);
        write("quick", format!("name = \"quick\"\nextends = \"brisk\"\n{}", self.profile));
        let [address, notifications, tftp, ftp] = self.addresses();
        let key = folder.join("key");
        Key::make(&key).expect("a key");
        ServeOptions {
            data: folder.join("data"),
            socket: None,
            notifications,
            tftp,
            ftp: FtpListen::At(ftp),
            file_limits: self.file_limits.clone(),
            ftp_tls: FtpTls::default(),
            ftp_passive_ports: PortRange(0..=0),
            tftp_single_port: false,
            server_address: vec![address.ip()],
            snmp_address: Some(address.ip()),
            key: Some(key),
            lost_key: false,
            profiles: vec![profiles],
            ready: false,
        }
    }

    /// The manager's address, and with its ports. On an IPv4 address of its own they are ones that the system gives
    /// to nobody, so that they are free when the manager starts again.
    fn addresses(&self) -> [SocketAddr; 4] {
        match self.simulator.bind {
            IpAddr::V4(device) => {
                let [a, b, c, _] = device.octets();
                let first = 10_000 + 4 * self.number;
                [0, first, first + 1, first + 2].map(|port| SocketAddr::from(([a, b, c, 1], port)))
            }
            IpAddr::V6(address) => [SocketAddr::from((address, 0)); 4],
        }
    }
}

impl Laboratory {
    /// Makes an image and stores its files at the manager.
    pub(crate) fn image(&self, plan: &Plan) -> Image {
        let mut files = Vec::new();
        let mut whole = Vec::new();
        for (number, bytes) in make(plan).into_iter().enumerate() {
            let stored = self.manager().files.add(&mut bytes.as_slice()).expect("a stored file");
            files.push(ImageFile { name: format!("{number}.img"), size: stored.size, sha256: stored.digest });
            whole.extend(bytes);
        }
        let manifest = Manifest {
            version: plan.version.clone(),
            hardware: plan.hardware.clone(),
            format: Some(plan.format),
            from: Vec::new(),
            converter: None,
            files,
        };
        let digest = self.manager().files.add(&mut whole.as_slice()).expect("a digest").digest;
        Image { name: format!("iad-8-{}", plan.version), manifest, digest }
    }
}

/// All kinds, this policy, nothing else.
pub(crate) fn choices(policy: Policy) -> Choices {
    Choices { kinds: Vec::new(), policy, question_limit_ms: None, activate_at: None, overwrite: false }
}

/// An image for the usual device, with the configuration format of the software it is delivered with.
pub(crate) fn plan(version: &str) -> Plan {
    Plan {
        version: version.to_owned(),
        hardware: vec!["iad-8".to_owned()],
        format: 1,
        converts_from: vec![1],
        boot: BootBehaviour::Ok,
        payload_size: 100_000,
        seed: 7,
        files: 1,
    }
}
