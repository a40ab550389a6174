//! `cargo xtask demo`: a real manager and simulated devices, as an operator would meet them on a bad night.
//!
//! Both programs run as processes of their own in a temporary folder. Everything is done by their command lines, which
//! are shown, and at the end the devices' own word is held against what they were before.

mod laboratory;
mod verdict;

use std::collections::BTreeMap;

use serde_json::Value;

use self::laboratory::Laboratory;
use crate::step::{Failed, Narrator};

/// A device, what befalls it, and what the operator answers to its questions, in order.
struct Story {
    device: &'static str,
    title: &'static str,
    image: &'static str,
    protocol: &'static str,
    /// Options of `iad-sim fault add`, if something is to go wrong.
    fault: &'static [&'static str],
    answers: &'static [&'static [&'static str]],
    /// The version it must end with.
    ends_with: &'static str,
}

const STORIES: [Story; 7] = [
    Story {
        device: "IAD-000001",
        title: "nothing goes wrong",
        image: "iad-2.0",
        protocol: "tftp",
        fault: &[],
        answers: &[],
        ends_with: "2.0",
    },
    Story {
        device: "IAD-000002",
        title: "loses power while flashing",
        image: "iad-2.0",
        protocol: "tftp",
        fault: &["power-loss", "--during", "download", "--percent", "60", "--for-ms", "1500"],
        answers: &[&["again"]],
        ends_with: "2.0",
    },
    Story {
        device: "IAD-000003",
        title: "gets a bad image, then the right one",
        image: "iad-2.0-bad",
        protocol: "tftp",
        fault: &[],
        answers: &[&["image", "iad-2.0"]],
        ends_with: "2.0",
    },
    Story {
        device: "IAD-000004",
        title: "cannot restore on the new software",
        image: "iad-2.0",
        protocol: "tftp",
        fault: &["apply-fails", "--version", "2.0", "--times", "0"],
        answers: &[&["end"]],
        ends_with: "1.0",
    },
    Story {
        device: "IAD-000005",
        title: "needs its configuration converted",
        image: "iad-3.0",
        protocol: "tftp",
        fault: &[],
        answers: &[],
        ends_with: "3.0",
    },
    Story {
        device: "IAD-000006",
        title: "by FTP, from an image of three files",
        image: "iad-2.1",
        protocol: "ftp",
        fault: &[],
        answers: &[],
        ends_with: "2.1",
    },
    Story {
        device: "IAD-000101",
        title: "hot activation, without a reset",
        image: "iad-2.0",
        protocol: "tftp",
        fault: &[],
        answers: &[],
        ends_with: "2.0",
    },
];

/// Runs the demonstration.
///
/// # Errors
///
/// A program that does not do as it should, or a device that lost something.
pub(crate) fn run() -> Result<(), Failed> {
    let narrator = Narrator::begin();
    narrator.run(
        "building iadms and iad-sim",
        xtask::cargo().args(["build", "--quiet", "-p", "iadms", "-p", "iad-sim"]),
    )?;
    narrator.tell("starting the manager and seven devices, as processes of their own");
    let laboratory = Laboratory::start()?;
    laboratory.add_images()?;
    laboratory.add_devices()?;

    narrator.tell("what is going to happen:");
    for story in &STORIES {
        println!("    {}  {}", story.device, story.title);
        if !story.fault.is_empty() {
            let add = [&["fault", "add"], story.fault, &["--device", story.device]].concat();
            laboratory.simulator(&add)?;
        }
    }
    let before = laboratory.devices()?;

    narrator.tell("upgrading all of them; each line is what the manager tells");
    let watch = laboratory.watch()?;
    let mut runs = BTreeMap::new();
    for story in &STORIES {
        let words = [
            "upgrade",
            story.device,
            "--image",
            story.image,
            "--protocol",
            story.protocol,
            "--output",
            "json",
        ];
        let begun = laboratory.manager_json(&words)?;
        let run = begun.pointer("/0/run").and_then(Value::as_u64);
        runs.insert(run.ok_or_else(|| Failed(format!("no run was begun: {begun}")))?, story);
    }
    follow(&laboratory, watch, &runs)?;

    narrator.tell("what the devices themselves say now:");
    let after = laboratory.devices()?;
    let backups = laboratory.manager_json(&["backup", "list", "--output", "json"])?;
    verdict::hold(&STORIES, &before, &after, &backups)?;
    narrator.tell("every device runs what it should, and no configuration was lost");
    Ok(())
}

/// Reads what is told until every run is over, and answers the questions.
fn follow(
    laboratory: &Laboratory,
    watch: impl Iterator<Item = Result<Value, Failed>>,
    runs: &BTreeMap<u64, &Story>,
) -> Result<(), Failed> {
    let mut answered: BTreeMap<u64, usize> = BTreeMap::new();
    let mut open = runs.len();
    for told in watch {
        let told = told?;
        let Some(run) = told.get("run").and_then(Value::as_u64) else { continue };
        let Some(story) = runs.get(&run) else { continue };
        let what = told.get("story");
        if what.and_then(|what| what.get("asked")).is_some() {
            let asked = answered.entry(run).or_default();
            let answer = story.answers.get(*asked).ok_or_else(|| {
                Failed(format!("{} ({}) asks what it should not ask: {told}", story.device, story.title))
            })?;
            *asked += 1;
            show_safe(laboratory, story)?;
            let number = run.to_string();
            let words = [&["run", "answer", &number], *answer].concat();
            println!("    $ iadms {}", words.join(" "));
            laboratory.manager(&words)?;
        }
        if let Some(ended) = what.and_then(|what| what.get("ended")) {
            open -= 1;
            if open == 0 {
                laboratory
                    .end_was_shown(run, ended.get("outcome").and_then(Value::as_str).unwrap_or_default());
                return Ok(());
            }
        }
    }
    Err(Failed("the manager stopped telling before all runs were over".into()))
}

/// While a question is open, the device is in service on its old software.
fn show_safe(laboratory: &Laboratory, story: &Story) -> Result<(), Failed> {
    let device = laboratory.simulator_json(&["device", "show", story.device, "--output", "json"])?;
    let version = device.get("version").and_then(Value::as_str).unwrap_or_default();
    println!("    (before anybody is asked, {} is back in service on version {version})", story.device);
    if version == "1.0" {
        return Ok(());
    }
    Err(Failed(format!("{} runs {version} while a question is open", story.device)))
}
