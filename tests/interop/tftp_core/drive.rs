//! Carries packets between one transfer of the core and a socket, and plays storage in memory.

use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tests::process::LIMIT;
use tftp::{Chunk, Failure, Outcome, Packet, Receiver, Sender, Transmit};

/// One transfer and its file.
pub(super) enum Transfer {
    Sending(Sender, Arc<[u8]>),
    Receiving(Receiver, Vec<u8>),
}

/// Asks `server`, carries the transfer to its end and returns the file as it is then.
///
/// The file is all there is at the end: nobody waits for the time in which a peer might miss the last acknowledgement,
/// as nothing is lost here.
pub(super) fn drive(mut transfer: Transfer, server: SocketAddr) -> Result<Vec<u8>, Failure> {
    let socket = UdpSocket::bind((server.ip(), 0)).unwrap();
    // The first answer of the server says where it sends all others from (RFC 1350 section 4).
    let (mut peer, mut is_answered) = (server, false);
    let began = Instant::now();
    let mut outgoing = Vec::new();
    let mut incoming = vec![0; 65_536];
    loop {
        assert!(began.elapsed() < LIMIT, "the transfer does not end");
        transfer.exchange_with_storage(began.elapsed());
        while let Some(transmit) = transfer.poll_transmit(began.elapsed(), &mut outgoing) {
            for packet in outgoing[..transmit.length].chunks(transmit.segment_size) {
                socket.send_to(packet, peer).unwrap();
            }
        }
        if let Some(outcome) = transfer.outcome() {
            return outcome.clone().map(|_| transfer.into_file());
        }
        let wait = transfer.next_deadline().unwrap_or(LIMIT).saturating_sub(began.elapsed());
        socket.set_read_timeout(Some(wait.max(Duration::from_millis(1)))).unwrap();
        match socket.recv_from(&mut incoming) {
            Ok((length, from)) => {
                if from == peer || (!is_answered && from.ip() == server.ip()) {
                    (peer, is_answered) = (from, true);
                    let packet = Packet::decode(&incoming[..length]).expect("a packet of TFTP");
                    transfer.handle(&packet, began.elapsed());
                }
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

impl Transfer {
    fn exchange_with_storage(&mut self, now: Duration) {
        match self {
            Self::Sending(sender, file) => {
                while let Some(need) = sender.poll_need() {
                    let begin = usize::try_from(need.offset).unwrap();
                    let end = file.len().min(begin + need.length);
                    let bytes = Arc::from(&file[begin..end]);
                    sender.supply(Chunk { offset: need.offset, bytes, last: end == file.len() }, now);
                }
            }
            Self::Receiving(receiver, file) => {
                while let Some(write) = receiver.poll_write() {
                    assert_eq!(write.offset, file.len() as u64, "writes come in order");
                    file.extend_from_slice(&write.bytes);
                    receiver.written(file.len() as u64, now);
                    if write.last {
                        receiver.stored(now);
                    }
                }
            }
        }
    }

    fn handle(&mut self, packet: &Packet<'_>, now: Duration) {
        match self {
            Self::Sending(sender, _) => sender.handle(packet, now),
            Self::Receiving(receiver, _) => receiver.handle(packet, now),
        }
    }

    fn poll_transmit(&mut self, now: Duration, buffer: &mut Vec<u8>) -> Option<Transmit> {
        match self {
            Self::Sending(sender, _) => sender.poll_transmit(now, buffer),
            Self::Receiving(receiver, _) => receiver.poll_transmit(now, buffer),
        }
    }

    fn next_deadline(&self) -> Option<Duration> {
        match self {
            Self::Sending(sender, _) => sender.next_deadline(),
            Self::Receiving(receiver, _) => receiver.next_deadline(),
        }
    }

    fn outcome(&self) -> Option<&Outcome> {
        match self {
            Self::Sending(sender, _) => sender.outcome(),
            Self::Receiving(receiver, _) => receiver.outcome(),
        }
    }

    fn into_file(self) -> Vec<u8> {
        match self {
            Self::Sending(_, file) => file.to_vec(),
            Self::Receiving(_, file) => file,
        }
    }
}
