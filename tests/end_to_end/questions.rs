//! What operators are asked, and who answers instead (row H8; of upgrades and restores in their own files).

use iad_sim::device::Command;
use iad_sim::fault::{Fault, FaultKind};
use iadms::daemon::RefusalCode;
use upgrade::Protocol;
use upgrade::run::{Answer, AnswerKind, Choices, Goal, Outcome, Policy, State, Step, Story};

use crate::evidence::{failure, started};
use crate::laboratory::Laboratory;
use crate::setup::{Setup, choices, plan};

/// The next backups are cut short, so many times; 0: all.
async fn cut_backups_short(laboratory: &Laboratory, times: u32) {
    laboratory.fault(Fault { times, percent: 50, ..Fault::once(FaultKind::TruncateBackup) }).await;
}

#[tokio::test]
async fn h08_the_operator_is_told_and_asked_again_or_end() {
    let laboratory = Laboratory::new().await;
    cut_backups_short(&laboratory, 1).await;
    let run = laboratory.back_up().await;
    let question = laboratory.question(run).await;
    assert_eq!(failure(&question).0, Step::BackingUp);
    assert_eq!(question.answers, [AnswerKind::Again, AnswerKind::End]);
    assert_eq!(question.limit, None, "it may stay open for days");
    let stories = laboratory.stories(run).await;
    let last = stories.last().expect("stories");
    assert!(
        matches!(last, Story::Asked { failure: Some(told), .. } if Some(told) == question.failure.as_ref())
    );
}

#[tokio::test]
async fn h08_again_repeats_what_failed() {
    let laboratory = Laboratory::new().await;
    cut_backups_short(&laboratory, 1).await;
    let run = laboratory.back_up().await;
    laboratory.question(run).await;
    laboratory.answer(run, Answer::Again).await;
    assert_eq!(laboratory.end(run).await.outcome, Outcome::Succeeded);
    assert_eq!(laboratory.backup_of(run).await.set.files.len(), 4);
    assert_eq!(started(&laboratory.look().await, Command::Backup), 2);
}

#[tokio::test]
async fn h08_end_ends_the_run() {
    let laboratory = Laboratory::new().await;
    cut_backups_short(&laboratory, 1).await;
    let run = laboratory.upgrade(&laboratory.image(&plan("2.0"))).await;
    laboratory.question(run).await;
    laboratory.answer(run, Answer::End).await;
    let ending = laboratory.end(run).await;
    assert_eq!(ending.outcome, Outcome::EndedByOperator);
    assert!(ending.reason.contains("backing up"), "{}", ending.reason);
    assert_eq!(started(&laboratory.look().await, Command::Download), 0, "nothing came after the failure");
}

#[tokio::test]
async fn h08_nothing_is_sent_while_a_question_is_open() {
    let laboratory = Laboratory::with(Setup::default().devices(2)).await;
    let first = laboratory.device();
    let only_first = Fault { device: Some(first), percent: 50, ..Fault::once(FaultKind::TruncateBackup) };
    laboratory.fault(only_first).await;
    let image = laboratory.image(&plan("2.0"));
    let asking = laboratory.upgrade(&image).await;
    laboratory.question(asking).await;
    let (durable, view) = (laboratory.durable().await, laboratory.look().await);
    // Meanwhile the other device is upgraded, from the first look to the last.
    let second = laboratory.simulator.devices().nth(1).expect("another device").to_owned();
    let goal = Goal::Upgrade { image: image.into() };
    let other =
        laboratory.try_begin(&second, goal, choices(Policy::Ask), Protocol::Tftp).await.expect("a run");
    assert_eq!(laboratory.end(other).await.outcome, Outcome::Succeeded);
    assert!(matches!(laboratory.run(asking).await.state, State::Asking(_)));
    assert_eq!(laboratory.durable().await, durable);
    assert_eq!(laboratory.look().await.counters, view.counters);
}

#[tokio::test]
async fn h08_without_an_answer_in_its_time_the_run_ends() {
    let laboratory = Laboratory::new().await;
    cut_backups_short(&laboratory, 1).await;
    let limited = Choices { question_limit_ms: Some(300), ..choices(Policy::Ask) };
    let run = laboratory.begin(Goal::Backup, limited, Protocol::Tftp).await;
    let ending = laboratory.until(run, upgrade::Run::is_over).await;
    let State::Ended(ending) = ending.state else { unreachable!("it is over") };
    assert_eq!(ending.outcome, Outcome::RolledBack);
    assert!(ending.reason.contains("nobody answered in time"), "{}", ending.reason);
    let stories = laboratory.stories(run).await;
    assert!(stories.contains(&Story::Answered { answer: None }));
}

#[tokio::test]
async fn h08_a_policy_repeats_with_a_growing_pause_and_then_asks() {
    let laboratory = Laboratory::new().await;
    cut_backups_short(&laboratory, 0).await;
    let run = laboratory.begin(Goal::Backup, choices(Policy::Auto(3)), Protocol::Tftp).await;
    laboratory.question(run).await;
    let stories = laboratory.stories(run).await;
    let repeats: Vec<_> = stories
        .iter()
        .filter_map(|story| match story {
            Story::Repeating { repeat, after_ms } => Some((*repeat, *after_ms)),
            _ => None,
        })
        .collect();
    assert_eq!(repeats, [(1, 100), (2, 200), (3, 400)]);
    assert_eq!(started(&laboratory.look().await, Command::Backup), 4);
}

#[tokio::test]
async fn h08_a_policy_that_repeats_needs_no_operator() {
    let laboratory = Laboratory::new().await;
    cut_backups_short(&laboratory, 2).await;
    let run = laboratory.begin(Goal::Backup, choices(Policy::Auto(3)), Protocol::Tftp).await;
    assert_eq!(laboratory.end(run).await.outcome, Outcome::Succeeded);
    assert_eq!(started(&laboratory.look().await, Command::Backup), 3);
}

#[tokio::test]
async fn h08_the_policy_never_ends_without_asking() {
    let laboratory = Laboratory::new().await;
    cut_backups_short(&laboratory, 1).await;
    let run = laboratory.begin(Goal::Backup, choices(Policy::Never), Protocol::Tftp).await;
    let ending = laboratory.end(run).await;
    assert_eq!(ending.outcome, Outcome::RolledBack);
    assert!(ending.reason.contains("bytes came"), "{}", ending.reason);
}

#[tokio::test]
async fn h08_an_answer_that_was_not_asked_for_changes_nothing() {
    let laboratory = Laboratory::new().await;
    cut_backups_short(&laboratory, 1).await;
    let run = laboratory.back_up().await;
    let asked_at = laboratory.question(run).await.asked_at;
    let image = laboratory.image(&plan("2.0")).into();
    let refusal = laboratory.try_answer(run, Answer::OtherImage(image)).await;
    assert_eq!(refusal.expect_err("a refusal").code, RefusalCode::Conflict);
    assert!(matches!(laboratory.run(run).await.state, State::Asking(_)));
    laboratory.answer(run, Answer::End).await;
    laboratory.end(run).await;
    let late = laboratory.manager().handle.answer(run, asked_at, Answer::Again).await;
    assert_eq!(late.expect_err("a refusal").code, RefusalCode::Unknown, "it is over");
}

#[tokio::test]
async fn h08_an_answer_to_one_question_is_none_to_the_next() {
    let laboratory = Laboratory::new().await;
    cut_backups_short(&laboratory, 2).await;
    let run = laboratory.back_up().await;
    let first = laboratory.question(run).await.asked_at;
    laboratory.answer(run, Answer::Again).await;
    let asks_again =
        |run: &upgrade::run::Run| matches!(&run.state, State::Asking(question) if question.asked_at != first);
    laboratory.until(run, asks_again).await;
    let late = laboratory.manager().handle.answer(run, first, Answer::End).await;
    assert_eq!(late.expect_err("a refusal").code, RefusalCode::Conflict);
    laboratory.answer(run, Answer::Again).await;
    assert_eq!(laboratory.end(run).await.outcome, Outcome::Succeeded);
}

#[tokio::test]
async fn h08_cancelling_answers_the_question_too() {
    let laboratory = Laboratory::new().await;
    cut_backups_short(&laboratory, 1).await;
    let run = laboratory.back_up().await;
    laboratory.question(run).await;
    laboratory.manager().handle.cancel(run).await.expect("a run that can be cancelled");
    assert_eq!(laboratory.end(run).await.outcome, Outcome::Cancelled);
}
