//! `iadms backup diff`: what changed between two backups, with secrets masked.

use std::collections::BTreeSet;

use clap::Args;
use serde_json::json;
use similar::{ChangeTag, TextDiff};
use upgrade::{Kind, StoredFile};

use crate::cli::secrets::Masker;
use crate::cli::{Context, Exit, Failure, Output, output};
use crate::store::Backup;

/// Show what differs between two backups
///
/// Secrets are masked: the values of lines that speak of passwords, keys, communities and the like. That such a value
/// differs is shown nevertheless.
#[derive(Debug, Args)]
pub(in crate::cli) struct Diff {
    /// The number of the earlier backup
    from: u64,

    /// The number of the later backup
    to: u64,

    /// Only these kinds of configuration
    #[arg(long, value_name = "KIND", value_delimiter = ',', value_parser = crate::cli::choices::kind)]
    kinds: Vec<Kind>,

    /// Show secrets, too
    #[arg(long)]
    secrets: bool,
}

/// Lines around a change.
const CONTEXT_LINES: usize = 3;

impl Diff {
    pub(in crate::cli) async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let from: Backup = context.client.get(&format!("/backups/{}", self.from)).await?;
        let to: Backup = context.client.get(&format!("/backups/{}", self.to)).await?;
        let kinds: BTreeSet<&Kind> = from.set.files.keys().chain(to.set.files.keys()).collect();
        if let Some(unknown) = self.kinds.iter().find(|kind| !kinds.contains(kind)) {
            let held: Vec<_> = kinds.iter().map(ToString::to_string).collect();
            let error = format!("neither backup {} nor {} holds a {unknown}", from.id, to.id);
            return Err(Failure::new(error, format!("choose of: {}", held.join(", "))));
        }
        let mut found = Vec::new();
        for kind in kinds.into_iter().filter(|kind| self.kinds.is_empty() || self.kinds.contains(kind)) {
            let files = [from.set.files.get(kind), to.set.files.get(kind)];
            if let [Some(before), Some(after)] = files
                && before.digest == after.digest
            {
                continue;
            }
            let before = text(context, files[0]).await?;
            let after = text(context, files[1]).await?;
            let names = [format!("backup {}: {kind}", from.id), format!("backup {}: {kind}", to.id)];
            let diff = match (before, after) {
                (Some(before), Some(after)) => unified(&before, &after, &names, self.secrets),
                _ => format!("--- {}\n+++ {}\nThey are no text, and differ.\n", names[0], names[1]),
            };
            found.push((kind, diff));
        }
        match context.output {
            Output::Json => {
                let entry = |(kind, diff): &(&Kind, String)| json!({ "kind": kind, "diff": diff });
                output::json(&found.iter().map(entry).collect::<Vec<_>>())?;
            }
            Output::Table if found.is_empty() => output::note("they do not differ"),
            Output::Table => {
                for (_, diff) in &found {
                    output::line(diff.trim_end())?;
                }
            }
        }
        Ok(Exit::Success)
    }
}

/// The file as text; none where it is no text. What is not there is empty.
async fn text(context: &Context, file: Option<&StoredFile>) -> Result<Option<String>, Failure> {
    let Some(file) = file else { return Ok(Some(String::new())) };
    let bytes = context.client.fetch(file).await?;
    Ok(String::from_utf8(bytes).ok().filter(|text| !text.contains('\0')))
}

/// A unified diff. What differs is found before anything is masked, so that a changed secret shows as a change.
fn unified(before: &str, after: &str, names: &[String; 2], secrets: bool) -> String {
    let masked = |text: &str| if secrets { lines(text) } else { Masker::default().lines(text) };
    let (shown_before, shown_after) = (masked(before), masked(after));
    let diff = TextDiff::from_lines(before, after);
    let mut out = format!("--- {}\n+++ {}\n", names[0], names[1]);
    let mut unified = diff.unified_diff();
    for hunk in unified.context_radius(CONTEXT_LINES).iter_hunks() {
        out.push_str(&format!("{}\n", hunk.header()));
        for change in hunk.iter_changes() {
            let (sign, shown) = match change.tag() {
                ChangeTag::Equal => (' ', change.old_index().and_then(|line| shown_before.get(line))),
                ChangeTag::Delete => ('-', change.old_index().and_then(|line| shown_before.get(line))),
                ChangeTag::Insert => ('+', change.new_index().and_then(|line| shown_after.get(line))),
            };
            out.push(sign);
            out.push_str(shown.map_or("", String::as_str));
            out.push('\n');
        }
    }
    out
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_secret_shows_as_a_change_and_not_as_itself() {
        let before = "[line 1]\nnumber = 100\npassword = alpha\nname = x\n";
        let after = "[line 1]\nnumber = 101\npassword = beta\nname = x\n";
        let names = ["a".to_owned(), "b".to_owned()];
        let diff = unified(before, after, &names, false);
        assert!(diff.contains("-number = 100\n") && diff.contains("+number = 101\n"), "{diff}");
        assert!(diff.contains("-password = ********\n") && diff.contains("+password = ********\n"), "{diff}");
        assert!(!diff.contains("alpha") && !diff.contains("beta"), "{diff}");
        assert!(unified(before, after, &names, true).contains("beta"));
    }
}
