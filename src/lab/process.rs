//! Programs that run on a host.

use std::io::{self, BufRead, BufReader, PipeReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::{Error, now};
use crate::sys::process;

/// How often a process that is waited for is looked at.
const POLL: Duration = Duration::from_millis(2);

/// A running program with what it has printed so far. Dropping it kills it and its children.
#[derive(Debug)]
pub struct Process {
    child: Child,
    output: Arc<Output>,
}

/// Lines that a program printed, to either stream.
#[derive(Debug, Default)]
struct Output {
    lines: Mutex<Vec<String>>,
    grown: Condvar,
}

impl Output {
    fn lines(&self) -> MutexGuard<'_, Vec<String>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn collect(&self, reader: PipeReader) {
        let mut reader = BufReader::new(reader);
        let mut line = Vec::new();
        while reader
            .read_until(b'\n', &mut line)
            .is_ok_and(|read| read > 0)
        {
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            self.lines().push(text);
            self.grown.notify_all();
            line.clear();
        }
    }
}

impl Process {
    /// Starts it in the namespace of the calling thread, in a process group of its own.
    pub(super) fn start(command: &mut Command) -> Result<Self, Error> {
        let program = command.get_program().to_string_lossy().into_owned();
        Self::start_piped(command).map_err(|source| Error::Spawn { program, source })
    }

    fn start_piped(command: &mut Command) -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        command
            .stdin(Stdio::null())
            .stdout(writer.try_clone()?)
            .stderr(writer)
            .process_group(0);
        let child = command.spawn();
        // The command holds the writing end, and the reader waits for the last of those to close.
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let child = child?;
        let output = Arc::new(Output::default());
        let collected = Arc::clone(&output);
        thread::Builder::new()
            .name("output".to_owned())
            .spawn(move || collected.collect(reader))?;
        Ok(Self { child, output })
    }

    /// Its process number.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends `SIGTERM` to the program, and not to its children.
    pub fn terminate(&self) {
        self.signal(libc::SIGTERM);
    }

    /// Sends a signal, by its number, to the program; none if it has ended.
    pub fn signal(&self, number: i32) {
        process::signal(self.id(), number);
    }

    /// Kills the program and its children at once, as a power loss would, and waits.
    pub fn kill(&mut self) {
        process::kill_group(self.id());
        let _ = self.child.wait();
        process::reap_group(self.id());
    }

    /// How it ended, unless it still runs after `timeout`.
    pub fn wait(&mut self, timeout: Duration) -> Option<ExitStatus> {
        let end = now() + timeout;
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) if now() < end => thread::sleep(POLL),
                Ok(None) | Err(_) => return None,
            }
        }
    }

    /// Every line printed so far.
    #[must_use]
    pub fn output(&self) -> Vec<String> {
        self.output.lines().clone()
    }

    /// Waits until a line contains `text`, and returns it; `None` after `timeout`.
    #[must_use]
    pub fn wait_for_line(&self, text: &str, timeout: Duration) -> Option<String> {
        let find = |lines: &[String]| lines.iter().find(|line| line.contains(text)).cloned();
        let (lines, _) = self
            .output
            .grown
            .wait_timeout_while(self.output.lines(), timeout, |lines| find(lines).is_none())
            .unwrap_or_else(PoisonError::into_inner);
        find(&lines)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
