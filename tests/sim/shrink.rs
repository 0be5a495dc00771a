//! The shortest script of accidents that still fails in the same way.

use super::network::run;
use super::node::Sabotage;
use super::scenario::Scenario;

/// Leaves accidents out, many at a time, then one at a time, for as long as `rule` is broken
/// without them (delta debugging).
pub fn shrink(mut scenario: Scenario, rule: &str, sabotage: Sabotage) -> Scenario {
    let mut size = scenario.accidents.len().div_ceil(2).max(1);
    loop {
        let mut shorter = false;
        let mut first = 0;
        while first < scenario.accidents.len() {
            let mut candidate = scenario.clone();
            let end = (first + size).min(candidate.accidents.len());
            candidate.accidents.drain(first..end);
            let outcome = run(&candidate, sabotage, false);
            if outcome.violation.is_some_and(|v| v.rule == rule) {
                scenario = candidate;
                shorter = true;
            } else {
                first += size;
            }
        }
        if size == 1 && !shorter {
            return scenario;
        }
        size = (size / 2).max(1);
    }
}
