//! Explores worlds: so many seeds, or for so long; tells the first that breaks something, as short as it can be told.

use std::cell::Cell;
use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use clap::Parser;
use world::{Plan, Tally, Verdict, Weights, run, shrink};

/// A third of the time of a world goes into small allocations; this allocator halves that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A line on stdout. Whoever reads it may have seen enough and be gone.
macro_rules! tell_line {
    ($($words:tt)*) => {
        let _ = writeln!(std::io::stdout(), $($words)*);
    };
}

/// So many of the last lines of a story are told.
const LAST_LINES: usize = 80;

/// Explore worlds, and tell the first in which something breaks
#[derive(Debug, Parser)]
#[command(name = "cargo xtask world")]
struct Options {
    /// How many seeds; without it and without --minutes, 1000
    #[arg(long)]
    seeds: Option<u64>,
    /// The first seed; without it, one that nobody has seen
    #[arg(long)]
    seed: Option<u64>,
    /// How many devices each world has
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..=100))]
    devices: u8,
    /// Stop after so many minutes
    #[arg(long)]
    minutes: Option<f64>,
    /// Tell the whole story of the first seed
    #[arg(long)]
    trace: bool,
    /// How often a kind of trouble comes, of a thousand chances; 0 switches it off
    #[arg(long, value_name = "TROUBLE=N", value_parser = weight)]
    weight: Vec<(String, u64)>,
    /// List the kinds of trouble and their weights
    #[arg(long)]
    weights: bool,
    /// How many worlds at once; without it, one on each core
    #[arg(long)]
    threads: Option<usize>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let mut weights = Weights::default();
    for (name, weight) in &options.weight {
        if let Err(unknown) = weights.set(name, *weight) {
            eprintln!("no kind of trouble is called {:?}: --weights lists them", unknown.0);
            return ExitCode::from(2);
        }
    }
    if options.weights {
        weights.all().for_each(|(name, weight)| {
            tell_line!("{name} {weight}");
        });
        return ExitCode::SUCCESS;
    }
    let first = options.seed.unwrap_or_else(|| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        now.map_or(1, |now| now.as_secs() * 1_000_000)
    });
    tell_seed_of_a_panic();
    if options.trace { trace(first, &options, &weights) } else { explore(first, &options, &weights) }
}

thread_local! {
    /// The seed of the world that this thread runs.
    static EXPLORED: Cell<Option<u64>> = const { Cell::new(None) };
}

/// A panic of the product ends the process; which world it was in, is told first.
fn tell_seed_of_a_panic() {
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if let Some(seed) = EXPLORED.get() {
            tell_line!("BROKEN by seed {seed}: a panic");
        }
        tell(panic);
    }));
}

fn weight(text: &str) -> Result<(String, u64), String> {
    let (name, weight) = text.split_once('=').ok_or("it is written TROUBLE=N")?;
    let weight = weight.parse().ok().filter(|weight| *weight <= 1000);
    Ok((name.to_owned(), weight.ok_or("N is a number from 0 to 1000")?))
}

fn trace(seed: u64, options: &Options, weights: &Weights) -> ExitCode {
    let plan = Plan::of(seed, options.devices.into(), weights);
    tell_plan(&plan);
    let verdict = run(&plan, true);
    let mut out = std::io::stdout().lock();
    for line in &verdict.story {
        // Whoever reads may have seen enough.
        if writeln!(out, "{line}").is_err() {
            break;
        }
    }
    if verdict.violation.is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn explore(first: u64, options: &Options, weights: &Weights) -> ExitCode {
    tell_line!("worlds of {} devices from seed {first}", options.devices);
    let begun = Instant::now();
    let limit = options.minutes.map(|minutes| Duration::from_secs_f64(minutes.max(0.0) * 60.0));
    let seeds = options.seeds.unwrap_or(if limit.is_some() { u64::MAX } else { 1000 });
    let cores = std::thread::available_parallelism().map_or(1, Into::into);
    let next = AtomicU64::new(0);
    let tally = Mutex::new(Tally::default());
    let broken: Mutex<Option<(u64, Verdict)>> = Mutex::new(None);
    let explore = || {
        let mut own = Tally::default();
        while limit.is_none_or(|limit| begun.elapsed() < limit) && is_none(&broken) {
            let turn = next.fetch_add(1, Ordering::Relaxed);
            let Some(seed) = first.checked_add(turn).filter(|_| turn < seeds) else { break };
            EXPLORED.set(Some(seed));
            let verdict = run(&Plan::of(seed, options.devices.into(), weights), false);
            own.count(&verdict);
            if verdict.violation.is_some() {
                // Of two that break at once the earlier seed is told, so that the same call tells the same.
                let mut broken = lock(&broken);
                if broken.as_ref().is_none_or(|(earlier, _)| seed < *earlier) {
                    *broken = Some((seed, verdict));
                }
            }
        }
        lock(&tally).add(own);
    };
    std::thread::scope(|scope| {
        for _ in 0..options.threads.unwrap_or(cores).max(1) {
            scope.spawn(explore);
        }
    });
    tell_line!("{}", lock(&tally));
    let tally = lock(&tally);
    let took = begun.elapsed().as_secs_f64();
    tell_line!(
        "{:.1} s: {:.1} worlds a second, {:.0} s of their time in each",
        took,
        tally.worlds as f64 / took,
        tally.passed.as_secs_f64() / took
    );
    match lock(&broken).take() {
        None if tally.worlds == 0 => {
            tell_line!("there was no time for one world: nothing is shown");
            ExitCode::FAILURE
        }
        None => ExitCode::SUCCESS,
        Some((seed, verdict)) => {
            tell(seed, &verdict, options, weights);
            ExitCode::FAILURE
        }
    }
}

/// Tells what broke: the seed, the invariant, what is needed for it, and how it came to that.
fn tell(seed: u64, verdict: &Verdict, options: &Options, weights: &Weights) {
    let plan = Plan::of(seed, options.devices.into(), weights);
    if let Some(violation) = &verdict.violation {
        tell_line!("BROKEN by seed {seed}: {}: {}", violation.invariant, violation.what);
    }
    tell_line!("looking for the shortest way to it …");
    let (plan, verdict) = shrink(&plan, verdict);
    tell_plan(&plan);
    let lines = verdict.story.len();
    verdict.story.iter().skip(lines.saturating_sub(LAST_LINES)).for_each(|line| {
        tell_line!("{line}");
    });
    let given: String = options.weight.iter().map(|(name, of)| format!(" --weight {name}={of}")).collect();
    tell_line!("the whole: cargo xtask world --seed {seed} --devices {}{given} --trace", options.devices);
}

fn tell_plan(plan: &Plan) {
    for (place, device) in plan.devices.iter().enumerate() {
        for errand in &device.errands {
            tell_line!(
                "device {}: {:?} by {}, {:?}",
                place + 1,
                errand.wanted,
                device.protocol,
                errand.policy
            );
        }
    }
    for (number, trouble) in plan.troubles.iter().enumerate() {
        tell_line!("trouble {number}: {trouble:?}");
    }
}

fn is_none<T>(of: &Mutex<Option<T>>) -> bool {
    lock(of).is_none()
}

/// What is behind the lock; a thread that panicked has left it as it was.
fn lock<T>(of: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    of.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
