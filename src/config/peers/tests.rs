use super::fixture::{NGINX, address, file, from, node, tracking, unicast, waiting};
use super::*;
use crate::config::model::{
    AntiReplay, Authentication, Hmac, HmacMode, Instance, SyncGroup, Transport, VirtualMac,
};
use crate::types::{Family, InterfaceName, Interval, Secret, Version, Vrid};
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
fn hosts_are_told_of_the_same_router_by_every_node() {
    let six = |priority: u8, advertisement: &str| {
        let text = format!(
            "[instance.VI_1]\ninterface = \"eth0\"\nvrid = 51\npriority = {priority}\n\
             addresses = [\"fe80::1\", \"2001:db8::1/64\"]\n{advertisement}\n"
        );
        let reader = crate::config::source::Memory::default().with("a.toml", text);
        crate::config::load("a.toml", &crate::config::Options::default(), &reader).config
    };
    let with = "router_advertisement = { interval = \"30s\" }";
    assert_eq!(between(&[six(100, with), six(99, with)]), [] as [&str; 0]);
    for other in ["", "router_advertisement = { interval = \"60s\" }"] {
        let found = between(&[six(100, with), six(99, other)]);
        let [only] = found.as_slice() else {
            panic!("{other}: {found:?}");
        };
        let begins = "Warning K0625: virtual router 51: router_advertisement differs: {";
        assert!(only.starts_with(begins), "{only}");
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

/// Two instances with the VRIDs 51 and 52, in one sync group.
fn together(first: u8, second: u8) -> Config {
    let other = changed(second, |i| {
        i.name = "VI_2".to_owned();
        i.interface = InterfaceName::new("eth1");
        i.protocol.vrid = Vrid::new(52).unwrap();
    });
    let mut config = file(node(first));
    config.instances.push(other);
    config.groups.push(SyncGroup {
        name: "G".to_owned(),
        members: vec!["VI_1".to_owned(), "VI_2".to_owned()],
        ..SyncGroup::default()
    });
    config
}

#[test]
fn a_sync_group_has_the_same_members_everywhere() {
    assert_eq!(
        between(&[together(100, 100), together(99, 99)]),
        [] as [&str; 0]
    );
    let mut apart = together(99, 99);
    apart.groups.clear();
    assert_eq!(
        between(&[together(100, 100), apart]),
        ["Error K0615: virtual router 51 moves with 51, 52 on node 1, alone on node 2"]
    );
}

#[test]
fn members_of_a_sync_group_have_the_same_order_of_nodes() {
    assert_eq!(
        between(&[together(100, 99), together(99, 100)]),
        [
            "Warning K0616: virtual routers 51 and 52 are in one sync group, but node 1 would have \
             the first and node 2 the second"
        ]
    );
}

#[test]
fn what_a_client_sees_should_not_depend_on_the_node() {
    assert_eq!(
        found(node(100), changed(99, |i| i.accept_mode = false)),
        ["Warning K0617: virtual router 51: accept mode differs: on on node 1, off on node 2"]
    );
    let with_mac = changed(99, |i| {
        i.virtual_mac = Some(VirtualMac {
            mac: VirtualMac::address(Family::V4, i.protocol.vrid),
            device: None,
            group: None,
            advertise_from_base: false,
        });
    });
    assert_eq!(
        found(node(100), with_mac),
        ["Warning K0618: virtual router 51: use_vmac differs: off on node 1, on on node 2"]
    );
    let patient = changed(99, |i| i.protocol.down_timer_adverts = 5);
    assert_eq!(
        found(node(100), patient),
        ["Advice K0619: virtual router 51: down_timer_adverts differs: 3 on node 1, 5 on node 2"]
    );
}

#[test]
fn adverts_arrive_with_a_ttl_that_peers_accept() {
    let a = unicast(node(100), "10.0.0.1", &["10.0.0.2"]);
    let far = |ttl: u8, min: u8| {
        let mut b = unicast(node(99), "10.0.0.2", &["10.0.0.1"]);
        if let Transport::Unicast {
            ttl: sent, peers, ..
        } = &mut b.transport
        {
            *sent = ttl;
            peers[0].min_hop_limit = min;
        }
        b
    };
    assert_eq!(found(a.clone(), far(255, 255)), [] as [&str; 0]);
    let mut low = a.clone();
    if let Transport::Unicast { ttl, .. } = &mut low.transport {
        *ttl = 64;
    }
    assert_eq!(
        found(low, far(255, 255)),
        [
            "Error K0623: virtual router 51: node 2 drops the adverts of node 1: they have a TTL of \
             at most 64, and it takes 255 to 255"
        ]
    );
}

#[test]
fn two_nodes_have_two_names() {
    let named = |priority, name: &str| {
        let mut config = file(node(priority));
        config.globals.router_id = Some(name.to_owned());
        config
    };
    assert_eq!(
        between(&[named(100, "web"), named(99, "web")]),
        ["Advice K0624: node 1 and node 2 have the same router_id `web`"]
    );
    assert_eq!(between(&[named(100, "a"), named(99, "b")]), [] as [&str; 0]);
}
