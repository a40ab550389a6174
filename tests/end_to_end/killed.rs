//! The manager is killed at any instant, and goes on where each run stood (row B9).

use core::time::Duration;

use iad_sim::device::image::Plan;
use iad_sim::device::{Command, NotificationKind, Power, Timing};
use iad_sim::fault::{Fault, FaultKind, RequestKind};
use upgrade::Protocol;
use upgrade::run::{Answer, Choices, Goal, Outcome, Policy, State, Step, Story};

use crate::evidence::{
    assert_in_service, assert_nothing_came_twice, configuration, document, failure, notified, started,
};
use crate::laboratory::{Laboratory, bounded};
use crate::setup::{Setup, choices, plan};

/// When the manager is killed.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// As it says that a step begins.
    Begins(Step),
    /// As the device says how its operation goes.
    Tells(NotificationKind, Command),
}

/// A device that soon gives up a transfer whose server is gone, and a manager that waits no longer for the word of a
/// file server that saw it end and died with it.
fn impatient() -> Setup {
    Setup::default().giving_up_after(Duration::from_secs(3)).profile("[limits]\nevidence_s = 4\n")
}

/// The manager is killed at that moment of an upgrade, started again, and the upgrade ends as if nothing had happened.
async fn ends_as_if_nothing_had_happened(setup: Setup, moment: Moment, protocol: Protocol) -> Laboratory {
    let mut laboratory = Laboratory::with(setup).await;
    let before = laboratory.look().await;
    let mut told = laboratory.manager().handle.watch();
    let mut events = laboratory.simulator.events();
    let goal = Goal::Upgrade { image: laboratory.image(&plan("2.0")).into() };
    let run = laboratory.begin(goal, choices(Policy::Ask), protocol).await;
    match moment {
        Moment::Begins(wanted) => {
            let begins = async {
                while !matches!(told.recv().await.expect("a story").story,
                    Story::StepBegun { step, .. } if step == wanted)
                {}
            };
            bounded("the step", begins).await;
        }
        Moment::Tells(kind, command) => drop(notified(&mut events, kind, command).await),
    }
    laboratory.kill().await;
    laboratory.start_again().await;
    let ending = laboratory.end(run).await;
    assert_eq!(ending.outcome, Outcome::Succeeded, "{moment:?}: {}", laboratory.told(run).await);
    let after = laboratory.look().await;
    assert_in_service(&after, "2.0", &configuration(&before));
    assert_nothing_came_twice(&after);
    let stories = laboratory.stories(run).await;
    assert_eq!(stories.iter().filter(|story| **story == Story::Resumed).count(), 1, "{stories:?}");
    assert!(!stories.iter().any(|story| matches!(story, Story::StepFailed(_))), "{stories:?}");
    laboratory
}

async fn as_it_begins(step: Step) -> Laboratory {
    ends_as_if_nothing_had_happened(impatient(), Moment::Begins(step), Protocol::Tftp).await
}

async fn as_the_device_tells(kind: NotificationKind, command: Command) -> Laboratory {
    ends_as_if_nothing_had_happened(impatient(), Moment::Tells(kind, command), Protocol::Tftp).await
}

#[tokio::test]
async fn b09_killed_during_preflight() {
    as_it_begins(Step::Preflight).await;
}

#[tokio::test]
async fn b09_killed_while_the_device_is_told_its_file_server() {
    as_it_begins(Step::ConfiguringServer).await;
}

#[tokio::test]
async fn b09_killed_as_the_backup_is_commanded() {
    as_it_begins(Step::BackingUp).await;
    as_the_device_tells(NotificationKind::Begun, Command::Backup).await;
}

#[tokio::test]
async fn b09_killed_while_the_device_sends_its_backup() {
    for protocol in [Protocol::Tftp, Protocol::Ftp] {
        let moment = Moment::Tells(NotificationKind::Progress, Command::Backup);
        ends_as_if_nothing_had_happened(impatient(), moment, protocol).await;
    }
}

#[tokio::test]
async fn b09_killed_as_the_backup_is_done() {
    as_the_device_tells(NotificationKind::Done, Command::Backup).await;
}

#[tokio::test]
async fn b09_killed_as_the_download_is_commanded() {
    as_it_begins(Step::Downloading).await;
    as_the_device_tells(NotificationKind::Begun, Command::Download).await;
}

#[tokio::test]
async fn b09_killed_while_the_device_loads_and_flashes() {
    for protocol in [Protocol::Tftp, Protocol::Ftp] {
        let moment = Moment::Tells(NotificationKind::Progress, Command::Download);
        ends_as_if_nothing_had_happened(impatient().flash(200_000), moment, protocol).await;
    }
}

#[tokio::test]
async fn b09_killed_as_the_image_is_loaded() {
    let laboratory = as_the_device_tells(NotificationKind::Done, Command::Download).await;
    assert_eq!(started(&laboratory.look().await, Command::Download), 1, "it was found done");
}

#[tokio::test]
async fn b09_killed_while_calls_are_stopped_and_end() {
    for step in [Step::ClosingCalls, Step::Draining] {
        let setup = impatient().device(|device| {
            device.calls = 3;
            device.timing.call = Duration::from_millis(500);
        });
        let laboratory = ends_as_if_nothing_had_happened(setup, Moment::Begins(step), Protocol::Tftp).await;
        assert_eq!(laboratory.look().await.counters.calls_cut, 0);
    }
}

#[tokio::test]
async fn b09_killed_as_the_reset_is_commanded() {
    for moment in [Moment::Begins(Step::Activating), Moment::Tells(NotificationKind::Begun, Command::Reset)] {
        let setup = impatient().device(|device| device.timing.boot = Duration::from_millis(300));
        let laboratory = ends_as_if_nothing_had_happened(setup, moment, Protocol::Tftp).await;
        let view = laboratory.look().await;
        assert_eq!((view.boots, started(&view, Command::Reset)), (2, 1), "{moment:?}");
    }
}

#[tokio::test]
async fn b09_killed_during_a_hot_activation() {
    let setup = impatient().hot().device(|device| device.timing.activate = Duration::from_millis(300));
    let moment = Moment::Tells(NotificationKind::Progress, Command::Activate);
    let laboratory = ends_as_if_nothing_had_happened(setup, moment, Protocol::Tftp).await;
    let view = laboratory.look().await;
    assert_eq!((view.boots, started(&view, Command::Activate)), (1, 1));
}

#[tokio::test]
async fn b09_killed_while_the_device_restores() {
    for moment in [
        Moment::Begins(Step::Restoring),
        Moment::Tells(NotificationKind::Begun, Command::Restore),
        Moment::Tells(NotificationKind::Progress, Command::Restore),
        Moment::Tells(NotificationKind::Done, Command::Restore),
    ] {
        ends_as_if_nothing_had_happened(impatient(), moment, Protocol::Tftp).await;
    }
}

#[tokio::test]
async fn b09_killed_while_the_new_software_is_watched() {
    as_it_begins(Step::Soaking).await;
}

#[tokio::test]
async fn b09_killed_as_the_new_software_is_confirmed() {
    as_it_begins(Step::Confirming).await;
    let laboratory = as_the_device_tells(NotificationKind::Done, Command::Confirm).await;
    assert_eq!(started(&laboratory.look().await, Command::Confirm), 1);
}

#[tokio::test]
async fn b09_killed_while_the_device_converts() {
    for kind in [NotificationKind::Begun, NotificationKind::Progress, NotificationKind::Done] {
        let setup = impatient().device(|device| device.timing.convert = Duration::from_millis(200));
        let mut laboratory = Laboratory::with(setup).await;
        let mut events = laboratory.simulator.events();
        let run = laboratory.upgrade(&laboratory.image(&Plan { format: 2, ..plan("2.0") })).await;
        notified(&mut events, kind, Command::Convert).await;
        laboratory.kill().await;
        laboratory.start_again().await;
        assert_eq!(laboratory.end(run).await.outcome, Outcome::Succeeded, "{}", laboratory.told(run).await);
        let user_data = document(&laboratory.durable().await, iad_sim::device::ConfigurationKind::UserData);
        assert_eq!((user_data.format, user_data.entries().count()), (2, 40));
        assert_nothing_came_twice(&laboratory.look().await);
    }
}

#[tokio::test]
async fn b09_killed_on_the_way_back() {
    for moment in [NotificationKind::Begun, NotificationKind::Done] {
        let setup = impatient().device(|device| device.timing.boot = Duration::from_millis(200));
        let mut laboratory = Laboratory::with(setup).await;
        let before = laboratory.look().await;
        laboratory.fault(Fault { version: Some("2.0".into()), ..Fault::once(FaultKind::ApplyFails) }).await;
        let mut events = laboratory.simulator.events();
        let run = laboratory.upgrade(&laboratory.image(&plan("2.0"))).await;
        notified(&mut events, moment, Command::Rollback).await;
        laboratory.kill().await;
        laboratory.start_again().await;
        assert_eq!(failure(&laboratory.question(run).await).0, Step::Restoring);
        let view = laboratory.look().await;
        assert_in_service(&view, "1.0", &configuration(&before));
        assert_eq!(started(&view, Command::Rollback), 1);
        assert_nothing_came_twice(&view);
    }
}

#[tokio::test]
async fn b09_a_question_stays_open_and_nothing_is_sent() {
    let mut laboratory = Laboratory::new().await;
    laboratory.fault(Fault::once(FaultKind::FlashError)).await;
    let run = laboratory.upgrade(&laboratory.image(&plan("2.0"))).await;
    let question = laboratory.question(run).await;
    let (durable, counters) = (laboratory.durable().await, laboratory.look().await.counters);
    laboratory.kill().await;
    laboratory.start_again().await;
    assert_eq!(laboratory.question(run).await, question);
    // It has looked at everything it had to by the time that it tells how it is.
    assert_eq!(laboratory.manager().handle.status().await.expect("a status").questions, 1);
    assert_eq!((laboratory.durable().await, laboratory.look().await.counters), (durable, counters));
    laboratory.answer(run, Answer::Again).await;
    assert_eq!(laboratory.end(run).await.outcome, Outcome::Succeeded, "{}", laboratory.told(run).await);
}

#[tokio::test]
async fn b09_a_pause_before_a_repeat_goes_on() {
    let mut laboratory = Laboratory::with(Setup::default().profile("[limits]\nbackoff_s = 1\n")).await;
    laboratory.fault(Fault::once(FaultKind::FlashError)).await;
    let run = laboratory.upgrade_by(&laboratory.image(&plan("2.0")), Policy::Auto(1)).await;
    laboratory.until(run, |run| matches!(run.state, State::Pausing { .. })).await;
    laboratory.kill().await;
    laboratory.start_again().await;
    assert_eq!(laboratory.end(run).await.outcome, Outcome::Succeeded, "{}", laboratory.told(run).await);
}

#[tokio::test]
async fn b09_the_time_of_activation_is_kept() {
    let mut laboratory = Laboratory::new().await;
    let at = laboratory.manager().clock.now() + Duration::from_secs(3);
    let goal = Goal::Upgrade { image: laboratory.image(&plan("2.0")).into() };
    let later = Choices { activate_at: Some(at), ..choices(Policy::Ask) };
    let run = laboratory.begin(goal, later, Protocol::Tftp).await;
    laboratory.until(run, |run| matches!(run.state, State::Holding { .. })).await;
    laboratory.kill().await;
    laboratory.start_again().await;
    assert_eq!(laboratory.end(run).await.outcome, Outcome::Succeeded, "{}", laboratory.told(run).await);
    assert!(laboratory.manager().clock.now() >= at);
}

#[tokio::test]
async fn b09_a_command_whose_answer_was_lost_is_not_repeated() {
    let laboratory = Laboratory::new().await;
    let before = laboratory.look().await;
    // Only the first SET is answered: that the device took the file server's password is seen by nothing else.
    let lost =
        Fault { times: 0, skip: 1, request: Some(RequestKind::Set), ..Fault::once(FaultKind::LoseAnswer) };
    laboratory.fault(lost).await;
    let run = laboratory.upgrade(&laboratory.image(&plan("2.0"))).await;
    assert_eq!(laboratory.end(run).await.outcome, Outcome::Succeeded, "{}", laboratory.told(run).await);
    let after = laboratory.look().await;
    assert_in_service(&after, "2.0", &configuration(&before));
    assert_nothing_came_twice(&after);
    assert_eq!(after.counters.operations.len(), 5, "backup, download, reset, restore, confirm");
}

#[tokio::test]
async fn b09_a_lost_answer_and_a_killed_manager_lead_to_a_look() {
    let mut laboratory = Laboratory::with(impatient()).await;
    let before = laboratory.look().await;
    // The answers to the SETs from the third on: server, backup, then download, calls, reset and so on.
    laboratory
        .fault(Fault { skip: 4, request: Some(RequestKind::Set), ..Fault::once(FaultKind::LoseAnswer) })
        .await;
    let mut events = laboratory.simulator.events();
    let run = laboratory.upgrade(&laboratory.image(&plan("2.0"))).await;
    notified(&mut events, NotificationKind::Begun, Command::Reset).await;
    laboratory.kill().await;
    laboratory.once(|device| device.power() == Power::Running && device.durable().boot.boots == 2).await;
    laboratory.start_again().await;
    assert_eq!(laboratory.end(run).await.outcome, Outcome::Succeeded, "{}", laboratory.told(run).await);
    let after = laboratory.look().await;
    assert_in_service(&after, "2.0", &configuration(&before));
    assert_nothing_came_twice(&after);
    assert_eq!(after.boots, 2);
}

#[tokio::test]
async fn b09_a_deadline_that_passed_while_the_manager_was_down_is_no_evidence() {
    let setup = impatient()
        .profile("[commands.reset]\ndeadline_s = 0.5\n")
        .device(|device| device.timing.boot = Duration::from_secs(1));
    let mut laboratory = Laboratory::with(setup).await;
    let mut events = laboratory.simulator.events();
    let run = laboratory.upgrade(&laboratory.image(&plan("2.0"))).await;
    notified(&mut events, NotificationKind::Begun, Command::Reset).await;
    laboratory.kill().await;
    laboratory.once(|device| device.power() == Power::Running && device.durable().boot.boots == 2).await;
    laboratory.start_again().await;
    assert_eq!(laboratory.end(run).await.outcome, Outcome::Succeeded, "{}", laboratory.told(run).await);
}

#[tokio::test]
async fn b09_power_lost_while_the_manager_was_down_is_found_out() {
    let mut laboratory = Laboratory::with(impatient().flash(100_000)).await;
    let before = laboratory.look().await;
    let device = laboratory.device();
    let mut events = laboratory.simulator.events();
    let run = laboratory.upgrade_by(&laboratory.image(&plan("2.0")), Policy::Auto(3)).await;
    notified(&mut events, NotificationKind::Progress, Command::Download).await;
    laboratory.kill().await;
    laboratory.simulator.power_off(&device).await.expect("a device");
    laboratory.simulator.power_on(&device).await.expect("a device");
    laboratory.once(|device| device.power() == Power::Running).await;
    laboratory.start_again().await;
    assert_eq!(laboratory.end(run).await.outcome, Outcome::Succeeded, "{}", laboratory.told(run).await);
    assert_in_service(&laboratory.look().await, "2.0", &configuration(&before));
}

#[tokio::test]
async fn b09_several_runs_go_on_together() {
    let mut laboratory = Laboratory::with(impatient().devices(4).flash(400_000)).await;
    let image = laboratory.image(&plan("2.0"));
    let mut events = laboratory.simulator.events();
    let names: Vec<String> = laboratory.simulator.devices().map(str::to_owned).collect();
    let mut runs = Vec::new();
    for name in &names {
        let goal = Goal::Upgrade { image: image.clone().into() };
        runs.push(
            laboratory.try_begin(name, goal, choices(Policy::Ask), Protocol::Tftp).await.expect("a run"),
        );
    }
    notified(&mut events, NotificationKind::Progress, Command::Download).await;
    laboratory.kill().await;
    laboratory.start_again().await;
    for run in runs {
        assert_eq!(laboratory.end(run).await.outcome, Outcome::Succeeded, "{}", laboratory.told(run).await);
    }
    for view in laboratory.simulator.list().await.expect("devices") {
        assert_eq!(view.version, "2.0");
        assert_nothing_came_twice(&view);
    }
}

#[tokio::test]
async fn b09_killed_at_everything_that_is_told() {
    // What a device does takes far longer than killing and starting, so that no such step is missed.
    const LASTING: [Step; 5] =
        [Step::Downloading, Step::Activating, Step::Converting, Step::Restoring, Step::Soaking];
    let span = Duration::from_secs(2);
    let slow = impatient().flash(50_000).profile("[limits]\nevidence_s = 4\nsoak_s = 2\n").device(|device| {
        device.timing = Timing { boot: span, activate: span, convert: span, apply: span, ..device.timing };
    });
    let mut laboratory = Laboratory::with(slow).await;
    let before = laboratory.look().await;
    let run = laboratory.upgrade(&laboratory.image(&Plan { format: 2, ..plan("2.0") })).await;
    let mut told = 0;
    while !laboratory.run(run).await.is_over() {
        let mut news = laboratory.manager().handle.watch();
        let next = async {
            // What it tells of having started again is not counted.
            while laboratory.stories(run).await.len() < told + 2 && !laboratory.run(run).await.is_over() {
                let _ = news.recv().await;
            }
        };
        bounded("the next story", next).await;
        told = laboratory.stories(run).await.len();
        laboratory.kill().await;
        laboratory.start_again().await;
    }
    assert_eq!(laboratory.end(run).await.outcome, Outcome::Succeeded, "{}", laboratory.told(run).await);
    let stories = laboratory.stories(run).await;
    let killed_in = |wanted: Step| {
        let begun = |story: &Story| matches!(story, Story::StepBegun { step, .. } if *step == wanted);
        let done = |story: &Story| matches!(story, Story::StepDone { step, .. } if *step == wanted);
        let during = stories.iter().skip_while(|story| !begun(story)).take_while(|story| !done(story));
        during.filter(|story| matches!(story, Story::Resumed)).count() > 0
    };
    assert!(LASTING.into_iter().all(killed_in), "{}", laboratory.told(run).await);
    let after = laboratory.look().await;
    assert_eq!(after.version, "2.0");
    assert_eq!(configuration(&after).len(), configuration(&before).len());
    assert_nothing_came_twice(&after);
}
