//! From a command to the varbinds of its one SET.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{Command, Object, Profile};
use crate::configuration::Kind;
use crate::object::{Oid, Syntax, Value};
use crate::{Digest, Protocol, TicketName};

/// The file server, as the device is told it (row H1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    /// The protocol.
    pub protocol: Protocol,
    /// The address.
    pub address: IpAddr,
    /// The port.
    pub port: u16,
    /// The user, for FTP; empty otherwise.
    pub user: String,
    /// The password, for FTP; empty otherwise.
    pub password: String,
}

impl Server {
    /// By which protocol the files of this command go over: the device fetches and sends all but images itself.
    pub const fn protocol_of(&self, command: Command) -> Protocol {
        match self.protocol {
            Protocol::Push if !matches!(command, Command::Download) => Protocol::Tftp,
            protocol => protocol,
        }
    }
}

/// What a command says, besides which one it is. Each field fills the template of its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order<'a> {
    /// `{operation}`: the operation's id.
    pub operation: &'a str,
    /// `{server-protocol}`, `{server-address}`, `{server-port}`, `{server-user}`, `{server-password}`.
    pub server: &'a Server,
    /// `{files}`, `{kinds}`, `{sizes}`, `{digests}`: a list each, with spaces between.
    pub files: Vec<OrderFile>,
    /// `{revision}`: the configuration revision expected; 0: any.
    pub revision: u32,
    /// `{version}`: the version wanted.
    pub version: &'a str,
    /// `{trial}`: seconds in which new software must be confirmed.
    pub trial_s: u32,
}

/// A file of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderFile {
    /// The name to ask the file server for.
    pub name: TicketName,
    /// The kind of configuration, where it is one.
    pub kind: Option<Kind>,
    /// Bytes expected, where known.
    pub size: Option<u64>,
    /// SHA-256 expected, where known.
    pub digest: Option<Digest>,
}

/// Why no SET can be made of a command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CannotWrite {
    /// The device does not know the command.
    #[error("its profile has no command {0:?}")]
    NoCommand(Command),
    /// A value does not fit its object.
    #[error("the object {object:?} takes no {value:?}")]
    Value {
        /// The object's name in the profile.
        object: String,
        /// The value that was to be written.
        value: String,
    },
}

impl Profile {
    /// The varbinds of the one SET that gives the command.
    ///
    /// # Errors
    ///
    /// The profile does not have the command, or cannot say it with these values.
    pub fn writes(&self, command: Command, order: &Order<'_>) -> Result<Vec<(Oid, Value)>, CannotWrite> {
        let told = self.command(command).ok_or(CannotWrite::NoCommand(command))?;
        let write = |(name, template): &(String, String)| {
            let text = self.fill(template, command, order);
            let refused = || CannotWrite::Value { object: name.clone(), value: text.clone() };
            let object = self.objects.get(name).ok_or_else(refused)?;
            Ok((object.oid.clone(), object.value(&text).ok_or_else(refused)?))
        };
        told.set.iter().map(write).collect()
    }

    fn fill(&self, template: &str, command: Command, order: &Order<'_>) -> String {
        let Some(name) = template.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) else {
            return template.to_owned();
        };
        let list =
            |each: &dyn Fn(&OrderFile) -> String| order.files.iter().map(each).collect::<Vec<_>>().join(" ");
        match name {
            "operation" => order.operation.to_owned(),
            "server-protocol" => order.server.protocol_of(command).to_string(),
            "server-address" => order.server.address.to_string(),
            "server-port" => order.server.port.to_string(),
            "server-user" => order.server.user.clone(),
            "server-password" => order.server.password.clone(),
            "files" => list(&|file| file.name.to_string()),
            "kinds" => {
                let numbers = order.files.iter().filter_map(|file| self.kinds.get(file.kind.as_ref()?));
                numbers.map(u32::to_string).collect::<Vec<_>>().join(" ")
            }
            "sizes" => {
                list(&|file| file.size.map_or_else(String::new, |size| size.to_string())).trim().to_owned()
            }
            "digests" => list(&|file| file.digest.map_or_else(String::new, |digest| digest.to_string()))
                .trim()
                .to_owned(),
            "revision" => order.revision.to_string(),
            "version" => order.version.to_owned(),
            "trial" => order.trial_s.to_string(),
            // The loader lets no other name through.
            _ => String::new(),
        }
    }
}

/// The templates that [`Profile::writes`] can fill.
pub(super) const TEMPLATES: [&str; 13] = [
    "operation",
    "server-protocol",
    "server-address",
    "server-port",
    "server-user",
    "server-password",
    "files",
    "kinds",
    "sizes",
    "digests",
    "revision",
    "version",
    "trial",
];

impl Object {
    /// The value that `text` is for this object; none where it fits not.
    pub(super) fn value(&self, text: &str) -> Option<Value> {
        let word = self.words.get(text).copied();
        Some(match self.syntax {
            Syntax::Integer => Value::Integer(word.or_else(|| text.parse().ok())?),
            Syntax::Unsigned => {
                Value::Unsigned(word.and_then(|word| u32::try_from(word).ok()).or_else(|| text.parse().ok())?)
            }
            Syntax::Text => Value::Octets(text.as_bytes().to_vec()),
            Syntax::Octets => Value::Octets(octets(text)?),
            Syntax::Ticks => Value::Ticks(text.parse().ok()?),
            Syntax::Oid => Value::Oid(text.parse().ok()?),
            Syntax::Address => match text.parse().ok()? {
                IpAddr::V4(address) => Value::Address(address.octets()),
                IpAddr::V6(_) => return None,
            },
            Syntax::Counter | Syntax::Bits => return None,
        })
    }
}

fn octets(hexadecimal: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u32>> = hexadecimal.chars().map(|digit| digit.to_digit(16)).collect();
    let pairs = digits?;
    let whole = pairs.len() % 2 == 0;
    let octet =
        |pair: &[u32]| pair.iter().try_fold(0, |sum, digit| u8::try_from(u32::from(sum) * 16 + digit).ok());
    whole.then(|| pairs.chunks_exact(2).map(octet).collect::<Option<_>>()).flatten()
}
