//! The core as a server of foreign clients: as the manager uses it.

use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tests::process::{LIMIT, Running};
use tests::{loopback, peers};
use tftp::{Direction, Failure, Limits, Packet, Receiver, Sender, Timing};

use super::drive::{Peer, Transfer, drive};
use super::{MORE_THAN_BLOCK_NUMBERS, SIZES, contents};

const BEGINNING: Duration = Duration::ZERO;

/// Takes one request on `socket` and serves it from a port of its own, by the file given or into a new one.
fn serve_one(socket: &UdpSocket, file: &[u8]) -> Result<Vec<u8>, Failure> {
    let mut buffer = vec![0; 65_536];
    socket.set_read_timeout(Some(LIMIT)).unwrap();
    let (length, client) = socket.recv_from(&mut buffer).expect("a request");
    let Packet::Request(request) = Packet::decode(&buffer[..length]).unwrap() else { panic!("no request") };
    let (limits, timing) = (Limits::default(), Timing::default());
    let transfer = match request.direction {
        Direction::Read => {
            let size = Some(file.len() as u64);
            Transfer::Sending(Sender::answer(&request, size, &limits, &timing, BEGINNING), Arc::from(file))
        }
        Direction::Write => {
            let receiver = Receiver::answer(&request, u64::MAX, &limits, &timing, BEGINNING);
            Transfer::Receiving(receiver, Vec::new())
        }
    };
    let own = UdpSocket::bind((socket.local_addr().unwrap().ip(), 0)).unwrap();
    drive(transfer, &own, Peer::Known(client))
}

/// How a foreign client is told to read a remote file into a local one, or to write one.
type CommandLine = fn(&mut Command, SocketAddr, Direction, &Path);

struct Client {
    command: fn() -> Command,
    arguments: CommandLine,
}

impl Client {
    /// Has the client read `file` from us, and then write it to us.
    fn reads_and_writes(&self, file: &[u8]) {
        let socket = UdpSocket::bind((loopback::own_address(), 0)).unwrap();
        let folder = tempfile::tempdir().unwrap();

        let local = folder.path().join("local");
        let served = self.run(&socket, Direction::Read, &folder, file);
        assert!(served.is_ok(), "{} bytes to read: {served:?}", file.len());
        assert!(std::fs::read(&local).unwrap_or_default() == file, "{} bytes were read wrong", file.len());

        std::fs::write(&local, file).unwrap();
        let stored = self.run(&socket, Direction::Write, &folder, &[]);
        assert!(stored.is_ok_and(|stored| stored == file), "{} bytes were written wrong", file.len());
    }

    fn run(
        &self,
        socket: &UdpSocket,
        direction: Direction,
        folder: &TempDir,
        file: &[u8],
    ) -> Result<Vec<u8>, Failure> {
        let mut command = (self.command)();
        (self.arguments)(&mut command, socket.local_addr().unwrap(), direction, Path::new("local"));
        let client = Running::start(command.current_dir(folder.path()));
        let served = serve_one(socket, file);
        let finished = client.finish_within(LIMIT);
        assert!(finished.status.success(), "{command:?}: {}\n{served:?}", finished.output);
        served
    }
}

mod needs_curl {
    use super::*;

    const CURL: Client = Client {
        command: || Command::new(peers::program("curl")),
        arguments: |command, server, direction, local| {
            command.args(["--silent", "--show-error"]).args(match direction {
                Direction::Read => ["--output"],
                Direction::Write => ["--upload-file"],
            });
            command.arg(local).arg(format!("tftp://{server}/remote"));
        },
    };

    /// Curl takes a size of 0 in a server's answer for a fault and gives up.
    fn sizes_that_curl_takes() -> impl Iterator<Item = usize> {
        SIZES.into_iter().filter(|size| *size > 0)
    }

    #[test]
    fn curl_reads_and_writes_files_of_all_sizes() {
        sizes_that_curl_takes().for_each(|size| CURL.reads_and_writes(&contents(size)));
    }

    #[test]
    fn curl_reads_and_writes_in_large_blocks() {
        let large_blocks = Client {
            command: || {
                let mut command = (CURL.command)();
                command.args(["--tftp-blksize", "8192"]);
                command
            },
            ..CURL
        };
        sizes_that_curl_takes().for_each(|size| large_blocks.reads_and_writes(&contents(size)));
    }
}

mod needs_tftp_hpa {
    use super::*;

    const TFTP: Client = Client {
        command: || Command::new(peers::program("tftp-hpa")),
        arguments: |command, server, direction, local| {
            let (verb, from, to) = match direction {
                Direction::Read => ("get", Path::new("remote"), local),
                Direction::Write => ("put", local, Path::new("remote")),
            };
            let (host, port) = (server.ip().to_string(), server.port().to_string());
            command.args(["-m", "octet", &host, &port, "-c", verb]).arg(from).arg(to);
        },
    };

    #[test]
    fn tftp_hpa_reads_and_writes_files_of_all_sizes() {
        SIZES.iter().for_each(|size| TFTP.reads_and_writes(&contents(*size)));
    }

    #[test]
    fn tftp_hpa_reads_and_writes_more_blocks_than_there_are_numbers() {
        TFTP.reads_and_writes(&contents(MORE_THAN_BLOCK_NUMBERS));
    }
}

mod needs_atftp {
    use super::*;

    const ATFTP: Client = Client {
        command: || Command::new(peers::program("atftp")),
        arguments: |command, server, direction, local| {
            command.arg(match direction {
                Direction::Read => "--get",
                Direction::Write => "--put",
            });
            command.args(["--remote-file", "remote", "--local-file"]).arg(local);
            command.args([server.ip().to_string(), server.port().to_string()]);
        },
    };

    #[test]
    fn atftp_reads_and_writes_files_of_all_sizes() {
        SIZES.iter().for_each(|size| ATFTP.reads_and_writes(&contents(*size)));
    }

    #[test]
    fn atftp_reads_and_writes_with_all_options() {
        let optioned = Client {
            command: || {
                let mut command = (ATFTP.command)();
                for option in ["blksize 1428", "windowsize 8", "tsize enable", "timeout 2"] {
                    command.args(["--option", option]);
                }
                command
            },
            ..ATFTP
        };
        SIZES.iter().for_each(|size| optioned.reads_and_writes(&contents(*size)));
    }
}
