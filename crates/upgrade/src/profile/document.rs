//! Reading profiles from TOML. What is wrong is told with file, line and what was expected.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;

use super::check::{check, check_limits};
use super::fact::WORDS;
use super::look::Looks;
use super::write::TEMPLATES;
use super::{
    Command, CommandProfile, ConvertedBy, FormatSince, Limits, NotificationKind, Object, Per, Profile,
};
use crate::Protocol;
use crate::configuration::Kind;
use crate::object::{Oid, Syntax};
use crate::reading::Capability;

/// What is wrong with a profile file, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}, line {line}: {problem}")]
pub struct ProfileError {
    /// The file's name, as it was given.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// What stands there, and what was expected.
    pub problem: String,
}

/// Reads a profile from `text`; `file` names it in errors. Where it says `extends = "NAME"`, all that it does
/// not say itself is as in the profile that `parent` finds under that name (the text and name of its file).
///
/// # Errors
///
/// The first thing that is wrong, with its line.
pub fn load<'a>(
    file: &str,
    text: &str,
    parent: impl Fn(&str) -> Option<(&'a str, &'a str)>,
) -> Result<Profile, ProfileError> {
    let mut layers = vec![Layer::read(file, text)?];
    while let Some(extends) = layers.last().and_then(|layer| layer.document.extends.clone()) {
        let child = layers.last().map_or_else(Place::default, |layer| layer.place);
        if layers.len() > MOST_LAYERS {
            return Err(child.error(extends.span(), "it extends itself, or more than 8 others".into()));
        }
        let Some((file, text)) = parent(extends.get_ref()) else {
            let problem = format!("there is no profile {:?} to extend", extends.get_ref());
            return Err(child.error(extends.span(), problem));
        };
        layers.push(Layer::read(file, text)?);
    }
    layers.reverse();
    Builder::default().build(&layers)
}

/// The name that a profile gives itself.
///
/// # Errors
///
/// The file is no profile.
pub fn name_of(file: &str, text: &str) -> Result<String, ProfileError> {
    Layer::read(file, text).map(|layer| layer.document.name.into_inner())
}

/// The limits there are; see [`Limits`] for what each means.
const LIMITS: [&str; 15] = [
    "answer_ms",
    "repeats",
    "poll_s",
    "reach_s",
    "busy_s",
    "late_s",
    "evidence_s",
    "drain_s",
    "trial_s",
    "soak_s",
    "backoff_s",
    "backoff_cap_s",
    "convert_s",
    "drift_repeats",
    "configuration_bytes",
];

/// The longest deadline of a command: a week.
const MOST_SECONDS: f64 = 604_800.0;

/// How long a chain of profiles that extend one another may be.
const MOST_LAYERS: usize = 8;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Document {
    name: Spanned<String>,
    extends: Option<Spanned<String>>,
    title: Option<String>,
    products: Option<Vec<Oid>>,
    buffers: Option<Vec<u32>>,
    protocol: Option<Protocol>,
    conversion: Option<Vec<ConvertedBy>>,
    capabilities: Option<BTreeSet<Capability>>,
    #[serde(default)]
    kinds: BTreeMap<Kind, u32>,
    #[serde(default)]
    formats: Vec<FormatSince>,
    #[serde(default)]
    objects: BTreeMap<String, Spanned<ObjectDocument>>,
    #[serde(default)]
    commands: BTreeMap<Command, Spanned<CommandDocument>>,
    #[serde(default)]
    notifications: BTreeMap<NotificationKind, Vec<Oid>>,
    #[serde(default)]
    limits: BTreeMap<String, Spanned<toml::Value>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ObjectDocument {
    oid: Oid,
    syntax: Syntax,
    #[serde(default)]
    per: Per,
    #[serde(default)]
    words: BTreeMap<String, i32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CommandDocument {
    set: Option<Vec<Spanned<(String, String)>>>,
    deadline_s: Option<f64>,
    stall_s: Option<f64>,
}

/// A file, to tell lines by.
#[derive(Clone, Copy, Default)]
struct Place<'a> {
    file: &'a str,
    text: &'a str,
}

impl Place<'_> {
    fn error(self, span: Range<usize>, problem: String) -> ProfileError {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        ProfileError { file: self.file.to_owned(), line: before.matches('\n').count() + 1, problem }
    }
}

struct Layer<'a> {
    place: Place<'a>,
    document: Document,
}

impl<'a> Layer<'a> {
    fn read(file: &'a str, text: &'a str) -> Result<Self, ProfileError> {
        let place = Place { file, text };
        let wrong = |error: toml::de::Error| {
            place.error(error.span().unwrap_or_default(), error.message().replace('\n', ", "))
        };
        Ok(Self { place, document: toml::from_str(text).map_err(wrong)? })
    }
}

/// The profile as it grows, layer by layer.
#[derive(Default)]
struct Builder {
    objects: BTreeMap<String, Object>,
    commands: BTreeMap<Command, CommandProfile>,
    notifications: BTreeMap<Oid, NotificationKind>,
    limits: toml::Table,
}

impl Builder {
    fn build(mut self, layers: &[Layer<'_>]) -> Result<Profile, ProfileError> {
        let Some(last) = layers.last() else { return Err(Place::default().error(0..0, "no profile".into())) };
        for layer in layers {
            self.add_objects(layer)?;
            self.add_commands(layer)?;
            self.add_notifications(layer);
        }
        let documents = || layers.iter().rev().map(|layer| &layer.document);
        let limits = self.limits(layers)?;
        let kinds = layers.iter().flat_map(|layer| layer.document.kinds.clone()).collect();
        let missing = |what: &str| last.place.error(0..0, format!("`{what}` is missing"));
        let buffers = documents().find_map(|d| d.buffers.clone()).ok_or_else(|| missing("buffers"))?;
        let profile = Profile {
            looks: Looks::new(&self.objects, &buffers, &kinds),
            name: last.document.name.get_ref().clone(),
            title: documents().find_map(|d| d.title.clone()).ok_or_else(|| missing("title"))?,
            products: documents().find_map(|d| d.products.clone()).unwrap_or_default(),
            buffers,
            protocol: documents().find_map(|d| d.protocol),
            conversion: documents().find_map(|d| d.conversion.clone()).unwrap_or_default(),
            capabilities: documents().find_map(|d| d.capabilities.clone()).unwrap_or_default(),
            kinds,
            formats: layers.iter().flat_map(|layer| layer.document.formats.clone()).collect(),
            objects: self.objects,
            commands: self.commands,
            notifications: self.notifications,
            limits,
        };
        let name_span = last.document.name.span();
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if profile.name.is_empty() || !profile.name.bytes().all(plain) {
            return Err(last
                .place
                .error(name_span, "a name of letters, digits, - and _ was expected".into()));
        }
        check(&profile).map_err(|problem| last.place.error(name_span, problem))?;
        Ok(profile)
    }

    fn add_objects(&mut self, layer: &Layer<'_>) -> Result<(), ProfileError> {
        for (name, spanned) in &layer.document.objects {
            let object = spanned.get_ref();
            let wrong = |problem| Err(layer.place.error(spanned.span(), problem));
            for (fact, expected) in WORDS {
                let unknown = object.words.keys().find(|word| !expected.contains(&word.as_str()));
                if let Some(word) = unknown.filter(|_| name == fact && fact != "health") {
                    return wrong(format!(
                        "`{name}` has the word {word:?}; one of {expected:?} was expected"
                    ));
                }
                if name == fact && object.words.is_empty() {
                    return wrong(format!("`{name}` needs `words`, some of {expected:?}"));
                }
            }
            let unknown = object.words.keys().find(|word| Capability::from_word(word).is_none());
            if let Some(word) = unknown.filter(|_| object.syntax == Syntax::Bits) {
                return wrong(format!("{word:?} is no capability"));
            }
            let object = Object {
                oid: object.oid.clone(),
                syntax: object.syntax,
                per: object.per,
                words: object.words.clone(),
            };
            self.objects.insert(name.clone(), object);
        }
        Ok(())
    }

    fn add_commands(&mut self, layer: &Layer<'_>) -> Result<(), ProfileError> {
        for (&command, spanned) in &layer.document.commands {
            let told = spanned.get_ref();
            let before = self.commands.get(&command);
            let wrong = |span, problem| Err(layer.place.error(span, problem));
            let mut set = before.map(|before| before.set.clone()).unwrap_or_default();
            if let Some(writes) = &told.set {
                set.clear();
                for write in writes {
                    let (name, template) = write.get_ref();
                    self.check_write(name, template).or_else(|problem| wrong(write.span(), problem))?;
                    set.push((name.clone(), template.clone()));
                }
            }
            if set.is_empty() {
                return wrong(spanned.span(), "the command needs `set`, a list of [object, value]".into());
            }
            for (name, given) in [("deadline_s", told.deadline_s), ("stall_s", told.stall_s)] {
                if let Some(seconds) = given.filter(|seconds| !(0.0..=MOST_SECONDS).contains(seconds)) {
                    let problem = format!("`{name}` is {seconds}; 0 to {MOST_SECONDS} was expected");
                    return wrong(spanned.span(), problem);
                }
            }
            let span = |given: Option<f64>, before: Option<core::time::Duration>| {
                given.map(Limits::span).or(before).unwrap_or(core::time::Duration::ZERO)
            };
            let deadline = span(told.deadline_s, before.map(|before| before.deadline));
            if deadline.is_zero() {
                return wrong(spanned.span(), "the command needs `deadline_s`, seconds above 0".into());
            }
            let stall = span(told.stall_s, before.map(|before| before.stall));
            let stall = if stall.is_zero() { deadline } else { stall };
            self.commands.insert(command, CommandProfile { set, deadline, stall });
        }
        Ok(())
    }

    fn check_write(&self, name: &str, template: &str) -> Result<(), String> {
        let object = self.objects.get(name).ok_or_else(|| format!("there is no object `{name}`"))?;
        if object.per != Per::Device {
            return Err(format!("`{name}` is a column; only objects of one instance can be set"));
        }
        if let Some(inner) = template.strip_prefix('{') {
            let known = inner.strip_suffix('}').is_some_and(|name| TEMPLATES.contains(&name));
            return known
                .then_some(())
                .ok_or_else(|| format!("{template:?} is none of {TEMPLATES:?} in braces"));
        }
        let fits = object.value(template).is_some();
        fits.then_some(()).ok_or_else(|| {
            let words: Vec<_> = object.words.keys().collect();
            format!("`{name}` takes no {template:?}; its words are {words:?}")
        })
    }

    fn add_notifications(&mut self, layer: &Layer<'_>) {
        for (&kind, oids) in &layer.document.notifications {
            self.notifications.retain(|_, known| *known != kind);
            self.notifications.extend(oids.iter().map(|oid| (oid.clone(), kind)));
        }
    }

    fn limits(&mut self, layers: &[Layer<'_>]) -> Result<Limits, ProfileError> {
        let mut told = BTreeMap::new();
        for layer in layers {
            for (name, value) in &layer.document.limits {
                let wrong = |problem| Err(layer.place.error(value.span(), problem));
                let given = layer.place.text.get(value.span()).unwrap_or_default();
                if !LIMITS.contains(&name.as_str()) {
                    return wrong(format!("the limit `{name}` is unknown; known are {}", LIMITS.join(", ")));
                }
                match value.get_ref() {
                    toml::Value::Integer(0..) => {}
                    toml::Value::Float(0.0..) if name.ends_with("_s") && name != "trial_s" => {}
                    _ => return wrong(format!("`{name}` is {given}; a number from 0 was expected")),
                }
                self.limits.insert(name.clone(), value.get_ref().clone());
            }
            told.extend(
                layer.document.limits.iter().map(|(name, value)| (name, (layer.place, value.span()))),
            );
        }
        let wrong = |name: &str, problem: String| {
            let name = told.keys().copied().find(|own| *own == name).or_else(|| told.keys().copied().next());
            let (place, span) = name.and_then(|name| told.get(name)).cloned().unwrap_or_default();
            place.error(span, format!("[limits]: {problem}"))
        };
        let limits: Limits = toml::Value::Table(self.limits.clone())
            .try_into()
            .map_err(|error: toml::de::Error| wrong("", error.message().replace('\n', ", ")))?;
        check_limits(&limits).map_err(|(name, problem)| wrong(name, problem))?;
        Ok(limits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::IAD;

    fn parent(name: &str) -> Option<(&'static str, &'static str)> {
        (name == "iad").then_some(("iad.toml", IAD))
    }

    #[test]
    fn the_profile_that_comes_with_the_program_is_whole() {
        let profile = load("iad.toml", IAD, |_| None).unwrap();
        assert_eq!(profile.all_kinds().len(), 4);
        assert_eq!(profile.commands.len(), 13);
    }

    #[test]
    fn a_profile_may_change_a_few_lines_of_another() {
        let text = "name = \"slow\"\nextends = \"iad\"\n[limits]\npoll_s = 60\n[commands.download]\ndeadline_s = 7200\n";
        let slow = load("slow.toml", text, parent).unwrap();
        let iad = load("iad.toml", IAD, |_| None).unwrap();
        assert_eq!((slow.name.as_str(), slow.limits.poll_s), ("slow", 60.0));
        let download = |profile: &Profile| profile.commands[&Command::Download].clone();
        assert_eq!(download(&slow).set, download(&iad).set);
        assert_eq!(download(&slow).deadline, core::time::Duration::from_secs(7200));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let cases = [
            ("name = \"x\"\nextends = \"iad\"\nbufers = [1]\n", 3, "bufers"),
            ("name = \"x\"\nextends = \"none\"\n", 2, "no profile"),
            ("name = \"x\"\nextends = \"iad\"\n[limits]\npoll_s = -1\n", 4, "poll_s"),
            ("name = \"x\"\nextends = \"iad\"\n[limits]\nsoak_s = 1\npol_s = 1\n", 5, "pol_s"),
            ("name = \"x\"\nextends = \"iad\"\n[limits]\n\npoll_s = \"often\"\n", 5, "`poll_s` is \"often\""),
            ("name = \"x\"\nextends = \"iad\"\n[limits]\nsoak_s = 1\nrepeats = 11\n", 5, "0 to 10"),
            ("name = \"x\"\nextends = \"iad\"\n[limits]\nrepeats = 1.5\n", 4, "`repeats` is 1.5"),
            ("name = \"x y\"\nextends = \"iad\"\n", 1, "letters"),
            (
                "name = \"x\"\nextends = \"iad\"\n[commands.backup]\nset = [\n  [\"nothing\", \"1\"],\n]\n",
                5,
                "nothing",
            ),
            (
                "name = \"x\"\nextends = \"iad\"\n[commands.backup]\nset = [[\"operation-command\", \"dance\"]]\n",
                4,
                "dance",
            ),
            (
                "name = \"x\"\nextends = \"iad\"\n[commands.backup]\nset = [[\"operation-id\", \"{id}\"]]\n",
                4,
                "{id}",
            ),
            (
                "name = \"x\"\nextends = \"iad\"\n[objects]\nuptime = { oid = \"1.x\", syntax = \"ticks\" }\n",
                4,
                "1.x",
            ),
            (
                "name = \"x\"\nextends = \"iad\"\n[commands.backup]\ndeadline_s = -1\n",
                3,
                "`deadline_s` is -1",
            ),
            ("name = \"x\"\nextends = \"iad\"\n[commands.backup]\nstall_s = 1e300\n", 3, "`stall_s`"),
            ("name = \"x\"\nextends = \"x\"\n", 2, "no profile"),
            ("name = ", 1, ""),
        ];
        for (text, line, names) in cases {
            let error = load("x.toml", text, parent).unwrap_err();
            assert_eq!((error.file.as_str(), error.line), ("x.toml", line), "{text}: {error}");
            assert!(error.problem.contains(names), "{error}");
        }
        assert!(
            load("x.toml", "name = \"x\"\nextends = \"x\"\n", |_| Some((
                "x.toml",
                "name = \"x\"\nextends = \"x\"\n"
            )))
            .is_err()
        );
    }
}
