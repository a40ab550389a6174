//! What is wrong from the start, or goes wrong for good: nothing is sent, lost or half written.

use std::net::SocketAddr;

use iad_sim::device::Power;
use iad_sim::fault::{Fault, FaultKind, Phase};
use iadms::config::FtpListen;
use iadms::daemon::{RefusalCode, start};
use iadms::inventory::{Community, DeviceEntry};
use upgrade::image::ImageFile;
use upgrade::run::{Answer, AnswerKind, Goal, Outcome, Policy, Step};
use upgrade::{DeviceId, Digest, Protocol};

use crate::evidence::{assert_in_service, assert_untouched, configuration, failure};
use crate::laboratory::Laboratory;
use crate::setup::{Setup, choices, plan};
use crate::stranger::Stranger;

/// A device that is soon given up.
fn soon_given_up() -> Setup {
    Setup::default().profile("[limits]\nanswer_ms = 100\nrepeats = 1\nreach_s = 1\n")
}

/// Why the manager does not start, all causes in one line.
async fn start_error(laboratory: &Laboratory) -> String {
    let error = start(&laboratory.options).await.expect_err("an error");
    iadms::causes::with_causes(&error)
}

#[tokio::test]
async fn bad_an_unknown_device_begins_no_run() {
    let laboratory = Laboratory::new().await;
    let refusal = laboratory.start(DeviceId(99), &Goal::Backup, &choices(Policy::Ask), None).await;
    assert_eq!(refusal.expect_err("a refusal").code, RefusalCode::Unknown);
}

#[tokio::test]
async fn bad_a_wrong_community_is_refused_and_nothing_is_written() {
    let laboratory = Laboratory::with(soon_given_up()).await;
    let before = laboratory.durable().await;
    let mut entry = laboratory.open_entry(&laboratory.device());
    entry.access.read_community = Community("wrong".into());
    laboratory.change_entry(&entry).await;
    let run = laboratory.upgrade(&laboratory.image(&plan("2.0"))).await;
    assert_eq!(laboratory.end(run).await.outcome, Outcome::Refused);
    assert_untouched(&before, &laboratory.durable().await, &laboratory.look().await);
    let probe = laboratory.manager().handle.probe(entry.access, "quick".into()).await;
    assert!(probe.expect_err("a refusal").next.contains("community"));
}

#[tokio::test]
async fn bad_a_wrong_write_community_is_told_before_anything_is_lost_and_corrected_in_the_run() {
    let setup = Setup::default().profile("[limits]\nanswer_ms = 100\nrepeats = 1\n");
    let laboratory = Laboratory::with(setup).await;
    let before = laboratory.durable().await;
    let mut entry = laboratory.open_entry(&laboratory.device());
    entry.access.write_community = Community("wrong".into());
    laboratory.change_entry(&entry).await;
    let run = laboratory.upgrade(&laboratory.image(&plan("2.0"))).await;
    assert_eq!(failure(&laboratory.question(run).await).0, Step::ConfiguringServer);
    assert_untouched(&before, &laboratory.durable().await, &laboratory.look().await);
    laboratory.change_entry(&laboratory.entry(&laboratory.device())).await;
    laboratory.answer(run, Answer::Again).await;
    assert_eq!(laboratory.end(run).await.outcome, Outcome::Succeeded, "{}", laboratory.told(run).await);
}

/// The device says that it does not know it, and so it is told at once.
#[tokio::test]
async fn bad_a_wrong_passphrase_is_refused_and_nothing_is_written() {
    let laboratory = Laboratory::with(soon_given_up()).await;
    let before = laboratory.durable().await;
    laboratory.add_credential("wrong", "pancakes!").await;
    let mut entry = laboratory.entry(&laboratory.device());
    entry.access.credential = Some("wrong".into());
    laboratory.change_entry(&entry).await;
    let run = laboratory.upgrade(&laboratory.image(&plan("2.0"))).await;
    let ending = laboratory.end(run).await;
    assert_eq!(ending.outcome, Outcome::Refused);
    assert!(ending.reason.contains("digest"), "{}", ending.reason);
    assert_untouched(&before, &laboratory.durable().await, &laboratory.look().await);
    let probe = laboratory.manager().handle.probe(entry.access, "quick".into()).await;
    assert!(probe.expect_err("a refusal").next.contains("credential"));
}

#[tokio::test]
async fn bad_an_image_whose_file_is_gone_is_never_half_loaded() {
    let laboratory = Laboratory::new().await;
    let before = laboratory.look().await;
    let image = laboratory.image(&plan("2.0"));
    let file = laboratory.manager().files.path(image.manifest.files[0].sha256);
    std::fs::remove_file(file).expect("a stored file");
    let run = laboratory.upgrade(&image).await;
    assert_eq!(failure(&laboratory.question(run).await).0, Step::Downloading);
    assert_in_service(&laboratory.look().await, "1.0", &configuration(&before));
}

#[tokio::test]
async fn bad_an_image_with_a_wrong_digest_or_size_is_never_run() {
    let laboratory = Laboratory::new().await;
    let before = laboratory.look().await;
    let image = laboratory.image(&plan("2.0"));
    let [file] = &image.manifest.files[..] else { unreachable!("one file") };
    let path = laboratory.manager().files.path(file.sha256);
    let mut bytes = std::fs::read(&path).expect("a stored file");
    bytes[70_000] ^= 1;
    std::fs::write(&path, &bytes).expect("a damaged file");
    let run = laboratory.upgrade(&image).await;
    assert_eq!(failure(&laboratory.question(run).await).0, Step::Downloading);
    let view = laboratory.look().await;
    assert_in_service(&view, "1.0", &configuration(&before));
    assert_eq!(view.boots, 1);
    // A manifest that says something else of its file than is true.
    let mut lies = laboratory.image(&plan("2.1"));
    let other = ImageFile { size: lies.manifest.files[0].size - 1, ..lies.manifest.files[0].clone() };
    lies.manifest.files = vec![other];
    lies.digest = Digest([1; 32]);
    laboratory.answer(run, Answer::OtherImage(lies.into())).await;
    assert_eq!(failure(&laboratory.question(run).await).0, Step::Downloading);
    assert_in_service(&laboratory.look().await, "1.0", &configuration(&before));
}

#[tokio::test]
async fn bad_a_flash_that_is_full_keeps_the_old_software() {
    let laboratory = Laboratory::new().await;
    let before = laboratory.look().await;
    laboratory.fault(Fault { percent: 0, byte: Some(50_000), ..Fault::once(FaultKind::FlashFull) }).await;
    let run = laboratory.upgrade(&laboratory.image(&plan("2.0"))).await;
    let question = laboratory.question(run).await;
    assert!(failure(&question).1.to_string().contains("no space"), "{question:?}");
    assert_in_service(&laboratory.look().await, "1.0", &configuration(&before));
}

#[tokio::test]
async fn bad_a_device_that_is_gone_for_good_is_given_up_after_asking() {
    let setup = soon_given_up().device(|device| device.timing.boot = core::time::Duration::ZERO);
    let laboratory = Laboratory::with(setup).await;
    laboratory.fault(Fault { during: Some(Phase::Reset), ..Fault::once(FaultKind::PowerLoss) }).await;
    let run = laboratory.upgrade(&laboratory.image(&plan("2.0"))).await;
    laboratory.once(|device| device.power() == Power::Off).await;
    // Nobody knows what it runs, so it is looked for until the reset's own time is up.
    laboratory.manager().handle.cancel(run).await.expect("a run that can be cancelled");
    let question = laboratory.question(run).await;
    assert!(question.lost);
    assert_eq!(question.answers, [AnswerKind::Again, AnswerKind::End]);
    laboratory.answer(run, Answer::End).await;
    let ending = laboratory.end(run).await;
    assert_eq!(ending.outcome, Outcome::DeviceLost);
}

#[tokio::test]
async fn bad_a_device_that_was_given_up_for_lost_and_comes_back_is_brought_back() {
    let laboratory =
        Laboratory::with(soon_given_up().profile(
            "[limits]\nanswer_ms = 100\nrepeats = 1\nreach_s = 1\n[commands.reset]\ndeadline_s = 1\n[commands.roll-back]\ndeadline_s = 1\n",
        ))
        .await;
    let before = laboratory.look().await;
    laboratory.fault(Fault { during: Some(Phase::Reset), ..Fault::once(FaultKind::PowerLoss) }).await;
    let run = laboratory.upgrade(&laboratory.image(&plan("2.0"))).await;
    assert!(laboratory.question(run).await.lost);
    laboratory.simulator.power_on(&laboratory.device()).await.expect("a device");
    laboratory.answer(run, Answer::Again).await;
    let question = laboratory.question(run).await;
    assert!(!question.lost, "{question:?}");
    assert_in_service(&laboratory.look().await, "1.0", &configuration(&before));
    laboratory.answer(run, Answer::Again).await;
    assert_eq!(laboratory.end(run).await.outcome, Outcome::Succeeded, "{}", laboratory.told(run).await);
}

#[tokio::test]
async fn bad_a_second_run_on_a_busy_device_is_refused_with_the_first_ones_number() {
    let laboratory = Laboratory::new().await;
    laboratory.fault(Fault::once(FaultKind::FlashError)).await;
    let image = laboratory.image(&plan("2.0"));
    let run = laboratory.upgrade(&image).await;
    laboratory.question(run).await;
    let goal = Goal::Upgrade { image: image.into() };
    let second = laboratory.try_begin(&laboratory.device(), goal, choices(Policy::Ask), Protocol::Tftp).await;
    let refusal = second.expect_err("a refusal");
    assert_eq!(refusal.code, RefusalCode::Conflict);
    assert!(refusal.error.contains(&format!("run {run}")), "{refusal}");
}

#[tokio::test]
async fn bad_a_malformed_profile_is_told_with_file_and_line() {
    let mut laboratory = Laboratory::new().await;
    laboratory.kill().await;
    let file = laboratory.folder.path().join("profiles/wrong.toml");
    std::fs::write(&file, "name = \"wrong\"\nextends = \"iad\"\n[limits]\npoll_s = \"soon\"\n")
        .expect("a file");
    let error = start_error(&laboratory).await;
    assert!(error.contains("wrong.toml, line 3") || error.contains("wrong.toml, line 4"), "{error}");
    assert!(error.contains("poll_s") || error.contains("f64"), "{error}");
}

#[tokio::test]
async fn bad_a_malformed_configuration_file_never_comes_into_force() {
    let laboratory = Laboratory::with(Setup::default().without_conversion()).await;
    let before = laboratory.look().await;
    let plan = iad_sim::device::image::Plan { format: 2, ..plan("2.0") };
    let run = laboratory.upgrade(&laboratory.image(&plan)).await;
    laboratory.question(run).await;
    let garbage = laboratory.manager().files.add(&mut &b"\xff\0no configuration"[..]).expect("a file");
    let kinds = laboratory.backup_of(run).await.set.files.into_keys();
    laboratory.answer(run, Answer::Edited(kinds.map(|kind| (kind, garbage)).collect())).await;
    assert_eq!(failure(&laboratory.question(run).await).0, Step::Restoring);
    assert_in_service(&laboratory.look().await, "1.0", &configuration(&before));
}

#[tokio::test]
async fn bad_a_port_in_use_is_named() {
    let mut laboratory = Laboratory::new().await;
    laboratory.kill().await;
    let names = |error: &str, at: SocketAddr| {
        assert!(error.contains(&at.ip().to_string()) && error.contains(&at.port().to_string()), "{error}");
    };
    let options = laboratory.options.clone();
    for at in [options.notifications, options.tftp] {
        let taken = tokio::net::UdpSocket::bind(at).await.expect("a socket");
        names(&start_error(&laboratory).await, at);
        drop(taken);
    }
    let FtpListen::At(at) = options.ftp else { unreachable!("FTP is served") };
    let taken = tokio::net::TcpListener::bind(at).await.expect("a socket");
    names(&start_error(&laboratory).await, at);
    drop(taken);
    laboratory.start_again().await;
}

#[tokio::test]
async fn bad_a_damaged_database_is_named_and_left_as_it_is() {
    let mut laboratory = Laboratory::new().await;
    laboratory.kill().await;
    let data = std::fs::read_dir(&laboratory.options.data).expect("a folder");
    let database = data
        .map(|entry| entry.expect("an entry").path())
        .find(|path| std::fs::read(path).is_ok_and(|bytes| bytes.starts_with(b"SQLite format 3")))
        .expect("a database");
    let mut bytes = std::fs::read(&database).expect("a database");
    let half = bytes.len() / 2;
    bytes[100..half].fill(0xA5);
    std::fs::write(&database, &bytes).expect("a damaged database");
    let error = start_error(&laboratory).await;
    assert!(error.contains(&database.display().to_string()), "{error}");
    assert_eq!(std::fs::read(&database).expect("a database"), bytes);
}

#[tokio::test]
async fn bad_a_data_folder_that_cannot_be_one_is_named() {
    let mut laboratory = Laboratory::new().await;
    laboratory.kill().await;
    let file = laboratory.folder.path().join("not-a-folder");
    std::fs::write(&file, "").expect("a file");
    laboratory.options.data.clone_from(&file);
    let error = start_error(&laboratory).await;
    assert!(error.contains(&file.display().to_string()), "{error}");
}

#[tokio::test]
async fn bad_datagrams_that_are_no_snmp_and_no_tftp_change_nothing() {
    let laboratory = Laboratory::with(Setup::default().flash(400_000)).await;
    let before = laboratory.look().await;
    let run = laboratory.upgrade(&laboratory.image(&plan("2.0"))).await;
    let address = before.address;
    let mut pieces: Vec<Vec<u8>> = vec![vec![], vec![0], vec![0xff; 1400], vec![0x30; 60_000]];
    pieces.extend((0..200_u8).map(|seed| (0..seed).map(|n| n.wrapping_mul(seed) ^ 0x30).collect()));
    pieces.extend((0..12_u8).map(|opcode| vec![0, opcode]));
    for from in [address.ip(), laboratory.options.tftp.ip()] {
        let stranger = Stranger::at(from).await;
        for piece in &pieces {
            for to in [laboratory.options.tftp, laboratory.options.notifications, address] {
                stranger.sends(to, piece).await;
            }
        }
    }
    assert_eq!(laboratory.end(run).await.outcome, Outcome::Succeeded, "{}", laboratory.told(run).await);
    assert_in_service(&laboratory.look().await, "2.0", &configuration(&before));
}

#[tokio::test]
async fn bad_a_name_that_is_taken_adds_no_device() {
    let laboratory = Laboratory::new().await;
    let entry = laboratory.entry(&laboratory.device());
    let fresh = DeviceEntry { name: "fresh".into(), ..entry.clone() };
    let store = &laboratory.manager().store;
    let error = store.add_devices(&[fresh, entry.clone()]).await.expect_err("an error");
    assert!(error.to_string().contains(&entry.name), "{error}");
    assert!(store.device("fresh").await.is_err(), "all or none");
}
