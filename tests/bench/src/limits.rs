//! What bare UDP comes to over loopback on this machine, whoever sends: one datagram a call, many a call, or segments of one. No
//! server sends more than that.

use core::time::Duration;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

use datagram::{Batch, Outbox, Socket, SocketOptions, Transmit};

use crate::Error;
use crate::report::{Entry, Measured, Round};

pub(crate) const CASE: &str = "bare UDP, 1432 bytes";

/// DATA of the usual block size.
const BYTES: usize = 1432;
const LASTS: Duration = Duration::from_secs(1);

/// How datagrams are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// One a call.
    Plain,
    /// Many a call.
    Batched,
    /// Many a call as segments of one.
    Segmented,
}

impl Way {
    const ALL: [Self; 3] = [Self::Plain, Self::Batched, Self::Segmented];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Batched => "batched",
            Self::Segmented => "segmented",
        }
    }
}

/// Measures all ways in turn.
pub(crate) fn measure(rounds: u32) -> Measured {
    let mut entries = Way::ALL.map(|way| (way, Entry::of(way.name(), false)));
    for _ in 0..rounds {
        for (way, entry) in &mut entries {
            match per_second(*way, BYTES) {
                Ok(figure) => entry.rounds.push(Round { figure, ..Round::default() }),
                Err(error) => entry.absent = Some(error.to_string()),
            }
        }
    }
    Measured {
        case: CASE.to_owned(),
        unit: "datagrams/s",
        entries: entries.into_iter().map(|(_, entry)| entry).collect(),
        bound: None,
    }
}

/// Datagrams of so many bytes that arrive in a second, sent this way by one thread and taken by another.
///
/// # Errors
/// There are no sockets to be had.
pub(crate) fn per_second(way: Way, bytes: usize) -> Result<f64, Error> {
    let stop = Arc::new(AtomicBool::new(false));
    let (address, taking) = take(Arc::clone(&stop))?;
    let runtime = runtime()?;
    let begun = Instant::now();
    runtime.block_on(async {
        let socket = open()?;
        let datagram = vec![0; bytes];
        let segments = vec![0; bytes * (64_000 / bytes.max(1)).clamp(1, 64)];
        let mut outbox = Outbox::default();
        let one = Transmit { peer: address, local: None, bytes: &datagram, segment_size: None };
        let many = Transmit { bytes: &segments, segment_size: Some(bytes), ..one };
        while begun.elapsed() < LASTS {
            match way {
                Way::Plain => socket.send(&one).await?,
                Way::Segmented => socket.send(&many).await?,
                Way::Batched => {
                    (0..Outbox::MOST_AT_ONCE).for_each(|_| outbox.push(address, None, &datagram));
                    socket.send_all(&mut outbox, |_, _| {}).await;
                }
            }
        }
        stop.store(true, Ordering::Relaxed);
        // It may wait for this one.
        socket.send(&one).await?;
        Ok::<_, Error>(())
    })?;
    let (taken, until) = taking.join().unwrap_or_else(|_| Err("the receiver is gone".into()))?;
    Ok(taken as f64 / until.duration_since(begun).as_secs_f64())
}

type Taking = JoinHandle<Result<(u64, Instant), Error>>;

/// Takes datagrams until it is to stop, and tells how many there were.
fn take(stop: Arc<AtomicBool>) -> Result<(SocketAddr, Taking), Error> {
    let (told, address) = std::sync::mpsc::channel();
    let taking = std::thread::spawn(move || {
        runtime()?.block_on(async {
            let socket = open()?;
            told.send(socket.address())?;
            let (mut batch, mut taken) = (Batch::new(), 0);
            while !stop.load(Ordering::Relaxed) {
                socket.receive(&mut batch).await?;
                taken += batch.iter().count() as u64;
            }
            Ok((taken, Instant::now()))
        })
    });
    Ok((address.recv()?, taking))
}

fn open() -> Result<Socket, Error> {
    Ok(Socket::bind((Ipv4Addr::LOCALHOST, 0).into(), &SocketOptions::default())?)
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}
