//! The command line: one file for each command, noun and verb.

mod ask;
mod backup;
mod choices;
mod client;
mod completion;
mod credential;
mod db;
mod device;
mod doctor;
mod exit;
mod files;
mod follow;
mod image;
mod names;
pub mod narrate;
mod northbound;
mod operation;
mod output;
mod profile;
mod progress;
mod reset;
mod restore;
mod rollback;
mod run;
mod secrets;
mod serve;
mod trap;
mod upgrade;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

pub use self::client::{Client, Lines, encoded};
pub use self::exit::{Exit, Failure};
pub use self::output::Output;
use crate::config::{DATA, SOCKET};

/// Upgrades access devices over SNMP, TFTP and FTP, without losing a configuration or leaving a device dead.
#[derive(Debug, Parser)]
#[command(name = "iadms", version, after_help = exit::EXIT_CODES, max_term_width = 110)]
pub struct Cli {
    /// The daemon's Unix socket; default: iadms.sock in the data folder, IADMS_DATA or /var/lib/iadms
    #[arg(long, global = true, value_name = "PATH", env = "IADMS_SOCKET")]
    socket: Option<PathBuf>,

    /// The form of data on stdout
    #[arg(long, global = true, value_name = "FORM", default_value = "table")]
    output: Output,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Serve),
    /// The inventory of devices
    #[command(subcommand)]
    Device(device::Device),
    /// Credentials: as whom devices are asked by SNMPv3
    #[command(subcommand)]
    Credential(credential::Credential),
    /// The images that devices can be upgraded to
    #[command(subcommand)]
    Image(image::Image),
    Upgrade(upgrade::Upgrade),
    Backup(backup::Backup),
    Restore(restore::Restore),
    Rollback(rollback::Rollback),
    Reset(reset::Reset),
    /// Runs: each takes one device through an upgrade, or a part of one
    #[command(subcommand)]
    Run(run::Run),
    /// The operation that a device carries out for a run
    #[command(subcommand)]
    Operation(operation::Operation),
    /// Notifications that devices send
    #[command(subcommand)]
    Trap(trap::Trap),
    /// Notifications that are sent to network management systems
    #[command(subcommand)]
    Northbound(northbound::Northbound),
    /// Profiles: what kinds of device are like
    #[command(subcommand)]
    Profile(profile::Profile),
    Doctor(doctor::Doctor),
    /// The database and the files that go with it: check them, copy them
    #[command(subcommand)]
    Db(db::Db),
    Completion(completion::Completion),
}

/// What every command works with.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    pub(crate) client: Client,
    pub(crate) output: Output,
}

impl Cli {
    /// Whether it is the daemon, which has work for all processors.
    pub const fn is_daemon(&self) -> bool {
        matches!(self.command, Command::Serve(_))
    }

    /// Does what is asked. What goes wrong is told on stderr.
    pub async fn run(self) -> Exit {
        let data = || std::env::var_os("IADMS_DATA").map_or_else(|| PathBuf::from(DATA), PathBuf::from);
        let socket = self.socket.clone().unwrap_or_else(|| data().join(SOCKET));
        let context = Context { client: Client::new(socket), output: self.output };
        let done = match self.command {
            Command::Serve(command) => command.run(self.socket).await,
            Command::Device(command) => command.run(&context).await,
            Command::Credential(command) => command.run(&context).await,
            Command::Image(command) => command.run(&context).await,
            Command::Upgrade(command) => command.run(&context).await,
            Command::Backup(command) => command.run(&context).await,
            Command::Restore(command) => command.run(&context).await,
            Command::Rollback(command) => command.run(&context).await,
            Command::Reset(command) => command.run(&context).await,
            Command::Run(command) => command.run(&context).await,
            Command::Operation(command) => command.run(&context).await,
            Command::Trap(command) => command.run(&context).await,
            Command::Northbound(command) => command.run(&context).await,
            Command::Profile(command) => command.run(&context).await,
            Command::Doctor(command) => command.run(&context).await,
            Command::Db(command) => command.run(&context).await,
            Command::Completion(command) => command.run(),
        };
        match done {
            Ok(exit) => exit,
            Err(failure) => {
                if failure.exit != Exit::Success {
                    output::note(&failure.to_string());
                }
                failure.exit
            }
        }
    }
}
