//! A device writes a file (STOR, RFC 959 section 4.1.3). It is on the disk before the device hears so.

use std::sync::Arc;

use engine::file_server::{Cause, FtpOutcome};
use tokio::io::{AsyncRead, AsyncReadExt};
use unftp_core::storage::Error;
use upgrade::{Content, Direction, RunId};

use super::connection::Connection;
use super::disk::Disk;
use super::transfer::{PIECE_BYTES, Transfer};

/// Receives a file; tells its bytes.
pub(super) async fn receive(
    connection: &Arc<Connection>,
    run: RunId,
    name: &str,
    mut input: impl AsyncRead + Unpin + Send,
) -> Result<u64, Error> {
    let mut transfer = Transfer::begin(connection, run, name, Direction::Write).await?;
    let outcome = whole_file(&mut transfer, &connection.service().disk, &mut input).await;
    transfer.end(outcome).await
}

async fn whole_file(
    transfer: &mut Transfer,
    disk: &Disk,
    input: &mut (impl AsyncRead + Unpin + Send),
) -> FtpOutcome {
    if transfer.grant().content != Content::Arriving {
        return Err(Cause::Storage("the ticket is for no new file".to_owned()));
    }
    let limit = transfer.grant().size;
    let mut file = disk.work(|files| Ok(files.begin())).await?;
    let mut piece = Vec::with_capacity(PIECE_BYTES);
    loop {
        let is_last = fill(transfer, input, file.size(), &mut piece).await?;
        if file.size() + piece.len() as u64 > limit {
            return Err(Cause::TooLarge { limit });
        }
        let write = disk.work(move |_| {
            file.write(&piece)?;
            piece.clear();
            Ok((file, piece))
        });
        (file, piece) = write.await?;
        if is_last {
            break;
        }
    }
    // Of a device whose program died the system closes both connections, and the rest of the file never comes.
    transfer.confirmable()?;
    let stored = disk.work(move |_| file.keep()).await?;
    transfer.confirmable()?;
    Ok((stored.size, stored.digest))
}

/// Reads until the piece is full or the data connection ends; tells whether it ended.
async fn fill(
    transfer: &mut Transfer,
    input: &mut (impl AsyncRead + Unpin + Send),
    before: u64,
    piece: &mut Vec<u8>,
) -> Result<bool, Cause> {
    while piece.len() < PIECE_BYTES {
        let room = transfer.may_move(PIECE_BYTES - piece.len()).await?;
        let read = transfer.moving(input.take(room as u64).read_buf(piece)).await?;
        if read == 0 {
            return Ok(true);
        }
        transfer.moved(read);
        transfer.progress(before + piece.len() as u64);
    }
    Ok(false)
}
