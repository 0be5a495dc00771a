//! Router advertisements of an Active Router: when they are due. RFC 4861 §6.2.4, §6.2.6.

use std::net::IpAddr;
use std::time::Duration;

use super::{Effect, Instance, State};
use crate::types::Instant;

/// Shortest time between two. RFC 4861 §10, MIN_DELAY_BETWEEN_RAS.
const LEAST_GAP: Duration = Duration::from_secs(3);
/// The first ones of a term follow each other sooner. MAX_INITIAL_RTR_ADVERTISEMENTS.
const INITIAL: u32 = 3;
/// Longest wait between those. MAX_INITIAL_RTR_ADVERT_INTERVAL.
const INITIAL_WAIT: Duration = Duration::from_secs(16);
/// Longest wait before an answer. MAX_RA_DELAY_TIME.
const ANSWER_WAIT: Duration = Duration::from_millis(500);

/// The timer of router advertisements.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Routing {
    due_at: Option<Instant>,
    sent_at: Option<Instant>,
    /// So many have been sent since it became Active or what they say changed.
    sent: u32,
    /// So many have been sent ever: each wait is of another length.
    ever: u64,
    /// It shuts down, and no successor has been heard.
    leaves: bool,
}

impl Routing {
    pub(super) const fn due_at(&self) -> Option<Instant> {
        self.due_at
    }

    /// What comes next is heard from another address.
    pub(super) const fn forget_sent(&mut self) {
        self.sent_at = None;
    }

    /// Not before the last one has been heard for long enough.
    fn soonest(&self, at: Instant) -> Instant {
        self.sent_at.map_or(at, |sent| at.max(sent + LEAST_GAP))
    }
}

impl Instance {
    /// Begins anew: at once, and a few times in quick succession.
    pub(super) fn begin_routing(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        self.routing.sent = 0;
        let wanted = self.config.router_advertisement.is_some();
        self.routing.due_at = wanted.then(|| self.routing.soonest(now));
        self.route_if_due(now, effects);
    }

    pub(super) const fn end_routing(&mut self) {
        self.routing.due_at = None;
    }

    /// A shutdown has begun: hosts must hear of it unless somebody else is their router then.
    pub(super) const fn leave_hosts(&mut self) {
        self.routing.leaves = self.config.router_advertisement.is_some();
    }

    /// Another router has the addresses, and is the same one to hosts.
    pub(super) const fn keep_hosts(&mut self) {
        self.routing.leaves = false;
    }

    /// The addresses go. RFC 4861 §6.2.5.
    pub(super) fn tell_hosts(&mut self, effects: &mut Vec<Effect>) {
        if std::mem::take(&mut self.routing.leaves) {
            effects.push(Effect::AdvertiseRouter { last: true });
        }
    }

    pub(super) fn route_if_due(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        if self.routing.due_at.is_some_and(|at| at <= now) {
            effects.push(Effect::AdvertiseRouter { last: false });
            self.routing.sent_at = Some(now);
            self.routing.sent = self.routing.sent.saturating_add(1);
            self.routing.ever = self.routing.ever.wrapping_add(1);
            self.routing.due_at = self.next_routing(now);
        }
    }

    fn next_routing(&self, now: Instant) -> Option<Instant> {
        let longest = self.config.router_advertisement.as_ref()?.interval;
        // RFC 4861 §6.2.1, MinRtrAdvInterval; with the erratum for short intervals.
        let least = match longest.as_secs() {
            9.. => longest / 3,
            _ => longest * 3 / 4,
        };
        let spread = longest.saturating_sub(least);
        let wait = least + spread * self.chance() / CHANCES;
        let wait = match self.routing.sent {
            0..INITIAL => wait.min(INITIAL_WAIT),
            _ => wait,
        };
        Some(now + wait.max(LEAST_GAP))
    }

    /// A host has asked for one: it comes soon, and everybody hears it.
    pub(super) fn router_solicited(&mut self, now: Instant) {
        let wait = ANSWER_WAIT * self.chance() / CHANCES;
        let answer_at = self.routing.soonest(now + wait);
        self.routing.due_at = self.routing.due_at.map(|at| at.min(answer_at));
    }

    /// A reload has changed the configuration from one that said `before`, or the addresses if
    /// there are `new` ones.
    pub(super) fn reroute(
        &mut self,
        now: Instant,
        before: Option<&super::RouterAdvertisement>,
        new: bool,
        effects: &mut Vec<Effect>,
    ) {
        let after = self.config.router_advertisement.as_ref();
        if !matches!(self.state, State::Active { .. }) || (before == after && !new) {
            return;
        }
        if after.is_none() && before.is_some() {
            effects.push(Effect::AdvertiseRouter { last: true });
        }
        self.begin_routing(now, effects);
    }

    fn chance(&self) -> u32 {
        chance(self.seed(), self.routing.ever)
    }

    /// Differs between routers, so that those of one link do not speak all at once.
    fn seed(&self) -> u64 {
        let address = match self.primary_address {
            Some(IpAddr::V6(address)) => address.to_bits(),
            Some(IpAddr::V4(address)) => address.to_bits().into(),
            None => 0,
        };
        let [.., a, b, c, d, e, f, g, h] = address.to_be_bytes();
        u64::from_be_bytes([a, b, c, d, e, f, g, h]) ^ u64::from(self.config.vrid.get())
    }
}

const CHANCES: u32 = 1024;

/// The `number`th draw of 0..[`CHANCES`]: the mixer of SplitMix64.
fn chance(seed: u64, number: u64) -> u32 {
    let mut mixed = seed.wrapping_add(number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    u32::try_from((mixed ^ (mixed >> 31)) % u64::from(CHANCES)).unwrap_or(0)
}
