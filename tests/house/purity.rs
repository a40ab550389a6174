//! Pure code names no socket, clock, thread, file, randomness or unordered map, nor anything asynchronous: the same
//! inputs give the same outputs. Sources are read as tokens, so that comments and texts may speak of all of these.

use std::path::Path;

use proc_macro2::{Spacing, TokenStream, TokenTree};

use crate::sources;

/// The folders whose sources are pure.
const PURE: [&str; 5] =
    ["crates/snmp/src", "crates/tftp/src", "crates/upgrade/src", "crates/engine/src", "iad-sim/src/device"];

/// Names that pure code never uses, each with the reason.
const FORBIDDEN: [(&str, &str); 21] = [
    ("tokio", ASYNC),
    ("async", ASYNC),
    ("await", ASYNC),
    ("Future", ASYNC),
    ("UdpSocket", SOCKET),
    ("TcpListener", SOCKET),
    ("TcpStream", SOCKET),
    ("UnixStream", SOCKET),
    ("ToSocketAddrs", SOCKET),
    ("Instant", CLOCK),
    ("SystemTime", CLOCK),
    ("HashMap", ORDER),
    ("HashSet", ORDER),
    ("RandomState", ORDER),
    ("rand", RANDOMNESS),
    ("getrandom", RANDOMNESS),
    ("fastrand", RANDOMNESS),
    ("OsRng", RANDOMNESS),
    ("thread_local", THREAD),
    ("println", OUTPUT),
    ("eprintln", OUTPUT),
];

/// Modules of the standard library that pure code never uses.
const FORBIDDEN_IN_STD: [(&str, &str); 5] = [
    ("fs", STORAGE),
    ("thread", THREAD),
    ("process", OUTPUT),
    ("env", "the environment is an input"),
    ("os", SOCKET),
];

const ASYNC: &str = "waiting belongs to the shell";
const SOCKET: &str = "sockets belong to the shell";
const CLOCK: &str = "the time is an input";
const ORDER: &str = "its order differs from run to run";
const RANDOMNESS: &str = "random numbers are an input";
const THREAD: &str = "threads belong to the shell";
const STORAGE: &str = "storage is an input";
const OUTPUT: &str = "talking to the world belongs to the shell";

/// Whether a source is tests and nothing else. These may print: a seed, above all.
fn is_tests(path: &Path) -> bool {
    path.with_extension("").components().any(|part| part.as_os_str() == "tests")
}

/// Everything in this source that pure code may not name.
fn violations(source: &str) -> Vec<String> {
    let tokens: TokenStream = source.parse().expect("Rust source");
    let mut found = Vec::new();
    look(&tokens.into_iter().collect::<Vec<_>>(), &mut found);
    found
}

fn look(tokens: &[TokenTree], found: &mut Vec<String>) {
    for (place, token) in tokens.iter().enumerate() {
        match token {
            TokenTree::Ident(ident) => {
                let name = ident.to_string();
                let reason = FORBIDDEN.iter().find(|(forbidden, _)| *forbidden == name);
                found.extend(
                    reason.map(|(_, why)| format!("line {}: {name}: {why}", ident.span().start().line)),
                );
                if name == "std" {
                    look_into_std(&tokens[place + 1..], found);
                }
            }
            TokenTree::Group(group) => look(&group.stream().into_iter().collect::<Vec<_>>(), found),
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
}

/// What follows the word `std`: `::name` or `::{name, name::…}`.
fn look_into_std(after: &[TokenTree], found: &mut Vec<String>) {
    let [TokenTree::Punct(first), TokenTree::Punct(second), next, ..] = after else { return };
    if first.as_char() != ':' || first.spacing() != Spacing::Joint || second.as_char() != ':' {
        return;
    }
    match next {
        TokenTree::Ident(_) => look_at_module(next, found),
        TokenTree::Group(group) => {
            let inside: Vec<_> = group.stream().into_iter().collect();
            let is_comma =
                |token: &TokenTree| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ',');
            inside.split(is_comma).filter_map(<[_]>::first).for_each(|first| look_at_module(first, found));
        }
        TokenTree::Punct(_) | TokenTree::Literal(_) => {}
    }
}

fn look_at_module(token: &TokenTree, found: &mut Vec<String>) {
    let name = token.to_string();
    let reason = FORBIDDEN_IN_STD.iter().find(|(forbidden, _)| *forbidden == name);
    found.extend(reason.map(|(_, why)| format!("line {}: std::{name}: {why}", token.span().start().line)));
}

#[test]
fn pure_code_names_nothing_that_differs_from_run_to_run() {
    let root = xtask::root();
    let mut found = Vec::new();
    for folder in PURE {
        let sources = sources(&root.join(folder));
        assert!(!sources.is_empty(), "{folder} has no sources");
        for path in sources {
            let place = path.strip_prefix(&root).unwrap();
            let source = std::fs::read_to_string(&path).unwrap();
            let mut violations = violations(&source);
            violations.retain(|violation| !(is_tests(place) && violation.ends_with(OUTPUT)));
            found.extend(violations.into_iter().map(|violation| format!("{}, {violation}", place.display())));
        }
    }
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn the_first_lines_of_a_pure_package_say_that_it_is_pure() {
    for folder in PURE.into_iter().filter(|folder| folder.starts_with("crates/")) {
        let source = std::fs::read_to_string(xtask::root().join(folder).join("lib.rs")).unwrap();
        let head: String = source.lines().take_while(|line| line.starts_with("//!")).collect();
        assert!(head.to_lowercase().contains("pure"), "{folder}/lib.rs");
    }
}

#[test]
fn a_planted_violation_of_each_kind_is_found() {
    let planted = [
        "use tokio::time;",
        "async fn wait() {}",
        "fn socket() -> std::net::UdpSocket { loop {} }",
        "use std::{net::{IpAddr, TcpStream}, fmt};",
        "fn now() -> u64 { let _ = std::time::Instant::now(); 0 }",
        "use std::{collections::{BTreeMap, HashMap}, fmt};",
        "use std::fs;",
        "use std::{fmt, fs::File};",
        "use std::{\n    fmt,\n    thread,\n};",
        "mod inner { fn f() { std::thread::yield_now() } }",
        "fn f() -> u8 { rand::random() }",
        "#[cfg(test)] mod tests { use std::collections::HashSet; }",
        "fn f() { println!(\"\") }",
    ];
    for source in planted {
        assert_eq!(violations(source).len(), 1, "{source}: {:?}", violations(source));
    }
    assert_eq!(violations("\n\nuse std::fs;"), ["line 3: std::fs: storage is an input"]);
}

#[test]
fn comments_and_texts_may_speak_of_what_code_may_not() {
    let innocent = "
        //! No async, no HashMap: std::fs and Instant belong to the shell.
        use std::{collections::BTreeMap, net::{IpAddr, SocketAddr}, time::Duration};
        /// Like `tokio`, but not.
        fn thread(fs: &str) -> &'static str { \"std::thread HashMap\" }
    ";
    assert_eq!(violations(innocent), Vec::<String>::new());
}
