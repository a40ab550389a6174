//! `cargo xtask TASK`: the tasks of this repository, one file per task.

mod bench;
mod demo;
mod fetch;
mod mutants;
mod step;
mod test;
mod world;

use std::process::ExitCode;

const USAGE: &str = "\
The tasks of this repository.

Usage: cargo xtask <TASK>

Tasks:
  bench [OPTION]... Measure ours beside real peers, in turn, and report how they compare: --help tells
                    the options. On an idle machine; nothing in it fails because something is slow
  demo              Upgrade simulated devices on which much goes wrong, and show that nothing is lost
  fetch             Get the foreign programs that some tests run, from Debian; test does it too
  mutants [SHARD]   Change upgrade and engine in one small way after the other, and tell which no test
                    of theirs notices; by cargo-mutants, for hours, or one shard of it such as 3/16
  test [FILTER]...  Check formatting, lints and documentation, then run every test
                    (or those whose names contain a FILTER)
  world [OPTION]... Explore the deterministic world: --help tells the options;
                    --sabotage NAME|all plants a fault that it must find
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut words = arguments.iter().map(String::as_str);
    let finished = match words.next() {
        Some("test") => test::run(&words.collect::<Vec<_>>()),
        Some("bench") => bench::run(&words.collect::<Vec<_>>()),
        Some("demo") => demo::run(),
        Some("fetch") => fetch::run(),
        Some("mutants") => mutants::run(&words.collect::<Vec<_>>()),
        Some("world") => world::run(&words.collect::<Vec<_>>()),
        Some("help" | "--help" | "-h") => {
            print!("{USAGE}");
            Ok(())
        }
        Some(unknown) => {
            eprint!("There is no task '{unknown}'.\n\n{USAGE}");
            return ExitCode::from(2);
        }
        None => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match finished {
        Ok(()) => ExitCode::SUCCESS,
        Err(failed) => {
            eprintln!("xtask: {failed}");
            ExitCode::FAILURE
        }
    }
}
