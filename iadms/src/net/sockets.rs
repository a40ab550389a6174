//! One UDP port on IPv4, on IPv6 or on both.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use datagram::{Batch, BindError, Outbox, Socket, SocketOptions};
use engine::datagram::{Datagram, Transmit};

/// How often a port that is free in both families is looked for.
const MOST_TRIES: u32 = 16;

/// At most one socket for each family.
#[derive(Debug)]
pub struct Sockets {
    v4: Option<Socket>,
    v6: Option<Socket>,
}

/// Room for what the sockets receive at once.
#[derive(Debug, Default)]
pub struct Batches {
    v4: Batch,
    v6: Batch,
}

/// Datagrams that wait to be sent together.
#[derive(Debug, Default)]
pub struct Outgoing {
    v4: Outbox,
    v6: Outbox,
}

impl Sockets {
    /// Binds an address. `[::]` stands for all addresses of both families, on the same port; where the system has no
    /// IPv6, of IPv4.
    ///
    /// # Errors
    ///
    /// It cannot be had.
    pub fn bind(address: SocketAddr) -> Result<Self, BindError> {
        let options = SocketOptions::default();
        let all = address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED);
        if !all {
            let socket = Socket::bind(address, &options)?;
            let v4 = address.is_ipv4();
            return Ok(if v4 {
                Self { v4: Some(socket), v6: None }
            } else {
                Self { v4: None, v6: Some(socket) }
            });
        }
        let mut tries = 0;
        loop {
            tries += 1;
            let v4 =
                Socket::bind(SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), address.port()), &options)?;
            let same_port = SocketAddr::new(address.ip(), v4.address().port());
            match Socket::bind(same_port, &options) {
                Ok(v6) => return Ok(Self { v4: Some(v4), v6: Some(v6) }),
                // The system chose a port that is taken in the other family: another one then.
                Err(BindError::InUse { .. }) if address.port() == 0 && tries < MOST_TRIES => {}
                Err(error @ BindError::InUse { .. }) => return Err(error),
                Err(_) => return Ok(Self { v4: Some(v4), v6: None }),
            }
        }
    }

    /// A port of the system's choice for each family, on all addresses. A system without IPv6 has none there.
    ///
    /// # Errors
    ///
    /// Not even IPv4 can be had.
    pub fn unbound() -> Result<Self, BindError> {
        let options = SocketOptions::default();
        let v4 = Socket::bind(SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0), &options)?;
        let v6 = Socket::bind(SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), 0), &options).ok();
        Ok(Self { v4: Some(v4), v6 })
    }

    /// The same addresses, with ports of the system's choice.
    ///
    /// # Errors
    ///
    /// They cannot be had.
    pub fn beside(&self) -> Result<Self, BindError> {
        let options = SocketOptions::default();
        let beside = |socket: &Option<Socket>| {
            let address = socket.as_ref().map(|socket| SocketAddr::new(socket.address().ip(), 0));
            address.map(|address| Socket::bind(address, &options)).transpose()
        };
        Ok(Self { v4: beside(&self.v4)?, v6: beside(&self.v6)? })
    }

    /// Where they listen; `[::]` where on both families.
    pub fn address(&self) -> Option<SocketAddr> {
        self.v6.as_ref().or(self.v4.as_ref()).map(Socket::address)
    }

    /// Datagrams the system dropped for want of room.
    pub fn dropped(&self) -> u64 {
        [&self.v4, &self.v6].into_iter().flatten().filter_map(Socket::dropped).sum()
    }

    /// Waits for datagrams and takes as many as there are.
    ///
    /// # Errors
    ///
    /// A socket cannot be read any more.
    pub async fn receive(&self, batches: &mut Batches) -> io::Result<()> {
        let Batches { v4, v6 } = batches;
        v4.clear();
        v6.clear();
        tokio::select! {
            received = receive(self.v4.as_ref(), v4) => received,
            received = receive(self.v6.as_ref(), v6) => received,
        }
    }

    /// Takes what is there, without waiting.
    ///
    /// # Errors
    ///
    /// A socket cannot be read any more.
    pub fn try_receive(&self, batches: &mut Batches) -> io::Result<()> {
        let Batches { v4, v6 } = batches;
        for (socket, batch) in [(&self.v4, v4), (&self.v6, v6)] {
            batch.clear();
            if let Some(socket) = socket {
                socket.try_receive(batch)?;
            }
        }
        Ok(())
    }

    /// Sends, together with others where it is a single datagram: as soon as many wait, or when they are sent off.
    pub async fn queue(&self, transmit: &Transmit, buffer: &[u8], outgoing: &mut Outgoing) {
        if transmit.length > transmit.segment_size {
            // What came before it goes out before it.
            self.send_off(outgoing).await;
            self.send(transmit, buffer).await;
            return;
        }
        let waiting = if transmit.peer.is_ipv4() { &mut outgoing.v4 } else { &mut outgoing.v6 };
        waiting.push(transmit.peer, transmit.local, buffer.get(..transmit.length).unwrap_or(buffer));
        if waiting.len() >= Outbox::MOST_AT_ONCE {
            self.send_off(outgoing).await;
        }
    }

    /// Sends what waits. What one peer cannot be sent is lost like any datagram.
    pub async fn send_off(&self, outgoing: &mut Outgoing) {
        for (socket, waiting) in [(&self.v4, &mut outgoing.v4), (&self.v6, &mut outgoing.v6)] {
            if waiting.is_empty() {
                continue;
            }
            match socket {
                Some(socket) => socket.send_all(waiting, told).await,
                None => waiting.clear(),
            }
        }
    }

    /// Sends, and tells whether the system took it. What one peer cannot be sent is lost like any datagram; the others are
    /// not kept waiting.
    pub async fn send(&self, transmit: &Transmit, buffer: &[u8]) -> bool {
        let socket = if transmit.peer.is_ipv4() { &self.v4 } else { &self.v6 };
        let bytes = buffer.get(..transmit.length).unwrap_or(buffer);
        let segments = transmit.length > transmit.segment_size;
        let transmit = datagram::Transmit {
            peer: transmit.peer,
            local: transmit.local,
            bytes,
            segment_size: segments.then_some(transmit.segment_size),
        };
        let sent = match socket {
            Some(socket) => socket.send(&transmit).await,
            None => Err(io::Error::from(io::ErrorKind::AddrNotAvailable)),
        };
        if let Err(error) = &sent {
            told(transmit.peer, error);
        }
        sent.is_ok()
    }
}

fn told(peer: SocketAddr, error: &io::Error) {
    tracing::debug!(%peer, %error, "a datagram could not be sent");
}

async fn receive(socket: Option<&Socket>, batch: &mut Batch) -> io::Result<()> {
    match socket {
        Some(socket) => socket.receive(batch).await,
        None => std::future::pending().await,
    }
}

impl Batches {
    /// The datagrams as the engine takes them.
    pub fn datagrams(&self) -> Vec<Datagram<'_>> {
        let received = self.v4.iter().chain(self.v6.iter());
        received.map(|one| Datagram { peer: one.peer, local: one.local, bytes: one.bytes }).collect()
    }
}
