//! A run of the protocol, written down so that it can be run again: every input of the core with
//! its time, and what the core made of it.
//!
//! The core depends on nothing but its inputs, so a recording made in the field, fed to the same
//! program, gives the same decisions to the byte. No secret ever reaches the core, hence none is
//! in a recording. See docs/recording.md.

pub mod format;
pub mod replay;

use std::ops::Deref;

use crate::types::{InstanceId, Instant};
use crate::vrrp::group::GroupId;
use crate::vrrp::instance::InstanceConfig;
use crate::vrrp::router::{Event, InstanceEffect, Router, Tracking};
use crate::vrrp::track::{RiseFall, TrackerId};

/// One call that changes a [`Router`], with everything it is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// [`Router::set_tracker`].
    SetTracker(TrackerId, RiseFall),
    /// [`Router::set_tracker_counts`]: rise and fall.
    SetTrackerCounts(TrackerId, u32, u32),
    /// [`Router::remove_tracker`].
    RemoveTracker(TrackerId),
    /// [`Router::add`].
    Add {
        /// Which instance.
        id: InstanceId,
        /// What it is.
        config: Box<InstanceConfig>,
        /// What it tracks.
        tracking: Tracking,
    },
    /// [`Router::set_groups`].
    SetGroups(Vec<(GroupId, Vec<InstanceId>)>),
    /// [`Router::reconfigure`].
    Reconfigure {
        /// Which instance.
        id: InstanceId,
        /// What it becomes.
        config: Box<InstanceConfig>,
        /// What it tracks from now on.
        tracking: Tracking,
        /// Addresses were added.
        announce: bool,
    },
    /// [`Router::remove`].
    Remove(InstanceId),
    /// [`Router::handle`].
    Handle(Event),
}

impl Call {
    /// Does it to `router`.
    pub fn apply(self, router: &mut Router, now: Instant, effects: &mut Vec<InstanceEffect>) {
        match self {
            Self::SetTracker(id, counter) => router.set_tracker(id, counter),
            Self::SetTrackerCounts(id, rise, fall) => router.set_tracker_counts(id, rise, fall),
            Self::RemoveTracker(id) => router.remove_tracker(id),
            Self::Add {
                id,
                config,
                tracking,
            } => router.add(now, id, *config, tracking),
            Self::SetGroups(groups) => router.set_groups(now, groups, effects),
            Self::Reconfigure {
                id,
                config,
                tracking,
                announce,
            } => router.reconfigure(now, id, *config, tracking, announce, effects),
            Self::Remove(id) => router.remove(id),
            Self::Handle(event) => router.handle(now, event, effects),
        }
    }
}

/// A call with its time and with what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When it was made, as the core was told.
    pub at: Instant,
    /// What was done.
    pub call: Call,
    /// What the core asked for, in order.
    pub effects: Vec<InstanceEffect>,
    /// When the core wants to be woken after it.
    pub wakes_at: Option<Instant>,
}

/// Takes the entries of a recording; must not block.
pub type Sink = Box<dyn FnMut(Entry) + Send>;

/// A [`Router`] whose every change can be written down.
///
/// Reading goes to the router itself. Without a sink a call costs one comparison more.
#[derive(Default)]
pub struct Recorded {
    router: Router,
    sink: Option<Sink>,
}

impl std::fmt::Debug for Recorded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recorded")
            .field("router", &self.router)
            .field("recorded", &self.sink.is_some())
            .finish()
    }
}

impl Deref for Recorded {
    type Target = Router;

    fn deref(&self) -> &Router {
        &self.router
    }
}

impl Recorded {
    /// A host without virtual routers, written down by `sink` if there is one.
    #[must_use]
    pub fn new(sink: Option<Sink>) -> Self {
        Self {
            router: Router::new(),
            sink,
        }
    }

    /// Makes `call` at `now` and appends what must be done to `effects`.
    pub fn call(&mut self, now: Instant, call: Call, effects: &mut Vec<InstanceEffect>) {
        let Some(sink) = &mut self.sink else {
            return call.apply(&mut self.router, now, effects);
        };
        let first = effects.len();
        call.clone().apply(&mut self.router, now, effects);
        sink(Entry {
            at: now,
            call,
            effects: effects.iter().skip(first).copied().collect(),
            wakes_at: self.router.deadline(),
        });
    }

    /// [`Router::handle`].
    pub fn handle(&mut self, now: Instant, event: Event, effects: &mut Vec<InstanceEffect>) {
        self.call(now, Call::Handle(event), effects);
    }
}
