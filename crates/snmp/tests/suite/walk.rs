//! Both sides together: walks over a device whose tables have holes.

use std::net::SocketAddr;
use std::time::Duration;

use snmp::agent::{Agent, Outcome};
use snmp::manager::{Failure, Manager, Response, Settings, Target, Walk, WalkFailure, WalkStep};
use snmp::*;

use crate::device::Device;
use crate::samples::name;

struct Lab {
    manager: Manager,
    agent: Agent,
    device: Device,
    requests: usize,
}

impl Lab {
    fn new(maximum_message_size: usize) -> Lab {
        let agent = Agent::new(agent::Settings { maximum_message_size, ..agent::Settings::default() }, 1);
        Lab {
            manager: Manager::new(Settings::default(), 3),
            agent,
            device: Device::with_holes(),
            requests: 0,
        }
    }

    fn walk(&mut self, security: Security, mut walk: Walk) -> Result<Vec<VarBind>, WalkFailure> {
        let address: SocketAddr = "[2001:db8::1]:161".parse().unwrap();
        let target =
            Target { address, principal: security.into(), timeout: Duration::from_secs(1), retries: 0 };
        let mut found = Vec::new();
        loop {
            self.requests += 1;
            let key = self.manager.request(&target, walk.request()).unwrap();
            let (mut asked, mut answer) = (Vec::new(), Vec::new());
            assert_eq!(self.manager.poll_transmit(Duration::ZERO, &mut asked), Some(address));
            let outcome = self.agent.respond(&asked, None, &mut self.device, &mut answer);
            assert!(matches!(outcome, Outcome::Answered { .. }));
            self.manager.handle(address, &answer, Duration::ZERO);
            let (answered, outcome) = self.manager.poll_event().unwrap();
            assert_eq!(answered, key);
            match walk.take(outcome)? {
                WalkStep::More(varbinds) => found.extend(varbinds),
                WalkStep::Finished(varbinds) => {
                    found.extend(varbinds);
                    return Ok(found);
                }
            }
        }
    }
}

const INTERFACES: ObjectIdentifier = ObjectIdentifier::new([1, 3, 6, 1, 2, 1, 2]);
const EVERYTHING: ObjectIdentifier = ObjectIdentifier::new([1, 3]);

#[test]
fn a_walk_finds_every_object_below_its_root_and_no_other_by_get_next_and_by_get_bulk() {
    for root in [INTERFACES, EVERYTHING, name("1.3.6.1.2.1.2.2.1.2"), name("1.3.6.1.2.1.3"), name("1.4")] {
        for max_repetitions in [0, 1, 2, 7, 1000] {
            let mut lab = Lab::new(1452);
            let walk = Walk::new(root.clone(), max_repetitions);
            let found = lab.walk(Security::v2c("public"), walk).unwrap();
            assert_eq!(found, lab.device.below(&root), "{root} by {max_repetitions}");
            if max_repetitions == 1000 {
                assert!(lab.requests <= 2, "{} requests for {root}", lab.requests);
            }
        }
    }
}

#[test]
fn a_walk_in_version_1_finds_all_but_counter64_and_ends_at_no_such_name() {
    let mut lab = Lab::new(1452);
    let found = lab.walk(Security::v1("public"), Walk::new(EVERYTHING, 0)).unwrap();
    let mut expected = lab.device.below(&EVERYTHING);
    expected.retain(|varbind| varbind.value.kind() != ValueKind::Counter64);
    assert_eq!(found, expected);
}

#[test]
fn a_walk_over_an_agent_with_short_answers_takes_more_requests_and_finds_the_same() {
    let mut lab = Lab::new(200);
    let found = lab.walk(Security::v2c("public"), Walk::new(INTERFACES, 50)).unwrap();
    assert_eq!(found, lab.device.below(&INTERFACES));
    assert!(lab.requests > 5);
}

fn answered(varbinds: Vec<VarBind>) -> Result<Response, Failure> {
    Ok(Response::new("192.0.2.1:161".parse().unwrap(), &varbinds, Duration::ZERO))
}

#[test]
fn a_walk_ends_with_an_error_where_the_agent_goes_in_circles_or_answers_nothing() {
    let cell = |row| VarBind::new(INTERFACES.join(&[2, 2, 1, 1, row]), 1);
    let mut walk = Walk::new(INTERFACES, 10);
    assert_eq!(walk.take(answered(vec![cell(1), cell(2)])), Ok(WalkStep::More(vec![cell(1), cell(2)])));
    let circle = walk.take(answered(vec![cell(2)]));
    assert_eq!(circle, Err(WalkFailure::NotIncreasing { found: cell(2).name }));
    let nothing = walk.take(answered(vec![]));
    assert_eq!(nothing, Err(WalkFailure::Empty { after: cell(2).name }));
}

#[test]
fn a_walk_asks_for_less_when_the_agent_says_too_big_and_gives_up_on_anything_else() {
    let mut walk = Walk::new(INTERFACES, 4);
    for _ in 0..2 {
        assert_eq!(walk.take(Err(Failure::TooBig)), Ok(WalkStep::More(vec![])));
    }
    assert_eq!(walk.request(), manager::Request::GetNext(vec![INTERFACES]));
    let failed = |failure| WalkFailure::Request { after: INTERFACES, failure };
    assert_eq!(walk.take(Err(Failure::TooBig)), Err(failed(Failure::TooBig)));
    assert_eq!(walk.take(Err(Failure::Timeout)), Err(failed(Failure::Timeout)));
}
