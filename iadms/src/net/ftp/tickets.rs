//! What there is to see by FTP: files whose names are tickets, in one folder that cannot be listed or changed.

use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncWrite};
use unftp_core::storage::{Error, ErrorKind, Fileinfo, Metadata, Result, StorageBackend};

use super::connection::Connection;
use super::login::Device;
use super::{download, upload};

/// The files of one connection.
#[derive(Debug)]
pub(super) struct Tickets(pub(super) Arc<Connection>);

/// What is known of a file before it is read: its size.
#[derive(Debug)]
pub(super) struct Size(u64);

#[async_trait]
impl StorageBackend<Device> for Tickets {
    type Metadata = Size;

    fn name(&self) -> &'static str {
        "tickets"
    }

    async fn metadata<P: AsRef<Path> + Send + Debug>(&self, device: &Device, path: P) -> Result<Size> {
        download::size(&self.0, device.run, ticket(path.as_ref())?).await.map(Size)
    }

    async fn get_into<'a, P, W>(&self, device: &Device, path: P, start: u64, output: &'a mut W) -> Result<u64>
    where
        W: AsyncWrite + Unpin + Sync + Send + ?Sized,
        P: AsRef<Path> + Send + Debug,
    {
        from_the_first_byte(start)?;
        download::send(&self.0, device.run, ticket(path.as_ref())?, output).await
    }

    async fn put<P, R>(&self, device: &Device, input: R, path: P, start: u64) -> Result<u64>
    where
        P: AsRef<Path> + Send + Debug,
        R: AsyncRead + Send + Sync + Unpin + 'static,
    {
        from_the_first_byte(start)?;
        upload::receive(&self.0, device.run, ticket(path.as_ref())?, input).await
    }

    /// There is one folder, and everybody is in it. Many clients say so before they begin.
    async fn cwd<P: AsRef<Path> + Send + Debug>(&self, _: &Device, path: P) -> Result<()> {
        if path.as_ref() == Path::new("/") {
            Ok(())
        } else {
            Err(ErrorKind::PermanentDirectoryNotAvailable.into())
        }
    }

    async fn get<P: AsRef<Path> + Send + Debug>(
        &self,
        _: &Device,
        _: P,
        _: u64,
    ) -> Result<Box<dyn AsyncRead + Send + Sync + Unpin>> {
        // Only get_into is asked for, and MD5, which is not offered.
        not_served()
    }

    async fn list<P>(&self, _: &Device, _: P) -> Result<Vec<Fileinfo<PathBuf, Size>>>
    where
        P: AsRef<Path> + Send + Debug,
    {
        not_served()
    }

    async fn del<P: AsRef<Path> + Send + Debug>(&self, _: &Device, _: P) -> Result<()> {
        not_served()
    }

    async fn mkd<P: AsRef<Path> + Send + Debug>(&self, _: &Device, _: P) -> Result<()> {
        not_served()
    }

    async fn rename<P: AsRef<Path> + Send + Debug>(&self, _: &Device, _: P, _: P) -> Result<()> {
        not_served()
    }

    async fn rmd<P: AsRef<Path> + Send + Debug>(&self, _: &Device, _: P) -> Result<()> {
        not_served()
    }
}

impl Metadata for Size {
    fn len(&self) -> u64 {
        self.0
    }

    fn is_dir(&self) -> bool {
        false
    }

    fn is_file(&self) -> bool {
        true
    }

    fn is_symlink(&self) -> bool {
        false
    }

    fn modified(&self) -> Result<SystemTime> {
        not_served()
    }

    fn gid(&self) -> u32 {
        0
    }

    fn uid(&self) -> u32 {
        0
    }
}

/// The ticket's name in a path: right below the root, where everybody is.
fn ticket(path: &Path) -> Result<&str> {
    let path = path.to_str().unwrap_or_default();
    let name = path.strip_prefix('/').unwrap_or(path);
    if name.is_empty() || name.contains('/') {
        Err(ErrorKind::FileNameNotAllowedError.into())
    } else {
        Ok(name)
    }
}

/// No transfer is resumed. A file put together from two transfers would be evidence of neither; and libunftp keeps
/// an offset (REST) beyond the transfer it was given for, where that one fails.
fn from_the_first_byte(start: u64) -> Result<()> {
    if start == 0 { Ok(()) } else { not_served() }
}

fn not_served<T>() -> Result<T> {
    Err(Error::from(ErrorKind::CommandNotImplemented))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::ticket;

    #[test]
    fn a_ticket_lies_right_below_the_root() {
        assert_eq!(ticket(Path::new("/abc123")).unwrap(), "abc123");
        assert_eq!(ticket(Path::new("abc123")).unwrap(), "abc123");
        for path in ["", "/", "//abc123", "/folder/abc123", "/../abc123", "abc123/", "folder/abc123"] {
            assert!(ticket(Path::new(path)).is_err(), "{path}");
        }
    }
}
