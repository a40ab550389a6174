//! `iadms upgrade --wait` and its like, where nobody sits at a terminal: how they end, and what they tell.

use serde_json::Value;
use tests::process::Running;

use crate::bad_input::is_refused;
use crate::laboratory::{DEVICE, Laboratory, Setup};

/// A device whose restore fails on new software, so often.
fn that_fails(times: &'static str) -> Laboratory {
    let fault = ["apply-fails", "--version", "2.0", "--times", times];
    let laboratory = Laboratory::with(&Setup { faults: &[&fault], ..Setup::default() });
    laboratory.add_image("new", "2.0", &["--format", "2"]);
    laboratory
}

#[test]
fn an_upgrade_that_succeeds_is_exit_code_0_with_its_result_on_stdout() {
    let laboratory = Laboratory::start();
    laboratory.add_image("new", "2.0", &[]);
    let answered = laboratory.run(&["upgrade", DEVICE, "--image", "new", "--wait"]);
    assert_eq!(answered.code, Some(0), "{answered:?}");
    let rows: Vec<Vec<&str>> =
        answered.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["DEVICE", "RUN", "RESULT", "BEFORE", "NOW", "REASON"]);
    assert_eq!(rows[1][..5], [DEVICE, "1", "succeeded", "1.0", "2.0"]);
    for step in ["backing up", "downloading", "activating", "confirming"] {
        assert!(answered.stderr.contains(step), "{step} is not told: {}", answered.stderr);
    }
    // Asked for again, there is nothing to do, and nothing is done.
    let again = laboratory.run(&["upgrade", DEVICE, "--image", "new", "--wait", "--output", "json"]);
    assert_eq!(again.code, Some(0), "{again:?}");
    let records: Value = serde_json::from_str(&again.stdout).expect("nothing but JSON on stdout");
    assert_eq!(records.as_array().unwrap().len(), 1);
    assert_eq!(laboratory.device()["counters"]["started"]["download"], 1);
}

#[test]
fn an_upgrade_that_fails_where_nobody_is_to_be_asked_is_exit_code_3() {
    let laboratory = that_fails("0");
    let answered = laboratory.run(&["upgrade", DEVICE, "--image", "new", "--policy", "never", "--wait"]);
    assert_eq!(answered.code, Some(3), "{answered:?}");
    assert!(
        answered.stdout.contains("rolled back") && answered.stdout.contains("restoring failed"),
        "{answered:?}"
    );
    assert_eq!(laboratory.device()["version"], "1.0");
}

#[test]
fn an_upgrade_that_asks_where_nobody_can_answer_is_exit_code_4_and_says_how_to_answer() {
    let laboratory = that_fails("0");
    let answered = laboratory.run(&["upgrade", DEVICE, "--image", "new", "--wait"]);
    assert_eq!(answered.code, Some(4), "{answered:?}");
    for command in ["iadms run answer 1 again", "iadms run answer 1 image NAME", "iadms run answer 1 end"] {
        assert!(answered.stderr.contains(command), "{command} is not told: {}", answered.stderr);
    }
    assert!(laboratory.succeed(&["run", "show", "1"]).contains("iadms run answer 1 end"));
    assert_eq!(laboratory.run(&["run", "watch", "1", "--until-question"]).code, Some(4));

    let ended = laboratory.run(&["run", "answer", "1", "end", "--wait"]);
    assert_eq!(ended.code, Some(3), "{ended:?}");
    is_refused(&laboratory.run(&["run", "answer", "1", "again"]), &["run 1", "over", "iadms run show 1"]);
    assert_eq!(laboratory.device()["version"], "1.0");
}

#[test]
fn a_question_is_answered_from_anywhere_by_another_image() {
    let laboratory = Laboratory::start();
    laboratory.add_image("bad", "2.0", &["--boot", "loop"]);
    laboratory.add_image("good", "2.1", &[]);
    assert_eq!(laboratory.run(&["upgrade", DEVICE, "--image", "bad", "--wait"]).code, Some(4));
    is_refused(
        &laboratory.run(&["run", "answer", "1", "image", "nothing"]),
        &["nothing", "iadms image list"],
    );
    let answered = laboratory.run(&["run", "answer", "1", "image", "good", "--wait"]);
    assert_eq!(answered.code, Some(0), "{answered:?}");
    assert_eq!(laboratory.device()["version"], "2.1");
}

#[test]
fn h21_an_operator_edits_the_configuration_and_hands_it_back() {
    let laboratory = that_fails("1");
    assert_eq!(laboratory.run(&["upgrade", DEVICE, "--image", "new", "--wait"]).code, Some(4));
    let folder = laboratory.folder().join("edited");
    let folder = folder.to_str().unwrap();
    let files = laboratory.succeed(&["run", "export", "1", folder]);
    assert_eq!(files.lines().count(), 4, "{files}");
    // The new software reads configurations of format 2, and what was exported is of format 1: unedited, it does not fit.
    let answered = laboratory.run(&["run", "answer", "1", "edited", folder, "--wait"]);
    assert_eq!(answered.code, Some(4), "{answered:?}");
    assert!(answered.stderr.contains("format"), "{answered:?}");
    assert_eq!(laboratory.device()["version"], "1.0");
    let ended = laboratory.run(&["run", "answer", "1", "end", "--wait"]);
    assert_eq!(ended.code, Some(3), "{ended:?}");
}

#[test]
fn what_was_edited_from_an_older_backup_is_not_taken() {
    let laboratory = that_fails("2");
    assert_eq!(laboratory.run(&["upgrade", DEVICE, "--image", "new", "--wait"]).code, Some(4));
    let folders = ["older", "todays"].map(|name| laboratory.folder().join(name));
    let [older, todays] = folders.each_ref().map(|folder| folder.to_str().unwrap());
    laboratory.succeed(&["run", "export", "1", older]);
    laboratory.simulator(&["device", "set-config", DEVICE, "subscriber.1.forward=+15550042"]);
    assert_eq!(laboratory.run(&["run", "answer", "1", "again", "--wait"]).code, Some(4));
    is_refused(
        &laboratory.run(&["run", "answer", "1", "edited", older]),
        &["before the settings of IAD-000001 changed", "iadms run export 1 DIR"],
    );
    laboratory.succeed(&["run", "export", "1", todays]);
    laboratory.succeed(&["run", "answer", "1", "edited", todays]);
}

#[test]
fn a_command_that_waits_outlives_the_daemon_it_waits_for() {
    let mut laboratory =
        Laboratory::with(&Setup { devices: &["--calls", "1", "--call-time", "1h"], ..Setup::default() });
    laboratory.add_image("new", "2.0", &[]);
    let mut waiting =
        Running::start(&mut laboratory.command(&["upgrade", DEVICE, "--image", "new", "--wait"]));
    waiting.wait_for("that calls are waited for", |line| line.contains("waiting to activate").then_some(()));
    laboratory.kill_manager();
    waiting.wait_for("that the daemon went away", |line| line.contains("the daemon went away").then_some(()));
    laboratory.start_manager();
    laboratory.simulator(&["device", "calls", "0", DEVICE]);
    let finished = waiting.finish_within(tests::process::LIMIT);
    assert_eq!(finished.status.code(), Some(0), "{}", finished.output);
    assert_eq!(laboratory.device()["version"], "2.0");
}

#[test]
fn an_operation_is_stopped_by_the_operator_and_the_run_asks() {
    let laboratory = Laboratory::with(&Setup { devices: &["--flash-speed", "200KiB"], ..Setup::default() });
    laboratory.add_image("new", "2.0", &[]);
    let run = laboratory.begin(&["upgrade", DEVICE, "--image", "new"]);
    let mut watch = laboratory.watch(run);
    laboratory.device_becomes("the device downloads", |device| {
        device["operation"]["command"] == "download" && device["operation"]["state"] == "running"
    });
    laboratory.succeed(&["operation", "abort", &run.to_string()]);
    let question = watch.asked();
    assert!(question["failure"].to_string().contains("stopped"), "{question}");
    let device = laboratory.device();
    assert_eq!(device["version"], "1.0");
    assert_eq!(device["operation"]["state"], "aborted");
    // Nothing is under way any more: there is nothing to stop.
    is_refused(&laboratory.run(&["operation", "abort", &run.to_string()]), &[&format!("run {run}")]);
    laboratory.succeed(&["run", "answer", &run.to_string(), "end"]);
    let ended = watch.wait_for("the end", |story| story.get("ended").cloned());
    assert_eq!(ended["outcome"], "ended-by-operator");
}

#[test]
fn a_question_that_nobody_answers_ends_the_run_at_its_limit() {
    let laboratory = that_fails("0");
    let words = ["upgrade", DEVICE, "--image", "new", "--question-limit", "1s"];
    let run = laboratory.begin(&words);
    let ended = laboratory.watch(run).wait_for("the end", |story| story.get("ended").cloned());
    assert_ne!(ended["outcome"], "succeeded", "{ended}");
    assert_eq!(laboratory.device()["version"], "1.0");
}
