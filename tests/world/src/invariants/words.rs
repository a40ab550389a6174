//! What must hold of what is said to the director: the words of operators do what was said, or are refused to them, and nothing is
//! too late that has come.

use core::time::Duration;

use engine::director::{Input, Told, Turn, Write};
use upgrade::operation::{Operation, State as Stage};
use upgrade::run::{Answer, Goal, State, Step, Story};
use upgrade::{Run, RunId, Time};

use super::{Checked, Checks, Known, broken};
use crate::store::Store;
use crate::world::place_of;

/// Between a question and an answer lies a night: what was said to another question than the one that is open answers nothing. Who is
/// told that it was taken finds it in the story, and another image that was named is the one that is wanted from then on.
/// `store` is what was known before.
pub(crate) fn an_answer_is_to_the_question_that_is_open(
    inputs: &[Input],
    turn: &Turn,
    store: &Store,
) -> Checked {
    for write in &turn.transaction.writes {
        let open = match store.runs.get(&write.run.id).map(|stored| &stored.run.state) {
            Some(State::Asking(question)) => Some(question.asked_at),
            _ => None,
        };
        let to_it = inputs.iter().find_map(|input| match input {
            Input::Operator { run, asked_at, answer } if *run == write.run.id && Some(*asked_at) == open => {
                Some(answer)
            }
            _ => None,
        });
        let what = || format!("run {}: {open:?} was open", write.run.id);
        match to_it {
            _ if !is_answered(write) => {}
            None => return broken("an_answer_is_to_the_question_that_is_open", what()),
            Some(Answer::OtherImage(image)) => {
                let wanted = matches!(&write.run.goal, Goal::Upgrade { image: wanted } if wanted == image);
                if !wanted {
                    return broken("the_image_that_is_named_is_the_one_that_is_wanted", what());
                }
            }
            Some(_) => {}
        }
    }
    for (run, input) in heeded(inputs, turn) {
        let written = turn.transaction.writes.iter().find(|write| write.run.id == run);
        let before = store.runs.get(&run).map(|stored| stored.run.as_ref());
        let after = written.map(|write| write.run.as_ref()).or(before);
        let is_lost = match input {
            Input::Operator { .. } => !written.is_some_and(is_answered),
            // Whatever becomes of the manager, it is known that it is to be stopped.
            Input::StopOperation(_) => before.zip(after).is_some_and(|(before, after)| {
                let goes_on = operation(before).zip(operation(after));
                goes_on.is_some_and(|(before, after)| before.id == after.id && after.stop.is_none())
            }),
            _ => false,
        };
        if is_lost {
            return broken("what_is_said_to_be_taken_is", format!("run {run}: {input:?}"));
        }
    }
    Ok(())
}

/// The operators' words that are said to be taken, and the runs that they are about.
pub(super) fn heeded<'a>(inputs: &'a [Input], turn: &'a Turn) -> impl Iterator<Item = (RunId, &'a Input)> {
    let words = inputs.iter().filter_map(|input| match input {
        Input::Operator { run, .. } | Input::Cancel(run) | Input::StopOperation(run) => Some((*run, input)),
        _ => None,
    });
    words.zip(&turn.heeded).filter(|(_, heeded)| **heeded).map(|(word, _)| word)
}

/// A time limit has passed where nothing had come by then: what waits to be taken has.
pub(crate) fn nothing_is_too_late_that_has_come(inputs: &[Input], waiting: usize) -> Checked {
    if waiting > 0 && inputs.iter().any(|input| matches!(input, Input::Clock)) {
        return broken("nothing_is_too_late_that_has_come", format!("{waiting} messages wait"));
    }
    Ok(())
}

/// An operator wants an operation stopped.
#[derive(Debug)]
pub(super) struct Stopped {
    run: RunId,
    operation: String,
    /// On the way to the goal, and nothing of it is known to have failed since.
    goes_forward: bool,
    /// When the device was seen at it for the first time since.
    seen: Option<Time>,
}

/// So long after a look that shows the device at it, it has been told.
const STOPS_BY: Duration = Duration::from_secs(10);

impl Checks {
    /// The manager looks anew at what was stopped.
    pub(crate) fn looks_anew(&mut self) {
        self.devices
            .iter_mut()
            .filter_map(|known| known.stopped.as_mut())
            .for_each(|stopped| stopped.seen = None);
    }

    /// What operators said is committed. What was stopped before anything of it was commanded has ended, and what follows it is not
    /// what was stopped.
    pub(crate) fn said(&mut self, inputs: &[Input], turn: &Turn, store: &Store) {
        for (run, input) in heeded(inputs, turn) {
            if matches!(input, Input::StopOperation(_))
                && let Some(stored) = store.runs.get(&run)
                && let Some(operation) = operation(&stored.run).filter(|operation| operation.stop.is_some())
                && let Some(known) = self.devices.get_mut(place_of(stored.run.device.id))
            {
                let goes_forward = may_be_stopped(&stored.run);
                known.stopped =
                    Some(Stopped { run, operation: operation.id.clone(), goes_forward, seen: None });
            }
        }
    }
}

/// What operators said holds for what is committed after it.
pub(super) fn what_was_said_is_heeded(known: &mut Known, write: &Write) -> Checked {
    a_question_has_the_limit_that_was_set(write)?;
    a_cancel_stops_what_is_under_way(&write.run)?;
    what_is_stopped_is_not_gone_on_with(known, write)
}

/// A device is seen at an operation that an operator has stopped: by then it was told so.
pub(super) fn what_is_stopped_is_told_so(known: &mut Known, run: &Run, now: Time) -> Checked {
    let Some(Stopped { run: id, operation, seen, .. }) = &mut known.stopped else { return Ok(()) };
    let goes_on = match &run.state {
        State::Working { operation: underway, .. } => {
            underway.id == *operation && matches!(underway.state, Stage::Underway { .. })
        }
        _ => false,
    };
    if *id == run.id && goes_on && now > *seen.get_or_insert(now) + STOPS_BY {
        return broken("what_is_stopped_is_told_so", format!("{operation}, seen at {seen:?}"));
    }
    Ok(())
}

/// An operator was told that it is stopped: whatever it came to, what was to follow waits until it is said that it failed.
fn what_is_stopped_is_not_gone_on_with(known: &mut Known, write: &Write) -> Checked {
    let ours = |stopped: &&mut Stopped| stopped.run == write.run.id && stopped.goes_forward;
    let Some(stopped) = known.stopped.as_mut().filter(ours) else { return Ok(()) };
    for Told { story, .. } in &write.stories {
        match story {
            Story::StepBegun { step, .. } => {
                let what = format!("{step:?} follows {}", stopped.operation);
                return broken("what_is_stopped_is_not_gone_on_with", what);
            }
            Story::StepFailed(_) | Story::Asked { .. } | Story::Cancelled | Story::Ended(_) => {
                stopped.goes_forward = false;
                break;
            }
            _ => {}
        }
    }
    Ok(())
}

/// What is confirmed is so for good, a device that has restarted is not restarted less, and what brings it back is not stopped half-way.
fn may_be_stopped(run: &Run) -> bool {
    let is_final =
        |step| matches!(step, Step::Confirming | Step::Resetting | Step::OpeningCalls | Step::Stopping);
    !run.returning && !run.is_closing() && run.current_step().is_some_and(|step| !is_final(step))
}

/// Who cancels waits for the answer to what was just sent, and not for what the device is at: a download may take hours.
fn a_cancel_stops_what_is_under_way(run: &Run) -> Checked {
    let State::Working { step, operation } = &run.state else { return Ok(()) };
    let is_undone = run.returning || matches!(step, Step::OpeningCalls | Step::Stopping | Step::Resetting);
    let goes_on = matches!(operation.state, Stage::Underway { .. }) && !operation.is_commanding();
    if run.is_closing() && !is_undone && goes_on {
        let what = format!("run {} goes on with {}", run.id, operation.id);
        return broken("a_cancel_stops_what_is_under_way", what);
    }
    Ok(())
}

/// A question has the time limit that was set for it, or none where none was (row H8). What passed while the manager was down, or heard
/// nothing, is added.
fn a_question_has_the_limit_that_was_set(write: &Write) -> Checked {
    let State::Asking(question) = &write.run.state else { return Ok(()) };
    let expected = write.run.choices.question_limit_ms.map(Duration::from_millis);
    let limit = question.limit.map(|limit| limit - question.asked_at);
    if limit.is_some() == expected.is_some() && limit >= expected {
        return Ok(());
    }
    broken(
        "a_question_has_the_limit_that_was_set",
        format!("run {}: {limit:?}, not {expected:?}", write.run.id),
    )
}

fn operation(run: &Run) -> Option<&Operation> {
    match &run.state {
        State::Working { operation, .. } => Some(operation),
        _ => None,
    }
}

fn is_answered(write: &Write) -> bool {
    let answered = |told: &Told| matches!(told.story, Story::Answered { answer: Some(_) });
    write.stories.iter().any(answered)
}
