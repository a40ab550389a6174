//! How fast requests go out: so many at a time to one agent, and so many a second to all of them together.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use super::{RequestKey, Settings};

/// What goes out now, and what waits for its turn.
#[derive(Debug)]
pub(super) struct Pace {
    /// The most requests under way to one agent.
    at_once: usize,
    /// Between two datagrams, on the average.
    interval: Duration,
    /// So much may be made up for what was not sent before.
    slack: Duration,
    /// When the next datagram would be due if each came one interval after the one before.
    due: Duration,
    /// By the agent.
    agents: BTreeMap<SocketAddr, Agent>,
}

#[derive(Debug, Default)]
struct Agent {
    under_way: usize,
    waiting: VecDeque<RequestKey>,
}

impl Pace {
    pub(super) fn new(settings: &Settings) -> Self {
        let interval = Duration::from_secs(1) / settings.per_second.max(1);
        Self {
            at_once: settings.at_once.max(1),
            interval,
            slack: interval.saturating_mul(settings.burst),
            due: Duration::ZERO,
            agents: BTreeMap::new(),
        }
    }

    /// When a datagram may go out: at once, if that is over.
    pub(super) fn free_at(&self) -> Duration {
        self.due.saturating_sub(self.slack)
    }

    /// One went out.
    pub(super) fn sent(&mut self, now: Duration) {
        self.due = self.due.max(now).saturating_add(self.interval);
    }

    /// Whether a request to this agent may begin. If not it waits until [`Pace::over`] has it begin.
    pub(super) fn begins(&mut self, agent: SocketAddr, key: RequestKey) -> bool {
        let agent = self.agents.entry(agent).or_default();
        if agent.under_way >= self.at_once {
            agent.waiting.push_back(key);
            return false;
        }
        agent.under_way += 1;
        true
    }

    /// A request that had begun is over: of those that waited for that, the one that waited longest and is still wanted `begins` in its
    /// place, and is given back.
    pub(super) fn over(
        &mut self,
        agent: SocketAddr,
        begins: impl FnMut(&RequestKey) -> bool,
    ) -> Option<RequestKey> {
        let known = self.agents.get_mut(&agent)?;
        let next = std::iter::from_fn(|| known.waiting.pop_front()).find(begins);
        if next.is_none() {
            known.under_way = known.under_way.saturating_sub(1);
        }
        if known.under_way == 0 {
            self.agents.remove(&agent);
        }
        next
    }
}
