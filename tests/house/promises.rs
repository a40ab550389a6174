//! What is promised elsewhere is kept: every row of the requirements has its tests, and every change passes the command
//! that the README names.

use std::collections::BTreeSet;
use std::path::Path;

use crate::sources;

/// The rows whose tests bear their number: the figure of one device, and of what goes beyond it that which is built.
fn rows() -> impl Iterator<Item = String> {
    let of_one_device = (1..=24).map(|row| format!("h{row:02}_"));
    let beyond = [3, 4, 6, 8, 9, 13].map(|row| format!("b{row:02}_"));
    of_one_device.chain(beyond).chain([18].map(|row| format!("s{row:02}_")))
}

/// The names of all tests in the package of tests.
fn names_of_tests() -> BTreeSet<String> {
    let sources = sources(&xtask::root().join("tests"));
    let texts = sources.iter().map(|path| std::fs::read_to_string(path).unwrap());
    texts.flat_map(|text| tests(&text)).collect()
}

/// Functions right below the attribute of a test.
fn tests(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let name = |line: &str| Some(line.split_once("fn ")?.1.split(['(', '<']).next()?.to_owned());
    let is_attribute = |line: &str| line == "#[test]" || line.starts_with("#[tokio::test");
    let pairs = lines.iter().zip(lines.iter().skip(1));
    pairs.filter(|(above, _)| is_attribute(above)).filter_map(|(_, line)| name(line)).collect()
}

#[test]
fn every_row_has_a_test_that_bears_its_number() {
    let names = names_of_tests();
    let missing: Vec<String> = rows().filter(|row| !names.iter().any(|name| name.starts_with(row))).collect();
    assert!(missing.is_empty(), "no test bears the number of {missing:?}");
}

#[test]
fn tests_are_found_by_their_attributes() {
    let text = "#[test]\nfn h01_one() {\n}\nfn h03_no_test() {}\n#[tokio::test]\n    async fn h02_two() {}\nlet no = 3;";
    assert_eq!(tests(text), ["h01_one", "h02_two"]);
}

#[test]
fn what_every_change_must_pass_is_the_command_that_the_readme_names() {
    const COMMAND: &str = "cargo xtask test";
    for file in ["README.md", ".ci/run"] {
        let text = std::fs::read_to_string(xtask::root().join(Path::new(file))).unwrap();
        assert!(text.contains(COMMAND), "{file} does not say '{COMMAND}'");
    }
}
