//! What somebody does to a device or to the interface below it is mended.

use std::time::Duration;

use vipd::lab::EchoServer;
use vipd::types::InterfaceName;

use super::common::{Folder, SOON, VIP, installed, lab, stays, vipd, wait_for};
use super::{MAC, One, PORT, Pair, delete, ends_well, holds, link, macvlans, run, text};

#[test]
fn a_device_that_somebody_deletes_is_made_again_without_a_takeover() {
    let Some(pair) = Pair::start([&text(200, ""), &text(100, "")]) else {
        return;
    };
    let _servers = [0, 1].map(|n| EchoServer::start(&pair.nodes[n], PORT).unwrap());
    let index = |node: usize| link(&pair.nodes[node], "vrrp.51").map(|l| l.index);
    let prober = pair.prober(VIP);
    for node in [1, 0] {
        let before = index(node);
        delete(&pair.nodes[node], "vrrp.51");
        wait_for("it is made again", SOON, || {
            index(node).is_some() && index(node) != before
        });
        wait_for("node 1 has the address", SOON, || pair.holds(0));
        let filter = pair.nodes[node]
            .namespace()
            .sysctl("net/ipv4/conf/vrrp.51/rp_filter");
        assert_eq!(filter.unwrap(), "0");
    }
    // The new device is known to the rules, too.
    if installed("nft") {
        for node in &pair.nodes {
            let rules = run(
                node,
                "nft",
                &["list", "map", "ip", "keepalived", "vmac_map"],
            );
            assert!(rules.contains("\"vrrp.51\" : \"eth0\""), "{rules}");
        }
    }
    stays("node 1 is active", Duration::from_secs(1), || {
        pair.holds(0) && !pair.holds(1)
    });
    let report = prober.finish();
    // keepalived: a fault, and a takeover after three adverts.
    let outage = report.longest_outage;
    assert!(outage < Duration::from_millis(200), "{outage:?}");
    for daemon in &pair.daemons {
        let output = daemon.output();
        assert!(!output.iter().any(|l| l.contains("FAULT")), "{output:#?}");
    }
}

#[test]
fn a_device_that_is_switched_off_or_readdressed_is_mended() {
    let Some(one) = One::new() else { return };
    let mut daemon = one.start(&text(100, ""));
    wait_for("the address is on the device", SOON, || holds(&one.node));
    let index = link(&one.node, "vrrp.51").unwrap().index;
    let mut netlink = one.node.netlink().unwrap();
    netlink.set_up(index, false).unwrap();
    wait_for("it is switched on", SOON, || {
        link(&one.node, "vrrp.51").unwrap().up
    });
    netlink.set_mac(index, [2, 0, 0, 0, 0, 9]).unwrap();
    wait_for("it has its address", SOON, || {
        link(&one.node, "vrrp.51").unwrap().mac() == Some(MAC)
    });
    wait_for("the address is on the device", SOON, || holds(&one.node));
    ends_well(&mut daemon);
}

#[test]
fn a_base_that_goes_down_is_a_fault_and_one_that_returns_is_built_on_again() {
    let Some(lab) = lab() else { return };
    let folder = Folder::new();
    let node = lab.host("node1").unwrap();
    let mut netlink = node.netlink().unwrap();
    let (a, b) = (
        InterfaceName::new("base").unwrap(),
        InterfaceName::new("other").unwrap(),
    );
    let mut plug = |n: u8| {
        netlink.create_veth(&a, &b, node.namespace()).unwrap();
        for name in [&a, &b] {
            let index = netlink.link_by_name(name).unwrap().unwrap().index;
            netlink.set_up(index, true).unwrap();
        }
        let index = netlink.link_by_name(&a).unwrap().unwrap().index;
        let address = vipd::types::VirtualAddress::new([10, 7, 0, n].into(), 24);
        netlink.add_addresses(&[(index, address)]).unwrap();
        index
    };
    let index = plug(1);
    let file = folder.write("node1.conf", &text(100, "").replace("eth0", "base"));
    let mut daemon = vipd(&node, &file);
    wait_for("the address is on the device", SOON, || holds(&node));
    let mut other = node.netlink().unwrap();
    other.set_up(index, false).unwrap();
    wait_for("a fault", SOON, || !holds(&node));
    other.set_up(index, true).unwrap();
    wait_for("the address is back", SOON, || holds(&node));
    other.delete_link(index).unwrap();
    wait_for("the device is gone", SOON, || macvlans(&node).is_empty());
    let index = plug(2);
    wait_for("the address is back", SOON, || holds(&node));
    assert_eq!(link(&node, "vrrp.51").unwrap().parent, Some(index));
    assert_eq!(
        node.namespace()
            .sysctl("net/ipv4/conf/base/arp_ignore")
            .unwrap(),
        "1"
    );
    ends_well(&mut daemon);
    assert_eq!(
        node.namespace()
            .sysctl("net/ipv4/conf/base/arp_ignore")
            .unwrap(),
        "0"
    );
}
