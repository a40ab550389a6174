//! A device reads a file (RETR and SIZE, RFC 959 section 4.1.3 and RFC 3659 section 4).

use std::sync::Arc;

use engine::file_server::{Cause, FtpOutcome};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use unftp_core::storage::Error;
use upgrade::{Content, Direction, RunId};

use super::connection::Connection;
use super::desk::FtpCall;
use super::disk::Disk;
use super::transfer::{PIECE_BYTES, Transfer};

/// Bytes of a file that the device may read.
pub(super) async fn size(connection: &Connection, run: RunId, name: &str) -> Result<u64, Error> {
    let (name, address) = (name.to_owned(), connection.peer());
    Ok(connection.ask(|reply| FtpCall::Size { run, name, address, reply }).await?)
}

/// Sends a file; tells its bytes.
pub(super) async fn send(
    connection: &Arc<Connection>,
    run: RunId,
    name: &str,
    output: &mut (impl AsyncWrite + Unpin + Send + ?Sized),
) -> Result<u64, Error> {
    let mut transfer = Transfer::begin(connection, run, name, Direction::Read).await?;
    let outcome = whole_file(&mut transfer, &connection.service().disk, output).await;
    transfer.end(outcome).await
}

async fn whole_file(
    transfer: &mut Transfer,
    disk: &Disk,
    output: &mut (impl AsyncWrite + Unpin + Send + ?Sized),
) -> FtpOutcome {
    let Content::Stored { digest } = transfer.grant().content else {
        return Err(Cause::Storage("the ticket names no file".to_owned()));
    };
    let size = transfer.grant().size;
    let mut sent = 0;
    let mut piece = Vec::new();
    while sent < size {
        let length = usize::try_from(size - sent).map_or(PIECE_BYTES, |rest| rest.min(PIECE_BYTES));
        piece.resize(length, 0);
        let read = disk.work(move |files| {
            let read = files.read_range(digest, sent, &mut piece)?;
            piece.truncate(read);
            Ok(piece)
        });
        piece = read.await?;
        if piece.len() < length {
            return Err(Cause::Storage(format!("the stored file {digest} is shorter than its ticket says")));
        }
        let mut rest = piece.as_slice();
        while !rest.is_empty() {
            let taken = transfer.moving(output.write(rest)).await?;
            if taken == 0 {
                return Err(Cause::Device("its data connection takes no more".to_owned()));
            }
            rest = rest.get(taken..).unwrap_or_default();
            sent += taken as u64;
            transfer.progress(sent);
        }
    }
    transfer.moving(output.flush()).await?;
    Ok((size, digest))
}
