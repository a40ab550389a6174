//! A laboratory: a simulator and a manager in one process, which talk over loopback, each on its own folder.

use core::time::Duration;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU32, Ordering};

use iad_sim::device::image::{BootBehaviour, Plan, make};
use iad_sim::fault::Fault;
use iad_sim::net::{DeviceView, NotifySettings, Simulator, SimulatorSettings};
use iadms::config::{FtpListen, ServeOptions};
use iadms::daemon::{Running, start};
use iadms::inventory::{Access, Community, DeviceEntry, SnmpVersion};
use tempfile::TempDir;
use upgrade::image::{ImageFile, Manifest};
use upgrade::run::{Answer, Choices, Ending, Goal, Policy, Question, Run, State, Story};
use upgrade::{DeviceId, Digest, Image, Protocol, RunId};

/// No wait of a test is longer: this bounds only what has gone wrong already.
const BOUND: Duration = Duration::from_secs(60);

/// What tests change of the profile `iad`: the waits are short, so that what must time out does so soon.
const QUICK: &str = r#"
name = "quick"
extends = "iad"
single-storage-allowed = true

[limits]
answer_ms = 500
repeats = 4
poll_s = 0.2
reach_s = 5
busy_s = 3
evidence_s = 2
drain_s = 1
trial_s = 30
soak_s = 0.2
backoff_s = 0.1
backoff_cap_s = 0.4
"#;

/// Each laboratory has loopback addresses of its own.
static LABORATORIES: AtomicU32 = AtomicU32::new(0);

/// A simulator and a manager.
pub(crate) struct Laboratory {
    folder: TempDir,
    pub(crate) simulator: Simulator,
    pub(crate) manager: Option<Running>,
    options: ServeOptions,
    watched: BTreeMap<RunId, Vec<Story>>,
}

/// What a laboratory is set up with.
pub(crate) struct Setup {
    pub(crate) simulator: SimulatorSettings,
    /// Lines added to the profile.
    pub(crate) profile: String,
    pub(crate) notify: bool,
}

impl Default for Setup {
    fn default() -> Self {
        let process = std::process::id();
        let laboratory = LABORATORIES.fetch_add(1, Ordering::Relaxed);
        let [_, a, b, _] = (process.wrapping_mul(64).wrapping_add(laboratory)).to_be_bytes();
        let [.., c] = (process.wrapping_mul(64).wrapping_add(laboratory)).to_be_bytes();
        let bind = IpAddr::V4(Ipv4Addr::new(127, a.max(2), b, c & 0xF0 | 1));
        let device = iad_sim::device::Settings {
            timing: iad_sim::device::Timing {
                boot: Duration::ZERO,
                erase: Duration::ZERO,
                flash_bytes_per_second: 0,
                activate: Duration::ZERO,
                convert: Duration::ZERO,
                apply: Duration::ZERO,
                watchdog: Duration::from_millis(200),
                call: Duration::from_millis(100),
            },
            ..iad_sim::device::Settings::numbered(0)
        };
        let simulator = SimulatorSettings { bind, device, image_size: 65_536, ..SimulatorSettings::default() };
        Self { simulator, profile: String::new(), notify: true }
    }
}

impl Laboratory {
    /// One device of the usual kind.
    pub(crate) async fn new() -> Self {
        Self::with(Setup::default()).await
    }

    pub(crate) async fn with(setup: Setup) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let profiles = folder.path().join("profiles");
        std::fs::create_dir(&profiles).expect("a folder of profiles");
        std::fs::write(profiles.join("quick.toml"), format!("{QUICK}{}", setup.profile)).expect("a profile");
        let anywhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        let anywhere = if setup.simulator.bind.is_ipv4() { anywhere } else { "[::]:0".parse().expect("an address") };
        let options = ServeOptions {
            data: folder.path().join("data"),
            socket: None,
            notifications: anywhere,
            tftp: anywhere,
            ftp: FtpListen::At(anywhere),
            server_address: Vec::new(),
            snmp_address: None,
            profiles: vec![profiles],
            ready: false,
        };
        let manager = start(&options).await.expect("a manager");
        let here = if setup.simulator.bind.is_ipv4() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { setup.simulator.bind };
        let notify = manager.ports.notifications.map(|at| NotifySettings::traps_to(SocketAddr::new(here, at.port())));
        let simulator = SimulatorSettings { notify: notify.filter(|_| setup.notify), ..setup.simulator };
        let simulator = Simulator::start(simulator).await.expect("a simulator");
        simulator.all_started().await.expect("started devices");
        let laboratory = Self { folder, simulator, manager: Some(manager), options, watched: BTreeMap::new() };
        laboratory.add_devices().await;
        laboratory
    }

    async fn add_devices(&self) {
        let entry = |name: &str| {
            let address = self.simulator.address(name).expect("a device");
            DeviceEntry {
                name: name.to_owned(),
                access: Access {
                    address: address.ip(),
                    port: address.port(),
                    version: SnmpVersion::V2c,
                    read_community: Community("public".into()),
                    write_community: Community("private".into()),
                },
                profile: "quick".into(),
                protocol: None,
                labels: BTreeMap::new(),
            }
        };
        let entries: Vec<_> = self.simulator.devices().map(entry).collect();
        self.manager().store.add_devices(&entries).await.expect("an inventory");
        self.manager().handle.inventory_changed().await;
    }

    pub(crate) fn manager(&self) -> &Running {
        self.manager.as_ref().expect("a running manager")
    }

    /// The name of the first device.
    pub(crate) fn device(&self) -> String {
        self.simulator.devices().next().expect("a device").to_owned()
    }

    pub(crate) async fn id(&self, device: &str) -> DeviceId {
        self.manager().store.device(device).await.expect("a device in the inventory").id
    }

    pub(crate) async fn look(&self) -> DeviceView {
        self.simulator.show(&self.device()).await.expect("a device")
    }

    pub(crate) async fn fault(&self, fault: Fault) {
        self.simulator.add_fault(fault).await.expect("a fault");
    }

    /// Makes an image and adds it to the manager.
    pub(crate) async fn image(&self, plan: Plan) -> Image {
        let mut files = Vec::new();
        let mut whole = Vec::new();
        for (number, bytes) in make(&plan).into_iter().enumerate() {
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

    pub(crate) async fn begin(&self, device: &str, goal: Goal, choices: Choices, protocol: Protocol) -> RunId {
        let id = self.id(device).await;
        self.manager().handle.start(id, goal, choices, Some(protocol)).await.expect("a run")
    }

    /// Upgrades the first device by TFTP, under the policy `ask`.
    pub(crate) async fn upgrade(&self, image: &Image) -> RunId {
        let goal = Goal::Upgrade { image: image.clone() };
        self.begin(&self.device(), goal, choices(Policy::Ask), Protocol::Tftp).await
    }

    pub(crate) async fn run(&self, run: RunId) -> Run {
        self.manager().store.run(run).await.expect("a run").run
    }

    /// Waits until the run is as wanted, and gives it.
    pub(crate) async fn until(&self, run: RunId, wanted: impl Fn(&Run) -> bool) -> Run {
        let mut told = self.manager().handle.watch();
        let waited = tokio::time::timeout(BOUND, async {
            loop {
                let now = self.run(run).await;
                if wanted(&now) {
                    return now;
                }
                // Whatever was told, even if some of it was missed: the store knows.
                let _ = told.recv().await;
            }
        });
        match waited.await {
            Ok(run) => run,
            Err(_) => panic!("the run never got there:\n{}\n{:#?}", self.stories(run).await, self.run(run).await.state),
        }
    }

    /// Waits for the end of a run.
    pub(crate) async fn end(&self, run: RunId) -> Ending {
        match self.until(run, Run::is_over).await.state {
            State::Ended(ending) => ending,
            state => panic!("not over: {state:?}"),
        }
    }

    /// Waits for a question of a run.
    pub(crate) async fn question(&self, run: RunId) -> Question {
        let asks = |run: &Run| matches!(run.state, State::Asking(_) | State::Ended(_));
        match self.until(run, asks).await.state {
            State::Asking(question) => question,
            state => panic!("it asks nothing: {state:?}\n{}", self.stories(run).await),
        }
    }

    pub(crate) async fn answer(&self, run: RunId, answer: Answer) {
        self.manager().handle.answer(run, answer).await.expect("an answer that is taken");
    }

    /// What was told of a run, a line each.
    pub(crate) async fn stories(&self, run: RunId) -> String {
        let told = self.manager().store.stories(run, 0).await.expect("stories");
        told.iter().map(|told| format!("{:?}\n", told.story)).collect()
    }
}

/// All kinds, this policy, nothing else.
pub(crate) fn choices(policy: Policy) -> Choices {
    Choices {
        kinds: Vec::new(),
        policy,
        question_limit_ms: None,
        activate_at: None,
        single_storage: false,
    }
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

/// The digests of the running configuration, by kind.
pub(crate) fn configuration(view: &DeviceView) -> Vec<(String, Digest)> {
    let _ = view;
    Vec::new()
}
