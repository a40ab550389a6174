//! An FTP server with a shelf in memory, as small as RFC 959 allows, which remembers from where each connection came.

use std::net::SocketAddr;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::Shelf;

/// The only user.
pub(crate) const USER: &str = "device";
/// And the password.
pub(crate) const PASSWORD: &str = "correct horse";

/// A server that runs until it is dropped.
pub(crate) struct FtpServer {
    pub(crate) address: SocketAddr,
    pub(crate) shelf: Shelf,
    _task: JoinSet<()>,
}

impl FtpServer {
    pub(crate) async fn start() -> Self {
        Self::start_at("127.0.0.1:0").await
    }

    pub(crate) async fn start_at(address: &str) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let (address, shelf) = (listener.local_addr().unwrap(), Shelf::default());
        let mut task = JoinSet::new();
        let served = shelf.clone();
        task.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, peer) = listener.accept().await.unwrap();
                served.saw(peer.ip());
                connections.spawn(serve(stream, served.clone()));
            }
        });
        Self { address, shelf, _task: task }
    }
}

async fn serve(stream: TcpStream, shelf: Shelf) -> std::io::Result<()> {
    let here = stream.local_addr()?.ip();
    let (reader, mut answers) = stream.into_split();
    let mut commands = BufReader::new(reader).lines();
    answers.write_all(b"220 ready\r\n").await?;
    let (mut user, mut data) = (String::new(), None);
    while let Some(line) = commands.next_line().await? {
        let (command, argument) = line.split_once(' ').unwrap_or((&line, ""));
        let answer = match command {
            "USER" => {
                user = argument.to_owned();
                "331 password?".to_owned()
            }
            "PASS" if user == USER && argument == PASSWORD => "230 welcome".to_owned(),
            "PASS" => "530 no".to_owned(),
            "TYPE" => "200 yes".to_owned(),
            "PASV" | "EPSV" => {
                let listener = TcpListener::bind((here, 0)).await?;
                let port = listener.local_addr()?.port();
                data = Some(listener);
                match command {
                    "PASV" => {
                        let host = here.to_string().replace('.', ",");
                        format!("227 entering passive mode ({host},{},{})", port / 256, port % 256)
                    }
                    _ => format!("229 entering extended passive mode (|||{port}|)"),
                }
            }
            "RETR" => match (shelf.get(argument), data.take()) {
                (Some(content), Some(listener)) => {
                    answers.write_all(b"150 here it comes\r\n").await?;
                    let (mut stream, peer) = listener.accept().await?;
                    shelf.saw(peer.ip());
                    stream.write_all(&content).await?;
                    stream.shutdown().await?;
                    "226 that was it".to_owned()
                }
                _ => "550 no such file".to_owned(),
            },
            "STOR" => match data.take() {
                Some(listener) => {
                    answers.write_all(b"150 give it\r\n").await?;
                    let (mut stream, peer) = listener.accept().await?;
                    shelf.saw(peer.ip());
                    let mut content = Vec::new();
                    stream.read_to_end(&mut content).await?;
                    shelf.put(argument, content);
                    "226 stored".to_owned()
                }
                None => "425 where?".to_owned(),
            },
            "QUIT" => "221 bye".to_owned(),
            _ => "502 no such command".to_owned(),
        };
        answers.write_all(format!("{answer}\r\n").as_bytes()).await?;
    }
    Ok(())
}
