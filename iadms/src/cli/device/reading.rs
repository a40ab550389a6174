//! A look at a device, as people read it.

use serde::Serialize;
use upgrade::Reading;

use crate::cli::Failure;
use crate::cli::output::{self, fields, format_table, line, or_dash};

/// Writes a look at a device on stdout.
pub(super) fn show(reading: &Reading) -> Result<(), Failure> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let yes = |value: Option<bool>, yes: &str, no: &str| match value {
        Some(true) => yes.to_owned(),
        Some(false) => no.to_owned(),
        None => String::new(),
    };
    let capabilities: Vec<_> = reading.capabilities.iter().map(word).collect();
    let operation =
        reading.operation.as_ref().filter(|operation| !operation.id.is_empty()).map(|operation| {
            let error = operation.error.as_ref().map(|error| format!(", {error}")).unwrap_or_default();
            format!("{} is {} ({} %{error})", operation.id, word(&operation.state), operation.progress)
        });
    let server = match (&reading.server_address, reading.server_port) {
        (Some(address), Some(port)) if !address.is_empty() => format!("{address} port {port}"),
        _ => String::new(),
    };
    fields(&[
        ("model", text(&reading.model)),
        ("hardware", text(&reading.hardware)),
        ("unique id", text(&reading.unique_id)),
        ("product", reading.product.as_ref().map(ToString::to_string).unwrap_or_default()),
        ("up for", reading.uptime.map(output::span).unwrap_or_default()),
        ("restarts", reading.boots.map(|boots| boots.to_string()).unwrap_or_default()),
        ("last restart", text(&reading.boot_reason)),
        ("health", yes(reading.healthy, "good", "bad")),
        ("calls", reading.calls.map(|calls| calls.to_string()).unwrap_or_default()),
        ("new calls", yes(reading.calls_admitted, "taken", "not taken")),
        ("free space", reading.free_space.map(output::bytes).unwrap_or_default()),
        ("can", capabilities.join(", ")),
        ("file server", server),
        ("revision", reading.revision.map(|revision| revision.to_string()).unwrap_or_default()),
        ("operation", operation.unwrap_or_default()),
    ])?;
    if !reading.buffers.is_empty() {
        let row = |buffer: &upgrade::reading::Buffer| {
            [
                buffer.index.to_string(),
                or_dash(Some(&buffer.version).filter(|version| !version.is_empty())),
                or_dash(buffer.role.map(|role| word(&role))),
                or_dash(buffer.state.map(|state| word(&state))),
                or_dash(buffer.size.map(output::bytes)),
                or_dash(buffer.format),
                or_dash(buffer.digest.map(|digest| digest.short())),
            ]
        };
        line("")?;
        let headers = ["BUFFER", "VERSION", "ROLE", "STATE", "SIZE", "FORMAT", "SHA-256"];
        line(&format_table(headers, reading.buffers.iter().map(row).collect()))?;
    }
    if !reading.configuration.is_empty() {
        let row = |entry: &upgrade::reading::ConfigurationEntry| {
            [
                entry.kind.to_string(),
                entry.buffer.to_string(),
                or_dash(entry.revision),
                or_dash(entry.format),
                or_dash(entry.size.map(output::bytes)),
                or_dash(entry.digest.map(|digest| digest.short())),
            ]
        };
        line("")?;
        let headers = ["CONFIGURATION", "BUFFER", "REVISION", "FORMAT", "SIZE", "SHA-256"];
        line(&format_table(headers, reading.configuration.iter().map(row).collect()))?;
    }
    Ok(())
}

/// The word by which a value is known in JSON.
fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        Ok(value) => value.to_string(),
        Err(_) => String::new(),
    }
}
