//! The kill matrix: in each phase of an upgrade, power fails at the device, the manager is killed, the link is cut, or the
//! manager's disk is full. Real processes, real sockets and a real database; one row here is one phase, and makes one test
//! for each trouble.
//!
//! Whatever happens and whenever it is over, the upgrade succeeds in the end, nothing of the device's
//! configuration is lost, and no operation is started twice. See `docs/testing.md`.

mod cell;
mod evidence;
mod moment;

use self::cell::{Trouble, prove};
use self::moment::{Moment, Step};
use crate::link::Command;

/// A phase of an upgrade whose configuration must be converted.
#[derive(Debug, Clone, Copy)]
struct Phase {
    /// What the run tells of itself in this phase.
    step: Step,
    /// When the trouble comes.
    moment: Moment,
    /// How power fails by itself at that moment; by hand where that takes nothing exact.
    power_fails: Option<&'static [&'static str]>,
    /// Options of the simulator.
    devices: &'static [&'static str],
    /// What goes wrong beside, so that the phase is come to; then one part fails, and the operator is asked once.
    beside: Option<Beside>,
    /// Commands that a killed manager may give once more: their transfers broke with it.
    repeated: &'static [&'static str],
    /// The command whose time limit passes while the disk is full, which must not count.
    time_limit: Option<&'static str>,
    /// Whether a disk that is full makes the phase fail, which is asked about.
    needs_disk: bool,
}

#[derive(Debug, Clone, Copy)]
struct Beside {
    fault: &'static [&'static str],
    fails: &'static str,
}

/// The first phase, of which the others differ in what they say.
const PHASE: Phase = Phase {
    step: Step::State("preflight"),
    moment: Moment::Silent,
    power_fails: None,
    devices: &[],
    beside: None,
    repeated: &[],
    time_limit: None,
    needs_disk: false,
};

/// The new software takes no configuration, the first time.
const RESTORE_FAILS: Option<Beside> =
    Some(Beside { fault: &["apply-fails", "--version", "2.0"], fails: "restoring" });

/// The format of configuration that the new software reads; the old one reads another.
const RESTORED_FORMAT: &str = "2";

/// The device cannot convert.
const NO_CONVERTER: &[&str] = &["--capability", "dual-image,needs-reset,tftp,ftp"];

const SLOW_BOOT: &[&str] = &["--boot-time", "700ms"];

macro_rules! matrix {
    ($($name:ident: $phase:expr;)*) => { $(
        mod $name {
            use super::*;

            #[test]
            fn powered_off() {
                prove(&$phase, Trouble::PoweredOff);
            }

            #[test]
            fn manager_killed() {
                prove(&$phase, Trouble::ManagerKilled);
            }

            #[test]
            fn link_cut() {
                prove(&$phase, Trouble::LinkCut);
            }

            #[test]
            fn disk_full() {
                prove(&$phase, Trouble::DiskFull);
            }
        }
    )* };
}

matrix! {
    preflight: PHASE;
    configuring_server: Phase {
        step: Step::Working("configuring-server"),
        moment: Moment::Commanded(Command::ConfigureServer, 0),
        ..PHASE
    };
    backing_up: Phase {
        step: Step::Working("backing-up"),
        moment: Moment::Commanded(Command::Backup, 2),
        power_fails: Some(&["--during", "backup", "--percent", "40"]),
        repeated: &["backup"],
        ..PHASE
    };
    judging: Phase {
        step: Step::State("judging"),
        moment: Moment::Converter,
        devices: NO_CONVERTER,
        needs_disk: true,
        ..PHASE
    };
    editing: Phase {
        step: Step::State("asking"),
        moment: Moment::AskedToEdit,
        devices: NO_CONVERTER,
        ..PHASE
    };
    downloading: Phase {
        step: Step::Working("downloading"),
        moment: Moment::Commanded(Command::Download, 200),
        power_fails: Some(&["--during", "download", "--percent", "50"]),
        repeated: &["download"],
        time_limit: Some("download"),
        ..PHASE
    };
    closing_calls: Phase {
        step: Step::Working("closing-calls"),
        moment: Moment::Commanded(Command::CloseCalls, 0),
        ..PHASE
    };
    holding: Phase { step: Step::State("holding"), moment: Moment::Holding, ..PHASE };
    draining: Phase {
        step: Step::State("draining"),
        moment: Moment::Calls,
        devices: &["--calls", "2", "--call-time", "1h"],
        ..PHASE
    };
    opening_calls: Phase {
        step: Step::Working("opening-calls"),
        moment: Moment::CallsLetIn,
        devices: &["--calls", "2", "--call-time", "1h"],
        repeated: &["backup"],
        ..PHASE
    };
    activating: Phase {
        step: Step::Working("activating"),
        moment: Moment::Commanded(Command::Reset, 0),
        power_fails: Some(&["--during", "boot", "--version", "2.0", "--percent", "50"]),
        devices: SLOW_BOOT,
        time_limit: Some("reset"),
        ..PHASE
    };
    converting: Phase {
        step: Step::Working("converting"),
        moment: Moment::Commanded(Command::Convert, 0),
        power_fails: Some(&["--during", "convert", "--percent", "20"]),
        devices: &["--convert-time", "500ms"],
        repeated: &["convert"],
        ..PHASE
    };
    restoring: Phase {
        step: Step::Working("restoring"),
        moment: Moment::Commanded(Command::Restore, 2),
        power_fails: Some(&["--during", "restore", "--percent", "40"]),
        repeated: &["restore"],
        time_limit: Some("restore"),
        ..PHASE
    };
    soaking: Phase { step: Step::State("soaking"), moment: Moment::Soaking, ..PHASE };
    confirming: Phase {
        step: Step::Working("confirming"),
        moment: Moment::Commanded(Command::Confirm, 0),
        ..PHASE
    };
    rolling_back: Phase {
        step: Step::Working("rolling-back"),
        moment: Moment::Commanded(Command::Rollback, 0),
        power_fails: Some(&["--during", "boot", "--version", "1.0", "--percent", "50"]),
        devices: SLOW_BOOT,
        beside: RESTORE_FAILS,
        time_limit: Some("roll-back"),
        ..PHASE
    };
    restoring_original: Phase {
        step: Step::Working("restoring-original"),
        moment: Moment::OriginalMoved,
        power_fails: Some(&["--during", "restore", "--version", "1.0", "--percent", "40"]),
        beside: RESTORE_FAILS,
        repeated: &["restore"],
        ..PHASE
    };
    asking: Phase { step: Step::State("asking"), moment: Moment::Asked, beside: RESTORE_FAILS, ..PHASE };
}
