//! What is fuzzed: whatever reads bytes that anybody may send. Each takes bytes, and panics where something does not hold of
//! them.

mod messages;
mod notifications;
mod transfers;

/// What takes the bytes.
pub type Target = fn(&[u8]);

/// All that is fuzzed, by name.
pub const TARGETS: [(&str, Target); 5] = [
    ("message", messages::message),
    ("message_v3", messages::message_v3),
    ("packet", transfers::packet),
    ("session", transfers::session),
    ("notification", notifications::notification),
];

/// Feeds bytes to the target of this name; nothing where there is none.
pub fn feed(name: &str, bytes: &[u8]) {
    if let Some((_, target)) = TARGETS.iter().find(|(own, _)| *own == name) {
        target(bytes);
    }
}
