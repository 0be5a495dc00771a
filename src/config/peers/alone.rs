//! Virtual routers that only one node has.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::between::Between;
use super::{Node, VirtualRouter, named, report};
use crate::config::diagnostic::{Code, Diagnostic, Severity};

/// A virtual router that no other node knows.
const ALONE: Code = Code(601);
/// The same address under two VRIDs.
const VRID: Code = Code(602);

/// Virtual routers of one node: a forgotten file, or a VRID that was mistyped.
pub(super) fn unshared(nodes: &[Node<'_>], alone: &[VirtualRouter<'_>]) -> Vec<Diagnostic> {
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
        diagnostic = between.label(diagnostic, member, &["virtual_router_id"], &value);
    }
    diagnostic
}

fn nodes_of(router: &VirtualRouter<'_>) -> String {
    named(router.members.iter())
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
        diagnostic = between.label(diagnostic, member, &["virtual_router_id"], "");
    }
    diagnostic
}
