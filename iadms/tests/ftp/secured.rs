//! Connections secured by TLS (RFC 4217): files go both ways, and where it is asked for, none without.

use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;

use engine::file_server::News;
use iadms::net::ftp::{BindError, FtpServer, FtpSettings, Tls};
use rcgen::CertifiedKey;
use suppaftp::tokio::{AsyncRustlsConnector, AsyncRustlsFtpStream};
use suppaftp::types::FileType;
use suppaftp::{FtpError, FtpResult};
use tempfile::TempDir;
use tokio::io::AsyncReadExt;
use tokio::runtime::Builder;
use tokio::sync::mpsc;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::client::Client;
use crate::world::{PASSWORD, RUN, World, bytes, settings};

const HOST: &str = "manager.example";

/// A certificate that nobody but these clients trusts.
struct Secured {
    folder: TempDir,
    client: Arc<ClientConfig>,
}

impl Secured {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let CertifiedKey { cert, signing_key } =
            rcgen::generate_simple_self_signed([HOST.to_owned()]).unwrap();
        fs::write(folder.path().join("certificate"), cert.pem()).unwrap();
        fs::write(folder.path().join("key"), signing_key.serialize_pem()).unwrap();
        let mut trusted = RootCertStore::empty();
        trusted.add(cert.der().clone()).unwrap();
        let client = ClientConfig::builder_with_provider(Arc::new(default_provider()));
        let client = client.with_safe_default_protocol_versions().unwrap();
        let client = client.with_root_certificates(trusted).with_no_client_auth();
        Self { folder, client: Arc::new(client) }
    }

    fn settings(&self, required: bool) -> FtpSettings {
        let [certificate, key] = ["certificate", "key"].map(|name| self.folder.path().join(name));
        FtpSettings { tls: Some(Tls { certificate, key, required }), ..settings() }
    }

    /// A device that has asked for TLS and has it.
    async fn connect(&self, server: SocketAddr) -> FtpResult<AsyncRustlsFtpStream> {
        let stream = AsyncRustlsFtpStream::connect(server).await?;
        let connector = AsyncRustlsConnector::from(TlsConnector::from(Arc::clone(&self.client)));
        stream.into_secure(connector, HOST).await
    }

    async fn logged_in(&self, world: &World) -> AsyncRustlsFtpStream {
        let mut client = self.connect(world.address).await.unwrap();
        client.login(&*RUN.to_string(), PASSWORD).await.unwrap();
        client.transfer_type(FileType::Binary).await.unwrap();
        client
    }
}

#[tokio::test]
async fn files_go_both_ways_over_tls() {
    let secured = Secured::new();
    for required in [false, true] {
        let world = World::at("127.0.0.1:0", secured.settings(required)).await;
        let image = bytes(3 * 256 * 1024 + 7);
        let stored = world.readable("image", &image).await;
        let mut client = secured.logged_in(&world).await;
        let mut data = client.retr_as_stream("image").await.unwrap();
        let mut read = Vec::new();
        data.read_to_end(&mut read).await.unwrap();
        data.finish().await.unwrap();
        assert!(read == image, "byte for byte");
        let done = News::Done { size: stored.size, sha256: stored.digest };
        assert_eq!(world.end("image").await, done);

        let backup = bytes(100_000);
        world.writable("backup", backup.len() as u64).await;
        let mut client = secured.logged_in(&world).await;
        client.put_file("backup", &mut &*backup).await.unwrap();
        let News::Done { sha256, .. } = world.end("backup").await else { panic!("not done") };
        assert!(world.files.read(sha256).unwrap() == backup, "byte for byte");
    }
}

#[tokio::test]
async fn without_tls_devices_are_served_unless_it_is_required() {
    let secured = Secured::new();
    let offered = World::at("127.0.0.1:0", secured.settings(false)).await;
    offered.readable("image", b"plain").await;
    let mut client = Client::logged_in(&offered).await;
    assert_eq!(client.retrieve("image").await, (b"plain".to_vec(), 226));

    let required = World::at("127.0.0.1:0", secured.settings(true)).await;
    required.readable("image", b"secured").await;
    let mut client = Client::connect(required.address, "127.0.0.1").await;
    assert_eq!(client.command(&format!("USER {RUN}")).await, 534, "no name goes over in the clear");
    // Its login secured, it asks for the file in the clear.
    let mut client = secured.logged_in(&required).await;
    let plain = client.custom_command("PROT C", &[suppaftp::Status::CommandOk]).await;
    let read = client.retr_as_stream("image").await;
    assert!(plain.is_err() || matches!(read, Err(FtpError::UnexpectedResponse(_))), "{plain:?} {read:?}");
}

#[tokio::test]
async fn a_certificate_or_key_that_cannot_be_used_is_told_at_the_start() {
    let secured = Secured::new();
    let bind = |settings: FtpSettings| {
        let (calls, _called) = mpsc::channel(1);
        let files = iadms::files::Files::open(secured.folder.path()).unwrap();
        FtpServer::bind(([127, 0, 0, 1], 0).into(), calls, files, settings).map(drop)
    };
    assert!(bind(secured.settings(true)).is_ok());
    let key = secured.folder.path().join("key");
    for broken in [Some("no key at all"), None] {
        match broken {
            Some(text) => fs::write(&key, text).unwrap(),
            None => fs::remove_file(&key).unwrap(),
        }
        let refused = bind(secured.settings(true));
        assert!(matches!(refused, Err(BindError::Tls(_))), "{refused:?}");
    }
}

/// The server reads what follows AUTH TLS as commands until it knows of that by itself: on a thread of its own, as the daemon has it,
/// it knows before it reads on.
#[test]
fn no_login_over_tls_fails() {
    let secured = Arc::new(Secured::new());
    let (told, address) = std::sync::mpsc::channel();
    let settings = secured.settings(true);
    // It ends with the test.
    thread::spawn(move || {
        Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let world = World::at("127.0.0.1:0", settings).await;
            world.readable("image", b"makes the password good").await;
            told.send(world.address).unwrap();
            std::future::pending::<()>().await;
        });
    });
    let address = address.recv().unwrap();
    Builder::new_multi_thread().enable_all().build().unwrap().block_on(async {
        for _ in 0..50 {
            let clients: Vec<_> = (0..20)
                .map(|_| {
                    let secured = Arc::clone(&secured);
                    tokio::spawn(async move {
                        secured.connect(address).await?.login(&*RUN.to_string(), PASSWORD).await
                    })
                })
                .collect();
            for client in clients {
                client.await.unwrap().unwrap();
            }
        }
    });
}
