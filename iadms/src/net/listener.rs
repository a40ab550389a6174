//! The socket of the listener: notifications of all devices.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use engine::Listener;
use engine::listener::{DeviceIndex, Heard};
use tokio::sync::{mpsc, watch};

use super::sockets::{Batches, Sockets};

/// What the listener tells.
#[derive(Debug)]
pub enum News {
    /// A notification.
    Heard(Heard),
    /// Some were lost.
    Gap,
}

/// Figures for operators.
#[derive(Debug, Default)]
pub struct Figures {
    /// Notifications taken.
    pub heard: AtomicU64,
    /// Datagrams that were no notifications.
    pub undecodable: AtomicU64,
    /// Datagrams the system dropped.
    pub dropped: AtomicU64,
}

/// Carries notifications until nobody takes them any more. `committed` gives back receipts whose INFORMs may be
/// answered.
///
/// # Errors
///
/// The socket cannot be read any more.
pub async fn run(
    sockets: Sockets,
    mut index: watch::Receiver<Arc<DeviceIndex>>,
    mut committed: mpsc::UnboundedReceiver<u64>,
    news: mpsc::Sender<News>,
    figures: Arc<Figures>,
) -> std::io::Result<()> {
    let mut listener = Listener::default();
    listener.know(index.borrow_and_update().clone());
    let mut batches = Batches::default();
    let mut buffer = Vec::new();
    let mut receipts = Vec::new();
    let mut waiting = None;
    loop {
        while let Some(transmit) = listener.poll_transmit(&mut buffer) {
            sockets.send(&transmit, &buffer).await;
        }
        figures.heard.store(listener.counters().heard, Ordering::Relaxed);
        figures.undecodable.store(listener.counters().undecodable, Ordering::Relaxed);
        if waiting.is_none() {
            waiting =
                if listener.take_gap() { Some(News::Gap) } else { listener.poll_heard().map(News::Heard) };
        }
        tokio::select! {
            received = sockets.receive(&mut batches) => {
                received?;
                listener.handle(&batches.datagrams());
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
            changed = index.changed() => {
                if changed.is_err() {
                    return Ok(());
                }
                listener.know(index.borrow_and_update().clone());
            }
            // While the director is busy, the listener goes on taking datagrams from the system.
            permit = news.reserve(), if waiting.is_some() => match (permit, waiting.take()) {
                (Ok(permit), Some(told)) => permit.send(told),
                (Err(_), _) => return Ok(()),
                (Ok(_), None) => {}
            }
        }
    }
}

/// Receipts taken before datagrams are looked for again.
const MOST_AT_ONCE: usize = 256;
