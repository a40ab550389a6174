//! GETs to an agent, sixteen of them under way: a simulated device of ours, and net-snmp's agent.

use core::time::Duration;
use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::process::Command;
use std::time::Instant;

use iad_sim::net::{Simulator, SimulatorSettings};
use snmp::{Body, Message, ObjectIdentifier, Operation, Pdu, Security, Value, VarBind};

use crate::Error;
use crate::process::{NotStarted, Running, free_address, of_debian, serving};
use crate::report::{Entry, Measured, Round};
use crate::usage::Watch;

pub(crate) const CASE: &str = "GET of one object, v2c, 16 under way";

const UNDER_WAY: i32 = 16;
const LASTS: Duration = Duration::from_secs(3);
/// An answer that takes longer is lost, and asked for again.
const PATIENCE: Duration = Duration::from_millis(200);
/// `sysUpTime.0`
const ASKED: ObjectIdentifier = ObjectIdentifier::new([1, 3, 6, 1, 2, 1, 1, 3, 0]);

/// A simulated device, until the process is killed.
pub(crate) async fn serve(address: SocketAddr) -> Result<(), Error> {
    let settings = SimulatorSettings {
        count: 1,
        bind: address.ip(),
        port: address.port(),
        ..SimulatorSettings::default()
    };
    let simulator = Simulator::start(settings).await?;
    simulator.all_started().await?;
    std::future::pending().await
}

/// Measures both in turn.
pub(crate) fn measure(rounds: u32) -> Measured {
    let mut entries = [Entry::of("ours", true), Entry::of("snmpd", false)];
    for _ in 0..rounds {
        for entry in &mut entries {
            match one_round(entry.is_ours) {
                Ok(round) => entry.rounds.push(round),
                Err(error) => entry.absent = Some(error.to_string()),
            }
        }
    }
    Measured { case: CASE.to_owned(), unit: "GETs/s", entries: entries.into(), bound: None }
}

fn one_round(ours: bool) -> Result<Round, Error> {
    let folder = tempfile::tempdir()?;
    let address = free_address()?;
    let mut command = if ours {
        serving("agent", address)?
    } else {
        let file = folder.path().join("snmpd.conf");
        fs::write(&file, "rocommunity public\ndontLogTCPWrappersConnects yes\n")?;
        let mut command = Command::new(of_debian("snmpd")?);
        command.args(["-f", "-Ln", "-C", "-c"]).arg(&file).arg("-p").arg(folder.path().join("pid"));
        command.arg(format!("udp:{address}")).env("SNMP_PERSISTENT_DIR", folder.path());
        command
    };
    let running = Running::start(&mut command, address)?;
    let socket = UdpSocket::bind((address.ip(), 0))?;
    socket.connect(running.address())?;
    socket.set_read_timeout(Some(PATIENCE))?;
    wait_until_it_answers(&socket)?;
    let watch = Watch::begin();
    let begun = Instant::now();
    let (mut answered, mut lost) = (0_u32, 0_u32);
    let mut requests: Vec<Vec<u8>> = (0..UNDER_WAY).map(get).collect::<Result<_, _>>()?;
    for request in &requests {
        socket.send(request)?;
    }
    let mut buffer = [0; 1500];
    while begun.elapsed() < LASTS {
        let Ok(length) = socket.recv(&mut buffer) else {
            // All that are under way are lost, or nothing would come any more.
            for request in &requests {
                lost += 1;
                socket.send(request)?;
            }
            continue;
        };
        let slot = answer(buffer.get(..length).unwrap_or_default()).ok_or("an answer is none")?;
        answered += 1;
        if let Some(request) = usize::try_from(slot).ok().and_then(|slot| requests.get_mut(slot)) {
            socket.send(request)?;
        }
    }
    let took = begun.elapsed();
    Ok(Round {
        figure: f64::from(answered) / took.as_secs_f64(),
        failed: lost,
        cpu: None,
        memory: Some(watch.end().memory),
        notes: Vec::new(),
    })
}

fn get(request_id: i32) -> Result<Vec<u8>, snmp::EncodeError> {
    let varbinds: Vec<VarBind> = vec![VarBind::new(ASKED, Value::Null)];
    let pdu = Pdu { request_id, operation: Operation::Get, varbinds };
    let mut bytes = Vec::new();
    Message::new(Security::v2c("public"), pdu).encode(&mut bytes)?;
    Ok(bytes)
}

/// The number of the request that this answers with a value.
fn answer(bytes: &[u8]) -> Option<i32> {
    let message = Message::decode(bytes).ok()?;
    let Body::Pdu(pdu) = message.body else { return None };
    let is_told = matches!(pdu.varbinds.first()?.value, Value::TimeTicks(_));
    is_told.then_some(pdu.request_id)
}

fn wait_until_it_answers(socket: &UdpSocket) -> Result<(), Error> {
    let request = get(UNDER_WAY)?;
    for _ in 0..50 {
        let _ = socket.send(&request);
        if socket.recv(&mut [0; 1500]).is_ok() {
            return Ok(());
        }
    }
    Err(NotStarted::Silent.into())
}
