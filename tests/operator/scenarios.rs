//! Scenarios: `tests/scenarios/*.txt`, each an operator's session with its recorded outcome, played in the world and over
//! loopback. Both must tell exactly what is recorded. They stand here since only this package may import the world, the
//! simulator and the words in which `iadms` tells a run.

mod device;
mod loopback;
mod script;
mod session;
mod words;
mod world;

use std::path::PathBuf;

use iad_sim::device::{Document, conversion};

use self::script::Script;

/// Who sets this in the environment has the world's outcome recorded instead of compared.
const RECORD: &str = "IADMS_RECORD";

/// Each scenario is played in so many worlds: datagrams and messages take another time in each, and nothing that is told may
/// depend on that.
const SEEDS: u64 = 10;

/// Two tests for each scenario, and the list of all.
macro_rules! scenarios {
    ($($name:ident)*) => {
        const NAMES: &[&str] = &[$(stringify!($name)),*];
        $(mod $name {
            #[test]
            fn in_the_world() {
                super::play_in_the_world(stringify!($name));
            }

            #[test]
            fn over_loopback() {
                super::play_over_loopback(stringify!($name));
            }
        })*
    };
}

scenarios! {
    backup_fails_and_is_repeated
    backup_refused_by_the_server
    backup_stands_still
    bad_image_another_file
    calls_are_cut_off_at_the_limit
    conversion_by_the_device
    conversion_by_the_manager
    conversion_by_the_operator
    device_given_up
    device_lost_and_back
    held_and_cancelled
    hot_activation
    left_its_software_unseen
    left_software_is_overwritten
    lost_and_upgraded_again
    manager_killed_during_the_download
    manager_killed_while_it_asks
    nobody_is_to_be_asked
    one_buffer_is_refused
    other_hardware_is_refused
    plain_upgrade
    power_lost_while_flashing
    power_lost_while_starting
    restarted_by_command
    restore_fails_and_is_edited
    rolled_back_by_command
    settings_change_before_activation
    several_files_by_ftp
    stored_backup_is_restored
    tried_again_by_itself
}

fn folder() -> PathBuf {
    xtask::root().join("tests/scenarios")
}

fn play_in_the_world(name: &str) {
    let script = Script::read(&folder().join(name).with_extension("txt"));
    let play = |seed| session::play(&script, &mut world::World::new(&script.setting, seed));
    if std::env::var_os(RECORD).is_some() {
        return script.record(&play(0));
    }
    for seed in 0..SEEDS {
        script.compare(&play(seed), &format!("in the world of seed {seed}"));
    }
}

fn play_over_loopback(name: &str) {
    let script = Script::read(&folder().join(name).with_extension("txt"));
    let mut site = loopback::Loopback::new(&script.setting);
    let told = session::play(&script, &mut site);
    script.compare(&told, "over loopback");
    site.shows_what_was_told();
}

/// What an operator who is asked to edit makes of a configuration file.
fn edited(file: &[u8], format: u32) -> Vec<u8> {
    conversion::convert(&Document::parse(file).unwrap(), format).text().into()
}

#[test]
fn every_scenario_is_played() {
    let files = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let texts = files.filter(|path| path.extension().is_some_and(|extension| extension == "txt"));
    let mut found: Vec<String> =
        texts.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    found.sort();
    let mut named: Vec<_> = NAMES.to_vec();
    named.sort_unstable();
    assert_eq!(found, named, "the files in tests/scenarios, and the list in tests/operator/scenarios.rs");
}
