//! Simulated devices over real sockets, all on loopback: asked by SNMP, moving files by TFTP and FTP, stored on disk.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod command_line;
mod devices;
mod disk;
mod ftp_server;
mod manager;
mod notifications;
mod tftp_server;
mod transfers;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use iad_sim::device::image::{BootBehaviour, Plan, make};
use iad_sim::device::{Digest, OperationState, Settings};
use iad_sim::net::{DeviceView, Simulator, SimulatorSettings};
use snmp::{ObjectIdentifier, Value, VarBind};

/// Nothing in these tests takes so long, however busy the machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The files of a server, and from where they were asked for.
#[derive(Debug, Clone, Default)]
struct Shelf(Arc<Mutex<Content>>);

#[derive(Debug, Default)]
struct Content {
    files: BTreeMap<String, Vec<u8>>,
    clients: Vec<IpAddr>,
}

impl Shelf {
    fn put(&self, name: &str, content: Vec<u8>) {
        self.0.lock().unwrap().files.insert(name.to_owned(), content);
    }

    fn get(&self, name: &str) -> Option<Vec<u8>> {
        self.0.lock().unwrap().files.get(name).cloned()
    }

    fn saw(&self, client: IpAddr) {
        self.0.lock().unwrap().clients.push(client);
    }

    fn clients(&self) -> Vec<IpAddr> {
        self.0.lock().unwrap().clients.clone()
    }

    /// Puts an image on the shelf, and gives what a SET says of it.
    fn publish(&self, version: &str, payload_size: usize, files: usize) -> Vec<VarBind> {
        let image = make(&Plan {
            version: version.to_owned(),
            hardware: vec!["iad-8".to_owned()],
            format: 2,
            converts_from: vec![1],
            boot: BootBehaviour::Ok,
            payload_size,
            seed: 5,
            files,
        });
        let names: Vec<String> = (0..image.len()).map(|part| format!("{version}.{part}")).collect();
        names.iter().zip(&image).for_each(|(name, content)| self.put(name, content.clone()));
        let list = |items: Vec<String>| items.join(" ");
        vec![
            text(FILE_NAMES, &list(names)),
            text(SIZES, &list(image.iter().map(|file| file.len().to_string()).collect())),
            text(DIGESTS, &list(image.iter().map(|file| Digest::of(file).to_string()).collect())),
            text(VERSION, version),
        ]
    }
}

const PROTOCOL: [u32; 2] = [4, 1];
const ADDRESS: [u32; 2] = [4, 2];
const PORT: [u32; 2] = [4, 3];
const USER: [u32; 2] = [4, 4];
const PASSWORD: [u32; 2] = [4, 5];
const ID: [u32; 2] = [5, 1];
const COMMAND: [u32; 2] = [5, 2];
const FILE_NAMES: [u32; 2] = [5, 3];
const KINDS: [u32; 2] = [5, 4];
const SIZES: [u32; 2] = [5, 5];
const DIGESTS: [u32; 2] = [5, 6];
const VERSION: [u32; 2] = [5, 8];
const STATE: [u32; 2] = [5, 14];

const BACKUP: i32 = 1;
const DOWNLOAD: i32 = 2;
const RESET: i32 = 4;
const RESTORE: i32 = 7;

/// The instance of a scalar of the IAD-MIB.
fn name(object: [u32; 2]) -> ObjectIdentifier {
    ObjectIdentifier::new([1, 3, 6, 1, 4, 1, 32473, 1, 1]).join(&object).child(0)
}

fn text(object: [u32; 2], text: &str) -> VarBind {
    VarBind { name: name(object), value: Value::OctetString(text.as_bytes().to_vec()) }
}

fn integer(object: [u32; 2], number: i32) -> VarBind {
    VarBind { name: name(object), value: Value::Integer(number) }
}

fn unsigned(object: [u32; 2], number: u32) -> VarBind {
    VarBind { name: name(object), value: Value::Gauge32(number) }
}

/// What a SET says of the server and the operation.
fn operation(id: &str, command: i32, server: SocketAddr, mut rest: Vec<VarBind>) -> Vec<VarBind> {
    rest.extend([
        integer(PROTOCOL, 1),
        text(ADDRESS, &server.ip().to_string()),
        unsigned(PORT, server.port().into()),
        text(ID, id),
        integer(COMMAND, command),
    ]);
    rest
}

/// What a SET says of a backup or restore of all kinds, under names that begin with `prefix`.
fn all_kinds(prefix: &str) -> Vec<VarBind> {
    let names: Vec<String> = (1..=4).map(|kind| format!("{prefix}-{kind}")).collect();
    vec![text(FILE_NAMES, &names.join(" ")), text(KINDS, "1 2 3 4")]
}

/// So many devices that start quickly, of which nothing is stored.
fn settings(count: u32) -> SimulatorSettings {
    let mut device = Settings::numbered(0);
    device.timing.boot = Duration::from_millis(50);
    device.timing.erase = Duration::ZERO;
    SimulatorSettings { count, device, image_size: 10_000, ..SimulatorSettings::default() }
}

async fn start(settings: SimulatorSettings) -> Simulator {
    let simulator = Simulator::start(settings).await.unwrap();
    soon(simulator.all_started()).await.unwrap();
    simulator
}

/// Waits until the operation of a device with this id has ended.
async fn ended(simulator: &Simulator, device: &str, id: &str) -> DeviceView {
    let id = id.to_owned();
    let has_ended = move |device: &iad_sim::device::Device| {
        let operation = &device.durable().operation;
        operation.id == id && !operation.is_busy() && device.answers()
    };
    soon(simulator.wait(device, has_ended)).await.unwrap()
}

async fn done(simulator: &Simulator, device: &str, id: &str) -> DeviceView {
    let view = ended(simulator, device, id).await;
    assert_eq!(view.operation.state, OperationState::Done, "{:?}", view.operation);
    view
}

async fn soon<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work).await.expect("this takes far too long")
}
