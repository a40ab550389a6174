//! A laboratory: a simulator and a manager in one process, which talk over loopback, each on its own folder.

use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use iad_sim::device::{Device, Durable};
use iad_sim::fault::Fault;
use iad_sim::net::{DeviceView, NotifySettings, Simulator, SimulatorSettings};
use iadms::config::{FtpListen, ServeOptions};
use iadms::credential::NewCredential;
use iadms::daemon::{Refusal, Running, start};
use iadms::inventory::{Access, Community, DeviceEntry, SnmpVersion};
use iadms::store::Backup;
use snmp::manager::Principal;
use tempfile::TempDir;
use upgrade::run::{Answer, Choices, Ending, Goal, Policy, Question, Run, State, Story};
use upgrade::{DeviceId, Image, Protocol, RunId};

use crate::setup::{Setup, choices, credential, user};

/// No wait of a test is longer: this bounds only what has gone wrong already.
pub(crate) const BOUND: Duration = Duration::from_secs(100);

/// A simulator and a manager.
pub(crate) struct Laboratory {
    pub(crate) folder: TempDir,
    pub(crate) simulator: Simulator,
    manager: Option<Running>,
    pub(crate) options: ServeOptions,
    settings: SimulatorSettings,
}

impl Laboratory {
    /// One device of the usual kind.
    pub(crate) async fn new() -> Self {
        Self::with(Setup::default()).await
    }

    pub(crate) async fn with(setup: Setup) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let options = setup.options(folder.path());
        let manager = start(&options).await.expect("a manager");
        // Where the system chose ports, they stay: a manager that starts again is found where it was.
        let ports = manager.ports;
        let options = ServeOptions {
            notifications: ports.notifications.expect("notifications"),
            tftp: ports.tftp.expect("TFTP"),
            ftp: ports.ftp.map_or(FtpListen::Off, FtpListen::At),
            ..options
        };
        let notify = setup.notify.then(|| NotifySettings {
            principal: Principal::User(Arc::new(user())),
            ..NotifySettings::traps_to(options.notifications)
        });
        let settings = SimulatorSettings { notify, ..setup.simulator };
        let simulator = switched_on(&settings).await;
        let laboratory = Self { folder, simulator, manager: Some(manager), options, settings };
        laboratory.add_devices().await;
        laboratory
    }

    async fn add_devices(&self) {
        let NewCredential { name, secrets, .. } = credential();
        self.add_credential(&name, &secrets.authentication).await;
        let entries: Vec<_> = self.simulator.devices().map(|name| self.entry(name)).collect();
        self.manager().store.add_devices(&entries).await.expect("an inventory");
        self.manager().handle.inventory_changed().await;
    }

    /// Another credential, with another pass-phrase for authentication.
    pub(crate) async fn add_credential(&self, name: &str, passphrase: &str) {
        let mut new = NewCredential { name: name.to_owned(), ..credential() };
        new.secrets.authentication = passphrase.to_owned();
        let manager = self.manager();
        let key = manager.key.as_ref().expect("a key");
        let sealed = new.sealed(key, manager.clock.now()).expect("random numbers");
        manager.store.add_credential(name, &sealed).await.expect("a credential");
    }

    // The manager

    pub(crate) fn manager(&self) -> &Running {
        self.manager.as_ref().expect("a running manager")
    }

    /// Ends the manager wherever it stands, as a loss of power would.
    pub(crate) async fn kill(&mut self) {
        if let Some(manager) = self.manager.take() {
            manager.stop().await;
        }
    }

    /// Starts it again on the same data and ports.
    pub(crate) async fn start_again(&mut self) {
        self.manager = Some(start(&self.options).await.expect("a manager that starts again"));
    }

    /// Starts another manager in its place, which knows the devices and nothing that ever happened.
    pub(crate) async fn start_afresh(&mut self) {
        self.kill().await;
        std::fs::remove_dir_all(&self.options.data).expect("a folder");
        self.start_again().await;
        self.add_devices().await;
    }

    /// What an operator says of a device of the simulator.
    pub(crate) fn entry(&self, name: &str) -> DeviceEntry {
        let address = self.simulator.address(name).expect("a device");
        DeviceEntry {
            name: name.to_owned(),
            access: Access {
                address: address.ip(),
                port: address.port(),
                version: SnmpVersion::V3,
                read_community: Community::default(),
                write_community: Community::default(),
                credential: Some(credential().name),
            },
            profile: "quick".into(),
            protocol: None,
            labels: BTreeMap::new(),
        }
    }

    /// The same for one that is spoken to by communities.
    pub(crate) fn open_entry(&self, name: &str) -> DeviceEntry {
        let entry = self.entry(name);
        let access = Access {
            version: SnmpVersion::V2c,
            read_community: Community("public".into()),
            write_community: Community("private".into()),
            credential: None,
            ..entry.access
        };
        DeviceEntry { access, ..entry }
    }

    pub(crate) async fn change_entry(&self, entry: &DeviceEntry) {
        self.manager().store.change_device(entry, false).await.expect("a device in the inventory");
        self.manager().handle.inventory_changed().await;
    }

    // Devices

    /// The name of the first device.
    pub(crate) fn device(&self) -> String {
        self.simulator.devices().next().expect("a device").to_owned()
    }

    pub(crate) async fn id(&self, device: &str) -> DeviceId {
        self.manager().store.device(device).await.expect("a device in the inventory").id
    }

    /// What is shown of the first device.
    pub(crate) async fn look(&self) -> DeviceView {
        self.simulator.show(&self.device()).await.expect("a device")
    }

    /// What the first device would keep if power were lost now.
    pub(crate) async fn durable(&self) -> Durable {
        self.once(|_| true).await
    }

    /// What the first device keeps, at the first moment that it is as wanted.
    pub(crate) async fn once(&self, wanted: impl Fn(&Device) -> bool + Send + 'static) -> Durable {
        let seen = Arc::new(Mutex::new(None));
        let shown = Arc::clone(&seen);
        let look = move |device: &Device| {
            let found = wanted(device);
            if found {
                *shown.lock().expect("no panic") = Some(device.durable().clone());
            }
            found
        };
        bounded("the device to be as wanted", self.simulator.wait(&self.device(), look))
            .await
            .expect("a device");
        let seen = seen.lock().expect("no panic").take();
        seen.expect("what was seen")
    }

    /// Puts another unit, as it is delivered, in place of the first device: the same address, another unique id.
    pub(crate) async fn replace_unit(&mut self, number: u32) {
        let entry = self.entry(&self.device());
        let settings = SimulatorSettings { first_number: number, ..self.settings.clone() };
        self.simulator = switched_on(&settings).await;
        let port = self.simulator.port();
        let access = Access { port, ..entry.access.clone() };
        self.change_entry(&DeviceEntry { access, ..entry }).await;
    }

    /// Lets something go wrong, from now on.
    pub(crate) async fn fault(&self, fault: Fault) {
        self.simulator.add_fault(fault).await.expect("a fault");
    }

    // Runs

    /// Begins a run for a device.
    pub(crate) async fn start(
        &self,
        device: DeviceId,
        goal: &Goal,
        choices: &Choices,
        protocol: Option<Protocol>,
    ) -> Result<RunId, Refusal> {
        let mut begun = self.manager().handle.start_all(&[device], goal, choices, protocol).await;
        begun.pop().expect("an answer for each device")
    }

    pub(crate) async fn try_begin(
        &self,
        device: &str,
        goal: Goal,
        choices: Choices,
        protocol: Protocol,
    ) -> Result<RunId, Refusal> {
        self.start(self.id(device).await, &goal, &choices, Some(protocol)).await
    }

    pub(crate) async fn begin(&self, goal: Goal, choices: Choices, protocol: Protocol) -> RunId {
        self.try_begin(&self.device(), goal, choices, protocol).await.expect("a run")
    }

    /// Upgrades the first device by TFTP, under the policy `ask`.
    pub(crate) async fn upgrade(&self, image: &Image) -> RunId {
        self.upgrade_by(image, Policy::Ask).await
    }

    /// Upgrades the first device by TFTP.
    pub(crate) async fn upgrade_by(&self, image: &Image, policy: Policy) -> RunId {
        self.begin(Goal::Upgrade { image: image.clone().into() }, choices(policy), Protocol::Tftp).await
    }

    /// Backs the first device up by TFTP, under the policy `ask`.
    pub(crate) async fn back_up(&self) -> RunId {
        self.begin(Goal::Backup, choices(Policy::Ask), Protocol::Tftp).await
    }

    pub(crate) async fn run(&self, run: RunId) -> Run {
        self.manager().store.run(run).await.expect("a run").run
    }

    /// Waits until the run is as wanted, and gives it. It is looked at whenever something is told of any run.
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
            Err(_) => {
                panic!("the run never got there:\n{}\n{:#?}", self.told(run).await, self.run(run).await.state)
            }
        }
    }

    /// Waits for the end of a run.
    pub(crate) async fn end(&self, run: RunId) -> Ending {
        // Nobody answers here, so a question would be the end of it too.
        let over = |run: &Run| matches!(run.state, State::Ended(_) | State::Asking(_));
        match self.until(run, over).await.state {
            State::Ended(ending) => ending,
            state => panic!("it is not over: {state:?}\n{}", self.told(run).await),
        }
    }

    /// Waits for a question of a run.
    pub(crate) async fn question(&self, run: RunId) -> Question {
        let asks = |run: &Run| matches!(run.state, State::Asking(_) | State::Ended(_));
        match self.until(run, asks).await.state {
            State::Asking(question) => question,
            state => panic!("it asks nothing: {state:?}\n{}", self.told(run).await),
        }
    }

    pub(crate) async fn answer(&self, run: RunId, answer: Answer) {
        self.try_answer(run, answer).await.expect("an answer that is taken");
    }

    /// Answers what it asks now.
    pub(crate) async fn try_answer(&self, run: RunId, answer: Answer) -> Result<(), Refusal> {
        let asked_at = match self.run(run).await.state {
            State::Asking(question) => question.asked_at,
            state => panic!("it asks nothing: {state:?}"),
        };
        self.manager().handle.answer(run, asked_at, answer).await
    }

    /// What was told of a run and is kept, in order.
    pub(crate) async fn stories(&self, run: RunId) -> Vec<Story> {
        let told = self.manager().store.stories(run, 0).await.expect("stories");
        told.into_iter().map(|told| told.story).collect()
    }

    /// The same for people, a line each.
    pub(crate) async fn told(&self, run: RunId) -> String {
        self.stories(run).await.iter().map(|story| format!("{story:?}\n")).collect()
    }

    /// All backups that are kept, latest first.
    pub(crate) async fn backups(&self) -> Vec<Backup> {
        self.manager().store.backups(None, 100).await.expect("backups")
    }

    /// The backup that a run took.
    pub(crate) async fn backup_of(&self, run: RunId) -> Backup {
        self.backups().await.into_iter().find(|backup| backup.run == run).expect("a backup of the run")
    }
}

async fn switched_on(settings: &SimulatorSettings) -> Simulator {
    let simulator = Simulator::start(settings.clone()).await.expect("a simulator");
    simulator.all_started().await.expect("started devices");
    simulator
}

/// Waits, but not for ever.
pub(crate) async fn bounded<T>(what: &str, waited: impl Future<Output = T>) -> T {
    tokio::time::timeout(BOUND, waited).await.unwrap_or_else(|_| panic!("waited in vain for {what}"))
}
