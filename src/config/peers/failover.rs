//! Where an address goes when something fails: the election of [`crate::vrrp`], played through
//! for each failure that the nodes of a virtual router can tell.
//!
//! The end of each election is worked out, not its course: timers count as equal on all nodes.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::ops::RangeInclusive;

use crate::config::model::{Instance, TrackedInterface, TrackedScript};
use crate::types::{InterfaceName, Priority};
use crate::vrrp::election::{Weight, effective_priority, outranks};

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

/// A node's part in a virtual router.
#[derive(Debug, Clone, Copy)]
pub struct Member<'a> {
    /// Position of the node among all that were given.
    pub node: usize,
    /// What it is configured to do.
    pub instance: &'a Instance,
}

/// One failure and what comes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// What fails; nothing in the first row.
    pub cause: Option<Cause>,
    /// The nodes on which it fails.
    pub nodes: Vec<usize>,
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

/// A failure on some of the nodes.
#[derive(Debug, Clone, Copy)]
struct Failure<'a> {
    cause: &'a Cause,
    nodes: &'a [usize],
}

/// Plays every failure through; the first row is the rest state.
#[must_use]
pub fn truth_table(members: &[Member<'_>]) -> Vec<Row> {
    let mut rows = vec![row(members, None, Vec::new())];
    for member in members {
        let causes = causes(member.instance).into_iter();
        rows.extend(causes.map(|cause| row(members, Some(cause), vec![member.node])));
    }
    let all: Vec<usize> = members.iter().map(|m| m.node).collect();
    let shared = shared_scripts(members).into_iter();
    rows.extend(shared.map(|name| row(members, Some(Cause::Script(name)), all.clone())));
    rows
}

/// All that `instance` can lose, its host first.
fn causes(instance: &Instance) -> Vec<Cause> {
    let own = instance.interface.iter();
    let tracked = instance.track_interfaces.iter().map(|t| &t.interface);
    let interfaces = own
        .chain(tracked)
        .chain(carriers(instance))
        .cloned()
        .map(Cause::Interface);
    let scripts = instance
        .track_scripts
        .iter()
        .map(|t| Cause::Script(t.script.clone()));
    let mut causes = vec![Cause::Host];
    for cause in interfaces.chain(scripts) {
        if !causes.contains(&cause) {
            causes.push(cause);
        }
    }
    causes
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

fn row(members: &[Member<'_>], cause: Option<Cause>, nodes: Vec<usize>) -> Row {
    let failure = cause.as_ref().map(|cause| Failure {
        cause,
        nodes: &nodes,
    });
    let played = play(members, failure);
    Row {
        standings: played.entrants.iter().map(|e| e.standing).collect(),
        unheard: unheard(&played.entrants),
        stuck: failure.and_then(|failure| stuck(members, &played, failure)),
        holders: played.holders,
        mended: played.mended,
        cause,
        nodes,
    }
}

/// A node that believes that it is alone takes the addresses whether it is heard or not.
fn unheard(entrants: &[Entrant]) -> Holders {
    let cut_off = |e: &&Entrant| matches!(e.standing, Standing::CutOff(_));
    entrants.iter().filter(cut_off).map(|e| e.node).collect()
}

/// One failure played through.
struct Played {
    entrants: Vec<Entrant>,
    rest: Holders,
    holders: Holders,
    mended: Holders,
}

fn play(members: &[Member<'_>], failure: Option<Failure<'_>>) -> Played {
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
struct Entrant {
    node: usize,
    standing: Standing,
    preempts: bool,
    source: Option<IpAddr>,
}

impl Entrant {
    fn new(member: &Member<'_>, failure: Option<Failure<'_>>) -> Self {
        let failure = failure.filter(|f| f.nodes.contains(&member.node));
        Self {
            node: member.node,
            standing: standing(member.instance, failure.map(|f| f.cause)),
            preempts: member.instance.protocol.preempt_mode,
            source: member.instance.transport.source(),
        }
    }

    fn priority(&self) -> Option<Priority> {
        self.standing.priority()
    }
}

/// How `instance` takes part while `failed`, and nothing else, is down.
fn standing(instance: &Instance, failed: Option<&Cause>) -> Standing {
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

/// Why the address stays on a node whose weighted tracker failed, if that is what happens.
fn stuck(members: &[Member<'_>], played: &Played, failure: Failure<'_>) -> Option<Stuck> {
    let [node] = failure.nodes else { return None };
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
        let changed: Vec<(usize, Instance)> = members
            .iter()
            .map(|m| {
                (
                    m.node,
                    reweighted(m.instance, failure.cause, points, everywhere),
                )
            })
            .collect();
        let members: Vec<Member<'_>> = changed
            .iter()
            .map(|(node, instance)| Member {
                node: *node,
                instance,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::peers::fixture::{NGINX, from, node, tracking, waiting};

    fn table(nodes: &[Instance]) -> Vec<Row> {
        let members: Vec<Member<'_>> = nodes
            .iter()
            .enumerate()
            .map(|(node, instance)| Member { node, instance })
            .collect();
        truth_table(&members)
    }

    fn nginx_dies(nodes: &[Instance], on: &[usize]) -> Row {
        let cause = Some(Cause::Script(NGINX.to_owned()));
        table(nodes)
            .into_iter()
            .find(|r| r.cause == cause && r.nodes == on)
            .unwrap()
    }

    fn fails(nodes: &[Instance], cause: &Cause, on: usize) -> Row {
        let found = |r: &Row| r.cause.as_ref() == Some(cause) && r.nodes == [on];
        table(nodes).into_iter().find(found).unwrap()
    }

    fn on(nodes: &[usize]) -> Holders {
        nodes.iter().copied().collect()
    }

    #[test]
    fn the_founding_pair_does_not_move_when_nginx_dies() {
        let row = nginx_dies(&[tracking(node(100), 2), node(99)], &[0]);
        assert_eq!(row.holders, on(&[0]));
        let stuck = row.stuck.unwrap();
        assert_eq!((stuck.holder.get(), stuck.rival.get()), (100, 99));
        assert_eq!(stuck.reason, Reason::Outranks);
        let negative = Choice {
            points: -253..=-2,
            holder: Priority::new(98),
            rival: Priority::new(99),
        };
        assert_eq!(
            stuck.here,
            Weights {
                negative: Some(negative),
                fault: true,
                positive: None
            }
        );
        let positive = Choice {
            points: 2..=154,
            holder: Priority::new(100),
            rival: Priority::new(101),
        };
        assert_eq!(stuck.everywhere.unwrap().positive, Some(positive));
    }

    #[test]
    fn the_weights_found_move_the_address_and_their_neighbours_do_not() {
        for (points, moves) in [
            (-1, false),
            (-2, true),
            (-253, true),
            (0, true),
            (253, false),
        ] {
            let row = nginx_dies(&[tracking(node(100), points), node(99)], &[0]);
            assert_eq!(row.holders == on(&[1]), moves, "{points}");
        }
        for (points, moves) in [(1, false), (2, true), (154, true)] {
            let pair = [tracking(node(100), points), tracking(node(99), points)];
            assert_eq!(
                nginx_dies(&pair, &[0]).holders == on(&[1]),
                moves,
                "{points}"
            );
        }
    }

    #[test]
    fn an_address_that_moved_returns_when_the_failure_is_mended() {
        let row = nginx_dies(&[tracking(node(100), -20), tracking(node(99), -20)], &[0]);
        assert_eq!(
            (row.holders, row.mended, row.stuck),
            (on(&[1]), on(&[0]), None)
        );
    }

    #[test]
    fn the_same_failure_on_every_node_keeps_the_order_or_leaves_nobody() {
        let weighted = [tracking(node(100), -20), tracking(node(99), -20)];
        assert_eq!(nginx_dies(&weighted, &[0, 1]).holders, on(&[0]));
        let fault = [tracking(node(100), 0), tracking(node(99), 0)];
        assert_eq!(nginx_dies(&fault, &[0, 1]).holders, on(&[]));
    }

    #[test]
    fn a_dead_host_or_a_link_that_is_down_leaves_the_election() {
        let pair = [node(100), node(99)];
        let eth0 = Cause::Interface(InterfaceName::new("eth0").unwrap());
        for cause in [Cause::Host, eth0] {
            let row = fails(&pair, &cause, 0);
            assert_eq!((row.holders, row.mended), (on(&[1]), on(&[0])), "{cause}");
            assert_eq!(fails(&pair, &cause, 1).holders, on(&[0]), "{cause}");
        }
    }

    #[test]
    fn nopreempt_leaves_the_address_with_a_live_node_of_lower_priority() {
        let pair = [waiting(node(100)), node(99)];
        let row = fails(&pair, &Cause::Host, 0);
        assert_eq!((row.holders, row.mended), (on(&[1]), on(&[1])));
    }

    #[test]
    fn against_a_waiting_backup_only_a_fault_moves_the_address() {
        let row = nginx_dies(&[tracking(node(100), -20), waiting(node(99))], &[0]);
        let stuck = row.stuck.unwrap();
        assert_eq!(stuck.reason, Reason::NoPreempt);
        assert_eq!(
            stuck.here,
            Weights {
                negative: None,
                fault: true,
                positive: None
            }
        );
    }

    #[test]
    fn silence_ends_the_wait_of_a_nopreempt_backup() {
        let row = nginx_dies(&[tracking(node(100), 0), waiting(node(99))], &[0]);
        assert_eq!(row.holders, on(&[1]));
    }

    #[test]
    fn a_tie_moves_nothing_from_a_live_node() {
        let stuck = nginx_dies(&[tracking(node(100), -1), node(99)], &[0])
            .stuck
            .unwrap();
        assert_eq!(stuck.reason, Reason::Ties);
    }

    #[test]
    fn a_tie_at_rest_goes_to_the_higher_address_where_it_is_known() {
        let rest = |nodes: &[Instance]| table(nodes).swap_remove(0).holders;
        assert_eq!(rest(&[node(100), node(100)]), on(&[0, 1]));
        let known = [from(node(100), "10.0.0.1"), from(node(100), "10.0.0.2")];
        assert_eq!(rest(&known), on(&[1]));
    }

    #[test]
    fn the_third_node_takes_over_when_it_is_the_highest_left() {
        let nodes = [tracking(node(100), -20), waiting(node(90)), node(95)];
        let row = nginx_dies(&nodes, &[0]);
        assert_eq!((row.holders, row.mended), (on(&[2]), on(&[0])));
        assert_eq!(fails(&nodes, &Cause::Host, 2).holders, on(&[0]));
    }

    #[test]
    fn a_lower_node_that_preempts_passes_a_higher_one_that_waits() {
        let nodes = [tracking(node(100), -20), waiting(node(99)), node(95)];
        assert_eq!(nginx_dies(&nodes, &[0]).holders, on(&[2]));
    }

    #[test]
    fn an_owner_keeps_the_address_whatever_its_weights() {
        let stuck = nginx_dies(&[tracking(node(255), -20), node(99)], &[0])
            .stuck
            .unwrap();
        assert_eq!(stuck.reason, Reason::Owner);
        assert_eq!(
            stuck.here,
            Weights {
                negative: None,
                fault: true,
                positive: None
            }
        );
    }

    #[test]
    fn a_node_that_ignores_its_own_link_keeps_the_address_too() {
        let mut deaf = node(100);
        deaf.ignore_own_interface = true;
        let eth0 = Cause::Interface(InterfaceName::new("eth0").unwrap());
        let row = fails(&[deaf, node(99)], &eth0, 0);
        assert_eq!(
            (row.holders, row.unheard, row.mended),
            (on(&[1]), on(&[0]), on(&[0]))
        );
    }

    #[test]
    fn a_link_that_carries_an_address_counts() {
        let mut carrying = node(100);
        let mut address = crate::types::VirtualAddress::new("10.9.0.1".parse().unwrap(), 24);
        address.interface = InterfaceName::new("eth1");
        carrying.addresses.push(address);
        let eth1 = Cause::Interface(InterfaceName::new("eth1").unwrap());
        assert_eq!(fails(&[carrying, node(99)], &eth1, 0).holders, on(&[1]));
    }
}
