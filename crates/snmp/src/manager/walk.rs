//! Reading a whole subtree, request by request.

use super::{Failure, Request, Response};
use crate::{ErrorStatus, ObjectIdentifier, Value, VarBind};

/// A walk over all objects below a name, by GETBULK or, where that is not to be had, GETNEXT.
///
/// Ask for [`request`](Walk::request), hand the outcome to [`take`](Walk::take), until that says that it is over.
#[derive(Debug, Clone)]
pub struct Walk {
    root: ObjectIdentifier,
    last: ObjectIdentifier,
    max_repetitions: u32,
}

/// How a walk goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WalkStep {
    /// These were found; make the next request. There may be none, when the agent is asked again for less at once.
    More(Vec<VarBind>),
    /// These were found, and they were the last.
    Finished(Vec<VarBind>),
}

/// Why a walk cannot go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WalkFailure {
    /// A request failed.
    #[error("cannot read what follows {after}")]
    Request {
        /// The last name read.
        after: ObjectIdentifier,
        /// The request's failure.
        #[source]
        failure: Failure,
    },
    /// The agent answers with a name that does not follow the one before; the walk would never end.
    #[error("agent answers {found}, which does not follow what it answered before")]
    NotIncreasing {
        /// The name that does not follow.
        found: ObjectIdentifier,
    },
    /// The agent answers with nothing at all.
    #[error("agent answers with nothing for what follows {after}")]
    Empty {
        /// The last name read.
        after: ObjectIdentifier,
    },
}

impl Walk {
    /// A walk over everything below `root`, by `max_repetitions` objects at once; 0 or 1 means GETNEXT, which SNMPv1 needs.
    pub fn new(root: ObjectIdentifier, max_repetitions: u32) -> Walk {
        Walk { last: root.clone(), root, max_repetitions }
    }

    /// The next request.
    pub fn request(&self) -> Request {
        let names = vec![self.last.clone()];
        match self.max_repetitions {
            0 | 1 => Request::GetNext(names),
            max_repetitions => Request::GetBulk { non_repeaters: 0, max_repetitions, names },
        }
    }

    /// Takes the outcome of the request.
    ///
    /// # Errors
    /// The request failed, other than by reaching the end of all objects, or the agent answers nonsense.
    pub fn take(&mut self, outcome: Result<Response, Failure>) -> Result<WalkStep, WalkFailure> {
        let response = match outcome {
            Ok(response) => response,
            Err(Failure::TooBig) if self.max_repetitions > 1 => {
                self.max_repetitions /= 2;
                return Ok(WalkStep::More(Vec::new()));
            }
            // How SNMPv1 says that nothing follows (RFC 1157 section 4.1.3).
            Err(Failure::ErrorStatus { status: ErrorStatus::NoSuchName, .. }) => {
                return Ok(WalkStep::Finished(Vec::new()));
            }
            Err(failure) => return Err(WalkFailure::Request { after: self.last.clone(), failure }),
        };
        let varbinds = response.varbinds();
        if varbinds.is_empty() {
            return Err(WalkFailure::Empty { after: self.last.clone() });
        }
        let mut found = Vec::with_capacity(varbinds.len());
        for varbind in varbinds {
            if varbind.value == Value::EndOfMibView || !varbind.name.starts_with(&self.root) {
                return Ok(WalkStep::Finished(found));
            }
            if varbind.name <= self.last {
                return Err(WalkFailure::NotIncreasing { found: varbind.name });
            }
            self.last = varbind.name.clone();
            found.push(varbind);
        }
        Ok(WalkStep::More(found))
    }
}
