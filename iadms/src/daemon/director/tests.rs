//! What goes into one batch.

use core::time::Duration;

use tokio::sync::oneshot;
use upgrade::run::{Choices, Goal, Policy};
use upgrade::{DeviceId, Protocol, RunId, Time};

use super::super::handle::{self, Command, Refusal};
use super::*;
use crate::inventory::{Access, Community, DeviceEntry, SnmpVersion};

fn entry(address: &str) -> DeviceEntry {
    let community = Community("lab".into());
    DeviceEntry {
        name: "lab-1".into(),
        access: Access {
            address: address.parse().unwrap(),
            port: 161,
            version: SnmpVersion::V2c,
            read_community: community.clone(),
            write_community: community,
            credential: None,
        },
        profile: "iad".into(),
        protocol: Some(Protocol::Tftp),
        labels: BTreeMap::new(),
    }
}

/// A loop with a store of its own, to whose other parts nobody listens.
async fn idle(folder: &std::path::Path, clock: Clock) -> Loop {
    let (_, receiving) = handle::channel();
    let tftp = Some("127.0.0.1:69".parse().unwrap());
    let connections = Connections {
        store: Store::open(folder).await.unwrap(),
        files: Files::open(folder).unwrap(),
        folder: folder.to_owned(),
        catalogue: Arc::new(Catalogue::open(&[]).unwrap()),
        addresses: Addresses { told: Vec::new(), ports: Ports { notifications: None, tftp, ftp: None } },
        asks: mpsc::unbounded_channel().0,
        answers: mpsc::unbounded_channel().1,
        news: mpsc::channel(1).1,
        committed: mpsc::unbounded_channel().0,
        known: mpsc::unbounded_channel().0,
        credentials: watch::Sender::new(Credentials::new()),
        key: None,
        orders: mpsc::unbounded_channel().0,
        reports: mpsc::unbounded_channel().1,
        northbound: mpsc::unbounded_channel().0,
        receiving,
        figures: Arc::default(),
        transfers: Arc::default(),
    };
    Loop::new(connections, clock, mpsc::unbounded_channel().0).await.unwrap()
}

/// A backup of a device is asked for.
async fn asked_for(
    this: &mut Loop,
    device: DeviceId,
    activate_at: Option<Time>,
    batch: &mut Batch,
) -> oneshot::Receiver<Result<RunId, Refusal>> {
    let choices = Choices {
        kinds: Vec::new(),
        policy: Policy::Ask,
        question_limit_ms: None,
        activate_at,
        overwrite: false,
    };
    let (reply, started) = oneshot::channel();
    this.command(Command::Start { device, goal: Goal::Backup, choices, protocol: None, reply }, batch).await;
    started
}

/// Shown by examiners: once the system's clock was ahead, the daemon's stays ahead, and a night to come was taken for passed; and where
/// the system's was set forward since, the daemon's is after its next start, and the night would come too soon.
#[tokio::test]
async fn a_moment_is_meant_by_the_clock_of_those_who_say_it() {
    let system = || Duration::from(Clock::after(Time::from_millis(0)).now());
    let (year, hour) = (Duration::from_secs(365 * 86_400), Duration::from_secs(3_600));
    for ahead in [Duration::ZERO, year] {
        let folder = tempfile::tempdir().unwrap();
        let mut this = idle(folder.path(), Clock::after(Time::from(system() + ahead))).await;
        let device = this.connections.store.add_devices(&[entry("127.0.7.3")]).await.unwrap()[0];
        let mut batch = Batch::default();
        let before = system();
        let _started = asked_for(&mut this, device, Some(Time::from(before + hour)), &mut batch).await;
        let begun = batch.inputs.as_slice().iter().find_map(|input| match input {
            Input::Start(entry) => Some(&entry.run),
            _ => None,
        });
        let at = Duration::from(begun.unwrap().choices.activate_at.unwrap());
        let most = system() - before + Duration::from_secs(1);
        assert!(at.abs_diff(before + ahead + hour) <= most, "{at:?}, {ahead:?} ahead of {before:?}");
    }
    let behind = Clock::behind(year);
    let night = Time::from(system() + hour);
    assert_eq!(behind.of_system(night), night);
}

/// Shown by a reviewer: the run went on with what the inventory had said before.
#[tokio::test]
async fn a_correction_that_comes_with_the_beginning_of_a_run_reaches_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut this = idle(folder.path(), Clock::after(Time::from_millis(0))).await;
    let store = this.connections.store.clone();
    let device = store.add_devices(&[entry("127.0.7.1")]).await.unwrap()[0];
    let mut batch = Batch::default();
    let started = asked_for(&mut this, device, None, &mut batch).await;
    store.change_device(&entry("127.0.7.2"), false).await.unwrap();
    this.command(Command::InventoryChanged, &mut batch).await;
    let mut pending = Some(batch);
    while let Some(batch) = pending.take() {
        pending = this.settle(batch).await.unwrap();
    }
    let run = started.await.unwrap().unwrap();
    let entry = this.director.entry(run).unwrap();
    assert_eq!(entry.access.address, "127.0.7.2:161".parse().unwrap());
    assert_eq!(entry.run.device.address, entry.access.address.ip());
}
