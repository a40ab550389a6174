//! The faults that can be planted fit the code as it is: one that no longer applies would prove nothing.

use std::process::Command;

#[test]
fn every_fault_that_can_be_planted_still_applies() {
    let root = xtask::root();
    let listed = std::fs::read_dir(root.join("tests/world/sabotage")).unwrap();
    let patches: Vec<_> = listed.map(|entry| entry.unwrap().path()).collect();
    assert!(patches.len() >= 10, "{} faults", patches.len());
    for patch in patches {
        let checked =
            Command::new("git").args(["apply", "--check"]).arg(&patch).current_dir(&root).output().unwrap();
        let why = String::from_utf8_lossy(&checked.stderr);
        assert!(checked.status.success(), "{}: {why}", patch.display());
    }
}
