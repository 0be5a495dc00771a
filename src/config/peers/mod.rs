//! What is wrong between the files of nodes that share virtual routers.

mod agree;
pub mod failover;
#[cfg(test)]
mod fixture;
mod moves;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use self::failover::Member;
use super::diagnostic::{Class, Code, Diagnostic, Severity};
use super::model::Config;
use super::source::{SourceMap, Span};
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
        diagnostic = between.label(diagnostic, member, &["virtual_router_id"], &value);
    }
    diagnostic
}

fn nodes_of(router: &VirtualRouter<'_>) -> String {
    named(router.members.iter())
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
        diagnostic: Diagnostic,
        keywords: &[&str],
        text: impl Fn(&Member<'_>) -> String,
    ) -> Diagnostic {
        self.members().fold(diagnostic, |diagnostic, member| {
            self.label(diagnostic, member, keywords, &text(member))
        })
    }

    fn label(
        self,
        diagnostic: Diagnostic,
        member: &Member<'_>,
        keywords: &[&str],
        text: &str,
    ) -> Diagnostic {
        let block = member.instance.name.as_str();
        let places = keywords
            .iter()
            .chain(&["vrrp_instance"])
            .map(|keyword| (block, *keyword));
        self.label_first(diagnostic, member, places, text)
    }

    /// Points at the first of `places` (block, keyword) that the member's file has.
    fn label_first<'p>(
        self,
        diagnostic: Diagnostic,
        member: &Member<'_>,
        mut places: impl Iterator<Item = (&'p str, &'p str)>,
        text: &str,
    ) -> Diagnostic {
        let locate = |(block, keyword)| (self.nodes.get(member.node)?.locate)(block, keyword);
        let Some(span) = places.find_map(locate) else {
            return diagnostic;
        };
        let node = node_name(member.node);
        let text = if text.is_empty() {
            node
        } else {
            format!("{node}: {text}")
        };
        diagnostic.label(span, text)
    }
}

#[cfg(test)]
mod tests {
    use super::fixture::{NGINX, address, file, from, node, tracking, unicast, waiting};
    use super::*;
    use crate::config::model::{AntiReplay, Authentication, Hmac, HmacMode, Instance, Transport};
    use crate::types::{Interval, Secret, Version};
    use crate::wire::auth::hmac::{Key, KeyId};

    /// Severity, code and message of everything found between two files.
    fn found(a: Instance, b: Instance) -> Vec<String> {
        between(&[file(a), file(b)])
    }

    fn between(configs: &[Config]) -> Vec<String> {
        let nowhere = |_: &str, _: &str| None;
        let sources = SourceMap::default();
        let nodes: Vec<Node<'_>> = configs
            .iter()
            .map(|config| Node {
                config,
                sources: &sources,
                locate: &nowhere,
            })
            .collect();
        let text = |d: Diagnostic| format!("{:?} {}: {}", d.severity, d.code, d.message);
        check(&nodes).into_iter().map(text).collect()
    }

    fn changed(priority: u8, change: impl FnOnce(&mut Instance)) -> Instance {
        let mut instance = node(priority);
        change(&mut instance);
        instance
    }

    fn with_password(priority: u8, password: &str) -> Instance {
        changed(priority, |i| {
            i.authentication = Authentication::Password(Secret::new(password.as_bytes()));
        })
    }

    #[test]
    fn a_pair_that_fits_draws_no_report() {
        assert_eq!(found(node(100), node(99)), [] as [&str; 0]);
        assert_eq!(between(&[file(node(100))]), [] as [&str; 0]);
    }

    #[test]
    fn a_router_on_one_node_has_nobody_to_take_over() {
        assert_eq!(
            between(&[file(node(100)), Config::default()]),
            ["Warning K0601: virtual_router_id 51 is on node 1 alone"]
        );
    }

    #[test]
    fn the_same_address_under_two_vrids_is_one_mistake() {
        let vip = address("192.0.2.1", 24);
        let a = changed(100, |i| i.addresses.push(vip.clone()));
        let b = changed(99, |i| {
            i.addresses.push(vip);
            i.protocol.vrid = Vrid::new(52).unwrap();
        });
        assert_eq!(
            found(a, b),
            ["Error K0602: the same address, but virtual_router_id 51 on node 1 and 52 on node 2"]
        );
    }

    #[test]
    fn one_vrid_on_two_interfaces_is_two_routers() {
        let config = |priority| Config {
            instances: vec![
                node(priority),
                changed(priority, |i| i.interface = InterfaceName::new("eth1")),
            ],
            ..Config::default()
        };
        let (a, b) = (config(100), config(99));
        let routers = virtual_routers(&[&a, &b]);
        let interfaces: Vec<(&str, usize)> = routers
            .iter()
            .map(|r| {
                (
                    r.members[0].instance.interface.as_ref().unwrap().as_str(),
                    r.members.len(),
                )
            })
            .collect();
        assert_eq!(interfaces, [("eth0", 2), ("eth1", 2)]);
    }

    #[test]
    fn versions_have_to_agree() {
        assert_eq!(
            found(node(100), changed(99, |i| i.protocol.version = Version::V3)),
            ["Error K0603: virtual router 51: version differs: 2 on node 1, 3 on node 2"]
        );
    }

    #[test]
    fn authentication_has_to_agree_and_no_password_is_shown() {
        assert_eq!(
            found(with_password(100, "one"), node(99)),
            [
                "Error K0604: virtual router 51: authentication differs: PASS on node 1, \
              none on node 2"
            ]
        );
        assert_eq!(
            found(with_password(100, "one"), with_password(99, "two")),
            ["Error K0604: virtual router 51: auth_pass differs"]
        );
    }

    #[test]
    fn a_node_of_both_versions_agrees_with_either() {
        let both = |priority| {
            changed(priority, |i| {
                i.protocol.version = Version::V3;
                i.protocol.with_version_2 = true;
            })
        };
        let other = |version| changed(99, |i| i.protocol.version = version);
        for version in [Version::V2, Version::V3] {
            assert_eq!(found(both(100), other(version)), Vec::<String>::new());
        }
    }

    #[test]
    fn the_interval_has_to_agree_in_version_2_alone() {
        let slow = |version| {
            changed(99, |i| {
                i.protocol.version = version;
                i.protocol.advertisement_interval = Interval::from_secs(2).unwrap();
            })
        };
        assert_eq!(
            found(node(100), slow(Version::V2)),
            ["Error K0606: virtual router 51: advert_int differs: 1 s on node 1, 2 s on node 2"]
        );
        let v3 = changed(100, |i| i.protocol.version = Version::V3);
        assert_eq!(
            found(v3, slow(Version::V3)),
            ["Warning K0606: virtual router 51: advert_int differs: 1 s on node 1, 2 s on node 2"]
        );
    }

    #[test]
    fn addresses_have_to_agree() {
        let with = |priority, addresses: &[(&str, u8)]| {
            let addresses = addresses.iter().map(|(a, prefix)| address(a, *prefix));
            changed(priority, |i| i.addresses.extend(addresses))
        };
        let both = with(100, &[("192.0.2.1", 24), ("192.0.2.2", 24)]);
        assert_eq!(
            found(both.clone(), with(99, &[("192.0.2.1", 24)])),
            ["Error K0605: virtual router 51: virtual_ipaddress differs: node 2 lacks 192.0.2.2"]
        );
        assert_eq!(
            found(
                both.clone(),
                with(99, &[("192.0.2.2", 24), ("192.0.2.1", 24)])
            ),
            ["Advice K0605: virtual router 51: virtual_ipaddress is in another order"]
        );
        assert_eq!(
            found(both, with(99, &[("192.0.2.1", 32), ("192.0.2.2", 24)])),
            ["Warning K0605: virtual router 51: an address has another prefix length"]
        );
        let excluded = changed(99, |i| i.excluded.push(address("192.0.2.9", 32)));
        assert_eq!(
            found(node(100), excluded),
            [
                "Warning K0605: virtual router 51: virtual_ipaddress_excluded differs: \
              node 1 lacks 192.0.2.9"
            ]
        );
    }

    #[test]
    fn priorities_say_who_comes_first() {
        assert_eq!(
            found(node(100), node(100)),
            ["Warning K0607: virtual router 51: priority 100 is on node 1 and node 2"]
        );
        assert_eq!(
            found(node(255), node(255)),
            ["Error K0608: virtual router 51: priority 255 is on node 1 and node 2"]
        );
    }

    fn signed(priority: u8, keys: &[u8], mode: HmacMode) -> Instance {
        let key = |id: &u8| (KeyId::new(*id).unwrap(), Key::new(&[*id; 32]).unwrap());
        changed(priority, |i| {
            i.authentication = Authentication::Hmac(Hmac {
                keys: keys.iter().map(key).collect(),
                active: key(&keys[0]).0,
                window: std::time::Duration::from_secs(5),
                anti_replay: AntiReplay::Time,
                mode,
            });
        })
    }

    #[test]
    fn every_node_needs_the_keys_that_the_others_sign_with() {
        use HmacMode::{Enforce, Permissive, ReceiveOnly};
        let fits = |a: Instance, b: Instance| found(a, b).is_empty();
        let signed_by = |keys: &[u8], mode| signed(99, keys, mode);
        assert!(fits(
            signed(100, &[1, 2], Enforce),
            signed_by(&[2, 1], Enforce)
        ));
        assert!(fits(
            signed(100, &[1], ReceiveOnly),
            signed_by(&[1], Permissive)
        ));
        assert!(fits(signed(100, &[1], ReceiveOnly), node(99)));
        assert!(!fits(
            signed(100, &[1], ReceiveOnly),
            signed_by(&[1], Enforce)
        ));
        assert!(!fits(signed(100, &[1], Permissive), node(99)));
        assert_eq!(
            found(signed(100, &[1], Enforce), signed_by(&[2, 1], Enforce)),
            ["Error K0604: virtual router 51: a node lacks the key that another one signs with"]
        );
    }

    #[test]
    fn adverts_have_to_meet() {
        let other_group = changed(99, |i| {
            let group = "224.0.0.99".parse().unwrap();
            i.transport = Transport::Multicast {
                group,
                source: None,
            };
        });
        assert_eq!(
            found(node(100), other_group),
            [
                "Error K0609: virtual router 51: adverts do not meet: multicast 224.0.0.18 on node 1, \
              multicast 224.0.0.99 on node 2"
            ]
        );
    }

    #[test]
    fn unicast_peers_name_each_other() {
        let a = unicast(node(100), "10.0.0.1", &["10.0.0.2"]);
        let b = |peer| unicast(node(99), "10.0.0.2", &[peer]);
        assert_eq!(found(a.clone(), b("10.0.0.1")), [] as [&str; 0]);
        assert_eq!(
            found(a, b("10.0.0.3")),
            [
                "Error K0610: virtual router 51: node 2 sends nothing to node 1: 10.0.0.1 is not its \
              peer"
            ]
        );
    }

    #[test]
    fn two_nodes_do_not_send_from_one_address() {
        assert_eq!(
            found(from(node(100), "10.0.0.1"), from(node(99), "10.0.0.1")),
            ["Error K0611: virtual router 51: two nodes send from the same address"]
        );
    }

    #[test]
    fn nopreempt_on_the_lower_node_alone_is_said_to_do_nothing() {
        assert_eq!(
            found(node(100), waiting(node(99))),
            ["Advice K0614: virtual router 51: nopreempt on node 2, but not on node 1"]
        );
        assert_eq!(found(waiting(node(100)), node(99)), [] as [&str; 0]);
    }

    #[test]
    fn a_failure_that_moves_nothing_and_a_service_that_one_node_ignores_are_reported() {
        assert_eq!(
            found(tracking(node(100), 2), node(99)),
            [
                "Warning K0620: virtual router 51: when check_nginx fails on node 1, the address \
                 does not move: 100 against 99",
                "Warning K0621: virtual router 51: node 1 tracks check_nginx, but node 2 does not",
            ]
        );
        assert_eq!(NGINX, "check_nginx");
        assert_eq!(
            found(tracking(node(100), -20), tracking(node(99), -20)),
            [] as [&str; 0]
        );
    }

    #[test]
    fn the_remedy_names_every_weight_that_moves_the_address() {
        let help = |a: Instance, b: Instance| {
            let nowhere = |_: &str, _: &str| None;
            let sources = SourceMap::default();
            let (a, b) = (file(a), file(b));
            let nodes = [&a, &b].map(|config| Node {
                config,
                sources: &sources,
                locate: &nowhere,
            });
            check(&nodes)
                .into_iter()
                .find(|d| d.code == Code(620))
                .unwrap()
                .help
                .unwrap()
        };
        assert_eq!(
            help(tracking(node(100), 2), node(99)),
            "weight -2 or lower (98 against 99), or weight 0 (a fault) would move it; a positive \
             weight only if every node tracks it: 2 to 154 (100 against 101)"
        );
        assert_eq!(
            help(tracking(node(100), 1), tracking(node(99), 1)),
            "weight -2 or lower (98 against 99), or weight 2 to 154 (100 against 101), or weight \
             0 (a fault), the same on every node that tracks it, would move it"
        );
        assert_eq!(
            help(tracking(node(100), -20), waiting(node(99))),
            "weight 0 (a fault) would move it; no positive weight does"
        );
        assert_eq!(
            help(tracking(node(255), -20), node(99)),
            "weight 0 (a fault) would move it"
        );
    }

    #[test]
    fn nodes_are_listed_as_people_do() {
        let nodes = [node(100), node(100), node(100)].map(file);
        let configs: Vec<&Config> = nodes.iter().collect();
        let members = &virtual_routers(&configs)[0].members;
        assert_eq!(named(members.iter()), "node 1, node 2 and node 3");
        assert_eq!(named(members.iter().take(1)), "node 1");
    }

    #[test]
    fn three_nodes_are_compared_together() {
        let configs = [node(100), node(99), node(100)].map(file);
        assert_eq!(
            between(&configs),
            ["Warning K0607: virtual router 51: priority 100 is on node 1 and node 3"]
        );
    }
}
