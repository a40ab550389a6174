//! What a network operations centre is told of a bad night, by net-snmp's receiver and the names of IADMS-MIB.

mod needs_snmptrapd {
    use std::net::{SocketAddr, UdpSocket};

    use tests::loopback;
    use tests::net_snmp::Snmptrapd;
    use tests::process::{LIMIT, Running};

    use crate::bad_input::is_refused;
    use crate::laboratory::{DEVICE, Laboratory, Setup};

    #[test]
    fn failure_question_answer_and_end_are_told_by_name_as_traps_and_as_informs() {
        let fault = ["apply-fails", "--version", "2.0", "--times", "0"];
        let laboratory = Laboratory::with(&Setup { faults: &[&fault], ..Setup::default() });
        laboratory.add_image("new", "2.0", &["--format", "2"]);
        let mut centres = Vec::new();
        for (name, options) in [("traps", &[][..]), ("informs", &["--inform"])] {
            let centre = Snmptrapd::start();
            let address = centre.address().to_string();
            laboratory.succeed(&[&["northbound", "target", "add", name, &address], options].concat());
            laboratory.succeed(&["northbound", "target", "test", name]);
            centres.push(centre);
        }
        assert_eq!(laboratory.run(&["upgrade", DEVICE, "--image", "new", "--wait"]).code, Some(4));
        laboratory.run(&["run", "answer", "1", "end", "--wait"]);
        for centre in &mut centres {
            let expected: [&[&str]; 6] = [
                &["iadmsTest"],
                &["iadmsRunBegun", DEVICE, "2.0"],
                &["iadmsRunFailed", "restoring"],
                &["iadmsRunQuestion", "again"],
                &["iadmsRunQuestionCleared"],
                &["iadmsRunEnded", "endedByOperator"],
            ];
            let mut told = Vec::new();
            for words in expected {
                loop {
                    let notification = centre.next_notification();
                    told.push(notification.clone());
                    if notification.contains(&format!("IADMS-MIB::{}\t", words[0])) {
                        for word in words {
                            assert!(notification.contains(word), "{word} is not in {notification}");
                        }
                        break;
                    }
                    assert!(notification.contains("IADMS-MIB::iadmsRunFailed"), "out of order: {told:#?}");
                }
            }
        }
    }

    #[test]
    fn an_inform_is_repeated_until_the_centre_is_back() {
        let laboratory = Laboratory::with_manager_alone(&[]);
        let address = loopback::own_address();
        // The centre's port is there, but nobody who acknowledges.
        let deaf = UdpSocket::bind((address, 0)).unwrap();
        deaf.set_read_timeout(Some(LIMIT)).unwrap();
        let address: SocketAddr = deaf.local_addr().unwrap();
        let add = ["northbound", "target", "add", "centre", &address.to_string(), "--inform"];
        laboratory.succeed(&[&add[..], &["--repeats", "10", "--timeout-ms", "500"]].concat());
        let test = Running::start(&mut laboratory.command(&["northbound", "target", "test", "centre"]));
        let mut inform = [0; 1500];
        assert!(deaf.recv_from(&mut inform).unwrap().0 > 0, "the first INFORM came to nobody");
        drop(deaf);
        let mut centre = Snmptrapd::start_at(address);
        assert!(centre.next_notification().contains("IADMS-MIB::iadmsTest"));
        let finished = test.finish_within(LIMIT);
        assert!(finished.status.success(), "{}", finished.output);
    }

    #[test]
    fn what_nobody_acknowledged_before_a_kill_is_told_after_the_restart() {
        let mut laboratory = Laboratory::start();
        let deaf = UdpSocket::bind((loopback::own_address(), 0)).unwrap();
        let address: SocketAddr = deaf.local_addr().unwrap();
        let add = ["northbound", "target", "add", "centre", &address.to_string(), "--inform"];
        laboratory.succeed(&[&add[..], &["--repeats", "10", "--timeout-ms", "60000"]].concat());
        laboratory.succeed(&["backup", DEVICE, "--wait"]);
        laboratory.kill_manager();
        drop(deaf);
        let mut centre = Snmptrapd::start_at(address);
        laboratory.start_manager();
        for name in ["iadmsRunBegun", "iadmsRunEnded"] {
            let notification = centre.next_notification();
            assert!(notification.contains(name), "not {name}: {notification}");
        }
    }

    #[test]
    fn a_centre_that_acknowledges_nothing_is_told_to_who_tries_it() {
        let laboratory = Laboratory::with_manager_alone(&[]);
        let deaf = UdpSocket::bind((loopback::own_address(), 0)).unwrap();
        let address = deaf.local_addr().unwrap().to_string();
        let add = ["northbound", "target", "add", "centre", &address, "--inform", "--repeats", "1"];
        laboratory.succeed(&[&add[..], &["--timeout-ms", "100"]].concat());
        let answered = laboratory.run(&["northbound", "target", "test", "centre"]);
        is_refused(&answered, &["\"centre\"", "did not acknowledge", "check its address"]);
    }
}
