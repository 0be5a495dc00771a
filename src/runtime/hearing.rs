//! Which routers an instance hears, for those who ask.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::types::{Instant, Priority, Version};
use crate::wire::vrrp::{ChecksumForm, Received};

/// Routers remembered: a flood of made-up senders must not fill the memory.
const MOST: usize = 32;
/// Longest gap, in intervals, in which adverts count as lost: after a longer one the sender was
/// not Active meanwhile, as far as anybody can tell.
const LONGEST_GAP: u32 = 4;

/// A router that advertises.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// The version of its last advert.
    pub version: Version,
    /// The priority in it.
    pub priority: Priority,
    /// What its checksum covers.
    pub checksum: ChecksumForm,
    /// When it came.
    pub at: Instant,
    /// Adverts taken since the daemon started.
    pub adverts: u64,
    /// Adverts that are missing between two that came.
    pub lost: u64,
}

/// All of them, by address.
#[derive(Debug, Clone, Default)]
pub(super) struct Hearing(BTreeMap<IpAddr, Heard>);

impl Hearing {
    /// Takes note of an advert that was taken.
    pub(super) fn note(&mut self, at: Instant, received: &Received) {
        let advert = &received.advert;
        if self.0.len() >= MOST && !self.0.contains_key(&advert.source) {
            let silent = self.0.iter().min_by_key(|(_, heard)| heard.at);
            if let Some(longest) = silent.map(|(address, _)| *address) {
                self.0.remove(&longest);
            }
        }
        let heard = self.0.entry(advert.source).or_insert(Heard {
            version: advert.version,
            priority: advert.priority,
            checksum: received.checksum,
            at,
            adverts: 0,
            lost: 0,
        });
        let interval = advert.interval.duration();
        let gap = at.saturating_since(heard.at);
        if heard.priority != Priority::RELEASE && gap <= interval * LONGEST_GAP {
            // Late by less than half an interval is no loss.
            let beats = (gap + interval / 2).as_nanos() / interval.as_nanos().max(1);
            heard.lost += u64::try_from(beats.saturating_sub(1)).unwrap_or(u64::MAX);
        }
        heard.version = advert.version;
        heard.priority = advert.priority;
        heard.checksum = received.checksum;
        heard.at = at;
        heard.adverts += 1;
    }

    /// Everybody, in the order of their addresses.
    pub(super) fn all(&self) -> BTreeMap<IpAddr, Heard> {
        self.0.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use super::*;
    use crate::types::Interval;
    use crate::wire::vrrp::Advert;

    fn received(source: u32, priority: u8) -> Received {
        Received {
            advert: Advert {
                source: Ipv4Addr::from(source).into(),
                priority: Priority::new(priority),
                interval: Interval::DEFAULT,
                version: Version::V3,
            },
            addresses: Vec::new(),
            checksum: ChecksumForm::PseudoHeader,
        }
    }

    fn heard(millis: &[(u64, u8)]) -> (u64, u64) {
        let mut hearing = Hearing::default();
        for (at, priority) in millis {
            let at = Instant::default() + Duration::from_millis(*at);
            hearing.note(at, &received(1, *priority));
        }
        let all = hearing.all();
        let one = all.values().next().unwrap();
        (one.adverts, one.lost)
    }

    #[test]
    fn adverts_that_are_missing_are_counted_and_silences_are_not() {
        assert_eq!(heard(&[(0, 100), (1000, 100), (2400, 100)]), (3, 0));
        assert_eq!(heard(&[(0, 100), (2000, 100), (5000, 100)]), (3, 3));
        assert_eq!(heard(&[(0, 100), (9000, 100)]), (2, 0));
        assert_eq!(heard(&[(0, 100), (1000, 0), (3000, 100)]), (3, 0));
        assert_eq!(heard(&[(0, 100), (1, 100)]), (2, 0));
    }

    #[test]
    fn made_up_senders_drive_out_the_silent_ones_only() {
        let mut hearing = Hearing::default();
        for n in 0..1000 {
            let at = Instant::default() + Duration::from_millis(n.into());
            hearing.note(at, &received(1, 100));
            hearing.note(at, &received(n + 2, 100));
        }
        let all = hearing.all();
        assert_eq!(all.len(), MOST);
        assert_eq!(all.values().next().unwrap().adverts, 1000);
    }
}
