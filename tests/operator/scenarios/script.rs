//! A scenario as a text: what there is, what an operator does, and what is told after each command.

use std::path::{Path, PathBuf};

/// A scenario, read from its file.
#[derive(Debug)]
pub(super) struct Script {
    path: PathBuf,
    text: String,
    pub(super) setting: Setting,
    /// The lines before the first command.
    head: Vec<String>,
    pub(super) acts: Vec<Act>,
}

/// What there is before an operator does anything.
#[derive(Debug, Default)]
pub(super) struct Setting {
    /// Options of `iad-sim run`.
    pub(super) devices: Vec<String>,
    /// Limits of the profile, each as in its file.
    pub(super) limits: Vec<String>,
    /// Limits of single commands, as in the profile's file.
    pub(super) commands: String,
    pub(super) images: Vec<Image>,
}

/// An image that the manager has.
#[derive(Debug)]
pub(super) struct Image {
    pub(super) name: String,
    pub(super) version: String,
    /// Options of `iad-sim image make`, without the version.
    pub(super) options: Vec<String>,
    pub(super) has_converter: bool,
}

/// A command, and what was told after it.
#[derive(Debug)]
pub(super) struct Act {
    pub(super) command: String,
    /// Comments and empty lines above it.
    lead: Vec<String>,
}

/// Images are small: how long a transfer takes shows nothing here.
const USUAL_SIZE: [&str; 2] = ["--size", "64KiB"];

impl Script {
    pub(super) fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap();
        let mut setting = Setting::default();
        let (mut head, mut lead, mut acts) = (Vec::new(), Vec::new(), Vec::<Act>::new());
        for (line, number) in text.lines().zip(1..) {
            let is_spoken = line.is_empty() || line.starts_with('#');
            if let Some(command) = line.strip_prefix("> ") {
                acts.push(Act { command: command.to_owned(), lead: std::mem::take(&mut lead) });
            } else if acts.is_empty() {
                let understood = is_spoken || setting.take(line).is_some();
                assert!(understood, "{}:{number}: this line is not understood", path.display());
                head.push(line.to_owned());
            } else if is_spoken {
                lead.push(line.to_owned());
            }
        }
        assert!(text.starts_with("# "), "{}: a scenario begins with why it is told", path.display());
        Self { path: path.to_owned(), text, setting, head, acts }
    }

    /// Holds what was told after each command against what is recorded.
    pub(super) fn compare(&self, told: &[Vec<String>], whence: &str) {
        let now = self.with(told);
        let Some(differs) = first_difference(&self.text, &now) else { return };
        panic!(
            "{}:{differs}: {whence} something else is told than is recorded:\n{now}\n\
             If that is right, record it with {}=yes, and review what git says.",
            self.path.display(),
            super::RECORD
        );
    }

    /// Writes what was told after each command into the file.
    pub(super) fn record(&self, told: &[Vec<String>]) {
        std::fs::write(&self.path, self.with(told)).unwrap();
    }

    fn with(&self, told: &[Vec<String>]) -> String {
        let mut lines: Vec<&str> = self.head.iter().map(String::as_str).collect();
        let commands: Vec<String> = self.acts.iter().map(|act| format!("> {}", act.command)).collect();
        for ((act, command), told) in self.acts.iter().zip(&commands).zip(told) {
            lines.extend(act.lead.iter().map(String::as_str));
            lines.push(command);
            lines.extend(told.iter().map(String::as_str));
        }
        lines.join("\n") + "\n"
    }
}

impl Setting {
    fn take(&mut self, line: &str) -> Option<()> {
        let (what, value) = line.split_once(": ")?;
        match what.split_once(' ') {
            None if what == "device" => self.devices.extend(words(value)),
            None if what == "limits" => self.limits.extend(value.split(", ").map(str::to_owned)),
            Some(("limits", of)) => {
                let limits = value.replace(", ", "\n");
                self.commands.push_str(&format!("[commands.{}]\n{limits}\n", of.strip_prefix("of ")?));
            }
            Some(("image", name)) => {
                let alone = name.strip_suffix(" with a converter");
                let mut options = words(value);
                let place = options.iter().position(|option| option == "--version")?;
                let version = options.drain(place..place + 2).next_back()?;
                if !options.iter().any(|option| option == USUAL_SIZE[0]) {
                    options.extend(USUAL_SIZE.map(str::to_owned));
                }
                let name = alone.unwrap_or(name).to_owned();
                self.images.push(Image { name, version, options, has_converter: alone.is_some() });
            }
            _ => return None,
        }
        Some(())
    }
}

/// The words of a command.
pub(super) fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// The number of the first line that is another one.
fn first_difference(one: &str, other: &str) -> Option<usize> {
    let common = one.lines().zip(other.lines()).take_while(|(one, other)| one == other).count();
    (one != other).then_some(common + 1)
}
