//! Notifications at rising rates, until the receiver loses the first: ours, which decodes each and finds the device that it is
//! of, and snmptrapd.

use core::time::Duration;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use datagram::{Socket, SocketOptions, Transmit};
use engine::Listener;
use engine::listener::DeviceIndex;
use iadms::daemon::clock::Clock;
use iadms::net::listener::{Figures, Inlets, Known, News, run};
use iadms::net::sockets::Sockets;
use snmp::notification::Event;
use snmp::usm::{Authentication, EngineId, EngineTime, InvalidUser, Privacy, User};
use snmp::{ObjectIdentifier, Security, Value, VarBind};
use tokio::sync::mpsc;
use upgrade::{DeviceId, Profile, Time};

use crate::Error;
use crate::process::{NotStarted, Running, free_address, of_debian, queue, serving};
use crate::report::{Entry, Measured, Round};
use crate::usage::Watch;

/// What is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    sources: u32,
    v3: bool,
}

pub(crate) const CASES: [Case; 3] = [
    Case { name: "notifications v2c from one source, without loss", sources: 1, v3: false },
    Case { name: "notifications v2c from 100,000 sources, without loss", sources: 100_000, v3: false },
    Case { name: "notifications v3 authPriv from one source, without loss", sources: 1, v3: true },
];

/// The first rate, and by how much each is more than the one before.
const FIRST_RATE: f64 = 1000.0;
const STEP: f64 = 1.25;
const HIGHEST_RATE: f64 = 2e6;
/// Each rate lasts so long.
const LASTS: Duration = Duration::from_secs(1);
/// What has come is read within this.
const DRAINED: Duration = Duration::from_secs(20);
/// So many are sent at once, at most.
const BURST: u64 = 32;

const FIRST_SOURCE: u32 = 0x7f64_0001;
const IAD_MIB: ObjectIdentifier = ObjectIdentifier::new([1, 3, 6, 1, 4, 1, 32473, 1]);
const ENGINE: u32 = 32473;
const USER: &str = "bench";
const PASSPHRASE: &str = "maplesyrup";

/// The manager's receiver, until the process is killed.
pub(crate) async fn serve(address: SocketAddr, devices: u32) -> Result<(), Error> {
    let iad = include_str!("../../../crates/upgrade/profiles/iad.toml");
    let profile: Arc<Profile> = Arc::new(upgrade::profile::load("iad.toml", iad, |_| None)?);
    let user = Arc::new(user()?);
    let mut index = DeviceIndex { believed: vec![Arc::clone(&user)], ..DeviceIndex::default() };
    for number in 0..devices {
        let device = DeviceId(number.into());
        index.by_unique_id.insert(unique_id(number), device);
        index.by_address.insert(IpAddr::V4(source(number)), device);
        index.by_engine.insert(engine(number), device);
        index.users.insert(device, [Arc::clone(&user)].into());
        index.profiles.insert(device, Arc::clone(&profile));
    }
    let (knowing, known) = mpsc::unbounded_channel();
    knowing.send(Known::Inventory(index))?;
    let (_committed, committed) = mpsc::unbounded_channel();
    let (_regressions, regressions) = mpsc::unbounded_channel();
    let (news, mut told) = mpsc::channel(1024);
    tokio::spawn(async move {
        while let Some(news) = told.recv().await {
            if let News::Heard(heard) = news
                && (heard.device.is_none() || heard.notice.is_none())
            {
                // It was not routed: something else would be measured.
                std::process::abort();
            }
        }
    });
    let figures = Arc::new(Figures::default());
    let seen = Arc::clone(&figures);
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_millis(100)).await;
            if seen.unproven.load(Ordering::Relaxed) + seen.undecodable.load(Ordering::Relaxed) > 0 {
                std::process::abort();
            }
        }
    });
    let listener = Listener::new(EngineId::of_text(ENGINE, "manager"), 1);
    let inlets = Inlets { known, committed, regressions };
    let clock = Clock::after(Time::default());
    run(listener, Sockets::bind(address)?, inlets, news, figures, clock).await?;
    Ok(())
}

/// Measures both in turn.
pub(crate) fn measure(case: &Case, rounds: u32, runtime: &tokio::runtime::Runtime) -> Measured {
    let mut entries = [Entry::of("ours", true), Entry::of("snmptrapd", false)];
    let written = messages(case);
    for _ in 0..rounds {
        for entry in &mut entries {
            let round = written.as_ref().map_err(ToString::to_string);
            let round = round.and_then(|messages| {
                runtime.block_on(one_round(case, messages, entry.is_ours)).map_err(|error| error.to_string())
            });
            match round {
                Ok(round) => entry.rounds.push(round),
                Err(error) => entry.absent = Some(error),
            }
        }
    }
    Measured { case: case.name.to_owned(), unit: "notifications/s", entries: entries.into(), bound: None }
}

async fn one_round(case: &Case, messages: &[Vec<u8>], ours: bool) -> Result<Round, Error> {
    let folder = tempfile::tempdir()?;
    let address = free_address()?;
    let mut command = if ours {
        let mut command = serving("notifications", address)?;
        command.args(["--devices", &case.sources.to_string()]);
        command
    } else {
        let file = folder.path().join("snmptrapd.conf");
        let engine = engine(0);
        fs::write(
            &file,
            format!(
                "disableAuthorization yes\ncreateUser -e 0x{engine} {USER} SHA {PASSPHRASE} AES {PASSPHRASE}\n"
            ),
        )?;
        let mut command = Command::new(of_debian("snmptrapd")?);
        // Nothing is written anywhere, and no name is looked up.
        command.args(["-f", "-Ln", "-n", "-C", "-c"]).arg(&file).arg("-p").arg(folder.path().join("pid"));
        command.arg(format!("udp:{address}")).env("SNMP_PERSISTENT_DIR", folder.path());
        command
    };
    let running = Running::start(&mut command, address)?;
    let watch = Watch::begin();
    let options = SocketOptions::default();
    let socket = Socket::bind((Ipv4Addr::UNSPECIFIED, 0).into(), &options)?;
    let mut next = 0;
    let (mut best, mut rate) = (0.0, FIRST_RATE);
    let mut notes = Vec::new();
    while rate < HIGHEST_RATE {
        let (sent, took) = send(&socket, &running, messages, case.sources > 1, rate, &mut next).await?;
        let dropped = drained(&running).await?;
        if dropped > 0 {
            break;
        }
        best = f64::from(u32::try_from(sent)?) / took.as_secs_f64();
        if best < rate * 0.8 {
            notes.push("the sender could not do more".to_owned());
            break;
        }
        rate *= STEP;
    }
    Ok(Round { figure: best, failed: 0, cpu: None, memory: Some(watch.end().memory), notes })
}

/// Sends at this rate, in small bursts, and tells how many in which time.
async fn send(
    socket: &Socket,
    running: &Running,
    messages: &[Vec<u8>],
    spread: bool,
    rate: f64,
    next: &mut usize,
) -> Result<(u64, Duration), Error> {
    let begun = Instant::now();
    let mut sent = 0_u64;
    while begun.elapsed() < LASTS {
        let due = (begun.elapsed().as_secs_f64() * rate) as u64;
        if due <= sent {
            std::hint::spin_loop();
            continue;
        }
        for _ in 0..(due - sent).min(BURST) {
            let Some(bytes) = messages.get(*next) else { continue };
            let source = source(u32::try_from(*next)?);
            let local = spread.then_some(IpAddr::V4(source));
            let transmit = Transmit { peer: running.address(), local, bytes, segment_size: None };
            socket.send(&transmit).await?;
            *next = (*next + 1) % messages.len();
            sent += 1;
        }
    }
    Ok((sent, begun.elapsed()))
}

/// Waits until all that came is read, and tells how many datagrams were dropped.
async fn drained(running: &Running) -> Result<u64, Error> {
    let begun = Instant::now();
    loop {
        let queue = queue(running.address()).ok_or(NotStarted::Silent)?;
        if queue.dropped > 0 || queue.waiting == 0 {
            return Ok(queue.dropped);
        }
        if begun.elapsed() > DRAINED {
            return Err("what has come is not read".into());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// What is sent, over and over: one for each source, or many of one engine that differ in their salt.
fn messages(case: &Case) -> Result<Vec<Vec<u8>>, Error> {
    const OF_ONE_ENGINE: u32 = 4096;
    let (user, mut all) = (user()?, Vec::new());
    let keys = user.localized(&engine(0));
    for number in 0..if case.v3 { OF_ONE_ENGINE } else { case.sources } {
        let mut bytes = Vec::new();
        let id = i32::try_from(number)?;
        if case.v3 {
            let at = EngineTime { boots: 1, time: 100 };
            event(0).trap_v3(&keys, &engine(0), at, id, number.into()).encode(&mut bytes)?;
        } else {
            event(number).trap(Security::v2c("public"), id).encode(&mut bytes)?;
        }
        all.push(bytes);
    }
    Ok(all)
}

/// `iadOperationProgress` of the IAD-MIB, with its five objects.
fn event(number: u32) -> Event {
    let object = |arcs: &[u32], value: Value| VarBind { name: IAD_MIB.join(arcs), value };
    Event {
        name: IAD_MIB.join(&[0, 2]),
        uptime: 123_456,
        varbinds: vec![
            object(&[1, 1, 3, 0], Value::OctetString(unique_id(number).into_bytes())),
            object(&[1, 5, 1, 0], Value::OctetString(b"r17.5a8f3c-4".to_vec())),
            object(&[1, 5, 2, 0], Value::Integer(2)),
            object(&[1, 5, 15, 0], Value::Gauge32(47)),
            object(&[1, 5, 16, 0], Value::Integer(0)),
        ],
    }
}

fn unique_id(number: u32) -> String {
    format!("IAD-{number:06}")
}

const fn source(number: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(FIRST_SOURCE + number)
}

fn engine(number: u32) -> EngineId {
    EngineId::of_text(ENGINE, &unique_id(number))
}

fn user() -> Result<User, InvalidUser> {
    let user = User::new(USER)?.authenticating(Authentication::Sha1, PASSPHRASE.as_bytes())?;
    user.encrypting(Privacy::Aes128, PASSPHRASE.as_bytes())
}
