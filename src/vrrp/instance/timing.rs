//! What is due when: adverts, the takeover of a Backup, announcements.

use std::time::Duration;

use super::{Effect, Instance, State};
use crate::types::{Instant, Interval, Priority, Version};

impl Instance {
    pub(super) fn deadline_passed(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        if self.handover_ends_at.is_some_and(|at| at <= now) {
            self.tell_hosts(effects);
            self.end_handover(effects);
        }
        match self.state {
            State::Backup {
                active_down_at,
                active_adver_interval,
            } if active_down_at <= now => {
                if self.ties.is_some() {
                    self.wants_active = true;
                    self.rearm_down(now + self.active_down_interval(active_adver_interval));
                } else {
                    self.transition(now, State::Active { adver_at: now }, effects);
                }
            }
            State::Active { adver_at } if adver_at <= now && self.was_replaced(now) => {
                let backup = self.backup(now, self.config.advertisement_interval);
                self.transition(now, backup, effects);
            }
            State::Active { adver_at } if adver_at <= now => {
                if std::mem::take(&mut self.answer_due) {
                    self.answered_at = Some(now);
                }
                self.send_advert(now, effects);
                let next = adver_at + self.config.advertisement_interval.duration();
                // A timer that came late by more than an interval does not send a burst.
                self.rearm_adver(if next > now {
                    next
                } else {
                    self.next_adver(now)
                });
            }
            State::Initialize | State::Backup { .. } | State::Active { .. } => {}
        }
        self.announce_if_due(now, effects);
        self.route_if_due(now, effects);
    }

    /// Whether a late timer has let a peer take over. keepalived: `timer_expired_backup`; always
    /// 3 intervals, whatever `down_timer_adverts` says.
    pub(super) fn was_replaced(&self, now: Instant) -> bool {
        let (Some(priority), Some(last)) = (self.config.late_timer_priority, self.advertised_at)
        else {
            return false;
        };
        let interval = self.config.advertisement_interval;
        let patience = interval.duration() * 3 + self.skew_time(interval, priority);
        now.saturating_since(last) > patience
    }

    pub(super) fn announce_if_due(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        for (_, repeat) in self.announcements.extract_if(.., |(at, _)| *at <= now) {
            effects.push(Effect::AnnounceAddresses { repeat });
        }
        if self.refresh_at.is_some_and(|at| at <= now) {
            let repeat = self.config.announcement.refresh_repeat.max(1);
            effects.push(Effect::AnnounceAddresses { repeat });
            self.refresh_at = self.config.announcement.refresh.map(|period| now + period);
        }
        if self.elsewhere_at.is_some_and(|at| at <= now) {
            effects.push(Effect::AnnounceElsewhere);
            self.elsewhere_at = self.config.announcement.elsewhere.map(|p| now + p);
        }
    }

    /// First announcement block now, second one after its delay.
    pub(super) fn announce_as_new(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        let repeat = self.config.announcement.repeat.max(1);
        effects.push(Effect::AnnounceAddresses { repeat });
        self.announcements.clear();
        let second = self
            .config
            .announcement
            .delay
            .map(|delay| (now + delay, repeat));
        self.announcements.extend(second);
    }

    pub(super) fn advertise(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        self.send_advert(now, effects);
        self.rearm_adver(self.next_adver(now));
    }

    pub(super) fn send_advert(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        self.advertised_at = Some(now);
        effects.push(Effect::SendAdvert(self.priority()));
    }

    pub(super) fn next_adver(&self, now: Instant) -> Instant {
        now + self.config.advertisement_interval.duration()
    }

    pub(super) const fn rearm_adver(&mut self, at: Instant) {
        if let State::Active { adver_at } = &mut self.state {
            *adver_at = at;
        }
    }

    pub(super) const fn rearm_down(&mut self, at: Instant) {
        if let State::Backup { active_down_at, .. } = &mut self.state {
            *active_down_at = at;
        }
    }

    pub(super) fn backup(&self, now: Instant, active_adver_interval: Interval) -> State {
        State::Backup {
            active_down_at: now + self.active_down_interval(active_adver_interval),
            active_adver_interval,
        }
    }

    /// Whether an Active Router still lives, or has just stepped down: one that died has been
    /// silent for longer.
    pub(super) fn heard_lately(&self, now: Instant) -> bool {
        let lately = self.config.advertisement_interval.duration() * 2;
        self.heard_at
            .is_some_and(|at| now.saturating_since(at) <= lately)
    }

    /// `(256 − priority) / 256` of the Active Router's interval, of a second in VRRPv2.
    ///
    /// RFC 9568 §6.1, RFC 3768 §6.1, Skew_Time.
    pub(super) fn skew_time(
        &self,
        active_adver_interval: Interval,
        priority: Priority,
    ) -> Duration {
        let interval = match self.config.version {
            Version::V2 => Duration::from_secs(1),
            Version::V3 => active_adver_interval.duration(),
        };
        interval * (256 - u32::from(priority.get())) / 256
    }
}
