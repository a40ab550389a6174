//! Foreign TFTP clients and how each is told what to do.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use crate::peers;

/// What a client shall do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Errand {
    /// Read the remote file into the local one (RRQ).
    Get,
    /// Write the local file to the remote one (WRQ).
    Put,
}

/// A client and the options it negotiates.
#[derive(Debug, Clone, Copy)]
pub struct Client {
    package: &'static str,
    arguments: &'static [&'static str],
}

impl Client {
    /// Asks for the size and a timeout.
    pub const CURL: Self = Self { package: "curl", arguments: &["--silent", "--show-error"] };

    /// Negotiates nothing.
    pub const CURL_WITHOUT_OPTIONS: Self =
        Self { package: "curl", arguments: &["--silent", "--show-error", "--tftp-no-options"] };

    /// Asks for large blocks, too.
    pub const CURL_LARGE_BLOCKS: Self =
        Self { package: "curl", arguments: &["--silent", "--show-error", "--tftp-blksize", "8192"] };

    /// Negotiates nothing.
    pub const TFTP_HPA: Self = Self { package: "tftp-hpa", arguments: &["-m", "octet"] };

    /// Negotiates nothing.
    pub const ATFTP: Self = Self { package: "atftp", arguments: &[] };

    /// Negotiates everything there is.
    pub const ATFTP_ALL_OPTIONS: Self = Self {
        package: "atftp",
        arguments: &[
            "--option",
            "blksize 1428",
            "--option",
            "windowsize 8",
            "--option",
            "tsize enable",
            "--option",
            "timeout 2",
        ],
    };

    /// The command that has the client do `errand` at `server`.
    ///
    /// # Panics
    ///
    /// When the client is missing, as [`peers::program`] says.
    #[must_use]
    pub fn command(&self, errand: Errand, server: SocketAddr, remote: &str, local: &Path) -> Command {
        let mut command = Command::new(peers::program(self.package));
        command.args(self.arguments);
        let (host, port) = (server.ip().to_string(), server.port().to_string());
        match (self.package, errand) {
            ("curl", Errand::Get) => {
                command.arg("--output").arg(local).arg(format!("tftp://{server}/{remote}"))
            }
            ("curl", Errand::Put) => {
                command.arg("--upload-file").arg(local).arg(format!("tftp://{server}/{remote}"))
            }
            ("tftp-hpa", Errand::Get) => command.args([&host, &port, "-c", "get", remote]).arg(local),
            ("tftp-hpa", Errand::Put) => command.args([&host, &port, "-c", "put"]).arg(local).arg(remote),
            (_, errand) => {
                command.arg(if errand == Errand::Get { "--get" } else { "--put" });
                command.args(["--remote-file", remote, "--local-file"]).arg(local).args([host, port])
            }
        };
        command
    }

    /// Whether the client said that it failed, which not each says by its exit code.
    #[must_use]
    pub fn has_failed(&self, finished: &crate::process::Finished) -> bool {
        !finished.status.success() || finished.output.contains("Error code")
    }
}
