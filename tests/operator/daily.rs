//! What operators do every day beside upgrades: look into backups, ask the doctor, complete words in the shell.

use std::process::Command;

use crate::laboratory::{DEVICE, Laboratory, Setup, another_address, answer};

#[test]
fn a_difference_between_backups_shows_what_changed_and_masks_secrets() {
    let laboratory = Laboratory::start();
    laboratory.succeed(&["backup", DEVICE, "--wait"]);
    laboratory.simulator(&[
        "device",
        "set-config",
        DEVICE,
        "subscriber.1.name=Somebody Else",
        "subscriber.1.sip.password=open-sesame",
    ]);
    laboratory.succeed(&["backup", DEVICE, "--wait"]);
    let diff = laboratory.succeed(&["backup", "diff", "1", "2"]);
    assert!(diff.contains("Somebody Else"), "{diff}");
    assert!(
        diff.contains("-subscriber.1.sip.password") && diff.contains("+subscriber.1.sip.password"),
        "{diff}"
    );
    assert!(diff.contains("********") && !diff.contains("open-sesame"), "{diff}");
    assert!(laboratory.succeed(&["backup", "diff", "1", "2", "--secrets"]).contains("open-sesame"));
    let same = laboratory.run(&["backup", "diff", "1", "1"]);
    assert_eq!((same.code, same.stdout.as_str()), (Some(0), ""));

    // What was changed by hand is undone by a restore, to the byte.
    laboratory.succeed(&["restore", DEVICE, "--backup", "1", "--wait"]);
    laboratory.succeed(&["backup", DEVICE, "--wait"]);
    let newest = laboratory.json(&["backup", "list"])[0]["id"].to_string();
    assert_eq!(laboratory.succeed(&["backup", "diff", "1", &newest]), "");
}

#[test]
fn secrets_are_shown_by_no_list() {
    let laboratory = Laboratory::with_manager_alone(&[]);
    laboratory.succeed(&["device", "add", "iad", "192.0.2.1", "--write-community", "open-sesame"]);
    laboratory.credential(&["add", "north"], ["open-sesame", "open-sesame"]);
    let lists = [
        &["device", "list"][..],
        &["device", "show", "iad"],
        &["northbound", "target", "list"],
        &["credential", "list"],
    ];
    for words in lists {
        for form in ["table", "json"] {
            let shown = laboratory.succeed(&[words, &["--output", form]].concat());
            assert!(!shown.contains("open-sesame"), "{words:?}: {shown}");
        }
    }
}

#[test]
fn the_completion_for_bash_loads_and_completes() {
    let laboratory = Laboratory::with_manager_alone(&[]);
    let script = laboratory.folder().join("completion.bash");
    std::fs::write(&script, laboratory.succeed(&["completion", "bash"])).unwrap();
    let words = "COMP_WORDS=(iadms upg); COMP_CWORD=1; COMP_LINE='iadms upg'; COMP_POINT=9; _iadms iadms upg iadms; \
                 echo \"completed: ${COMPREPLY[*]}\"";
    let mut bash = Command::new("bash");
    bash.args(["--noprofile", "--norc", "-ec", &format!("source '{}'; {words}", script.display())]);
    let answered = answer(&mut bash);
    assert_eq!(answered.code, Some(0), "{answered:?}");
    assert!(answered.stdout.contains("completed: upgrade"), "{answered:?}");
}

#[test]
fn the_doctor_finds_nothing_wrong_and_then_a_device_that_is_silent() {
    let laboratory = Laboratory::with(&Setup { limits: &["answer_ms = 200"], ..Setup::default() });
    let healthy = laboratory.run(&["doctor", "--devices"]);
    assert_eq!(healthy.code, Some(0), "{healthy:?}");
    for check in ["daemon", "ports", "clock", "disk", "database", "profiles", "images", "runs", "devices"] {
        assert!(healthy.stdout.lines().any(|line| line.contains(check)), "{check}: {}", healthy.stdout);
    }
    assert!(!healthy.stdout.contains("BAD"), "{}", healthy.stdout);
    laboratory.add_device("away", (another_address(), 1161).into());
    let ill = laboratory.run(&["doctor", "--devices"]);
    assert!(ill.stdout.contains("look  devices") && ill.stdout.contains("away"), "{}", ill.stdout);
    assert!(ill.stdout.contains("check power, address, port"), "{}", ill.stdout);
}

#[test]
fn help_tells_the_exit_codes() {
    let laboratory = Laboratory::with_manager_alone(&[]);
    let help = laboratory.succeed(&["--help"]);
    for line in
        ["0  done", "1  not done", "2  the command line", "3  a run ended otherwise", "4  a run waits"]
    {
        assert!(help.contains(line), "{line} is not in {help}");
    }
}
