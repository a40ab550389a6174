//! `cargo xtask bench`: measures ours and real peers in the same run, in turn, and reports how they compare. Nothing here fails
//! because something is slow.

mod agents;
mod codec;
mod files;
mod fleet;
mod ftp;
mod limits;
mod moved;
mod notifications;
mod process;
mod random;
mod report;
mod usage;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::report::{Line, Measured};

/// Measure ours beside real peers, and report how they compare
#[derive(Debug, Parser)]
#[command(name = "cargo xtask bench")]
struct Options {
    /// One round of each, on a machine that is not idle perhaps
    #[arg(long)]
    quick: bool,
    /// Rounds of each
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Only cases whose names contain this
    #[arg(long, value_name = "NAME")]
    case: Option<String>,
    /// List the cases
    #[arg(long)]
    list: bool,
    /// Write what was measured to a file, too
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    #[command(subcommand)]
    serve: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Be one of the servers
    #[command(subcommand, hide = true)]
    Serve(Server),
}

/// Servers that are libraries.
#[derive(Debug, Subcommand)]
enum Server {
    /// The manager's file server
    Files(files::Ours),
    /// The manager's FTP server
    Ftp(ftp::Ours),
    /// The crate async-tftp
    AsyncTftp {
        #[arg(long)]
        address: SocketAddr,
        #[arg(long)]
        folder: PathBuf,
    },
    /// A simulated device
    Agent {
        #[arg(long)]
        address: SocketAddr,
    },
    /// Simulated devices on the addresses from 127.100.0.1 on
    Fleet {
        #[arg(long)]
        address: SocketAddr,
        /// How many
        #[arg(long)]
        devices: u32,
    },
    /// The manager's receiver of notifications
    Notifications {
        #[arg(long)]
        address: SocketAddr,
        /// How many devices it knows
        #[arg(long)]
        devices: u32,
    },
}

type Error = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    let options = Options::parse();
    let done = match &options.serve {
        Some(Command::Serve(server)) => serve(server),
        None => bench(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Serves until the process is killed.
fn serve(server: &Server) -> Result<(), Error> {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build();
    match server {
        Server::Files(ours) => runtime()?.block_on(files::serve_ours(ours)),
        Server::Ftp(ours) => ftp::serve(ours),
        Server::AsyncTftp { address, folder } => {
            futures_lite::future::block_on(files::serve_async_tftp(*address, folder))
        }
        Server::Agent { address } => runtime()?.block_on(agents::serve(*address)),
        Server::Fleet { address, devices } => runtime()?.block_on(fleet::serve(address.port(), *devices)),
        Server::Notifications { address, devices } => {
            runtime()?.block_on(notifications::serve(*address, *devices))
        }
    }
}

/// Its name, and what measures it.
type Case<'a> = (&'static str, Box<dyn Fn() -> Measured + 'a>);

fn bench(options: &Options) -> Result<(), Error> {
    process::adopt_orphans()?;
    let rounds = if options.quick { 1 } else { options.rounds.max(1) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut cases: Vec<Case<'_>> = Vec::new();
    for case in &files::CASES {
        let runtime = &runtime;
        cases.push((case.name, Box::new(move || files::measure(case, rounds, runtime))));
    }
    for case in &ftp::CASES {
        let runtime = &runtime;
        cases.push((case.name, Box::new(move || ftp::measure(case, rounds, runtime))));
    }
    for case in &notifications::CASES {
        let runtime = &runtime;
        cases.push((case.name, Box::new(move || notifications::measure(case, rounds, runtime))));
    }
    for case in &fleet::CASES {
        let runtime = &runtime;
        cases.push((case.name, Box::new(move || fleet::measure(case, rounds, runtime))));
    }
    cases.push((agents::CASE, Box::new(move || agents::measure(rounds))));
    for case in codec::Case::ALL {
        cases.push((case.name(), Box::new(move || codec::measure(case, rounds))));
    }
    cases.push((limits::CASE, Box::new(move || limits::measure(rounds))));
    if let Some(wanted) = &options.case {
        cases.retain(|(name, _)| name.contains(wanted.as_str()));
    }
    if cases.is_empty() {
        return Err("no case has such a name: --list tells them".into());
    }
    let mut lines: Vec<Line> = Vec::new();
    for (name, measure) in cases {
        if options.list {
            println!("{name}");
            continue;
        }
        let measured = measure();
        println!("{}", measured.table());
        lines.push(measured.line());
        // What is measured so far is kept, whatever becomes of the rest.
        if let Some(path) = &options.json {
            std::fs::write(path, serde_json::to_string_pretty(&lines)?)?;
        }
    }
    Ok(())
}
