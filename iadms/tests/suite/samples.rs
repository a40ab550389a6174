//! Devices, runs and writes to try a store with.

use std::collections::BTreeMap;
use std::net::IpAddr;

use engine::director::{Told, Write};
use iadms::daemon::Trap;
use iadms::inventory::{Access, Community, DeviceEntry, SnmpVersion};
use iadms::profiles::Catalogue;
use iadms::store::Store;
use upgrade::profile::Server;
use upgrade::run::{
    BackedUp, Beginning, Choices, Ending, Event, Goal, LeftWith, Outcome, Policy, State, Story, Subject,
};
use upgrade::{ConfigurationSet, DeviceId, Digest, Kind, Oid, Protocol, Run, RunId, StoredFile, Time, Value};

pub(crate) const ADDRESS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));

pub(crate) fn now() -> Time {
    Time::from_millis(1_700_000_000_000)
}

/// The number at the end of its name tells it from others at the same address.
pub(crate) fn entry(name: &str) -> DeviceEntry {
    let number = name.rsplit('-').next().and_then(|number| number.parse::<u16>().ok());
    DeviceEntry {
        name: name.into(),
        access: Access {
            address: ADDRESS,
            port: 1000 + number.unwrap_or(0),
            version: SnmpVersion::V2c,
            read_community: Community("public".into()),
            write_community: Community("private".into()),
            credential: None,
        },
        profile: "iad".into(),
        protocol: Some(Protocol::Ftp),
        labels: BTreeMap::from([("site".into(), "north".into())]),
    }
}

pub(crate) async fn add_device(store: &Store, name: &str) -> DeviceId {
    store.add_devices(&[entry(name)]).await.expect("adding a device")[0]
}

pub(crate) fn run(id: u64, device: DeviceId, name: &str) -> Run {
    let subject = Subject { id: device, name: name.into(), address: ADDRESS, unique_id: None };
    let choices = Choices {
        kinds: Vec::new(),
        policy: Policy::Ask,
        question_limit_ms: None,
        activate_at: None,
        overwrite: false,
    };
    let server = Server {
        protocol: Protocol::Tftp,
        address: ADDRESS,
        port: 69,
        user: String::new(),
        password: String::new(),
    };
    Run::new(Beginning {
        id: RunId(id),
        device: subject,
        goal: Goal::Backup,
        choices,
        profile: "iad".into(),
        server,
        secret: "secret".into(),
        begun: now(),
        expected: None,
    })
}

pub(crate) fn ended(mut run: Run) -> Run {
    run.state = State::Ended(Ending {
        outcome: Outcome::Succeeded,
        reason: "backed up".into(),
        left_with: LeftWith::default(),
    });
    run
}

pub(crate) fn write(run: Run, seq: u64) -> Write {
    let told = Told { run: run.id, device: run.device.name.clone(), n: seq, at: now(), story: Story::Begun };
    Write {
        seq,
        events: vec![(now(), Event::Tick), (now(), Event::Resumed)],
        stories: vec![told],
        backups: Vec::new(),
        unique_id: None,
        engine: None,
        run: run.into(),
    }
}

pub(crate) async fn commit(store: &Store, writes: &[Write]) -> Result<(), iadms::store::StoreError> {
    store.commit(now(), writes, &[], &profiles()).await.map(drop)
}

pub(crate) fn profiles() -> Catalogue {
    Catalogue::open(&[]).expect("the profiles that come with the program")
}

pub(crate) fn configuration() -> ConfigurationSet {
    let file = |byte: u8| StoredFile { digest: Digest([byte; 32]), size: u64::from(byte) };
    ConfigurationSet {
        format: Some(2),
        revision: Some(17),
        files: BTreeMap::from([(Kind("user-data".into()), file(1)), (Kind("port-data".into()), file(2))]),
    }
}

/// A configuration as a backup of software 1.0.
pub(crate) fn backed_up(set: ConfigurationSet) -> BackedUp {
    BackedUp { version: Some("1.0".into()), set }
}

pub(crate) fn trap(uptime: u32) -> Trap {
    Trap {
        at: now(),
        from: "192.0.2.7:4161".parse().expect("an address"),
        device: Some("iad-1".into()),
        version: "v2c".into(),
        kind: "inform".into(),
        oid: "1.3.6.1.6.3.1.1.5.1".parse::<Oid>().expect("an identifier"),
        uptime: Some(uptime),
        varbinds: vec![(
            "1.3.6.1.2.1.1.5.0".parse().expect("an identifier"),
            Value::Octets(b"iad-1".to_vec()),
        )],
    }
}
