//! An operator's session, wherever it takes place: what each line means, how far a run is followed, and how it is told.

use iad_sim::net::DeviceView;
use iadms::cli::narrate;
use upgrade::run::Story;

use super::device::{Memory, SetConfig, operation};
use super::script::{Script, words};

/// A place where a session goes on. Commands are those of `iadms` and `iad-sim`, without the program.
pub(super) trait Site {
    /// A command that begins a run, whose number this is.
    fn begin(&mut self, words: &[&str]) -> u64;

    /// Another command of `iadms`.
    fn operator(&mut self, words: &[&str]);

    /// A command of `iad-sim`.
    fn simulator(&mut self, words: &[&str]);

    /// Waits for the next story of a run, progress excepted.
    fn next_story(&mut self, run: u64) -> Story;

    /// The device as it is.
    fn device(&mut self) -> DeviceView;

    /// Waits until the device is as wanted.
    fn device_becomes(&mut self, what: &str, wanted: &dyn Fn(&DeviceView) -> bool);

    fn kill_manager(&mut self);

    fn start_manager(&mut self);

    /// Edits the files in this folder, so that they are in this format.
    fn edit(&mut self, folder: &str, format: u32);
}

/// Plays a script, and returns what is told after each command.
pub(super) fn play(script: &Script, site: &mut impl Site) -> Vec<Vec<String>> {
    let mut memory = Memory::default();
    let play = |act: &super::script::Act| perform(&act.command, site, &mut memory);
    script.acts.iter().map(play).collect()
}

fn perform(command: &str, site: &mut impl Site, memory: &mut Memory) -> Vec<String> {
    let (command, until) = match command.split_once(" | until ") {
        Some((command, until)) => (command, Some(until)),
        None => (command, None),
    };
    let all = words(command);
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    // Waiting is done here: whoever waits in a program of his own cannot do anything beside.
    let waits = all.last() == Some(&"--wait");
    let all = if waits { &all[..all.len() - 1] } else { &all[..] };
    match all {
        ["kill", "the", "manager"] => site.kill_manager(),
        ["start", "the", "manager"] => site.start_manager(),
        ["edit", folder, "for", "format", format] => site.edit(folder, format.parse().unwrap()),
        ["iad-sim", "device", "show", _] => match until {
            Some(until) => site.device_becomes(until, &|device| operation(device) == until),
            None => return memory.tell(&site.device()),
        },
        ["iad-sim", words @ ..] => {
            memory.change(SetConfig::parse(words));
            site.simulator(words);
        }
        ["iadms", "run", "watch", run] => return follow(site, run.parse().unwrap(), until),
        ["iadms", "upgrade" | "backup" | "restore" | "rollback" | "reset", ..] => {
            let run = site.begin(&all[1..]);
            if waits {
                return follow(site, run, None);
            }
        }
        ["iadms", "run", _, run, ..] => {
            site.operator(&all[1..]);
            if waits {
                return follow(site, run.parse().unwrap(), None);
            }
        }
        _ => panic!("{command:?} is nothing that an operator does in a scenario"),
    }
    Vec::new()
}

/// Follows a run until it asks, until it is over, or until a line begins with these words.
fn follow(site: &mut impl Site, run: u64, until: Option<&str>) -> Vec<String> {
    let mut told = Vec::new();
    loop {
        let story = site.next_story(run);
        let line = sentence(&story);
        let rests = matches!(story, Story::Asked { .. } | Story::Ended(_));
        let is_reached = until.is_some_and(|until| line.starts_with(until));
        told.push(line);
        if rests || is_reached {
            assert!(is_reached || until.is_none(), "{until:?} was never told: {told:?}");
            return told;
        }
    }
}

/// A story as the operator is told it, without what differs from one session to the next: addresses, and how long a
/// device was silent until that was noticed.
fn sentence(story: &Story) -> String {
    let mut line = narrate::story(story);
    if let Some(("configuring the file server", place)) = line.split_once(": ")
        && place.contains(" port ")
    {
        line = "configuring the file server: ADDRESS port PORT".to_owned();
    }
    while let Some((before, rest)) = line.split_once("did not answer for ")
        && let Some((_, after)) = rest.split_once(" s ")
    {
        line = format!("{before}did not answer for a time {after}");
    }
    line
}
