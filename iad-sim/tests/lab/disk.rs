//! Devices on disk: the end of the simulator is a power failure of all its devices.

use std::path::Path;

use iad_sim::device::{BufferState, ErrorCode};
use iad_sim::fault::{Fault, FaultKind};

use crate::manager::Asker;
use crate::tftp_server::TftpServer;
use crate::*;

fn stored(count: u32, folder: &Path) -> SimulatorSettings {
    SimulatorSettings { state: Some(folder.to_owned()), ..settings(count) }
}

#[tokio::test]
async fn a_device_is_what_it_was_when_the_simulator_starts_again() {
    let folder = tempfile::tempdir().unwrap();
    let server = TftpServer::start().await;
    let simulator = start(stored(1, folder.path())).await;
    let device = simulator.address("IAD-000001").unwrap();
    let mut asker = Asker::new().await;
    let image = server.shelf.publish("2.0", 100_000, 2);
    asker.set(device, operation("d", DOWNLOAD, server.address, image)).await.unwrap();
    done(&simulator, "IAD-000001", "d").await;
    asker.set(device, vec![text(VERSION, "2.0"), text(ID, "r"), integer(COMMAND, RESET)]).await.unwrap();
    let before = done(&simulator, "IAD-000001", "r").await;
    simulator.stop().await;

    let simulator = start(stored(1, folder.path())).await;
    let after = simulator.show("IAD-000001").await.unwrap();
    assert_eq!(after.boots, before.boots + 1);
    assert_eq!((after.version.as_str(), &after.operation), ("2.0", &before.operation));
    assert_eq!((&after.buffers, &after.configurations), (&before.buffers, &before.configurations));
    assert_eq!(after.counters.started, before.counters.started);
}

#[tokio::test]
async fn the_end_of_the_simulator_in_the_middle_of_a_download_is_a_power_failure() {
    let folder = tempfile::tempdir().unwrap();
    let server = TftpServer::start().await;
    let simulator = start(stored(1, folder.path())).await;
    let device = simulator.address("IAD-000001").unwrap();
    simulator.add_fault(Fault { percent: 50, ..Fault::once(FaultKind::StallTransfer) }).await.unwrap();
    let image = server.shelf.publish("2.0", 400_000, 1);
    let download = operation("d", DOWNLOAD, server.address, image);
    Asker::new().await.set(device, download).await.unwrap();
    let half = |device: &iad_sim::device::Device| {
        device.durable().standby().is_some_and(|buffer| buffer.size > 100_000)
    };
    soon(simulator.wait("IAD-000001", half)).await.unwrap();
    simulator.stop().await;

    let simulator = start(stored(1, folder.path())).await;
    let view = simulator.show("IAD-000001").await.unwrap();
    assert_eq!((view.operation.error, view.version.as_str()), (ErrorCode::Interrupted, "1.0"));
    assert_eq!(view.buffers[1].state, BufferState::Invalid);
}

#[tokio::test]
async fn many_devices_with_the_same_image_store_it_once() {
    let folder = tempfile::tempdir().unwrap();
    let server = TftpServer::start().await;
    let simulator = start(stored(20, folder.path())).await;
    let image = server.shelf.publish("2.0", 200_000, 1);
    let mut asker = Asker::new().await;
    let devices: Vec<String> = simulator.devices().map(str::to_owned).collect();
    for device in &devices {
        let address = simulator.address(device).unwrap();
        asker.set(address, operation("d", DOWNLOAD, server.address, image.clone())).await.unwrap();
    }
    let mut digests = Vec::new();
    for device in &devices {
        digests.push(done(&simulator, device, "d").await.buffers[1].sha256.unwrap());
    }
    digests.dedup();
    assert_eq!(digests.len(), 1);
    let images: Vec<_> =
        std::fs::read_dir(folder.path().join("images")).unwrap().map(Result::unwrap).collect();
    assert_eq!(images.len(), 1);
    assert_eq!(Digest::of(&std::fs::read(images[0].path()).unwrap()), digests[0]);
    let leftovers = std::fs::read_dir(folder.path().join("devices/IAD-000007")).unwrap().count();
    assert_eq!(leftovers, 1, "only what is stored of the device");
}
