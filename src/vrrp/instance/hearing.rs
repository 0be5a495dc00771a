//! Adverts of others: who yields to whom, and what is answered. RFC 9568 §6.4.2, §6.4.3.

use std::time::Duration;

use super::{Effect, Instance, REANNOUNCE_AFTER_HANDOVER, State};
use crate::types::{Instant, Interval, Priority, Version};
use crate::vrrp::election::outranks;
use crate::wire::vrrp::Advert;

/// Adverts in answer to others', at most so many in each interval.
///
/// RFC 9568 §6.4.3 answers every advert that does not outrank ours, and the addresses are
/// announced too: a stream of small packets from one peer must not become a storm for all. One
/// multicast answer is heard by every peer, so an answer that would come too soon is sent a
/// little later instead.
const ANSWERS_PER_INTERVAL: u32 = 4;

/// Shortest time between announcements, and notices, that others' adverts cause.
const LOWER_PRIORITY_GAP: Duration = Duration::from_millis(500);

/// Adverts with which an owner asks another one to stop, besides the answer. keepalived: 2.
const OWNER_REMINDERS: usize = 2;

impl Instance {
    pub(super) fn advert_received(
        &mut self,
        now: Instant,
        advert: &Advert,
        effects: &mut Vec<Effect>,
    ) {
        self.link_proved(now);
        let deaf = self.config.priority == Priority::OWNER && !self.config.owner_hears_adverts;
        if deaf || self.is_held(now) {
            return;
        }
        if self.config.with_version_2 && self.doubles.repeats(now, advert) {
            return;
        }
        match self.state {
            State::Initialize => self.successor_heard(now, advert),
            State::Backup {
                active_adver_interval,
                ..
            } if advert.priority == Priority::RELEASE => {
                self.heard_at = Some(now);
                self.rearm_down(now + self.skew_time(active_adver_interval, self.priority));
            }
            State::Backup { .. } => {
                self.successor_heard(now, advert);
                self.active_router = Some((advert.source, advert.priority));
                self.heard_at = Some(now);
                let other = Some(advert.source) != self.yielded_to;
                if other || advert.priority != Priority::OWNER {
                    self.yielded_to = None;
                }
                if self.yields_to(now, advert) {
                    self.wants_active = false;
                    self.state = self.backup(now, self.interval_of(advert));
                }
                // Otherwise lower priority and Preempt_Mode: the timer runs on.
            }
            State::Active { .. } if advert.priority == Priority::RELEASE => {
                self.answer(now, effects);
            }
            State::Active { .. } if self.outranked_by(advert) => {
                self.give_way(now, advert, effects)
            }
            State::Active { .. }
                if advert.priority == Priority::OWNER && self.priority == Priority::OWNER =>
            {
                self.argue(now, advert, effects);
            }
            // Packets come before late timers: this one is from who took over meanwhile.
            State::Active { adver_at } if adver_at <= now && self.was_replaced(now) => {
                self.follow(now, advert, effects);
            }
            State::Active { .. } => self.answer_lower_priority(now, effects),
        }
    }

    /// While it holds the addresses only for a successor's sake, the successor's first advert
    /// begins the short overlap in which both have them.
    pub(super) fn successor_heard(&mut self, now: Instant, advert: &Advert) {
        if advert.priority == Priority::RELEASE {
            return;
        }
        self.keep_hosts();
        if let Some(ends_at) = &mut self.handover_ends_at {
            *ends_at = (*ends_at).min(now + self.config.handover_overlap);
        }
    }

    /// Whether a Backup obeys an advert. RFC 9568 §6.4.2 (435); keepalived: `preempt_delay`.
    pub(super) fn yields_to(&mut self, now: Instant, advert: &Advert) -> bool {
        if advert.priority >= self.priority() || !self.config.preempt_mode {
            self.preempt_at = None;
            return true;
        }
        if self.config.preempt_delay.is_zero() {
            return false;
        }
        now < *self
            .preempt_at
            .get_or_insert(now + self.config.preempt_delay)
    }

    /// A higher priority wins; on a tie, the higher primary address. RFC 9568 §6.4.3.
    pub(super) fn outranked_by(&self, advert: &Advert) -> bool {
        outranks(
            (advert.priority, advert.source),
            (self.priority(), self.primary_address),
        )
    }

    pub(super) fn give_way(&mut self, now: Instant, advert: &Advert, effects: &mut Vec<Effect>) {
        // After a split the winner does not know of us, and that neighbours were taught wrong. A
        // virtual MAC address moves back with its next advert, and owners have argued before.
        let moves_mac = self.config.handover_overlap.is_zero();
        let owner = self.config.priority == Priority::OWNER;
        let split = self.alone && !moves_mac && !owner;
        if self.config.answer_higher_priority || split {
            effects.push(Effect::SendAdvert(self.priority()));
        }
        self.follow(now, advert, effects);
    }

    fn follow(&mut self, now: Instant, advert: &Advert, effects: &mut Vec<Effect>) {
        self.active_router = Some((advert.source, advert.priority));
        self.heard_at = Some(now);
        let backup = self.backup(now, self.interval_of(advert));
        self.transition(now, backup, effects);
    }

    /// Two owners: the lower address has to yield. One that does not is reminded, and after a
    /// while it gets the addresses: better the wrong owner than two. keepalived-behaviour.md §3.
    pub(super) fn argue(&mut self, now: Instant, advert: &Advert, effects: &mut Vec<Effect>) {
        let interval = self.config.advertisement_interval.max(advert.interval);
        let patience = interval.duration() * 6 / 5;
        match self.other_owner {
            Some((source, until)) if source == advert.source && now < until => {}
            // It was silent for a while: it has stopped, and begins anew.
            Some((source, until)) if source == advert.source && now < until + patience * 3 => {
                self.other_owner = None;
                self.yielded_to = Some(source);
                self.give_way(now, advert, effects);
            }
            Some(_) | None => {
                self.other_owner = Some((advert.source, now + patience));
                for _ in 0..OWNER_REMINDERS {
                    self.send_advert(now, effects);
                }
                self.answer_lower_priority(now, effects);
            }
        }
    }

    /// RFC 9568 §6.4.3: an Active Router answers every advert that does not outrank it. What the
    /// other one has taught switches and neighbours is put right at once, and once more when it
    /// has let go.
    pub(super) fn answer_lower_priority(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        if self.config.answer_lower_priority {
            self.answer(now, effects);
        }
        if self.may_reannounce(now) {
            effects.push(Effect::HeardLowerPriority);
        }
        self.reannounce(now, effects);
    }

    /// Sends an advert out of turn, or as soon as the last answer is old enough.
    pub(super) fn answer(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        let gap = self.config.advertisement_interval.duration() / ANSWERS_PER_INTERVAL;
        let may_at = self.answered_at.map_or(now, |at| at + gap);
        if may_at <= now {
            self.answered_at = Some(now);
            self.advertise(now, effects);
            return;
        }
        if let State::Active { adver_at } = &mut self.state
            && may_at < *adver_at
        {
            *adver_at = may_at;
            self.answer_due = true;
        }
    }

    pub(super) fn may_reannounce(&self, now: Instant) -> bool {
        let gap = LOWER_PRIORITY_GAP.min(self.config.advertisement_interval.duration() / 2);
        self.reannounced_at
            .is_none_or(|at| now.saturating_since(at) >= gap)
    }

    pub(super) fn reannounce(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        if !matches!(self.state, State::Active { .. }) || !self.may_reannounce(now) {
            return;
        }
        self.reannounced_at = Some(now);
        let announcement = &self.config.announcement;
        let repeat = announcement.lower_priority_repeat;
        if repeat == 0 {
            return;
        }
        effects.push(Effect::AnnounceAddresses { repeat });
        if let Some(delay) = announcement.lower_priority_delay {
            self.announcements.clear();
            self.announcements.push((now + delay, repeat));
        }
        // The other one lets go when it hears us: now, or at the next beat.
        let heard = match self.config.answer_lower_priority {
            true => now,
            false => self.next_adver(now),
        };
        let once_more = heard + REANNOUNCE_AFTER_HANDOVER;
        self.announcements.retain(|(at, _)| *at != once_more);
        self.announcements.push((once_more, 1));
    }

    /// VRRPv3 adopts the Active Router's interval; in VRRPv2 it equals our own.
    pub(super) const fn interval_of(&self, advert: &Advert) -> Interval {
        match self.config.version {
            Version::V2 => self.config.advertisement_interval,
            Version::V3 => advert.interval,
        }
    }
}
