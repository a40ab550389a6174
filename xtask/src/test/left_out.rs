//! Says which tests cannot run here and why. They count as skipped, never as passed.

use std::process::Command;

use xtask::peers::{PEERS, Peer};

use crate::step::Narrator;

/// Says which peers cannot be run here and why, and returns the marks of the tests that need them.
pub(super) fn tell(narrator: &Narrator) -> Vec<&'static str> {
    let mut marks = Vec::new();
    for peer in &PEERS {
        let Some(obstacle) = peer.obstacle() else { continue };
        let Peer { mark, program, package, .. } = peer;
        narrator.tell(&format!(
            "LEFT OUT: tests named *{mark}*: they need {program} (Debian package {package}), and {obstacle}"
        ));
        marks.push(*mark);
    }
    marks
}

/// Names the tests that `list` lists.
pub(super) fn tell_names(narrator: &Narrator, list: &mut Command) {
    match list.output() {
        Ok(output) if output.status.success() => {
            for name in String::from_utf8_lossy(&output.stdout).lines() {
                narrator.tell(&format!("LEFT OUT: {name}"));
            }
        }
        _ => narrator.tell("the tests that are left out could not be listed"),
    }
}
