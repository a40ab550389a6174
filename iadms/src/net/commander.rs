//! The socket of the commander: requests to all devices, and their answers.

use engine::Commander;
use engine::access::Credentials;
use engine::commander::{Answer, Ask};
use snmp::manager::Regression;
use tokio::sync::{mpsc, watch};

use super::sockets::{Batches, Outgoing, Sockets};
use crate::daemon::clock::Clock;

/// Carries requests and answers until nobody asks any more.
///
/// # Errors
///
/// The socket cannot be read any more.
pub async fn run(
    mut commander: Commander,
    sockets: Sockets,
    mut asks: mpsc::UnboundedReceiver<Ask>,
    mut credentials: watch::Receiver<Credentials>,
    regressions: mpsc::UnboundedSender<Regression>,
    mut answered: impl FnMut(Answer) + Send,
    clock: Clock,
) -> std::io::Result<()> {
    let mut batches = Batches::default();
    let mut buffer = Vec::new();
    let mut requests = Outgoing::default();
    let mut asked = Vec::new();
    loop {
        while let Some(transmit) = commander.poll_transmit(clock.elapsed(), &mut buffer) {
            sockets.queue(&transmit, &buffer, &mut requests).await;
        }
        sockets.send_off(&mut requests).await;
        while let Some(answer) = commander.poll_answer(clock.elapsed()) {
            answered(answer);
        }
        while let Some(regression) = commander.poll_regression() {
            let _ = regressions.send(regression);
        }
        tokio::select! {
            received = sockets.receive(&mut batches) => {
                received?;
                commander.handle(&batches.datagrams(), clock.elapsed());
            }
            count = asks.recv_many(&mut asked, MOST_AT_ONCE) => {
                if count == 0 {
                    return Ok(());
                }
                // What was told before them is known before them.
                if credentials.has_changed().unwrap_or(false) {
                    commander.know(credentials.borrow_and_update().clone());
                }
                asked.drain(..).for_each(|ask| commander.ask(ask));
            }
            changed = credentials.changed() => match changed {
                Ok(()) => commander.know(credentials.borrow_and_update().clone()),
                Err(_) => return Ok(()),
            },
            () = clock.sleep_until(commander.next_deadline()) => {}
        }
    }
}

/// Requests taken before answers are looked for again.
const MOST_AT_ONCE: usize = 256;
