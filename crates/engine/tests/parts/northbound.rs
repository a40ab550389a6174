//! Northbound notifications carry the objects that IADMS-MIB lists, in its order.

use snmp::Value;
use snmp::notification::Event;
use upgrade::image::{Image, ImageFile, Manifest};
use upgrade::operation::Cause;
use upgrade::run::{AnswerKind, Ending, Failure, Goal, LeftWith, Outcome, Question, State, Step, Story};
use upgrade::{ConfigurationSet, Digest, StoredFile, Time};

use crate::run;

const MIB: &str = include_str!("../../../../mibs/IADMS-MIB.mib");

/// The objects of a notification, by the MIB's text.
fn objects(notification: &str) -> Vec<String> {
    let from = MIB.find(&format!("\n{notification} NOTIFICATION-TYPE")).unwrap();
    let list = MIB[from..].split(['{', '}']).nth(1).unwrap();
    list.split(',').map(|name| name.trim().to_owned()).collect()
}

/// The last number of an object's identifier, by the MIB's text.
fn number(object: &str) -> u32 {
    let from = MIB.find(&format!("\n{object} ")).unwrap();
    let end = MIB[from..].split("::= {").nth(1).unwrap();
    end.split('}').next().unwrap().split_whitespace().last().unwrap().parse().unwrap()
}

fn failure(why: &str) -> Failure {
    Failure { step: Step::Downloading, cause: Cause::Device(why.into()) }
}

fn stories() -> Vec<(&'static str, Story)> {
    let left_with = LeftWith { version: Some("1.0".into()), ..LeftWith::default() };
    let ending = Ending { outcome: Outcome::RolledBack, reason: "flash".into(), left_with };
    vec![
        ("iadmsRunBegun", Story::Begun),
        ("iadmsRunFailed", Story::StepFailed(failure("flash"))),
        (
            "iadmsRunQuestion",
            Story::Asked {
                failure: Some(failure("flash")),
                answers: vec![AnswerKind::Again, AnswerKind::OtherImage, AnswerKind::End],
            },
        ),
        ("iadmsRunQuestionCleared", Story::Answered { answer: Some(AnswerKind::Again) }),
        ("iadmsRunEnded", Story::Ended(ending)),
    ]
}

fn told(story: &Story) -> Event {
    engine::northbound::event(&run(7, Goal::Backup), story, 99).unwrap()
}

fn value(event: &Event, object: &str) -> Value {
    let found = event.varbinds.iter().find(|varbind| varbind.name.arcs()[11] == number(object));
    found.unwrap().value.clone()
}

fn text(event: &Event, object: &str) -> String {
    let Value::OctetString(octets) = value(event, object) else { panic!("{object} is no text") };
    String::from_utf8(octets).unwrap()
}

#[test]
fn each_notification_has_the_objects_of_the_mib_in_its_order() {
    for (name, story) in stories() {
        let event = told(&story);
        let prefix = [1, 3, 6, 1, 4, 1, 32473, 2];
        assert_eq!(event.name.arcs(), [&prefix[..], &[0, number(name)]].concat(), "{name}");
        let expected: Vec<Vec<u32>> = objects(name)
            .iter()
            .map(|object| [&prefix[..], &[1, 1, 1, number(object), 7]].concat())
            .collect();
        let sent: Vec<Vec<u32>> = event.varbinds.iter().map(|v| v.name.arcs().to_vec()).collect();
        assert_eq!(sent, expected, "{name}");
        assert_eq!(event.uptime, 99);
    }
    let test = engine::northbound::test("hello", 1);
    assert_eq!(test.name.arcs().last(), Some(&number("iadmsTest")));
    assert_eq!(test.varbinds[0].name.arcs(), [1, 3, 6, 1, 4, 1, 32473, 2, 1, number("iadmsTestText"), 0]);
}

/// The number of a word of an object, by the MIB's text.
fn word(object: &str, word: &str) -> Value {
    let from = MIB.find(&format!("\n{object} OBJECT-TYPE")).unwrap();
    let words = MIB[from..].split(['{', '}']).nth(1).unwrap();
    let found = words.split(',').find_map(|one| one.trim().strip_prefix(word)?.strip_prefix('('));
    Value::Integer(found.unwrap().trim_end_matches(')').parse().unwrap())
}

#[test]
fn goals_and_ends_are_numbered_as_in_the_mib() {
    let file = StoredFile { digest: Digest([1; 32]), size: 1 };
    let manifest = Manifest {
        version: "2.0".into(),
        hardware: Vec::new(),
        format: None,
        from: Vec::new(),
        converter: None,
        files: vec![ImageFile { name: "main".into(), size: file.size, sha256: file.digest }],
    };
    let image = Image { name: "new".into(), manifest, digest: file.digest };
    for (goal, name) in [
        (Goal::Upgrade { image: image.into() }, "upgrade"),
        (Goal::Backup, "backup"),
        (Goal::Restore { set: ConfigurationSet::default() }, "restore"),
        (Goal::RollBack, "rollback"),
        (Goal::Reset, "reset"),
    ] {
        let event = engine::northbound::event(&run(7, goal), &Story::Begun, 0).unwrap();
        assert_eq!(value(&event, "iadmsRunGoal"), word("iadmsRunGoal", name), "{name}");
    }
    for (outcome, name) in [
        (Outcome::Succeeded, "succeeded"),
        (Outcome::Refused, "refused"),
        (Outcome::RolledBack, "rolledBack"),
        (Outcome::EndedByOperator, "endedByOperator"),
        (Outcome::Cancelled, "cancelled"),
        (Outcome::DeviceLost, "deviceLost"),
    ] {
        let ending = Ending { outcome, reason: String::new(), left_with: LeftWith::default() };
        let event = told(&Story::Ended(ending));
        assert_eq!(value(&event, "iadmsRunOutcome"), word("iadmsRunOutcome", name), "{name}");
    }
}

#[test]
fn what_is_no_news_to_a_network_operations_centre_is_not_sent() {
    for story in [
        Story::StepBegun { step: Step::BackingUp, text: String::new() },
        Story::Progress { step: Step::BackingUp, percent: 5 },
        Story::StepDone { step: Step::BackingUp, text: String::new() },
        Story::Repeating { repeat: 1, after_ms: 0 },
        Story::Cancelled,
        Story::Resumed,
    ] {
        assert!(engine::northbound::event(&run(7, Goal::Backup), &story, 0).is_none(), "{story:?}");
    }
}

#[test]
fn a_text_is_cut_at_255_bytes_and_never_within_a_character() {
    for (long, bytes) in
        [("x".repeat(300), 255), ("ä".repeat(200), 254), ("x".to_owned() + &"€".repeat(100), 253)]
    {
        let event = told(&Story::Ended(Ending {
            outcome: Outcome::Refused,
            reason: long.clone(),
            left_with: LeftWith::default(),
        }));
        let cut = text(&event, "iadmsRunReason");
        assert_eq!(cut.len(), bytes);
        assert!(long.starts_with(&cut));
    }
}

#[test]
fn a_device_cannot_put_control_characters_into_an_alarm() {
    let event = told(&Story::StepFailed(failure("bad\r\nthing\u{1b}[2J")));
    assert_eq!(text(&event, "iadmsRunReason"), "the device reports: bad  thing [2J");
}

#[test]
fn the_options_of_a_question_are_one_word_each() {
    let event = told(&stories()[2].1);
    assert_eq!(text(&event, "iadmsRunQuestionOptions"), "again other-image end");
}

#[test]
fn a_lost_device_is_critical_and_every_alarm_is_cleared() {
    let mut lost = run(7, Goal::Backup);
    lost.state = State::Asking(Question {
        failure: Some(failure("silent")),
        answers: vec![AnswerKind::Again, AnswerKind::End],
        asked_at: Time::default(),
        limit: None,
        lost: true,
    });
    let severity = |event: &Event| value(event, "iadmsRunSeverity");
    let asked = engine::northbound::event(&lost, &stories()[2].1, 0).unwrap();
    assert_eq!(severity(&asked), Value::Integer(3));
    assert_eq!(severity(&told(&stories()[2].1)), Value::Integer(4));
    for answer in [None, Some(AnswerKind::End)] {
        assert_eq!(severity(&told(&Story::Answered { answer })), Value::Integer(1));
    }
    let ended = |outcome| {
        let left_with = LeftWith::default();
        severity(&told(&Story::Ended(Ending { outcome, reason: "-".into(), left_with })))
    };
    assert_eq!(ended(Outcome::DeviceLost), Value::Integer(3));
    assert_eq!(ended(Outcome::Succeeded), Value::Integer(1));
    assert_eq!(text(&told(&stories()[4].1), "iadmsRunLeftWith"), "version 1.0; ");
}
