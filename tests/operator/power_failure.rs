//! `kill -9` of the simulator is a failure of power at every device at once. Runs ask, or repeat by themselves, as the policy
//! says, and nothing is lost.

use serde_json::Value;

use crate::laboratory::{DEVICE, Laboratory, Setup};

fn configuration(device: &Value) -> Vec<Value> {
    let all = device["configurations"].as_array().unwrap().iter();
    all.filter(|one| one["running"] == true).map(|one| one["sha256"].clone()).collect()
}

/// An upgrade during whose download the power fails at the device and comes back.
fn power_fails_while_downloading(policy: &str) -> (Laboratory, u64, Value) {
    let mut laboratory = Laboratory::with(&Setup {
        devices: &["--flash-speed", "400KiB", "--give-up", "2s"],
        ..Setup::default()
    });
    laboratory.add_image("new", "2.0", &[]);
    let before = laboratory.device();
    let run = laboratory.begin(&["upgrade", DEVICE, "--image", "new", "--policy", policy]);
    laboratory.watch(run).wait_for("progress of the download", |story| {
        let percent = story["progress"]["percent"].as_u64()?;
        (story["progress"]["step"] == "downloading" && percent > 0).then_some(())
    });
    laboratory.kill_simulator();
    laboratory.start_simulator_again();
    (laboratory, run, before)
}

#[test]
fn h18_power_fails_at_all_devices_while_downloading_and_the_operator_is_asked() {
    let (laboratory, run, before) = power_fails_while_downloading("ask");
    laboratory.watch(run).asked();
    let asking = laboratory.device();
    assert_eq!(asking["version"], "1.0");
    assert_eq!(configuration(&asking), configuration(&before));

    laboratory.succeed(&["run", "answer", &run.to_string(), "again"]);
    let ended = laboratory.watch(run).wait_for("the end", |story| story.get("ended").cloned());
    assert_eq!(ended["outcome"], "succeeded", "{ended}");
    let after = laboratory.device();
    assert_eq!(after["version"], "2.0");
    assert_eq!(configuration(&after), configuration(&before));
}

#[test]
fn h18_power_fails_at_all_devices_while_downloading_and_it_is_tried_again_by_itself() {
    let (laboratory, run, before) = power_fails_while_downloading("auto:2");
    assert_eq!(laboratory.ending(run)["outcome"], "succeeded");
    let after = laboratory.device();
    assert_eq!(after["version"], "2.0");
    assert_eq!(configuration(&after), configuration(&before));
}

#[test]
fn h18_power_fails_at_all_devices_as_they_restart_into_new_software() {
    let mut laboratory = Laboratory::with(&Setup { devices: &["--boot-time", "1s"], ..Setup::default() });
    laboratory.add_image("new", "2.0", &["--format", "2"]);
    let before = laboratory.device();
    let run = laboratory.begin(&["upgrade", DEVICE, "--image", "new", "--policy", "auto:2"]);
    laboratory.device_becomes("the device restarts", |device| device["operation"]["command"] == "reset");
    laboratory.kill_simulator();
    laboratory.start_simulator_again();
    assert_eq!(laboratory.ending(run)["outcome"], "succeeded");
    let after = laboratory.device();
    assert_eq!(after["version"], "2.0");
    assert_eq!(configuration(&after).len(), configuration(&before).len());
}

#[test]
fn b09_manager_and_devices_lose_their_power_together() {
    let mut laboratory =
        Laboratory::with(&Setup { devices: &["--apply-time", "1s", "--give-up", "2s"], ..Setup::default() });
    laboratory.add_image("new", "2.0", &["--format", "2"]);
    let run = laboratory.begin(&["upgrade", DEVICE, "--image", "new", "--policy", "auto:3"]);
    laboratory.device_becomes("the device restores", |device| {
        device["operation"]["command"] == "restore" && device["operation"]["state"] == "running"
    });
    laboratory.kill_manager();
    laboratory.kill_simulator();
    laboratory.start_simulator_again();
    laboratory.start_manager();
    assert_eq!(laboratory.ending(run)["outcome"], "succeeded");
    assert_eq!(laboratory.device()["version"], "2.0");
}
