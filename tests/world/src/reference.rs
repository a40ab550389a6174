//! The figure of one run as the requirements tell it (rows H1 to H23, B3 to B6, S16), written from them and not from the
//! code: what must have come before each thing that is told. It follows every run story by story; where the two differ,
//! one of them is wrong.

use upgrade::operation::Cause;
use upgrade::run::{AnswerKind, Failure, Goal, Outcome, Policy, Step, Story};

/// What the stories of a run have told so far.
#[derive(Debug, Clone)]
pub(crate) struct Reference {
    policy: Policy,
    goal: Aim,
    begun: Option<Step>,
    /// Parts of the figure that are done, since the last preflight.
    done: Vec<Step>,
    failed: Option<Step>,
    /// It failed, and nobody has said since that it is to be tried again: neither an operator nor the policy.
    waits_for_a_word: bool,
    /// Something beyond looking was begun at all.
    touched: bool,
    /// Other software, or other settings, were put in force, and not taken back.
    changed: bool,
    /// Other software was made to run, and was not left since: its configuration may be changed there.
    watched: bool,
    /// The roll-back that was begun last is the one that is the goal, and not a way back from a failure.
    forward: bool,
    /// It may be that after all, although something had failed: the device had gone there by itself.
    gone_perhaps: bool,
    /// An activation, a restore or a roll-back failed and was not undone. Then it was not even commanded, else what it may have
    /// changed would be taken back first; whether that is so, the device tells the invariants.
    in_doubt: bool,
    /// How often what brings the device back failed since it was last in place, or asked about.
    failed_back: u32,
    /// How often it was tried again at once since somebody was asked.
    tried_back: u32,
    /// What failed last failed because the device was not heard, or heeded nothing.
    silent: bool,
    question: Option<Vec<AnswerKind>>,
    /// What it is to end with, since somebody cancelled it or answered `end`, or nobody answered in time.
    closing: Option<Outcome>,
    repeats: u32,
    ended: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Aim {
    Upgrade,
    Backup,
    Restore,
    RollBack,
    Reset,
}

impl Reference {
    pub(crate) fn new(goal: &Goal, policy: Policy) -> Self {
        let goal = match goal {
            Goal::Upgrade { .. } => Aim::Upgrade,
            Goal::Backup => Aim::Backup,
            Goal::Restore { .. } => Aim::Restore,
            Goal::RollBack => Aim::RollBack,
            Goal::Reset => Aim::Reset,
        };
        Self {
            policy,
            goal,
            begun: None,
            done: Vec::new(),
            failed: None,
            waits_for_a_word: false,
            touched: false,
            changed: false,
            watched: false,
            forward: false,
            gone_perhaps: false,
            in_doubt: false,
            failed_back: 0,
            tried_back: 0,
            silent: false,
            question: None,
            closing: None,
            repeats: 0,
            ended: false,
        }
    }

    /// The next story of the run.
    ///
    /// # Errors
    ///
    /// What the requirements say that it does not go with.
    pub(crate) fn follow(&mut self, story: &Story) -> Result<(), &'static str> {
        must(!self.ended, "nothing follows the end")?;
        let waits = matches!(story, Story::Answered { .. } | Story::Resumed | Story::Cancelled);
        must(self.question.is_none() || waits, "while a question is open nothing happens (H8)")?;
        match story {
            Story::Begun | Story::Resumed | Story::Progress { .. } => Ok(()),
            Story::StepBegun { step, .. } => self.step_begins(*step),
            Story::StepDone { step, text } => self.step_is_done(*step, text),
            Story::StepFailed(failure) => {
                self.failed = Some(failure.step);
                self.waits_for_a_word = true;
                self.silent = matches!(failure.cause, Cause::Unreachable(..) | Cause::Unheeded(_));
                self.failed_back +=
                    u32::from(is_way_back(failure.step) && failure.step != Step::OpeningCalls);
                self.in_doubt |= match self.goal {
                    Aim::Restore => failure.step == Step::Restoring,
                    Aim::RollBack => failure.step == Step::RollingBack && self.forward,
                    Aim::Upgrade => failure.step == Step::Activating && failure.cause == Cause::RevisionMoved,
                    Aim::Backup | Aim::Reset => false,
                };
                Ok(())
            }
            Story::Repeating { after_ms, .. } => self.repeats(*after_ms > 0),
            Story::Asked { failure, answers } => self.asks(failure.as_ref(), answers),
            Story::Answered { answer } => {
                let offered = self.question.take();
                must(offered.is_some(), "an answer needs a question")?;
                let closing = match answer {
                    None => Some(Outcome::RolledBack),
                    Some(AnswerKind::End) => Some(Outcome::EndedByOperator),
                    Some(_) => None,
                };
                self.closing = self.closing.or(closing);
                self.waits_for_a_word = false;
                let known = answer.is_none_or(|answer| offered.is_some_and(|all| all.contains(&answer)));
                must(known, "an answer is one of those offered (H16)")
            }
            Story::Cancelled => {
                self.closing = self.closing.or(Some(Outcome::Cancelled));
                Ok(())
            }
            Story::Ended(ending) => self.ends(ending.outcome),
        }
    }

    /// What failed is repeated by itself: as often as the policy says, after a pause, or on trial without one. What brings the
    /// device back is tried again at once, under any policy.
    fn repeats(&mut self, pauses: bool) -> Result<(), &'static str> {
        must(self.failed.is_some(), "only what failed is repeated (H15)")?;
        let on_trial = matches!(self.failed, Some(Step::Converting | Step::Restoring)) && self.changed;
        if !pauses && !on_trial {
            self.tried_back += 1;
            // Before what is on trial is left, and after that.
            let most = 2 * TRIES_BACK;
            return must(self.tried_back <= most, "what brings it back is not tried for ever (H16)");
        }
        if pauses {
            self.waits_for_a_word = false;
            // After it the way back is tried as often again: the policy bounds the pauses.
            self.tried_back = 0;
        }
        let allowed = matches!(self.policy, Policy::Auto(times) if self.repeats < times);
        self.repeats += 1;
        must(allowed, "it repeats by itself what the policy lets it, and no more (H8, H15)")
    }

    fn has(&self, step: Step) -> bool {
        self.done.contains(&step)
    }

    fn step_begins(&mut self, step: Step) -> Result<(), &'static str> {
        let upgrades = self.goal == Aim::Upgrade;
        if step == Step::Preflight {
            self.changed &= !self.in_doubt;
        }
        self.in_doubt &= step == Step::OpeningCalls;
        let failed_on_trial = self.changed && self.failed.is_some();
        match step {
            Step::Preflight => {
                must(!self.changed, "a repeat begins on the device as it was (H14)")?;
                must(self.closing.is_none(), "what is to end is not repeated (H8, H16)")?;
                must(!self.waits_for_a_word, "who is to be asked says whether it is tried again (H8, H14)")?;
                self.done.clear();
            }
            Step::ConfiguringServer => must(self.has(Step::Preflight), "first it is looked at (B3)")?,
            Step::BackingUp => {
                // Whatever failed before calls were let in: where that was once it is there, that was the goal, reached by itself.
                if self.begun == Some(Step::RollingBack) && std::mem::take(&mut self.gone_perhaps) {
                    (self.forward, self.watched, self.changed) = (true, true, true);
                }
                let ready = self.has(Step::ConfiguringServer) || self.spares();
                must(ready, "the device knows its server first (H1)")?;
            }
            Step::Judging | Step::Downloading => {
                must(upgrades, "only an upgrade loads software")?;
                must(self.has(Step::BackingUp), "the backup comes before the upgrade (H2)")?;
            }
            Step::ClosingCalls | Step::Draining => {
                let ready = self.has(Step::Downloading) || !upgrades;
                must(ready, "calls are kept out once there is something to restart for (B6)")?;
            }
            Step::Activating => {
                must(upgrades && self.has(Step::Downloading), "what is activated was loaded (H10)")?;
                must(self.has(Step::Draining), "calls and drift are looked at before (B6, S16)")?;
                self.changed = true;
            }
            Step::Resetting => {
                must(self.goal == Aim::Reset && self.has(Step::Draining), "calls are looked at before (B6)")?;
            }
            Step::Converting => must(self.has(Step::Activating), "the new software converts (H22)")?,
            Step::Restoring => {
                let next = match self.goal {
                    Aim::Upgrade => self.has(Step::Activating),
                    Aim::RollBack => self.has(Step::RollingBack),
                    Aim::Restore => self.has(Step::BackingUp),
                    Aim::Backup | Aim::Reset => false,
                };
                must(next, "restoring comes after what makes it needed, or is wanted for itself (H19)")?;
                self.changed = true;
            }
            Step::Soaking => must(self.has(Step::Restoring), "health is watched once all is in place (B4)")?,
            Step::Confirming => must(self.has(Step::Soaking), "only the healthy is confirmed (B4)")?,
            Step::RollingBack => {
                // Where it has gone there by itself no call is cut off, and what is left to do follows.
                let there = matches!(self.begun, Some(Step::Preflight | Step::OpeningCalls));
                // That calls could not be let in is no reason to go back.
                let failed = self.failed.filter(|step| *step != Step::OpeningCalls);
                let forward = self.goal == Aim::RollBack && failed.is_none() && self.closing.is_none();
                let wanted = forward && (self.has(Step::Draining) || there);
                let due = self.failed.is_some() || self.closing.is_some() || wanted;
                must(due, "software goes back after a failure, a cancel, or as wanted (H14)")?;
                self.changed |= wanted;
                self.forward = wanted;
                self.gone_perhaps = self.goal == Aim::RollBack
                    && self.begun == Some(Step::OpeningCalls)
                    && self.closing.is_none();
                if !wanted {
                    self.done.clear();
                    self.done.push(Step::Preflight);
                }
            }
            Step::RestoringOriginal => {
                must(self.has_gone_back(), "the old software comes before the old configuration (H16)")?;
            }
            Step::OpeningCalls => {}
            // What is merely stopped was not sent yet; whether that is so, the device tells the invariants.
            Step::Stopping => {
                self.changed = false;
                self.watched = false;
            }
        }
        let undoes =
            matches!(step, Step::RollingBack | Step::RestoringOriginal | Step::OpeningCalls | Step::Stopping);
        let keeps = step == Step::BackingUp && self.spares();
        must(self.closing.is_none() || undoes || keeps, "what is to end is stopped or taken back (H8)")?;
        let waits_for_return = !undoes;
        let tries_again = matches!(step, Step::Converting | Step::Restoring) || self.begun == Some(step);
        // The settings moved under it: the backup is taken anew, and nothing was changed yet. Or something else is found
        // where the original belongs, and is backed up before it is written over.
        let drifted = step == Step::BackingUp;
        let spares = drifted && self.spares();
        must(
            !(failed_on_trial && waits_for_return) || tries_again || drifted,
            "after a failed upgrade the old version comes first (H14)",
        )?;
        if drifted && !spares {
            self.changed = false;
        }
        self.touched |= step != Step::Preflight;
        self.begun = Some(step);
        self.failed = self.failed.filter(|_| !waits_for_return || spares);
        Ok(())
    }

    /// What is found on the device is backed up before it is written over, as new software comes up, or before it is left (H2).
    fn spares(&self) -> bool {
        let original = matches!(self.failed, Some(Step::RestoringOriginal | Step::BackingUp));
        let leaves = self.watched && (self.failed.is_some() || self.closing.is_some());
        let comes_up = self.watched
            && matches!(self.begun, Some(Step::Activating | Step::RollingBack | Step::BackingUp));
        (original && self.has_gone_back()) || leaves || comes_up
    }

    fn has_gone_back(&self) -> bool {
        self.has(Step::RollingBack) || self.goal == Aim::Restore
    }

    fn step_is_done(&mut self, step: Step, text: &str) -> Result<(), &'static str> {
        must(self.begun == Some(step), "what is done was begun")?;
        // Where the old software ran all along its settings are the old ones, too.
        let goes_back = step == Step::RollingBack && self.done == [Step::Preflight];
        let never_left = goes_back && !text.is_empty();
        self.done.push(step);
        self.watched = match step {
            Step::Activating => true,
            Step::RollingBack => self.forward,
            _ => self.watched,
        };
        if step == Step::RestoringOriginal || never_left {
            self.changed = false;
        }
        Ok(())
    }

    fn asks(&mut self, failure: Option<&Failure>, answers: &[AnswerKind]) -> Result<(), &'static str> {
        let failed = failure.map(|failure| failure.step);
        let on_the_way_back = failed.is_some_and(is_way_back);
        self.changed &= !self.in_doubt;
        let back = matches!(failed, Some(Step::RollingBack | Step::RestoringOriginal)) && !self.in_doubt;
        let tried =
            self.failed_back > TRIES_BACK || failure.is_some_and(|failure| is_hopeless(&failure.cause));
        must(
            !self.changed || !back || tried,
            "what brings it back is tried again before anybody is asked (H14)",
        )?;
        self.failed_back = 0;
        self.tried_back = 0;
        must(!self.changed || on_the_way_back, "a question finds the device as it was (H16)")?;
        must(self.policy != Policy::Never, "who never asks is not asked (H8)")?;
        must(answers.contains(&AnswerKind::End), "one may always end it (H8)")?;
        if let Policy::Auto(times) = self.policy
            && failed.is_some()
            && self.closing.is_none()
        {
            must(self.repeats >= times, "first it is repeated by itself (H8)")?;
        }
        self.question = Some(answers.to_vec());
        Ok(())
    }

    fn ends(&mut self, outcome: Outcome) -> Result<(), &'static str> {
        self.ended = true;
        self.changed &= !self.in_doubt;
        let reached = match self.goal {
            Aim::Upgrade => self.has(Step::Confirming) || self.done.is_empty(),
            Aim::Backup => self.has(Step::BackingUp),
            Aim::Restore => self.has(Step::Restoring),
            Aim::RollBack => self.has(Step::RollingBack),
            Aim::Reset => self.has(Step::Resetting),
        };
        let wanted = self.closing == Some(outcome);
        match outcome {
            Outcome::Succeeded => must(reached, "success is never inferred (H7)"),
            Outcome::Refused => must(!self.touched, "refused is what was not touched (B3)"),
            Outcome::Cancelled => {
                must(wanted, "somebody cancelled it")?;
                must(!self.changed, "a cancelled run leaves the device as it was (H14)")
            }
            Outcome::EndedByOperator => {
                must(wanted, "somebody answered `end` (H16)")?;
                must(!self.changed, "ending leaves the old software and configuration (H16)")
            }
            Outcome::RolledBack => {
                must(wanted || self.closing.is_none(), "who wanted it to end is told so (H16)")?;
                must(!self.changed, "rolled back is as it was (H14)")
            }
            Outcome::DeviceLost => {
                let back = self.failed.is_some_and(is_way_back);
                must(self.changed || self.silent || back, "who is heard, and is as before, is not lost (H16)")
            }
        }
    }
}

/// What brings a device back is repeated so often before an operator is asked (concepts.md).
const TRIES_BACK: u32 = 3;

/// What brings a device back, or keeps what is found there before that.
const fn is_way_back(step: Step) -> bool {
    matches!(step, Step::RollingBack | Step::RestoringOriginal | Step::BackingUp | Step::OpeningCalls)
}

/// What only time, or an operator, can change.
const fn is_hopeless(cause: &Cause) -> bool {
    matches!(cause, Cause::Unreachable(..) | Cause::Unheeded(_) | Cause::Impossible(_) | Cause::Stopped)
}

const fn must(holds: bool, why: &'static str) -> Result<(), &'static str> {
    if holds { Ok(()) } else { Err(why) }
}
