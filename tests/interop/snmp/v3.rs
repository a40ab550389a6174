//! SNMPv3 with net-snmp in each of its four roles: everything that its build authenticates and encrypts with.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use snmp::manager::{Failure, Principal, Request, Target};
use snmp::notification::{Received, Receiver};
use snmp::usm::{Authentication, EngineId, EngineTime, Privacy, ReportKind, User};
use snmp::{ErrorStatus, Value, VarBind};
use tests::process::LIMIT;

use crate::asking::{Asking, oid};

const PASSPHRASE: &str = "maplesyrup";
const SECRET: &str = "rupryselpam";

/// What net-snmp has; it knows the other two ways to lengthen a key by no name.
const PRIVACY: [Privacy; 4] = [Privacy::Des, Privacy::Aes128, Privacy::Aes192, Privacy::Aes256];

/// Each that authenticates with each that encrypts, and one without.
fn all() -> impl Iterator<Item = (Authentication, Option<Privacy>)> {
    let privacies = || PRIVACY.map(Some).into_iter().chain([None]);
    Authentication::ALL.into_iter().flat_map(move |one| privacies().map(move |other| (one, other)))
}

fn name(authentication: Authentication, privacy: Option<Privacy>) -> String {
    format!("{authentication}.{}", privacy.map_or("none", Privacy::name))
}

fn user(authentication: Authentication, privacy: Option<Privacy>) -> User {
    let user = User::new(name(authentication, privacy)).unwrap();
    let user = user.authenticating(authentication, PASSPHRASE.as_bytes()).unwrap();
    privacy
        .map_or_else(|| user.clone(), |privacy| user.clone().encrypting(privacy, SECRET.as_bytes()).unwrap())
}

fn users() -> Vec<User> {
    all().map(|(authentication, privacy)| user(authentication, privacy)).collect()
}

/// The options of net-snmp's commands for a user.
fn options(command: &mut Command, authentication: Authentication, privacy: Option<Privacy>) {
    command.args(["-v3", "-u", &name(authentication, privacy)]);
    command.args(["-a", authentication.name(), "-A", PASSPHRASE]);
    match privacy {
        Some(privacy) => command.args(["-l", "authPriv", "-x", privacy.name(), "-X", SECRET]),
        None => command.args(["-l", "authNoPriv"]),
    };
}

/// The lines that make the users known to net-snmp's daemons; to those of the engine that sends, where one is named.
fn created(engine: Option<&EngineId>) -> String {
    let engine = engine.map(|engine| format!("-e 0x{engine} ")).unwrap_or_default();
    let line = |(authentication, privacy): (Authentication, Option<Privacy>)| {
        let privacy_part = privacy.map(|privacy| format!(" {privacy} {SECRET}")).unwrap_or_default();
        let name = name(authentication, privacy);
        format!("createUser {engine}{name} {authentication} {PASSPHRASE}{privacy_part}\n")
    };
    all().map(line).collect()
}

fn target(address: SocketAddr, user: User) -> Target {
    Target {
        address,
        principal: Principal::User(Arc::new(user)),
        timeout: Duration::from_secs(2),
        retries: 3,
    }
}

const NUMBER: &str = "1.3.6.1.4.1.32473.99.1.0";

mod needs_snmpd {
    use super::*;

    use tests::net_snmp::Snmpd;

    fn snmpd() -> Snmpd {
        let may = |(authentication, privacy)| {
            let level = if Option::is_some(&privacy) { "priv" } else { "auth" };
            format!("rwuser {} {level}\n", name(authentication, privacy))
        };
        let rights: String = all().map(may).collect();
        Snmpd::start(&format!("{}{rights}override -rw .{NUMBER} integer -5\n", created(None)))
    }

    #[test]
    fn its_agent_is_read_and_written() {
        let snmpd = snmpd();
        let mut asking = Asking::new();
        for (written, (authentication, privacy)) in (1..).zip(all()) {
            let user = target(snmpd.address(), user(authentication, privacy));
            let told = format!("{authentication} {privacy:?}");
            let varbinds = vec![VarBind::new(oid(NUMBER), Value::Integer(written))];
            asking.ask(&user, Request::set(varbinds.clone())).unwrap_or_else(|why| panic!("{told}: {why}"));
            let response = asking.ask(&user, Request::Get(vec![oid(NUMBER)]));
            assert_eq!(response.unwrap().varbinds(), varbinds, "{told}");
        }
    }

    #[test]
    fn what_it_does_not_take_is_told_with_its_reason() {
        let snmpd = snmpd();
        let asked = |user| Asking::new().ask(&target(snmpd.address(), user), Request::Get(vec![oid(NUMBER)]));
        let reported = |kind| Failure::Reported(kind);
        let stranger = User::new("stranger").unwrap();
        let known = |name: &str| User::new(name).unwrap();
        let sha = Authentication::Sha256;
        let stranger = stranger.authenticating(sha, PASSPHRASE.as_bytes()).unwrap();
        assert_eq!(asked(stranger).unwrap_err(), reported(ReportKind::UnknownUserName));
        let wrong = known("SHA-256.none").authenticating(sha, b"maplesirup").unwrap();
        assert_eq!(asked(wrong).unwrap_err(), reported(ReportKind::WrongDigest));
        let more = known("SHA-256.none").authenticating(sha, PASSPHRASE.as_bytes()).unwrap();
        let more = more.encrypting(Privacy::Aes128, SECRET.as_bytes()).unwrap();
        assert_eq!(asked(more).unwrap_err(), reported(ReportKind::UnsupportedSecurityLevel));
        let less = known("SHA-256.AES").authenticating(sha, PASSPHRASE.as_bytes()).unwrap();
        let status = ErrorStatus::AuthorizationError;
        assert_eq!(asked(less).unwrap_err(), Failure::ErrorStatus { status, index: 0 });
    }
}

mod needs_snmp {
    use super::*;

    use tests::process::{Running, run, succeed};

    use crate::lab::Lab;

    #[test]
    fn its_commands_read_and_write_a_simulated_device() {
        let lab = Lab::start(|settings| settings.read_write_users = users());
        let folder = tests::mibs::laid_out();
        for (authentication, privacy) in all() {
            let told = format!("{authentication} {privacy:?}");
            let contact = format!("asked by {told}");
            let command = |program: &str, rest: &[&str]| {
                let mut command = tests::net_snmp::command(program, &folder);
                options(&mut command, authentication, privacy);
                succeed(command.args(["-Oqv"]).arg(lab.address().to_string()).args(rest))
            };
            command("snmpset", &["1.3.6.1.2.1.1.4.0", "s", &contact]);
            let read = command("snmpget", &["1.3.6.1.2.1.1.4.0"]);
            assert_eq!(read.trim().trim_matches('"'), contact);
        }
    }

    #[test]
    fn its_walk_over_a_simulated_device_finds_the_same_in_all_versions() {
        let lab = Lab::start(|settings| settings.read_only_users = users());
        let folder = tests::mibs::laid_out();
        let walked = |change: &dyn Fn(&mut Command)| {
            let mut command = tests::net_snmp::command("snmpbulkwalk", &folder);
            change(&mut command);
            let output = succeed(command.arg(lab.address().to_string()).arg("IAD-MIB::iadMIB"));
            let names =
                output.lines().filter_map(|line| line.split_once(" = ").map(|(name, _)| name.to_owned()));
            names.collect::<Vec<_>>()
        };
        let plain = walked(&|command| {
            command.args(["-v2c", "-c", "public"]);
        });
        assert!(plain.len() > 50);
        for (authentication, privacy) in
            [(Authentication::Md5, Some(Privacy::Des)), (Authentication::Sha512, Some(Privacy::Aes256))]
        {
            assert_eq!(walked(&|command| options(command, authentication, privacy)), plain);
        }
    }

    #[test]
    fn a_simulated_device_refuses_strangers_and_writes_of_readers() {
        let reader = user(Authentication::Sha256, Some(Privacy::Aes128));
        let lab = Lab::start(|settings| settings.read_only_users = vec![reader]);
        let folder = tests::mibs::laid_out();
        let tried = |program: &str, authentication, privacy, rest: &[&str]| {
            let mut command = tests::net_snmp::command(program, &folder);
            options(&mut command, authentication, privacy);
            run(command.args(["-r", "0"]).arg(lab.address().to_string()).args(rest))
        };
        let aes = Some(Privacy::Aes128);
        let unknown = tried("snmpget", Authentication::Sha512, aes, &["1.3.6.1.2.1.1.4.0"]);
        assert!(unknown.output.contains("Unknown user name"), "{}", unknown.output);
        let written = tried("snmpset", Authentication::Sha256, aes, &["1.3.6.1.2.1.1.4.0", "s", "x"]);
        assert!(written.output.contains("noAccess"), "{}", written.output);
        let read = tried("snmpget", Authentication::Sha256, aes, &["1.3.6.1.2.1.1.4.0"]);
        assert!(read.status.success(), "{}", read.output);
    }

    /// What net-snmp sends with these arguments, taken by a receiver of ours, and how its command ends.
    fn taken(
        program: &str,
        authentication: Authentication,
        privacy: Option<Privacy>,
        engine: Option<&EngineId>,
        look: impl FnOnce(&Received<'_>),
    ) {
        let told = format!("{program} {authentication} {privacy:?}");
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.set_read_timeout(Some(LIMIT)).unwrap();
        let folder = tests::mibs::laid_out();
        let mut command = tests::net_snmp::command(program, &folder);
        options(&mut command, authentication, privacy);
        if let Some(engine) = engine {
            command.args(["-e", &format!("0x{engine}")]);
        }
        command.arg(socket.local_addr().unwrap().to_string());
        command.args(["4711", "IAD-MIB::iadOperationFailed", "IAD-MIB::iadSysUniqueId.0", "s", "IAD 7"]);
        let running = Running::start(&mut command);
        let mut receiver = Receiver::new(EngineId::of_text(32473, "receiver"), 77);
        let users: Vec<_> = users().into_iter().map(Arc::new).collect();
        receiver.admit(users.iter().cloned());
        receiver.know(engine.copied().map(|engine| (engine, users.as_slice().into())));
        let began = Instant::now();
        let mut buffer = vec![0; 65_536];
        loop {
            let (length, sender) = socket.recv_from(&mut buffer).expect("a notification");
            let (mut scratch, now) = (Vec::new(), began.elapsed());
            let at = EngineTime::after(3, now + Duration::from_secs(500));
            match receiver.receive(&buffer[..length], at, now, &mut scratch) {
                Ok(received) => {
                    assert_eq!(received.notification.name, oid("1.3.6.1.4.1.32473.1.0.4"), "{told}");
                    assert_eq!(received.notification.varbinds[0].value, Value::OctetString(&b"IAD 7"[..]));
                    look(&received);
                    if let Some(response) = &received.response {
                        socket.send_to(response, sender).unwrap();
                    }
                    break;
                }
                Err(refused) => {
                    let report = refused.report.unwrap_or_else(|| panic!("{told}: {}", refused.why));
                    socket.send_to(&report, sender).unwrap();
                }
            }
        }
        let finished = running.finish_within(LIMIT);
        assert!(finished.status.success(), "{told}: {}", finished.output);
    }

    #[test]
    fn its_traps_prove_who_sent_them() {
        let engine = EngineId::of_text(32473, "IAD 7");
        for (authentication, privacy) in all() {
            taken("snmptrap", authentication, privacy, Some(&engine), |received| {
                assert_eq!((received.engine, received.response.is_some()), (Some(engine), false));
            });
        }
    }

    #[test]
    fn its_informs_are_taken_and_our_answers_are_believed() {
        for (authentication, privacy) in all() {
            taken("snmpinform", authentication, privacy, None, |received| {
                assert!(received.response.is_some());
            });
        }
    }
}

mod needs_snmptrapd {
    use super::*;

    use iad_sim::net::NotifySettings;
    use tests::net_snmp::Snmptrapd;

    use crate::lab::Lab;

    #[test]
    fn it_takes_the_notifications_of_a_simulated_device() {
        let sender = EngineId::of_text(32473, "IAD-000001");
        let rights: String = all()
            .map(|(authentication, privacy)| {
                let level = if privacy.is_some() { "priv" } else { "auth" };
                format!("authUser log {} {level}\n", name(authentication, privacy))
            })
            .collect();
        let configuration = format!("{}{}{rights}", created(Some(&sender)), created(None));
        let mut snmptrapd = Snmptrapd::start_with(&configuration);
        for inform in [false, true] {
            for (authentication, privacy) in all() {
                let principal = Principal::User(Arc::new(user(authentication, privacy)));
                let to =
                    NotifySettings { principal, inform, ..NotifySettings::traps_to(snmptrapd.address()) };
                // It restarts, which it tells.
                let lab = Lab::start(|settings| settings.notify = Some(to));
                let told = snmptrapd.next_notification();
                assert!(told.contains("iadRestarted"), "{authentication} {privacy:?}: {told}");
                drop(lab);
            }
        }
    }
}
