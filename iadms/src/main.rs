//! Management system that upgrades access devices over SNMP, TFTP and FTP.

use std::process::ExitCode;

use clap::Parser as _;
use iadms::cli::Cli;

fn main() -> ExitCode {
    let cli = Cli::parse();
    // The daemon has work for several threads; a command waits for one answer.
    let mut runtime = if cli.is_daemon() {
        tokio::runtime::Builder::new_multi_thread()
    } else {
        tokio::runtime::Builder::new_current_thread()
    };
    match runtime.enable_all().build() {
        Ok(runtime) => ExitCode::from(runtime.block_on(cli.run()).code()),
        Err(error) => {
            eprintln!("error: the system gives no threads or descriptors: {error}");
            ExitCode::FAILURE
        }
    }
}
