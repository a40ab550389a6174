//! From a failure to the shortest plan that still leads to it: troubles, errands and devices are left out as long as the same
//! invariant breaks.

use crate::plan::Plan;
use crate::world::{Verdict, run};

/// More worlds than this are not tried: what is left then is short enough.
const MOST_WORLDS: u32 = 2000;

/// The shortest plan found that breaks the same invariant, and what comes of it, with its story.
pub fn shrink(plan: &Plan, verdict: &Verdict) -> (Plan, Verdict) {
    let mut shrinking = Shrinking { plan: plan.clone(), invariant: invariant(verdict), worlds: 0 };
    while shrinking.pass() && shrinking.worlds < MOST_WORLDS {}
    let verdict = run(&shrinking.plan, true);
    (shrinking.plan, verdict)
}

struct Shrinking {
    plan: Plan,
    invariant: Option<&'static str>,
    worlds: u32,
}

fn invariant(verdict: &Verdict) -> Option<&'static str> {
    verdict.violation.as_ref().map(|violation| violation.invariant)
}

impl Shrinking {
    /// Whether anything could be left out.
    fn pass(&mut self) -> bool {
        let mut shorter = false;
        let mut size = self.plan.troubles.len();
        while size > 0 {
            let mut from = 0;
            while from < self.plan.troubles.len() {
                let mut less = self.plan.clone();
                less.troubles.drain(from..(from + size).min(less.troubles.len()));
                if self.still_breaks(less) {
                    shorter = true;
                } else {
                    from += size;
                }
            }
            size /= 2;
        }
        for place in 0..self.plan.devices.len() {
            let errands = self.plan.devices.get(place).map_or(0, |device| device.errands.len());
            for errand in (0..errands).rev() {
                let mut less = self.plan.clone();
                if let Some(device) = less.devices.get_mut(place) {
                    device.errands.remove(errand);
                }
                shorter |= self.still_breaks(less);
            }
        }
        shorter
    }

    fn still_breaks(&mut self, less: Plan) -> bool {
        self.worlds += 1;
        let breaks = self.worlds < MOST_WORLDS && invariant(&run(&less, false)) == self.invariant;
        if breaks {
            self.plan = less;
        }
        breaks
    }
}
