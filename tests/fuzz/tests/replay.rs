//! What was fed by fuzzing, once more.

#![allow(clippy::unwrap_used, reason = "this is a test")]

use std::fs;
use std::path::Path;

#[test]
fn what_was_found_by_fuzzing_holds_still() {
    for (name, target) in fuzz::TARGETS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
        let mut fed = 0;
        for entry in fs::read_dir(&folder).unwrap() {
            target(&fs::read(entry.unwrap().path()).unwrap());
            fed += 1;
        }
        assert!(fed > 0, "{} is empty", folder.display());
    }
}
