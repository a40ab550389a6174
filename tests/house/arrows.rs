//! The arrows between the packages, as `DESIGN.md` draws them, checked against what cargo knows of each package.

use std::collections::BTreeMap;
use std::process::Command;

use serde::Deserialize;

/// What each package of the workspace may import of the others, in the order in which they build on each other.
const ARROWS: [(&str, &[&str]); 12] = [
    ("snmp", &[]),
    ("tftp", &[]),
    ("datagram", &[]),
    ("upgrade", &[]),
    ("engine", &["upgrade", "snmp", "tftp"]),
    ("iad-sim", &["snmp", "tftp", "datagram"]),
    ("iadms", &["engine", "upgrade", "snmp", "tftp", "datagram"]),
    ("xtask", &[]),
    ("fuzz", &["snmp", "tftp", "upgrade", "engine"]),
    ("world", &["snmp", "tftp", "upgrade", "engine", "iad-sim"]),
    ("bench", &["snmp", "tftp", "datagram", "upgrade", "engine", "iad-sim", "iadms", "xtask"]),
    ("tests", &["snmp", "tftp", "datagram", "upgrade", "engine", "iad-sim", "iadms", "xtask", "world"]),
];

/// The simulator and the manager never meet, not even in tests of their own: a misunderstanding that they share would
/// hide a fault.
const NEVER_MEET: (&[&str], &[&str]) = (&["iad-sim"], &["upgrade", "engine", "iadms"]);

/// The pure packages, and everything from outside that they may be built on.
const PURE: [&str; 4] = ["snmp", "tftp", "upgrade", "engine"];
const PURE_FOUNDATIONS: [&str; 18] = [
    "aes",
    "asn1-rs",
    "cbc",
    "cfb-mode",
    "chacha20",
    "des",
    "hmac",
    "ipnet",
    "md-5",
    "memchr",
    "serde",
    "serde_json",
    "sha1",
    "sha2",
    "subtle",
    "thiserror",
    "toml",
    "zeroize",
];

#[derive(Deserialize)]
struct Workspace {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    /// Nothing for a normal dependency, else `dev` or `build`.
    kind: Option<String>,
}

impl Workspace {
    fn read() -> Self {
        let output = Command::new(env!("CARGO"))
            .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
            .current_dir(xtask::root())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Every import that breaks a rule, with the rule.
    fn violations(&self) -> Vec<String> {
        let allowed: BTreeMap<&str, &[&str]> = ARROWS.into_iter().collect();
        let mut found = Vec::new();
        for package in &self.packages {
            let from = package.name.as_str();
            let Some(arrows) = allowed.get(from) else {
                found.push(format!("{from} is a package that the plan of the house does not have"));
                continue;
            };
            for dependency in &package.dependencies {
                found.extend(
                    dependency
                        .violation(from, arrows)
                        .map(|why| format!("{from} → {}: {why}", dependency.name)),
                );
            }
        }
        found
    }
}

impl Dependency {
    fn violation(&self, from: &str, arrows: &[&str]) -> Option<&'static str> {
        let to = self.name.as_str();
        let (simulator, manager) = NEVER_MEET;
        let is_at_home = ARROWS.iter().any(|(name, _)| *name == to);
        let meets = |one: &[&str], other: &[&str]| one.contains(&from) && other.contains(&to);
        if meets(simulator, manager) || meets(manager, simulator) {
            Some(
                "the simulator and the manager never import each other, so that no misunderstanding is shared",
            )
        } else if self.kind.is_some() {
            None
        } else if is_at_home && !arrows.contains(&to) {
            Some("the plan of the house has no such arrow")
        } else if !is_at_home && PURE.contains(&from) && !PURE_FOUNDATIONS.contains(&to) {
            Some("a pure package is built on nothing but the foundations listed in tests/house/arrows.rs")
        } else {
            None
        }
    }
}

#[test]
fn packages_import_each_other_only_along_the_arrows_of_the_plan() {
    let violations = Workspace::read().violations();
    assert!(violations.is_empty(), "\n{}", violations.join("\n"));
}

#[test]
fn the_plan_has_no_package_that_is_not_built() {
    let workspace = Workspace::read();
    for (name, _) in ARROWS {
        assert!(workspace.packages.iter().any(|package| package.name == name), "{name}");
    }
}

#[test]
fn a_planted_violation_of_each_rule_is_found() {
    let planted = |from: &str, to: &str, kind: Option<&str>| {
        let dependency = Dependency { name: to.to_owned(), kind: kind.map(str::to_owned) };
        Workspace { packages: vec![Package { name: from.to_owned(), dependencies: vec![dependency] }] }
            .violations()
    };
    let forbidden = [
        ("upgrade", "snmp", None),
        ("upgrade", "engine", None),
        ("snmp", "datagram", None),
        ("iad-sim", "upgrade", None),
        ("iad-sim", "engine", Some("dev")),
        ("iad-sim", "iadms", Some("build")),
        ("iadms", "iad-sim", None),
        ("iadms", "iad-sim", Some("dev")),
        ("engine", "iad-sim", Some("dev")),
        ("engine", "tokio", None),
        ("snmp", "rand", None),
        ("unplanned", "serde", None),
    ];
    for (from, to, kind) in forbidden {
        assert_eq!(planted(from, to, kind).len(), 1, "{from} → {to} ({kind:?})");
    }
    let permitted = [
        ("engine", "upgrade", None),
        ("engine", "proptest", Some("dev")),
        ("iadms", "engine", None),
        ("iad-sim", "datagram", None),
        ("iad-sim", "tokio", None),
        ("snmp", "asn1-rs", None),
        ("tests", "iad-sim", None),
    ];
    for (from, to, kind) in permitted {
        assert_eq!(planted(from, to, kind), Vec::<String>::new(), "{from} → {to} ({kind:?})");
    }
}
