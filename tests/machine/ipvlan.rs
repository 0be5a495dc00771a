//! `use_ipvlan`: a device for adverts that has the interface's MAC address and one of its own.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use vipd::lab::{Captured, EchoServer, Prober};
use vipd::sys::netlink::Siblings;

use super::common::machine::elsewhere;
use super::common::{
    Instance, SOON, VIP, VIP6, installed, keepalived, speakers, stays, vipd, wait_for,
};
use super::{Node, addresses, ends_well, exists, has_on, host, ip, link, setting};

const OWN: &str = "192.168.1.11";
const PORT: u16 = 7;
const MILLISECOND: Duration = Duration::from_millis(1);

fn text(priority: u8, more: &str) -> String {
    let instance = Instance {
        version: 3,
        priority,
        interval: "0.1",
        more,
        ..Instance::default()
    };
    // With the length of its prefix, the address is a secondary one.
    instance.text().replace(VIP, &format!("{VIP}/24"))
}

fn text6(more: &str) -> String {
    let instance = Instance {
        interval: "0.1",
        more,
        ..Instance::v6()
    };
    instance.text()
}

/// All that a neighbour or an operator can tell one daemon's device by.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    siblings: Option<Siblings>,
    group: u32,
    addresses: BTreeSet<(IpAddr, u8)>,
    on_eth0: bool,
    settings: Vec<String>,
    source: IpAddr,
    destination: IpAddr,
    from_own_mac: bool,
}

/// What is there while a daemon of either kind is active, and that nothing is left of it.
fn compared(device: &str, vip: &str, text: &str) -> Seen {
    let mut both = speakers().into_iter().map(|(name, start)| {
        let node = Node::new();
        let before = addresses(&node.host, "eth0");
        let capture = node.lab.capture(|f| f.advert().is_some()).unwrap();
        let mut daemon = node.start_by(start, text);
        let advert = capture.find(SOON, |_| true);
        let advert = advert.unwrap_or_else(|| panic!("{name}: {:#?}", daemon.output()));
        wait_for("the address is there", SOON, || {
            has_on(&node.host, "eth0", vip)
        });
        let seen = look(&node, device, vip, &advert);
        ends_well(&mut daemon);
        assert!(link(&node.host, device).is_none(), "{name} leaves {device}");
        assert_eq!(addresses(&node.host, "eth0"), before, "{name}");
        seen
    });
    let ours = both.next().unwrap();
    if let Some(theirs) = both.next() {
        assert_eq!(ours, theirs, "{text}");
    }
    ours
}

fn look(node: &Node, device: &str, vip: &str, advert: &Captured) -> Seen {
    let found = link(&node.host, device).unwrap();
    assert_eq!(found.parent, Some(node.host.eth0().unwrap()));
    assert!(found.up);
    let eth0 = link(&node.host, "eth0").unwrap().mac().unwrap();
    assert_eq!(found.mac(), Some(eth0));
    let settings = [
        "ipv4/conf/{}/arp_ignore",
        "ipv4/conf/{}/accept_local",
        "ipv4/conf/{}/promote_secondaries",
        "ipv6/conf/{}/disable_ipv6",
        "ipv6/conf/{}/addr_gen_mode",
    ];
    let value = |interface: &str| {
        let key = |key: &str| format!("net/{}", key.replace("{}", interface));
        settings.map(|name| format!("{name} {}", setting(&node.host, &key(name))))
    };
    let of_eth0 = ["arp_ignore", "arp_filter", "promote_secondaries"];
    for key in of_eth0 {
        assert_eq!(
            setting(&node.host, &format!("net/ipv4/conf/eth0/{key}")),
            "0"
        );
    }
    let seen = advert.advert().unwrap();
    // A link-local address of the kernel's follows from the MAC address, which is another each time.
    let own = |a: &(IpAddr, u8)| a.1 != 64;
    Seen {
        siblings: found.ipvlan,
        group: found.group,
        addresses: addresses(&node.host, device)
            .into_iter()
            .filter(own)
            .collect(),
        on_eth0: has_on(&node.host, "eth0", vip) && !has_on(&node.host, device, vip),
        settings: value(device).to_vec(),
        source: seen.source,
        destination: seen.destination,
        from_own_mac: advert.bytes[6..12] == eth0,
    }
}

fn own_source(seen: &Seen, source: &str) {
    assert_eq!(seen.source, source.parse::<IpAddr>().unwrap());
    assert!(seen.on_eth0 && seen.from_own_mac);
}

#[test]
fn adverts_come_from_the_device_and_addresses_stay_on_the_interface() {
    elsewhere(|| {
        let own = format!("use_ipvlan {OWN}/24");
        let seen = compared("vrrp.51", VIP, &text(100, &own));
        own_source(&seen, OWN);
        assert_eq!(seen.siblings, Some(Siblings::Bridge));
        assert_eq!(seen.addresses, BTreeSet::from([(OWN.parse().unwrap(), 24)]));
    });
}

#[test]
fn name_mode_and_length_are_as_they_are_written() {
    elsewhere(|| {
        let own = format!("use_ipvlan own {OWN} vepa");
        let seen = compared("own", VIP, &text(100, &own));
        assert_eq!(seen.siblings, Some(Siblings::Vepa));
        assert_eq!(seen.addresses, BTreeSet::from([(OWN.parse().unwrap(), 32)]));
        let own = format!("use_ipvlan own {OWN} private");
        let seen = compared("own", VIP, &text(100, &own));
        assert_eq!(seen.siblings, Some(Siblings::Private));
    });
}

#[test]
fn a_source_that_is_configured_is_the_source() {
    elsewhere(|| {
        let own = format!("use_ipvlan {OWN}/24\nmcast_src_ip 192.168.1.12");
        own_source(&compared("vrrp.51", VIP, &text(100, &own)), "192.168.1.12");
        let peers = "unicast_peer {\n192.168.1.2\n}";
        let own = format!("use_ipvlan {OWN}/24\n{peers}");
        // Somebody has to answer ARP for the peer.
        let seen = {
            let node = Node::new();
            let _peer = host(&node.lab, "node2", 2);
            let capture = node.lab.capture(|f| f.advert().is_some()).unwrap();
            let mut daemon = node.start(&text(100, &own));
            let advert = capture.find(SOON, |_| true).unwrap();
            wait_for("the address is there", SOON, || {
                has_on(&node.host, "eth0", VIP)
            });
            let seen = look(&node, "vrrp.51", VIP, &advert);
            ends_well(&mut daemon);
            seen
        };
        own_source(&seen, OWN);
        assert_eq!(seen.destination, "192.168.1.2".parse::<IpAddr>().unwrap());
    });
}

#[test]
fn over_ipv6_the_link_local_address_of_the_device_will_do() {
    elsewhere(|| {
        let seen = {
            let node = Node::new();
            let capture = node.lab.capture(|f| f.advert().is_some()).unwrap();
            let mut daemon = node.start(&text6("use_ipvlan"));
            let advert = capture.find(SOON, |_| true).unwrap();
            let seen = look(&node, "vrrp.51", VIP6, &advert);
            let IpAddr::V6(source) = seen.source else {
                panic!("{seen:?}");
            };
            assert!(source.is_unicast_link_local());
            assert!(has_on(&node.host, "vrrp.51", &source.to_string()));
            assert!(!has_on(&node.host, "eth0", &source.to_string()));
            ends_well(&mut daemon);
            seen
        };
        assert!(seen.from_own_mac);
        let seen = compared("vrrp.51", VIP6, &text6("use_ipvlan fe80::77"));
        own_source(&seen, "fe80::77");
        assert_eq!(seen.addresses.len(), 1);
    });
}

#[test]
fn what_somebody_takes_away_is_put_back_without_a_takeover() {
    elsewhere(|| {
        let node = Node::new();
        let capture = node.lab.capture(|f| f.advert().is_some()).unwrap();
        let mut daemon = node.start(&text(100, &format!("use_ipvlan {OWN}/24")));
        wait_for("it is active", SOON, || has_on(&node.host, "eth0", VIP));
        let whole = || {
            link(&node.host, "vrrp.51").is_some_and(|l| l.up) && has_on(&node.host, "vrrp.51", OWN)
        };
        ip(&node.host, "link del vrrp.51");
        wait_for("it is made again", SOON, whole);
        ip(&node.host, "link set vrrp.51 down");
        wait_for("it is switched on again", SOON, whole);
        ip(&node.host, &format!("addr del {OWN}/24 dev vrrp.51"));
        wait_for("its address is back", SOON, whole);
        stays("it stays active", Duration::from_millis(400), || {
            has_on(&node.host, "eth0", VIP)
        });
        let adverts = capture.drain();
        let from_device =
            |f: &Captured| f.advert().unwrap().source == OWN.parse::<IpAddr>().unwrap();
        assert!(adverts.iter().all(from_device));
        assert!(adverts.iter().all(|f| f.advert().unwrap().priority == 100));
        ends_well(&mut daemon);
    });
}

#[test]
fn a_device_that_a_crash_left_is_taken_over() {
    elsewhere(|| {
        let node = Node::new();
        let wanted = text(100, &format!("use_ipvlan {OWN}/24"));
        let mut daemon = node.start(&wanted);
        wait_for("it is active", SOON, || has_on(&node.host, "eth0", VIP));
        let index = link(&node.host, "vrrp.51").unwrap().index;
        daemon.kill();
        let mut daemon = node.start(&wanted);
        wait_for("it begins anew", SOON, || !has_on(&node.host, "eth0", VIP));
        wait_for("it is active", SOON, || has_on(&node.host, "eth0", VIP));
        assert_eq!(link(&node.host, "vrrp.51").unwrap().index, index);
        daemon.kill();
        // Another file does not want it.
        let mut daemon = node.start(&text(100, ""));
        wait_for("it goes", SOON, || link(&node.host, "vrrp.51").is_none());
        ends_well(&mut daemon);
    });
}

#[test]
fn a_device_of_its_name_is_adopted_if_it_fits() {
    elsewhere(|| {
        let node = Node::new();
        ip(
            &node.host,
            "link add own link eth0 type ipvlan mode l2 private",
        );
        let index = link(&node.host, "own").unwrap().index;
        let mut daemon = node.start(&text(100, &format!("use_ipvlan own {OWN}/24")));
        wait_for("it is active", SOON, || has_on(&node.host, "eth0", VIP));
        let adopted = link(&node.host, "own").unwrap();
        assert_eq!(adopted.index, index);
        assert_eq!(adopted.ipvlan, Some(Siblings::Bridge));
        ends_well(&mut daemon);
        assert!(link(&node.host, "own").is_none());
        // One that is something else is left alone.
        ip(&node.host, "link add own type dummy");
        let daemon = node.start(&text(100, &format!("use_ipvlan own {OWN}/24")));
        let said = daemon.wait_for_line("interface own exists and is no ipvlan", SOON);
        assert!(said.is_some(), "{:#?}", daemon.output());
        assert_eq!(
            link(&node.host, "own").unwrap().kind.as_deref(),
            Some("dummy")
        );
    });
}

#[test]
fn over_ipv4_it_needs_an_address() {
    elsewhere(|| {
        let node = Node::new();
        let daemon = node.start(&text(100, "use_ipvlan"));
        let said = daemon.wait_for_line("K0413", SOON);
        assert!(said.is_some(), "{:#?}", daemon.output());
        assert!(daemon.wait_for_line("FAULT", SOON).is_some());
        stays("it stays in fault", Duration::from_millis(600), || {
            !has_on(&node.host, "eth0", VIP)
        });
        assert!(exists(&node.host, "net/ipv4/conf/vrrp.51"));
    });
}

#[test]
fn two_nodes_elect_and_hand_over_beside_keepalived() {
    elsewhere(|| {
        if !installed("keepalived") {
            return;
        }
        let node = Node::new();
        let other = host(&node.lab, "node2", 2);
        let client = host(&node.lab, "client", 50);
        let ours = node.start(&text(150, &format!("use_ipvlan {OWN}/24")));
        wait_for("ours is active", SOON, || has_on(&node.host, "eth0", VIP));
        let file = node.folder.write(
            "node2.conf",
            &text(100, "use_ipvlan 192.168.1.12/24\ngarp_master_delay 1"),
        );
        let mut theirs = keepalived(&other, &file);
        let heard = theirs.wait_for_line("Entering BACKUP STATE", SOON);
        assert!(heard.is_some(), "{:#?}", theirs.output());
        stays("ours is alone", Duration::from_millis(600), || {
            has_on(&node.host, "eth0", VIP) && !has_on(&other, "eth0", VIP)
        });
        let _echo = [&node.host, &other].map(|host| EchoServer::start(host, PORT).unwrap());
        let target = (VIP.parse::<IpAddr>().unwrap(), PORT).into();
        let prober = Prober::start(&client, target, MILLISECOND).unwrap();
        std::thread::sleep(Duration::from_millis(200));
        ours.terminate();
        wait_for("theirs has taken over", SOON, || {
            has_on(&other, "eth0", VIP)
        });
        // It preempts keepalived, which hears it on its own device.
        let mut again = vipd(&node.host, &node.folder.0.join("node1.conf"));
        wait_for("ours is back", SOON, || {
            has_on(&node.host, "eth0", VIP) && !has_on(&other, "eth0", VIP)
        });
        std::thread::sleep(Duration::from_millis(200));
        let answered = prober.finish().answered_by;
        assert!(answered.keys().eq(["node1", "node2"]), "{answered:?}");
        ends_well(&mut again);
        theirs.terminate();
        theirs.wait(SOON).unwrap();
    });
}
