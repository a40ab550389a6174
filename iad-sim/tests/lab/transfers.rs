//! Files on their way: by TFTP and FTP, from the device's own address, stalled, cut off and cancelled.

use iad_sim::device::{BootReason, ConfigurationKind, Digest, ErrorCode, Power};
use iad_sim::fault::{Fault, FaultKind, Phase};
use iad_sim::net::Role;
use snmp::Value;

use crate::ftp_server::{self, FtpServer};
use crate::manager::Asker;
use crate::tftp_server::TftpServer;
use crate::*;

fn by_ftp(mut varbinds: Vec<VarBind>, password: &str) -> Vec<VarBind> {
    varbinds.retain(|varbind| varbind.name != name(PROTOCOL));
    varbinds.extend([integer(PROTOCOL, 2), text(USER, ftp_server::USER), text(PASSWORD, password)]);
    varbinds
}

#[tokio::test]
async fn a_backup_comes_from_each_devices_own_address_with_the_digests_that_the_table_shows() {
    let simulator = start(settings(5)).await;
    let server = TftpServer::start().await;
    let mut asker = Asker::new().await;
    let devices: Vec<String> = simulator.devices().map(str::to_owned).collect();
    for device in &devices {
        let address = simulator.address(device).unwrap();
        asker.set(address, operation("b1", BACKUP, server.address, all_kinds(device))).await.unwrap();
    }
    for device in &devices {
        let view = done(&simulator, device, "b1").await;
        for kind in ConfigurationKind::ALL {
            let file = server.shelf.get(&format!("{device}-{}", kind.number())).unwrap();
            assert_eq!(view.running_digest(kind), Some(Digest::of(&file)));
        }
    }
    let mut clients = server.shelf.clients();
    clients.sort();
    let expected: Vec<IpAddr> = (1..=5).flat_map(|device| [IpAddr::from([127, 1, 0, device]); 4]).collect();
    assert_eq!(clients, expected);
}

#[tokio::test]
async fn an_upgrade_by_tftp_from_download_to_restore() {
    let simulator = start(settings(1)).await;
    let server = TftpServer::start().await;
    let device = simulator.address("IAD-000001").unwrap();
    let mut asker = Asker::new().await;
    let image = server.shelf.publish("2.0", 300_000, 3);
    asker.set(device, operation("d", DOWNLOAD, server.address, image)).await.unwrap();
    let view = done(&simulator, "IAD-000001", "d").await;
    assert_eq!(view.version, "1.0");
    asker.set(device, vec![text(VERSION, "2.0"), text(ID, "r"), integer(COMMAND, RESET)]).await.unwrap();
    let view = done(&simulator, "IAD-000001", "r").await;
    assert_eq!((view.version.as_str(), view.boot_reason), ("2.0", Some(BootReason::Commanded)));
    assert_eq!(
        view.buffers.iter().map(|buffer| buffer.role).collect::<Vec<_>>(),
        [Role::Standby, Role::Active]
    );
    assert_eq!(asker.get(device, name(STATE)).await.unwrap(), Value::Integer(4));

    const CONVERT: i32 = 6;
    asker.set(device, operation("c", CONVERT, server.address, all_kinds("new"))).await.unwrap();
    done(&simulator, "IAD-000001", "c").await;
    asker.set(device, operation("s", RESTORE, server.address, all_kinds("new"))).await.unwrap();
    let view = done(&simulator, "IAD-000001", "s").await;
    assert_eq!(
        view.running_digest(ConfigurationKind::UserData),
        Some(Digest::of(&server.shelf.get("new-1").unwrap()))
    );
}

#[tokio::test]
async fn both_connections_of_ftp_come_from_the_devices_own_address() {
    for (server, bind) in [("127.0.0.1:0", "127.1.0.1"), ("[::1]:0", "::1")] {
        let simulator = start(SimulatorSettings { bind: bind.parse().unwrap(), ..settings(1) }).await;
        let server = FtpServer::start_at(server).await;
        let device = simulator.address("IAD-000001").unwrap();
        let mut asker = Asker::at(if device.is_ipv4() { "127.0.0.1:0" } else { "[::1]:0" }).await;
        let backup = operation("b", BACKUP, server.address, all_kinds("b"));
        asker.set(device, by_ftp(backup, ftp_server::PASSWORD)).await.unwrap();
        let view = done(&simulator, "IAD-000001", "b").await;
        let file = server.shelf.get("b-2").unwrap();
        assert_eq!(view.running_digest(ConfigurationKind::PortData), Some(Digest::of(&file)));
        let image = server.shelf.publish("2.0", 300_000, 2);
        let download = operation("d", DOWNLOAD, server.address, image);
        asker.set(device, by_ftp(download, ftp_server::PASSWORD)).await.unwrap();
        done(&simulator, "IAD-000001", "d").await;
        assert_eq!(server.shelf.clients().len(), 12);
        assert!(
            server.shelf.clients().iter().all(|client| *client == device.ip()),
            "{:?}",
            server.shelf.clients()
        );
    }
}

#[tokio::test]
async fn what_an_ftp_server_refuses_is_told_by_its_error() {
    let simulator = start(settings(1)).await;
    let server = FtpServer::start().await;
    let device = simulator.address("IAD-000001").unwrap();
    let mut asker = Asker::new().await;
    let restore = |id| operation(id, RESTORE, server.address, all_kinds("missing"));
    asker.set(device, by_ftp(restore("1"), ftp_server::PASSWORD)).await.unwrap();
    assert_eq!(ended(&simulator, "IAD-000001", "1").await.operation.error, ErrorCode::FileNotFound);
    asker.set(device, by_ftp(restore("2"), "wrong")).await.unwrap();
    assert_eq!(ended(&simulator, "IAD-000001", "2").await.operation.error, ErrorCode::AccessRefused);
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let nowhere = operation("3", RESTORE, nobody, all_kinds("missing"));
    asker.set(device, by_ftp(nowhere, "")).await.unwrap();
    assert_eq!(ended(&simulator, "IAD-000001", "3").await.operation.error, ErrorCode::ServerUnreachable);
}

#[tokio::test]
async fn what_a_tftp_server_refuses_or_does_not_answer_is_told_by_its_error() {
    let mut settings = settings(1);
    settings.transfer.give_up = Duration::from_millis(500);
    let simulator = start(settings).await;
    let server = TftpServer::start().await;
    let device = simulator.address("IAD-000001").unwrap();
    let mut asker = Asker::new().await;
    asker.set(device, operation("1", RESTORE, server.address, all_kinds("missing"))).await.unwrap();
    assert_eq!(ended(&simulator, "IAD-000001", "1").await.operation.error, ErrorCode::FileNotFound);
    let silent = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    asker.set(device, operation("2", RESTORE, silent.local_addr().unwrap(), all_kinds("b"))).await.unwrap();
    let error = ended(&simulator, "IAD-000001", "2").await.operation.error;
    assert_eq!(error, ErrorCode::ServerUnreachable);
}

#[tokio::test]
async fn a_stalled_transfer_goes_on_after_its_time() {
    for by_tftp in [true, false] {
        let simulator = start(settings(1)).await;
        let (tftp, ftp) = (TftpServer::start().await, FtpServer::start().await);
        let device = simulator.address("IAD-000001").unwrap();
        let fault = Fault { percent: 50, for_ms: Some(300), ..Fault::once(FaultKind::StallTransfer) };
        simulator.add_fault(fault).await.unwrap();
        let mut asker = Asker::new().await;
        let (address, shelf) = if by_tftp { (tftp.address, &tftp.shelf) } else { (ftp.address, &ftp.shelf) };
        let download = operation("d", DOWNLOAD, address, shelf.publish("2.0", 400_000, 1));
        let download = if by_tftp { download } else { by_ftp(download, ftp_server::PASSWORD) };
        let begun = std::time::Instant::now();
        asker.set(device, download).await.unwrap();
        done(&simulator, "IAD-000001", "d").await;
        assert!(begun.elapsed() >= Duration::from_millis(300));
    }
}

#[tokio::test]
async fn a_power_cut_in_the_middle_of_a_download_leaves_the_old_software_running() {
    let simulator = start(settings(1)).await;
    let server = TftpServer::start().await;
    let device = simulator.address("IAD-000001").unwrap();
    let fault = Fault {
        during: Some(Phase::Download),
        byte: Some(123_456),
        for_ms: Some(100),
        ..Fault::once(FaultKind::PowerLoss)
    };
    simulator.add_fault(fault).await.unwrap();
    let mut asker = Asker::new().await;
    let image = server.shelf.publish("2.0", 400_000, 1);
    asker.set(device, operation("d", DOWNLOAD, server.address, image.clone())).await.unwrap();
    let view = soon(simulator.wait("IAD-000001", |device| device.power() == Power::Off)).await.unwrap();
    assert_eq!(view.buffers[1].size, 123_456);
    let view = ended(&simulator, "IAD-000001", "d").await;
    assert_eq!((view.operation.error, view.version.as_str()), (ErrorCode::Interrupted, "1.0"));
    assert_eq!(view.counters.power_losses, 1);
    asker.set(device, operation("again", DOWNLOAD, server.address, image)).await.unwrap();
    done(&simulator, "IAD-000001", "again").await;
}
