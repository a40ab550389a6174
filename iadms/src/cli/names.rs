//! Names for what notifications carry, from MIB modules: our own, a few standard ones, and those of a folder.

use std::path::Path;

use mib_rs::{Loader, Mib, Oid as Name, source};
use upgrade::{Oid, Value};

use super::Failure;

const IAD_MIB: &str = include_str!("../../../mibs/IAD-MIB.mib");
const IADMS_MIB: &str = include_str!("../../../mibs/IADMS-MIB.mib");

/// Names from SNMPv2-MIB (RFC 3418) and IF-MIB (RFC 2863) that no embedded module has.
const STANDARD: [(&str, &str); 16] = [
    ("1.3.6.1.2.1.1.1", "SNMPv2-MIB::sysDescr"),
    ("1.3.6.1.2.1.1.2", "SNMPv2-MIB::sysObjectID"),
    ("1.3.6.1.2.1.1.3", "SNMPv2-MIB::sysUpTime"),
    ("1.3.6.1.2.1.1.4", "SNMPv2-MIB::sysContact"),
    ("1.3.6.1.2.1.1.5", "SNMPv2-MIB::sysName"),
    ("1.3.6.1.2.1.1.6", "SNMPv2-MIB::sysLocation"),
    ("1.3.6.1.2.1.2.2.1.1", "IF-MIB::ifIndex"),
    ("1.3.6.1.2.1.2.2.1.2", "IF-MIB::ifDescr"),
    ("1.3.6.1.2.1.2.2.1.7", "IF-MIB::ifAdminStatus"),
    ("1.3.6.1.2.1.2.2.1.8", "IF-MIB::ifOperStatus"),
    ("1.3.6.1.6.3.1.1.4.3", "SNMPv2-MIB::snmpTrapEnterprise"),
    ("1.3.6.1.6.3.1.1.5.1", "SNMPv2-MIB::coldStart"),
    ("1.3.6.1.6.3.1.1.5.2", "SNMPv2-MIB::warmStart"),
    ("1.3.6.1.6.3.1.1.5.3", "IF-MIB::linkDown"),
    ("1.3.6.1.6.3.1.1.5.4", "IF-MIB::linkUp"),
    ("1.3.6.1.6.3.1.1.5.5", "SNMPv2-MIB::authenticationFailure"),
];

/// All names that are known.
pub(super) struct Names {
    mib: Mib,
    standard: Vec<(Oid, &'static str)>,
}

impl Names {
    /// Our own, the standard ones, and those of all modules in `folder`.
    pub(super) fn load(folder: Option<&Path>) -> Result<Self, Failure> {
        let own = source::memory_modules([("IAD-MIB", IAD_MIB), ("IADMS-MIB", IADMS_MIB)]);
        let mut modules = vec!["IAD-MIB".to_owned(), "IADMS-MIB".to_owned()];
        let mut sources = vec![own];
        if let Some(folder) = folder {
            let more =
                source::dir(folder).map_err(|error| Failure::file("read the modules in", folder, &error))?;
            modules.extend(more.list_modules().unwrap_or_default());
            sources.push(more);
        }
        let next = "leave --mibs out, or give a folder of sound modules";
        let mib = Loader::new().sources(sources).modules(modules).load();
        let mib = mib.map_err(|error| Failure::of(&error, next))?;
        let standard = STANDARD.into_iter().filter_map(|(oid, name)| Some((oid.parse().ok()?, name)));
        Ok(Self { mib, standard: standard.collect() })
    }

    /// The name of an object or a notification, with the numbers of its instance.
    pub(super) fn name(&self, oid: &Oid) -> String {
        let named = self.standard.iter().find_map(|(prefix, name)| Some((name, oid.behind(prefix)?)));
        if let Some((name, instance)) = named {
            return instance.iter().fold((*name).to_owned(), |text, number| format!("{text}.{number}"));
        }
        let name = Name::from(oid.numbers());
        let found = self.mib.lookup_instance(&name);
        let is_named = found.node().notification().is_some() || found.node().object().is_some();
        if is_named { self.mib.format_oid(&name) } else { oid.to_string() }
    }

    /// A value as the object's definition shows it: words for numbers that have them, text for text.
    pub(super) fn value(&self, oid: &Oid, value: &Value) -> String {
        let name = Name::from(oid.numbers());
        let object = self.mib.lookup_instance(&name).node().object();
        match value {
            Value::Integer(number) => {
                let words = object.map(|object| object.effective_enums()).unwrap_or_default();
                let word = words.iter().find(|word| word.value == i64::from(*number));
                word.map_or_else(|| number.to_string(), |word| format!("{}({number})", word.label))
            }
            Value::Unsigned(number) => number.to_string(),
            Value::Counter(number) => number.to_string(),
            Value::Ticks(ticks) => format!("{}.{:02} s", ticks / 100, ticks % 100),
            Value::Octets(octets) => text(octets),
            Value::Oid(oid) => self.name(oid),
            Value::Address([a, b, c, d]) => format!("{a}.{b}.{c}.{d}"),
            Value::Absent => "-".into(),
        }
    }
}

/// Octets as text, in quotes, where they are text that a terminal may be shown; as hexadecimal digits elsewhere.
fn text(octets: &[u8]) -> String {
    match std::str::from_utf8(octets) {
        Ok(text) if !text.chars().any(char::is_control) => format!("{text:?}"),
        _ => octets.iter().map(|octet| format!("{octet:02x}")).collect::<Vec<_>>().join(" "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notifications_and_their_objects_have_names() {
        let names = Names::load(None).unwrap();
        let name = |oid: &str| names.name(&oid.parse().unwrap());
        assert_eq!(name("1.3.6.1.4.1.32473.1.0.4"), "IAD-MIB::iadOperationFailed");
        assert_eq!(name("1.3.6.1.4.1.32473.1.1.5.14.0"), "IAD-MIB::iadOpState.0");
        assert_eq!(name("1.3.6.1.6.3.1.1.5.1"), "SNMPv2-MIB::coldStart");
        assert_eq!(name("1.3.6.1.2.1.1.5.0"), "SNMPv2-MIB::sysName.0");
        assert_eq!(name("1.3.6.1.4.1.9.9.999.1"), "1.3.6.1.4.1.9.9.999.1", "what is unknown stays a number");
    }

    #[test]
    fn values_are_shown_as_their_object_means_them_and_never_as_control_characters() {
        let names = Names::load(None).unwrap();
        let state: Oid = "1.3.6.1.4.1.32473.1.1.5.14.0".parse().unwrap();
        assert_eq!(names.value(&state, &Value::Integer(4)), "done(4)");
        assert_eq!(names.value(&state, &Value::Integer(99)), "99");
        assert_eq!(names.value(&state, &Value::Octets(b"iad-1".to_vec())), "\"iad-1\"");
        assert_eq!(names.value(&state, &Value::Octets(b"\x1b[2J".to_vec())), "1b 5b 32 4a");
    }
}
