//! Processes that tests start: their output is waited for, never time; they end with the test that started them.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// How long any wait may take before the test fails. Long, since it bounds only what has gone wrong already.
pub const LIMIT: Duration = Duration::from_secs(60);

/// A process that runs until it ends by itself or its owner goes.
#[derive(Debug)]
pub struct Running {
    name: String,
    process_id: u32,
    events: Receiver<Event>,
    seen: String,
    status: Option<ExitStatus>,
}

#[derive(Debug)]
enum Event {
    Line(String),
    Closed,
    Ended(ExitStatus),
}

/// What a process that has ended wrote and how it ended.
#[derive(Debug)]
pub struct Finished {
    /// How it ended.
    pub status: ExitStatus,
    /// What it wrote on both streams, line by line as it came.
    pub output: String,
}

impl Running {
    /// Starts a process with nothing to read. It leads a group of its own, so that what it starts ends with it.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    #[must_use]
    pub fn start(command: &mut Command) -> Self {
        Self::start_with_input(command, Stdio::null())
    }

    /// Starts a process as [`Running::start`] does, with something to read.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    #[must_use]
    pub fn start_with_input(command: &mut Command, input: Stdio) -> Self {
        let name = command.get_program().to_string_lossy().into_owned();
        command.stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{name} cannot be started: {error}"));
        // The command keeps what it handed over; a socket should be the process's alone.
        command.stdin(Stdio::null());
        let (sender, events) = channel();
        follow(child.stdout.take().unwrap(), sender.clone());
        follow(child.stderr.take().unwrap(), sender.clone());
        let process_id = child.id();
        thread::spawn(move || child.wait().map(|status| sender.send(Event::Ended(status))));
        Self { name, process_id, events, seen: String::new(), status: None }
    }

    /// Waits for a line, on either stream, of which `wanted` makes something, and returns that.
    ///
    /// # Panics
    ///
    /// When the process ends, or [`LIMIT`] passes, without such a line; with everything it wrote.
    pub fn wait_for<T>(&mut self, what: &str, mut wanted: impl FnMut(&str) -> Option<T>) -> T {
        let deadline = Instant::now() + LIMIT;
        let mut closed = 0;
        loop {
            match self.next_event(deadline) {
                Ok(Event::Line(line)) => {
                    if let Some(found) = wanted(&line) {
                        return found;
                    }
                }
                Ok(Event::Closed) => {
                    closed += 1;
                    assert!(
                        closed < 2,
                        "{} closed its output before {what}; it wrote:\n{}",
                        self.name,
                        self.seen
                    );
                }
                Ok(Event::Ended(_)) => {}
                Err(_) => {
                    panic!("{} did not write {what} within {LIMIT:?}; it wrote:\n{}", self.name, self.seen)
                }
            }
        }
    }

    /// Waits until the process has ended and closed its output.
    ///
    /// # Panics
    ///
    /// When `limit` passes before; with everything it wrote.
    #[must_use]
    pub fn finish_within(mut self, limit: Duration) -> Finished {
        let deadline = Instant::now() + limit;
        loop {
            match self.next_event(deadline) {
                Ok(_) => {}
                // Nobody is left who could send an event.
                Err(RecvTimeoutError::Disconnected) => {
                    let status = self.status.expect("the end of a process is told before the channel closes");
                    return Finished { status, output: std::mem::take(&mut self.seen) };
                }
                Err(RecvTimeoutError::Timeout) => {
                    panic!("{} did not end within {limit:?}; it wrote:\n{}", self.name, self.seen)
                }
            }
        }
    }

    /// Kills the process and what it started, as `kill -9` does, and waits until it has gone.
    ///
    /// # Panics
    ///
    /// When it does not go within [`LIMIT`]; with everything it wrote.
    pub fn kill(self) -> Finished {
        self.kill_group();
        self.finish_within(LIMIT)
    }

    /// The number of the process.
    #[must_use]
    pub fn process_id(&self) -> u32 {
        self.process_id
    }

    /// Everything the process has written that was waited for until now.
    #[must_use]
    pub fn seen(&self) -> &str {
        &self.seen
    }

    fn kill_group(&self) {
        let group = format!("-{}", self.process_id);
        let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
    }

    fn next_event(&mut self, deadline: Instant) -> Result<Event, RecvTimeoutError> {
        let event = self.events.recv_timeout(deadline.saturating_duration_since(Instant::now()))?;
        match &event {
            Event::Line(line) => {
                self.seen.push_str(line);
                self.seen.push('\n');
            }
            Event::Ended(status) => self.status = Some(*status),
            Event::Closed => {}
        }
        Ok(event)
    }
}

/// Runs a command to its end within [`LIMIT`].
///
/// # Panics
///
/// When it cannot be started or takes longer.
#[must_use]
pub fn run(command: &mut Command) -> Finished {
    Running::start(command).finish_within(LIMIT)
}

/// Runs a command that must succeed and returns what it wrote.
///
/// # Panics
///
/// When it does not succeed; with what it wrote.
pub fn succeed(command: &mut Command) -> String {
    let finished = run(command);
    assert!(finished.status.success(), "{command:?} failed ({}):\n{}", finished.status, finished.output);
    finished.output
}

/// Waits until something is so that tells nobody when it becomes so.
///
/// # Panics
///
/// When [`LIMIT`] passes before.
pub fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !is_so() {
        assert!(Instant::now() < deadline, "waited {LIMIT:?} until {what}");
        thread::yield_now();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        while let Ok(event) = self.events.try_recv() {
            if let Event::Ended(status) = event {
                self.status = Some(status);
            }
        }
        // Once it has ended its number may belong to somebody else.
        if self.status.is_none() {
            self.kill_group();
        }
    }
}

/// Sends each line that comes, then that there are no more.
fn follow(stream: impl Read + Send + 'static, events: Sender<Event>) {
    thread::spawn(move || {
        let mut lines = BufReader::new(stream);
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
            let text = String::from_utf8_lossy(line.strip_suffix(b"\n").unwrap_or(&line)).into_owned();
            if events.send(Event::Line(text)).is_err() {
                break;
            }
            line.clear();
        }
        let _ = events.send(Event::Closed);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_line_is_waited_for_on_either_stream() {
        let mut running =
            Running::start(&mut shell("echo one; echo port 4711 >&2; read forever < /dev/zero"));
        let port = running.wait_for("its port", |line| line.strip_prefix("port ")?.parse::<u16>().ok());
        assert_eq!(port, 4711);
    }

    #[test]
    #[should_panic(expected = "closed its output before a greeting; it wrote:\nnothing of the sort")]
    fn a_process_that_ends_without_the_line_fails_the_test_with_what_it_wrote() {
        Running::start(&mut shell("echo nothing of the sort"))
            .wait_for("a greeting", |line| (line == "hello").then_some(()));
    }

    #[test]
    #[should_panic(expected = "did not end within 10ms")]
    fn a_process_that_does_not_end_is_not_waited_for_for_ever() {
        let _ = Running::start(&mut shell("exec cat /dev/zero > /dev/null"))
            .finish_within(Duration::from_millis(10));
    }

    #[test]
    fn what_a_process_started_ends_with_its_owner() {
        let mut running = Running::start(&mut shell("cat /dev/zero > /dev/null & echo $!; wait"));
        let child = running.wait_for("the child's number", |line| line.parse::<u32>().ok());
        drop(running);
        eventually("the child has ended", || !is_alive(child));
    }

    /// Whether a process runs; one that has ended but was not collected does not.
    fn is_alive(process_id: u32) -> bool {
        let status = std::fs::read_to_string(format!("/proc/{process_id}/stat")).unwrap_or_default();
        status.rsplit_once(") ").is_some_and(|(_, state)| !state.starts_with('Z'))
    }

    #[test]
    fn the_end_and_the_output_of_a_command_are_told() {
        assert_eq!(succeed(&mut shell("echo done")), "done\n");
        let finished = run(&mut shell("echo not so well >&2; exit 3"));
        assert_eq!((finished.status.code(), finished.output.as_str()), (Some(3), "not so well\n"));
    }
}
