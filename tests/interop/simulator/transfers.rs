//! The device's TFTP client at foreign servers: backups, restores and images arrive byte for byte.

use iad_sim::device::image::{BootBehaviour, Plan};
use iad_sim::device::{BufferState, ConfigurationKind, Digest, OperationState, image};
use iad_sim::net::DeviceView;
use iad_sim::transfer::TransferSettings;
use snmp::manager::Request;
use snmp::{ObjectIdentifier, Security, Value, VarBind};
use tests::process::eventually;
use tests::tftpd::Server;

use crate::asking::{Asking, oid, target};
use crate::lab::Lab;

/// Blocks and windows as the device asks for them, and with no option at all but the block size of RFC 1350.
fn transfer_settings() -> [TransferSettings; 3] {
    let usual = TransferSettings::default();
    let plain = TransferSettings { block_size: 512, window_size: 1, ..usual };
    let large_blocks = TransferSettings { block_size: 8192, window_size: 1, ..usual };
    [usual, plain, large_blocks]
}

/// The numbers of `iadOpCommand`.
const BACKUP: i32 = 1;
const DOWNLOAD: i32 = 2;
const RESTORE: i32 = 7;

/// A file of an operation as it stands in the objects of the SET that starts it.
struct File {
    name: String,
    kind: Option<ConfigurationKind>,
    bytes: Option<Vec<u8>>,
}

fn operation(arc: u32) -> ObjectIdentifier {
    oid("1.3.6.1.4.1.32473.1.1.5").join(&[arc, 0])
}

fn server_object(arc: u32) -> ObjectIdentifier {
    oid("1.3.6.1.4.1.32473.1.1.4").join(&[arc, 0])
}

fn listed(items: impl Iterator<Item = String>) -> Value {
    Value::from(items.collect::<Vec<_>>().join(" "))
}

/// Starts an operation by one SET that says everything, and waits for its good end.
fn operate(lab: &Lab, server: &Server, id: &str, command: i32, files: &[File]) -> DeviceView {
    let bytes = || files.iter().filter_map(|file| file.bytes.as_deref());
    let varbinds = vec![
        VarBind::new(server_object(1), 1),
        VarBind::new(server_object(2), server.address().ip().to_string()),
        VarBind::new(server_object(3), Value::Gauge32(server.address().port().into())),
        VarBind::new(operation(1), id),
        VarBind::new(operation(2), command),
        VarBind::new(operation(3), listed(files.iter().map(|file| file.name.clone()))),
        VarBind::new(
            operation(4),
            listed(files.iter().filter_map(|file| file.kind).map(|kind| (kind as u32 + 1).to_string())),
        ),
        VarBind::new(operation(5), listed(bytes().map(|bytes| bytes.len().to_string()))),
        VarBind::new(operation(6), listed(bytes().map(|bytes| Digest::of(bytes).to_string()))),
    ];
    let device = target(lab.address(), Security::v2c("private"));
    Asking::new().ask(&device, Request::set(varbinds)).unwrap();
    let device = lab.wait_for_end(id);
    let record = &device.operation;
    assert_eq!(
        record.state,
        OperationState::Done,
        "{id}: {:?}: {}; {}",
        record.error,
        record.text,
        server.said()
    );
    device
}

fn file_names() -> Vec<(String, ConfigurationKind)> {
    ConfigurationKind::ALL
        .into_iter()
        .enumerate()
        .map(|(number, kind)| (format!("kind{number}"), kind))
        .collect()
}

fn a_configuration_and_an_image_survive(server: &Server) {
    for transfer in transfer_settings() {
        let shown = format!("{transfer:?}");
        let lab = Lab::start(|settings| settings.transfer = transfer);

        let to_write =
            file_names().into_iter().map(|(name, kind)| File { name, kind: Some(kind), bytes: None });
        let device = operate(&lab, server, "backup", BACKUP, &to_write.collect::<Vec<_>>());
        let arrived = |name: &str| std::fs::read(server.file(name)).unwrap_or_default();
        for (name, kind) in file_names() {
            // Some servers acknowledge the last block before they have written it.
            let whole = || device.running_digest(kind) == Some(Digest::of(&arrived(&name)));
            eventually(&format!("{name} has arrived, {shown}"), whole);
        }

        let to_read = file_names().into_iter().map(|(name, kind)| File {
            bytes: Some(arrived(&name)),
            name,
            kind: Some(kind),
        });
        let restored = operate(&lab, server, "restore", RESTORE, &to_read.collect::<Vec<_>>());
        for kind in ConfigurationKind::ALL {
            assert_eq!(restored.running_digest(kind), device.running_digest(kind), "{shown}");
        }

        let plan = Plan {
            version: "2.0".to_owned(),
            hardware: vec!["iad-8".to_owned()],
            format: 1,
            converts_from: Vec::new(),
            boot: BootBehaviour::Ok,
            payload_size: 300_000,
            seed: 7,
            files: 3,
        };
        let image = image::make(&plan);
        let files = image.iter().enumerate().map(|(number, bytes)| {
            let name = format!("image{number}");
            std::fs::write(server.file(&name), bytes).unwrap();
            File { name, kind: None, bytes: Some(bytes.clone()) }
        });
        let loaded = operate(&lab, server, "download", DOWNLOAD, &files.collect::<Vec<_>>());
        let buffer = &loaded.buffers[1];
        assert_eq!((buffer.state, buffer.version.as_str()), (BufferState::Valid, "2.0"), "{shown}");
        assert_eq!(buffer.sha256, Some(Digest::of(&image.concat())), "{shown}");
    }
}

mod needs_tftpd_hpa {
    use super::*;

    #[test]
    fn a_configuration_and_an_image_survive_tftpd_hpa() {
        a_configuration_and_an_image_survive(&Server::tftpd_hpa());
    }
}

mod needs_atftpd {
    use super::*;

    #[test]
    fn a_configuration_and_an_image_survive_atftpd() {
        a_configuration_and_an_image_survive(&Server::atftpd());
    }
}

mod with_async_tftp {
    use super::*;

    #[test]
    fn a_configuration_and_an_image_survive_async_tftp() {
        a_configuration_and_an_image_survive(&Server::async_tftp());
    }
}
