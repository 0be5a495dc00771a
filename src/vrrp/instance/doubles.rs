//! Routers that send every advert in both versions: one of the two counts. RFC 9568 §8.4.2.

use std::net::IpAddr;

use crate::types::{Instant, Version};
use crate::wire::vrrp::Advert;

/// Sources remembered at most: more than routers there are, and little for a forger to fill.
const SOURCES: usize = 8;

/// Version 2 of a source does not count for so many of its intervals after its version 3.
///
/// An advert of version 3 may be lost. When none comes any more, the third of version 2 counts,
/// before a Backup loses patience.
const INTERVALS: u32 = 2;

/// Who has sent version 3 lately.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Doubles {
    /// Each with the end of the time in which its version 2 does not count.
    until: Vec<(IpAddr, Instant)>,
}

impl Doubles {
    /// Whether `advert` repeats in version 2 what its source says in version 3.
    pub(super) fn repeats(&mut self, now: Instant, advert: &Advert) -> bool {
        self.until.retain(|(_, until)| now < *until);
        match advert.version {
            Version::V2 => self.until.iter().any(|(of, _)| *of == advert.source),
            Version::V3 => {
                self.until.retain(|(of, _)| *of != advert.source);
                if self.until.len() == SOURCES {
                    self.until.remove(0);
                }
                let until = now + advert.interval.duration() * INTERVALS;
                self.until.push((advert.source, until));
                false
            }
        }
    }
}
