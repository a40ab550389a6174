//! What a server costs: the processor time and the memory of its process and of all that it has started, which are all that this
//! process has started.

use core::time::Duration;
use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

/// How often memory is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What was used.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Usage {
    /// Processor time, in user and in system mode, of the process, its children, and those that have ended.
    pub(crate) cpu: Duration,
    /// The most memory of their own that all of them had at one look, in bytes (`RssAnon`).
    pub(crate) memory: u64,
}

/// Looks at all of them until it is stopped.
#[derive(Debug)]
pub(crate) struct Watch {
    before: Duration,
    stop: Arc<AtomicBool>,
    looking: JoinHandle<u64>,
}

impl Watch {
    /// Begins to look.
    pub(crate) fn begin() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let looking = std::thread::spawn(move || {
            let mut most = 0;
            while !stopped.load(Ordering::Relaxed) {
                most = most.max(memory());
                std::thread::park_timeout(LOOK_EVERY);
            }
            most.max(memory())
        });
        Self { before: cpu(), stop, looking }
    }

    /// What was used since.
    pub(crate) fn end(self) -> Usage {
        self.stop.store(true, Ordering::Relaxed);
        self.looking.thread().unpark();
        let cpu = cpu().saturating_sub(self.before);
        Usage { cpu, memory: self.looking.join().unwrap_or_default() }
    }
}

fn memory() -> u64 {
    descendants().into_iter().map(anonymous).sum()
}

/// Memory that no file is behind (proc(5), `RssAnon`), in bytes.
fn anonymous(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or_default() * 1024
}

/// The processor time of all of them (proc(5), `utime`, `stime`, and those of children that were waited for). Who has ended and was
/// not waited for still counts.
fn cpu() -> Duration {
    let ticks: u64 = descendants().into_iter().filter_map(|process| Some(Stat::of(process)?.ticks)).sum();
    let in_a_second = rustix::param::clock_ticks_per_second().max(1);
    Duration::from_millis(ticks * 1000 / in_a_second)
}

/// All processes that this one has started, directly or not.
pub(crate) fn descendants() -> Vec<u32> {
    let numbers = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = numbers.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for (number, stat) in numbers.filter_map(|number| Some((number, Stat::of(number)?))) {
        children.entry(stat.parent).or_default().push(number);
    }
    let mut found = children.remove(&std::process::id()).unwrap_or_default();
    let mut next = 0;
    while let Some(number) = found.get(next) {
        found.extend(children.remove(number).unwrap_or_default());
        next += 1;
    }
    found
}

struct Stat {
    parent: u32,
    ticks: u64,
}

impl Stat {
    fn of(process: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        // The second field is the name, in parentheses, and may hold anything.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
        let ticks = [14, 15, 16, 17].into_iter().map(number).sum::<Option<u64>>()?;
        Some(Self { parent: u32::try_from(number(4)?).ok()?, ticks })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_and_memory_of_a_child_are_seen() {
        let watch = Watch::begin();
        let mut child = std::process::Command::new("sh");
        child.args(["-c", "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; exec cat"]);
        child.stdin(std::process::Stdio::piped());
        let mut child = child.spawn().unwrap();
        let is_cat = || fs::read_to_string(format!("/proc/{}/comm", child.id())).unwrap() == "cat\n";
        while !is_cat() {
            std::thread::yield_now();
        }
        let usage = watch.end();
        drop(child.stdin.take());
        assert!(child.wait().unwrap().success());
        assert!(usage.memory > 0 && usage.cpu >= Duration::from_millis(10), "{usage:?}");
    }
}
