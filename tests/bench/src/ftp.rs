//! Files by FTP, in the clear and over TLS: ours and vsftpd, every byte compared.

mod load;
mod serve;

use core::time::Duration;
use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use tempfile::TempDir;

pub(crate) use serve::{Ours, serve};

use crate::Error;
use crate::process::{NotStarted, Running, of_debian, own_address, serving};
use crate::random::Random;
use crate::report::{Entry, Measured, Round};
use crate::usage::Watch;
use load::{Load, trusting};

/// No round takes longer.
const LIMIT: Duration = Duration::from_secs(120);

/// The name in the certificate.
const HOST: &str = "manager.example";

/// What is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    clients: u32,
    mib: usize,
    tls: bool,
}

pub(crate) const CASES: [Case; 4] = [
    Case { name: "ftp read 1 x 512 MiB", clients: 1, mib: 512, tls: false },
    Case { name: "ftp read 20 x 32 MiB", clients: 20, mib: 32, tls: false },
    Case { name: "ftp read 1 x 512 MiB, TLS", clients: 1, mib: 512, tls: true },
    Case { name: "ftp read 20 x 32 MiB, TLS", clients: 20, mib: 32, tls: true },
];

/// Measures both in turn.
pub(crate) fn measure(case: &Case, rounds: u32, runtime: &tokio::runtime::Runtime) -> Measured {
    let file: Arc<[u8]> = Random::new(case.mib as u64).file(case.mib << 20).into();
    let mut entries = [Entry::of("ours", true), Entry::of("vsftpd", false)];
    for _ in 0..rounds {
        for entry in &mut entries {
            match one_round(case, &file, entry.is_ours, runtime) {
                Ok(round) => entry.rounds.push(round),
                Err(error) => entry.absent = Some(error.to_string()),
            }
        }
    }
    Measured { case: case.name.to_owned(), unit: "MB/s", entries: entries.into(), bound: None }
}

fn one_round(
    case: &Case,
    file: &Arc<[u8]>,
    ours: bool,
    runtime: &tokio::runtime::Runtime,
) -> Result<Round, Error> {
    let folder = tempfile::tempdir()?;
    fs::write(folder.path().join("image"), file)?;
    let certified = rcgen::generate_simple_self_signed([HOST.to_owned()])?;
    fs::write(folder.path().join("certificate"), certified.cert.pem())?;
    fs::write(folder.path().join("key"), certified.signing_key.serialize_pem())?;
    let address = free_port()?;
    let mut command = if ours { ours_at(address, &folder, case)? } else { vsftpd_at(address, &folder)? };
    let running = Running::start_when(&mut command, address, || TcpStream::connect(address).is_ok())?;
    let watch = Watch::begin();
    let load = Load {
        clients: case.clients,
        file: Arc::clone(file),
        tls: case.tls.then(|| trusting(certified.cert.der())).transpose()?,
        login: if ours {
            serve::login
        } else {
            |_| ("anonymous".to_owned(), "bench".to_owned(), "image".to_owned())
        },
        limit: LIMIT,
    };
    let moved = runtime.block_on(load::run(&load, running.address()));
    Ok(moved.round(watch.end(), true))
}

fn free_port() -> std::io::Result<SocketAddr> {
    TcpListener::bind((own_address(), 0))?.local_addr()
}

fn ours_at(address: SocketAddr, folder: &TempDir, case: &Case) -> Result<Command, NotStarted> {
    let mut command = serving("ftp", address)?;
    let (clients, bytes) = (case.clients.to_string(), (case.mib << 20).to_string());
    command.args(["--clients", &clients, "--bytes", &bytes, "--folder"]).arg(folder.path());
    Ok(command)
}

fn vsftpd_at(address: SocketAddr, folder: &TempDir) -> Result<Command, NotStarted> {
    let path = |name: &str| folder.path().join(name).display().to_string();
    for name in ["empty", "root"] {
        fs::create_dir(folder.path().join(name))?;
    }
    readable(folder.path())?;
    fs::rename(folder.path().join("image"), folder.path().join("root/image"))?;
    let settings = [
        ("listen", "YES".to_owned()),
        ("listen_address", address.ip().to_string()),
        ("listen_port", address.port().to_string()),
        ("background", "NO".to_owned()),
        ("anonymous_enable", "YES".to_owned()),
        ("anon_root", path("root")),
        // Its home, where it goes first, is there on every system.
        ("ftp_username", "daemon".to_owned()),
        ("secure_chroot_dir", path("empty")),
        ("seccomp_sandbox", "NO".to_owned()),
        ("xferlog_enable", "NO".to_owned()),
        ("ssl_enable", "YES".to_owned()),
        ("allow_anon_ssl", "YES".to_owned()),
        ("force_local_data_ssl", "NO".to_owned()),
        ("force_local_logins_ssl", "NO".to_owned()),
        ("require_ssl_reuse", "NO".to_owned()),
        // The version that its clients here choose is then the best of both.
        ("ssl_tlsv1", "YES".to_owned()),
        ("ssl_ciphers", "HIGH".to_owned()),
        ("rsa_cert_file", path("certificate")),
        ("rsa_private_key_file", path("key")),
    ];
    let lines: String = settings.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
    fs::write(folder.path().join("vsftpd.conf"), lines)?;
    let mut command = Command::new(of_debian("vsftpd")?);
    command.arg(folder.path().join("vsftpd.conf"));
    Ok(command)
}

/// Its user is another one.
fn readable(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))
}
