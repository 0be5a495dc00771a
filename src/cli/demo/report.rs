//! What was measured, as a table or as JSON.

use std::io::{self, Write};

use serde::Serialize;
use vipd::types::{Interval, Priority};

use super::client::{PACE, Probe};
use super::timeline::{Entry, seconds};

/// A move of the address from one node to another.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Move {
    /// What made it move.
    pub(super) cause: String,
    /// The node that holds it afterwards.
    pub(super) to: String,
    /// From the cause to the new node's first announcement; for a crash, from the last advert of
    /// the old one.
    pub(super) announced_after_ms: Option<f64>,
    /// Active_Down_Interval of the new node, where the old one could not say goodbye.
    pub(super) active_down_interval_ms: Option<f64>,
    /// Time in which the client got no answer.
    pub(super) outage_ms: f64,
    /// Questions of the client around the move.
    pub(super) probes: usize,
    /// Those that nobody answered.
    pub(super) probes_lost: usize,
    /// Those that were asked again because the move reset their connection.
    pub(super) asked_again: usize,
}

/// The JSON document.
#[derive(Debug, Serialize)]
pub(super) struct Document<'a> {
    pub(super) advertisement_interval_ms: f64,
    pub(super) nodes: u8,
    pub(super) timeline: Vec<Entry<'a>>,
    pub(super) moves: &'a [Move],
}

/// Time a Backup waits in silence before it takes over, in milliseconds. RFC 9568 §6.1.
pub(super) fn active_down_interval_ms(interval: Interval, priority: Priority) -> f64 {
    let interval_ms = f64::from(interval.centis()) * 10.0;
    let skew_time_ms = f64::from(256 - u16::from(priority.get())) / 256.0 * interval_ms;
    3.0 * interval_ms + skew_time_ms
}

/// From the first question without an answer to the next one with, summed up, in milliseconds.
pub(super) fn outage_ms(probes: &[Probe]) -> f64 {
    let mut outage = 0;
    let mut began = None;
    for probe in probes {
        if probe.answer.is_none() {
            began.get_or_insert(probe.at_nanos);
        } else if let Some(began) = began.take() {
            outage += probe.at_nanos - began;
        }
    }
    seconds(outage) * 1000.0
}

/// Prints the table.
pub(super) fn print(moves: &[Move], interval: Interval) -> io::Result<()> {
    let out = &mut io::stdout();
    let pace = PACE.as_millis();
    writeln!(out)?;
    writeln!(
        out,
        "adverts every {interval} s, one question of the client every {pace} ms"
    )?;
    writeln!(out)?;
    writeln!(
        out,
        "{:<23} {:>11} {:>11} {:>11} {:>13} {:>13}",
        "", "standard", "announced", "no answer", "probes lost", "asked again"
    )?;
    for one in moves {
        let standard = one.active_down_interval_ms.map_or_else(String::new, ms);
        let announced = one
            .announced_after_ms
            .map_or_else(|| "not seen".to_owned(), ms);
        let lost = format!("{} of {}", one.probes_lost, one.probes);
        writeln!(
            out,
            "{:<23} {standard:>11} {announced:>11} {:>11} {lost:>13} {:>13}",
            one.cause,
            format!("{:.0} ms", one.outage_ms),
            one.asked_again,
        )?;
    }
    writeln!(out)?;
    writeln!(
        out,
        "standard:    Active_Down_Interval (RFC 9568), silence after which a Backup takes over"
    )?;
    writeln!(
        out,
        "announced:   first gratuitous ARP of the new node, counted after a crash from the"
    )?;
    writeln!(
        out,
        "             old node's last advert and otherwise from the cause"
    )?;
    writeln!(
        out,
        "asked again: connections that were open at the move and reset, as TCP has it"
    )
}

fn ms(value: f64) -> String {
    format!("{value:.1} ms")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probe(at_ms: u64, answered: bool) -> Probe {
        let at_nanos = at_ms * 1_000_000;
        let answer = answered.then(|| "node1".to_owned());
        Probe {
            number: 0,
            at_nanos,
            until_nanos: at_nanos,
            answer,
            asked_again: false,
        }
    }

    #[test]
    fn active_down_interval_is_three_intervals_and_the_skew() {
        let interval = Interval::from_centis(10).unwrap();
        let value = active_down_interval_ms(interval, Priority::new(140));
        assert!((value - 345.3125).abs() < 1e-9, "{value}");
    }

    #[test]
    fn an_outage_ends_with_the_next_answered_question() {
        let probes = [
            probe(0, true),
            probe(5, false),
            probe(10, false),
            probe(15, true),
        ];
        assert!((outage_ms(&probes) - 10.0).abs() < 1e-9);
        assert!(outage_ms(&probes[..1]).abs() < 1e-9);
    }
}
