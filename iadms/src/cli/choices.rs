//! Options that several commands share: which devices, and how a run goes about it.

use clap::Args;
use jiff::civil::{DateTime, Time as TimeOfDay};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, Zoned};
use upgrade::run::{Choices, Policy};
use upgrade::{Kind, Protocol, Time};

use super::{Context, Failure};
use crate::inventory::Device;

/// Which devices.
#[derive(Debug, Clone, Args)]
pub(super) struct Devices {
    /// The devices' names
    #[arg(value_name = "DEVICE", required_unless_present_any = ["label", "all"])]
    devices: Vec<String>,

    /// All devices with this label; with several labels, those that have them all
    #[arg(long, value_name = "KEY=VALUE", value_parser = label, conflicts_with = "devices")]
    label: Vec<(String, String)>,

    /// All devices
    #[arg(long, conflicts_with_all = ["devices", "label"])]
    all: bool,
}

/// How a run goes about it.
#[derive(Debug, Clone, Args)]
pub(super) struct Manner {
    /// Who decides after a failure: ask (an operator), auto:N (it is tried again by itself, N times and ever later,
    /// then an operator is asked), never (the run ends)
    #[arg(long, value_name = "POLICY", default_value = "ask", value_parser = policy)]
    policy: Policy,

    /// How long a question stays open before the run ends, such as 2h or 90m; default: until it is answered
    #[arg(long, value_name = "TIME", value_parser = span_ms)]
    question_limit: Option<u64>,

    /// How files go over; default: as the device's entry says, or its profile
    #[arg(long, value_name = "tftp|ftp|push", value_parser = protocol)]
    pub(super) protocol: Option<Protocol>,

    /// Wait for the end, show how it goes, and ask here what has to be asked
    #[arg(long)]
    pub(super) wait: bool,
}

impl Devices {
    /// Their names.
    ///
    /// # Errors
    ///
    /// No daemon answers, or no device has the labels.
    pub(super) async fn names(&self, context: &Context) -> Result<Vec<String>, Failure> {
        if !self.all && self.label.is_empty() {
            return Ok(self.devices.clone());
        }
        let all: Vec<Device> = context.client.get("/devices").await?;
        let wanted = |device: &Device| {
            self.label.iter().all(|(key, value)| device.entry.labels.get(key) == Some(value))
        };
        let names: Vec<_> = all.into_iter().filter(wanted).map(|device| device.entry.name).collect();
        if names.is_empty() {
            let error = if self.all { "the inventory holds no device" } else { "no device has these labels" };
            return Err(Failure::new(error, "see `iadms device list` for names and labels"));
        }
        Ok(names)
    }
}

impl Manner {
    /// The choices, of all kinds of configuration, activated as soon as may be.
    pub(super) const fn choices(&self) -> Choices {
        Choices {
            kinds: Vec::new(),
            policy: self.policy,
            question_limit_ms: self.question_limit,
            activate_at: None,
            overwrite: false,
        }
    }
}

/// `key=value`.
pub(super) fn label(text: &str) -> Result<(String, String), String> {
    let split = text.split_once('=').filter(|(key, _)| !key.trim().is_empty());
    let (key, value) = split.ok_or("KEY=VALUE was expected, such as site=north")?;
    Ok((key.trim().to_owned(), value.trim().to_owned()))
}

/// A kind of configuration.
pub(super) fn kind(text: &str) -> Result<Kind, String> {
    let good = !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_');
    if good { Ok(Kind(text.into())) } else { Err("a kind such as user-data was expected".into()) }
}

/// `tftp`, `ftp` or `push`.
pub(super) fn protocol(text: &str) -> Result<Protocol, String> {
    match text {
        "tftp" => Ok(Protocol::Tftp),
        "ftp" => Ok(Protocol::Ftp),
        "push" => Ok(Protocol::Push),
        _ => Err("tftp, ftp or push was expected".into()),
    }
}

fn policy(text: &str) -> Result<Policy, String> {
    match (text, text.strip_prefix("auto:").map(str::parse)) {
        ("ask", _) => Ok(Policy::Ask),
        ("never", _) => Ok(Policy::Never),
        (_, Some(Ok(repeats @ 1..=1000))) => Ok(Policy::Auto(repeats)),
        _ => Err("ask, never, or auto:N with N from 1 to 1000 was expected".into()),
    }
}

fn span_ms(text: &str) -> Result<u64, String> {
    let wrong = || "a time such as 2h, 90m or 45s was expected".to_owned();
    let span: SignedDuration = text.parse().map_err(|_| wrong())?;
    u64::try_from(span.as_millis()).ok().filter(|millis| *millis > 0).ok_or_else(wrong)
}

/// A moment to come: with a zone or offset, or of where this command runs.
pub(super) fn moment(text: &str) -> Result<Time, String> {
    moment_after(text, &Zoned::now())
}

fn moment_after(text: &str, now: &Zoned) -> Result<Time, String> {
    let wrong = || {
        "a moment such as 02:00, '2026-11-22 02:00' or 2026-11-22T02:00:00Z was expected, \
         and one that there is"
            .to_owned()
    };
    let here = |local: DateTime| {
        // A clock that is set forward skips some moments; what is meant then cannot be known.
        let zoned = now.time_zone().to_ambiguous_zoned(local);
        zoned.unambiguous().map(|zoned| zoned.timestamp()).map_err(|_| wrong())
    };
    let timestamp = if let Ok(timestamp) = text.parse::<Timestamp>() {
        timestamp
    } else if let Ok(zoned) = text.parse::<Zoned>() {
        zoned.timestamp()
    } else if let Ok(local) = text.parse::<DateTime>() {
        here(local)?
    } else {
        let time: TimeOfDay = text.parse().map_err(|_| wrong())?;
        let today = here(now.date().to_datetime(time))?;
        if today > now.timestamp() {
            today
        } else {
            here(now.date().tomorrow().map_err(|_| wrong())?.to_datetime(time))?
        }
    };
    if timestamp <= now.timestamp() {
        let when = timestamp.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M").to_string();
        return Err(format!("{when} is past; a moment to come was expected"));
    }
    u64::try_from(timestamp.as_millisecond()).map(Time::from_millis).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_are_words_or_a_number_of_repeats() {
        assert_eq!(policy("ask"), Ok(Policy::Ask));
        assert_eq!(policy("auto:3"), Ok(Policy::Auto(3)));
        for wrong in ["auto", "auto:", "auto:0", "auto:-1", "Ask", "auto:1001"] {
            assert!(policy(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn spans_have_units() {
        assert_eq!(span_ms("2h"), Ok(7_200_000));
        assert_eq!(span_ms("1h 30m"), Ok(5_400_000));
        for wrong in ["", "2", "0s", "-1h", "soon"] {
            assert!(span_ms(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_moment_is_the_next_one_that_is_meant() {
        let now: Zoned = "2026-03-28T23:30:00+01:00[Europe/Berlin]".parse().unwrap();
        let told = |text: &str| {
            let moment = moment_after(text, &now)?;
            let millis = i64::try_from(moment.as_millis()).unwrap();
            Ok::<_, String>(Timestamp::from_millisecond(millis).unwrap().to_string())
        };
        assert_eq!(told("23:45").unwrap(), "2026-03-28T22:45:00Z", "today");
        assert_eq!(told("01:30").unwrap(), "2026-03-29T00:30:00Z", "tomorrow");
        assert!(told("02:30").is_err(), "that night the clock goes from 2 to 3");
        assert_eq!(told("2026-03-30 02:30").unwrap(), "2026-03-30T00:30:00Z", "in summer time");
        assert_eq!(told("2026-03-29T02:30:00Z").unwrap(), "2026-03-29T02:30:00Z", "elsewhere there is one");
        assert!(told("2026-03-28 12:00").unwrap_err().contains("past"));
        assert!(told("noon").is_err());
    }
}
