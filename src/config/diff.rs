//! What changes from one configuration to the next.

use std::collections::BTreeMap;

use super::model::{Config, Identity, Instance};

/// How an instance goes from old to new. Both are positions in `Config::instances`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Update {
    /// It keeps its state.
    InPlace {
        /// In the old configuration.
        old: usize,
        /// In the new one.
        new: usize,
    },
    /// It stops, and begins anew.
    Restart {
        /// In the old configuration.
        old: usize,
        /// In the new one.
        new: usize,
    },
}

/// What becomes of every instance.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// The same as before: old and new position.
    pub keep: Vec<(usize, usize)>,
    /// New position of those that come.
    pub add: Vec<usize>,
    /// Old position of those that go.
    pub remove: Vec<usize>,
    /// Those that change.
    pub update: Vec<Update>,
}

/// Compares instances by [`Instance::identity`]; a new name moves no address.
#[must_use]
pub fn plan(old: &Config, new: &Config) -> Plan {
    let mut before: BTreeMap<Identity, (usize, &Instance)> = old
        .instances
        .iter()
        .enumerate()
        .map(|(at, i)| (i.identity(), (at, i)))
        .collect();
    let mut plan = Plan::default();
    for (at, instance) in new.instances.iter().enumerate() {
        match before.remove(&instance.identity()) {
            None => plan.add.push(at),
            Some((was, known)) if known == instance => plan.keep.push((was, at)),
            Some((was, known)) => plan.update.push(update(was, known, at, instance)),
        }
    }
    plan.remove = before.into_values().map(|(at, _)| at).collect();
    plan.remove.sort_unstable();
    plan
}

/// A peer takes another version for a stranger, so nothing is kept by keeping the state.
fn update(old: usize, before: &Instance, new: usize, after: &Instance) -> Update {
    if before.protocol.version == after.protocol.version {
        Update::InPlace { old, new }
    } else {
        Update::Restart { old, new }
    }
}
