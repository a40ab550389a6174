//! Whether the configuration must be converted, and by whom (rows H21 to H23).

use std::collections::BTreeMap;

use iad_sim::device::image::Plan;
use iad_sim::device::{Command, ConfigurationKind};
use iad_sim::fault::{Fault, FaultKind};
use upgrade::image::Converter;
use upgrade::operation::Cause;
use upgrade::run::{Answer, AnswerKind, Outcome, Policy, Step};
use upgrade::{Image, Kind, RunId, StoredFile};

use crate::evidence::{assert_in_service, configuration, document, failure, started, steps};
use crate::laboratory::Laboratory;
use crate::setup::{Setup, plan};

/// Software that reads format 2, and converts from format 1.
fn other_format() -> Plan {
    Plan { format: 2, ..plan("2.0") }
}

/// The image, with this shell script as its converter.
fn with_converter(laboratory: &Laboratory, script: &str) -> Image {
    let mut image = laboratory.image(&other_format());
    let stored = laboratory.manager().files.add(&mut script.as_bytes()).expect("a stored program");
    image.manifest.converter = Some(Converter { name: "convert.sh".into(), sha256: stored.digest });
    image
}

/// What is sent to the device converts by its header alone: `$2` and `$3` are the formats.
const GOOD_CONVERTER: &str = "#!/bin/sh\nexec sed \"1s/format=$2/format=$3/\"\n";

/// The device runs the new software with the values of before, in the new format.
async fn runs_converted(laboratory: &Laboratory, run: RunId, key: &str) {
    assert_eq!(laboratory.end(run).await.outcome, Outcome::Succeeded, "{}", laboratory.told(run).await);
    let now = laboratory.durable().await;
    let view = laboratory.look().await;
    assert_eq!(view.version, "2.0");
    assert!(view.configurations.iter().filter(|one| one.running).all(|one| one.format == 2));
    let user_data = document(&now, ConfigurationKind::UserData);
    assert_eq!(user_data.entries().count(), 40, "nothing is lost");
    assert!(user_data.get(key).is_some_and(|user| user.starts_with("u555")), "{user_data:?}");
}

/// What the backup holds, edited as an operator would.
async fn edited(laboratory: &Laboratory, run: RunId) -> BTreeMap<Kind, StoredFile> {
    let files = &laboratory.manager().files;
    let edit = |file: StoredFile| {
        let text = String::from_utf8(files.read(file.digest).expect("a file")).expect("text");
        files.add(&mut text.replace("format=1", "format=2").as_bytes()).expect("a stored file")
    };
    let backup = laboratory.backup_of(run).await;
    backup.set.files.into_iter().map(|(kind, file)| (kind, edit(file))).collect()
}

#[tokio::test]
async fn h21_equal_formats_need_no_conversion() {
    let laboratory = Laboratory::new().await;
    let run = laboratory.upgrade(&laboratory.image(&plan("2.0"))).await;
    assert_eq!(laboratory.end(run).await.outcome, Outcome::Succeeded);
    let steps = steps(&laboratory.stories(run).await);
    assert!(!steps.contains(&Step::Judging) && !steps.contains(&Step::Converting), "{steps:?}");
}

#[tokio::test]
async fn h21_where_nobody_else_can_the_operator_is_asked_to_edit_before_anything_is_loaded() {
    let laboratory = Laboratory::with(Setup::default().without_conversion()).await;
    let before = laboratory.look().await;
    let run = laboratory.upgrade(&laboratory.image(&other_format())).await;
    let question = laboratory.question(run).await;
    assert_eq!(question.failure, None, "nothing has failed");
    assert_eq!(question.answers, [AnswerKind::Edited, AnswerKind::OtherImage, AnswerKind::End]);
    let view = laboratory.look().await;
    assert_eq!(started(&view, Command::Download), 0);
    assert_in_service(&view, "1.0", &configuration(&before));
    laboratory.answer(run, Answer::Edited(edited(&laboratory, run).await)).await;
    runs_converted(&laboratory, run, "subscriber.1.sip.user").await;
}

#[tokio::test]
async fn h21_an_edited_configuration_that_lacks_a_kind_is_not_taken() {
    let laboratory = Laboratory::with(Setup::default().without_conversion()).await;
    let run = laboratory.upgrade(&laboratory.image(&other_format())).await;
    laboratory.question(run).await;
    let mut edited = edited(&laboratory, run).await;
    edited.pop_first();
    let answer = laboratory.try_answer(run, Answer::Edited(edited)).await;
    assert!(answer.is_err(), "one of each kind that was backed up is needed");
    assert_eq!(laboratory.question(run).await.failure, None, "it goes on asking");
}

#[tokio::test]
async fn h21_the_device_s_own_formats_decide_where_the_image_tells_none() {
    let setup = Setup::default().profile("formats = [{ version = \"2.0\", format = 2 }]\n");
    let laboratory = Laboratory::with(setup).await;
    let mut image = laboratory.image(&other_format());
    image.manifest.format = None;
    let run = laboratory.upgrade(&image).await;
    runs_converted(&laboratory, run, "line/1/account/user").await;
}

#[tokio::test]
async fn h22_the_device_converts_on_command() {
    let laboratory = Laboratory::new().await;
    let run = laboratory.upgrade(&laboratory.image(&other_format())).await;
    runs_converted(&laboratory, run, "line/1/account/user").await;
    assert_eq!(started(&laboratory.look().await, Command::Convert), 1);
    let steps = steps(&laboratory.stories(run).await);
    let order: Vec<_> = steps
        .into_iter()
        .filter(|step| matches!(step, Step::Activating | Step::Converting | Step::Restoring))
        .collect();
    assert_eq!(order, [Step::Activating, Step::Converting, Step::Restoring]);
}

#[tokio::test]
async fn h22_a_converter_at_the_manager_converts() {
    let laboratory = Laboratory::with(Setup::default().without_conversion()).await;
    let image = with_converter(&laboratory, GOOD_CONVERTER);
    let run = laboratory.upgrade(&image).await;
    runs_converted(&laboratory, run, "subscriber.1.sip.user").await;
    assert_eq!(started(&laboratory.look().await, Command::Convert), 0);
    let steps = steps(&laboratory.stories(run).await);
    let judged = steps.iter().position(|step| *step == Step::Judging).expect("judging");
    let downloaded = steps.iter().position(|step| *step == Step::Downloading).expect("downloading");
    assert!(judged < downloaded, "a configuration that cannot be converted keeps the image away");
}

#[tokio::test]
async fn h22_a_converter_that_fails_leaves_the_device_untouched_and_the_operator_is_asked() {
    let scripts = [
        ("#!/bin/sh\necho no such kind >&2\nexit 3\n", "no such kind"),
        ("#!/bin/sh\nexit 0\n", "nothing"),
        ("no program\n", "convert.sh"),
    ];
    for (script, why) in scripts {
        let laboratory = Laboratory::with(Setup::default().without_conversion()).await;
        let before = laboratory.look().await;
        let image = with_converter(&laboratory, script);
        let run = laboratory.upgrade(&image).await;
        let question = laboratory.question(run).await;
        let (step, cause) = failure(&question);
        assert_eq!(step, Step::Judging);
        assert!(cause.to_string().contains(why), "{cause}");
        let view = laboratory.look().await;
        assert_eq!(started(&view, Command::Download), 0);
        assert_in_service(&view, "1.0", &configuration(&before));
        // The operator edits instead.
        laboratory.answer(run, Answer::Edited(edited(&laboratory, run).await)).await;
        runs_converted(&laboratory, run, "subscriber.1.sip.user").await;
    }
}

#[tokio::test]
async fn h22_a_converter_that_does_not_end_is_ended() {
    let setup = Setup::default().without_conversion().profile("[limits]\nconvert_s = 0.5\n");
    let laboratory = Laboratory::with(setup).await;
    let image = with_converter(&laboratory, "#!/bin/sh\nexec tail -f /dev/null\n");
    let run = laboratory.upgrade(&image).await;
    assert!(matches!(failure(&laboratory.question(run).await), (Step::Judging, Cause::Converter(_))));
}

#[tokio::test]
async fn h23_a_restore_that_fails_after_a_conversion_goes_back_to_conversion() {
    let laboratory = Laboratory::new().await;
    let fails = Fault { version: Some("2.0".into()), ..Fault::once(FaultKind::ApplyFails) };
    laboratory.fault(fails).await;
    let run = laboratory.upgrade_by(&laboratory.image(&other_format()), Policy::Auto(2)).await;
    runs_converted(&laboratory, run, "line/1/account/user").await;
    let steps = steps(&laboratory.stories(run).await);
    let order: Vec<_> =
        steps.into_iter().filter(|step| matches!(step, Step::Converting | Step::Restoring)).collect();
    assert_eq!(order, [Step::Converting, Step::Restoring, Step::Converting, Step::Restoring]);
}

#[tokio::test]
async fn h23_asked_for_again_the_manager_converts_anew_too() {
    let laboratory = Laboratory::with(Setup::default().without_conversion()).await;
    let fails = Fault { version: Some("2.0".into()), ..Fault::once(FaultKind::ApplyFails) };
    laboratory.fault(fails).await;
    let image = with_converter(&laboratory, GOOD_CONVERTER);
    let run = laboratory.upgrade(&image).await;
    assert_eq!(failure(&laboratory.question(run).await).0, Step::Restoring);
    let original = laboratory.backup_of(run).await;
    laboratory.answer(run, Answer::Again).await;
    runs_converted(&laboratory, run, "subscriber.1.sip.user").await;
    let steps = steps(&laboratory.stories(run).await);
    assert_eq!(steps.iter().filter(|step| **step == Step::Judging).count(), 2);
    assert_eq!(laboratory.backups().await.last(), Some(&original), "the original is kept untouched");
    let untouched = laboratory.run(run).await.backup.expect("a backup");
    assert_eq!(untouched.files, original.set.files);
}

#[tokio::test]
async fn h23_a_conversion_that_fails_on_the_device_leads_back_to_the_old_software() {
    let laboratory = Laboratory::new().await;
    let before = laboratory.look().await;
    laboratory.fault(Fault::once(FaultKind::ConversionFails)).await;
    let run = laboratory.upgrade(&laboratory.image(&other_format())).await;
    let question = laboratory.question(run).await;
    assert!(matches!(failure(&question), (Step::Converting, Cause::Device(_))), "{question:?}");
    assert_in_service(&laboratory.look().await, "1.0", &configuration(&before));
    laboratory.answer(run, Answer::Again).await;
    runs_converted(&laboratory, run, "line/1/account/user").await;
}

#[tokio::test]
async fn h23_an_image_that_nobody_can_convert_for_is_refused_at_once() {
    let setup = Setup::default().without_conversion().profile("conversion = [\"device\", \"manager\"]\n");
    let laboratory = Laboratory::with(setup).await;
    let run = laboratory.upgrade(&laboratory.image(&other_format())).await;
    let ending = laboratory.end(run).await;
    assert_eq!(ending.outcome, Outcome::Refused);
    assert!(ending.reason.contains("converted"), "{}", ending.reason);
}
