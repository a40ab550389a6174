//! What the devices say after the demonstration, held against what they were before.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Story;
use crate::step::Failed;

/// A configuration in force: by kind its digest, how many entries it has, and its format.
type Configuration = BTreeMap<String, (String, u64, u64)>;

/// Prints the table of before and after, and checks each line of it.
pub(super) fn hold(
    stories: &[Story],
    before: &[Value],
    after: &[Value],
    backups: &Value,
) -> Result<(), Failed> {
    let mut wrong = Vec::new();
    println!(
        "\n    DEVICE      VERSION     CONFIGURATION BEFORE         CONFIGURATION NOW            VERDICT"
    );
    for story in stories {
        let find = |devices: &[Value]| {
            devices
                .iter()
                .find(|device| text(device, "unique-id") == story.device)
                .cloned()
                .unwrap_or_default()
        };
        let (old, new) = (find(before), find(after));
        let (had, has) = (configuration(&old), configuration(&new));
        let verdict = judge(story, &new, &had, &has, backups);
        let versions = format!("{} → {}", text(&old, "version"), text(&new, "version"));
        let said = verdict.as_ref().map_or_else(|wrong| format!("WRONG: {wrong}"), Clone::clone);
        println!("    {}  {versions:10}  {:27}  {:27}  {said}", story.device, brief(&had), brief(&has));
        wrong.extend(verdict.err().map(|wrong| format!("{}: {wrong}", story.device)));
    }
    println!();
    if wrong.is_empty() { Ok(()) } else { Err(Failed(wrong.join("; "))) }
}

fn judge(
    story: &Story,
    device: &Value,
    had: &Configuration,
    has: &Configuration,
    backups: &Value,
) -> Result<String, String> {
    if text(device, "version") != story.ends_with {
        return Err(format!("it should run {}", story.ends_with));
    }
    let trial = device.get("buffers").and_then(Value::as_array).into_iter().flatten();
    if trial.into_iter().any(|buffer| text(buffer, "role") == "trial") {
        return Err("its software is still on trial".into());
    }
    if had.is_empty() || had.len() != has.len() {
        return Err("kinds of its configuration are missing".into());
    }
    let kept =
        backups.as_array().into_iter().flatten().filter(|backup| text(backup, "device") == story.device);
    let kept: String = kept.map(ToString::to_string).collect();
    if let Some((kind, _)) = had.iter().find(|(_, (digest, ..))| !kept.contains(digest.as_str())) {
        return Err(format!("the backup of its {kind} is missing"));
    }
    if had == has {
        return Ok("the same, to the byte".into());
    }
    let entries = |one: &Configuration| one.values().map(|(_, entries, _)| *entries).collect::<Vec<_>>();
    let formats = |one: &Configuration| one.values().map(|(.., format)| *format).max();
    if formats(had) < formats(has) && entries(had) == entries(has) {
        return Ok("converted, every entry there".into());
    }
    Err("its configuration is another one".into())
}

fn configuration(device: &Value) -> Configuration {
    let all = device.get("configurations").and_then(Value::as_array).into_iter().flatten();
    let running = all.filter(|one| one.get("running").and_then(Value::as_bool) == Some(true));
    let number = |one: &Value, name: &str| one.get(name).and_then(Value::as_u64).unwrap_or_default();
    running
        .map(|one| (text(one, "kind"), (text(one, "sha256"), number(one, "entries"), number(one, "format"))))
        .collect()
}

/// The first digits of each digest.
fn brief(configuration: &Configuration) -> String {
    configuration
        .values()
        .map(|(digest, ..)| digest.chars().take(6).collect::<String>())
        .collect::<Vec<_>>()
        .join(" ")
}

fn text(value: &Value, name: &str) -> String {
    value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}
