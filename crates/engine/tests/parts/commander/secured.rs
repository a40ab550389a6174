//! Requests to agents of SNMPv3: by which secrets, and what of their engines is told.

use core::time::Duration;
use std::sync::Arc;

use engine::access::{Credentials, Version};
use engine::commander::{Answer, Ask, Outcome, Proof, What};
use engine::datagram::Datagram;
use engine::{Access, Commander};
use snmp::agent::{self, Agent, Engine, Instance, Objects, Refusal, Syntax, UndoFailed, Writable};
use snmp::usm::{Authentication, Authority, EngineId, EngineTime, Privacy, User};
use snmp::{ObjectIdentifier, Value as Wire, VarBind};
use upgrade::Value;

use super::{access, agent, asker, objects, outcomes};

/// An agent of SNMPv3 with one object, and one user.
struct Secured {
    agent: Agent,
    authority: Authority,
    at: EngineTime,
    /// It starts anew after each message.
    restless: bool,
    sent: usize,
}

impl Secured {
    fn new(user: &User) -> Self {
        let settings = agent::Settings { read_write_users: vec![user.clone()], ..agent::Settings::default() };
        let id = EngineId::of_text(32473, "device");
        let at = EngineTime { boots: 3, time: 100 };
        Self { agent: Agent::new(settings, 1), authority: Authority::new(id), at, restless: false, sent: 0 }
    }

    fn exchange(&mut self, commander: &mut Commander) -> Vec<Answer> {
        let (mut buffer, mut response) = (Vec::new(), Vec::new());
        while commander.poll_transmit(Duration::ZERO, &mut buffer).is_some() {
            self.sent += 1;
            response.clear();
            let engine = Engine { authority: &mut self.authority, at: self.at };
            self.agent.respond(&buffer, Some(engine), &mut Five, &mut response);
            let datagram = Datagram { peer: agent(), local: None, bytes: &response };
            commander.handle(&[datagram], Duration::ZERO);
            self.at.boots += u32::from(self.restless);
        }
        std::iter::from_fn(|| commander.poll_answer(Duration::ZERO)).collect()
    }
}

/// Each object is there, is 5 and stays so.
struct Five;

impl Objects for Five {
    fn get(&self, _name: &ObjectIdentifier) -> Wire {
        Wire::Integer(5)
    }

    fn next(&self, _name: &ObjectIdentifier) -> Option<VarBind> {
        None
    }

    fn writable(&self, _name: &ObjectIdentifier) -> Writable {
        Writable::Object { syntax: Syntax::Integer(0..=9), instance: Instance::Writable }
    }

    fn test(&self, _varbinds: &[VarBind]) -> Result<(), Refusal> {
        Ok(())
    }

    fn commit(&mut self, _varbinds: &[VarBind]) -> Result<(), Refusal> {
        Ok(())
    }

    fn undo(&mut self, _before: &[VarBind]) -> Result<(), UndoFailed> {
        Ok(())
    }
}

fn user(passphrase: &[u8]) -> Arc<User> {
    let user = User::new("anna").unwrap().authenticating(Authentication::Sha256, passphrase).unwrap();
    Arc::new(user.encrypting(Privacy::Aes128, passphrase).unwrap())
}

/// While a credential is rotated, some devices know the new secrets, and the others those of before.
#[test]
fn a_device_is_asked_by_the_secrets_that_it_knows() {
    let (new, former, wrong) = (user(b"new secrets"), user(b"of before"), user(b"of nobody"));
    let access = Access { credential: Some("north".into()), ..access(Version::V3) };
    let get =
        |asked| Ask { asker: asker(1, asked), access: access.clone(), what: What::Get(objects(1).into()) };
    let five = Outcome::Values(vec![(objects(1).remove(0), Value::Integer(5))]);
    for (device, superseded) in [(&new, false), (&former, true)] {
        let mut commander = Commander::new(7);
        commander.know([("north".into(), [Arc::clone(&new), Arc::clone(&former)].into())].into());
        let mut agent = Secured::new(device);
        commander.ask(get(1));
        let answers = agent.exchange(&mut commander);
        assert_eq!(outcomes(&answers), [(asker(1, 1), five.clone())]);
        let proof = Proof { engine: EngineId::of_text(32473, "device"), superseded };
        assert_eq!(answers[0].proof, Some(proof));
        // What it knows is remembered: the next look, and what is commanded, is asked by that at once.
        let before = agent.sent;
        commander.ask(get(2));
        assert_eq!(agent.exchange(&mut commander)[0].proof, Some(proof));
        let writes = vec![(objects(1).remove(0), Value::Integer(5))];
        commander.ask(Ask { asker: asker(1, 3), access: access.clone(), what: What::Set(writes) });
        assert_eq!(outcomes(&agent.exchange(&mut commander)), [(asker(1, 3), Outcome::Values(Vec::new()))]);
        assert_eq!(agent.sent - before, 2);
    }
    // Nobody knows those: it is told, and not tried for ever.
    let mut commander = Commander::new(7);
    commander.know([("north".into(), [Arc::clone(&new), Arc::clone(&former)].into())].into());
    commander.ask(get(1));
    let answers = Secured::new(&wrong).exchange(&mut commander);
    assert!(matches!(&answers[0].outcome, Outcome::Refused(why) if why.contains("digest")), "{answers:?}");
    // And a credential that is not there is said.
    commander.know(Credentials::new());
    commander.ask(get(2));
    let answers = Secured::new(&new).exchange(&mut commander);
    assert!(matches!(&answers[0].outcome, Outcome::Refused(why) if why.contains("\"north\"")), "{answers:?}");
}

/// Its notifications would be taken for old ones.
#[test]
fn an_engine_that_counts_its_starts_anew_is_told() {
    let secrets = user(b"new secrets");
    let access = Access { credential: Some("north".into()), ..access(Version::V3) };
    let mut commander = Commander::new(7);
    commander.know([("north".into(), [Arc::clone(&secrets)].into())].into());
    let mut agent = Secured::new(&secrets);
    for (asked, boots) in [(1, 3), (2, 1)] {
        agent.at.boots = boots;
        let what = What::Get(objects(1).into());
        commander.ask(Ask { asker: asker(1, asked), access: access.clone(), what });
        assert!(matches!(agent.exchange(&mut commander)[0].outcome, Outcome::Values(_)));
        let told = commander.poll_regression().map(|told| (told.known, told.told.boots));
        assert_eq!(told, (asked == 2).then_some((3, 1)));
    }
}

/// It knows the secrets: nobody asks it by those of before.
#[test]
fn a_device_whose_clock_never_rests_is_not_asked_as_another() {
    let (new, former) = (user(b"new secrets"), user(b"of before"));
    let access = Access { credential: Some("north".into()), ..access(Version::V3) };
    let mut sent = Vec::new();
    for users in [vec![Arc::clone(&new)], vec![Arc::clone(&new), former]] {
        let mut commander = Commander::new(7);
        commander.know([("north".into(), users.into())].into());
        let mut agent = Secured { restless: true, ..Secured::new(&new) };
        let what = What::Get(objects(1).into());
        commander.ask(Ask { asker: asker(1, 1), access: access.clone(), what });
        let answers = agent.exchange(&mut commander);
        assert!(!matches!(answers[0].outcome, Outcome::Values(_)), "{answers:?}");
        sent.push(agent.sent);
    }
    assert_eq!(sent[0], sent[1]);
}

/// Found by the deterministic world: a Report answers one copy of a SET, and says nothing of another that is still on its way.
/// It is neither sent anew nor taken for refused.
#[test]
fn what_is_commanded_is_sent_by_one_user_alone() {
    let (new, former) = (user(b"new secrets"), user(b"of before"));
    let access = Access { credential: Some("north".into()), ..access(Version::V3) };
    let mut commander = Commander::new(7);
    commander.know([("north".into(), [new, Arc::clone(&former)].into())].into());
    let writes = vec![(objects(1).remove(0), Value::Integer(5))];
    commander.ask(Ask { asker: asker(1, 1), access, what: What::Set(writes) });
    let answers = Secured::new(&former).exchange(&mut commander);
    assert_eq!(outcomes(&answers), [(asker(1, 1), Outcome::Unanswered)]);
}
