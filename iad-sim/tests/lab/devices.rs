//! Many devices behind one socket: who answers, and who does not.

use std::time::Duration;

use iad_sim::device::{ConfigurationKind, OperationState, Power};
use iad_sim::fault::{Fault, FaultKind, RequestKind};
use iad_sim::net::{Happening, SimulatorSettings};
use snmp::manager::{Failure, Request};
use snmp::{ErrorStatus, ObjectIdentifier, Value};

use crate::manager::Asker;
use crate::tftp_server::TftpServer;
use crate::*;

/// `iadSysUniqueId`
const UNIQUE_ID: [u32; 2] = [1, 3];

#[tokio::test]
async fn each_device_answers_from_its_own_address_and_nobody_from_any_other() {
    let simulator = start(settings(3)).await;
    let mut asker = Asker::new().await;
    let devices: Vec<String> = simulator.devices().map(str::to_owned).collect();
    assert_eq!(devices, ["IAD-000001", "IAD-000002", "IAD-000003"]);
    for device in &devices {
        // The manager takes an answer only from the address that it asked.
        let address = simulator.address(device).unwrap();
        assert_eq!(
            asker.get(address, name(UNIQUE_ID)).await.unwrap(),
            Value::OctetString(device.clone().into_bytes())
        );
    }
    asker.timeout = Duration::from_millis(200);
    asker.retries = 0;
    let nobody = SocketAddr::new("127.1.0.4".parse().unwrap(), simulator.port());
    assert_eq!(asker.get(nobody, name(UNIQUE_ID)).await, Err(Failure::Timeout));
    asker.community = "wrong";
    let somebody = simulator.address("IAD-000001").unwrap();
    assert_eq!(asker.get(somebody, name(UNIQUE_ID)).await, Err(Failure::Timeout));
}

#[tokio::test]
async fn a_bulk_walk_shows_what_a_walk_shows() {
    let simulator = start(settings(1)).await;
    let device = simulator.address("IAD-000001").unwrap();
    let mut asker = Asker::new().await;
    let mut counts = Vec::new();
    for repetitions in [1, 25] {
        let mut name = ObjectIdentifier::new([1, 3, 6, 1, 4, 1, 32473]);
        let mut count = 0;
        'walk: loop {
            let names = vec![name.clone()];
            let request = Request::GetBulk { non_repeaters: 0, max_repetitions: repetitions, names };
            for varbind in asker.ask(device, request).await.unwrap().varbinds() {
                if varbind.value == Value::EndOfMibView
                    || !varbind.name.arcs().starts_with(&[1, 3, 6, 1, 4, 1, 32473])
                {
                    break 'walk;
                }
                name = varbind.name;
                count += 1;
            }
        }
        counts.push(count);
    }
    assert_eq!(counts, [81, 81]);
}

#[tokio::test]
async fn a_read_only_community_sets_nothing() {
    let simulator = start(settings(1)).await;
    let device = simulator.address("IAD-000001").unwrap();
    let mut asker = Asker::new().await;
    asker.community = "public";
    let refused = asker.set(device, vec![text(ID, "x"), integer(COMMAND, RESET)]).await.unwrap_err();
    assert!(matches!(refused, Failure::ErrorStatus { status: ErrorStatus::NoAccess, .. }), "{refused}");
    assert_eq!(simulator.show("IAD-000001").await.unwrap().operation.state, OperationState::Idle);
}

#[tokio::test]
async fn the_answer_to_a_set_is_lost_but_it_was_carried_out_once() {
    let simulator = start(settings(1)).await;
    let server = TftpServer::start().await;
    let device = simulator.address("IAD-000001").unwrap();
    let fault = Fault { request: Some(RequestKind::Set), ..Fault::once(FaultKind::LoseAnswer) };
    simulator.add_fault(fault).await.unwrap();
    let mut asker = Asker::new().await;
    asker.timeout = Duration::from_millis(200);
    let backup = operation("b1", BACKUP, server.address, all_kinds("b"));
    assert_eq!(asker.set(device, backup.clone()).await, Err(Failure::Timeout));
    done(&simulator, "IAD-000001", "b1").await;
    asker.timeout = Duration::from_secs(10);
    asker.set(device, backup).await.unwrap();
    let view = simulator.show("IAD-000001").await.unwrap();
    let count = view.counters.operation("b1").unwrap();
    assert_eq!((count.seen, count.started), (2, 1));
    assert_eq!(simulator.faults().await.unwrap()[0].struck, 1);
}

#[tokio::test]
async fn a_device_without_power_is_silent_and_comes_back_with_a_later_boot() {
    let simulator = start(settings(2)).await;
    let mut events = simulator.events();
    simulator.power_off("IAD-000001").await.unwrap();
    let mut asker = Asker::new().await;
    asker.timeout = Duration::from_millis(200);
    asker.retries = 0;
    let device = simulator.address("IAD-000001").unwrap();
    assert_eq!(asker.get(device, name(UNIQUE_ID)).await, Err(Failure::Timeout));
    simulator.power_on("IAD-000001").await.unwrap();
    let view = soon(simulator.wait("IAD-000001", |device| device.power() == Power::Running)).await.unwrap();
    assert_eq!(view.boots, 2);
    assert_eq!(simulator.show("IAD-000002").await.unwrap().boots, 1);
    let mut powers = Vec::new();
    while powers.last() != Some(&Power::Running) {
        let event = soon(events.recv()).await.unwrap();
        if let Happening::Power(power) = event.happening {
            assert_eq!(event.device, "IAD-000001");
            powers.push(power);
        }
    }
    assert_eq!(powers, [Power::Off, Power::Booting, Power::Running]);
}

#[tokio::test]
async fn what_is_configured_at_the_device_moves_its_revision() {
    let simulator = start(settings(1)).await;
    let before = simulator.show("IAD-000001").await.unwrap();
    let entries = [("subscriber.1.forward", "+15550000000")];
    simulator.configure("IAD-000001", ConfigurationKind::UserData, &entries).await.unwrap();
    let after = simulator.show("IAD-000001").await.unwrap();
    assert_eq!(after.configuration_revision, before.configuration_revision + 1);
    assert_ne!(
        after.running_digest(ConfigurationKind::UserData),
        before.running_digest(ConfigurationKind::UserData)
    );
    assert_eq!(
        after.running_digest(ConfigurationKind::PortData),
        before.running_digest(ConfigurationKind::PortData)
    );
    let broken = simulator.configure("IAD-000001", ConfigurationKind::UserData, &[("a", "b\nc=d")]).await;
    assert!(broken.is_err());
    assert!(simulator.configure("IAD-000009", ConfigurationKind::UserData, &entries).await.is_err());
}

#[tokio::test]
async fn a_device_on_ipv6_is_asked_and_moves_its_files_like_any_other() {
    let simulator = start(SimulatorSettings { bind: "::1".parse().unwrap(), ..settings(1) }).await;
    let server = TftpServer::start_at("[::1]:0").await;
    let device = simulator.address("IAD-000001").unwrap();
    let mut asker = Asker::at("[::1]:0").await;
    asker.set(device, operation("b1", BACKUP, server.address, all_kinds("b"))).await.unwrap();
    done(&simulator, "IAD-000001", "b1").await;
    assert!(server.shelf.get("b-1").is_some());
    let old_server = SocketAddr::from(([127, 0, 0, 1], 69));
    asker.set(device, operation("b2", BACKUP, old_server, all_kinds("b"))).await.unwrap();
    let view = ended(&simulator, "IAD-000001", "b2").await;
    assert_eq!(view.operation.error, iad_sim::device::ErrorCode::ServerUnreachable);
}
