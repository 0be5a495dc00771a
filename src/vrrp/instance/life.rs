//! How a virtual router starts, stops, fails, recovers and is changed by a reload.

use std::time::Duration;

use super::{
    Effect, Fault, Instance, InstanceConfig, LISTEN_LIMIT, SUCCESSOR_MARGIN, State, Transition,
};
use crate::types::{Instant, Priority, Version};

impl Instance {
    pub(super) fn startup(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        if self.running {
            return;
        }
        self.running = true;
        self.handover_ends_at = None;
        self.keep_hosts();
        let first = effects.len();
        self.start_if_well(now, effects);
        // A run that crashed, or a handover that is not over, may have left them. An owner that
        // goes on at once keeps them: they may be the host's own.
        if !matches!(self.state, State::Active { .. }) {
            effects.insert(first, Effect::RemoveAddresses);
        }
    }

    /// Leaves Initialize if nothing keeps it there. RFC 9568 §6.4.1.
    pub(super) fn start_if_well(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        if !self.running || !matches!(self.state, State::Initialize) {
            return;
        }
        if !self.faults.is_empty() {
            if !self.faults.iter().all(Fault::is_pending) {
                self.tell(Transition::Fault, effects);
            }
            return;
        }
        self.preempt_at = None;
        self.active_router = None;
        self.heard_at = None;
        self.yielded_to = None;
        self.listening = self.config.listen_before_lead && !self.link_proved;
        if self.starts_active(now) {
            self.transition(now, State::Active { adver_at: now }, effects);
        } else {
            let backup = self.first_backup(now);
            self.transition(now, backup, effects);
        }
    }

    /// Backup with the timer of a start, which counts once nothing holds the start back.
    pub(super) fn first_backup(&self, now: Instant) -> State {
        let interval = self.config.advertisement_interval;
        let mut from = self.held_until.map_or(now, |at| at.max(now));
        if self.listening {
            from = from + LISTEN_LIMIT;
        }
        let wait = match self.is_starting_owner() {
            false => self.active_down_interval(interval),
            true if self.ties.is_none() => Duration::ZERO,
            // The group decides: keepalived lets its owners wait for one interval.
            true => interval.duration() + self.skew_time(interval, self.priority),
        };
        State::Backup {
            active_down_at: from + wait,
            active_adver_interval: interval,
        }
    }

    pub(super) fn link_proved(&mut self, now: Instant) {
        self.link_proved = true;
        if std::mem::take(&mut self.listening) && matches!(self.state, State::Backup { .. }) {
            self.state = self.first_backup(now);
        }
    }

    pub(super) fn is_held(&self, now: Instant) -> bool {
        self.held_until.is_some_and(|at| now < at)
    }

    /// Whether Startup leads to Active without a word from others. RFC 9568 §6.4.1.
    pub(super) fn starts_active(&self, now: Instant) -> bool {
        let waits = self.ties.is_some() || self.is_held(now) || self.listening;
        self.is_starting_owner() && !waits && self.faults.is_empty()
    }

    pub(super) fn is_starting_owner(&self) -> bool {
        self.config.priority == Priority::OWNER && self.config.start_active
    }

    /// Steps down so that no client's packet is lost: priority 0 goes out, the addresses stay
    /// until a successor is heard or none can be expected any more.
    pub(super) fn shutdown(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        if !self.running {
            return;
        }
        self.running = false;
        if matches!(self.state, State::Active { .. }) {
            effects.push(Effect::SendAdvert(Priority::RELEASE));
            let longest_skew = self.ties.map_or(Duration::ZERO, |ties| ties.longest_skew);
            let longest_skew = longest_skew.max(self.ties().longest_skew);
            self.begin_handover(now + longest_skew + SUCCESSOR_MARGIN);
            self.leave_hosts();
            self.state = State::Initialize;
            return;
        }
        self.state = State::Initialize;
        self.wants_active = false;
        if self.handover_ends_at.is_none() {
            self.tell(Transition::Stopped, effects);
        }
    }

    pub(super) fn fault_raised(&mut self, fault: Fault, now: Instant, effects: &mut Vec<Effect>) {
        let own = !fault.is_of_group();
        let bars_start = fault.only_bars_start();
        if fault == Fault::Interface {
            self.link_proved = false;
        }
        self.faults.insert(fault);
        match self.state {
            State::Initialize => {
                // What it kept for its successor's sake it cannot serve any more.
                if own && self.running && self.handover_ends_at.is_some() {
                    self.end_handover(effects);
                }
                self.start_if_well(now, effects);
            }
            State::Backup { .. } | State::Active { .. } if bars_start => {}
            State::Backup { .. } | State::Active { .. } => {
                self.transition(now, State::Initialize, effects);
            }
        }
    }

    pub(super) fn fault_cleared(&mut self, fault: &Fault, now: Instant, effects: &mut Vec<Effect>) {
        if self.faults.remove(fault) {
            self.start_if_well(now, effects);
        }
    }

    pub(super) fn priority_changed(&mut self, now: Instant, priority: Priority) {
        let State::Backup {
            active_down_at,
            active_adver_interval,
        } = self.state
        else {
            self.priority = priority;
            return;
        };
        // The timer moves with the skew: keepalived does so, the RFC knows no such change.
        let before = self.skew_time(active_adver_interval, self.priority);
        self.priority = priority;
        let after = self.skew_time(active_adver_interval, self.priority);
        self.rearm_down((active_down_at + after - before).max(now));
    }

    pub(super) fn reconfigured(
        &mut self,
        now: Instant,
        config: InstanceConfig,
        announce: bool,
        effects: &mut Vec<Effect>,
    ) {
        let before = std::mem::replace(&mut self.config, config);
        if self.config.priority != Priority::OWNER {
            // The priority of one that yielded hid the change that comes next.
            self.yielded_to = None;
        }
        match self.state {
            State::Initialize => {}
            // Reloads that change nothing here, however many, must not hold a takeover up.
            State::Backup { .. } if before.times_like(&self.config) => {}
            State::Backup {
                active_down_at,
                active_adver_interval,
            } => {
                let interval = match self.config.version {
                    Version::V2 => self.config.advertisement_interval,
                    Version::V3 => active_adver_interval,
                };
                // Never sooner than before: a peer with the old interval must not be overrun.
                let down_at = now + self.active_down_interval(interval);
                self.state = State::Backup {
                    active_down_at: active_down_at.max(down_at),
                    active_adver_interval: interval,
                };
            }
            // Nor may they put a refreshment off, or make a peer see more than it expects.
            State::Active { .. } if before == self.config && !announce => {}
            State::Active { .. } => {
                // At once, so that no peer misses one because the interval changed.
                self.advertise(now, effects);
                effects.push(Effect::InstallAddresses);
                if announce {
                    self.announce_as_new(now, effects);
                }
                self.refresh_at = self.config.announcement.refresh.map(|period| now + period);
                self.elsewhere_at = self.config.announcement.elsewhere.map(|p| now + p);
            }
        }
        if announce {
            // The first address may be another one: to hosts, this is another router.
            self.routing.forget_sent();
        }
        self.reroute(now, before.router_advertisement.as_ref(), announce, effects);
    }
}
