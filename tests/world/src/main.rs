//! Explores worlds: so many seeds, or for so long; tells the first that breaks something, with its story.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use world::{Plan, run};

/// A third of the time of a world goes into small allocations; this allocator halves that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Explore worlds, and tell the first in which something breaks
#[derive(Debug, Parser)]
struct Options {
    /// How many seeds
    #[arg(long, default_value_t = 1000)]
    seeds: u64,
    /// The first seed; without it, one that nobody has seen
    #[arg(long)]
    seed: Option<u64>,
    /// How many devices each world has
    #[arg(long, default_value_t = 5)]
    devices: usize,
    /// Stop after so many minutes
    #[arg(long)]
    minutes: Option<f64>,
    /// Tell the whole story of the first seed
    #[arg(long)]
    trace: bool,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let begun = Instant::now();
    let first = options.seed.unwrap_or_else(|| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        now.map_or(1, |now| now.as_secs() * 1_000_000)
    });
    if options.trace {
        let plan = Plan::of(first, options.devices);
        for (number, trouble) in plan.troubles.iter().enumerate() {
            println!("trouble {number}: {trouble:?}");
        }
        let verdict = run(&plan, true);
        for line in &verdict.story {
            println!("{line}");
        }
        println!("{:?} {:?}", verdict.violation, verdict.outcomes);
        return if verdict.violation.is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS };
    }
    let limit = options.minutes.map(|minutes| Duration::from_secs_f64(minutes * 60.0));
    let (mut events, mut passed, mut runs, mut kills) = (0, Duration::ZERO, 0, 0);
    let mut outcomes = std::collections::BTreeMap::new();
    let mut count = 0;
    for seed in first..first + options.seeds {
        if limit.is_some_and(|limit| begun.elapsed() > limit) {
            break;
        }
        let plan = Plan::of(seed, options.devices);
        let verdict = run(&plan, false);
        count += 1;
        events += verdict.events;
        passed += verdict.passed;
        runs += verdict.runs;
        kills += verdict.kills;
        for (outcome, n) in verdict.outcomes {
            *outcomes.entry(outcome).or_insert(0) += n;
        }
        if let Some(violation) = verdict.violation {
            println!("seed {seed}: {}: {}", violation.invariant, violation.what);
            return ExitCode::FAILURE;
        }
    }
    let took = begun.elapsed().as_secs_f64();
    println!("{count} worlds from seed {first}: {events} events, {runs} runs, {kills} kills, {outcomes:?}");
    println!(
        "{:.1} worlds a second, {:.0} s of theirs in one of ours",
        count as f64 / took,
        passed.as_secs_f64() / took
    );
    ExitCode::SUCCESS
}
