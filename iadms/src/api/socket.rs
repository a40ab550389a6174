//! The Unix socket: its owner's alone from the first moment, and never taken from a daemon that lives.

use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixStream};

/// Why the socket cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// A daemon answers there.
    #[error("another iadms answers on the socket {}", .0.display())]
    InUse(PathBuf),
    /// There is something else.
    #[error("{} is no socket and is left as it is", .0.display())]
    NoSocket(PathBuf),
    /// The system refuses.
    #[error("cannot make the socket {}", path.display())]
    System {
        /// The path.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl SocketError {
    /// What to do about it.
    pub const fn next(&self) -> &'static str {
        match self {
            Self::InUse(_) => "end it, or give another path: --socket PATH",
            Self::NoSocket(_) => "move it away, or give another path: --socket PATH",
            Self::System { .. } => "check the folder's rights, or give another path: --socket PATH",
        }
    }
}

/// Listens at `path`.
///
/// # Errors
///
/// Somebody listens there already, or the path will not do.
pub async fn bind(path: &Path) -> Result<UnixListener, SocketError> {
    let refused = |source| SocketError::System { path: path.to_owned(), source };
    match fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => return Err(SocketError::NoSocket(path.to_owned())),
        // A socket that nobody listens to is what a daemon leaves that was killed.
        Ok(_) if UnixStream::connect(path).await.is_ok() => return Err(SocketError::InUse(path.to_owned())),
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(refused(error)),
    }
    // Under its name it appears with its rights already set.
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(refused(error)),
        _ => {}
    }
    let listener = UnixListener::bind(&beside).map_err(refused)?;
    fs::set_permissions(&beside, Permissions::from_mode(0o600)).map_err(refused)?;
    fs::rename(&beside, path).map_err(refused)?;
    Ok(listener)
}
