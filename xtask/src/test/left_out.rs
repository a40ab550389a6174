//! Says which tests cannot run here and why. They count as skipped, never as passed.

use std::process::Command;

use xtask::peers::{Obstacle, PEERS, Peer};

/// The peers that cannot be run here, each with the reason.
pub(super) fn peers() -> Vec<(&'static Peer, Obstacle)> {
    PEERS.iter().filter_map(|peer| Some((peer, peer.obstacle()?))).collect()
}

/// Names the peers and the reasons.
pub(super) fn tell(left_out: &[(&Peer, Obstacle)]) {
    for (peer, obstacle) in left_out {
        let Peer { mark, program, package, .. } = peer;
        eprintln!(
            "xtask: left out: tests named *{mark}* need {program} (Debian package {package}): {obstacle}"
        );
    }
}

/// Names the tests that `list` lists.
pub(super) fn tell_names(list: &mut Command) {
    match list.output() {
        Ok(output) if output.status.success() => {
            for name in String::from_utf8_lossy(&output.stdout).lines() {
                eprintln!("xtask: left out: {name}");
            }
        }
        _ => eprintln!("xtask: the tests that are left out could not be listed"),
    }
}
