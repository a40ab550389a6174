//! Coming to a moment of a phase for certain: by what is told, and by what went over the link.

use serde_json::Value;
use tests::process::eventually;

use super::cell::{Trial, Trouble};
use crate::laboratory::DEVICE;
use crate::link::Command;

/// When trouble comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    /// The device does not answer the first look.
    Silent,
    /// The device has taken this command, and so many packets of files went over since.
    Commanded(Command, u32),
    /// The manager's converter runs.
    Converter,
    /// The operator is asked to edit the configuration.
    AskedToEdit,
    /// The run waits for the moment it was given.
    Holding,
    /// It waits for calls to end.
    Calls,
    /// The new software is watched.
    Soaking,
    /// The old configuration is being brought back, which someone changed at the device as soon as that ran its old
    /// software again.
    OriginalMoved,
    /// Calls are let in again, since someone changed the configuration at the device while they were waited for.
    CallsLetIn,
    /// The operator is asked what to do about a failure.
    Asked,
}

impl Moment {
    /// Whether the operator is asked then.
    pub(super) fn is_a_question(self) -> bool {
        matches!(self, Self::AskedToEdit | Self::Asked)
    }

    /// Whether it passes by itself, after a time that only makes it likely that the trouble comes into it.
    pub(super) fn passes(self) -> bool {
        matches!(self, Self::Holding | Self::Soaking)
    }
}

/// How a run stands in a phase.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    /// In this state.
    State(&'static str),
    /// At this operation.
    Working(&'static str),
}

impl Step {
    /// Whether a run stands in it.
    pub(super) fn is_now(self, run: &Value) -> bool {
        let state = &run["state"];
        match self {
            Self::State(name) => state == name || state.get(name).is_some(),
            Self::Working(step) => state["working"]["step"] == step,
        }
    }

    /// The part of the figure that was begun last when it is come to.
    pub(super) fn begun(self) -> Option<&'static str> {
        match self {
            Self::State(name @ ("preflight" | "judging" | "draining" | "soaking")) | Self::Working(name) => {
                Some(name)
            }
            // It is not told by itself.
            Self::State(_) => None,
        }
    }
}

impl Trial {
    /// Comes to the moment. Whatever would end the phase by itself is kept back; what cannot be, is looked at after the
    /// trouble.
    pub(super) fn come_to(&mut self, moment: Moment) {
        match moment {
            Moment::Silent => self.watch().step_begun("preflight"),
            Moment::Commanded(..) if self.is_left_to_power() => {}
            Moment::Commanded(..) => self.laboratory.link().is_cut(),
            Moment::Converter => eventually("the converter runs", || self.converter("begun").exists()),
            Moment::AskedToEdit | Moment::Asked => drop(self.watch().asked()),
            Moment::Holding => {
                self.watch().wait_for("the end of the download", |story| {
                    (story["step-done"]["step"] == "downloading").then_some(())
                });
            }
            Moment::Calls => self.watch().step_begun("draining"),
            Moment::Soaking => {
                self.watch().step_begun("soaking");
                self.laboratory.link().cut();
            }
            Moment::CallsLetIn => {
                self.watch().step_begun("draining");
                self.laboratory.simulator(&["device", "set-config", DEVICE, "touched=yes"]);
                self.before = self.laboratory.device();
                self.laboratory.link().cut_after(Command::OpenCalls, 0);
                self.laboratory.simulator(&["device", "calls", "0", DEVICE]);
                self.laboratory.link().is_cut();
                self.watch().step_begun("opening-calls");
            }
            Moment::OriginalMoved => {
                self.laboratory.link().is_cut();
                self.laboratory.device_becomes("the old software runs again", |device| {
                    device["version"] == "1.0" && device["power"] == "running"
                });
                self.laboratory.simulator(&["device", "set-config", DEVICE, "touched=yes"]);
                if self.is_left_to_power() {
                    return self.laboratory.link().heal();
                }
                self.laboratory.link().cut_after(Command::Restore, 2);
                self.laboratory.link().is_cut();
            }
        }
    }

    /// Brings about what has to come before the run begins.
    pub(super) fn prepare(&self, moment: Moment) {
        let link = self.laboratory.link();
        match moment {
            Moment::Silent if self.trouble == Trouble::PoweredOff => {
                self.laboratory.simulator(&["device", "power", "off", DEVICE]);
            }
            Moment::Silent => link.cut(),
            Moment::Commanded(..) if self.is_left_to_power() => {}
            Moment::Commanded(command, packets) => link.cut_after(command, packets),
            Moment::OriginalMoved => link.cut_after(Command::Rollback, 0),
            _ => {}
        }
    }

    /// Lets go on what was waited for in the phase: a person, the converter, the operator.
    pub(super) fn let_go_on(&mut self, moment: Moment) {
        match moment {
            Moment::Converter => std::fs::write(self.converter("go"), "").unwrap(),
            Moment::Calls => drop(self.laboratory.simulator(&["device", "calls", "0", DEVICE])),
            moment if moment.is_a_question() => assert!(self.answers(), "the question is still open"),
            _ => {}
        }
    }
}
