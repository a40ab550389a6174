//! A world with one device in which nothing goes wrong by itself: whoever stands on the stage says what happens, and
//! time passes only until something is told.

use core::time::Duration;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use engine::director::{Entry, Input};
use iad_sim::device::image::{Plan as ImagePlan, make};
use iad_sim::device::{ConfigurationKind, Device, Power, Settings};
use iad_sim::fault::Fault;
use iad_sim::net::DeviceView;
use upgrade::image::{Converter, ImageFile, Manifest};
use upgrade::profile::Server;
use upgrade::run::{Answer, Beginning, Choices, Goal, State, Story, Subject};
use upgrade::{ConfigurationSet, Image, Kind, Profile, Protocol, Run, RunId, StoredFile, Time};

use crate::images::digest_of;
use crate::invariants::Fate;
use crate::invariants::Violation;
use crate::manager::Channel;
use crate::plan::{DevicePlan, Plan};
use crate::unit::{SNMP_PORT, address};
use crate::world::{FTP_PORT, MANAGER, TFTP_PORT, World, device_id};

/// Where the one device is.
const PLACE: usize = 0;

/// What is waited for comes within this, or never.
const PATIENCE: Duration = Duration::from_secs(8 * 3600);

/// The moment at which a world makes peace by itself: never, on a stage.
const NEVER: Duration = Duration::from_secs(1 << 40);

/// One manager and one device.
pub struct Stage {
    world: World,
    /// How many stories of each run were told.
    told: BTreeMap<RunId, usize>,
    faults: u32,
}

/// Nothing comes of it, however long it is waited for; or something was broken that must never be.
#[derive(Debug)]
pub struct Nothing {
    /// What was broken, if anything.
    pub violation: Option<Violation>,
}

impl Stage {
    /// A manager that knows one device, by this profile. The same seed gives the same delays.
    pub fn new(settings: Settings, profile: Profile, seed: u64) -> Self {
        let device = DevicePlan {
            settings,
            informs: false,
            errands: Vec::new(),
            protocol: Protocol::Tftp,
            answers: Vec::new(),
        };
        let plan = Plan { seed, devices: vec![device], troubles: Vec::new(), quiet: NEVER };
        let mut world = World::new(plan, false);
        world.checks.know(&profile);
        // What befalls it here is told by the scenario, and is in no plan.
        world.checks.safe.clear();
        world.profile = Arc::new(profile);
        world.quiet_since = Some(world.now);
        let mut stage = Self { world, told: BTreeMap::new(), faults: 0 };
        // A device that never starts is told by whatever is asked of it.
        let _ = stage.pass_until(|world| world.manager.as_ref().map(|_| ()));
        let _ = stage.device_becomes(|device| device.power == Power::Running);
        stage
    }

    // The operator

    /// Makes an image and stores it.
    pub fn image(&mut self, name: &str, plan: &ImagePlan, has_converter: bool) -> Image {
        let contents = make(plan);
        let digest = digest_of(&contents.concat());
        let store = |content: Vec<u8>| self.keep(content);
        let stored: Vec<StoredFile> = contents.into_iter().map(store).collect();
        let file = |(place, file): (usize, &StoredFile)| ImageFile {
            name: format!("part-{place}"),
            size: file.size,
            sha256: file.digest,
        };
        let manifest = Manifest {
            version: plan.version.clone(),
            hardware: plan.hardware.clone(),
            format: Some(plan.format),
            from: Vec::new(),
            converter: has_converter
                .then(|| Converter { name: "convert".into(), sha256: digest_of(b"convert") }),
            files: stored.iter().enumerate().map(file).collect(),
        };
        Image { name: name.to_owned(), manifest, digest }
    }

    /// Begins a run of the device.
    pub fn begin(&mut self, goal: Goal, choices: Choices, protocol: Protocol) -> Option<RunId> {
        let world = &mut self.world;
        let (now, access, profile) = (world.now, world.access(PLACE), Arc::clone(&world.profile));
        let expected = world.store.expected(device_id(PLACE));
        let unique_id = world.store.unique_ids.get(&device_id(PLACE)).cloned();
        let name = world.units.get(PLACE)?.plan.settings.unique_id.clone();
        let secret = format!("{:016x}", world.random.number());
        let manager = world.manager.as_mut()?;
        let id = RunId(manager.next_run);
        manager.next_run += 1;
        let (user, password, port) = match protocol {
            Protocol::Ftp => (id.to_string(), Run::password(&secret), FTP_PORT),
            Protocol::Tftp | Protocol::Push => (String::new(), String::new(), TFTP_PORT),
        };
        let run = Run::new(Beginning {
            id,
            device: Subject { id: device_id(PLACE), name, address: address(PLACE), unique_id },
            goal,
            choices,
            profile: profile.name.clone(),
            server: Server { protocol, address: MANAGER, port, user, password },
            secret,
            begun: Time::from(now),
            expected,
        });
        world.checks.begun(PLACE, &run);
        let entry = Entry::stored(run, 0, 0, profile, access);
        world.send_input(Channel::Operator, Input::Start(Box::new(entry)));
        Some(id)
    }

    /// Answers the question that a run asks now, if it does.
    pub fn answer(&mut self, run: RunId, answer: Answer) {
        if let Some(State::Asking(question)) = self.world.store.runs.get(&run).map(|stored| &stored.run.state)
        {
            let asked_at = question.asked_at;
            self.world.send_input(Channel::Operator, Input::Operator { run, asked_at, answer });
        }
    }

    /// Cancels a run.
    pub fn cancel(&mut self, run: RunId) {
        self.world.send_input(Channel::Operator, Input::Cancel(run));
    }

    /// The next story of a run that is kept, once it is told.
    ///
    /// # Errors
    ///
    /// There is none.
    pub fn next_story(&mut self, run: RunId) -> Result<Story, Nothing> {
        let told = self.told.get(&run).copied().unwrap_or(0);
        let story = self.pass_until(|world| {
            world.store.runs.get(&run)?.stories.get(told).map(|told| told.story.clone())
        })?;
        self.told.insert(run, told + 1);
        Ok(story)
    }

    /// What a run has backed up, as files.
    pub fn backed_up(&self, run: RunId) -> BTreeMap<Kind, Vec<u8>> {
        let stored = self.world.store.runs.get(&run);
        let files = stored.map(|stored| stored.run.backed_up()).unwrap_or_default();
        let read = |(kind, file): (Kind, StoredFile)| {
            Some((kind, self.world.store.files.get(&file.digest)?.to_vec()))
        };
        files.into_iter().filter_map(read).collect()
    }

    /// A stored backup, by its number from 1.
    pub fn backup(&self, number: usize) -> Option<ConfigurationSet> {
        self.world.store.backups.get(number.checked_sub(1)?).map(|backup| backup.set.clone())
    }

    /// Stores a file at the manager.
    pub fn keep(&mut self, content: Vec<u8>) -> StoredFile {
        let size = u64::try_from(content.len()).unwrap_or(u64::MAX);
        let digest = digest_of(&content);
        self.world.store.files.insert(digest, content.into());
        StoredFile { digest, size }
    }

    /// The manager is killed.
    pub fn kill_manager(&mut self) {
        self.world.manager = None;
    }

    /// The manager is started on what it has stored.
    pub fn start_manager(&mut self) {
        self.world.start();
    }

    // The device

    /// The device as it is.
    pub fn device(&self) -> Option<DeviceView> {
        let agent = SocketAddr::new(address(PLACE), SNMP_PORT);
        let unit = self.world.units.get(PLACE)?;
        Some(DeviceView::of(&unit.device, agent, unit.clock(self.world.now)))
    }

    /// Lets time pass until the device is as wanted.
    ///
    /// # Errors
    ///
    /// It never is.
    pub fn device_becomes(&mut self, wanted: impl Fn(&DeviceView) -> bool) -> Result<(), Nothing> {
        let agent = SocketAddr::new(address(PLACE), SNMP_PORT);
        self.pass_until(|world| {
            let unit = world.units.get(PLACE)?;
            wanted(&DeviceView::of(&unit.device, agent, unit.clock(world.now))).then_some(())
        })
    }

    /// Lets something go wrong at the device.
    pub fn fault(&mut self, fault: Fault) {
        self.faults += 1;
        let number = self.faults;
        self.at_the_device(|device, _| device.faults_mut().add(number, fault));
    }

    /// Nothing goes wrong any more.
    pub fn clear_faults(&mut self) {
        self.at_the_device(|device, _| device.faults_mut().clear(None));
    }

    /// Cuts the power, or restores it.
    pub fn power(&mut self, on: bool) {
        if on { self.world.power_on(PLACE) } else { self.world.power_off(PLACE) }
    }

    /// Changes how many calls there are.
    pub fn set_calls(&mut self, calls: u32) {
        self.at_the_device(|device, now| device.set_calls(calls, now));
    }

    /// A subscriber changes settings at the device; false if it does not run.
    pub fn configure(&mut self, kind: ConfigurationKind, entries: &[(String, String)]) -> bool {
        let mut taken = false;
        self.at_the_device(|device, _| taken = device.configure(kind, entries));
        if taken {
            self.world.checks.edited(PLACE, &self.world.units, Fate::Owed);
            self.world.settle(PLACE);
        }
        taken
    }

    fn at_the_device(&mut self, act: impl FnOnce(&mut Device, Duration)) {
        let now = self.world.now;
        if let Some(unit) = self.world.units.get_mut(PLACE) {
            let clock = unit.clock(now);
            act(&mut unit.device, clock);
        }
    }

    fn pass_until<T>(&mut self, wanted: impl Fn(&World) -> Option<T>) -> Result<T, Nothing> {
        let limit = self.world.now + PATIENCE;
        loop {
            if let Some(violation) = self.world.violation.clone() {
                return Err(Nothing { violation: Some(violation) });
            }
            if let Some(found) = wanted(&self.world) {
                return Ok(found);
            }
            let next = self.world.queue.pop().filter(|(at, _)| *at <= limit);
            let Some((at, item)) = next else { return Err(Nothing { violation: None }) };
            self.world.now = at;
            self.world.happen(item);
        }
    }
}
