//! SNMP messages, as an agent and a manager read them.

use core::time::Duration;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, LazyLock};

use snmp::agent::{Agent, Engine, Instance, Objects, Refusal, Settings, Syntax, UndoFailed, Writable};
use snmp::manager::{Manager, Principal, Request, Settings as ManagerSettings, Target};
use snmp::usm::{Authentication, Authority, EngineId, EngineTime, InvalidUser, Overheard, Privacy, User};
use snmp::{Message, ObjectIdentifier, Value, VarBind};

const PEER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 161);
const NAME: ObjectIdentifier = ObjectIdentifier::new([1, 3, 6, 1, 2, 1, 1, 1, 0]);
const AT: EngineTime = EngineTime { boots: 1, time: 100 };

/// One object.
struct Device;

impl Objects for Device {
    fn get(&self, name: &ObjectIdentifier) -> Value {
        if *name == NAME { Value::from("a device") } else { Value::NoSuchObject }
    }

    fn next(&self, name: &ObjectIdentifier) -> Option<VarBind> {
        (*name < NAME).then(|| VarBind::new(NAME, "a device"))
    }

    fn writable(&self, name: &ObjectIdentifier) -> Writable {
        let object = Writable::Object { syntax: Syntax::Octets(0..=255), instance: Instance::Writable };
        if *name == NAME { object } else { Writable::Never }
    }

    fn test(&self, _: &[VarBind]) -> Result<(), Refusal> {
        Ok(())
    }

    fn commit(&mut self, _: &[VarBind]) -> Result<(), Refusal> {
        Ok(())
    }

    fn undo(&mut self, _: &[VarBind]) -> Result<(), UndoFailed> {
        Ok(())
    }
}

/// What can be read can be written, and is the same then. Neither an agent nor a manager answers with more than a datagram holds.
pub(crate) fn message(bytes: &[u8]) {
    if let Ok(message) = Message::decode(bytes) {
        let message = message.into_owned();
        let mut written = Vec::new();
        if message.encode(&mut written).is_ok() {
            let again = Message::decode(&written).map(Message::into_owned);
            assert_eq!(again.as_ref(), Ok(&message), "{bytes:02x?}");
        }
    }
    let communities = Settings {
        read_only: vec![b"public".to_vec()],
        read_write: vec![b"private".to_vec()],
        ..Settings::default()
    };
    let (mut agent, mut response) = (Agent::new(communities, 1), Vec::new());
    agent.respond(bytes, None, &mut Device, &mut response);
    assert!(response.len() <= snmp::MAXIMUM_MESSAGE_SIZE, "{} bytes answered", response.len());
    let mut manager = Manager::new(ManagerSettings::default(), 1);
    manager.handle(PEER, bytes, Duration::from_secs(1));
    assert_eq!(manager.poll_event().map(|(key, _)| key), None, "nothing was asked");
}

/// A user without secrets, whose messages anybody may write, and one whose messages are protected.
pub(crate) fn message_v3(bytes: &[u8]) {
    let engine = EngineId::of_text(32473, "fuzzed");
    let users = &*USERS;
    let settings = Settings { read_write_users: users.clone(), ..Settings::default() };
    let (mut agent, mut authority) = (Agent::new(settings, 1), Authority::new(engine));
    let mut response = Vec::new();
    let own = Engine { authority: &mut authority, at: AT };
    agent.respond(bytes, Some(own), &mut Device, &mut response);
    // Neither a report nor the one object there is makes an answer much longer than what was sent.
    assert!(
        response.len() <= bytes.len() + 200 || response.len() <= 500,
        "{} bytes answered",
        response.len()
    );
    for user in users {
        let keys = user.localized(&engine);
        if let Ok(heard) = Overheard::new(bytes, &keys) {
            let _ = heard.body();
        }
        // An answer to a request that is under way.
        let mut manager = Manager::new(ManagerSettings::default(), 1);
        let principal = Principal::User(Arc::new(user.clone()));
        let target = Target { address: PEER, principal, timeout: Duration::from_secs(1), retries: 1 };
        if manager.request(&target, Request::Get(vec![NAME])).is_ok() {
            let mut sent = Vec::new();
            manager.poll_transmit(Duration::ZERO, &mut sent);
            manager.handle(PEER, bytes, Duration::from_millis(1));
            manager.poll_transmit(Duration::from_millis(2), &mut sent);
        }
    }
}

/// Made once: keys take milliseconds.
static USERS: LazyLock<Vec<User>> =
    LazyLock::new(|| [User::new("open"), protected("protected")].into_iter().flatten().collect());

/// A user whose messages are authenticated and encrypted.
pub(crate) fn protected(name: &str) -> Result<User, InvalidUser> {
    User::new(name)?
        .authenticating(Authentication::Sha1, b"maplesyrup")?
        .encrypting(Privacy::Aes128, b"rupryselpam")
}
