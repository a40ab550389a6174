//! Data on stdout, as a table or as JSON; times as people read them.

use core::time::Duration;
use std::borrow::Cow;
use std::io::{self, Write as _};

use clap::ValueEnum;
use comfy_table::{Table, presets};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;
use upgrade::Time;

use super::exit::Failure;
use crate::api::{Check, Finding};

/// The form of data on stdout.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    #[default]
    Table,
    /// For programs.
    Json,
}

/// Writes a line on stdout.
///
/// # Errors
///
/// Nobody reads it.
pub(super) fn line(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{}", printable(text))
        .and_then(|()| stdout.flush())
        .map_err(|error| Failure::output(&error))
}

/// Writes a value as JSON on stdout.
///
/// # Errors
///
/// Nobody reads it.
pub(super) fn json(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value);
    line(&text.map_err(|error| Failure::of(&error, "this is a fault of the program; report it"))?)
}

/// Writes a value as JSON on stdout, in one line.
///
/// # Errors
///
/// Nobody reads it.
pub(super) fn json_line(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string(value);
    line(&text.map_err(|error| Failure::of(&error, "this is a fault of the program; report it"))?)
}

/// Writes a table on stdout; where it has no row, a word about that on stderr.
///
/// # Errors
///
/// Nobody reads it.
pub(super) fn table<const N: usize>(
    headers: [&str; N],
    rows: Vec<[String; N]>,
    none: &str,
) -> Result<(), Failure> {
    if rows.is_empty() {
        note(none);
        return Ok(());
    }
    line(&format_table(headers, rows))
}

/// Columns with blanks between them, no blanks at the ends of lines.
pub(super) fn format_table<const N: usize>(headers: [&str; N], rows: Vec<[String; N]>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(headers);
    table.add_rows(rows);
    let trimmed = |line: &str| line.trim_end().strip_prefix(' ').unwrap_or(line.trim_end()).to_owned();
    table.lines().map(|line| trimmed(&line)).collect::<Vec<_>>().join("\n")
}

/// Writes names and values, one a line, aligned; those without a value are left out.
///
/// # Errors
///
/// Nobody reads it.
pub(super) fn fields(fields: &[(&str, String)]) -> Result<(), Failure> {
    let width = fields.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    for (name, value) in fields.iter().filter(|(_, value)| !value.is_empty()) {
        line(&format!("{name:width$}  {value}"))?;
    }
    Ok(())
}

/// Writes what was looked at, each with how it is and what to do.
///
/// # Errors
///
/// Nobody reads it.
pub(super) fn checks(checks: &[Check], form: Output) -> Result<(), Failure> {
    if form == Output::Json {
        return json(&checks);
    }
    for check in checks {
        let word = match check.finding {
            Finding::Good => "good",
            Finding::Warning => "look",
            Finding::Bad => "BAD",
        };
        line(&format!("{word:<5} {:<14} {}", check.name, check.text))?;
        if !check.next.is_empty() {
            line(&format!("{:<20} {}", "", check.next))?;
        }
    }
    Ok(())
}

/// A word on stderr. That nobody reads it is no error.
pub(super) fn note(text: &str) {
    let _ = writeln!(io::stderr(), "{}", printable(text));
}

/// The text without what would steer a terminal: devices and files say what they like. Lines and tabs stay.
pub(super) fn printable(text: &str) -> Cow<'_, str> {
    let steers = |c: char| c.is_control() && c != '\n' && c != '\t';
    if !text.contains(steers) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().map(|c| if steers(c) { char::REPLACEMENT_CHARACTER } else { c }).collect())
}

/// Date and time where this command runs.
pub(super) fn date_time(time: Time) -> String {
    zoned(time).map_or_else(|| time.to_string(), |zoned| zoned.strftime("%Y-%m-%d %H:%M:%S").to_string())
}

/// The time of day where this command runs.
pub(super) fn time_of_day(time: Time) -> String {
    zoned(time).map_or_else(|| time.to_string(), |zoned| zoned.strftime("%H:%M:%S").to_string())
}

/// Bytes, as people read them.
pub(super) fn bytes(count: u64) -> String {
    match count {
        0..10_240 => format!("{count} B"),
        10_240..10_485_760 => format!("{} KiB", count / 1024),
        _ => format!("{} MiB", count / (1024 * 1024)),
    }
}

/// A span of time, as people say it.
pub(super) fn span(span: Duration) -> String {
    match span.as_secs() {
        0 => format!("{} ms", span.as_millis()),
        seconds @ 1..120 => format!("{seconds} s"),
        seconds @ 120..7200 => format!("{} min", seconds / 60),
        seconds @ 7200..172_800 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        seconds => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

/// A value, or a dash.
pub(super) fn or_dash(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

fn zoned(time: Time) -> Option<jiff::Zoned> {
    let millis = i64::try_from(time.as_millis()).ok()?;
    Some(Timestamp::from_millisecond(millis).ok()?.to_zoned(TimeZone::system()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_device_says_does_not_steer_the_terminal() {
        assert_eq!(printable("model\u{1b}[2J \u{9b}x\r"), "model\u{fffd}[2J \u{fffd}x\u{fffd}");
        assert_eq!(printable("one\n\ttwo ü"), "one\n\ttwo ü");
    }

    #[test]
    fn spans_are_told_in_the_unit_that_fits() {
        for (seconds, said) in
            [(0, "0 ms"), (90, "90 s"), (180, "3 min"), (7260, "2 h 1 min"), (180_000, "2 d 2 h")]
        {
            assert_eq!(span(Duration::from_secs(seconds)), said);
        }
    }

    #[test]
    fn a_table_is_aligned_and_has_no_blanks_at_its_edges() {
        let rows = vec![["iad-1".into(), "2.0".into()], ["a-longer-name".into(), "-".into()]];
        assert_eq!(
            format_table(["DEVICE", "VERSION"], rows),
            "DEVICE         VERSION\niad-1          2.0\na-longer-name  -"
        );
    }
}
