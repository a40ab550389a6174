//! What a daemon costs that has nothing to do.

use tests::process::eventually;

use crate::laboratory::{DEVICE, Laboratory};

/// Built for people who look for faults, it may need twice what it needs otherwise (30 MiB at most).
const MOST_KIB: u64 = 64 * 1024;

/// Resident memory in KiB (`proc_pid_status(5)`).
fn resident_kib(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn an_idle_daemon_needs_little_memory() {
    let laboratory = Laboratory::with_manager_alone(&[]);
    laboratory.succeed(&["doctor"]);
    let resident = resident_kib(laboratory.manager_process());
    println!("idle: {resident} KiB resident");
    assert!(resident < MOST_KIB, "{resident} KiB");
}

#[test]
fn a_daemon_that_has_done_its_work_needs_little_memory_again() {
    let laboratory = Laboratory::start();
    laboratory.add_image("new", "2.0", &["--size", "8MiB"]);
    laboratory.succeed(&["upgrade", DEVICE, "--image", "new", "--wait"]);
    eventually("memory is given back", || resident_kib(laboratory.manager_process()) < MOST_KIB);
    println!("after an upgrade: {} KiB resident", resident_kib(laboratory.manager_process()));
}
