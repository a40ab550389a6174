//! Loading an image and running it (rows H9 to H13).

use iad_sim::device::image::Plan;
use iad_sim::device::{BootReason, BufferState, Command, ServerProtocol};
use iad_sim::fault::{Fault, FaultKind, Phase};
use iadms::config::FileLimits;
use upgrade::Protocol;
use upgrade::operation::Cause;
use upgrade::run::{Answer, Goal, Outcome, Policy, Step, Story};

use crate::evidence::{
    assert_in_service, assert_nothing_came_twice, configuration, failure, failures, started,
};
use crate::laboratory::Laboratory;
use crate::setup::{Setup, choices, plan};

/// Upgrades the device, and finds it in service with the new software and the configuration of before.
async fn upgrades_to_2_0(laboratory: &Laboratory, plan: &Plan, protocol: Protocol) {
    let before = laboratory.look().await;
    let image = laboratory.image(plan);
    let goal = Goal::Upgrade { image: image.clone().into() };
    let run = laboratory.begin(goal, choices(Policy::Ask), protocol).await;
    let ending = laboratory.end(run).await;
    assert_eq!(ending.outcome, Outcome::Succeeded, "{}", laboratory.told(run).await);
    assert_eq!(ending.left_with.version.as_deref(), Some("2.0"));
    let after = laboratory.look().await;
    assert_in_service(&after, "2.0", &configuration(&before));
    let loaded = after.buffers.iter().find(|buffer| buffer.version == "2.0").expect("the new software");
    assert_eq!(loaded.sha256.map(|digest| digest.0), Some(image.digest.0));
    assert_nothing_came_twice(&after);
}

#[tokio::test]
async fn h09_one_command_carries_all_that_the_device_needs_to_load_an_image() {
    let laboratory = Laboratory::new().await;
    let image = laboratory.image(&Plan { files: 2, ..plan("2.0") });
    let (told, run) = tokio::join!(
        laboratory.once(|device| device.durable().operation.command == Command::Download),
        laboratory.upgrade(&image),
    );
    let parameters = &told.operation.parameters;
    let tftp = laboratory.options.tftp;
    assert_eq!(told.server.protocol, ServerProtocol::Tftp);
    assert_eq!((told.server.address, told.server.port), (tftp.ip().to_string(), tftp.port()));
    assert_eq!(parameters.file_names.len(), 2);
    assert_eq!(parameters.version, "2.0");
    let files = &image.manifest.files;
    assert!(parameters.sizes.iter().eq(files.iter().map(|file| &file.size)));
    assert!(parameters.digests.iter().map(|digest| digest.0).eq(files.iter().map(|file| file.sha256.0)));
    assert_eq!(laboratory.end(run).await.outcome, Outcome::Succeeded);
    assert_eq!(started(&laboratory.look().await, Command::Download), 1);
}

#[tokio::test]
async fn h09_the_device_loads_the_image_by_tftp() {
    upgrades_to_2_0(&Laboratory::new().await, &plan("2.0"), Protocol::Tftp).await;
}

#[tokio::test]
async fn h09_the_device_loads_the_image_by_ftp() {
    upgrades_to_2_0(&Laboratory::new().await, &plan("2.0"), Protocol::Ftp).await;
}

/// A device that takes images as they are written to it, and what its image is to be of.
async fn takes_what_is_pushed(files: usize, notify: bool) {
    let setup = Setup::default().device(|device| device.capabilities.push = true);
    let setup = if notify { setup } else { setup.silent() };
    let laboratory = Laboratory::with(setup).await;
    upgrades_to_2_0(&laboratory, &Plan { files, ..plan("2.0") }, Protocol::Push).await;
    let server = laboratory.durable().await.server;
    // What came last was the restored configuration, which the device fetched.
    assert_eq!(server.protocol, ServerProtocol::Tftp);
}

#[tokio::test]
async fn s18_an_image_is_pushed_to_the_device() {
    takes_what_is_pushed(1, true).await;
}

#[tokio::test]
async fn s18_an_image_of_several_files_is_pushed_to_a_device_that_tells_nothing() {
    takes_what_is_pushed(3, false).await;
}

#[tokio::test]
async fn s18_nothing_is_pushed_to_a_device_that_does_not_serve() {
    let laboratory = Laboratory::new().await;
    let goal = Goal::Upgrade { image: laboratory.image(&plan("2.0")).into() };
    let run = laboratory.begin(goal, choices(Policy::Ask), Protocol::Push).await;
    let ending = laboratory.end(run).await;
    assert_eq!(ending.outcome, Outcome::Refused);
    assert_eq!(ending.reason, "the device does not transfer by push");
}

#[tokio::test]
async fn h09_several_devices_at_once() {
    five_at_once(FileLimits::default()).await;
}

/// Devices for whose files there is no room wait, and are served one after the other, no faster than is said.
#[tokio::test]
async fn h09_several_devices_at_once_and_one_file_at_a_time() {
    let bandwidth = |text: &str| Some(text.parse().expect("a bandwidth"));
    five_at_once(FileLimits {
        all: bandwidth("20M"),
        each: bandwidth("10M"),
        links: vec!["127.0.0.0/8=15M".parse().unwrap()],
        transfers: 1,
    })
    .await;
}

async fn five_at_once(file_limits: FileLimits) {
    let laboratory = Laboratory::with(Setup::default().devices(5).file_limits(file_limits)).await;
    let image = laboratory.image(&plan("2.0"));
    let mut runs = Vec::new();
    for device in laboratory.simulator.devices() {
        let goal = Goal::Upgrade { image: image.clone().into() };
        let protocol = if runs.len() % 2 == 0 { Protocol::Tftp } else { Protocol::Ftp };
        runs.push(laboratory.try_begin(device, goal, choices(Policy::Ask), protocol).await.expect("a run"));
    }
    for run in runs {
        assert_eq!(laboratory.end(run).await.outcome, Outcome::Succeeded, "{}", laboratory.told(run).await);
    }
    for view in laboratory.simulator.list().await.expect("devices") {
        assert_eq!(view.version, "2.0");
        assert_nothing_came_twice(&view);
    }
}

#[tokio::test]
async fn h10_an_image_of_several_files_is_loaded_whole() {
    for protocol in [Protocol::Tftp, Protocol::Ftp] {
        upgrades_to_2_0(&Laboratory::new().await, &Plan { files: 5, ..plan("2.0") }, protocol).await;
    }
}

/// The third of four files comes otherwise than it was sent, once.
async fn a_file_that_came_wrong_is_never_run(kind: FaultKind) {
    let laboratory = Laboratory::new().await;
    let image = laboratory.image(&Plan { files: 4, ..plan("2.0") });
    let before = laboratory.look().await;
    let wrong = Fault { during: Some(Phase::Download), percent: 50, ..Fault::once(kind) };
    laboratory.fault(wrong).await;
    let run = laboratory.upgrade(&image).await;
    let question = laboratory.question(run).await;
    assert!(matches!(failure(&question), (Step::Downloading, Cause::Device(_))), "{question:?}");
    let asked = laboratory.look().await;
    assert_in_service(&asked, "1.0", &configuration(&before));
    assert_eq!(asked.boots, 1, "it was never started");
    assert!(asked.buffers.iter().all(|buffer| buffer.version != "2.0" || buffer.state != BufferState::Valid));
    laboratory.answer(run, Answer::Again).await;
    assert_eq!(laboratory.end(run).await.outcome, Outcome::Succeeded);
    assert_in_service(&laboratory.look().await, "2.0", &configuration(&before));
}

#[tokio::test]
async fn h10_a_corrupted_file_is_never_loaded() {
    a_file_that_came_wrong_is_never_run(FaultKind::CorruptTransfer).await;
}

#[tokio::test]
async fn h10_a_truncated_file_is_never_loaded() {
    a_file_that_came_wrong_is_never_run(FaultKind::TruncateTransfer).await;
}

#[tokio::test]
async fn h11_a_device_that_needs_it_is_reset_by_command() {
    let laboratory = Laboratory::new().await;
    upgrades_to_2_0(&laboratory, &plan("2.0"), Protocol::Tftp).await;
    let view = laboratory.look().await;
    assert_eq!((started(&view, Command::Reset), started(&view, Command::Activate)), (1, 0));
    assert_eq!((view.boots, view.boot_reason), (2, Some(BootReason::Commanded)));
}

#[tokio::test]
async fn h12_a_device_that_needs_no_reset_is_never_restarted() {
    let laboratory = Laboratory::with(Setup::default().hot().device(|device| device.calls = 4)).await;
    upgrades_to_2_0(&laboratory, &plan("2.0"), Protocol::Tftp).await;
    let view = laboratory.look().await;
    assert_eq!((started(&view, Command::Reset), started(&view, Command::Activate)), (0, 1));
    assert_eq!((view.boots, view.boot_reason), (1, Some(BootReason::PowerOn)));
    assert_eq!(view.counters.calls_cut, 0);
}

#[tokio::test]
async fn h12_going_back_from_hot_software_restarts_nothing_either() {
    let laboratory = Laboratory::with(Setup::default().hot()).await;
    let before = laboratory.look().await;
    laboratory.fault(Fault { version: Some("2.0".into()), ..Fault::once(FaultKind::ApplyFails) }).await;
    let run = laboratory.upgrade(&laboratory.image(&plan("2.0"))).await;
    assert_eq!(failure(&laboratory.question(run).await).0, Step::Restoring);
    let view = laboratory.look().await;
    assert_in_service(&view, "1.0", &configuration(&before));
    assert_eq!((view.boots, started(&view, Command::Rollback)), (1, 1));
}

#[tokio::test]
async fn h13_progress_of_download_and_load_is_shown_as_the_device_tells_it() {
    // Only notifications tell of progress, and flash is slower than the transfer.
    let setup = Setup::default().flash(400_000).profile("[limits]\npoll_s = 3600\n");
    let laboratory = Laboratory::with(setup).await;
    let mut live = laboratory.manager().handle.watch();
    let run = laboratory.upgrade(&laboratory.image(&plan("2.0"))).await;
    assert_eq!(laboratory.end(run).await.outcome, Outcome::Succeeded, "{}", laboratory.told(run).await);
    let mut shown = Vec::new();
    while let Ok(told) = live.try_recv() {
        match told.story {
            Story::Progress { step: Step::Downloading, percent } => shown.push(percent),
            Story::StepDone { step: Step::Downloading, .. } => break,
            _ => {}
        }
    }
    assert!(shown.len() >= 5, "{shown:?}");
    assert!(shown.is_sorted() && shown.iter().all(|percent| *percent < 100), "{shown:?}");
}

#[tokio::test]
async fn h13_a_failure_notification_fails_the_download_at_once() {
    let laboratory = Laboratory::with(Setup::default().profile("[limits]\npoll_s = 3600\n")).await;
    laboratory.fault(Fault::once(FaultKind::FlashError)).await;
    let run = laboratory.upgrade(&laboratory.image(&plan("2.0"))).await;
    let question = laboratory.question(run).await;
    assert!(matches!(failure(&question), (Step::Downloading, Cause::Device(_))), "{question:?}");
}

#[tokio::test]
async fn h13_a_download_that_is_not_done_in_its_time_has_failed() {
    let setup = Setup::default().profile("[commands.download]\ndeadline_s = 1.0\nstall_s = 10\n");
    let laboratory = Laboratory::with(setup).await;
    let stall = Fault { during: Some(Phase::Download), percent: 50, ..Fault::once(FaultKind::StallTransfer) };
    laboratory.fault(stall).await;
    let before = laboratory.look().await;
    let run = laboratory.upgrade(&laboratory.image(&plan("2.0"))).await;
    let question = laboratory.question(run).await;
    assert!(matches!(failure(&question), (Step::Downloading, Cause::TimeLimit(_))), "{question:?}");
    assert_in_service(&laboratory.look().await, "1.0", &configuration(&before));
    // The transfer that stands still is stopped, and the image loaded after all.
    laboratory.answer(run, Answer::Again).await;
    assert_eq!(laboratory.end(run).await.outcome, Outcome::Succeeded, "{}", laboratory.told(run).await);
    assert_eq!(failures(&laboratory.stories(run).await).len(), 1);
}

#[tokio::test]
async fn h13_a_device_that_only_says_that_it_has_loaded_the_image_has_not() {
    let setup = Setup::default().profile("[commands.download]\nstall_s = 1.0\n");
    let laboratory = Laboratory::with(setup).await;
    let lie = Fault { during: Some(Phase::Download), percent: 100, ..Fault::once(FaultKind::FalseProgress) };
    let stall = Fault { during: Some(Phase::Download), ..Fault::once(FaultKind::StallTransfer) };
    laboratory.fault(lie).await;
    laboratory.fault(stall).await;
    let run = laboratory.upgrade(&laboratory.image(&plan("2.0"))).await;
    assert_eq!(failure(&laboratory.question(run).await).0, Step::Downloading);
    assert_eq!(laboratory.look().await.boots, 1);
}
