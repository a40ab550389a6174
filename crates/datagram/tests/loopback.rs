//! Over the loopback interface, whose whole network 127.0.0.0/8 belongs to this host.

#![allow(clippy::unwrap_used, reason = "this is a test")]

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use datagram::{Batch, BindError, Outbox, Socket, SocketOptions, Transmit};

fn open(address: &str) -> Socket {
    Socket::bind(address.parse().unwrap(), &SocketOptions::default()).unwrap()
}

fn at(address: &str, socket: &Socket) -> SocketAddr {
    SocketAddr::new(address.parse().unwrap(), socket.address().port())
}

async fn send(
    from: &Socket,
    peer: SocketAddr,
    local: Option<&str>,
    bytes: &[u8],
    segment_size: Option<usize>,
) {
    let local = local.map(|address| address.parse().unwrap());
    from.send(&Transmit { peer, local, bytes, segment_size }).await.unwrap();
}

/// Waits until that many datagrams came, and returns them as peer, local address and contents.
async fn take(socket: &Socket, count: usize) -> Vec<(SocketAddr, Option<IpAddr>, Vec<u8>)> {
    let mut batch = Batch::new();
    let mut taken = Vec::new();
    while taken.len() < count {
        socket.receive(&mut batch).await.unwrap();
        assert!(!batch.is_empty());
        taken.extend(batch.iter().map(|one| (one.peer, one.local, one.bytes.to_vec())));
    }
    assert_eq!(taken.len(), count);
    taken
}

#[tokio::test]
async fn a_wildcard_socket_tells_which_address_was_asked_and_answers_from_there() {
    let server = open("0.0.0.0:0");
    let client = open("127.0.0.1:0");
    for asked in ["127.0.0.1", "127.0.0.77", "127.8.9.10"] {
        send(&client, at(asked, &server), None, asked.as_bytes(), None).await;
        let question = take(&server, 1).await.remove(0);
        assert_eq!(question, (client.address(), Some(asked.parse().unwrap()), asked.as_bytes().to_vec()));
        send(&server, question.0, Some(asked), b"answer", None).await;
        let answer = take(&client, 1).await.remove(0);
        assert_eq!(answer.0, at(asked, &server), "the answer comes from the address asked");
    }
}

#[tokio::test]
async fn one_client_socket_speaks_for_many_addresses() {
    let server = open("127.0.0.1:0");
    let many = open("0.0.0.0:0");
    for last in 2..100u8 {
        let local = format!("127.0.3.{last}");
        send(&many, server.address(), Some(&local), &[last], None).await;
    }
    let mut peers = BTreeMap::new();
    for (peer, _, bytes) in take(&server, 98).await {
        peers.insert(bytes[0], peer);
    }
    assert_eq!(peers.len(), 98);
    assert!(peers.iter().all(|(&last, peer)| *peer == at(&format!("127.0.3.{last}"), &many)));
}

#[tokio::test]
async fn what_is_sent_together_goes_to_each_peer_from_the_address_it_was_to_come_from() {
    for host in ["127.0.3.7", "::1"] {
        let any_port = SocketAddr::new(host.parse().unwrap(), 0).to_string();
        let sender = open(&any_port);
        let peers: Vec<_> = (0..150).map(|_| open(&any_port)).collect();
        let mut outbox = Outbox::default();
        for (number, peer) in peers.iter().enumerate() {
            let local = (number % 3 > 0).then(|| sender.address().ip());
            outbox.push(peer.address(), local, &[number as u8; 3]);
        }
        assert_eq!(outbox.len(), 150);
        sender.send_all(&mut outbox, |peer, error| panic!("{peer}: {error}")).await;
        assert!(outbox.is_empty());
        for (number, peer) in peers.iter().enumerate() {
            let came = take(peer, 1).await.remove(0);
            assert_eq!((came.0, came.2), (sender.address(), vec![number as u8; 3]));
        }
    }
}

#[tokio::test]
async fn what_one_peer_cannot_be_sent_keeps_nobody_waiting() {
    let (sender, one, other) = (open("127.0.0.1:0"), open("127.0.0.1:0"), open("127.0.0.1:0"));
    let nowhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    for waits in [true, false] {
        let mut outbox = Outbox::default();
        for peer in [nowhere, one.address(), nowhere, nowhere, other.address(), nowhere] {
            outbox.push(peer, None, b"packet");
        }
        // Longer than a datagram may be.
        outbox.push(one.address(), None, &[0; 70_000]);
        outbox.push(other.address(), None, b"");
        let mut refused = Vec::new();
        if waits {
            sender.send_all(&mut outbox, |peer, _| refused.push(peer)).await;
        } else {
            sender.try_send_all(&mut outbox, |peer, _| refused.push(peer));
        }
        assert_eq!(refused, [nowhere, nowhere, nowhere, nowhere, one.address()]);
        assert_eq!(take(&one, 1).await.remove(0).2, b"packet");
        let came: Vec<_> = take(&other, 2).await.into_iter().map(|(_, _, bytes)| bytes).collect();
        assert_eq!(came, [b"packet".to_vec(), Vec::new()]);
    }
}

#[tokio::test]
async fn segments_arrive_as_single_datagrams_whole_and_in_order() {
    let server = open("127.0.0.1:0");
    let client = open("127.0.0.1:0");
    for (size, count) in [(516, 64), (516, 200), (1432, 150), (20_000, 7), (4, 1000)] {
        let mut bytes: Vec<u8> = (0..size * count).map(|at| (at / size) as u8).collect();
        bytes.truncate(size * count - 3);
        send(&client, server.address(), Some("127.0.0.1"), &bytes, Some(size)).await;
        let taken = take(&server, count).await;
        for (number, (_, _, segment)) in taken.iter().enumerate() {
            let expected = if number == count - 1 { size - 3 } else { size };
            assert_eq!(segment.len(), expected, "{size} x {count}, segment {number}");
            assert!(segment.iter().all(|&byte| byte == number as u8));
        }
    }
}

#[tokio::test]
async fn segments_too_large_to_go_together_go_one_by_one() {
    let server = open("127.0.0.1:0");
    let client = open("127.0.0.1:0");
    // More than fits a packet of the loopback interface's MTU with others: each is sent alone.
    let bytes = vec![7; 40_000 * 3];
    send(&client, server.address(), None, &bytes, Some(40_000)).await;
    let sizes: Vec<usize> = take(&server, 3).await.iter().map(|(_, _, segment)| segment.len()).collect();
    assert_eq!(sizes, [40_000; 3]);
}

#[tokio::test]
async fn the_smallest_and_the_largest_datagram() {
    let server = open("127.0.0.1:0");
    let client = open("127.0.0.1:0");
    send(&client, server.address(), None, b"", None).await;
    send(&client, server.address(), None, &[3; 65_507], None).await;
    let taken = take(&server, 2).await;
    assert_eq!((taken[0].2.len(), taken[1].2.len()), (0, 65_507));
    let too_large = Transmit { peer: server.address(), local: None, bytes: &[0; 65_508], segment_size: None };
    assert!(client.send(&too_large).await.is_err());
}

#[tokio::test]
async fn both_wildcards_share_a_port_and_ipv6_tells_its_addresses_too() {
    let six = open("[::]:0");
    let four = open(&format!("0.0.0.0:{}", six.address().port()));
    let client = open("[::1]:0");
    let peer = SocketAddr::new(Ipv6Addr::LOCALHOST.into(), six.address().port());
    send(&client, peer, Some("::1"), b"hello", None).await;
    let question = take(&six, 1).await.remove(0);
    assert_eq!((question.0, question.1), (client.address(), Some(Ipv6Addr::LOCALHOST.into())));
    send(&six, question.0, Some("::1"), &[9; 3000], Some(1000)).await;
    assert_eq!(take(&client, 3).await[0].0, peer);
    // Larger than most paths' MTU: it may travel in fragments.
    send(&six, question.0, Some("::1"), &[9; 5000], None).await;
    assert_eq!(take(&client, 1).await[0].2.len(), 5000);
    assert_eq!(four.address().ip(), IpAddr::V4(Ipv4Addr::UNSPECIFIED));
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let first = open("127.0.0.1:0");
    let error = Socket::bind(first.address(), &SocketOptions::default()).unwrap_err();
    assert!(matches!(error, BindError::InUse { address } if address == first.address()));
    let port = first.address().port();
    assert_eq!(error.to_string(), format!("UDP port {port} of 127.0.0.1 is in use by another socket"));
}

#[tokio::test]
async fn an_address_of_another_host_is_refused_unless_bound_freely() {
    let elsewhere: SocketAddr = "192.0.2.1:0".parse().unwrap();
    let error = Socket::bind(elsewhere, &SocketOptions::default()).unwrap_err();
    assert!(matches!(error, BindError::NoSuchAddress { .. }), "{error}");
    let free = SocketOptions { freebind: true, ..SocketOptions::default() };
    assert_eq!(Socket::bind(elsewhere, &free).unwrap().address().ip(), elsewhere.ip());
    let elsewhere_six: SocketAddr = "[2001:db8::1]:0".parse().unwrap();
    assert_eq!(Socket::bind(elsewhere_six, &free).unwrap().address().ip(), elsewhere_six.ip());
}

#[tokio::test]
async fn a_closed_port_of_one_peer_does_not_end_the_receiving_from_others() {
    let server = open("127.0.0.1:0");
    let client = open("127.0.0.1:0");
    let gone = open("127.0.0.1:0").address();
    for _ in 0..10 {
        send(&server, gone, None, b"is anybody there?", None).await;
    }
    send(&client, server.address(), None, b"still here", None).await;
    assert_eq!(take(&server, 1).await[0].2, b"still here");
}

#[tokio::test]
async fn a_socket_that_is_not_emptied_counts_its_drops() {
    let small = SocketOptions { receive_buffer: 4096, ..SocketOptions::default() };
    let server = Socket::bind("127.0.0.1:0".parse().unwrap(), &small).unwrap();
    let client = open("127.0.0.1:0");
    assert!(server.receive_buffer().unwrap() < client.receive_buffer().unwrap());
    assert!(client.send_buffer().unwrap() > 0);
    assert_eq!(server.dropped(), Some(0));
    for _ in 0..100 {
        send(&client, server.address(), None, &[0; 1000], None).await;
    }
    // Nobody takes any, so sooner or later the kernel has no room.
    while server.dropped() == Some(0) {
        tokio::task::yield_now().await;
    }
    let mut batch = Batch::new();
    let mut taken = 0;
    while server.dropped() != Some(100 - taken) {
        server.try_receive(&mut batch).unwrap();
        taken += batch.iter().count() as u64;
        tokio::task::yield_now().await;
    }
    assert!((1..100).contains(&taken), "{taken}");
}

#[tokio::test]
async fn sending_without_waiting_works_from_the_start() {
    let server = open("127.0.0.1:0");
    let client = open("127.0.0.1:0");
    let bytes = vec![1; 516 * 20];
    client
        .try_send(&Transmit { peer: server.address(), local: None, bytes: &bytes, segment_size: Some(516) })
        .unwrap();
    assert_eq!(take(&server, 20).await.len(), 20);
}
