//! Row B9, beside the kill matrix, which kills the manager in the middle of each phase: here it is killed just before or
//! just after a command is sent, while files go over by FTP, while software is activated hot, and around a cancel. Started
//! again on the same data and ports, it ends the run as if nothing had happened, and no command is started twice by one
//! operation id.

use serde_json::Value;
use tests::process::eventually;

use crate::laboratory::{DEVICE, Laboratory, Setup};

/// When the daemon is killed.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// As soon as it tells that this part of the figure has begun: just before, or just after, its command is sent.
    Told(&'static str),
    /// Once the device carries out this command.
    Carried(&'static str),
    /// Once it tells progress of this part.
    Progress(&'static str),
    /// Once the run waits for the moment it was given.
    Holding,
}

/// What an operator does between the kill and the end.
#[derive(Debug, Clone, Copy)]
enum Then {
    Nothing,
    /// A command of the manager once it runs again; the number of the run is put for RUN.
    Operator(&'static [&'static str]),
    /// The same, but once a question is open.
    Answer(&'static [&'static str]),
}

struct Kill {
    moment: Moment,
    /// Options of the simulator.
    devices: &'static [&'static str],
    faults: &'static [&'static [&'static str]],
    limits: &'static [&'static str],
    /// Of the image.
    image: &'static [&'static str],
    /// Of the upgrade.
    upgrade: &'static [&'static str],
    then: Then,
    outcome: &'static str,
    version: &'static str,
    /// The commands that the device may carry out once more: their transfers broke with the manager that served them.
    repeated: &'static [&'static str],
}

/// An upgrade whose configuration must be converted, so that each part of the figure has something to do.
const UPGRADE: Kill = Kill {
    moment: Moment::Told("backing-up"),
    devices: &[],
    faults: &[],
    limits: &[],
    image: &["--format", "2"],
    upgrade: &[],
    then: Then::Nothing,
    outcome: "succeeded",
    version: "2.0",
    repeated: &[],
};

/// The restore on the new software fails, so that the device is rolled back.
const FAILING: Kill = Kill {
    faults: &[&["apply-fails", "--version", "2.0", "--times", "0"]],
    then: Then::Answer(&["run", "answer", "RUN", "end"]),
    outcome: "ended-by-operator",
    version: "1.0",
    ..UPGRADE
};

fn resumes(kill: &Kill) {
    let mut laboratory = Laboratory::with(&Setup {
        devices: kill.devices,
        faults: kill.faults,
        limits: kill.limits,
        ..Setup::default()
    });
    laboratory.add_image("new", "2.0", kill.image);
    let before = laboratory.device();
    let run = laboratory.begin(&[&["upgrade", DEVICE, "--image", "new"], kill.upgrade].concat());
    let mut watch = laboratory.watch(run);
    match kill.moment {
        Moment::Told(step) => watch.step_begun(step),
        Moment::Holding => eventually("the run waits for its moment", || {
            laboratory.run_as_it_stands(run)["state"].get("holding").is_some()
        }),
        Moment::Progress(step) => watch.wait_for("progress", |story| {
            let percent = story["progress"]["percent"].as_u64()?;
            (story["progress"]["step"] == step && percent > 0).then_some(())
        }),
        Moment::Carried(command) => {
            let running = |device: &Value| {
                device["operation"]["command"] == command && device["operation"]["state"] == "running"
            };
            laboratory.device_becomes(&format!("the device carries out {command}"), running);
        }
    }
    laboratory.kill_manager();
    drop(watch);

    laboratory.start_manager();
    let number = run.to_string();
    let with_run = |words: &[&'static str]| {
        let words: Vec<_> =
            words.iter().map(|word| if *word == "RUN" { number.as_str() } else { word }).collect();
        laboratory.succeed(&words)
    };
    let mut watch = laboratory.watch(run);
    match kill.then {
        Then::Nothing => {}
        Then::Operator(words) => drop(with_run(words)),
        Then::Answer(words) => {
            watch.asked();
            assert_eq!(
                laboratory.device()["version"],
                "1.0",
                "a question leaves the device on its old software"
            );
            with_run(words);
        }
    }
    let mut resumed = false;
    let asked_before = !matches!(kill.then, Then::Answer(_));
    let ended = watch.wait_for("the end of the run", |story| {
        resumed |= story == "resumed";
        assert!(!(asked_before && story.get("asked").is_some()), "nobody was to be asked: {story}");
        story.get("ended").cloned()
    });

    assert_eq!(ended["outcome"], kill.outcome, "{ended}");
    let after = laboratory.device();
    assert_eq!(after["version"], kill.version, "{after}");
    assert_eq!(entries(&after), entries(&before), "no entry of the configuration was lost");
    no_command_was_repeated_blindly(&after, kill.repeated);
}

/// How many entries each kind of the configuration in force has.
fn entries(device: &Value) -> Vec<(String, u64)> {
    let all = device["configurations"].as_array().unwrap().iter();
    let running = all.filter(|one| one["running"] == true);
    running.map(|one| (one["kind"].to_string(), one["entries"].as_u64().unwrap())).collect()
}

/// Each operation id came in one SET and was started by it, and each command was carried out as often as it had to be.
fn no_command_was_repeated_blindly(device: &Value, repeated: &[&str]) {
    let operations = device["counters"]["operations"].as_array().unwrap();
    assert!(!operations.is_empty());
    for operation in operations {
        assert_eq!((&operation["seen"], &operation["started"]), (&1.into(), &1.into()), "{operations:#?}");
    }
    for (command, times) in device["counters"]["started"].as_object().unwrap() {
        let most = if repeated.contains(&command.as_str()) { 2 } else { 1 };
        assert!(times.as_u64().unwrap() <= most, "{command} was started {times} times: {operations:#?}");
    }
}

macro_rules! killed {
    ($($name:ident: $kill:expr;)*) => { $(
        #[test]
        fn $name() {
            resumes(&$kill);
        }
    )* };
}

const SLOW_FLASH: &[&str] = &["--flash-speed", "400KiB", "--give-up", "2s"];
const SLOW_BOOT: &[&str] = &["--boot-time", "2s"];

killed! {
    b09_killed_as_it_configured_the_file_server: Kill {
        moment: Moment::Told("configuring-server"),
        faults: &[&["lose-answer", "--request", "set"]],
        ..UPGRADE
    };
    b09_killed_as_it_began_to_back_up: Kill {
        moment: Moment::Told("backing-up"),
        devices: &["--give-up", "2s"],
        repeated: &["backup"],
        ..UPGRADE
    };
    b09_killed_while_backing_up_by_ftp: Kill {
        moment: Moment::Carried("backup"),
        devices: &["--give-up", "2s"],
        faults: &[&["stall-transfer", "--during", "backup", "--percent", "50", "--for-ms", "1500"]],
        upgrade: &["--protocol", "ftp"],
        repeated: &["backup"],
        ..UPGRADE
    };
    b09_killed_as_it_began_the_download: Kill {
        moment: Moment::Told("downloading"),
        devices: SLOW_FLASH,
        repeated: &["download"],
        ..UPGRADE
    };
    b09_killed_while_downloading_by_ftp: Kill {
        moment: Moment::Progress("downloading"),
        devices: SLOW_FLASH,
        upgrade: &["--protocol", "ftp"],
        repeated: &["download"],
        ..UPGRADE
    };
    b09_killed_as_it_stopped_new_calls: Kill {
        moment: Moment::Told("closing-calls"),
        ..UPGRADE
    };
    b09_killed_as_it_began_to_activate: Kill {
        moment: Moment::Told("activating"),
        devices: SLOW_BOOT,
        ..UPGRADE
    };
    b09_killed_while_the_new_software_is_activated_without_a_restart: Kill {
        moment: Moment::Carried("activate"),
        devices: &["--capability", "dual-image,convert,tftp,ftp", "--activate-time", "2s"],
        ..UPGRADE
    };
    b09_killed_as_the_conversion_began: Kill {
        moment: Moment::Told("converting"),
        devices: &["--convert-time", "1s", "--give-up", "2s"],
        repeated: &["convert"],
        ..UPGRADE
    };
    b09_killed_as_it_began_to_restore: Kill {
        moment: Moment::Told("restoring"),
        devices: &["--apply-time", "1s", "--give-up", "2s"],
        repeated: &["restore"],
        ..UPGRADE
    };
    b09_killed_as_it_confirmed: Kill {
        moment: Moment::Told("confirming"),
        ..UPGRADE
    };
    b09_killed_as_it_began_to_roll_back: Kill {
        moment: Moment::Told("rolling-back"),
        devices: SLOW_BOOT,
        ..FAILING
    };
    b09_killed_as_it_verified_the_original: Kill {
        moment: Moment::Told("restoring-original"),
        ..FAILING
    };
    b09_killed_while_waiting_for_the_moment_to_activate: Kill {
        moment: Moment::Holding,
        upgrade: &["--at", "2100-01-01T02:00:00Z"],
        then: Then::Operator(&["run", "cancel", "RUN"]),
        outcome: "cancelled",
        version: "1.0",
        ..UPGRADE
    };
    b09_killed_as_a_run_was_cancelled_while_downloading: Kill {
        moment: Moment::Progress("downloading"),
        devices: SLOW_FLASH,
        then: Then::Operator(&["run", "cancel", "RUN"]),
        outcome: "cancelled",
        version: "1.0",
        repeated: &["download"],
        ..UPGRADE
    };
}
