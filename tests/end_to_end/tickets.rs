//! File names are one-time tickets (row B8).

use std::net::{IpAddr, SocketAddr};

use iad_sim::device::{Durable, Power};
use iad_sim::fault::{Fault, FaultKind, Phase};
use upgrade::run::{Goal, Outcome, Policy, State};
use upgrade::{Protocol, RunId};

use crate::evidence::{assert_in_service, configuration};
use crate::laboratory::Laboratory;
use crate::setup::{Setup, choices, plan};
use crate::stranger::{Said, Stranger};

/// The codes of TFTP errors (RFC 1350, RFC 2347).
const FILE_NOT_FOUND: Said = Said::Error(1);
const ACCESS_VIOLATION: Said = Said::Error(2);
const DISK_FULL: Said = Said::Error(3);

const READ: u8 = 1;
const WRITE: u8 = 2;

/// A device that lost power as it began an operation: its tickets are open, and nobody uses them.
async fn off_with_open_tickets(during: Phase) -> (Laboratory, RunId, Durable) {
    let laboratory = Laboratory::new().await;
    laboratory.fault(Fault { during: Some(during), ..Fault::once(FaultKind::PowerLoss) }).await;
    let image = laboratory.image(&plan("2.0"));
    let (durable, run) = tokio::join!(
        laboratory.once(|device| device.power() == Power::Off),
        laboratory.upgrade_by(&image, Policy::Auto(3)),
    );
    (laboratory, run, durable)
}

/// Whatever strangers did: the device comes back, and is upgraded with the configuration of before.
async fn still_succeeds(laboratory: &Laboratory, run: RunId) {
    let before = laboratory.look().await;
    laboratory.simulator.power_on(&laboratory.device()).await.expect("a device");
    assert_eq!(laboratory.end(run).await.outcome, Outcome::Succeeded, "{}", laboratory.told(run).await);
    assert_in_service(&laboratory.look().await, "2.0", &configuration(&before));
}

fn device_address(laboratory: &Laboratory) -> IpAddr {
    laboratory.simulator.address(&laboratory.device()).expect("a device").ip()
}

fn tftp(laboratory: &Laboratory) -> SocketAddr {
    laboratory.options.tftp
}

#[tokio::test]
async fn b08_a_ticket_is_good_for_one_address_only() {
    let (laboratory, run, durable) = off_with_open_tickets(Phase::Download).await;
    let name = &durable.operation.parameters.file_names[0];
    let thief = Stranger::at(tftp(&laboratory).ip()).await;
    assert_ne!(thief.address().ip(), device_address(&laboratory));
    assert_eq!(thief.asks_tftp(tftp(&laboratory), READ, name, &[]).await, ACCESS_VIOLATION);
    still_succeeds(&laboratory, run).await;
}

#[tokio::test]
async fn b08_a_ticket_is_good_for_one_direction_only() {
    let (laboratory, run, durable) = off_with_open_tickets(Phase::Download).await;
    let name = &durable.operation.parameters.file_names[0];
    let device = Stranger::at(device_address(&laboratory)).await;
    assert_eq!(device.asks_tftp(tftp(&laboratory), WRITE, name, &[]).await, ACCESS_VIOLATION);
    still_succeeds(&laboratory, run).await;

    let (laboratory, run, durable) = off_with_open_tickets(Phase::Backup).await;
    let device = Stranger::at(device_address(&laboratory)).await;
    for name in &durable.operation.parameters.file_names {
        assert_eq!(device.asks_tftp(tftp(&laboratory), READ, name, &[]).await, ACCESS_VIOLATION);
    }
    still_succeeds(&laboratory, run).await;
}

#[tokio::test]
async fn b08_a_file_larger_than_its_ticket_is_refused() {
    let (laboratory, run, durable) = off_with_open_tickets(Phase::Backup).await;
    let name = &durable.operation.parameters.file_names[0];
    let device = Stranger::at(device_address(&laboratory)).await;
    let announced = ["tsize", "16777217"];
    assert_eq!(device.asks_tftp(tftp(&laboratory), WRITE, name, &announced).await, DISK_FULL);
    still_succeeds(&laboratory, run).await;
}

#[tokio::test]
async fn b08_a_name_that_is_no_ticket_is_refused() {
    let (laboratory, run, durable) = off_with_open_tickets(Phase::Download).await;
    let device = Stranger::at(device_address(&laboratory)).await;
    let name = &durable.operation.parameters.file_names[0];
    let long = "a".repeat(400);
    let wrong =
        ["0.img", "iad-8-2.0", "../iadms.db", "/etc/passwd", "", &name[1..], &name.to_uppercase(), &long];
    for name in wrong {
        for opcode in [READ, WRITE] {
            let said = device.asks_tftp(tftp(&laboratory), opcode, name, &[]).await;
            assert!(matches!(said, Said::Error(_)), "{name:?}");
        }
    }
    still_succeeds(&laboratory, run).await;
}

#[tokio::test]
async fn b08_a_ticket_is_good_once() {
    let laboratory = Laboratory::new().await;
    let run = laboratory.back_up().await;
    assert_eq!(laboratory.end(run).await.outcome, Outcome::Succeeded);
    let kept = laboratory.backup_of(run).await;
    let device = Stranger::at(device_address(&laboratory)).await;
    for name in laboratory.durable().await.operation.parameters.file_names {
        for opcode in [READ, WRITE] {
            assert_eq!(device.asks_tftp(tftp(&laboratory), opcode, &name, &[]).await, FILE_NOT_FOUND);
        }
    }
    assert_eq!(laboratory.backup_of(run).await, kept, "a backup is never written over");
}

#[tokio::test]
async fn b08_a_ticket_ends_with_its_operation() {
    let setup = Setup::default().profile("[commands.backup]\ndeadline_s = 1.0\n[limits]\nanswer_ms = 100\n");
    let laboratory = Laboratory::with(setup).await;
    laboratory.fault(Fault { during: Some(Phase::Backup), ..Fault::once(FaultKind::PowerLoss) }).await;
    let run = laboratory.back_up().await;
    laboratory.question(run).await;
    let device = Stranger::at(device_address(&laboratory)).await;
    for name in laboratory.durable().await.operation.parameters.file_names {
        assert_eq!(device.asks_tftp(tftp(&laboratory), WRITE, &name, &[]).await, FILE_NOT_FOUND);
    }
    assert!(laboratory.backups().await.is_empty());
}

#[tokio::test]
async fn b08_a_ticket_is_good_for_one_protocol_only() {
    let laboratory = Laboratory::new().await;
    laboratory.fault(Fault { during: Some(Phase::Download), ..Fault::once(FaultKind::PowerLoss) }).await;
    let goal = Goal::Upgrade { image: laboratory.image(&plan("2.0")).into() };
    let (durable, run) = tokio::join!(
        laboratory.once(|device| device.power() == Power::Off),
        laboratory.begin(goal, choices(Policy::Auto(3)), Protocol::Ftp),
    );
    let name = &durable.operation.parameters.file_names[0];
    let device = Stranger::at(device_address(&laboratory)).await;
    assert_eq!(device.asks_tftp(tftp(&laboratory), READ, name, &[]).await, ACCESS_VIOLATION);
    still_succeeds(&laboratory, run).await;
}

#[tokio::test]
async fn b08_no_two_files_ever_have_the_same_name() {
    let laboratory = Laboratory::new().await;
    let mut names = std::collections::BTreeSet::new();
    for _ in 0..3 {
        let run = laboratory.back_up().await;
        assert_eq!(laboratory.end(run).await.outcome, Outcome::Succeeded);
        names.extend(laboratory.durable().await.operation.parameters.file_names);
        assert!(matches!(laboratory.run(run).await.state, State::Ended(_)));
    }
    assert_eq!(names.len(), 12);
    assert!(names.iter().all(|name| name.len() >= 20), "{names:?}");
}
