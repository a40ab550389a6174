//! Why `async-tftp` serves as a peer and not as our own server: it cannot say what became of a file, and promises its
//! clients what storage has not confirmed.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use async_tftp::packet::Error;
use async_tftp::server::{Handler, TftpServerBuilder};
use futures_lite::{AsyncRead, AsyncWrite, future};
use tests::process::LIMIT;

/// What async-tftp does with a handler, a file and its storage, in the order in which it does it.
#[derive(Debug, PartialEq, Eq)]
enum Call {
    OpeningBegins(PathBuf),
    OpeningEnds(PathBuf),
    Read { bytes: usize },
    Write,
    Dropped,
}

/// Serves files of `size` bytes, takes time to open them, and stores nothing, ever.
struct Witness {
    size: usize,
    calls: Sender<Call>,
}

struct File {
    left: usize,
    calls: Sender<Call>,
}

impl Witness {
    fn tell(&self, call: Call) {
        self.calls.send(call).unwrap();
    }
}

impl Handler for Witness {
    type Reader = File;
    type Writer = File;

    async fn read_req_open(&mut self, _: &SocketAddr, path: &Path) -> Result<(File, Option<u64>), Error> {
        self.tell(Call::OpeningBegins(path.to_owned()));
        // Any other request that can be opened meanwhile has its turn now.
        for _ in 0..100 {
            future::yield_now().await;
        }
        self.tell(Call::OpeningEnds(path.to_owned()));
        Ok((File { left: self.size, calls: self.calls.clone() }, None))
    }

    async fn write_req_open(&mut self, _: &SocketAddr, _: &Path, _: Option<u64>) -> Result<File, Error> {
        Ok(File { left: 0, calls: self.calls.clone() })
    }
}

impl AsyncRead for File {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<std::io::Result<usize>> {
        let bytes = buffer.len().min(self.left);
        buffer[..bytes].fill(0);
        self.left -= bytes;
        let _ = self.calls.send(Call::Read { bytes });
        Poll::Ready(Ok(bytes))
    }
}

impl AsyncWrite for File {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<std::io::Result<usize>> {
        let _ = self.calls.send(Call::Write);
        Poll::Pending
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Pending
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Pending
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = self.calls.send(Call::Dropped);
    }
}

/// A socket for a server, and where it will be.
fn bound() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

/// Serves on that socket until the test ends, one packet sent `sendings` times at most, and tells what happens.
fn serve(socket: UdpSocket, size: usize, sendings: u32) -> Receiver<Call> {
    let (calls, told) = channel();
    let server = TftpServerBuilder::with_handler(Witness { size, calls })
        .timeout(Duration::from_millis(20))
        .max_send_retries(sendings - 1)
        .std_socket(socket)
        .unwrap();
    let server = future::block_on(server.build()).unwrap();
    thread::spawn(move || future::block_on(server.serve()));
    told
}

struct Client(UdpSocket);

impl Client {
    fn new() -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.set_read_timeout(Some(LIMIT)).unwrap();
        Self(socket)
    }

    fn send(&self, to: SocketAddr, packet: &[u8]) {
        self.0.send_to(packet, to).unwrap();
    }

    fn receive(&self) -> (Vec<u8>, SocketAddr) {
        let mut buffer = vec![0; 65_536];
        let (length, from) = self.0.recv_from(&mut buffer).expect("an answer");
        buffer.truncate(length);
        (buffer, from)
    }
}

const DATA_1: &[u8] = b"\0\x03\0\x01";
const ACK_0: &[u8] = b"\0\x04\0\0";
const ACK_1: &[u8] = b"\0\x04\0\x01";
const ERROR_DISK_FULL: &[u8] = b"\0\x05\0\x03disk full\0";

fn next(calls: &Receiver<Call>) -> Call {
    calls.recv_timeout(LIMIT).expect("something happens")
}

#[test]
fn it_acknowledges_an_upload_that_storage_has_not_taken() {
    let (socket, server) = bound();
    let calls = serve(socket, 0, 10);
    let client = Client::new();
    client.send(server, b"\0\x02backup\0octet\0");
    let (answer, transfer) = client.receive();
    assert_eq!(answer, ACK_0);

    client.send(transfer, &[DATA_1, b"the configuration"].concat());

    // The whole file is acknowledged, and storage will never have a byte of it.
    let acknowledged = std::iter::repeat_with(|| client.receive().0).find(|packet| packet != ACK_0);
    assert_eq!(acknowledged.unwrap(), ACK_1);
    assert_eq!(next(&calls), Call::Write);
}

#[test]
fn it_ignores_a_client_that_gives_up_and_goes_on_sending() {
    let (socket, server) = bound();
    let _calls = serve(socket, 3, 10);
    let client = Client::new();
    client.send(server, b"\0\x01image\0octet\0");
    let (first, transfer) = client.receive();
    assert!(first.starts_with(DATA_1));

    client.send(transfer, ERROR_DISK_FULL);

    assert_eq!(client.receive().0, first);
    assert_eq!(client.receive().0, first);
}

#[test]
fn what_the_application_sees_of_a_download_is_the_same_whether_it_succeeded_or_not() {
    let seen = |ending: &[u8]| {
        let (socket, server) = bound();
        let calls = serve(socket, 3, 1);
        let client = Client::new();
        client.send(server, b"\0\x01image\0octet\0");
        let (_, transfer) = client.receive();
        client.send(transfer, ending);
        let until_the_end = std::iter::repeat_with(|| next(&calls)).take_while(|call| *call != Call::Dropped);
        until_the_end.collect::<Vec<_>>()
    };
    assert_eq!(seen(ACK_1), seen(ERROR_DISK_FULL));
}

#[test]
fn it_opens_one_file_at_a_time() {
    const CLIENTS: usize = 8;
    let (socket, server) = bound();
    let clients: Vec<Client> = std::iter::repeat_with(Client::new).take(CLIENTS).collect();
    for (number, client) in clients.iter().enumerate() {
        client.send(server, format!("\0\x01image {number}\0octet\0").as_bytes());
    }
    // All requests wait in the socket before it begins.
    let calls = serve(socket, 3, 1);

    let (mut open, mut opened) = (BTreeSet::new(), 0);
    while opened < CLIENTS {
        match next(&calls) {
            Call::OpeningBegins(path) => {
                open.insert(path);
                assert_eq!(open.len(), 1, "{open:?}");
            }
            Call::OpeningEnds(path) => {
                open.remove(&path);
                opened += 1;
            }
            Call::Read { .. } | Call::Write | Call::Dropped => {}
        }
    }
}

#[test]
fn it_reads_as_far_ahead_as_the_client_says() {
    let (socket, server) = bound();
    let calls = serve(socket, usize::MAX, 10);
    let client = Client::new();
    client.send(server, b"\0\x01image\0octet\0blksize\x008192\0windowsize\x001024\0");
    let (agreed, transfer) = client.receive();
    assert!(agreed.starts_with(b"\0\x06"));
    client.send(transfer, ACK_0);
    let data = std::iter::repeat_with(|| client.receive().0).find(|packet| packet.starts_with(DATA_1));
    assert!(data.is_some());

    let read: usize =
        calls.try_iter().map(|call| if let Call::Read { bytes } = call { bytes } else { 0 }).sum();
    assert!(read >= 8 << 20, "{read} bytes were in memory before the first left it");
}
