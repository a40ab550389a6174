//! What an engineer does at the prompt with net-snmp's commands and the names of our MIB modules.

use std::process::Command;

use iad_sim::device::{ConfigurationKind, Digest};
use iad_sim::net::NotifySettings;
use tempfile::TempDir;
use tests::process::{eventually, run, succeed};

use crate::lab::Lab;

/// An engineer's prompt.
struct Prompt {
    modules: TempDir,
    device: String,
}

impl Prompt {
    fn at(lab: &Lab) -> Self {
        Self { modules: tests::mibs::laid_out(), device: lab.address().to_string() }
    }

    fn command(&self, program: &str, options: &[&str], rest: &[&str]) -> Command {
        let mut command = tests::net_snmp::command(program, &self.modules);
        command.args(options).arg(&self.device).args(rest);
        command
    }

    /// The value of an object, as net-snmp writes it by the module's words.
    fn get(&self, name: &str) -> String {
        let options = ["-v2c", "-c", "public", "-Oqv"];
        succeed(&mut self.command("snmpget", &options, &[name])).trim_end().to_owned()
    }

    /// The names that a walk over our module writes.
    fn walk(&self, program: &str, options: &[&str]) -> Vec<String> {
        let output = succeed(&mut self.command(program, options, &["IAD-MIB::iadMIB"]));
        let names = output.lines().filter_map(|line| line.split_once(" = "));
        names.map(|(name, _)| name.to_owned()).collect()
    }

    fn set(&self, objects: &[&str]) -> tests::process::Finished {
        run(&mut self.command("snmpset", &["-v2c", "-c", "private"], objects))
    }
}

mod needs_snmp {
    use super::*;

    #[test]
    fn every_object_that_the_module_lets_one_read_is_there_and_by_its_name() {
        let lab = Lab::start(|_| {});
        let found = Prompt::at(&lab).walk("snmpwalk", &["-v2c", "-c", "public"]);
        let modules = mib_rs::source::dir(xtask::root().join("mibs")).unwrap();
        let mib = mib_rs::Loader::new().source(modules).modules(["IAD-MIB"]).load().unwrap();
        let module = mib.module("IAD-MIB").unwrap();
        let readable = module.objects().filter(|object| {
            let access = object.access();
            matches!(access, mib_rs::Access::ReadOnly | mib_rs::Access::ReadWrite)
        });
        for object in readable {
            let instances = format!("IAD-MIB::{}.", object.name());
            assert!(
                found.iter().any(|name| name.starts_with(&instances)),
                "{instances} is missing in {found:?}"
            );
        }
    }

    #[test]
    fn all_ways_of_walking_find_the_same() {
        let lab = Lab::start(|_| {});
        let prompt = Prompt::at(&lab);
        let by_get_next = prompt.walk("snmpwalk", &["-v2c", "-c", "public"]);
        assert!(by_get_next.len() > 50, "{by_get_next:?}");
        assert_eq!(prompt.walk("snmpwalk", &["-v1", "-c", "public"]), by_get_next);
        for repetitions in ["-Cr1", "-Cr7", "-Cr100"] {
            assert_eq!(prompt.walk("snmpbulkwalk", &["-v2c", "-c", "public", repetitions]), by_get_next);
        }
    }

    #[test]
    fn a_refused_set_says_why_and_changes_nothing() {
        let lab = Lab::start(|_| {});
        let prompt = Prompt::at(&lab);
        for (objects, reason) in [
            (["IAD-MIB::iadSysModel.0", "s", "mine"], "notWritable"),
            (["IAD-MIB::iadServerPort.0", "s", "mine"], "Bad variable type"),
            (["IAD-MIB::iadOpCommand.0", "i", "backup"], "inconsistentValue"),
        ] {
            let before = prompt.get("IAD-MIB::iadServerPort.0");
            let refused =
                prompt.set(&[&["IAD-MIB::iadServerPort.0", "u", "7777"], objects.as_slice()].concat());
            assert!(!refused.status.success() && refused.output.contains(reason), "{}", refused.output);
            assert_eq!(prompt.get("IAD-MIB::iadServerPort.0"), before);
        }
    }

    mod needs_tftpd_hpa {
        use super::*;

        use tests::tftpd::Server;

        #[test]
        fn a_whole_backup_is_made_by_hand() {
            let lab = Lab::start(|_| {});
            let (prompt, server) = (Prompt::at(&lab), Server::tftpd_hpa());
            back_up(&prompt, &server);
            assert_has_arrived(&lab, &server);
        }

        mod needs_snmptrapd {
            use super::*;

            use tests::net_snmp::Snmptrapd;

            /// What snmptrapd is told of a backup, until it is done.
            fn told_of_a_backup(inform: bool) -> Vec<String> {
                let mut snmptrapd = Snmptrapd::start();
                let receiver = NotifySettings { inform, ..NotifySettings::traps_to(snmptrapd.address()) };
                let lab = Lab::start(|settings| settings.notify = Some(receiver));
                back_up(&Prompt::at(&lab), &Server::tftpd_hpa());
                let mut told = Vec::new();
                while !told.last().is_some_and(|last: &String| last.contains("IAD-MIB::iadOperationDone")) {
                    told.push(snmptrapd.next_notification());
                }
                told
            }

            fn assert_tells_the_backup(told: &[String]) {
                for expected in
                    ["IAD-MIB::iadRestarted", "IAD-MIB::iadOperationBegun", "IAD-MIB::iadOperationDone"]
                {
                    assert!(told.iter().any(|one| one.contains(expected)), "{expected} is not in {told:#?}");
                }
                let done = told.last().unwrap();
                for expected in ["IAD-MIB::iadOpId.0 = by hand", "IAD-MIB::iadOpCommand.0 = backup"] {
                    assert!(done.contains(expected), "{expected} is not in {done}");
                }
            }

            #[test]
            fn the_device_s_traps_are_read_by_their_names() {
                assert_tells_the_backup(&told_of_a_backup(false));
            }

            #[test]
            fn the_device_s_informs_are_read_by_their_names() {
                assert_tells_the_backup(&told_of_a_backup(true));
            }
        }

        const FILES: [&str; 4] = ["user", "port", "protocol", "default"];

        /// Has the device back itself up, and waits for the end as one does at a prompt.
        fn back_up(prompt: &Prompt, server: &Server) {
            let (address, port) = (server.address().ip().to_string(), server.address().port().to_string());
            let set = prompt.set(
                &[
                    &["IAD-MIB::iadServerProtocol.0", "i", "tftp"][..],
                    &["IAD-MIB::iadServerAddress.0", "s", &address],
                    &["IAD-MIB::iadServerPort.0", "u", &port],
                ]
                .concat(),
            );
            assert!(set.status.success(), "{}", set.output);
            let started = prompt.set(
                &[
                    &["IAD-MIB::iadOpId.0", "s", "by hand"][..],
                    &["IAD-MIB::iadOpCommand.0", "i", "backup"],
                    &["IAD-MIB::iadOpFileNames.0", "s", &FILES.join(" ")],
                    &["IAD-MIB::iadOpKinds.0", "s", "1 2 3 4"],
                ]
                .concat(),
            );
            assert!(started.status.success(), "{}", started.output);
            eventually("the backup has ended", || {
                let state = prompt.get("IAD-MIB::iadOpState.0");
                assert_ne!(state, "failed", "{}", prompt.get("IAD-MIB::iadOpText.0"));
                state == "done"
            });
        }

        fn assert_has_arrived(lab: &Lab, server: &Server) {
            let device = lab.show();
            for (name, kind) in FILES.into_iter().zip(ConfigurationKind::ALL) {
                let file = std::fs::read(server.file(name)).unwrap();
                assert_eq!(device.running_digest(kind), Some(Digest::of(&file)), "{name}");
            }
        }
    }
}
