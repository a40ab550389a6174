//! Backing a device up (rows H1 to H7).

use iad_sim::device::{Command, Server, ServerProtocol};
use iad_sim::fault::{Fault, FaultKind, Phase};
use iadms::inventory::DeviceEntry;
use upgrade::operation::Cause;
use upgrade::run::{Choices, Goal, Outcome, Policy, Step, Story};
use upgrade::{Kind, Protocol};

use crate::evidence::{configuration, failure, files, started, steps};
use crate::laboratory::Laboratory;
use crate::setup::{Setup, choices};

/// Backs the device up and holds the files that are kept against those it has.
async fn all_kinds_are_backed_up(laboratory: &Laboratory, protocol: Protocol) {
    let run = laboratory.begin(Goal::Backup, choices(Policy::Ask), protocol).await;
    let ending = laboratory.end(run).await;
    assert_eq!(ending.outcome, Outcome::Succeeded, "{}", laboratory.told(run).await);
    let backup = laboratory.backup_of(run).await;
    let held = files(&laboratory.durable().await);
    assert_eq!(held.len(), 4);
    assert!(backup.set.files.keys().eq(held.keys()), "{backup:?}");
    for (kind, file) in backup.set.files {
        let kept = laboratory.manager().files.read(file.digest).expect("a kept file");
        assert_eq!(kept, held[&kind], "{kind}");
    }
    let view = laboratory.look().await;
    assert_eq!(started(&view, Command::Backup), 1);
    assert_eq!(view.boots, 1, "a backup restarts nothing");
}

/// What the device knows of its file server the moment it knows one.
async fn server_at_first(protocol: Protocol) -> (Server, Laboratory) {
    let laboratory = Laboratory::new().await;
    let (durable, run) = tokio::join!(
        laboratory.once(|device| device.durable().server.port != 0),
        laboratory.begin(Goal::Backup, choices(Policy::Ask), protocol),
    );
    assert_eq!(durable.operation.command, Command::None, "no operation has begun");
    assert_eq!(laboratory.end(run).await.outcome, Outcome::Succeeded);
    let told = steps(&laboratory.stories(run).await);
    assert_eq!(told, [Step::Preflight, Step::ConfiguringServer, Step::BackingUp]);
    (durable.server, laboratory)
}

#[tokio::test]
async fn h01_the_device_knows_its_file_server_before_the_first_transfer() {
    let (server, laboratory) = server_at_first(Protocol::Tftp).await;
    let ports = laboratory.manager().ports;
    assert_eq!(server.protocol, ServerProtocol::Tftp);
    assert_eq!(format!("{}:{}", server.address, server.port), ports.tftp.expect("TFTP").to_string());
}

#[tokio::test]
async fn h01_by_ftp_the_device_is_told_its_user_too() {
    let (server, laboratory) = server_at_first(Protocol::Ftp).await;
    let ports = laboratory.manager().ports;
    assert_eq!(server.protocol, ServerProtocol::Ftp);
    assert_eq!(format!("{}:{}", server.address, server.port), ports.ftp.expect("FTP").to_string());
    assert!(!server.user.is_empty() && server.password.len() >= 16, "a user of its own: {}", server.user);
}

#[tokio::test]
async fn h02_a_backup_by_tftp_is_what_the_device_holds() {
    all_kinds_are_backed_up(&Laboratory::new().await, Protocol::Tftp).await;
}

#[tokio::test]
async fn h03_a_backup_by_ftp_is_what_the_device_holds() {
    all_kinds_are_backed_up(&Laboratory::new().await, Protocol::Ftp).await;
}

#[tokio::test]
async fn h03_the_protocol_is_a_property_of_profile_device_or_run() {
    let laboratory = Laboratory::with(Setup::default().profile("protocol = \"ftp\"\n")).await;
    let device = laboratory.device();
    let id = laboratory.id(&device).await;
    let cases = [
        (None, None, ServerProtocol::Ftp),
        (Some(Protocol::Tftp), None, ServerProtocol::Tftp),
        (Some(Protocol::Tftp), Some(Protocol::Ftp), ServerProtocol::Ftp),
    ];
    for (of_device, of_run, used) in cases {
        laboratory.change_entry(&DeviceEntry { protocol: of_device, ..laboratory.entry(&device) }).await;
        let run = laboratory.start(id, &Goal::Backup, &choices(Policy::Ask), of_run).await.expect("a run");
        assert_eq!(laboratory.end(run).await.outcome, Outcome::Succeeded);
        assert_eq!(laboratory.durable().await.server.protocol, used, "{of_device:?}, {of_run:?}");
    }
}

#[tokio::test]
async fn h04_a_backup_takes_one_kind_several_or_all() {
    let laboratory = Laboratory::new().await;
    let all = ["default-parameters", "port-data", "protocol-parameters", "user-data"];
    let cases: [(&[&str], &[&str]); 3] = [
        (&["user-data"], &["user-data"]),
        (&["protocol-parameters", "port-data"], &["port-data", "protocol-parameters"]),
        (&[], &all),
    ];
    for (asked, taken) in cases {
        let kinds = asked.iter().map(|kind| Kind((*kind).into())).collect();
        let run =
            laboratory.begin(Goal::Backup, Choices { kinds, ..choices(Policy::Ask) }, Protocol::Tftp).await;
        assert_eq!(laboratory.end(run).await.outcome, Outcome::Succeeded);
        let backup = laboratory.backup_of(run).await;
        assert_eq!(backup.set.files.keys().map(|kind| &*kind.0).collect::<Vec<_>>(), taken);
    }
}

#[tokio::test]
async fn h04_a_profile_may_name_other_kinds() {
    let made_up = upgrade::profile::IAD
        .replace("name = \"iad\"", "name = \"switchboard\"")
        .replace("user-data = 1", "night-bells = 1")
        .replace("port-data = 2\n", "")
        .replace("protocol-parameters = 3\n", "");
    let laboratory = Laboratory::with(Setup::default().kind("switchboard", made_up)).await;
    let run = laboratory.back_up().await;
    assert_eq!(laboratory.end(run).await.outcome, Outcome::Succeeded);
    let backup = laboratory.backup_of(run).await;
    let kinds: Vec<_> = backup.set.files.keys().map(|kind| &*kind.0).collect();
    assert_eq!(kinds, ["default-parameters", "night-bells"]);
    let held = configuration(&laboratory.look().await);
    let bells = backup.set.files[&Kind("night-bells".into())];
    assert_eq!(bells.digest, held[&Kind("user-data".into())]);
}

#[tokio::test]
async fn h05_progress_of_the_backup_is_shown_as_the_device_tells_it() {
    // So that nothing but notifications tells of progress.
    let laboratory = Laboratory::with(Setup::default().profile("[limits]\npoll_s = 3600\n")).await;
    let mut live = laboratory.manager().handle.watch();
    let run = laboratory.back_up().await;
    assert_eq!(laboratory.end(run).await.outcome, Outcome::Succeeded);
    let mut shown = Vec::new();
    while let Ok(told) = live.try_recv() {
        match told.story {
            Story::Progress { step: Step::BackingUp, percent } => shown.push(percent),
            Story::StepDone { step: Step::BackingUp, .. } => break,
            _ => {}
        }
    }
    assert!(shown.len() >= 3, "one for each file but the last at least: {shown:?}");
    assert!(shown.is_sorted() && shown.iter().all(|percent| *percent < 100), "{shown:?}");
}

#[tokio::test]
async fn h06_a_failure_notification_fails_the_backup_at_once() {
    // The file server takes no files as long as these, and without the notification nobody would look for an hour.
    let limits = "[limits]\npoll_s = 3600\nconfiguration_bytes = 100\n";
    let laboratory = Laboratory::with(Setup::default().profile(limits)).await;
    let run = laboratory.back_up().await;
    let question = laboratory.question(run).await;
    let (step, cause) = failure(&question);
    assert_eq!(step, Step::BackingUp);
    assert!(matches!(cause, Cause::Device(_)), "{cause}");
    assert!(laboratory.backups().await.is_empty());
}

#[tokio::test]
async fn h07_silence_is_failure_once_the_time_is_up() {
    let limits =
        "[commands.backup]\ndeadline_s = 1.0\nstall_s = 10\n[limits]\nanswer_ms = 100\nrepeats = 1\n";
    let laboratory = Laboratory::with(Setup::default().profile(limits)).await;
    let mute = Fault { during: Some(Phase::Backup), percent: 50, ..Fault::once(FaultKind::Mute) };
    laboratory.fault(mute).await;
    let run = laboratory.back_up().await;
    let question = laboratory.question(run).await;
    assert!(matches!(failure(&question), (Step::BackingUp, Cause::TimeLimit(_))), "{question:?}");
    assert!(laboratory.backups().await.is_empty(), "half a backup is none");
}

#[tokio::test]
async fn h07_no_progress_for_too_long_is_failure() {
    let laboratory = Laboratory::with(Setup::default().profile("[commands.backup]\nstall_s = 1.0\n")).await;
    let stall = Fault { during: Some(Phase::Backup), ..Fault::once(FaultKind::StallTransfer) };
    laboratory.fault(stall).await;
    let run = laboratory.back_up().await;
    let question = laboratory.question(run).await;
    assert!(matches!(failure(&question), (Step::BackingUp, Cause::Stalled(_))), "{question:?}");
}

#[tokio::test]
async fn h07_a_truncated_file_is_no_backup_though_the_device_says_that_it_is_done() {
    let laboratory = Laboratory::new().await;
    laboratory.fault(Fault { percent: 50, ..Fault::once(FaultKind::TruncateBackup) }).await;
    let run = laboratory.back_up().await;
    let question = laboratory.question(run).await;
    assert!(matches!(failure(&question), (Step::BackingUp, Cause::Truncated(..))), "{question:?}");
    assert!(laboratory.backups().await.is_empty());
}

#[tokio::test]
async fn h07_a_progress_of_100_percent_without_the_file_is_no_backup() {
    let laboratory = Laboratory::with(Setup::default().profile("[commands.backup]\nstall_s = 1.0\n")).await;
    let lie = Fault { during: Some(Phase::Backup), percent: 100, ..Fault::once(FaultKind::FalseProgress) };
    let stall = Fault { during: Some(Phase::Backup), ..Fault::once(FaultKind::StallTransfer) };
    laboratory.fault(lie).await;
    laboratory.fault(stall).await;
    let run = laboratory.back_up().await;
    let question = laboratory.question(run).await;
    assert_eq!(failure(&question).0, Step::BackingUp, "{question:?}");
    assert!(laboratory.backups().await.is_empty());
}

#[tokio::test]
async fn h07_completion_is_found_by_looking_where_no_notification_comes() {
    all_kinds_are_backed_up(&Laboratory::with(Setup::default().silent()).await, Protocol::Tftp).await;
}

#[tokio::test]
async fn h07_lost_doubled_and_late_notifications_change_nothing() {
    for kind in [FaultKind::LoseNotification, FaultKind::DoubleNotification, FaultKind::DelayNotification] {
        let laboratory = Laboratory::new().await;
        laboratory.fault(Fault { times: 0, for_ms: Some(50), ..Fault::once(kind) }).await;
        all_kinds_are_backed_up(&laboratory, Protocol::Tftp).await;
    }
}
