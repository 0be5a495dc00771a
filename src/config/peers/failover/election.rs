//! The election itself: who takes part with which priority, and who has the addresses in the end.

use std::fmt;
use std::net::IpAddr;

use super::{Cause, Failure, Holders, Member, carriers};
use crate::config::model::Instance;
use crate::types::Priority;
use crate::vrrp::election::{Weight, effective_priority, outranks};

/// How a member takes part in the election.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Not at all: it is gone.
    Dead,
    /// Not at all: a fault that it knows of.
    Fault,
    /// Unheard, though it believes that it takes part. keepalived: `dont_track_primary`.
    CutOff(Priority),
    /// With this effective priority.
    Running(Priority),
}

impl Standing {
    /// The effective priority of a member that runs.
    #[must_use]
    pub const fn priority(self) -> Option<Priority> {
        match self {
            Self::Running(priority) => Some(priority),
            Self::Dead | Self::Fault | Self::CutOff(_) => None,
        }
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dead => f.pad("-"),
            Self::Fault => f.pad("fault"),
            Self::CutOff(_) => f.pad("cut off"),
            Self::Running(priority) => f.pad(&priority.to_string()),
        }
    }
}

/// A node that believes that it is alone takes the addresses whether it is heard or not.
pub(super) fn unheard(entrants: &[Entrant]) -> Holders {
    let cut_off = |e: &&Entrant| matches!(e.standing, Standing::CutOff(_));
    entrants.iter().filter(cut_off).map(|e| e.node).collect()
}

/// One failure played through.
pub(super) struct Played {
    pub(super) entrants: Vec<Entrant>,
    pub(super) rest: Holders,
    pub(super) holders: Holders,
    pub(super) mended: Holders,
}

pub(super) fn play(members: &[Member<'_>], failure: Option<Failure<'_>>) -> Played {
    let well: Vec<Entrant> = members.iter().map(|m| Entrant::new(m, None)).collect();
    let entrants: Vec<Entrant> = members.iter().map(|m| Entrant::new(m, failure)).collect();
    let rest = settle(&Holders::new(), &well);
    let holders = settle(&rest, &entrants);
    let mended = settle(&meet_again(&holders, &entrants, &well), &well);
    Played {
        entrants,
        rest,
        holders,
        mended,
    }
}

/// `holders`, unless one that was cut off comes back as Active and outranks them.
fn meet_again(holders: &Holders, entrants: &[Entrant], well: &[Entrant]) -> Holders {
    let cut_off = unheard(entrants);
    if cut_off.is_empty() {
        return holders.clone();
    }
    let active = |e: &&Entrant| holders.contains(&e.node) || cut_off.contains(&e.node);
    best(well.iter().filter(active))
        .into_iter()
        .map(|e| e.node)
        .collect()
}

/// What a member brings to the election.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entrant {
    pub(super) node: usize,
    pub(super) standing: Standing,
    preempts: bool,
    source: Option<IpAddr>,
}

impl Entrant {
    fn new(member: &Member<'_>, failure: Option<Failure<'_>>) -> Self {
        let is_dead = failure.is_some_and(|f| f.dead.contains(&member.node));
        let failure = failure.filter(|f| f.nodes.contains(&member.node));
        Self {
            node: member.node,
            standing: match is_dead {
                true => Standing::Dead,
                false => standing(member, failure.map(|f| f.cause)),
            },
            preempts: member.instance.protocol.preempt_mode,
            source: member.instance.transport.source(),
        }
    }

    pub(super) fn priority(&self) -> Option<Priority> {
        self.standing.priority()
    }
}

/// How a member takes part while `failed`, and nothing else, is down. A fault of one member of
/// a sync group is a fault of all of them.
fn standing(member: &Member<'_>, failed: Option<&Cause>) -> Standing {
    let own = alone(member.instance, failed);
    let faulty = |other| alone(other, failed) == Standing::Fault;
    if own != Standing::Dead && member.companions().any(faulty) {
        Standing::Fault
    } else {
        own
    }
}

/// Whether the failure of `cause` is a fault of `instance`.
pub(super) fn is_fault(instance: &Instance, cause: &Cause) -> bool {
    alone(instance, Some(cause)) == Standing::Fault
}

/// How `instance` would take part without its sync group.
fn alone(instance: &Instance, failed: Option<&Cause>) -> Standing {
    let is_up = |cause: Cause| failed != Some(&cause);
    let scripts = instance.track_scripts.iter();
    let interfaces = instance.track_interfaces.iter();
    let trackers: Vec<(Weight, bool)> = scripts
        .map(|t| (t.weight, is_up(Cause::Script(t.script.clone()))))
        .chain(interfaces.map(|t| (t.weight, is_up(Cause::Interface(t.interface.clone())))))
        .collect();
    let contributions = trackers.iter().map(|(weight, up)| weight.contribution(*up));
    let priority = effective_priority(instance.protocol.priority, contributions);

    let own = instance.interface.as_ref();
    let own_is_up = own.is_none_or(|name| is_up(Cause::Interface(name.clone())));
    let carriers_are_up = carriers(instance)
        .filter(|name| Some(*name) != own)
        .all(|name| is_up(Cause::Interface(name.clone())));
    if failed == Some(&Cause::Host) {
        Standing::Dead
    } else if trackers
        .iter()
        .any(|(weight, up)| weight.is_fault() && !weight.is_good(*up))
        || !carriers_are_up
        || !(own_is_up || instance.ignore_own_interface)
    {
        Standing::Fault
    } else if own_is_up {
        Standing::Running(priority)
    } else {
        Standing::CutOff(priority)
    }
}

/// Who has the addresses in the end, if one of `before` had them.
fn settle(before: &Holders, entrants: &[Entrant]) -> Holders {
    let running = || entrants.iter().filter(|e| e.priority().is_some());
    let mut after = Holders::new();
    let mut left_alone = before.is_empty();
    for node in before {
        match running().find(|e| e.node == *node) {
            Some(holder) => after.extend(challenge(holder, entrants)),
            None => left_alone = true,
        }
    }
    if left_alone {
        let winners = best(running());
        after.extend(
            winners
                .into_iter()
                .flat_map(|winner| challenge(winner, entrants)),
        );
    }
    after
}

/// Who has the addresses in the end if `holder` has them now and is alive: only a higher
/// priority in Preempt_Mode takes them, and then perhaps a yet higher one.
fn challenge(holder: &Entrant, entrants: &[Entrant]) -> Holders {
    let challengers = best(
        entrants
            .iter()
            .filter(|e| e.preempts && e.priority() > holder.priority()),
    );
    if challengers.is_empty() {
        return Holders::from([holder.node]);
    }
    challengers
        .into_iter()
        .flat_map(|winner| challenge(winner, entrants))
        .collect()
}

/// The highest priority among `entrants`; all that share it, unless their addresses are known.
fn best<'a>(entrants: impl Iterator<Item = &'a Entrant> + Clone) -> Vec<&'a Entrant> {
    let top = entrants.clone().filter_map(Entrant::priority).max();
    let tied: Vec<&Entrant> = entrants
        .filter(|e| top.is_some() && e.priority() == top)
        .collect();
    let loses = |a: &Entrant| tied.iter().any(|b| outranks_in_tie(b, a));
    let known = tied.iter().all(|e| e.source.is_some());
    if known {
        tied.iter().copied().filter(|e| !loses(e)).collect()
    } else {
        tied.clone()
    }
}

fn outranks_in_tie(theirs: &Entrant, ours: &Entrant) -> bool {
    match (theirs.priority(), theirs.source, ours.priority()) {
        (Some(their_priority), Some(source), Some(priority)) => {
            outranks((their_priority, source), (priority, ours.source))
        }
        _ => false,
    }
}
