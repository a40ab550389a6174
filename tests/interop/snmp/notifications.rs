//! Notifications: net-snmp's as we read them, ours as net-snmp reads them.

use std::net::{Ipv4Addr, UdpSocket};

use snmp::manager::Request;
use snmp::notification::{Event, Notification, NotificationKind};
use snmp::{Security, Value, VarBind};
use tests::process::LIMIT;

use crate::asking::{Asking, oid, target};

const FAILED: &str = "1.3.6.1.4.1.32473.1.0.4";
const UNIQUE_ID: &str = "1.3.6.1.4.1.32473.1.1.1.3.0";
const PROGRESS: &str = "1.3.6.1.4.1.32473.1.1.5.15.0";

/// What every notification here is about, as its objects.
fn objects() -> Vec<VarBind> {
    vec![VarBind::new(oid(UNIQUE_ID), "IAD 7"), VarBind::new(oid(PROGRESS), Value::Gauge32(42))]
}

mod needs_snmp {
    use super::*;

    use tests::process::{Finished, Running};

    const OBJECTS: [&str; 6] =
        ["IAD-MIB::iadSysUniqueId.0", "s", "IAD 7", "IAD-MIB::iadOpProgress.0", "u", "42"];

    /// What arrives when net-snmp sends a notification, which `look` may answer, and how its command ends.
    fn sent(
        program: &str,
        arguments: &[&str],
        look: impl FnOnce(&Notification<'_>, &mut Vec<u8>),
    ) -> Finished {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.set_read_timeout(Some(LIMIT)).unwrap();
        let folder = tests::mibs::laid_out();
        let mut command = tests::net_snmp::command(program, &folder);
        let (options, rest) = arguments.split_at(3);
        command.args(options).arg(socket.local_addr().unwrap().to_string()).args(rest).args(OBJECTS);
        let running = Running::start(&mut command);
        let mut buffer = vec![0; 65_536];
        let (length, sender) = socket.recv_from(&mut buffer).expect("a notification");
        let notification = Notification::decode(&buffer[..length]).unwrap();
        assert_eq!(notification.name, oid(FAILED));
        let found: Vec<VarBind> = notification.varbinds.iter().cloned().map(VarBind::into_owned).collect();
        assert_eq!(found, objects());
        let mut answer = Vec::new();
        look(&notification, &mut answer);
        if !answer.is_empty() {
            socket.send_to(&answer, sender).unwrap();
        }
        running.finish_within(LIMIT)
    }

    #[test]
    fn a_trap_of_version_2_is_read() {
        let arguments = ["-v2c", "-c", "traps", "4711", "IAD-MIB::iadOperationFailed"];
        let finished = sent("snmptrap", &arguments, |notification, _| {
            assert!(matches!(notification.kind, NotificationKind::Trap { .. }));
            assert_eq!(notification.uptime, Some(4711));
            assert_eq!(notification.security.community(), Some(b"traps".as_slice()));
            assert!(notification.response().is_none());
        });
        assert!(finished.status.success());
    }

    #[test]
    fn a_trap_of_version_1_is_read_as_the_notification_it_is() {
        let arguments = ["-v1", "-c", "traps", "IAD-MIB::iadMIB", "192.0.2.7", "6", "4", "4711"];
        let finished = sent("snmptrap", &arguments, |notification, _| {
            let enterprise = oid("1.3.6.1.4.1.32473.1");
            let agent_address = Ipv4Addr::new(192, 0, 2, 7);
            assert_eq!(notification.kind, NotificationKind::TrapV1 { enterprise, agent_address });
            assert_eq!(notification.uptime, Some(4711));
        });
        assert!(finished.status.success());
    }

    #[test]
    fn an_inform_is_read_and_our_answer_is_taken() {
        let arguments = ["-v2c", "-c", "traps", "4711", "IAD-MIB::iadOperationFailed"];
        let finished = sent("snmpinform", &arguments, |notification, answer| {
            assert!(matches!(notification.kind, NotificationKind::Inform { .. }));
            notification.response().unwrap().encode(answer).unwrap();
        });
        assert!(finished.status.success(), "{}", finished.output);
    }
}

mod needs_snmptrapd {
    use super::*;

    use tests::net_snmp::Snmptrapd;

    fn event(name: &str) -> Event {
        Event { name: oid(name), uptime: 4711, varbinds: objects() }
    }

    fn assert_is_about_the_failure(notification: &str) {
        for part in ["IAD-MIB::iadSysUniqueId.0 = IAD 7", "IAD-MIB::iadOpProgress.0 = 42"] {
            assert!(notification.contains(part), "{part} is not in {notification}");
        }
    }

    #[test]
    fn our_traps_of_both_versions_are_read() {
        let mut snmptrapd = Snmptrapd::start();
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();

        let trap = event(FAILED).trap(Security::v2c("public"), 1);
        let trap_v1 = event(FAILED).trap_v1("public", Ipv4Addr::LOCALHOST).unwrap();
        for message in [trap, trap_v1] {
            let mut datagram = Vec::new();
            message.encode(&mut datagram).unwrap();
            socket.send_to(&datagram, snmptrapd.address()).unwrap();
            assert_is_about_the_failure(&snmptrapd.next_notification());
        }
    }

    #[test]
    fn our_inform_is_read_and_its_answer_understood() {
        let mut snmptrapd = Snmptrapd::start();
        let receiver = target(snmptrapd.address(), Security::v2c("public"));
        let request: Request = event(FAILED).inform();
        Asking::new().ask(&receiver, request).unwrap();
        let notification = snmptrapd.next_notification();
        assert_is_about_the_failure(&notification);
        assert!(notification.contains("IAD-MIB::iadOperationFailed"), "{notification}");
    }
}
