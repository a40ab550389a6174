//! `cargo xtask world [OPTION]...`: explores the deterministic world; the options are those of the program, `--help` tells
//! them. `--tuned` before them builds it by what it does. `--sabotage NAME|all` plants a fault of tests/world/sabotage in a copy of the tree instead, and expects the world
//! to find it: a fault that stays hidden is a hole in the invariants.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::step::{Failed, Narrator, cargo, not_started, target};

mod tuned;

/// So long may the world look for a fault that was planted.
const WITHIN: Duration = Duration::from_secs(60);

/// Explores, or sabotages.
pub(crate) fn run(words: &[&str]) -> Result<(), Failed> {
    let narrator = Narrator::begin();
    match words {
        ["--sabotage", "all"] => sabotage(&narrator, &patches()?),
        ["--sabotage", name] => {
            let all = patches()?;
            let chosen: Vec<_> = all.iter().filter(|patch| name_of(patch) == *name).cloned().collect();
            if chosen.is_empty() {
                let names: Vec<_> = all.iter().map(|patch| name_of(patch)).collect();
                return Err(Failed(format!("no fault is called {name}: there are {}", names.join(", "))));
            }
            sabotage(&narrator, &chosen)
        }
        ["--sabotage"] => Err(Failed("--sabotage takes the name of a fault, or all".to_owned())),
        ["--tuned", options @ ..] => explore(tuned::build(&narrator)?, options),
        options => explore(build(&narrator)?, options),
    }
}

fn explore(program: PathBuf, options: &[&str]) -> Result<(), Failed> {
    let status = Command::new(&program).args(options).stdin(Stdio::null()).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(Failed("a world broke, or could not be explored: see above".to_owned())),
        Err(error) => Err(not_started("the world", &Command::new(program), &error)),
    }
}

/// A minute of worlds that nobody has seen, as a part of the tests.
pub(crate) fn explore_for_a_minute(narrator: &Narrator) -> Result<(), Failed> {
    let program = build(narrator)?;
    narrator.run("worlds for a minute", Command::new(program).args(["--minutes", "1"]))
}

fn build(narrator: &Narrator) -> Result<PathBuf, Failed> {
    let root = xtask::root();
    narrator
        .run("the world", cargo(&root).args(["build", "--quiet", "--profile", "world", "-p", "world"]))?;
    Ok(target(&root).join("world/world"))
}

/// All faults that can be planted, in the order of their names.
fn patches() -> Result<Vec<PathBuf>, Failed> {
    let folder = xtask::root().join("tests/world/sabotage");
    let listed = std::fs::read_dir(&folder);
    let listed = listed.map_err(|error| Failed(format!("cannot list {}: {error}", folder.display())))?;
    let paths = listed.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let mut patches: Vec<_> =
        paths.filter(|path| path.extension().is_some_and(|end| end == "patch")).collect();
    patches.sort();
    Ok(patches)
}

fn name_of(patch: &Path) -> String {
    patch.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

fn sabotage(narrator: &Narrator, patches: &[PathBuf]) -> Result<(), Failed> {
    let sound = build(narrator)?;
    let mut hidden = Vec::new();
    for patch in patches {
        let name = name_of(patch);
        match find(narrator, &name, patch, &sound)? {
            Some(found) => println!("{name}: {found}"),
            None => {
                println!("{name}: NOT FOUND");
                hidden.push(name);
            }
        }
    }
    if hidden.is_empty() {
        return Ok(());
    }
    Err(Failed(format!("{} of {} faults stayed hidden: {}", hidden.len(), patches.len(), hidden.join(", "))))
}

/// What the world says of a tree with this fault, and does not say of `sound`, the one without; none where it finds
/// nothing.
fn find(narrator: &Narrator, name: &str, patch: &Path, sound: &Path) -> Result<Option<String>, Failed> {
    let root = xtask::root();
    let scratch = root.join("target/sabotage/tree");
    copy_tree(&root, &scratch)?;
    narrator.run(
        &format!("{name}: planted"),
        // Without the repository around it, whose paths would be meant.
        Command::new("git")
            .arg("apply")
            .arg(patch)
            .current_dir(&scratch)
            .env("GIT_CEILING_DIRECTORIES", root.join("target/sabotage")),
    )?;
    let built = scratch.with_file_name("built");
    let mut build = cargo(&scratch);
    build.args(["build", "--quiet", "--profile", "sabotage", "-p", "world"]).env("CARGO_TARGET_DIR", &built);
    narrator.run(&format!("{name}: built"), &mut build)?;
    let begun = Instant::now();
    while let Some(left) = WITHIN.checked_sub(begun.elapsed()) {
        let mut world = Command::new(built.join("sabotage/world"));
        world.args(["--minutes", &(left.as_secs_f64() / 60.0).to_string()]);
        let output = world.stdin(Stdio::null()).stderr(Stdio::inherit()).output();
        let output = output.map_err(|error| not_started(name, &world, &error))?;
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        let Some(broken) = told.lines().find(|line| line.starts_with("BROKEN")) else { return Ok(None) };
        let mut same = Command::new(sound);
        same.args(["--seeds", "1", "--seed", seed_of(broken).unwrap_or_default()]).stdin(Stdio::null());
        let sound = same.stdout(Stdio::null()).status().map_err(|error| not_started(name, &same, &error))?;
        if sound.success() {
            let short: String = broken.chars().take(160).collect();
            let took = begun.elapsed().as_secs_f64();
            return Ok(Some(format!("{short} ({took:.1} s with the way to it)")));
        }
        println!("{name}: no find, since it breaks without the planted fault, too: {broken}");
    }
    Ok(None)
}

/// The seed in `BROKEN by seed 7: …`.
fn seed_of(broken: &str) -> Option<&str> {
    broken.strip_prefix("BROKEN by seed ")?.split(':').next()
}

/// Makes `scratch` hold the files of the repository as they are now. What is the same already is left alone, so that
/// it need not be compiled again.
fn copy_tree(root: &Path, scratch: &Path) -> Result<(), Failed> {
    let listing = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output();
    let listing =
        listing.map_err(|error| Failed(format!("cannot list the files of the repository: {error}")))?;
    let listed = String::from_utf8_lossy(&listing.stdout).into_owned();
    for name in listed.split('\0').filter(|name| !name.is_empty()) {
        let (from, to) = (root.join(name), scratch.join(name));
        // One that was deleted and not committed is listed still.
        let Ok(bytes) = std::fs::read(&from) else {
            drop(std::fs::remove_file(&to));
            continue;
        };
        if std::fs::read(&to).is_ok_and(|there| there == bytes) {
            continue;
        }
        let written =
            to.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| std::fs::write(&to, &bytes));
        written.map_err(|error| Failed(format!("cannot write {}: {error}", to.display())))?;
    }
    Ok(())
}
