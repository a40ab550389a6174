//! A device reads a file (RETR and SIZE, RFC 959 section 4.1.3 and RFC 3659 section 4).

use std::ops::Range;
use std::sync::Arc;

use engine::file_server::{Cause, FtpOutcome};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use unftp_core::storage::Error;
use upgrade::{Content, Digest, Direction, RunId};

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
    let mut piece = read(disk, digest, 0..size, Vec::new()).await?;
    let mut spare = Vec::new();
    while sent < size {
        let next = sent + piece.len() as u64;
        // While one goes out the next is read.
        let (gone, ahead) =
            tokio::join!(write(transfer, &piece, sent, output), read(disk, digest, next..size, spare));
        gone?;
        (sent, spare, piece) = (next, piece, ahead?);
    }
    transfer.moving(output.flush()).await?;
    Ok((size, digest))
}

/// The next piece of a range of the file, in place of what `piece` held: empty only where the range is.
async fn read(disk: &Disk, digest: Digest, range: Range<u64>, mut piece: Vec<u8>) -> Result<Vec<u8>, Cause> {
    let Range { start, end } = range;
    let length = usize::try_from(end - start).map_or(PIECE_BYTES, |rest| rest.min(PIECE_BYTES));
    piece.resize(length, 0);
    if length == 0 {
        return Ok(piece);
    }
    let read = disk.work(move |files| {
        let read = files.read_range(digest, start, &mut piece)?;
        piece.truncate(read);
        Ok(piece)
    });
    let piece = read.await?;
    if piece.len() < length {
        return Err(Cause::Storage(format!("the stored file {digest} is shorter than its ticket says")));
    }
    Ok(piece)
}

async fn write(
    transfer: &mut Transfer,
    piece: &[u8],
    mut sent: u64,
    output: &mut (impl AsyncWrite + Unpin + Send + ?Sized),
) -> Result<(), Cause> {
    let mut rest = piece;
    while !rest.is_empty() {
        let most = transfer.may_move(rest.len()).await?;
        let taken = transfer.moving(output.write(rest.get(..most).unwrap_or(rest))).await?;
        transfer.moved(taken);
        if taken == 0 {
            return Err(Cause::Device("its data connection takes no more".to_owned()));
        }
        rest = rest.get(taken..).unwrap_or_default();
        sent += taken as u64;
        transfer.progress(sent);
    }
    Ok(())
}
