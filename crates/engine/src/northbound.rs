//! What a network operations centre is told of runs: notifications of IADMS-MIB (`mibs/IADMS-MIB.mib`).
//!
//! Pure.

use snmp::notification::Event;
use snmp::{ObjectIdentifier, Value, VarBind};
use upgrade::Run;
use upgrade::run::{AnswerKind, Failure, Goal, Outcome, State, Story};

/// `iadmsMIB`: { enterprises 32473 2 }.
const MIB: ObjectIdentifier = ObjectIdentifier::new([1, 3, 6, 1, 4, 1, 32473, 2]);

/// The longest text of an object (`IadmsText`).
const TEXT_BYTES: usize = 255;

/// The columns of `iadmsRunTable` that notifications carry.
#[derive(Clone, Copy)]
enum Column {
    Id = 2,
    DeviceName = 3,
    DeviceUniqueId = 4,
    DeviceAddress = 5,
    Goal = 6,
    Step = 7,
    Outcome = 8,
    Reason = 9,
    OldVersion = 10,
    NewVersion = 11,
    LeftWith = 12,
    QuestionOptions = 13,
    Severity = 14,
}

/// `iadmsRunSeverity`, by ITU-T X.733.
#[derive(Clone, Copy)]
enum Severity {
    Cleared = 1,
    Critical = 3,
    Major = 4,
    Minor = 5,
    Warning = 6,
}

/// The notification of a story, where it is one that a network operations centre is told. `uptime` is in hundredths
/// of a second.
pub fn event(run: &Run, story: &Story, uptime: u32) -> Option<Event> {
    let (number, objects) = match story {
        Story::Begun => (1, begun(run)),
        Story::StepFailed(failure) => (2, failed(run, failure)),
        Story::Asked { failure, answers } => (3, asked(run, failure.as_ref(), answers)),
        Story::Answered { answer } => (4, answered(run, *answer)),
        Story::Ended(ending) => {
            let severity = match ending.outcome {
                Outcome::Succeeded | Outcome::Cancelled | Outcome::EndedByOperator => Severity::Cleared,
                Outcome::Refused | Outcome::RolledBack => Severity::Minor,
                Outcome::DeviceLost => Severity::Critical,
            };
            let left = &ending.left_with;
            let version = left.version.clone().unwrap_or_else(|| "unknown".into());
            let kinds = left.configuration.files.iter();
            let digests: Vec<_> =
                kinds.map(|(kind, file)| format!("{kind} {}", file.digest.short())).collect();
            let left_with = format!("version {version}; {}", digests.join(", "));
            let mut objects = head(run);
            objects.extend([
                (Column::Outcome, Value::Integer(outcome(ending.outcome))),
                (Column::Reason, text(&ending.reason)),
            ]);
            objects.extend(versions(run));
            objects.extend([(Column::LeftWith, text(&left_with)), (Column::Severity, level(severity))]);
            (5, objects)
        }
        Story::StepBegun { .. }
        | Story::Progress { .. }
        | Story::StepDone { .. }
        | Story::Repeating { .. }
        | Story::Cancelled
        | Story::Resumed => return None,
    };
    let index = u32::try_from(run.id.0).unwrap_or(u32::MAX);
    let varbinds = objects
        .into_iter()
        .map(|(column, value)| VarBind::new(name(&[1, 1, 1, column as u32, index]), value));
    Some(Event { name: name(&[0, number]), uptime, varbinds: varbinds.collect() })
}

/// Whether a network operations centre is told this story.
pub const fn is_told(story: &Story) -> bool {
    matches!(
        story,
        Story::Begun | Story::StepFailed(_) | Story::Asked { .. } | Story::Answered { .. } | Story::Ended(_)
    )
}

/// The notification that is sent on request, to see whether notifications arrive.
pub fn test(words: &str, uptime: u32) -> Event {
    let varbinds = vec![VarBind::new(name(&[1, 2, 0]), text(words))];
    Event { name: name(&[0, 6]), uptime, varbinds }
}

type Objects = Vec<(Column, Value)>;

fn begun(run: &Run) -> Objects {
    let mut objects = head(run);
    objects.extend(versions(run));
    objects.push((Column::Severity, level(Severity::Cleared)));
    objects
}

fn failed(run: &Run, failure: &Failure) -> Objects {
    let mut objects = head(run);
    objects.extend([
        (Column::Step, text(&failure.step.to_string())),
        (Column::Reason, text(&failure.cause.to_string())),
    ]);
    objects.extend(versions(run));
    objects.push((Column::Severity, level(Severity::Warning)));
    objects
}

fn asked(run: &Run, failure: Option<&Failure>, answers: &[AnswerKind]) -> Objects {
    let step = failure.map(|failure| failure.step.to_string()).unwrap_or_default();
    let reason = failure
        .map_or_else(|| "the configuration must be edited".to_owned(), |failure| failure.cause.to_string());
    let options: Vec<_> = answers.iter().map(|answer| answer.to_string().replace(' ', "-")).collect();
    let lost = matches!(&run.state, State::Asking(question) if question.lost);
    let severity = if lost { Severity::Critical } else { Severity::Major };
    let mut objects = head(run);
    objects.extend([
        (Column::Step, text(&step)),
        (Column::Reason, text(&reason)),
        (Column::QuestionOptions, text(&options.join(" "))),
        (Column::Severity, level(severity)),
    ]);
    objects
}

fn answered(run: &Run, answer: Option<AnswerKind>) -> Objects {
    let failure = run.stranded.as_ref().or(run.failure.as_ref());
    let step = failure.map(|failure| failure.step.to_string()).unwrap_or_default();
    let reason = answer.map_or_else(|| "no longer asked".to_owned(), |answer| format!("answered: {answer}"));
    let mut objects = head(run);
    objects.extend([
        (Column::Step, text(&step)),
        (Column::Reason, text(&reason)),
        (Column::Severity, level(Severity::Cleared)),
    ]);
    objects
}

fn head(run: &Run) -> Objects {
    let goal = match run.goal {
        Goal::Upgrade { .. } => 1,
        Goal::Backup => 2,
        Goal::Restore { .. } => 3,
        Goal::RollBack => 4,
        Goal::Reset => 5,
    };
    vec![
        (Column::Id, text(&run.id.to_string())),
        (Column::DeviceName, text(&run.device.name)),
        (Column::DeviceUniqueId, text(run.device.unique_id.as_deref().unwrap_or_default())),
        (Column::DeviceAddress, text(&run.device.address.to_string())),
        (Column::Goal, Value::Integer(goal)),
    ]
}

fn versions(run: &Run) -> Objects {
    let old = run.old.as_ref().map(|old| old.version.clone()).unwrap_or_default();
    let new = run.target_version().unwrap_or_default();
    vec![(Column::OldVersion, text(&old)), (Column::NewVersion, text(new))]
}

const fn outcome(outcome: Outcome) -> i32 {
    match outcome {
        Outcome::Succeeded => 1,
        Outcome::Refused => 2,
        Outcome::RolledBack => 3,
        Outcome::EndedByOperator => 4,
        Outcome::Cancelled => 5,
        Outcome::DeviceLost => 6,
    }
}

const fn level(severity: Severity) -> Value {
    Value::Integer(severity as i32)
}

/// The text, cut where it is too long, but never within a character. Control characters, which devices may put into
/// their reasons, are no part of `IadmsText`.
fn text(words: &str) -> Value {
    let words = words.replace(char::is_control, " ");
    let end = (0..=TEXT_BYTES.min(words.len())).rev().find(|end| words.is_char_boundary(*end)).unwrap_or(0);
    Value::OctetString(words.get(..end).unwrap_or_default().as_bytes().to_vec())
}

fn name(behind: &[u32]) -> ObjectIdentifier {
    MIB.join(behind)
}
