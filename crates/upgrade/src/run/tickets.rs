//! The tickets of a run's operations: names that nobody can guess, and what each is good for.

use sha2::{Digest as _, Sha256};

use super::Run;
use crate::operation::{Operation, Transfer};
use crate::profile::{Limits, Profile};
use crate::ticket::{Content, Direction};
use crate::{Protocol, Ticket, TicketName, Time};

/// Characters of a ticket's name: 80 bits.
const NAME_DIGITS: usize = 20;

/// How many characters the user's password by FTP has: 80 bits.
const PASSWORD_DIGITS: usize = 20;

impl Run {
    /// The password of the run's user by FTP, made of its secret.
    pub fn password(secret: &str) -> String {
        digits(&[secret, "password"], PASSWORD_DIGITS)
    }

    /// So many names for the operation that was begun last.
    pub(super) fn ticket_names(&self, count: usize) -> Vec<TicketName> {
        let operation = self.operations.to_string();
        (0..count)
            .map(|n| TicketName(digits(&[&self.secret, &operation, &n.to_string()], NAME_DIGITS)))
            .collect()
    }

    /// The tickets of these names.
    pub(super) fn tickets(
        &self,
        operation: &Operation,
        names: &[TicketName],
        profile: &Profile,
        now: Time,
    ) -> Vec<Ticket> {
        let lasts =
            profile.command(operation.task.command()).map(|command| command.deadline).unwrap_or_default();
        let limits = &profile.limits;
        let protocol = self.server.protocol_of(operation.task.command());
        // After a SET that was not answered, the operation's time begins when the device is heard again.
        let expires = now + Limits::span(limits.reach_s) + lasts + Limits::span(limits.evidence_s);
        let ticket = |transfer: &Transfer| Ticket {
            name: transfer.name.clone(),
            run: self.id,
            device: self.device.id,
            address: self.device.address,
            direction: if transfer.file.is_some() { Direction::Read } else { Direction::Write },
            protocol,
            content: transfer.file.map_or(Content::Arriving, |file| Content::Stored { digest: file.digest }),
            size: transfer.file.map_or(profile.limits.configuration_bytes, |file| file.size),
            expires,
            password: match protocol {
                Protocol::Ftp => self.server.password.clone(),
                Protocol::Tftp | Protocol::Push => String::new(),
            },
        };
        let wanted = operation.transfers.iter().filter(|transfer| names.contains(&transfer.name));
        wanted.map(ticket).collect()
    }
}

fn digits(parts: &[&str], count: usize) -> String {
    let hash = Sha256::digest(parts.join("|").as_bytes());
    let nibbles = hash.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    nibbles.filter_map(|nibble| char::from_digit(u32::from(nibble), 16)).take(count).collect()
}
