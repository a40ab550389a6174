//! A device reads a file (RETR and SIZE, RFC 959 section 4.1.3 and RFC 3659 section 4).

use std::sync::Arc;

use engine::file_server::{Cause, FtpOutcome};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use unftp_core::storage::Error;
use upgrade::{Content, Direction, RunId};

use super::Service;
use super::connection::Connection;
use super::desk::FtpCall;
use super::pieces::Piece;
use super::transfer::Transfer;

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
    let outcome = whole_file(&mut transfer, connection.service(), output).await;
    transfer.end(outcome).await
}

async fn whole_file(
    transfer: &mut Transfer,
    service: &Service,
    output: &mut (impl AsyncWrite + Unpin + Send + ?Sized),
) -> FtpOutcome {
    let Content::Stored { digest } = transfer.grant().content else {
        return Err(Cause::Storage("the ticket names no file".to_owned()));
    };
    let size = transfer.grant().size;
    let read = |offset| service.pieces.read(&service.disk, digest, offset, size);
    let mut sent = 0;
    let mut next = read(sent).await?;
    while sent < size {
        let piece = std::mem::take(&mut next);
        let bytes = piece.get().map(Vec::as_slice).unwrap_or_default();
        let after = sent + bytes.len() as u64;
        // While one goes out the next is read.
        let ahead = async { if after < size { read(after).await } else { Ok(Piece::default()) } };
        let (gone, ahead) = tokio::join!(write(transfer, bytes, sent, output), ahead);
        gone?;
        (sent, next) = (after, ahead?);
    }
    transfer.moving(output.flush()).await?;
    Ok((size, digest))
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
