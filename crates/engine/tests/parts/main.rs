//! The commander, the listener, the director and the northbound notifications, through their messages alone.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod commander;
mod director;
mod listener;
mod northbound;

use upgrade::profile::{IAD, Server, load};
use upgrade::run::{Beginning, Choices, Goal, Policy, Subject};
use upgrade::{DeviceId, Profile, Protocol, Run, RunId, Time};

fn profile() -> Profile {
    load("iad.toml", IAD, |_| None).unwrap()
}

fn run(number: u64, goal: Goal) -> Run {
    Run::new(Beginning {
        id: RunId(number),
        device: Subject {
            id: DeviceId(100 + number),
            name: format!("device {number}"),
            address: [192, 0, 2, 7].into(),
            unique_id: Some(format!("IAD-{number}")),
        },
        goal,
        choices: Choices {
            kinds: Vec::new(),
            policy: Policy::Ask,
            question_limit_ms: None,
            activate_at: None,
            overwrite: false,
        },
        profile: "iad".into(),
        server: Server {
            protocol: Protocol::Tftp,
            address: [192, 0, 2, 1].into(),
            port: 69,
            user: String::new(),
            password: String::new(),
        },
        secret: "0123456789abcdef".into(),
        begun: Time::from_millis(1_000_000),
        expected: None,
    })
}
