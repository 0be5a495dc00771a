//! Rise and fall of trackers: when results in a row change what a tracker says.

/// Names one tracker for as long as the daemon lives, also across reloads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrackerId(pub u32);

/// Counts results until enough in a row say the same. keepalived: `rise`, `fall`, `init_fail`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RiseFall {
    rise: u32,
    fall: u32,
    up: Option<bool>,
    against: u32,
}

impl RiseFall {
    /// Needs `rise` successes to come up and `fall` failures to go down; both are at least 1.
    ///
    /// The first result decides at once, whatever the counts, unless `init_fail`: then it is
    /// down until it rises.
    #[must_use]
    pub fn new(rise: u32, fall: u32, init_fail: bool) -> Self {
        Self {
            rise: rise.max(1),
            fall: fall.max(1),
            up: init_fail.then_some(false),
            against: 0,
        }
    }

    /// Whether the tracker is up; `None` before its first result.
    #[must_use]
    pub const fn up(&self) -> Option<bool> {
        self.up
    }

    /// How many successes it takes to come up, and how many failures to go down.
    #[must_use]
    pub const fn counts(&self) -> (u32, u32) {
        (self.rise, self.fall)
    }

    /// Changes the counts of a reload and keeps the state.
    pub fn set_counts(&mut self, rise: u32, fall: u32) {
        self.rise = rise.max(1);
        self.fall = fall.max(1);
    }

    /// Takes in one result; returns the new state if it changed.
    pub fn record(&mut self, success: bool) -> Option<bool> {
        if self.up == Some(success) {
            self.against = 0;
            return None;
        }
        self.against = self.against.saturating_add(1);
        let needed = match self.up {
            None => 1,
            Some(false) => self.rise,
            Some(true) => self.fall,
        };
        if self.against < needed {
            return None;
        }
        self.against = 0;
        self.up = Some(success);
        self.up
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(mut counter: RiseFall, results: &str) -> Vec<Option<bool>> {
        results.chars().map(|c| counter.record(c == '+')).collect()
    }

    #[test]
    fn the_first_result_decides_at_once() {
        assert_eq!(run(RiseFall::new(3, 3, false), "+"), [Some(true)]);
        assert_eq!(run(RiseFall::new(3, 3, false), "-"), [Some(false)]);
    }

    #[test]
    fn init_fail_needs_rise_successes() {
        assert_eq!(run(RiseFall::new(2, 1, true), "++"), [None, Some(true)]);
        assert_eq!(RiseFall::new(2, 1, true).up(), Some(false));
    }

    #[test]
    fn only_results_in_a_row_count() {
        let got = run(RiseFall::new(2, 3, false), "+--+---+-++");
        let expected = [
            Some(true),
            None,
            None,
            None,
            None,
            None,
            Some(false),
            None,
            None,
            None,
            Some(true),
        ];
        assert_eq!(got, expected);
    }
}
