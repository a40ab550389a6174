//! Files by TFTP: so many clients at once, all served by one server, every byte compared.

mod load;
mod serve;
mod server;

use core::time::Duration;
use std::sync::Arc;

use tftp::Options;

pub(crate) use serve::{Ours, serve_async_tftp, serve_ours};

use crate::limits::{self, Way};
use crate::process::NotStarted;
use crate::random::Random;
use crate::report::{Bound, Entry, Measured, Round, median};
use crate::usage::Watch;
use load::Load;
use server::Server;

/// No round takes longer.
const LIMIT: Duration = Duration::from_secs(120);

/// What is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) clients: u32,
    pub(crate) kib: usize,
    pub(crate) block: u16,
    pub(crate) window: u16,
    pub(crate) writes: bool,
    /// Datagrams lost each way, of a thousand.
    pub(crate) lost: u64,
}

const fn read(name: &'static str, clients: u32, kib: usize, block: u16, window: u16) -> Case {
    Case { name, clients, kib, block, window, writes: false, lost: 0 }
}

pub(crate) const CASES: [Case; 12] = [
    read("read 1 x 64 MiB, blksize 1428, window 1", 1, 65536, 1428, 1),
    read("read 1 x 64 MiB, blksize 1428, window 16", 1, 65536, 1428, 16),
    read("read 100 x 4 MiB, blksize 512, window 1", 100, 4096, 512, 1),
    read("read 100 x 4 MiB, blksize 1428, window 1", 100, 4096, 1428, 1),
    read("read 100 x 4 MiB, blksize 8192, window 1", 100, 4096, 8192, 1),
    read("read 100 x 4 MiB, blksize 1428, window 16", 100, 4096, 1428, 16),
    read("read 100 x 4 MiB, blksize 1428, window 64", 100, 4096, 1428, 64),
    read("read 1000 x 512 KiB, blksize 1428, window 1", 1000, 512, 1428, 1),
    read("read 1000 x 512 KiB, blksize 1428, window 16", 1000, 512, 1428, 16),
    Case { writes: true, ..read("write 200 x 1 MiB, blksize 1428, window 1", 200, 1024, 1428, 1) },
    Case {
        lost: 10,
        ..read("read 20 x 1 MiB, blksize 1428, window 1, 1 % lost each way", 20, 1024, 1428, 1)
    },
    Case {
        lost: 10,
        ..read("read 20 x 1 MiB, blksize 1428, window 16, 1 % lost each way", 20, 1024, 1428, 16)
    },
];

/// Measures ours and each peer in turn, so many rounds.
pub(crate) fn measure(case: &Case, rounds: u32, runtime: &tokio::runtime::Runtime) -> Measured {
    let file: Arc<[u8]> = Random::new(case.kib as u64).file(case.kib * 1024).into();
    let servers = Server::ALL.into_iter().filter(|server| server.can(case.window > 1, case.writes));
    let mut entries: Vec<(Server, Entry)> =
        servers.map(|server| (server, Entry::of(server.name(), server == Server::Ours))).collect();
    for round in 0..rounds {
        for (server, entry) in &mut entries {
            let load = Load {
                clients: case.clients,
                writes: case.writes,
                file: Arc::clone(&file),
                options: Options {
                    block_size: Some(case.block),
                    window_size: (case.window > 1).then_some(case.window),
                    ..Options::default()
                },
                lost: case.lost,
                seed: u64::from(round),
                limit: LIMIT,
            };
            match one_round(*server, &load, runtime) {
                Ok(round) => entry.rounds.push(round),
                Err(error) => entry.absent = Some(error.to_string()),
            }
        }
    }
    Measured {
        case: case.name.to_owned(),
        unit: "MB/s",
        entries: entries.into_iter().map(|(_, entry)| entry).collect(),
        bound: bound(case, rounds),
    }
}

/// What bare UDP comes to with blocks of this size, sent as a server may send them.
fn bound(case: &Case, rounds: u32) -> Option<Bound> {
    let way = if case.window > 1 { Way::Segmented } else { Way::Batched };
    let bytes = usize::from(case.block) + tftp::DATA_HEADER;
    let figures = (0..rounds).filter_map(|_| limits::per_second(way, bytes).ok());
    let datagrams = median(figures)?;
    Some(Bound { way: way.name(), figure: datagrams * f64::from(case.block) / 1e6 })
}

fn one_round(server: Server, load: &Load, runtime: &tokio::runtime::Runtime) -> Result<Round, NotStarted> {
    let folder = tempfile::tempdir()?;
    let running = server.start(load, &folder)?;
    let watch = Watch::begin();
    let names = |client| server.file_name(client, load.writes);
    let moved = runtime.block_on(load::run(load, running.address(), names))?;
    Ok(moved.round(watch.end(), server.is_told_its_time()))
}
