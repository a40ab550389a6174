//! Says which tests cannot run here and why. They count as skipped, never as passed.

use std::process::Command;

use xtask::peers::Peer;

/// Names the missing programs.
pub(super) fn tell(missing: &[&Peer]) {
    for peer in missing {
        eprintln!(
            "xtask: left out: tests named *{}*, since there is no program {} (Debian package {})",
            peer.mark, peer.program, peer.package
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
