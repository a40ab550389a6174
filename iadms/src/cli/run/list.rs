//! `iadms run list`.

use clap::Args;

use crate::cli::{Context, Exit, Failure, Output, encoded, narrate, output};
use crate::store::ListedRun;

/// List runs, the latest first
#[derive(Debug, Args)]
pub(in crate::cli) struct List {
    /// Only runs of this device
    #[arg(long, value_name = "NAME")]
    device: Option<String>,

    /// Only runs that are not over
    #[arg(long)]
    open: bool,

    /// Only runs that wait for an operator
    #[arg(long)]
    asking: bool,

    /// At most so many
    #[arg(long, value_name = "COUNT", default_value_t = 100)]
    most: u32,
}

impl List {
    pub(in crate::cli) async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let Self { device, open, asking, most } = self;
        let mut path = format!("/runs?open={open}&asking={asking}&most={most}");
        if let Some(device) = device {
            path.push_str(&format!("&device={}", encoded(&device)));
        }
        let records: Vec<ListedRun> = context.client.get(&path).await?;
        if context.output == Output::Json {
            output::json(&records)?;
            return Ok(Exit::Success);
        }
        let row = |listed: &ListedRun| match listed {
            ListedRun::Readable(record) => [
                record.run.id.to_string(),
                record.run.device.name.clone(),
                narrate::goal(&record.run.goal),
                narrate::standing(&record.run),
                output::date_time(record.run.begun),
                output::date_time(record.changed),
            ],
            ListedRun::Unreadable(run) => [
                run.id.to_string(),
                run.name.clone(),
                "-".to_owned(),
                narrate::unreadable(run).to_owned(),
                output::date_time(run.begun),
                output::date_time(run.changed),
            ],
        };
        let headers = ["RUN", "DEVICE", "GOAL", "STANDING", "BEGUN", "CHANGED"];
        output::table(headers, records.iter().map(row).collect(), "there is no such run")?;
        Ok(Exit::Success)
    }
}
