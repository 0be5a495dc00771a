//! An Active Router is the default router of its link's hosts. RFC 9568 §6.4.3, RFC 4861.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may panic, and says why"
)]

mod common;

use std::process::Command;
use std::time::Duration;

use common::{Folder, SOON, VIP6, VIPS6, has, host, lab, no_errors, stays, vipd, wait_for};
use vipd::lab::{Captured, Host, Lab};

const VIRTUAL_MAC: [u8; 6] = [0, 0, 0x5e, 0, 2, 51];

fn text(priority: u8, more: &str) -> String {
    format!(
        "[instance.web]\ninterface = \"eth0\"\nvrid = 51\npriority = {priority}\n\
         interval = \"100ms\"\naddresses = [\"{}/64\", \"{VIP6}/64\"]\n{more}\n\
         router_advertisement = {{ interval = \"1800s\", prefixes = [\"2001:db8:1::/64\"] }}\n",
        VIPS6[0]
    )
}

/// A node that forwards.
fn node(lab: &Lab, number: u8) -> Host {
    let host = host(lab, &format!("node{number}"), &format!("fd00::{number}/64"));
    let forwarding = "net/ipv6/conf/all/forwarding";
    host.namespace().set_sysctl(forwarding, "1").unwrap();
    host
}

/// A host that asks for a router when its link comes up, and takes what it is told.
fn client(lab: &Lab) -> Host {
    let client = host(lab, "client", "fd00::50/64");
    for (key, value) in [
        ("accept_ra", "1"),
        ("autoconf", "1"),
        ("router_solicitations", "3"),
        ("router_solicitation_delay", "0"),
    ] {
        let key = format!("net/ipv6/conf/eth0/{key}");
        client.namespace().set_sysctl(&key, value).unwrap();
    }
    client
}

fn routes(client: &Host) -> String {
    let ask = || Command::new("ip").args(["-6", "route", "show"]).output();
    let output = client.enter(ask).unwrap().expect("`ip` runs");
    String::from_utf8(output.stdout).unwrap()
}

fn has_default(client: &Host) -> bool {
    let wanted = format!("default via {} dev eth0", VIPS6[0]);
    routes(client).contains(&wanted)
}

fn mac(host: &Host) -> [u8; 6] {
    let (mut netlink, index) = (host.netlink().unwrap(), host.eth0().unwrap());
    let link = netlink.link_by_index(index).unwrap().unwrap();
    link.mac().unwrap()
}

/// A pair, a host, a failover, a question, and the end of both. `mac` is that of a virtual router
/// on a node.
fn serves_the_hosts(more: &str, mac: impl Fn(&Host) -> [u8; 6]) {
    let Some(lab) = lab() else { return };
    let folder = Folder::new();
    let (nodes, client) = ([node(&lab, 1), node(&lab, 2)], client(&lab));
    let frames = lab.capture(|frame| frame.router().is_some()).unwrap();
    let mut daemons = [0, 1].map(|n| {
        let file = folder.write(&format!("{n}.toml"), &text([200, 100][n], more));
        vipd(&nodes[n], &file)
    });
    // What the Active Router on `node` says.
    let check = |frame: &Captured, node: &Host| {
        let seen = frame.router().unwrap();
        assert_eq!(&*frame.port, node.name());
        assert_eq!(frame.sender_mac(), Some(mac(node)));
        assert_eq!(seen.advert.link_address, Some(mac(node)));
        assert_eq!(seen.source.to_string(), VIPS6[0]);
        assert_eq!(seen.destination.to_string(), "ff02::1");
        assert_eq!(seen.hop_limit, 255);
        assert_eq!(seen.advert.lifetime, Duration::from_secs(5400));
        assert_eq!(seen.advert.prefixes.len(), 1);
    };
    let first = frames.find(SOON, |_| true).expect("the Active says so");
    check(&first, &nodes[0]);
    wait_for("a default route", SOON, || has_default(&client));
    assert!(routes(&client).contains("2001:db8:1::/64 dev eth0"));
    stays("a Backup is silent", Duration::from_secs(1), || {
        let others = frames.drain();
        others.iter().for_each(|frame| check(frame, &nodes[0]));
        !has(&nodes[1], VIP6)
    });

    daemons[0].terminate();
    let mut next = None;
    wait_for("the other takes over", SOON, || {
        assert!(has_default(&client), "the route stays through a failover");
        next = next.take().or_else(|| frames.next(Duration::ZERO));
        next.is_some()
    });
    check(&next.unwrap(), &nodes[1]);
    assert!(daemons[0].wait(SOON).expect("vipd ends").success());
    assert_eq!(frames.drain(), [], "no farewell beside a successor");
    assert!(has_default(&client));

    // The next one is due after 16 s: sooner it is an answer.
    let (mut netlink, eth0) = (client.netlink().unwrap(), client.eth0().unwrap());
    netlink.set_up(eth0, false).unwrap();
    wait_for("no route", SOON, || !has_default(&client));
    netlink.set_up(eth0, true).unwrap();
    let answer = frames.find(Duration::from_secs(9), |_| true);
    check(&answer.expect("the host is answered"), &nodes[1]);
    wait_for("a default route", SOON, || has_default(&client));

    daemons[1].terminate();
    let last = frames.find(SOON, |_| true).expect("the last says so");
    let seen = last.router().unwrap();
    assert_eq!(
        (&*last.port, last.sender_mac()),
        ("node2", Some(mac(&nodes[1])))
    );
    assert_eq!(
        (seen.advert.lifetime, seen.hop_limit),
        (Duration::ZERO, 255)
    );
    wait_for("no router is left", SOON, || !has_default(&client));
    assert!(daemons[1].wait(SOON).expect("vipd ends").success());
    daemons.iter().for_each(no_errors);
    let complains = |line: &String| line.contains("does not forward");
    assert!(!daemons.iter().any(|d| d.output().iter().any(complains)));
}

#[test]
fn hosts_get_their_default_route_from_the_active_router_alone() {
    serves_the_hosts("", mac);
}

#[test]
fn with_a_virtual_mac_hosts_keep_the_same_router_for_ever() {
    serves_the_hosts("virtual_mac = true", |_| VIRTUAL_MAC);
}

#[test]
fn a_router_that_does_not_forward_is_named() {
    let Some(lab) = lab() else { return };
    let folder = Folder::new();
    let node = host(&lab, "node1", "fd00::1/64");
    let daemon = vipd(&node, &folder.write("1.toml", &text(200, "")));
    let words = "hosts are told that this is a router, but it does not forward IPv6";
    let said = || daemon.output().iter().any(|line| line.contains(words));
    wait_for("it says so", SOON, said);
    no_errors(&daemon);
}

#[test]
fn a_reload_with_another_first_address_moves_the_hosts_to_it() {
    let Some(lab) = lab() else { return };
    let folder = Folder::new();
    let (node, client) = (node(&lab, 1), client(&lab));
    let frames = lab.capture(|frame| frame.router().is_some()).unwrap();
    let before = text(200, "");
    let file = folder.write("1.toml", &before);
    let daemon = vipd(&node, &file);
    wait_for("a default route", SOON, || has_default(&client));
    let _ = frames.drain();

    let (old, new) = (VIPS6[0], "fe80::51:200");
    folder.write("1.toml", &before.replace(old, new));
    daemon.signal(libc::SIGHUP);
    let via = |router: &str| routes(&client).contains(&format!("via {router} "));
    wait_for("the other router", SOON, || {
        let there = via(new) && !via(old);
        assert!(via(new) || via(old), "no moment without a router");
        there
    });
    let seen = frames.drain();
    let seen = seen.iter().filter_map(Captured::router);
    let seen: Vec<_> = seen
        .map(|s| (s.source.to_string(), s.advert.lifetime))
        .collect();
    let lifetime = Duration::from_secs(5400);
    let expected = [(new.to_owned(), lifetime), (old.to_owned(), Duration::ZERO)];
    assert_eq!(seen, expected);

    // An address more changes nothing for them.
    let more = before
        .replace(old, new)
        .replace(VIP6, "fd00::99\", \"fd00::100");
    assert_ne!(more, before);
    folder.write("1.toml", &more);
    daemon.signal(libc::SIGHUP);
    wait_for("the address is there", SOON, || has(&node, "fd00::99"));
    let farewell = |f: &Captured| f.router().unwrap().advert.lifetime.is_zero();
    stays("no farewell", Duration::from_millis(500), || {
        !frames.drain().iter().any(farewell)
    });
    no_errors(&daemon);
}
