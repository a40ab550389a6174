//! `iad-sim device`

use clap::{Args, Subcommand, ValueEnum};

use super::Control;
use super::output::{Failure, Output, table};
use crate::device::ConfigurationKind;
use crate::net::{DeviceView, Request, Response};

/// Look at devices, and do to them what a person at the device could do
#[derive(Debug, Subcommand)]
pub(super) enum Device {
    List(List),
    Show(Show),
    SetConfig(SetConfig),
    Power(Power),
    Calls(Calls),
    Storm(Storm),
}

/// List all devices
#[derive(Debug, Args)]
pub(super) struct List {
    #[command(flatten)]
    control: Control,
    #[command(flatten)]
    output: Output,
}

/// Show a device: its buffers, its configuration, its operation and what was counted of it
#[derive(Debug, Args)]
pub(super) struct Show {
    /// The unique id or number of the device
    device: String,
    #[command(flatten)]
    control: Control,
    #[command(flatten)]
    output: Output,
}

/// Change the running configuration at the device itself, which moves its revision
#[derive(Debug, Args)]
pub(super) struct SetConfig {
    /// The unique id or number of the device
    device: String,
    /// The kind: userData, portData, protocolParameters or defaultParameters
    #[arg(long, default_value = "userData", value_parser = kind)]
    kind: ConfigurationKind,
    /// Keys with their new values
    #[arg(required = true, value_name = "KEY=VALUE", value_parser = entry)]
    entries: Vec<(String, String)>,
    #[command(flatten)]
    control: Control,
}

/// Cut or restore the power
#[derive(Debug, Args)]
pub(super) struct Power {
    /// Which way
    switch: Switch,
    /// The unique id or number of the device; without it, all devices
    device: Option<String>,
    #[command(flatten)]
    control: Control,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Switch {
    /// Switch on
    On,
    /// Cut
    Off,
}

/// Change how many calls there are, as long as they are admitted
#[derive(Debug, Args)]
pub(super) struct Calls {
    /// How many calls
    calls: u32,
    /// The unique id or number of the device; without it, all devices
    device: Option<String>,
    #[command(flatten)]
    control: Control,
}

/// Have devices notify that they have restarted, one after the other, as after a power cut in a whole region
///
/// It goes on in the background. A second one takes the place of the first.
#[derive(Debug, Args)]
pub(super) struct Storm {
    /// How many notifications a second
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    rate: u32,
    /// How many in all; without it, one of each device
    #[arg(long)]
    count: Option<u64>,
    #[command(flatten)]
    control: Control,
}

impl Device {
    pub(super) async fn run(self) -> Result<(), Failure> {
        match self {
            Self::List(List { control, output }) => match control.ask(Request::ListDevices).await? {
                Response::Devices { devices } => output.write(&devices, |devices| list(devices)),
                other => Err(unexpected(&other)),
            },
            Self::Show(Show { device, control, output }) => {
                match control.ask(Request::ShowDevice { device }).await? {
                    Response::Device { device } => output.write(&device, |device| show(device)),
                    other => Err(unexpected(&other)),
                }
            }
            Self::SetConfig(SetConfig { device, kind, entries, control }) => {
                control.ask(Request::SetConfiguration { device, kind, entries }).await.map(drop)
            }
            Self::Power(Power { switch, device, control }) => {
                control.ask(Request::Power { device, on: switch == Switch::On }).await.map(drop)
            }
            Self::Storm(Storm { rate, count, control }) => {
                control.ask(Request::Storm { rate, count }).await.map(drop)
            }
            Self::Calls(Calls { calls, device, control }) => {
                control.ask(Request::SetCalls { device, calls }).await.map(drop)
            }
        }
    }
}

/// An answer to another question.
pub(super) fn unexpected(response: &Response) -> Failure {
    Failure::Refused(format!("the simulator answers something else: {response:?}"))
}

fn list(devices: &[DeviceView]) -> String {
    let row = |device: &DeviceView| {
        let operation = &device.operation;
        vec![
            device.unique_id.clone(),
            device.address.to_string(),
            word(&device.power),
            device.version.clone(),
            format!("{} {} {}%", word(&operation.command), word(&operation.state), operation.progress),
        ]
    };
    table(&["DEVICE", "ADDRESS", "POWER", "VERSION", "OPERATION"], devices.iter().map(row))
}

fn show(device: &DeviceView) -> String {
    let operation = &device.operation;
    let mut text = format!(
        "{} ({}, {}) at {}\n{}, up {:.0} s, {} boots, {} calls, {}\n",
        device.unique_id,
        device.model,
        device.hardware,
        device.address,
        word(&device.power),
        device.uptime_s,
        device.boots,
        device.calls,
        if device.healthy { "healthy" } else { "not healthy" },
    );
    text.push_str(&format!(
        "operation {:?}: {} {} {}% {} {}\n\n",
        operation.id,
        word(&operation.command),
        word(&operation.state),
        operation.progress,
        word(&operation.error),
        operation.text
    ));
    let short = |digest: Option<crate::device::Digest>| {
        digest.map_or_else(String::new, |digest| digest.to_string().chars().take(12).collect())
    };
    let buffers = device.buffers.iter().map(|buffer| {
        vec![
            buffer.index.to_string(),
            word(&buffer.role),
            word(&buffer.state),
            buffer.version.clone(),
            buffer.size.to_string(),
            buffer.format.to_string(),
            short(buffer.sha256),
        ]
    });
    text.push_str(&table(&["BUFFER", "ROLE", "STATE", "VERSION", "SIZE", "FORMAT", "SHA-256"], buffers));
    text.push_str("\n\n");
    let configurations = device.configurations.iter().map(|one| {
        vec![
            one.buffer.to_string(),
            one.kind.name().to_owned(),
            one.format.to_string(),
            one.revision.to_string(),
            one.size.to_string(),
            short(Some(one.sha256)),
        ]
    });
    text.push_str(&table(
        &["BUFFER", "CONFIGURATION", "FORMAT", "REVISION", "SIZE", "SHA-256"],
        configurations,
    ));
    text.push_str("\n\n");
    let counts = device.counters.operations.iter();
    let counts = counts.map(|count| {
        vec![count.id.clone(), word(&count.command), count.seen.to_string(), count.started.to_string()]
    });
    text.push_str(&table(&["OPERATION", "COMMAND", "SETS", "STARTED"], counts));
    text
}

/// The name of a value, as it is in JSON.
fn word<T: serde::Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

fn kind(text: &str) -> Result<ConfigurationKind, String> {
    ConfigurationKind::from_name(text).ok_or_else(|| "there is no such kind".to_owned())
}

fn entry(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or_else(|| "this is not KEY=VALUE".to_owned())?;
    Ok((key.to_owned(), value.to_owned()))
}
