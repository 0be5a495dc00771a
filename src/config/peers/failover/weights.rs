//! Why a weight does not move the address, and which weights would.

use std::ops::RangeInclusive;

use super::election::{Entrant, Played, play};
use super::{Cause, Failure, Member, tracks};
use crate::config::model::{Instance, TrackedInterface, TrackedScript};
use crate::types::Priority;
use crate::vrrp::election::Weight;

/// Why a failure on the holder does not move the address, and which weights would.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stuck {
    /// Priority of the holder while the tracker is down.
    pub holder: Priority,
    /// Highest priority among the others.
    pub rival: Priority,
    /// Position of that other node.
    pub rival_node: usize,
    /// What keeps it there.
    pub reason: Reason,
    /// Weights that move it, with the tracker where it is today.
    pub here: Weights,
    /// Weights that move it once every node tracks the same; `None` if every node does.
    pub everywhere: Option<Weights>,
}

/// What keeps an address on a node whose tracker failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// No other node has a higher priority.
    Outranks,
    /// The rival's priority is the same, and a tie moves nothing from a live node.
    Ties,
    /// The rival's is higher, but it waits for silence. keepalived: `nopreempt`.
    NoPreempt,
    /// An owner's priority is 255 whatever its trackers say.
    Owner,
}

/// Weights that move the address, found by trying all of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Weights {
    /// Negative ones.
    pub negative: Option<Choice>,
    /// Whether 0 does: the tracker's failure is a fault then.
    pub fault: bool,
    /// Positive ones.
    pub positive: Option<Choice>,
}

/// Weights of one sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// From the lowest to the highest.
    pub points: RangeInclusive<i16>,
    /// Priority of the node whose tracker failed, with the weight that is nearest to 0.
    pub holder: Priority,
    /// Highest priority among the others then.
    pub rival: Priority,
}

/// Why the address stays on a node whose weighted tracker failed, if that is what happens.
pub(super) fn stuck(
    members: &[Member<'_>],
    played: &Played,
    failure: Failure<'_>,
) -> Option<Stuck> {
    let ([node], []) = (failure.nodes, failure.dead) else {
        return None;
    };
    let instance = members.iter().find(|m| m.node == *node)?.instance;
    let stays = played.rest.contains(node) && played.holders.contains(node);
    if !stays || !tracks(instance, failure.cause) {
        return None;
    }
    let holder = played
        .entrants
        .iter()
        .find(|e| e.node == *node)?
        .priority()?;
    let others = played.entrants.iter().filter(|e| e.node != *node);
    let rival = others
        .filter(|e| e.priority().is_some())
        .max_by_key(|e| e.priority())?;
    let rival_priority = rival.priority()?;
    let tracked_everywhere = members.iter().all(|m| tracks(m.instance, failure.cause));
    Some(Stuck {
        holder,
        rival: rival_priority,
        rival_node: rival.node,
        reason: if instance.protocol.priority == Priority::OWNER {
            Reason::Owner
        } else if rival_priority < holder {
            Reason::Outranks
        } else if rival_priority == holder {
            Reason::Ties
        } else {
            Reason::NoPreempt
        },
        here: weights(members, failure, false),
        everywhere: (!tracked_everywhere).then(|| weights(members, failure, true)),
    })
}

/// Tries every weight for the tracker on the members that have it, or on all.
fn weights(members: &[Member<'_>], failure: Failure<'_>, everywhere: bool) -> Weights {
    let played = |points: i16| {
        let changed: Vec<Instance> = members
            .iter()
            .map(|m| reweighted(m.instance, failure.cause, points, everywhere))
            .collect();
        let members: Vec<Member<'_>> = members
            .iter()
            .zip(&changed)
            .map(|(member, instance)| Member {
                instance,
                ..*member
            })
            .collect();
        play(&members, Some(failure))
    };
    let moves = |points: i16| {
        let played = played(points);
        played.rest.iter().eq(failure.nodes)
            && !played.holders.is_empty()
            && played.holders.is_disjoint(&played.rest)
    };
    let choice = |points: RangeInclusive<i16>, nearest: i16| {
        let (failed, others): (Vec<Entrant>, Vec<Entrant>) = played(nearest)
            .entrants
            .iter()
            .partition(|e| failure.nodes.contains(&e.node));
        let highest = |entrants: &[Entrant]| entrants.iter().filter_map(Entrant::priority).max();
        Some(Choice {
            points,
            holder: highest(&failed)?,
            rival: highest(&others)?,
        })
    };
    let negative = run((-253..0).rev().filter(|points| moves(*points)));
    let positive = run((1..=253).filter(|points| moves(*points)));
    Weights {
        negative: negative.and_then(|(near, far)| choice(far..=near, near)),
        fault: moves(0),
        positive: positive.and_then(|(near, far)| choice(near..=far, near)),
    }
}

/// First and last of the first unbroken run.
fn run(mut points: impl Iterator<Item = i16>) -> Option<(i16, i16)> {
    let first = points.next()?;
    let last = points
        .scan(first, |last, p| {
            (last.abs_diff(p) == 1).then(|| {
                *last = p;
                p
            })
        })
        .last();
    Some((first, last.unwrap_or(first)))
}

/// `instance` with `points` for the tracker, which it gets if it lacks it and `add` is set.
fn reweighted(instance: &Instance, cause: &Cause, points: i16, add: bool) -> Instance {
    let mut instance = instance.clone();
    let missing = add && !tracks(&instance, cause);
    match cause {
        Cause::Host => {}
        Cause::Interface(name) => {
            let added = TrackedInterface {
                interface: name.clone(),
                weight: Weight::new(points),
            };
            instance.track_interfaces.extend(missing.then_some(added));
            let same = instance
                .track_interfaces
                .iter_mut()
                .filter(|t| t.interface == *name);
            same.for_each(|t| t.weight.points = points);
        }
        Cause::Script(name) => {
            let added = TrackedScript {
                script: name.clone(),
                weight: Weight::new(points),
            };
            instance.track_scripts.extend(missing.then_some(added));
            let same = instance
                .track_scripts
                .iter_mut()
                .filter(|t| t.script == *name);
            same.for_each(|t| t.weight.points = points);
        }
    }
    instance
}
