//! Control and data connections secured by TLS (RFC 4217), where a device asks for that (AUTH TLS, PROT P).

use std::path::PathBuf;

use libunftp::ServerBuilder;
use libunftp::options::{FtpsRequired, TlsFlags};

use super::login::Device;
use super::tickets::Tickets;

/// What secures connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// File with the certificate chain (PEM).
    pub certificate: PathBuf,
    /// File with its private key (PEM).
    pub key: PathBuf,
    /// Whether nobody logs in, reads or writes without.
    pub required: bool,
}

/// A server that offers it, or takes nothing else. A data connection resumes the session of its control connection where the client
/// wants that; sessions are not shared between control connections.
pub(super) fn secured(
    server: ServerBuilder<Tickets, Device>,
    tls: Option<&Tls>,
) -> ServerBuilder<Tickets, Device> {
    let Some(Tls { certificate, key, required }) = tls else { return server };
    let needed = if *required { FtpsRequired::All } else { FtpsRequired::None };
    server
        .ftps(certificate, key)
        .ftps_tls_flags(
            TlsFlags::V1_2 | TlsFlags::V1_3 | TlsFlags::RESUMPTION_SESS_ID | TlsFlags::RESUMPTION_TICKETS,
        )
        .ftps_required(needed, needed)
}
