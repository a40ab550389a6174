//! What of a run must outlive the manager: it is stored before anybody acts on it.

use super::{Run, State};

impl Run {
    /// Whether all that must outlive the manager is the same in both. The rest is the latest word on a progress, and
    /// looks under way.
    pub fn lasts_as(&self, other: &Self) -> bool {
        let Self {
            id,
            device,
            goal,
            choices,
            profile,
            server,
            secret,
            begun,
            expected,
            state,
            operations,
            asked: _,
            old,
            backup,
            replaced,
            untouched,
            aside,
            on_trial,
            left_there,
            conversion,
            converted,
            loaded,
            failure,
            stranded,
            seen_away,
            returning,
            activated,
            calls_closed,
            told_to_close,
            drain_until,
            repeats,
            drifts,
            bring_backs,
            ahead,
            closing,
            last,
        } = self;
        let counts = |run: &Self| [run.operations, run.repeats, run.drifts, run.bring_backs];
        state.lasts_as(&other.state)
            && [*operations, *repeats, *drifts, *bring_backs] == counts(other)
            && (*returning, *ahead) == (other.returning, other.ahead)
            && *activated == other.activated
            && (*calls_closed, *told_to_close, *drain_until)
                == (other.calls_closed, other.told_to_close, other.drain_until)
            && *closing == other.closing
            && *old == other.old
            && *backup == other.backup
            && *replaced == other.replaced
            && *untouched == other.untouched
            && (*aside == other.aside && *on_trial == other.on_trial && *left_there == other.left_there)
            && *conversion == other.conversion
            && *converted == other.converted
            && *loaded == other.loaded
            && *failure == other.failure
            && (*stranded == other.stranded && *seen_away == other.seen_away)
            // The end tells it, so the log must lead to it.
            && *last == other.last
            && (*id, *begun) == (other.id, other.begun)
            && *expected == other.expected
            && *device == other.device
            && *goal == other.goal
            && *choices == other.choices
            && *profile == other.profile
            && *server == other.server
            && *secret == other.secret
    }
}

impl State {
    fn lasts_as(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::Working { step, operation },
                Self::Working { step: others, operation: others_operation },
            ) => step == others && operation.lasts_as(others_operation),
            (Self::Preflight(waiting), Self::Preflight(others))
            | (Self::Verifying(waiting), Self::Verifying(others)) => waiting.silent == others.silent,
            (
                Self::Draining { limit, calls, waiting },
                Self::Draining { limit: others_limit, calls: others_calls, waiting: others },
            ) => (limit, calls, waiting.silent) == (others_limit, others_calls, others.silent),
            (
                Self::Soaking { pulse, until, waiting },
                Self::Soaking { pulse: others_pulse, until: others_until, waiting: others },
            ) => (pulse, until, waiting.silent) == (others_pulse, others_until, others.silent),
            (one, other) => one == other,
        }
    }
}
