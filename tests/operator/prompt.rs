//! The question of a run at the prompt: `iadms upgrade --wait` on a pseudo-terminal, which `script` of util-linux gives.

use std::io::{PipeWriter, Write as _};
use std::process::{Command, Stdio};

use tests::process::{LIMIT, Running};

use crate::laboratory::{DEVICE, Laboratory};

/// A command on a terminal, and the keys of its operator.
struct Terminal {
    screen: Running,
    keys: PipeWriter,
}

impl Terminal {
    fn start(laboratory: &Laboratory, words: &[&str]) -> Self {
        let typed = format!("'{}' {}", laboratory.program().display(), words.join(" "));
        let mut script = Command::new("script");
        script.args(["--quiet", "--return", "--flush", "--command", &typed, "/dev/null"]);
        script.env("IADMS_SOCKET", laboratory.data().join("iadms.sock"));
        script.env("TERM", "xterm").env("SHELL", "/bin/sh");
        let (reader, keys) = std::io::pipe().unwrap();
        Self { screen: Running::start_with_input(&mut script, Stdio::from(reader)), keys }
    }

    fn shows(&mut self, text: &str) {
        self.screen.wait_for(text, |line| line.contains(text).then_some(()));
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    fn ends_with(self, code: i32) {
        let finished = self.screen.finish_within(LIMIT);
        assert_eq!(finished.status.code(), Some(code), "{}", finished.output);
    }
}

const DOWN: &str = "\x1b[B";
const ENTER: &str = "\r";

/// A device whose first new image does not start, and a good one in the inventory.
fn with_a_bad_image() -> Laboratory {
    let laboratory = Laboratory::start();
    laboratory.add_image("bad", "2.0", &["--boot", "loop"]);
    laboratory.add_image("good", "2.1", &[]);
    laboratory
}

#[test]
fn h16_the_operator_is_asked_at_the_prompt_and_gives_another_image() {
    let laboratory = with_a_bad_image();
    let mut terminal = Terminal::start(&laboratory, &["upgrade", DEVICE, "--image", "bad", "--wait"]);
    terminal.shows("The device is on its old software, 1.0");
    terminal.shows("later:");
    // again, image, …
    terminal.press(&[DOWN, ENTER].concat());
    terminal.shows("good (2.1");
    terminal.press(&[DOWN, ENTER].concat());
    terminal.ends_with(0);
    assert_eq!(laboratory.device()["version"], "2.1");
}

#[test]
fn h16_the_operator_ends_it_at_the_prompt() {
    let laboratory = with_a_bad_image();
    let mut terminal = Terminal::start(&laboratory, &["upgrade", DEVICE, "--image", "bad", "--wait"]);
    terminal.shows("later:");
    // From the first answer up to the last item, "later", and once more up to "end".
    terminal.press("kk");
    terminal.press(ENTER);
    terminal.ends_with(3);
    assert_eq!(laboratory.device()["version"], "1.0");
}

#[test]
fn h08_the_operator_leaves_the_question_open_at_the_prompt() {
    let laboratory = with_a_bad_image();
    let mut terminal = Terminal::start(&laboratory, &["upgrade", DEVICE, "--image", "bad", "--wait"]);
    terminal.shows("later:");
    terminal.press("k");
    terminal.press(ENTER);
    terminal.ends_with(4);
    assert!(laboratory.run_as_it_stands(1)["state"].get("asking").is_some(), "the question is still open");
}
