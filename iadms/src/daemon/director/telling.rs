//! What is told of runs once it is committed: to whoever watches, and to network operations centres. Of those each
//! story stays owed in the store until it was sent: a daemon that is killed tells it after its restart.

use core::time::Duration;
use std::collections::BTreeMap;

use engine::director::{Told, Turn};
use snmp::notification::Event;
use tokio::sync::mpsc;
use upgrade::Run;

use super::Loop;
use crate::daemon::clock::Clock;
use crate::net::northbound::{Notification, Reply};
use crate::store::{NorthboundTarget, Owed, StoreError};

/// What was told is written down so long after it at the latest, many at once.
const SETTLES_AFTER: Duration = Duration::from_secs(2);

/// What the senders have told, and what is not yet written down of it.
pub(super) struct Telling {
    settling: mpsc::UnboundedSender<Owed>,
    pub(super) settled: mpsc::UnboundedReceiver<Owed>,
    told: Vec<Owed>,
    /// When it is written down.
    pub(super) settles_at: Option<Duration>,
}

impl Telling {
    pub(super) fn new() -> Self {
        let (settling, settled) = mpsc::unbounded_channel();
        Self { settling, settled, told: Vec::new(), settles_at: None }
    }

    pub(super) fn note(&mut self, told: Owed, clock: Clock) {
        self.told.push(told);
        self.settles_at.get_or_insert(clock.elapsed() + SETTLES_AFTER);
    }
}

impl Loop {
    pub(super) async fn tell(&self, turn: &Turn, told: Vec<Told>) {
        let uptime = self.uptime();
        let mut events = Vec::new();
        for told in told {
            let event =
                turn.run(told.run).and_then(|run| engine::northbound::event(run, &told.story, uptime));
            events.extend(event.map(|event| (told.run, told.n, event)));
            tracing::debug!(run = told.run.0, device = told.device, story = ?told.story, "told");
            let _ = self.connections.receiving.told.send(told);
        }
        if events.is_empty() {
            return;
        }
        match self.connections.store.targets().await {
            Ok(targets) => {
                for target in &targets {
                    for (run, n, event) in &events {
                        let owed = Owed { run: *run, n: *n, target: target.name.clone() };
                        self.notify(target, event, owed);
                    }
                }
            }
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "the northbound targets cannot be read; they are told after a restart"
                );
            }
        }
    }

    fn notify(&self, target: &NorthboundTarget, event: &Event, owed: Owed) {
        let reply = Reply::Owed(self.telling.settling.clone(), owed);
        let notification = Notification { target: target.clone(), event: event.clone(), reply };
        let _ = self.connections.northbound.send(notification);
    }

    /// What the daemon had not told when it ended.
    pub(super) async fn tell_what_is_owed(&self) -> Result<(), StoreError> {
        let store = &self.connections.store;
        let owed = store.owed().await?;
        if owed.is_empty() {
            return Ok(());
        }
        let targets: BTreeMap<String, NorthboundTarget> =
            store.targets().await?.into_iter().map(|target| (target.name.clone(), target)).collect();
        for owed in owed {
            match self.event(&owed).await {
                Ok(Some(event)) => {
                    if let Some(target) = targets.get(&owed.target) {
                        self.notify(target, &event, owed);
                    }
                }
                Ok(None) => {}
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::error!(
                        run = owed.run.0,
                        target = owed.target,
                        error,
                        "a centre cannot be told of a run"
                    );
                }
            }
        }
        Ok(())
    }

    async fn event(&self, owed: &Owed) -> Result<Option<Event>, StoreError> {
        let store = &self.connections.store;
        let run: Run = store.run(owed.run).await?.run;
        let stories = store.stories(owed.run, owed.n.saturating_sub(1)).await?;
        Ok(stories.first().and_then(|told| engine::northbound::event(&run, &told.story, self.uptime())))
    }

    /// Writes down what was told.
    pub(super) async fn settle_owed(&mut self) {
        self.telling.settles_at = None;
        let told = std::mem::take(&mut self.telling.told);
        // What cannot be written down is told once more after a restart.
        if let Err(error) = self.connections.store.no_longer_owed(&told).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "what was told northbound is not noted");
        }
    }

    /// Hundredths of a second since the daemon started.
    fn uptime(&self) -> u32 {
        let uptime = (self.clock.now() - self.started).as_millis() / 10;
        u32::try_from(uptime % (1 << 32)).unwrap_or(0)
    }
}
