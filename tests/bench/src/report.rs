//! What was measured, as a table and as JSON: medians, how far they spread, and ours against the best peer.

use comfy_table::{CellAlignment, Table};
use serde::Serialize;
use std::collections::BTreeMap;

/// One case. Of its figures the higher one is the better.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) case: String,
    pub(crate) unit: &'static str,
    pub(crate) entries: Vec<Entry>,
    /// What bare UDP comes to, in the same unit: nobody is faster.
    pub(crate) bound: Option<Bound>,
}

/// What nobody can be faster than.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Bound {
    /// How bare datagrams were sent.
    pub(crate) way: &'static str,
    pub(crate) figure: f64,
}

/// One of those who were measured.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    pub(crate) is_ours: bool,
    pub(crate) rounds: Vec<Round>,
    /// Why it was not measured, or not in all rounds.
    pub(crate) absent: Option<String>,
}

/// One round of one of them.
#[derive(Debug, Default)]
pub(crate) struct Round {
    pub(crate) figure: f64,
    /// Transfers, or answers, that failed.
    pub(crate) failed: u32,
    /// Processor seconds for a gigabyte.
    pub(crate) cpu: Option<f64>,
    /// Most memory of its own, in bytes.
    pub(crate) memory: Option<u64>,
    pub(crate) notes: Vec<String>,
}

/// A line of the JSON list.
#[derive(Debug, Serialize)]
pub(crate) struct Line {
    case: String,
    unit: &'static str,
    ours: Option<f64>,
    peers: BTreeMap<&'static str, f64>,
    /// Over 1 is better than the best peer that failed in nothing.
    ratio_to_best: Option<f64>,
    best_peer: Option<&'static str>,
    cpu_s_per_gb: BTreeMap<&'static str, f64>,
    memory_bytes: BTreeMap<&'static str, u64>,
    failed: BTreeMap<&'static str, u32>,
    bare_udp: Option<Bound>,
}

impl Entry {
    pub(crate) const fn of(name: &'static str, is_ours: bool) -> Self {
        Self { name, is_ours, rounds: Vec::new(), absent: None }
    }

    fn figure(&self) -> Option<f64> {
        median(self.rounds.iter().map(|round| round.figure))
    }

    fn cpu(&self) -> Option<f64> {
        median(self.rounds.iter().filter_map(|round| round.cpu))
    }

    fn memory(&self) -> Option<u64> {
        self.rounds.iter().filter_map(|round| round.memory).max()
    }

    fn failed(&self) -> u32 {
        self.rounds.iter().map(|round| round.failed).sum()
    }
}

impl Measured {
    fn ours(&self) -> Option<f64> {
        self.entries.iter().find(|entry| entry.is_ours).and_then(Entry::figure)
    }

    /// The best of the peers that failed in nothing.
    fn best_peer(&self) -> Option<(&'static str, f64)> {
        let peers = self.entries.iter().filter(|entry| !entry.is_ours && entry.failed() == 0);
        let figures =
            peers.filter_map(|entry| Some((entry.name, entry.figure().filter(|figure| *figure > 0.0)?)));
        figures.max_by(|(_, one), (_, other)| one.total_cmp(other))
    }

    fn ratio(&self) -> Option<f64> {
        Some(self.ours()? / self.best_peer()?.1)
    }

    /// As it stands in the list.
    pub(crate) fn line(&self) -> Line {
        let peers = || self.entries.iter().filter(|entry| !entry.is_ours);
        let rounded = |figure: f64| (figure * 1000.0).round() / 1000.0;
        let all = || self.entries.iter();
        Line {
            case: self.case.clone(),
            unit: self.unit,
            ours: self.ours().map(rounded),
            peers: peers().filter_map(|entry| Some((entry.name, rounded(entry.figure()?)))).collect(),
            ratio_to_best: self.ratio().map(rounded),
            best_peer: self.best_peer().map(|(name, _)| name),
            cpu_s_per_gb: all().filter_map(|entry| Some((entry.name, rounded(entry.cpu()?)))).collect(),
            memory_bytes: all().filter_map(|entry| Some((entry.name, entry.memory()?))).collect(),
            failed: all()
                .map(|entry| (entry.name, entry.failed()))
                .filter(|(_, failed)| *failed > 0)
                .collect(),
            bare_udp: self.bound.map(|bound| Bound { figure: rounded(bound.figure), ..bound }),
        }
    }

    /// As it is shown.
    pub(crate) fn table(&self) -> String {
        let mut table = Table::new();
        table.load_style(comfy_table::presets::NOTHING);
        table.set_header(["", self.unit, "from", "to", "cpu s/GB", "memory MiB", "failed", ""]);
        for column in table.column_iter_mut().skip(1).take(6) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        for entry in &self.entries {
            let figures = || entry.rounds.iter().map(|round| round.figure);
            let shown = |figure: Option<f64>| figure.map_or_else(|| "-".to_owned(), short);
            let mut notes: Vec<&str> =
                entry.rounds.iter().flat_map(|round| &round.notes).map(String::as_str).collect();
            notes.sort_unstable();
            notes.dedup();
            notes.extend(entry.absent.as_deref());
            table.add_row([
                entry.name.to_owned(),
                shown(entry.figure()),
                shown(figures().reduce(f64::min)),
                shown(figures().reduce(f64::max)),
                shown(entry.cpu()),
                entry.memory().map_or_else(|| "-".to_owned(), |bytes| short(bytes as f64 / 1_048_576.0)),
                entry.failed().to_string(),
                notes.first().copied().unwrap_or_default().to_owned(),
            ]);
        }
        let ratio = match (self.ratio(), self.best_peer()) {
            (Some(ratio), Some((name, _))) => format!("{ratio:.2} times the best peer, {name}"),
            _ => "no peer to compare with".to_owned(),
        };
        let bound = self.bound.map_or_else(String::new, |Bound { way, figure }| {
            format!("; bare UDP, {way}: {} {}", short(figure), self.unit)
        });
        format!("{}: {ratio}{bound}\n{table}\n", self.case)
    }
}

/// A number with about three digits that count.
fn short(figure: f64) -> String {
    match figure.abs() {
        over if over >= 100.0 => format!("{figure:.0}"),
        over if over >= 10.0 => format!("{figure:.1}"),
        _ => format!("{figure:.2}"),
    }
}

pub(crate) fn median(figures: impl Iterator<Item = f64>) -> Option<f64> {
    let mut sorted: Vec<f64> = figures.collect();
    sorted.sort_by(f64::total_cmp);
    let upper = *sorted.get(sorted.len() / 2)?;
    let lower = *sorted.get(sorted.len().checked_sub(1)? / 2)?;
    Some(f64::midpoint(lower, upper))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &'static str, figures: &[f64], failed: u32) -> Entry {
        let round = |figure: &f64| Round { figure: *figure, failed, ..Round::default() };
        Entry { rounds: figures.iter().map(round).collect(), ..Entry::of(name, name == "ours") }
    }

    #[test]
    fn ours_is_compared_with_the_best_peer_that_failed_in_nothing() {
        let measured = Measured {
            case: "read".into(),
            unit: "MB/s",
            entries: vec![
                entry("ours", &[30.0, 10.0, 20.0], 0),
                entry("slow", &[5.0, 7.0], 0),
                entry("fails", &[500.0], 1),
            ],
            bound: Some(Bound { way: "batched", figure: 60.0 }),
        };
        let line = measured.line();
        assert_eq!((line.ours, line.ratio_to_best, line.best_peer), (Some(20.0), Some(3.333), Some("slow")));
        assert_eq!(line.failed, [("fails", 1)].into());
        let head = "read: 3.33 times the best peer, slow; bare UDP, batched: 60.0 MB/s\n";
        assert!(measured.table().starts_with(head), "{}", measured.table());
    }
}
