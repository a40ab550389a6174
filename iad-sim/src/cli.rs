//! The command line: one file per noun. Data goes to stdout, everything else to stderr.

mod device;
mod fault;
mod image;
mod output;
mod run;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::net::{Request, Response, ask_control};
use output::Failure;

/// Simulated access devices for laboratories and tests
#[derive(Debug, Parser)]
#[command(name = "iad-sim", version)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(Box<run::Run>),
    #[command(subcommand)]
    Device(device::Device),
    #[command(subcommand)]
    Fault(fault::FaultCommand),
    #[command(subcommand)]
    Image(image::Image),
}

/// Which simulator is asked.
#[derive(Debug, Args)]
struct Control {
    /// The control socket of the running simulator
    #[arg(long, env = "IAD_SIM_CONTROL", value_name = "SOCKET")]
    control: PathBuf,
}

impl Control {
    /// Asks the simulator; what it refuses is a failure.
    async fn ask(&self, request: Request) -> Result<Response, Failure> {
        match ask_control(&self.control, &request).await? {
            Response::Refused { reason } => Err(Failure::Refused(reason)),
            response => Ok(response),
        }
    }
}

/// Runs the command line of this process. Exit code 1: it failed; 2: the command line makes no sense.
pub async fn main() -> ExitCode {
    let command_line = CommandLine::parse();
    let done = match command_line.command {
        Command::Run(command) => command.run().await,
        Command::Device(command) => command.run().await,
        Command::Fault(command) => command.run().await,
        Command::Image(command) => command.run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output::report(&failure);
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_makes_sense() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn devices_can_be_told_all_about_on_the_command_line() {
        let line = "iad-sim run --count 3 --version 1.2 --capability dual-image,tftp --flash-speed 64KiB --boot-time 3s \
                    --buffer-size 2MiB --format 1";
        let Command::Run(run) = CommandLine::try_parse_from(line.split_whitespace()).unwrap().command else {
            panic!()
        };
        let settings = run.settings().unwrap();
        assert_eq!((settings.count, settings.version.as_str()), (3, "1.2"));
        let device = settings.device;
        assert!(device.capabilities.dual_image && device.capabilities.tftp);
        assert!(!device.capabilities.needs_reset && !device.capabilities.ftp);
        assert_eq!(device.timing.flash_bytes_per_second, 65_536);
        assert_eq!(device.timing.boot, core::time::Duration::from_secs(3));
        assert_eq!(device.buffer_capacity, 2 << 20);
    }
}
