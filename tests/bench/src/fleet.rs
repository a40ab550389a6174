//! A whole fleet of simulated devices in one process, all of them looked at over one socket: what a device costs the simulator,
//! and a look the manager.

use core::time::Duration;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use engine::Commander;
use engine::access::{Access, Version};
use engine::commander::{Answer, Ask, Asker, Outcome, What};
use iad_sim::net::{Simulator, SimulatorSettings};
use iadms::daemon::clock::Clock;
use iadms::net::commander::run;
use iadms::net::sockets::Sockets;
use snmp::usm::{Authentication, InvalidUser, Privacy, User};
use tokio::sync::{mpsc, watch};
use upgrade::profile::{IAD, Scope, load};
use upgrade::{Oid, Time};

use crate::Error;
use crate::process::{NotStarted, Running, free_address, serving};
use crate::report::{Entry, Measured, Round};
use crate::usage::Watch;

/// What is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    v3: bool,
}

pub(crate) const CASES: [Case; 2] = [
    Case { name: "whole looks at 100,000 simulated devices, v2c", v3: false },
    Case { name: "whole looks at 100,000 simulated devices, v3 authPriv", v3: true },
];

const DEVICES: u32 = 100_000;
const FIRST: Ipv4Addr = Ipv4Addr::new(127, 100, 0, 1);
/// The last device answers within this.
const START: Duration = Duration::from_secs(120);
/// All have answered within this.
const LIMIT: Duration = Duration::from_secs(300);
const NAME: &str = "bench";
const PASSPHRASE: &str = "maplesyrup";

/// So many simulated devices, until the process is killed.
pub(crate) async fn serve(port: u16, devices: u32) -> Result<(), Error> {
    let settings = SimulatorSettings {
        count: devices,
        bind: IpAddr::V4(FIRST),
        port,
        read_write_users: vec![user()?],
        ..SimulatorSettings::default()
    };
    let _running = Simulator::start(settings).await?;
    std::future::pending().await
}

/// Measures ours; there is no peer that simulates so many in a process.
pub(crate) fn measure(case: &Case, rounds: u32, runtime: &tokio::runtime::Runtime) -> Measured {
    let mut entry = Entry::of("ours", true);
    for _ in 0..rounds {
        match runtime.block_on(one_round(*case)) {
            Ok(round) => entry.rounds.push(round),
            Err(error) => entry.absent = Some(error.to_string()),
        }
    }
    Measured { case: case.name.to_owned(), unit: "looks/s", entries: vec![entry], bound: None }
}

async fn one_round(case: Case) -> Result<Round, Error> {
    let port = free_address()?.port();
    let bound = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
    let mut command = serving("fleet", bound)?;
    command.args(["--devices", &DEVICES.to_string()]);
    let _running = Running::start(&mut command, bound)?;
    let watch = Watch::begin();
    let profile = load("iad.toml", IAD, |_| None)?;
    let whole = profile.questions(Scope::Whole);
    let (asks, asked) = mpsc::unbounded_channel();
    let (answers, mut answered) = mpsc::unbounded_channel();
    let (regressions, _regressions) = mpsc::unbounded_channel();
    let (_credentials, credentials) = watch::channel(Default::default());
    let mut commander = Commander::new(1);
    commander.know([(NAME.to_owned(), [Arc::new(user()?)].into())].into());
    let told = move |answer: Answer| drop(answers.send(answer));
    let clock = Clock::after(Time::default());
    tokio::spawn(run(commander, Sockets::unbound()?, asked, credentials, regressions, told, clock));
    let ask = |number: u32, device: u32, what: &Arc<[Oid]>| Ask {
        asker: Asker::Probe(number.into()),
        access: access(device, port, case.v3),
        what: What::Get(Arc::clone(what)),
    };
    let begun = Instant::now();
    loop {
        asks.send(ask(u32::MAX, DEVICES - 1, &whole))?;
        let answer = answered.recv().await.ok_or(NotStarted::Silent)?;
        if matches!(answer.outcome, Outcome::Values(_)) {
            break;
        }
        if begun.elapsed() > START {
            return Err(NotStarted::Silent.into());
        }
    }
    let started_in = begun.elapsed();
    let begun = Instant::now();
    for device in 0..DEVICES {
        asks.send(ask(device, device, &whole))?;
    }
    let (mut looked, mut failed) = (0_u32, 0_u32);
    while looked + failed < DEVICES {
        let answer = tokio::time::timeout(LIMIT, answered.recv()).await?.ok_or(NotStarted::Silent)?;
        match answer.outcome {
            Outcome::Values(values) if values.len() == whole.len() => looked += 1,
            _ => failed += 1,
        }
    }
    let took = begun.elapsed();
    let usage = watch.end();
    let notes = vec![format!(
        "started in {:.1} s; the simulator used {:.1} s of processor time",
        started_in.as_secs_f64(),
        usage.cpu.as_secs_f64()
    )];
    Ok(Round {
        figure: f64::from(looked) / took.as_secs_f64(),
        failed,
        cpu: None,
        memory: Some(usage.memory),
        notes,
    })
}

fn access(device: u32, port: u16, v3: bool) -> Access {
    let address = Ipv4Addr::from_bits(FIRST.to_bits() + device);
    Access {
        address: SocketAddr::from((address, port)),
        version: if v3 { Version::V3 } else { Version::V2c },
        read_community: "public".into(),
        write_community: "private".into(),
        credential: v3.then(|| NAME.to_owned()),
        engine: None,
        answer_ms: 2000,
        repeats: 3,
    }
}

fn user() -> Result<User, InvalidUser> {
    let user = User::new(NAME)?.authenticating(Authentication::Sha256, PASSPHRASE.as_bytes())?;
    user.encrypting(Privacy::Aes128, PASSPHRASE.as_bytes())
}
