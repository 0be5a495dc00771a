//! What the daemon's threads get of the processors, and what they are called.

use std::io;

use crate::config::model::{Precedence, Process};
use crate::sys::schedule;

/// Time that a real-time thread may run without a pause before the log says so, where the file
/// says nothing, in microseconds.
const USUAL_LIMIT_MICROS: u32 = 1_000_000;

/// The threads that must be on time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Urgent {
    /// Speaks VRRP.
    pub(super) engine: u32,
    /// Installs and removes addresses.
    pub(super) kernel: u32,
}

impl Urgent {
    /// Gives all threads what `process` says, also those that run already. What the system
    /// refuses is logged, and is no reason not to run.
    pub(super) fn apply(self, process: &Process) {
        self.name(process);
        let precedence = &process.precedence;
        self.keep_to_processors(precedence);
        self.be_nice(precedence);
        let micros = precedence.limit_micros.unwrap_or(USUAL_LIMIT_MICROS);
        if let Err(error) = schedule::limit_real_time(micros.into()) {
            tracing::info!("the time of real-time threads is not limited: {error}");
        }
        let engine = precedence.engine_priority();
        let kernel = engine.map(|priority| priority.saturating_sub(1).max(1));
        for (name, thread, priority) in [
            ("engine", self.engine, engine),
            ("address", self.kernel, kernel),
        ] {
            match (schedule::set_real_time(thread, priority), priority) {
                (Ok(()), Some(priority)) => {
                    tracing::info!("the {name} thread runs with SCHED_RR priority {priority}");
                }
                (Ok(()), None) => tracing::info!("the {name} thread runs without SCHED_RR"),
                (Err(error), _) => {
                    tracing::info!("the {name} thread runs without SCHED_RR: {error}");
                }
            }
        }
    }

    /// The process is called as keepalived's parent, or else as its VRRP process would be.
    fn name(self, process: &Process) {
        let engine = process.engine_name.as_deref();
        let own = process.name.as_deref().or(engine);
        let named = [(std::process::id(), own), (self.engine, engine)];
        for (thread, name) in named {
            let Some(name) = name else { continue };
            if let Err(error) = schedule::set_name(thread, name) {
                tracing::warn!("the name `{name}` cannot be taken: {error}");
            }
        }
    }

    /// Scripts are started by the first thread, and have the same processors.
    fn keep_to_processors(self, precedence: &Precedence) {
        let processors = &precedence.processors;
        if processors.is_empty() {
            return;
        }
        let keep = |thread: &u32| schedule::set_processors(*thread, processors);
        let kept = each_thread(keep, 0);
        if let Err(error) = kept {
            tracing::warn!("processors {processors:?} cannot be kept to: {error}");
        }
    }

    /// Scripts are started by the first thread, and stay as they are.
    fn be_nice(self, precedence: &Precedence) {
        let Some(nice) = precedence.nice else { return };
        if let Err(error) = each_thread(|thread| schedule::set_nice(*thread, nice), 1) {
            tracing::warn!("nice value {nice} cannot be had: {error}");
        }
    }
}

/// Does something to all threads but the first `skipped` ones.
fn each_thread(mut what: impl FnMut(&u32) -> io::Result<()>, skipped: usize) -> io::Result<()> {
    let threads = schedule::threads()?;
    threads.iter().skip(skipped).try_for_each(&mut what)
}
