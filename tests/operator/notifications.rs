//! Notifications of net-snmp: shown by name, and an INFORM is acknowledged only once it is stored.

mod needs_snmp {
    use sqlx::{Connection as _, Executor as _, SqliteConnection};
    use tempfile::TempDir;
    use tests::mibs;
    use tests::net_snmp;
    use tests::process::Running;

    use crate::laboratory::{Answered, Laboratory, answer};

    fn send(laboratory: &Laboratory, modules: &TempDir, program: &str, words: &[&str]) -> Answered {
        let mut command = net_snmp::command(program, modules);
        let to = laboratory.port("notifications").to_string();
        let place = words.iter().position(|word| *word == "TO").unwrap();
        command.args(&words[..place]).arg(to).args(&words[place + 1..]);
        answer(&mut command)
    }

    #[test]
    fn notifications_of_every_form_are_told_to_people_by_name() {
        let (laboratory, modules) = (Laboratory::with_manager_alone(&[]), mibs::laid_out());
        let mut tail = Running::start(&mut laboratory.command(&["trap", "tail"]));
        let unique_id = ["IAD-MIB::iadSysUniqueId.0", "s", "IAD 7"];
        let cold_start = "1.3.6.1.6.3.1.1.5.1";
        let of_version_1 = ["-v1", "-c", "public", "TO", "IAD-MIB::iadMIB", "192.0.2.7", "6", "4", "4711"];
        let generic = ["-v1", "-c", "public", "TO", "IAD-MIB::iadMIB", "192.0.2.7", "0", "0", "4711"];
        let of_version_2 = ["-v2c", "-c", "public", "TO", "4711", "IAD-MIB::iadOperationFailed"];
        let started = ["-v2c", "-c", "public", "TO", "4711", cold_start];
        for (program, words, expected) in [
            ("snmptrap", &of_version_1[..], ["v1 trap", "IAD-MIB::iadOperationFailed"]),
            ("snmptrap", &generic, ["v1 trap", "SNMPv2-MIB::coldStart"]),
            ("snmptrap", &of_version_2, ["v2c trap", "IAD-MIB::iadOperationFailed"]),
            ("snmptrap", &started, ["v2c trap", "SNMPv2-MIB::coldStart"]),
            ("snmpinform", &of_version_2, ["v2c inform", "IAD-MIB::iadOperationFailed"]),
        ] {
            let sent = send(&laboratory, &modules, program, &[words, &unique_id].concat());
            assert_eq!(sent.code, Some(0), "{sent:?}");
            let line =
                tail.wait_for("the notification", |line| line.contains("IAD 7").then(|| line.to_owned()));
            for word in expected.into_iter().chain(["IAD-MIB::iadSysUniqueId.0=\"IAD 7\"", "up 47.11 s"]) {
                assert!(line.contains(word), "{word} is not in {line}");
            }
        }
    }

    #[tokio::test]
    async fn b02_an_inform_is_acknowledged_only_once_it_is_stored() {
        let (laboratory, modules) = (Laboratory::with_manager_alone(&[]), mibs::laid_out());
        let inform =
            ["-v2c", "-c", "public", "-t", "1", "-r", "1", "TO", "4711", "IAD-MIB::iadOperationFailed"];
        let database = laboratory.data().join("iadms.db");
        let mut other = SqliteConnection::connect(database.to_str().unwrap()).await.unwrap();
        // Somebody holds the only right to write: what comes cannot be stored.
        other.execute("BEGIN IMMEDIATE").await.unwrap();
        let unanswered = send(&laboratory, &modules, "snmpinform", &inform);
        assert_ne!(unanswered.code, Some(0), "{unanswered:?}");
        assert!(unanswered.stderr.contains("Timeout"), "{unanswered:?}");

        other.execute("ROLLBACK").await.unwrap();
        other.close().await.unwrap();
        let patient =
            ["-v2c", "-c", "public", "-t", "20", "-r", "0", "TO", "4711", "IAD-MIB::iadOperationFailed"];
        let acknowledged = send(&laboratory, &modules, "snmpinform", &patient);
        assert_eq!(acknowledged.code, Some(0), "{acknowledged:?}");
        let kept = laboratory.succeed(&["trap", "tail", "--no-follow"]);
        assert!(kept.lines().last().unwrap().contains("IAD-MIB::iadOperationFailed"), "{kept}");
    }
}
