//! Messages read and written in memory, beside other libraries that do: the notification that devices send most often.

use core::time::Duration;
use std::hint::black_box;
use std::time::Instant;

use async_snmp::DecodeConfig;
use async_snmp::message::CommunityMessage;
use bytes::Bytes;
use rasn_snmp::{v2::Pdus, v2c};
use snmp::notification::Event;
use snmp::{Message, ObjectIdentifier, Security, Value, VarBind};

use crate::Error;
use crate::report::{Entry, Measured, Round};

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Case {
    Read,
    Write,
}

impl Case {
    pub(crate) const ALL: [Self; 2] = [Self::Read, Self::Write];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Read => "read a trap, v2c, in memory",
            Self::Write => "write a trap, v2c, in memory",
        }
    }
}

const LASTS: Duration = Duration::from_millis(300);
/// Messages between two looks at the clock.
const AT_ONCE: u32 = 1000;
const ENTERPRISE: ObjectIdentifier = ObjectIdentifier::new([1, 3, 6, 1, 4, 1, 32473, 1]);

/// One message, read or written; whether that was possible.
type Once = Box<dyn FnMut() -> bool>;

/// Measures all in turn.
pub(crate) fn measure(case: Case, rounds: u32) -> Measured {
    let measured = || -> Result<Vec<Entry>, Error> {
        let mut all = match case {
            Case::Read => readers()?,
            Case::Write => writers()?,
        };
        let mut entries: Vec<_> = all.iter().map(|(name, _)| Entry::of(name, *name == "ours")).collect();
        for _ in 0..rounds {
            for (entry, (_, once)) in entries.iter_mut().zip(&mut all) {
                entry.rounds.push(one_round(once));
            }
        }
        Ok(entries)
    };
    let entries = measured()
        .unwrap_or_else(|error| vec![Entry { absent: Some(error.to_string()), ..Entry::of("ours", true) }]);
    Measured { case: case.name().to_owned(), unit: "messages/s", entries, bound: None }
}

fn one_round(once: &mut Once) -> Round {
    let begun = Instant::now();
    let (mut done, mut failed) = (0_u32, 0);
    while begun.elapsed() < LASTS {
        for _ in 0..AT_ONCE {
            failed += u32::from(!once());
        }
        done += AT_ONCE;
    }
    Round { figure: f64::from(done) / begun.elapsed().as_secs_f64(), failed, ..Round::default() }
}

fn readers() -> Result<Vec<(&'static str, Once)>, Error> {
    let datagram = datagram()?;
    let (ours, parser, rasn) = (datagram.clone(), datagram.clone(), datagram.clone());
    let shared = Bytes::from(datagram);
    Ok(vec![
        ("ours", Box::new(move || Message::decode(black_box(&ours)).is_ok())),
        ("snmp-parser", Box::new(move || snmp_parser::parse_snmp_v2c(black_box(&parser)).is_ok())),
        ("rasn-snmp", Box::new(move || rasn::ber::decode::<v2c::Message<Pdus>>(black_box(&rasn)).is_ok())),
        (
            "async-snmp",
            Box::new(move || {
                CommunityMessage::decode(black_box(&shared).clone(), DecodeConfig::default()).is_ok()
            }),
        ),
    ])
}

/// Each writes the same bytes, or is not measured.
fn writers() -> Result<Vec<(&'static str, Once)>, Error> {
    let datagram = datagram()?;
    let message = trap();
    let by_rasn = rasn::ber::decode::<v2c::Message<Pdus>>(&datagram).map_err(|error| error.to_string())?;
    let shared = Bytes::from(datagram.clone());
    let by_async = CommunityMessage::decode(shared, DecodeConfig::default())?.value;
    let same = |name: &str, bytes: &[u8]| match bytes == datagram {
        true => Ok(()),
        false => Err(Error::from(format!("{name} writes other bytes"))),
    };
    same("rasn-snmp", &rasn::ber::encode(&by_rasn).map_err(|error| error.to_string())?)?;
    same("async-snmp", &by_async.encode()?)?;
    let mut buffer = Vec::new();
    Ok(vec![
        (
            "ours",
            Box::new(move || {
                buffer.clear();
                black_box(&message).encode(&mut buffer).is_ok()
            }),
        ),
        ("rasn-snmp", Box::new(move || rasn::ber::encode(black_box(&by_rasn)).is_ok())),
        ("async-snmp", Box::new(move || black_box(&by_async).encode().is_ok())),
    ])
}

fn datagram() -> Result<Vec<u8>, Error> {
    let mut datagram = Vec::new();
    trap().encode(&mut datagram)?;
    Ok(datagram)
}

/// That of progress, with its five objects.
fn trap() -> Message {
    let object = |arcs: [u32; 3], value| VarBind { name: ENTERPRISE.join(&arcs), value };
    let varbinds = vec![
        object([1, 3, 0], Value::from("iad-000017")),
        object([5, 1, 0], Value::from("run-4711-download-1")),
        object([5, 2, 0], Value::Integer(2)),
        object([5, 15, 0], Value::Gauge32(42)),
        object([5, 16, 0], Value::Integer(0)),
    ];
    Event { name: ENTERPRISE.join(&[0, 2]), uptime: 8_640_000, varbinds }
        .trap(Security::v2c("traps"), 0x1234_5678)
}
