//! What one turn takes of all that has come, and what is left of it where it cannot be stored.

use upgrade::Time;

use super::Input;

/// What one turn of the director takes.
///
/// Of each kind of messages so many at most go into one turn, so that no transaction grows without bound; what is more
/// waits for the next one, in its order. Time limits are judged last, and only once all answers and reports were taken
/// that came in time: nothing is too late that was only not looked at yet. For notifications they do not wait, of which
/// anybody may send more than can be taken.
#[derive(Debug)]
pub struct Inputs {
    inputs: Vec<Input>,
    most: usize,
    behind: bool,
}

impl Inputs {
    /// Nothing yet, and of each kind so many at most.
    pub const fn at_most(most: usize) -> Self {
        Self { inputs: Vec::new(), most, behind: false }
    }

    /// Adds what comes by itself, as the word of an operator does.
    pub fn push(&mut self, input: Input) {
        self.inputs.push(input);
    }

    /// Takes answers, or reports of the file server, as long as there are some.
    pub fn take(&mut self, next: impl FnMut() -> Option<Input>) {
        self.behind |= !self.fill(next);
    }

    /// Takes what the listener tells, as long as there is something.
    pub fn take_news(&mut self, next: impl FnMut() -> Option<Input>) {
        self.fill(next);
    }

    /// Whether that were all.
    fn fill(&mut self, mut next: impl FnMut() -> Option<Input>) -> bool {
        for _ in 0..self.most {
            let Some(input) = next() else { return true };
            self.inputs.push(input);
        }
        false
    }

    /// Has time limits judged, of which the first is due at `due`, unless something that came in time waits still.
    pub fn judge_time(&mut self, due: Option<Time>, now: Time) {
        if !self.behind && due.is_some_and(|due| due <= now) {
            self.inputs.push(Input::Clock);
        }
    }

    /// None of it could be stored. Operators are told so, and say again what they want; what was due meanwhile proves
    /// nothing: each run looks first. All else is taken once more.
    pub fn hinder(&mut self) {
        self.inputs
            .retain(|input| !input.is_of_operator() && !matches!(input, Input::Clock | Input::Hindered));
        self.inputs.insert(0, Input::Hindered);
    }

    /// Whether there is nothing.
    pub const fn is_empty(&self) -> bool {
        self.inputs.is_empty()
    }

    /// All of it, in its order.
    pub fn as_slice(&self) -> &[Input] {
        &self.inputs
    }
}

impl Extend<Input> for Inputs {
    fn extend<I: IntoIterator<Item = Input>>(&mut self, inputs: I) {
        self.inputs.extend(inputs);
    }
}
