//! What is wrong between the files of nodes that share virtual routers.

mod agree;
pub mod failover;
mod moves;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use self::failover::Member;
use super::diagnostic::{Class, Code, Diagnostic, Severity};
use super::model::Config;
use super::source::Span;
use crate::types::{Family, InterfaceName, Vrid};

/// A virtual router that no other node knows.
const ALONE: Code = Code(601);
/// The same address under two VRIDs.
const VRID: Code = Code(602);

/// One node's configuration.
#[derive(Clone, Copy)]
pub struct Node<'a> {
    /// What it is configured to do.
    pub config: &'a Config,
    /// Where a block says a keyword, by name of the block and keyword.
    pub locate: &'a dyn Fn(&str, &str) -> Option<Span>,
}

impl Node<'_> {
    fn find(&self, block: &str, keyword: &str) -> Option<Span> {
        (self.locate)(block, keyword)
    }
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
            by_vrid
                .entry(key)
                .or_default()
                .push(Member { node, instance });
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
    let mut seen: BTreeMap<(usize, &InterfaceName), usize> = BTreeMap::new();
    let mut routers: BTreeMap<(&InterfaceName, usize), Vec<Member<'_>>> = BTreeMap::new();
    for member in members {
        let interface = &member.instance.interface;
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
    for router in &shared {
        let between = Between { nodes, router };
        found.extend(between.disagreements());
        found.extend(between.failures());
    }
    found
}

/// Virtual routers of one node: a forgotten file, or a VRID that was mistyped.
fn unshared(nodes: &[Node<'_>], alone: &[VirtualRouter<'_>]) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let mut paired = BTreeSet::new();
    for (i, router) in alone.iter().enumerate() {
        let twins = alone.iter().enumerate().skip(i + 1);
        for (j, twin) in twins.filter(|(_, twin)| is_twin(router, twin)) {
            paired.extend([i, j]);
            found.push(mistyped_vrid(nodes, router, twin));
        }
        if !paired.contains(&i) {
            found.push(lonely(nodes, router));
        }
    }
    found
}

/// Whether two virtual routers of different nodes move the same address.
fn is_twin(a: &VirtualRouter<'_>, b: &VirtualRouter<'_>) -> bool {
    let addresses = |r: &VirtualRouter<'_>| -> BTreeSet<IpAddr> {
        r.members
            .iter()
            .flat_map(|m| m.instance.all_addresses())
            .map(|a| a.address)
            .collect()
    };
    let nodes = |r: &VirtualRouter<'_>| r.members.first().map(|m| m.node);
    nodes(a) != nodes(b) && !addresses(a).is_disjoint(&addresses(b))
}

fn mistyped_vrid(nodes: &[Node<'_>], a: &VirtualRouter<'_>, b: &VirtualRouter<'_>) -> Diagnostic {
    let between = Between { nodes, router: a };
    let message = format!(
        "the same address, but virtual_router_id {} on {} and {} on {}",
        a.vrid,
        nodes_of(a),
        b.vrid,
        nodes_of(b),
    );
    let mut diagnostic = report(Severity::Error, VRID, message)
        .help("use one virtual_router_id: with two, every node holds the address at once");
    for member in a.members.iter().chain(&b.members) {
        let value = member.instance.protocol.vrid.to_string();
        diagnostic = between.label(diagnostic, member, &["virtual_router_id"], value);
    }
    diagnostic
}

fn nodes_of(router: &VirtualRouter<'_>) -> String {
    let names: Vec<String> = router.members.iter().map(|m| node_name(m.node)).collect();
    names.join(" and ")
}

fn lonely(nodes: &[Node<'_>], router: &VirtualRouter<'_>) -> Diagnostic {
    let message = format!(
        "virtual_router_id {} is on {} alone",
        router.vrid,
        nodes_of(router)
    );
    let mut diagnostic =
        report(Severity::Warning, ALONE, message).help("no other node takes its addresses over");
    let between = Between { nodes, router };
    for member in &router.members {
        diagnostic = between.label(diagnostic, member, &["virtual_router_id"], String::new());
    }
    diagnostic
}

/// How messages call a node.
#[must_use]
pub fn node_name(node: usize) -> String {
    format!("node {}", node + 1)
}

fn report(severity: Severity, code: Code, message: String) -> Diagnostic {
    Diagnostic::new(severity, code, Class::Silent, message)
}

/// One virtual router and the nodes around it.
#[derive(Clone, Copy)]
struct Between<'a> {
    nodes: &'a [Node<'a>],
    router: &'a VirtualRouter<'a>,
}

impl<'a> Between<'a> {
    fn members(self) -> impl Iterator<Item = &'a Member<'a>> + Clone {
        self.router.members.iter()
    }

    fn name(self) -> String {
        format!("virtual router {}", self.router.vrid)
    }

    /// Points at each member's first keyword of `keywords` that its file has.
    fn labelled(
        self,
        mut diagnostic: Diagnostic,
        keywords: &[&str],
        text: impl Fn(&Member<'_>) -> String,
    ) -> Diagnostic {
        for member in self.members() {
            diagnostic = self.label(diagnostic, member, keywords, text(member));
        }
        diagnostic
    }

    fn label(
        self,
        diagnostic: Diagnostic,
        member: &Member<'_>,
        keywords: &[&str],
        text: String,
    ) -> Diagnostic {
        let block = &member.instance.name;
        let locate = |keyword: &&str| self.nodes.get(member.node)?.find(block, keyword);
        match keywords.iter().chain(&["vrrp_instance"]).find_map(locate) {
            Some(span) => diagnostic.label(span, text),
            None => diagnostic,
        }
    }
}
