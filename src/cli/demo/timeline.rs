//! What happened when, printed while it happens.

use std::io::{self, Write};

use serde::Serialize;
use vipd::lab::realtime_nanos;

/// How long an event waits for earlier ones: those of the client are known only when it gives up.
const REORDER_NANOS: u64 = 150_000_000;

/// Something that happened to a node or the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Event {
    /// When: nanoseconds since 1970.
    pub(super) at_nanos: u64,
    /// Who.
    pub(super) who: String,
    /// What.
    pub(super) what: String,
}

/// An event in the JSON document.
#[derive(Debug, Serialize)]
pub(super) struct Entry<'a> {
    at_ms: f64,
    who: &'a str,
    what: &'a str,
}

/// Events in order.
#[derive(Debug)]
pub(super) struct Timeline {
    began_nanos: u64,
    events: Vec<Event>,
    printed: usize,
    quiet: bool,
}

impl Timeline {
    /// Begins now; `quiet` prints nothing.
    pub(super) fn new(quiet: bool) -> Self {
        Self {
            began_nanos: realtime_nanos(),
            events: Vec::new(),
            printed: 0,
            quiet,
        }
    }

    /// Notes an event that happened at `at_nanos`.
    pub(super) fn note(&mut self, at_nanos: u64, who: &str, what: impl Into<String>) {
        let event = Event {
            at_nanos,
            who: who.to_owned(),
            what: what.into(),
        };
        let later = self
            .events
            .iter()
            .rposition(|earlier| earlier.at_nanos <= at_nanos);
        // What is printed is printed: a straggler comes after it.
        let position = later.map_or(0, |last| last + 1).max(self.printed);
        self.events.insert(position, event);
    }

    /// Prints the events that no earlier one can precede any more.
    pub(super) fn print_settled(&mut self) -> io::Result<()> {
        self.print_until(realtime_nanos().saturating_sub(REORDER_NANOS))
    }

    /// Prints all events.
    pub(super) fn print_all(&mut self) -> io::Result<()> {
        self.print_until(u64::MAX)
    }

    fn print_until(&mut self, until_nanos: u64) -> io::Result<()> {
        let waiting = self.events.get(self.printed..).unwrap_or_default();
        let settled = waiting
            .iter()
            .take_while(|event| event.at_nanos <= until_nanos);
        for event in settled {
            self.printed += 1;
            if !self.quiet {
                let seconds = seconds(event.at_nanos.saturating_sub(self.began_nanos));
                writeln!(
                    io::stdout(),
                    "{seconds:>8.3}  {:<7} {}",
                    event.who,
                    event.what
                )?;
            }
        }
        Ok(())
    }

    /// The events for the JSON document.
    pub(super) fn entries(&self) -> Vec<Entry<'_>> {
        let entry = |event: &'_ Event| -> f64 {
            seconds(event.at_nanos.saturating_sub(self.began_nanos)) * 1000.0
        };
        self.events
            .iter()
            .map(|event| Entry {
                at_ms: entry(event),
                who: &event.who,
                what: &event.what,
            })
            .collect()
    }
}

/// Nanoseconds as seconds, for people.
pub(super) fn seconds(nanos: u64) -> f64 {
    std::time::Duration::from_nanos(nanos).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_in_order_however_late_they_are_noted() {
        let mut timeline = Timeline::new(true);
        timeline.note(30, "node2", "third");
        timeline.note(10, "node1", "first");
        timeline.note(20, "client", "second");
        let order: Vec<_> = timeline
            .events
            .iter()
            .map(|event| event.what.as_str())
            .collect();
        assert_eq!(order, ["first", "second", "third"]);
    }

    #[test]
    fn a_straggler_is_printed_after_what_is_printed() {
        let mut timeline = Timeline::new(true);
        timeline.note(10, "node1", "first");
        timeline.print_until(10).unwrap();
        timeline.note(5, "client", "late");
        assert_eq!(timeline.events.last().unwrap().what, "late");
    }
}
