//! IPv4 and IPv6, and who is who (row B13).

use iad_sim::device::{BufferState, Command, NotificationKind};
use iad_sim::fault::{Fault, FaultKind, Phase};
use iadms::inventory::DeviceEntry;
use upgrade::Protocol;
use upgrade::run::{Goal, Outcome, Policy};

use crate::evidence::{assert_in_service, assert_untouched, configuration, notified};
use crate::laboratory::{Laboratory, bounded};
use crate::setup::{Setup, choices, plan};
use crate::stranger::Stranger;

#[tokio::test]
async fn b13_the_whole_upgrade_over_ipv6() {
    for protocol in [Protocol::Tftp, Protocol::Ftp] {
        let laboratory = Laboratory::with(Setup::default().over_ipv6()).await;
        let before = laboratory.look().await;
        assert!(before.address.is_ipv6() && laboratory.options.tftp.is_ipv6());
        let mut traps = laboratory.manager().handle.traps();
        let goal = Goal::Upgrade { image: laboratory.image(&plan("2.0")).into() };
        let run = laboratory.begin(goal, choices(Policy::Ask), protocol).await;
        assert_eq!(laboratory.end(run).await.outcome, Outcome::Succeeded, "{}", laboratory.told(run).await);
        assert_in_service(&laboratory.look().await, "2.0", &configuration(&before));
        assert_eq!(laboratory.durable().await.server.address, "::1");
        assert!(traps.try_recv().expect("notifications came").from.is_ipv6());
    }
}

#[tokio::test]
async fn b13_a_device_is_known_by_its_unique_id_once_it_was_heard() {
    let laboratory = Laboratory::new().await;
    let device = laboratory.device();
    let run = laboratory.back_up().await;
    assert_eq!(laboratory.end(run).await.outcome, Outcome::Succeeded);
    let known = laboratory.manager().store.device(&device).await.expect("a device").unique_id;
    assert_eq!(known, Some(laboratory.look().await.unique_id));
}

#[tokio::test]
async fn b13_another_unit_at_the_address_is_not_taken_for_the_one_that_was_there() {
    let mut laboratory = Laboratory::new().await;
    let known = laboratory.device();
    let run = laboratory.back_up().await;
    assert_eq!(laboratory.end(run).await.outcome, Outcome::Succeeded);
    laboratory.replace_unit(100).await;
    let before = laboratory.durable().await;
    let goal = Goal::Upgrade { image: laboratory.image(&plan("2.0")).into() };
    let run = laboratory.try_begin(&known, goal, choices(Policy::Ask), Protocol::Tftp).await.expect("a run");
    let ending = laboratory.end(run).await;
    assert_eq!(ending.outcome, Outcome::Refused);
    for name in ["IAD-000001", "IAD-000100"] {
        assert!(ending.reason.contains(name), "{}", ending.reason);
    }
    assert_untouched(&before, &laboratory.durable().await, &laboratory.look().await);
}

#[tokio::test]
async fn b13_a_device_whose_address_changed_is_upgraded_at_the_new_one() {
    let laboratory = Laboratory::with(Setup::default().devices(2)).await;
    // The operator had the addresses of both wrong, and corrects them.
    let names: Vec<String> = laboratory.simulator.devices().map(str::to_owned).collect();
    let entries: Vec<_> = names.iter().map(|name| laboratory.entry(name)).collect();
    for (one, other) in [(0, 1), (1, 0)] {
        let access = entries[other].access.clone();
        laboratory.change_entry(&DeviceEntry { access, ..entries[one].clone() }).await;
    }
    for entry in &entries {
        laboratory.change_entry(entry).await;
    }
    let run = laboratory.upgrade(&laboratory.image(&plan("2.0"))).await;
    assert_eq!(laboratory.end(run).await.outcome, Outcome::Succeeded, "{}", laboratory.told(run).await);
    assert_eq!(laboratory.look().await.version, "2.0");
}

#[tokio::test]
async fn b13_at_a_new_address_answers_the_same_unit_unless_it_was_replaced() {
    let laboratory = Laboratory::with(Setup::default().devices(2)).await;
    let run = laboratory.back_up().await;
    assert_eq!(laboratory.end(run).await.outcome, Outcome::Succeeded);
    let (known, other) =
        (laboratory.device(), laboratory.simulator.devices().nth(1).expect("another device"));
    let access = laboratory.entry(other).access;
    let mistyped = DeviceEntry { access, ..laboratory.entry(&known) };
    for (replaced, outcome) in [(false, Outcome::Refused), (true, Outcome::Succeeded)] {
        laboratory.manager().store.change_device(&mistyped, replaced).await.expect("a device");
        laboratory.manager().handle.inventory_changed().await;
        let run = laboratory.back_up().await;
        let ending = laboratory.end(run).await;
        assert_eq!(ending.outcome, outcome, "{}", ending.reason);
    }
}

#[tokio::test]
async fn b13_a_notification_is_the_device_s_that_it_names_wherever_it_comes_from() {
    let laboratory = Laboratory::new().await;
    let run = laboratory.back_up().await;
    assert_eq!(laboratory.end(run).await.outcome, Outcome::Succeeded);
    let unique_id = laboratory.look().await.unique_id;
    let mut traps = laboratory.manager().handle.traps();
    // As behind a translation: the address is nobody's.
    let elsewhere = Stranger::at(laboratory.options.tftp.ip()).await;
    elsewhere.notifies(laboratory.options.notifications, 2, &unique_id, "x").await;
    let trap = bounded("the notification", traps.recv()).await.expect("a notification");
    assert_eq!(trap.device, Some(laboratory.device()));
    assert_eq!(trap.from, elsewhere.address());
}

#[tokio::test]
async fn b13_one_device_never_speaks_for_another() {
    let laboratory = Laboratory::with(Setup::default().devices(2)).await;
    let second = laboratory.simulator.devices().nth(1).expect("another device").to_owned();
    let run = laboratory.try_begin(&second, Goal::Backup, choices(Policy::Ask), Protocol::Tftp).await;
    assert_eq!(laboratory.end(run.expect("a run")).await.outcome, Outcome::Succeeded);
    let mut traps = laboratory.manager().handle.traps();
    let run = laboratory.back_up().await;
    assert_eq!(laboratory.end(run).await.outcome, Outcome::Succeeded);
    // From the address of the first: in its own name, in that of the second, and in one that nobody knows.
    let (first, address) = (laboratory.device(), laboratory.look().await.address.ip());
    let forger = Stranger::at(address).await;
    for (name, meant) in [(first.as_str(), Some(&first)), (&second, Some(&second)), ("IAD-000099", None)] {
        forger.notifies(laboratory.options.notifications, 2, name, "x").await;
        let from_forger = async {
            loop {
                let trap = traps.recv().await.expect("a notification");
                if trap.from == forger.address() {
                    return trap;
                }
            }
        };
        let trap = bounded("the notification", from_forger).await;
        assert_eq!(trap.device.as_ref(), meant, "{name}");
    }
}

#[tokio::test]
async fn b13_a_forged_notification_proves_nothing() {
    let laboratory = Laboratory::new().await;
    let stall = Fault { during: Some(Phase::Download), percent: 50, ..Fault::once(FaultKind::StallTransfer) };
    laboratory.fault(stall).await;
    let mut events = laboratory.simulator.events();
    let run = laboratory.upgrade(&laboratory.image(&plan("2.0"))).await;
    let begun = notified(&mut events, NotificationKind::Begun, Command::Download).await;
    let mut traps = laboratory.manager().handle.traps();
    let forger = Stranger::at(laboratory.options.tftp.ip()).await;
    // Done, failed, restarted: each with the right names.
    for number in [3, 4, 5] {
        forger.notifies(laboratory.options.notifications, number, &begun.unique_id, &begun.operation).await;
        let came = async { while traps.recv().await.expect("a notification").from != forger.address() {} };
        bounded("the notification", came).await;
    }
    // It goes on as before, by what the device and the file server say.
    laboratory.until(run, |run| run.current_step() == Some(upgrade::run::Step::Downloading)).await;
    let view = laboratory.look().await;
    assert!(view.buffers.iter().any(|buffer| buffer.state == BufferState::Writing), "{view:?}");
    laboratory.manager().handle.stop_operation(run).await.expect("an operation that can be stopped");
    laboratory.question(run).await;
    laboratory.answer(run, upgrade::run::Answer::Again).await;
    assert_eq!(laboratory.end(run).await.outcome, Outcome::Succeeded, "{}", laboratory.told(run).await);
}
