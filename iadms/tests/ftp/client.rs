//! A device's FTP client, word by word: it can do what no proper client does.

use std::net::{IpAddr, SocketAddr};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpSocket, TcpStream};

use crate::world::{DEVICE, PASSWORD, PATIENCE, RUN, World};

pub(crate) struct Client {
    pub(crate) control: BufReader<TcpStream>,
    own: IpAddr,
}

impl Client {
    /// Connects from an address of its own.
    pub(crate) async fn connect(server: SocketAddr, own: &str) -> Self {
        let own = own.parse().unwrap();
        let mut client = Self { control: BufReader::new(connect(own, server).await), own };
        assert_eq!(client.reply().await, 220);
        client
    }

    /// A device that has logged in.
    pub(crate) async fn logged_in(world: &World) -> Self {
        let mut client = Self::connect(world.address, DEVICE).await;
        assert_eq!(client.log_in(&RUN.to_string(), PASSWORD).await, 230);
        client
    }

    pub(crate) async fn log_in(&mut self, user: &str, password: &str) -> u16 {
        assert_eq!(self.command(&format!("USER {user}")).await, 331);
        self.command(&format!("PASS {password}")).await
    }

    /// Sends a command and waits for the code of its reply.
    pub(crate) async fn command(&mut self, command: &str) -> u16 {
        self.send(command).await;
        self.reply().await
    }

    pub(crate) async fn send(&mut self, command: &str) {
        self.control.write_all(format!("{command}\r\n").as_bytes()).await.unwrap();
    }

    pub(crate) async fn reply(&mut self) -> u16 {
        self.line().await[..3].parse().unwrap()
    }

    /// The last line of the next reply.
    pub(crate) async fn line(&mut self) -> String {
        loop {
            let mut line = String::new();
            let read = tokio::time::timeout(PATIENCE, self.control.read_line(&mut line)).await.unwrap();
            assert_ne!(read.unwrap(), 0, "the server closed the control connection");
            let is_last =
                line.as_bytes().first().is_some_and(u8::is_ascii_digit) && line.as_bytes()[3] == b' ';
            if is_last {
                return line;
            }
        }
    }

    /// Whether the server has closed the control connection, once it has.
    pub(crate) async fn closed(&mut self) -> bool {
        let mut rest = Vec::new();
        tokio::time::timeout(PATIENCE, self.control.read_to_end(&mut rest)).await.is_ok()
    }

    /// Opens a data connection in extended passive mode.
    pub(crate) async fn data(&mut self) -> TcpStream {
        self.send("EPSV").await;
        let line = self.line().await;
        let port = line.split('|').nth(3).unwrap().parse().unwrap();
        let server = self.control.get_ref().peer_addr().unwrap().ip();
        connect(self.own, SocketAddr::new(server, port)).await
    }

    /// Reads a file: its bytes, and the code of the last reply.
    pub(crate) async fn retrieve(&mut self, name: &str) -> (Vec<u8>, u16) {
        let mut data = self.data().await;
        assert_eq!(self.command(&format!("RETR {name}")).await, 150);
        let mut bytes = Vec::new();
        // A refused transfer may be reset.
        let _ = data.read_to_end(&mut bytes).await;
        (bytes, self.reply().await)
    }

    /// Writes a file: the code of the last reply.
    pub(crate) async fn store(&mut self, name: &str, bytes: &[u8]) -> u16 {
        let mut data = self.data().await;
        assert_eq!(self.command(&format!("STOR {name}")).await, 150);
        // A refused transfer may be reset.
        let _ = data.write_all(bytes).await;
        drop(data);
        self.reply().await
    }
}

async fn connect(own: IpAddr, server: SocketAddr) -> TcpStream {
    let socket = if own.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }.unwrap();
    socket.bind(SocketAddr::new(own, 0)).unwrap();
    tokio::time::timeout(PATIENCE, socket.connect(server)).await.unwrap().unwrap()
}
