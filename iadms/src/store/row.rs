//! Between columns and the types of the program.

use serde::Serialize;
use serde::de::DeserializeOwned;
use upgrade::Time;

use super::StoreError;

/// SQLite's integers are signed; none of ours comes near the sign.
pub(super) fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn number(integer: i64) -> u64 {
    u64::try_from(integer).unwrap_or(0)
}

pub(super) fn time(millis: i64) -> Time {
    Time::from_millis(number(millis))
}

pub(super) fn millis(time: Time) -> i64 {
    integer(time.as_millis())
}

pub(super) fn write<T: Serialize>(what: &str, value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|source| unreadable(what, source))
}

pub(super) fn read<T: DeserializeOwned>(what: &str, text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|source| unreadable(what, source))
}

/// A word of a column whose type is an enum written as one word.
pub(super) fn read_word<T: DeserializeOwned>(what: &str, word: &str) -> Result<T, StoreError> {
    serde_json::from_value(serde_json::Value::String(word.to_owned()))
        .map_err(|source| unreadable(what, source))
}

fn unreadable(what: &str, source: serde_json::Error) -> StoreError {
    StoreError::Unreadable { what: what.to_owned(), source }
}
