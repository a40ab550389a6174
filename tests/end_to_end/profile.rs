//! Kinds of devices are data (row H24).

use upgrade::profile::IAD;
use upgrade::run::Outcome;

use crate::evidence::{assert_in_service, configuration};
use crate::laboratory::Laboratory;
use crate::setup::{Setup, plan};

/// The profile `iad` without these lines, under another name.
fn without(name: &str, left_out: impl Fn(&str) -> bool) -> String {
    let kept: Vec<_> = IAD.lines().filter(|line| !left_out(line)).collect();
    kept.join("\n").replace("name = \"iad\"", &format!("name = {name:?}"))
}

async fn upgrades(name: &'static str, text: String) {
    let laboratory = Laboratory::with(Setup::default().kind(name, text)).await;
    let before = laboratory.look().await;
    let run = laboratory.upgrade(&laboratory.image(&plan("2.0"))).await;
    assert_eq!(laboratory.end(run).await.outcome, Outcome::Succeeded, "{}", laboratory.told(run).await);
    assert_in_service(&laboratory.look().await, "2.0", &configuration(&before));
}

#[tokio::test]
async fn h24_a_made_up_kind_of_device_needs_no_code() {
    // It has words of its own, a user of its own for the file server, and no notifications that anybody knows.
    let text = without("pbx", |line| line.contains("\"1.3.6.1.4.1.32473.1.0."))
        .replace("user-data = 1", "extensions = 1")
        .replace("[\"server-user\", \"{server-user}\"],", "[\"server-user\", \"pbx\"],")
        .replace("title = \"Access device with IAD-MIB\"", "title = \"A private branch exchange\"");
    upgrades("pbx", text).await;
}

#[tokio::test]
async fn h24_a_kind_that_tells_no_digests_is_believed_by_its_state_and_the_file_server() {
    let text = without("terse", |line| {
        line.starts_with("software-digest")
            || line.starts_with("configuration-digest")
            || line.starts_with("configuration-size")
    });
    upgrades("terse", text).await;
}

#[tokio::test]
async fn h24_a_kind_without_call_admission_and_health_is_upgraded_without_them() {
    let text = IAD
        .replace("name = \"iad\"", "name = \"plain\"")
        .replace("[objects.health]\noid = \"1.3.6.1.4.1.32473.1.1.1.10.0\"\nsyntax = \"integer\"\nwords = { good = 1, degraded = 2 }\n", "")
        .replace("[commands.close-calls]\ndeadline_s = 30\nset = [[\"call-admission\", \"closed\"]]\n", "")
        .replace("[commands.open-calls]\ndeadline_s = 30\nset = [[\"call-admission\", \"open\"]]\n", "")
        .replace("[objects.call-admission]\noid = \"1.3.6.1.4.1.32473.1.1.1.7.0\"\nsyntax = \"integer\"\nwords = { open = 1, closed = 2 }\n", "");
    assert!(!text.contains("call-admission") && !text.contains("objects.health"));
    upgrades("plain", text).await;
}

#[tokio::test]
async fn h24_objects_elsewhere_are_a_matter_of_the_file_alone() {
    // The device is asked by `sysName` who it is, instead of by its own object.
    let text = IAD.replace("name = \"iad\"", "name = \"named\"").replace(
        "unique-id = { oid = \"1.3.6.1.4.1.32473.1.1.1.3.0\"",
        "unique-id = { oid = \"1.3.6.1.2.1.1.5.0\"",
    );
    let laboratory = Laboratory::with(Setup::default().kind("named", text)).await;
    let run = laboratory.upgrade(&laboratory.image(&plan("2.0"))).await;
    assert_eq!(laboratory.end(run).await.outcome, Outcome::Succeeded, "{}", laboratory.told(run).await);
    let device = laboratory.device();
    let known = laboratory.manager().store.device(&device).await.expect("a device").unique_id;
    assert_eq!(known, Some(device.to_lowercase()));
}
