//! What is written is read back, whatever it is, and no bytes make the reader fail other than by an error.

use proptest::collection::vec;
use proptest::prelude::*;
use snmp::agent::Agent;
use snmp::manager::{Manager, Request, Settings, Target};
use snmp::notification::Notification;
use snmp::*;
use std::time::Duration;

use crate::device::Device;
use crate::samples::{any_message, any_name, any_value, encoded};

/// All that takes bytes from the network.
fn read_every_way(datagram: &[u8]) {
    let _ = Message::decode(datagram);
    let _ = Notification::decode(datagram);
    let peer = "127.0.0.1:161".parse().unwrap();
    let mut manager = Manager::new(Settings::default(), 1);
    manager.handle(peer, datagram, Duration::ZERO);
    let _ = Agent::new(agent::Settings::default(), 1).respond(
        datagram,
        None,
        &mut Device::with_holes(),
        &mut Vec::new(),
    );
}

proptest! {
    #[test]
    fn a_message_is_read_back_as_it_was_written(message in any_message()) {
        let datagram = encoded(&message);
        prop_assert_eq!(Message::decode(&datagram).unwrap().into_owned(), message);
    }

    #[test]
    fn encoding_appends_to_what_the_buffer_holds(message in any_message()) {
        let mut buffer = b"before".to_vec();
        message.encode(&mut buffer).unwrap();
        prop_assert_eq!(&buffer[..6], b"before");
        prop_assert_eq!(&buffer[6..], &encoded(&message)[..]);
    }

    #[test]
    fn the_length_told_beforehand_is_the_length_written(name in any_name(), value in any_value()) {
        let message = |varbinds| {
            let pdu = Pdu { request_id: 1, operation: Operation::Get, varbinds };
            encoded(&Message::new(Security::v2c("public"), pdu)).len()
        };
        let varbind = VarBind { name, value };
        // Long enough that one more variable binding lengthens no length field of the envelope.
        let filler = VarBind::new(ObjectIdentifier::new([1, 3]), "x".repeat(300));
        let told = varbind.encoded_length();
        prop_assert_eq!(message(vec![filler.clone(), varbind]) - message(vec![filler]), told);
    }

    #[test]
    fn any_bytes_are_a_message_or_an_error(bytes in vec(any::<u8>(), 0..300)) {
        read_every_way(&bytes);
    }

    #[test]
    fn a_message_broken_off_anywhere_is_an_error(message in any_message(), cut in any::<prop::sample::Index>()) {
        let datagram = encoded(&message);
        let broken = &datagram[..cut.index(datagram.len())];
        read_every_way(broken);
        prop_assert!(Message::decode(broken).is_err());
    }

    #[test]
    fn a_message_with_changed_bytes_is_a_message_or_an_error(
        message in any_message(),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut datagram = encoded(&message);
        for (place, byte) in changes {
            let place = place.index(datagram.len());
            datagram[place] = byte;
        }
        read_every_way(&datagram);
    }
}

#[test]
fn more_variable_bindings_than_the_bound_are_refused_before_they_are_kept() {
    let varbinds = vec![VarBind::unset(ObjectIdentifier::new([1, 3])); MAXIMUM_VARBINDS + 1];
    let pdu = Pdu { request_id: 1, operation: Operation::Get, varbinds };
    let datagram = encoded(&Message::new(Security::v2c("public"), pdu));
    assert_eq!(Message::decode(&datagram), Err(DecodeError::TooManyVarBinds));
}

#[test]
fn a_message_longer_than_a_datagram_is_neither_written_nor_read() {
    let long = VarBind::new(ObjectIdentifier::new([1, 3]), "x".repeat(MAXIMUM_MESSAGE_SIZE));
    let pdu = Pdu { request_id: 1, operation: Operation::Set, varbinds: vec![long.clone()] };
    let mut buffer = b"before".to_vec();
    let error = Message::new(Security::v2c("public"), pdu).encode(&mut buffer).unwrap_err();
    assert!(matches!(error, EncodeError::TooLarge(length) if length > MAXIMUM_MESSAGE_SIZE));
    assert_eq!(buffer, b"before");
    assert_eq!(Message::decode(&vec![0x30; MAXIMUM_MESSAGE_SIZE + 1]), Err(DecodeError::TooLarge));
    let target = Target {
        address: "127.0.0.1:161".parse().unwrap(),
        principal: Security::v2c("public").into(),
        timeout: Duration::from_secs(1),
        retries: 0,
    };
    let mut manager = Manager::new(Settings::default(), 1);
    assert!(manager.request(&target, Request::set(vec![long])).is_err());
    assert_eq!((manager.outstanding(), manager.next_deadline()), (0, None));
}
