//! What is wrong between the files of nodes that share virtual routers.

mod agree;
mod alone;
mod between;
pub mod failover;
#[cfg(test)]
mod fixture;
mod groups;
mod moves;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use self::alone::unshared;
use self::between::Between;
use self::failover::Member;
use super::diagnostic::{Class, Code, Diagnostic, Severity};
use super::model::Config;
use super::source::{SourceMap, Span};
use crate::types::{Family, InterfaceName, Vrid};

/// Two nodes with one name.
const SAME_NAME: Code = Code(624);

/// One node's configuration.
#[derive(Clone, Copy)]
pub struct Node<'a> {
    /// What it is configured to do.
    pub config: &'a Config,
    /// The files that say so.
    pub sources: &'a SourceMap,
    /// Where a block says a keyword, by name of the block and keyword.
    pub locate: &'a dyn Fn(&str, &str) -> Option<Span>,
}

/// One virtual router on all nodes that have it.
#[derive(Debug, Clone)]
pub struct VirtualRouter<'a> {
    /// Its number.
    pub vrid: Vrid,
    /// Its family.
    pub family: Family,
    /// The nodes that have it, in their order.
    pub members: Vec<Member<'a>>,
}

/// The virtual routers of all nodes, matched by family and VRID.
///
/// Where a node uses a VRID more than once, the interface's name tells them apart, then the
/// order in the file.
#[must_use]
pub fn virtual_routers<'a>(configs: &[&'a Config]) -> Vec<VirtualRouter<'a>> {
    let mut by_vrid: BTreeMap<(Vrid, Family), Vec<Member<'a>>> = BTreeMap::new();
    for (node, config) in configs.iter().enumerate() {
        for instance in &config.instances {
            let key = (instance.protocol.vrid, instance.protocol.family);
            by_vrid.entry(key).or_default().push(Member {
                node,
                instance,
                config,
            });
        }
    }
    by_vrid
        .into_iter()
        .flat_map(|((vrid, family), members)| {
            let routers = tell_apart(members).into_iter();
            routers.map(move |members| VirtualRouter {
                vrid,
                family,
                members,
            })
        })
        .collect()
}

fn tell_apart(members: Vec<Member<'_>>) -> Vec<Vec<Member<'_>>> {
    let nodes: BTreeSet<usize> = members.iter().map(|m| m.node).collect();
    if nodes.len() == members.len() {
        return vec![members];
    }
    let mut seen: BTreeMap<(usize, Option<&InterfaceName>), usize> = BTreeMap::new();
    let mut routers: BTreeMap<(Option<&InterfaceName>, usize), Vec<Member<'_>>> = BTreeMap::new();
    for member in members {
        let interface = member.instance.interface.as_ref();
        let nth = seen.entry((member.node, interface)).or_default();
        routers.entry((interface, *nth)).or_default().push(member);
        *nth += 1;
    }
    routers.into_values().collect()
}

/// Everything that does not fit together between `nodes`, and every failure that should move
/// an address and does not.
#[must_use]
pub fn check(nodes: &[Node<'_>]) -> Vec<Diagnostic> {
    if nodes.len() < 2 {
        return Vec::new();
    }
    let configs: Vec<&Config> = nodes.iter().map(|n| n.config).collect();
    let routers = virtual_routers(&configs);
    let (shared, alone): (Vec<_>, Vec<_>) = routers.into_iter().partition(|r| r.members.len() > 1);
    let mut found = unshared(nodes, &alone);
    found.extend(same_name(nodes));
    for router in &shared {
        let between = Between { nodes, router };
        found.extend(between.disagreements());
        found.extend(between.failures());
    }
    found.extend(groups::check(nodes, &shared));
    found
}

/// Nodes that call themselves the same in mails and statistics.
fn same_name(nodes: &[Node<'_>]) -> Option<Diagnostic> {
    let name = |n: usize| nodes.get(n)?.config.globals.router_id.as_deref();
    let pairs = (0..nodes.len()).flat_map(|a| (a + 1..nodes.len()).map(move |b| (a, b)));
    let mut same = pairs.filter(|(a, b)| name(*a).is_some() && name(*a) == name(*b));
    let (a, b) = same.next()?;
    let message = format!(
        "{} and {} have the same router_id `{}`",
        node_name(a),
        node_name(b),
        name(a).unwrap_or_default()
    );
    let mut diagnostic = report(Severity::Advice, SAME_NAME, message)
        .help("name each node, so that mails and logs tell them apart");
    for node in [a, b] {
        let span = nodes
            .get(node)
            .and_then(|n| (n.locate)("global_defs", "router_id"));
        if let Some(span) = span {
            diagnostic = diagnostic.label(span, node_name(node));
        }
    }
    Some(diagnostic)
}

/// How messages call a node.
#[must_use]
pub fn node_name(node: usize) -> String {
    format!("node {}", node + 1)
}

fn report(severity: Severity, code: Code, message: String) -> Diagnostic {
    Diagnostic::new(severity, code, Class::Silent, message)
}

/// The nodes of `members` in words: `node 1, node 2 and node 3`.
fn named<'m>(members: impl Iterator<Item = &'m Member<'m>>) -> String {
    let mut names: Vec<String> = members.map(|m| node_name(m.node)).collect();
    match (names.pop(), names.is_empty()) {
        (None, _) => String::new(),
        (Some(only), true) => only,
        (Some(last), false) => format!("{} and {last}", names.join(", ")),
    }
}
