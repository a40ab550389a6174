//! How runs get on, on stderr: one line per device on a terminal, a line for each thing that happens elsewhere.

use std::collections::BTreeMap;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use upgrade::RunId;
use upgrade::run::Story;

use super::{Failure, narrate, output};
use crate::daemon::Told;

/// Where progress is shown.
#[derive(Debug)]
pub(super) enum Board {
    /// A terminal, with the line of each device that is not done.
    Live { all: MultiProgress, devices: BTreeMap<RunId, ProgressBar> },
    /// Anything else, with the last progress that was written of each run.
    Plain { written: BTreeMap<RunId, (String, u8)> },
}

/// Progress is written so often elsewhere than on a terminal, per cent.
const WRITTEN_EVERY: u8 = 25;

impl Board {
    pub(super) fn new(terminal: bool) -> Self {
        if terminal {
            Self::Live { all: MultiProgress::new(), devices: BTreeMap::new() }
        } else {
            Self::Plain { written: BTreeMap::new() }
        }
    }

    /// Shows something told.
    pub(super) fn tell(&mut self, told: &Told) {
        match self {
            Self::Live { all, devices } => {
                let line = devices.entry(told.run).or_insert_with(|| all.add(line_of(told)));
                match &told.story {
                    Story::Progress { percent, .. } => line.set_position(u64::from(*percent)),
                    Story::StepBegun { .. } => line.set_position(0),
                    Story::StepDone { .. } => line.set_position(100),
                    _ => {}
                }
                line.set_message(match &told.story {
                    Story::Progress { step, .. } => step.to_string(),
                    story => output::printable(&narrate::story(story)).into_owned(),
                });
                let passing = matches!(told.story, Story::Progress { .. } | Story::StepBegun { .. });
                if !passing {
                    // A terminal that went away is no reason to stop following.
                    let _ = all.println(sentence(told));
                }
                if matches!(told.story, Story::Ended(_)) {
                    line.finish_and_clear();
                    all.remove(line);
                }
            }
            Self::Plain { written } => {
                if let Story::Progress { step, percent } = &told.story {
                    let now = (step.to_string(), percent / WRITTEN_EVERY);
                    if *percent == 0 || written.get(&told.run) == Some(&now) {
                        return;
                    }
                    written.insert(told.run, now);
                }
                output::note(&sentence(told));
            }
        }
    }

    /// Shows a word of this command's own.
    pub(super) fn note(&self, text: &str) {
        match self {
            Self::Live { all, .. } => drop(all.println(text)),
            Self::Plain { .. } => output::note(text),
        }
    }

    /// Makes room for a question, and comes back after it.
    pub(super) async fn aside<T>(
        &self,
        question: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        if let Self::Live { all, .. } = self {
            // Lines that cannot be wiped are in the way, no more.
            let _ = all.clear();
            all.set_draw_target(indicatif::ProgressDrawTarget::hidden());
            let answer = question.await;
            all.set_draw_target(indicatif::ProgressDrawTarget::stderr());
            return answer;
        }
        question.await
    }

    /// Leaves the terminal as it should be.
    pub(super) fn end(&self) {
        if let Self::Live { all, devices } = self {
            devices.values().for_each(ProgressBar::finish_and_clear);
            // Lines that cannot be wiped are in the way, no more.
            let _ = all.clear();
        }
    }
}

/// Who and when before what.
pub(super) fn sentence(told: &Told) -> String {
    let time = output::time_of_day(told.at);
    let text = format!("{time} {} run {}: {}", told.device, told.run, narrate::story(&told.story));
    output::printable(&text).into_owned()
}

fn line_of(told: &Told) -> ProgressBar {
    let line = ProgressBar::new(100);
    if let Ok(style) = ProgressStyle::with_template("{prefix:<16} {bar:20} {percent:>3} %  {wide_msg}") {
        line.set_style(style);
    }
    line.with_prefix(told.device.clone())
}
