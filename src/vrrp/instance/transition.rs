//! From one state to another, and the moments in which the addresses outlive the Active state.

use std::time::Duration;

use super::{
    Effect, Fault, Instance, REANNOUNCE_AFTER_HANDOVER, SUCCESSOR_MARGIN, State, Transition,
};
use crate::types::{Instant, Priority};

impl Instance {
    /// The only way between states: leaves the old one, then enters the new one.
    pub(super) fn transition(&mut self, now: Instant, next: State, effects: &mut Vec<Effect>) {
        if matches!(self.state, State::Active { .. }) {
            self.leave_active(now, next, effects);
        }
        let from_backup = matches!(self.state, State::Backup { .. });
        self.state = next;
        self.wants_active = false;
        match next {
            State::Initialize => self.tell(Transition::Fault, effects),
            State::Backup { .. } => self.tell(Transition::Backup, effects),
            State::Active { .. } => self.enter_active(now, from_backup, effects),
        }
    }

    pub(super) fn leave_active(&mut self, now: Instant, next: State, effects: &mut Vec<Effect>) {
        match next {
            // Outranked by a live peer: it needs a moment to announce itself.
            State::Backup { .. } => self.begin_handover(now + self.config.handover_overlap),
            // It is well itself: its clients do not wait for the peer of another member.
            State::Initialize if self.faults.iter().all(Fault::is_of_group) => {
                effects.push(Effect::SendAdvert(Priority::RELEASE));
                self.begin_handover(now + self.patience());
            }
            State::Initialize | State::Active { .. } => {
                self.begin_handover(now);
                self.handover_ends_at = None;
                effects.push(Effect::SendAdvert(Priority::RELEASE));
                effects.push(Effect::RemoveAddresses);
            }
        }
    }

    pub(super) fn enter_active(
        &mut self,
        now: Instant,
        from_backup: bool,
        effects: &mut Vec<Effect>,
    ) {
        self.handover_ends_at = None;
        self.listening = false;
        self.yielded_to = None;
        self.other_owner = None;
        self.answered_at = None;
        self.answer_due = false;
        self.reannounced_at = None;
        self.send_advert(now, effects);
        effects.push(Effect::InstallAddresses);
        self.announce_as_new(now, effects);
        self.alone = !self.heard_lately(now);
        if from_backup && !self.alone {
            self.announcements
                .push((now + REANNOUNCE_AFTER_HANDOVER, 1));
        }
        self.refresh_at = self.config.announcement.refresh.map(|period| now + period);
        self.elsewhere_at = self.config.announcement.elsewhere.map(|p| now + p);
        self.begin_routing(now, effects);
        self.preempt_at = None;
        self.rearm_adver(self.next_adver(now));
        self.tell(Transition::Active, effects);
    }

    pub(super) fn begin_handover(&mut self, ends_at: Instant) {
        self.announcements.clear();
        self.refresh_at = None;
        self.elsewhere_at = None;
        self.end_routing();
        self.handover_ends_at = Some(ends_at);
    }

    pub(super) fn end_handover(&mut self, effects: &mut Vec<Effect>) {
        self.handover_ends_at = None;
        effects.push(Effect::RemoveAddresses);
        if !self.running {
            self.tell(Transition::Stopped, effects);
        }
    }

    pub(super) fn take_over(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        if matches!(self.state, State::Backup { .. }) {
            self.transition(now, State::Active { adver_at: now }, effects);
        }
    }

    /// No peer has outranked it, so it answers for its addresses until one is heard.
    pub(super) fn step_back(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        if matches!(self.state, State::Active { .. }) {
            let backup = self.backup(now, self.config.advertisement_interval);
            self.transition(now, backup, effects);
            self.handover_ends_at = Some(now + self.patience());
        }
    }

    /// Longest time until a peer's group has taken over, which may have heard nothing.
    pub(super) fn patience(&self) -> Duration {
        let ties = self.ties.unwrap_or_else(|| self.ties());
        ties.longest_down + SUCCESSOR_MARGIN
    }

    /// Tells others once per state.
    pub(super) fn tell(&mut self, transition: Transition, effects: &mut Vec<Effect>) {
        if self.told != Some(transition) {
            self.told = Some(transition);
            effects.push(Effect::Notify(transition));
        }
    }
}
