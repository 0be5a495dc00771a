//! Sync groups on several nodes: the same members, moving the same way.

use std::collections::BTreeSet;

use super::between::Between;
use super::failover::{Cause, Holders, Member, Row, truth_table};
use super::{Node, VirtualRouter, named, node_name, report};
use crate::config::diagnostic::{Code, Diagnostic, Severity};
use crate::types::{Family, Vrid};

/// Nodes keep other virtual routers together.
const MEMBERS: Code = Code(615);
/// A failure that would tear a group apart.
const APART: Code = Code(616);

/// What tells a virtual router.
type Key = (Vrid, Family);

/// Everything in which the sync groups of `nodes` do not fit together.
pub(super) fn check(nodes: &[Node<'_>], routers: &[VirtualRouter<'_>]) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let mut seen: BTreeSet<BTreeSet<Key>> = BTreeSet::new();
    for router in routers {
        let group: BTreeSet<Key> = router.members.iter().flat_map(together).collect();
        if group.len() < 2 || !seen.insert(group.clone()) {
            continue;
        }
        let between = Between { nodes, router };
        if let Some(differs) = members(between) {
            found.push(differs);
            continue;
        }
        found.extend(apart(between, routers, &group));
    }
    found
}

/// The virtual routers that move with a member, itself among them.
fn together(member: &Member<'_>) -> BTreeSet<Key> {
    let all = member.companions().chain([member.instance]);
    all.map(|i| (i.protocol.vrid, i.protocol.family)).collect()
}

fn members(between: Between<'_>) -> Option<Diagnostic> {
    let sets: Vec<BTreeSet<Key>> = between.members().map(together).collect();
    let differ = sets.windows(2).any(|pair| matches!(pair, [a, b] if a != b));
    let listed = |set: &BTreeSet<Key>| match set.len() {
        1 => "alone".to_owned(),
        _ => {
            let numbers: Vec<String> = set.iter().map(|(vrid, _)| vrid.to_string()).collect();
            format!("with {}", numbers.join(", "))
        }
    };
    differ.then(|| {
        let on = |(set, m): (&BTreeSet<Key>, &Member<'_>)| {
            format!("{} on {}", listed(set), node_name(m.node))
        };
        let all: Vec<String> = sets.iter().zip(between.members()).map(on).collect();
        let message = format!("{} moves {}", between.name(), all.join(", "));
        let diagnostic = report(Severity::Error, MEMBERS, message)
            .help("list the same instances in `vrrp_sync_group` on all nodes");
        between.labelled(diagnostic, &["virtual_router_id"], |m| listed(&together(m)))
    })
}

/// The first failure after which members of one group would be on different nodes.
fn apart(
    between: Between<'_>,
    routers: &[VirtualRouter<'_>],
    group: &BTreeSet<Key>,
) -> Option<Diagnostic> {
    let own = truth_table(&between.router.members);
    let others = routers.iter().filter(|r| {
        group.contains(&(r.vrid, r.family)) && (r.vrid, r.family) != key(between.router)
    });
    for other in others {
        let theirs = truth_table(&other.members);
        let differs = own.iter().find_map(|row| {
            let same =
                |r: &&Row| (&r.cause, &r.nodes, &r.dead) == (&row.cause, &row.nodes, &row.dead);
            let holders = &theirs.iter().find(same)?.holders;
            holders
                .is_disjoint(&row.holders)
                .then_some((row, holders.clone()))
        });
        if let Some((row, holders)) = differs {
            return Some(torn(between, other, row, &holders));
        }
    }
    None
}

fn key(router: &VirtualRouter<'_>) -> Key {
    (router.vrid, router.family)
}

fn torn(
    between: Between<'_>,
    other: &VirtualRouter<'_>,
    row: &Row,
    holders: &Holders,
) -> Diagnostic {
    let own = between.router;
    let nodes = |holders: &Holders| {
        let members = own.members.iter().filter(|m| holders.contains(&m.node));
        match holders.is_empty() {
            true => "nobody".to_owned(),
            false => named(members),
        }
    };
    let when = match &row.cause {
        None => String::new(),
        Some(Cause::Host) => " when a node dies".to_owned(),
        Some(cause) => format!(" when {cause} fails"),
    };
    let message = format!(
        "virtual routers {} and {} are in one sync group, but{when} {} would have the first and {} \
         the second",
        own.vrid,
        other.vrid,
        nodes(&row.holders),
        nodes(holders),
    );
    let diagnostic = report(Severity::Warning, APART, message)
        .help("give the members of a group the same priority and the same trackers on each node");
    let text = |m: &Member<'_>| format!("{} in {}", m.instance.protocol.priority, own.vrid);
    let diagnostic = between.labelled(diagnostic, &["priority"], text);
    let second = Between {
        nodes: between.nodes,
        router: other,
    };
    let text = |m: &Member<'_>| format!("{} in {}", m.instance.protocol.priority, other.vrid);
    second.labelled(diagnostic, &["priority"], text)
}
