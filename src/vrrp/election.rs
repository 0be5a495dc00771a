//! Who outranks whom, and what a router's priority is while trackers are up or down.

use std::net::IpAddr;

use crate::types::Priority;

/// What the state of a tracker does to the priority. keepalived: `weight N [reverse]`.
///
/// With 0 points a tracker that is down is a fault. Positive points are added while it is up,
/// negative ones while it is down; `reverse` swaps up and down, for 0 points too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Weight {
    /// −253 to 253; −254 to 254 where a number is multiplied.
    pub points: i16,
    /// Down counts as up, and up as down.
    pub reverse: bool,
}

impl Weight {
    /// `points` without `reverse`.
    #[must_use]
    pub const fn new(points: i16) -> Self {
        Self {
            points,
            reverse: false,
        }
    }

    /// Whether a tracker that is down keeps the instance in the fault state.
    #[must_use]
    pub const fn is_fault(self) -> bool {
        self.points == 0
    }

    /// Whether a tracker in state `up` is good for this instance.
    #[must_use]
    pub const fn is_good(self, up: bool) -> bool {
        up != self.reverse
    }

    /// What a tracker with a number adds to the priority; `None` is a fault.
    ///
    /// Without points every number but 0 is a fault, with `reverse` 0 alone is. Otherwise the
    /// number times the points is added, less than −253 being a fault. keepalived: `track_file`.
    #[must_use]
    pub fn product(self, value: i32) -> Option<i32> {
        if self.is_fault() {
            return ((value == 0) != self.reverse).then_some(0);
        }
        let product = i64::from(value) * i64::from(self.points);
        let product = if self.reverse { -product } else { product };
        let product = i32::try_from(product.min(254)).ok();
        product.filter(|product| *product >= -253)
    }

    /// What a tracker in state `up` adds to the priority.
    #[must_use]
    pub const fn contribution(self, up: bool) -> i32 {
        let good = self.is_good(up);
        if (self.points > 0 && good) || (self.points < 0 && !good) {
            self.points as i32
        } else {
            0
        }
    }
}

/// The priority that goes into elections: base plus all contributions, within 1–254.
///
/// An address owner stays at 255 whatever its trackers say. The sum is always worked out from
/// all trackers, never adjusted by a difference. keepalived: `effective_priority`.
#[must_use]
pub fn effective_priority(base: Priority, contributions: impl Iterator<Item = i32>) -> Priority {
    if base == Priority::OWNER {
        return base;
    }
    let sum = contributions.fold(i32::from(base.get()), i32::saturating_add);
    Priority::new(u8::try_from(sum.clamp(1, 254)).unwrap_or(1))
}

/// Whether an advertisement (`theirs`) outranks an Active Router (`ours`).
///
/// The higher priority wins; on a tie, the numerically higher address. RFC 9568 §6.4.3.
#[must_use]
pub fn outranks(theirs: (Priority, IpAddr), ours: (Priority, Option<IpAddr>)) -> bool {
    (theirs.0, Some(theirs.1)) > ours
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_positive_weight_counts_while_up_and_a_negative_one_while_down() {
        assert_eq!(Weight::new(2).contribution(true), 2);
        assert_eq!(Weight::new(2).contribution(false), 0);
        assert_eq!(Weight::new(-20).contribution(true), 0);
        assert_eq!(Weight::new(-20).contribution(false), -20);
        let reverse = Weight {
            points: 5,
            reverse: true,
        };
        assert_eq!(
            (reverse.contribution(true), reverse.contribution(false)),
            (0, 5)
        );
    }

    #[test]
    fn a_number_is_multiplied_and_without_points_a_fault() {
        let reverse = |points| Weight {
            points,
            reverse: true,
        };
        for (weight, value, expected) in [
            (Weight::new(0), 0, Some(0)),
            (Weight::new(0), 1, None),
            (reverse(0), 0, None),
            (reverse(0), -1, Some(0)),
            (Weight::new(2), 126, Some(252)),
            (Weight::new(2), 1000, Some(254)),
            (Weight::new(2), -126, Some(-252)),
            (Weight::new(2), -127, None),
            (reverse(2), -5, Some(10)),
            (reverse(2), 127, None),
            (Weight::new(254), -1, None),
            (Weight::new(-253), 1, Some(-253)),
            (Weight::new(-254), i32::MIN, Some(254)),
            (Weight::new(254), i32::MIN, None),
        ] {
            assert_eq!(weight.product(value), expected, "{weight:?} {value}");
        }
    }

    #[test]
    fn an_owner_stays_at_255() {
        assert_eq!(
            effective_priority(Priority::OWNER, [-253].into_iter()),
            Priority::OWNER
        );
    }

    #[test]
    fn a_tie_goes_to_the_higher_address() {
        let ours = (Priority::new(100), Some("10.0.0.2".parse().unwrap()));
        let from = |p, a: &str| (Priority::new(p), a.parse().unwrap());
        assert!(outranks(from(100, "10.0.0.10"), ours));
        assert!(!outranks(from(100, "10.0.0.1"), ours));
        assert!(!outranks(from(100, "10.0.0.2"), ours));
        assert!(outranks(from(101, "10.0.0.1"), ours));
    }

    proptest! {
        #[test]
        fn the_effective_priority_never_leaves_1_to_254(
            base in 1u8..=254, sums in proptest::collection::vec(-253i32..=253, 0..40)
        ) {
            let p = effective_priority(Priority::new(base), sums.into_iter()).get();
            prop_assert!((1..=254).contains(&p));
        }
    }
}
