//! Notifications of SNMPv3: who is believed, of what time, and for whom.

use std::sync::Arc;
use std::time::Duration;

use snmp::manager::*;
use snmp::notification::{COLD_START, Event, NotificationKind, Receiver, Why};
use snmp::usm::*;
use snmp::*;

use crate::usm::{SECOND, address, anna, engine_id, uptime, user};

/// A notification and whoever takes it.
pub(crate) fn receiver() -> Receiver {
    let mut receiver = Receiver::new(engine_id(b"manager"), 5);
    receiver.admit([Arc::new(anna())]);
    receiver.know([(engine_id(b"device 1"), [Arc::new(anna())].into())]);
    receiver
}

fn event() -> Event {
    Event { name: COLD_START, uptime: 7, varbinds: vec![VarBind::new(uptime(), Value::Integer(1))] }
}

fn trap(at: EngineTime, request_id: i32) -> Vec<u8> {
    let mut datagram = Vec::new();
    let id = engine_id(b"device 1");
    event().trap_v3(&anna().localized(&id), &id, at, request_id, 99).encode(&mut datagram).unwrap();
    datagram
}

pub(crate) fn at(boots: u32, time: u32) -> EngineTime {
    EngineTime { boots, time }
}

fn take(receiver: &mut Receiver, datagram: &[u8], now: Duration) -> Result<Option<EngineId>, Why> {
    let mut scratch = Vec::new();
    let received = receiver.receive(datagram, at(9, 9), now, &mut scratch).map_err(|not| not.why)?;
    assert_eq!(received.notification.name, COLD_START);
    assert_eq!((received.notification.uptime, received.notification.varbinds.len()), (Some(7), 1));
    Ok(received.engine)
}

#[test]
fn a_trap_proves_its_sender_and_is_taken_once() {
    let mut receiver = receiver();
    let first = trap(at(3, 1000), 1);
    assert_eq!(take(&mut receiver, &first, SECOND), Ok(Some(engine_id(b"device 1"))));
    assert_eq!(take(&mut receiver, &first, 2 * SECOND), Err(Why::Repeated));
    assert_eq!(take(&mut receiver, &trap(at(3, 1000), 2), 2 * SECOND), Ok(Some(engine_id(b"device 1"))));
    let old = take(&mut receiver, &trap(at(3, 1000), 3), 152 * SECOND);
    assert_eq!(old, Err(Why::Untimely(Untimely::OutsideWindow { told: 1000, now: 1151 })));
    // It has started: that is believed. Then that it started less often is told.
    assert!(take(&mut receiver, &trap(at(4, 1), 4), 152 * SECOND).is_ok());
    let back = take(&mut receiver, &trap(at(1, 5), 5), 153 * SECOND);
    assert_eq!(back, Err(Why::Untimely(Untimely::BootsWentBack { told: 1, known: 4 })));
    // Once it was asked afresh, it is believed again.
    receiver.heard(&engine_id(b"device 1"), at(1, 6), 154 * SECOND);
    assert!(take(&mut receiver, &trap(at(1, 7), 6), 155 * SECOND).is_ok());
}

#[test]
fn a_trap_with_one_bit_changed_is_not_taken_and_changes_nothing() {
    let mut receiver = receiver();
    let honest = trap(at(3, 1000), 1);
    for place in 0..honest.len() {
        for bit in 0..8 {
            let mut flipped = honest.clone();
            flipped[place] ^= 1 << bit;
            assert!(take(&mut receiver, &flipped, SECOND).is_err(), "bit {bit} of octet {place}");
        }
    }
    assert_eq!(take(&mut receiver, &honest, SECOND), Ok(Some(engine_id(b"device 1"))));
}

#[test]
fn what_strangers_send_is_judged_and_leaves_nothing() {
    let mut receiver = receiver();
    receiver.know([]);
    // It proves who it is, and nothing is remembered of it.
    assert_eq!(take(&mut receiver, &trap(at(3, 1000), 1), SECOND), Ok(Some(engine_id(b"device 1"))));
    assert_eq!(take(&mut receiver, &trap(at(3, 1000), 1), SECOND), Ok(Some(engine_id(b"device 1"))));
    receiver.admit([]);
    let unknown = take(&mut receiver, &trap(at(3, 1000), 1), SECOND);
    assert_eq!(unknown, Err(Why::Reported(ReportKind::UnknownUserName)));
    assert_eq!(receiver.statistics()[0].of(ReportKind::UnknownUserName), 1);
}

/// Sites share a name of a user, and none knows the secrets of another.
#[test]
fn users_of_one_name_are_told_apart_by_their_keys_and_speak_for_their_own_engines() {
    let other = |passphrase: &[u8]| {
        let user = User::new("anna").unwrap().authenticating(Authentication::Sha256, passphrase).unwrap();
        Arc::new(user.encrypting(Privacy::Aes128, passphrase).unwrap())
    };
    let (south, north) = (other(b"of the south"), other(b"of the north"));
    let said = |user: &User, engine: &[u8], request_id| {
        let (mut datagram, id) = (Vec::new(), engine_id(engine));
        let keys = user.localized(&id);
        event().trap_v3(&keys, &id, at(3, 1000), request_id, 99).encode(&mut datagram).unwrap();
        datagram
    };
    let mut receiver = receiver();
    receiver.admit([Arc::clone(&south), Arc::clone(&north)]);
    // While its secrets are rotated an engine is believed as both.
    receiver.know([
        (engine_id(b"device 1"), [Arc::clone(&north), Arc::new(anna())].into()),
        (engine_id(b"device 2"), [Arc::clone(&south)].into()),
    ]);
    let mut take = |user: &User, engine: &[u8], request_id| {
        take(&mut receiver, &said(user, engine, request_id), SECOND).map(|engine| engine.is_some())
    };
    assert_eq!(take(&north, b"device 1", 1), Ok(true));
    assert_eq!(take(&anna(), b"device 1", 2), Ok(true));
    assert_eq!(take(&north, b"device 1", 3), Ok(true));
    assert_eq!(take(&south, b"device 2", 4), Ok(true));
    assert_eq!(take(&south, b"device 1", 5), Err(Why::Reported(ReportKind::WrongDigest)));
    assert_eq!(take(&north, b"device 2", 6), Err(Why::Reported(ReportKind::WrongDigest)));
    // Of an engine that nobody knows either may be the user.
    assert_eq!((take(&north, b"device 3", 7), take(&south, b"device 3", 8)), (Ok(true), Ok(true)));
    assert_eq!(take(&anna(), b"device 3", 9), Err(Why::Reported(ReportKind::WrongDigest)));
}

#[test]
fn an_inform_finds_out_whom_it_is_sent_to_and_is_answered() {
    for user in [anna(), user("berta", Authentication::Md5, Privacy::Des)] {
        let mut receiver = receiver();
        receiver.admit([Arc::new(user.clone())]);
        let mut manager = Manager::new(Settings::default(), 3);
        let target =
            Target { address: address(), principal: Arc::new(user).into(), timeout: SECOND, retries: 1 };
        let key = manager.request(&target, event().inform()).unwrap();
        let (mut datagram, mut sendings, mut taken) = (Vec::new(), 0, 0);
        while manager.poll_transmit(SECOND, &mut datagram).is_some() {
            sendings += 1;
            let mut scratch = Vec::new();
            match receiver.receive(&datagram, at(9, 9), SECOND, &mut scratch) {
                Ok(received) => {
                    taken += 1;
                    assert!(matches!(received.notification.kind, NotificationKind::Inform { .. }));
                    assert_eq!((received.notification.name, received.engine), (COLD_START, None));
                    manager.handle(address(), &received.response.unwrap(), SECOND);
                }
                Err(not) => manager.handle(address(), &not.report.unwrap(), SECOND),
            }
        }
        let (told, outcome) = manager.poll_event().unwrap();
        assert_eq!((told, outcome.is_ok(), sendings, taken), (key, true, 2, 1));
    }
}
