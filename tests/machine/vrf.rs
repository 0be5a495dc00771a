//! Interfaces in a VRF, and instances without interface in one.

use std::process::Command;
use std::time::Duration;

use vipd::lab::Host;

use super::common::machine::elsewhere;
use super::common::{Instance, SOON, VIP, installed, stays, vipd, wait_for};
use super::{Node, ends_well, has_on, host, ip, link};

/// `eth0` of `host` in a VRF called blue.
fn into_vrf(host: &Host) {
    ip(host, "link add blue type vrf table 10");
    ip(host, "link set blue up");
    ip(host, "link set eth0 master blue");
}

fn text(priority: u8, more: &str) -> String {
    let instance = Instance {
        version: 3,
        priority,
        interval: "0.1",
        more,
        ..Instance::default()
    };
    instance.text().replace(VIP, &format!("{VIP}/24"))
}

#[test]
fn devices_are_in_the_vrf_of_their_interface() {
    elsewhere(|| {
        let node = Node::new();
        let client = host(&node.lab, "client", 50);
        into_vrf(&node.host);
        let blue = link(&node.host, "blue").unwrap().index;
        for (more, carrier) in [
            ("use_vmac", "vrrp.51"),
            ("use_ipvlan 192.168.1.11/24", "eth0"),
            ("", "eth0"),
        ] {
            let mut daemon = node.start(&text(100, more));
            wait_for("it is active", SOON, || has_on(&node.host, carrier, VIP));
            let device = link(&node.host, "vrrp.51");
            assert_eq!(device.is_some(), !more.is_empty());
            assert!(device.is_none_or(|device| device.master == Some(blue)));
            // An answer shows that the address is in the VRF's table.
            let answers = ping(&client);
            assert!(
                answers || !installed("ping"),
                "{more}: {:#?}",
                daemon.output()
            );
            ends_well(&mut daemon);
        }
    });
}

/// Whether the kernel that has the address answers, by the VRF's routes.
fn ping(client: &Host) -> bool {
    let run = || Command::new("ping").args(["-c1", "-W2", VIP]).output();
    client.enter(run).unwrap().unwrap().status.success()
}

#[test]
fn a_device_follows_its_interface_into_a_vrf_and_out_of_it() {
    elsewhere(|| {
        let node = Node::new();
        let mut daemon = node.start(&text(100, "use_vmac"));
        let active = || has_on(&node.host, "vrrp.51", VIP);
        wait_for("it is active", SOON, active);
        into_vrf(&node.host);
        let blue = link(&node.host, "blue").unwrap().index;
        let master = || link(&node.host, "vrrp.51").and_then(|device| device.master);
        wait_for("it has followed", SOON, || master() == Some(blue));
        wait_for("it is active", SOON, active);
        ip(&node.host, "link set eth0 nomaster");
        wait_for("it has left, too", SOON, || master().is_none());
        wait_for("it is active", SOON, active);
        ends_well(&mut daemon);
    });
}

/// An instance that knows a VRF and peers, but no interface.
fn unicast(priority: u8, own: u8, peer: u8) -> String {
    let more =
        format!("vrf blue\nunicast_src_ip 192.168.1.{own}\nunicast_peer {{\n192.168.1.{peer}\n}}");
    let whole = text(priority, &more).replace("interface eth0", "");
    whole.replace(&format!("{VIP}/24"), &format!("{VIP}/24 dev eth0"))
}

#[test]
fn an_instance_without_interface_hears_and_speaks_in_its_vrf() {
    elsewhere(|| {
        let node = Node::new();
        let other = host(&node.lab, "node2", 2);
        into_vrf(&node.host);
        into_vrf(&other);
        let mut first = node.start(&unicast(150, 1, 2));
        let file = node.folder.write("node2.conf", &unicast(100, 2, 1));
        let mut second = vipd(&other, &file);
        let split = || has_on(&node.host, "eth0", VIP) && !has_on(&other, "eth0", VIP);
        wait_for("the better one is active", SOON, split);
        stays("it is alone", Duration::from_millis(600), split);
        // Without the VRF there is nothing to hear and speak on.
        ip(&node.host, "link del blue");
        wait_for("the other one has taken over", SOON, || {
            has_on(&other, "eth0", VIP) && !has_on(&node.host, "eth0", VIP)
        });
        assert!(first.wait_for_line("FAULT", SOON).is_some());
        into_vrf(&node.host);
        wait_for("it comes back with the VRF", SOON, split);
        ends_well(&mut first);
        ends_well(&mut second);
    });
}
