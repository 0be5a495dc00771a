//! Where an address goes when something fails: the election of [`crate::vrrp`], played through
//! for each failure that the nodes of a virtual router can tell.
//!
//! The end of each election is worked out, not its course: timers count as equal on all nodes.

mod election;
#[cfg(test)]
mod tests;
mod weights;

use std::collections::BTreeSet;
use std::fmt;

use crate::config::model::{Config, Instance};
use crate::types::InterfaceName;
pub use election::Standing;
use election::{play, unheard};
use weights::stuck;
pub use weights::{Choice, Reason, Stuck, Weights};

/// Positions of nodes, as they were given; more than one where addresses that are not known
/// here decide a tie, none where nobody is left.
pub type Holders = BTreeSet<usize>;

/// Something that can fail on a node.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// The host loses power, or the daemon is killed.
    Host,
    /// The link of an interface goes down.
    Interface(InterfaceName),
    /// A `vrrp_script` fails.
    Script(String),
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host => f.write_str("host or daemon"),
            Self::Interface(name) => name.fmt(f),
            Self::Script(name) => f.write_str(name),
        }
    }
}

/// A node's part in a virtual router.
#[derive(Debug, Clone, Copy)]
pub struct Member<'a> {
    /// Position of the node among all that were given.
    pub node: usize,
    /// What it is configured to do.
    pub instance: &'a Instance,
    /// The whole configuration of its node.
    pub config: &'a Config,
}

impl<'a> Member<'a> {
    /// The other members of its sync group, which fail with it.
    pub(super) fn companions(&self) -> impl Iterator<Item = &'a Instance> + use<'a> {
        let (config, name) = (self.config, self.instance.name.as_str());
        let groups = config.groups.iter();
        let group = groups
            .filter(move |g| g.members.iter().any(|m| m == name))
            .take(1);
        let names = group.flat_map(|g| &g.members).filter(move |m| *m != name);
        names.filter_map(move |name| config.instances.iter().find(|i| i.name == *name))
    }
}

/// One failure and what comes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// What fails; nothing in the first row.
    pub cause: Option<Cause>,
    /// The nodes on which it fails.
    pub nodes: Vec<usize>,
    /// Nodes that are dead meanwhile.
    pub dead: Vec<usize>,
    /// Each member's standing meanwhile, in their order.
    pub standings: Vec<Standing>,
    /// Who has the addresses meanwhile.
    pub holders: Holders,
    /// Who has the addresses after it is mended.
    pub mended: Holders,
    /// Nodes that hold the addresses without being heard.
    pub unheard: Holders,
    /// Set if a weighted tracker failed on the holder and the address stayed.
    pub stuck: Option<Stuck>,
}

/// A failure on some of the nodes, while others are dead.
#[derive(Debug, Clone, Copy)]
struct Failure<'a> {
    cause: &'a Cause,
    nodes: &'a [usize],
    dead: &'a [usize],
}

/// Plays every failure through; the first row is the rest state.
///
/// What can fail on each node comes first, then what fails wherever the address goes, then
/// scripts that fail on every node or on the last one.
#[must_use]
pub fn truth_table(members: &[Member<'_>]) -> Vec<Row> {
    let mut rows = vec![row(members, None, &[], &[])];
    for member in members {
        for cause in causes(member) {
            rows.push(row(members, Some(cause), &[member.node], &[]));
        }
    }
    let all: Vec<usize> = members.iter().map(|m| m.node).collect();
    rows.extend(cascade(members, &Cause::Host));
    for name in shared_scripts(members) {
        let cause = Cause::Script(name);
        rows.extend(cascade(members, &cause));
        rows.push(row(members, Some(cause), &all, &[]));
    }
    rows.extend(on_the_last(members, &all));
    rows
}

/// A failure that follows the address, up to the last node that is well, or to where it stays
/// on a node that failed.
fn cascade<'a>(members: &'a [Member<'_>], cause: &'a Cause) -> impl Iterator<Item = Row> + use<'a> {
    let mut nodes: Vec<usize> = Vec::new();
    let mut stays = false;
    std::iter::from_fn(move || {
        if stays || nodes.len() == members.len() {
            return None;
        }
        let failed = (!nodes.is_empty()).then(|| cause.clone());
        let next = row(members, failed, &nodes, &[]);
        match next.holders.iter().find(|h| !nodes.contains(h)) {
            Some(holder) => nodes.push(*holder),
            None => stays = true,
        }
        Some(next)
    })
    // Nobody, and one node alone, have rows of their own.
    .skip(2)
}

/// Scripts that fail on the only node that is left.
fn on_the_last(members: &[Member<'_>], all: &[usize]) -> Vec<Row> {
    let mut rows = Vec::new();
    for member in members {
        let dead: Vec<usize> = all.iter().copied().filter(|n| *n != member.node).collect();
        for tracked in &member.instance.track_scripts {
            let cause = Some(Cause::Script(tracked.script.clone()));
            rows.push(row(members, cause, &[member.node], &dead));
        }
    }
    rows
}

/// All that a member can lose, its host first; a fault of its sync group counts as its own.
fn causes(member: &Member<'_>) -> Vec<Cause> {
    let mut causes = vec![Cause::Host];
    let faults = member.companions().flat_map(|c| {
        let of_fault = |cause: &Cause| !tracks(c, cause) || election::is_fault(c, cause);
        losses(c).filter(of_fault)
    });
    for cause in losses(member.instance).chain(faults) {
        if !causes.contains(&cause) {
            causes.push(cause);
        }
    }
    causes
}

/// Interfaces and scripts of an instance.
fn losses(instance: &Instance) -> impl Iterator<Item = Cause> {
    let own = instance.interface.iter();
    let tracked = instance.track_interfaces.iter().map(|t| &t.interface);
    let interfaces = own.chain(tracked).chain(carriers(instance));
    let scripts = instance.track_scripts.iter();
    let scripts = scripts.map(|t| Cause::Script(t.script.clone()));
    interfaces.cloned().map(Cause::Interface).chain(scripts)
}

/// Interfaces that addresses name for themselves.
fn carriers(instance: &Instance) -> impl Iterator<Item = &InterfaceName> {
    instance
        .all_addresses()
        .filter_map(|a| a.interface.as_ref())
}

/// Scripts that every member tracks.
fn shared_scripts(members: &[Member<'_>]) -> Vec<String> {
    let Some((first, others @ [_, ..])) = members.split_first() else {
        return Vec::new();
    };
    let names = first.instance.track_scripts.iter().map(|t| &t.script);
    names
        .filter(|name| {
            others
                .iter()
                .all(|m| tracks(m.instance, &Cause::Script((*name).clone())))
        })
        .cloned()
        .collect()
}

fn tracks(instance: &Instance, cause: &Cause) -> bool {
    match cause {
        Cause::Host => false,
        Cause::Interface(name) => instance
            .track_interfaces
            .iter()
            .any(|t| t.interface == *name),
        Cause::Script(name) => instance.track_scripts.iter().any(|t| t.script == *name),
    }
}

fn row(members: &[Member<'_>], cause: Option<Cause>, nodes: &[usize], dead: &[usize]) -> Row {
    let failure = cause.as_ref().map(|cause| Failure { cause, nodes, dead });
    let played = play(members, failure);
    Row {
        standings: played.entrants.iter().map(|e| e.standing).collect(),
        unheard: unheard(&played.entrants),
        stuck: failure.and_then(|failure| stuck(members, &played, failure)),
        holders: played.holders,
        mended: played.mended,
        cause,
        nodes: nodes.to_vec(),
        dead: dead.to_vec(),
    }
}
