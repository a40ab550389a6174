//! The socket of the listener: notifications of all devices.

use core::time::Duration;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use engine::Listener;
use engine::listener::{DeviceIndex, Heard, Learnt};
use snmp::manager::Regression;
use snmp::usm::EngineTime;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use upgrade::DeviceId;

use super::sockets::{Batches, Outgoing, Sockets};
use crate::daemon::clock::Clock;

/// What the listener tells.
#[derive(Debug)]
pub enum News {
    /// A notification.
    Heard(Heard),
    /// Some were lost.
    Gap,
    /// What a device sends is authentic and not of now: it is to be asked.
    Doubted(DeviceId),
}

/// What devices are known by.
#[derive(Debug)]
pub enum Known {
    /// All of it.
    Inventory(DeviceIndex),
    /// What is new since.
    Learnt(Learnt),
}

/// Figures for operators.
#[derive(Debug, Default)]
pub struct Figures {
    /// Notifications taken.
    pub heard: AtomicU64,
    /// Datagrams that were no notifications.
    pub undecodable: AtomicU64,
    /// Messages of SNMPv3 whose sender was not proven, or that were not of now.
    pub unproven: AtomicU64,
    /// Engines that were found to count their starts anew.
    pub restarted_anew: AtomicU64,
    /// Datagrams the system dropped.
    pub dropped: AtomicU64,
}

/// What the listener is told.
#[derive(Debug)]
pub struct Inlets {
    /// What devices are known by.
    pub known: mpsc::UnboundedReceiver<Known>,
    /// Receipts whose INFORMs may be answered.
    pub committed: mpsc::UnboundedReceiver<u64>,
    /// Engines that count their starts anew: what they send is judged by what their clocks show now.
    pub regressions: mpsc::UnboundedReceiver<Regression>,
}

/// Carries notifications until nobody takes them any more. The engine of `listener` is a new one, which starts for the first
/// time.
///
/// # Errors
///
/// The socket cannot be read any more.
pub async fn run(
    mut listener: Listener,
    sockets: Sockets,
    inlets: Inlets,
    news: mpsc::Sender<News>,
    figures: Arc<Figures>,
    clock: Clock,
) -> std::io::Result<()> {
    let Inlets { mut known, mut committed, mut regressions } = inlets;
    let started = clock.elapsed();
    let mut batches = Batches::default();
    let mut buffer = Vec::new();
    let mut acknowledgements = Outgoing::default();
    let mut receipts = Vec::new();
    let mut waiting = None;
    // When it is looked whether the system has dropped datagrams.
    let mut look = None;
    loop {
        while let Some(transmit) = listener.poll_transmit(&mut buffer) {
            sockets.queue(&transmit, &buffer, &mut acknowledgements).await;
        }
        sockets.send_off(&mut acknowledgements).await;
        figures.heard.store(listener.counters().heard, Ordering::Relaxed);
        figures.undecodable.store(listener.counters().undecodable, Ordering::Relaxed);
        figures.unproven.store(listener.counters().unproven, Ordering::Relaxed);
        while waiting.is_none()
            && let Some(told) = next(&mut listener)
        {
            match news.try_send(told) {
                Ok(()) => {}
                Err(TrySendError::Full(told)) => waiting = Some(told),
                Err(TrySendError::Closed(_)) => return Ok(()),
            }
        }
        tokio::select! {
            received = sockets.receive(&mut batches) => {
                received?;
                let now = clock.elapsed();
                let at = EngineTime::after(1, now.saturating_sub(started));
                listener.handle(&batches.datagrams(), at, now);
                look.get_or_insert(now + LOOK_FOR_DROPS_EVERY);
            }
            () = clock.sleep_until(look), if look.is_some() => {
                look = None;
                let dropped = sockets.dropped();
                if figures.dropped.swap(dropped, Ordering::Relaxed) < dropped {
                    listener.note_gap();
                }
            }
            count = committed.recv_many(&mut receipts, MOST_AT_ONCE) => {
                if count == 0 {
                    return Ok(());
                }
                receipts.drain(..).for_each(|receipt| listener.committed(receipt));
            }
            regression = regressions.recv() => match regression {
                Some(Regression { peer, engine, known, told }) => {
                    tracing::warn!(
                        %peer, %engine, known, told = told.boots,
                        "an SNMP engine has forgotten how often it started: what was said to it before may be said again"
                    );
                    figures.restarted_anew.fetch_add(1, Ordering::Relaxed);
                    listener.restarted_anew(&engine, told, clock.elapsed());
                }
                None => return Ok(()),
            },
            told = known.recv() => match told {
                Some(Known::Inventory(index)) => listener.know(index),
                Some(Known::Learnt(learnt)) => listener.learn(learnt),
                None => return Ok(()),
            },
            // While the director is busy, the listener goes on taking datagrams from the system.
            permit = news.reserve(), if waiting.is_some() => match (permit, waiting.take()) {
                (Ok(permit), Some(told)) => permit.send(told),
                (Err(_), _) => return Ok(()),
                (Ok(_), None) => {}
            }
        }
    }
}

/// What is to be told next. That something was lost comes first: what it leads to takes longest.
fn next(listener: &mut Listener) -> Option<News> {
    if listener.take_gap() {
        return Some(News::Gap);
    }
    let doubted = listener.poll_doubted().map(News::Doubted);
    doubted.or_else(|| listener.poll_heard().map(News::Heard))
}

/// How long after a datagram came it is looked whether others were dropped. To find that out the system goes through all its UDP
/// sockets: done with each datagram, it would be most of the work.
const LOOK_FOR_DROPS_EVERY: Duration = Duration::from_millis(200);

/// Receipts taken before datagrams are looked for again.
const MOST_AT_ONCE: usize = 256;
