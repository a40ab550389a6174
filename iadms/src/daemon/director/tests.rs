//! What goes into one batch.

use upgrade::run::{Goal, Policy};
use upgrade::{Protocol, Time};

use super::super::handle::{self, Command};
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
async fn idle(folder: &std::path::Path) -> Loop {
    let (_, receiving) = handle::channel();
    let clock = Clock::after(Time::from_millis(0));
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

/// Shown by a reviewer: the run went on with what the inventory had said before.
#[tokio::test]
async fn a_correction_that_comes_with_the_beginning_of_a_run_reaches_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut this = idle(folder.path()).await;
    let store = this.connections.store.clone();
    let device = store.add_devices(&[entry("127.0.7.1")]).await.unwrap()[0];
    let mut batch = Batch::default();
    let choices = upgrade::run::Choices {
        kinds: Vec::new(),
        policy: Policy::Ask,
        question_limit_ms: None,
        activate_at: None,
        overwrite: false,
    };
    let (reply, started) = tokio::sync::oneshot::channel();
    this.command(Command::Start { device, goal: Goal::Backup, choices, protocol: None, reply }, &mut batch)
        .await;
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
