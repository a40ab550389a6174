//! Our manager's sessions against net-snmp's agent.

use std::time::Duration;

use snmp::manager::{Failure, Request, Target, Walk};
use snmp::{ErrorStatus, ObjectIdentifier, Security, Value, VarBind};
use tests::net_snmp::Snmpd;
use tests::process::succeed;

use crate::asking::{Asking, oid, target};

/// An object of the agent's configuration; its values are below.
fn object(arc: u32) -> ObjectIdentifier {
    oid("1.3.6.1.4.1.32473.99").join(&[arc, 0])
}

const OBJECTS: &str = "
    override -rw .1.3.6.1.4.1.32473.99.1.0 integer -5
    override -rw .1.3.6.1.4.1.32473.99.2.0 octet_str text
    override .1.3.6.1.4.1.32473.99.3.0 object_id .1.3.6.1.4.1.4294967295
    override .1.3.6.1.4.1.32473.99.4.0 counter 4294967295
    override .1.3.6.1.4.1.32473.99.5.0 uinteger 4000000000
    override .1.3.6.1.4.1.32473.99.6.0 timeticks 100
    override .1.3.6.1.4.1.32473.99.7.0 octet_str \"\"
";

fn values() -> Vec<VarBind> {
    let values = [
        Value::Integer(-5),
        Value::OctetString(b"text".to_vec()),
        Value::ObjectIdentifier(oid("1.3.6.1.4.1.4294967295")),
        Value::Counter32(u32::MAX),
        Value::Gauge32(4_000_000_000),
        Value::TimeTicks(100),
        Value::OctetString(Vec::new()),
    ];
    (1..).zip(values).map(|(arc, value)| VarBind::new(object(arc), value)).collect()
}

fn names(varbinds: &[VarBind]) -> Vec<ObjectIdentifier> {
    varbinds.iter().map(|varbind| varbind.name.clone()).collect()
}

/// The agent as one may ask it in each version, with a community that may do what is tried.
fn both_versions(snmpd: &Snmpd, community: &str) -> [Target; 2] {
    [Security::v1(community), Security::v2c(community)].map(|security| target(snmpd.address(), security))
}

mod needs_snmpd {
    use super::*;

    #[test]
    fn values_of_all_types_are_read_in_both_versions() {
        let snmpd = Snmpd::start(OBJECTS);
        for target in both_versions(&snmpd, "public") {
            let response = Asking::new().ask(&target, Request::Get(names(&values()))).unwrap();
            assert_eq!(response.varbinds(), values());
        }
    }

    #[test]
    fn walks_by_getnext_and_getbulk_find_the_same() {
        let snmpd = Snmpd::start(OBJECTS);
        let [v1, v2c] = both_versions(&snmpd, "public");
        let root = oid("1.3.6.1.4.1.32473");
        assert_eq!(Asking::new().walk(&v1, Walk::new(root.clone(), 1)), values());
        for max_repetitions in [1, 2, 3, 50] {
            assert_eq!(Asking::new().walk(&v2c, Walk::new(root.clone(), max_repetitions)), values());
        }
    }

    #[test]
    fn a_walk_over_everything_there_is_comes_to_its_end() {
        let snmpd = Snmpd::start(OBJECTS);
        let [_, v2c] = both_versions(&snmpd, "public");
        let found = Asking::new().walk(&v2c, Walk::new(oid("1.3"), 100));
        assert!(found.is_sorted_by(|one, other| one.name < other.name));
        assert!(values().iter().all(|expected| found.contains(expected)));
        assert!(found.len() > 100);
    }

    #[test]
    fn objects_that_are_not_there_are_told_apart_from_those_that_are() {
        let snmpd = Snmpd::start(OBJECTS);
        let [v1, v2c] = both_versions(&snmpd, "public");
        let asked = vec![object(1), object(77)];

        let no_such_name = Failure::ErrorStatus { status: ErrorStatus::NoSuchName, index: 2 };
        assert_eq!(Asking::new().ask(&v1, Request::Get(asked.clone())).unwrap_err(), no_such_name);

        let response = Asking::new().ask(&v2c, Request::Get(asked)).unwrap();
        assert_eq!(response.varbinds()[0].value, Value::Integer(-5));
        assert!(response.varbinds()[1].value.is_exception());
    }

    #[test]
    fn objects_are_set_together_or_not_at_all() {
        let snmpd = Snmpd::start(OBJECTS);
        for target in both_versions(&snmpd, "private") {
            let mut asking = Asking::new();
            let read = |asking: &mut Asking| {
                let response = asking.ask(&target, Request::Get(vec![object(1), object(2)])).unwrap();
                response.varbinds().into_iter().map(|varbind| varbind.value).collect::<Vec<_>>()
            };
            let (number, text) = (Value::Integer(i32::MIN), Value::OctetString(vec![0, 255, 10]));

            let both = vec![VarBind::new(object(1), number.clone()), VarBind::new(object(2), text.clone())];
            asking.ask(&target, Request::set(both)).unwrap();
            assert_eq!(read(&mut asking), [number.clone(), text.clone()]);

            let second_is_wrong =
                vec![VarBind::new(object(1), Value::Integer(1)), VarBind::new(object(2), Value::Integer(2))];
            match asking.ask(&target, Request::set(second_is_wrong)) {
                Err(Failure::ErrorStatus { index: 2, .. }) => {}
                other => panic!("{other:?}"),
            }
            assert_eq!(read(&mut asking), [number, text]);
        }
    }

    #[test]
    fn an_agent_that_may_not_be_written_to_says_so() {
        let snmpd = Snmpd::start(OBJECTS);
        let [_, v2c] = both_versions(&snmpd, "public");
        let varbinds = vec![VarBind::new(object(1), Value::Integer(1))];
        let refused = Asking::new().ask(&v2c, Request::set(varbinds)).unwrap_err();
        assert_eq!(refused, Failure::ErrorStatus { status: ErrorStatus::NoAccess, index: 1 });
    }

    #[test]
    fn a_wrong_community_is_answered_by_silence() {
        let snmpd = Snmpd::start(OBJECTS);
        let stranger = Target {
            timeout: Duration::from_millis(20),
            retries: 2,
            ..target(snmpd.address(), Security::v2c("stranger"))
        };
        let outcome = Asking::new().ask(&stranger, Request::Get(vec![object(1)]));
        assert_eq!(outcome.unwrap_err(), Failure::Timeout);
    }

    mod needs_snmp {
        use super::*;

        #[test]
        fn a_walk_finds_what_snmpwalk_finds() {
            let snmpd = Snmpd::start(OBJECTS);
            let [_, v2c] = both_versions(&snmpd, "public");
            for root in ["1.3.6.1.2.1.1", "1.3.6.1.2.1.11", "1.3.6.1.4.1.32473"] {
                let folder = tests::mibs::laid_out();
                let mut snmpwalk = tests::net_snmp::command("snmpwalk", &folder);
                let address = snmpd.address().to_string();
                snmpwalk.args(["-v2c", "-c", "public", "-On", "-Oq", "-Cc", &address, root]);
                let output = succeed(&mut snmpwalk);
                let theirs: Vec<&str> =
                    output.lines().filter_map(|line| line.strip_prefix('.')?.split(' ').next()).collect();
                let ours = names(&Asking::new().walk(&v2c, Walk::new(oid(root), 10)));
                assert_eq!(ours.iter().map(ToString::to_string).collect::<Vec<_>>(), theirs);
            }
        }
    }
}
