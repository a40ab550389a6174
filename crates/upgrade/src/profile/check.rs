//! What must hold of a profile that its form alone does not say.

use std::collections::BTreeSet;

use super::fact::Fact;
use super::{Limits, Per, Profile};

/// What must hold of the whole.
pub(super) fn check(profile: &Profile) -> Result<(), String> {
    let has = |name: &str| profile.objects.contains_key(name);
    for needed in ["uptime", "software-version", "software-role"] {
        if !has(needed) {
            return Err(format!("the object `{needed}` is missing: without it no upgrade can be proven"));
        }
    }
    if profile.buffers.is_empty() {
        return Err("`buffers` is empty; a device has at least one software buffer".into());
    }
    let mut buffers = BTreeSet::new();
    if !profile.buffers.iter().all(|buffer| buffers.insert(buffer)) {
        return Err("`buffers` names a software buffer twice".into());
    }
    let plain = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
    if let Some(kind) = profile.kinds.keys().find(|kind| kind.0.is_empty() || !kind.0.chars().all(plain)) {
        return Err(format!("[kinds] names {:?}; letters, digits, '-' and '_' were expected", kind.0));
    }
    let mut numbers = BTreeSet::new();
    if !profile.kinds.values().all(|number| numbers.insert(number)) {
        return Err("[kinds] gives two kinds the same number".into());
    }
    if has("operation-id") != has("operation-state") {
        return Err("`operation-id` and `operation-state` go together".into());
    }
    let unread = |name: &&String| {
        let object = profile.objects.get(*name);
        object.is_some_and(|object| object.per != Per::Device) && Fact::of(name).is_none()
    };
    if let Some(name) = profile.objects.keys().find(unread) {
        let known = Fact::names();
        return Err(format!("the column `{name}` is nothing that is read; known are {known:?}"));
    }
    Ok(())
}

/// That each limit is one that can be kept; else its name and what is wrong.
pub(super) fn check_limits(limits: &Limits) -> Result<(), (&'static str, String)> {
    let bounds = [
        ("answer_ms", f64::from(limits.answer_ms), 50.0, 60_000.0),
        ("repeats", f64::from(limits.repeats), 0.0, 10.0),
        ("poll_s", limits.poll_s, 0.05, 3600.0),
        ("reach_s", limits.reach_s, 0.1, 86_400.0),
        ("busy_s", limits.busy_s, 0.0, 86_400.0),
        ("late_s", limits.late_s, 0.0, 3600.0),
        ("evidence_s", limits.evidence_s, 0.1, 3600.0),
        ("drain_s", limits.drain_s, 0.0, 604_800.0),
        ("soak_s", limits.soak_s, 0.0, 604_800.0),
        ("backoff_s", limits.backoff_s, 0.0, 86_400.0),
        ("backoff_cap_s", limits.backoff_cap_s, 0.0, 604_800.0),
        ("convert_s", limits.convert_s, 0.1, 3600.0),
    ];
    for (name, value, least, most) in bounds {
        if !(least..=most).contains(&value) {
            return Err((name, format!("`{name}` is {value}; {least} to {most} was expected")));
        }
    }
    Ok(())
}
