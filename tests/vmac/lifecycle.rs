//! A device comes with the daemon and goes with it, and so does what is changed around it.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::Duration;

use vipd::types::{InterfaceName, VirtualAddress};

use super::common::{Instance, SOON, VIP, stays, vipd, wait_for};
use super::{MAC, One, ends_well, has_on, holds, link, macvlans, settings, state_file, text};

#[test]
fn a_device_comes_with_the_daemon_and_goes_with_it() {
    let Some(one) = One::new() else { return };
    let before = settings(&one.node);
    let mut daemon = one.start(&text(100, ""));
    wait_for("the address is on the device", SOON, || holds(&one.node));
    let device = link(&one.node, "vrrp.51").unwrap();
    assert_eq!(device.mac(), Some(MAC));
    assert!(device.private_macvlan && device.up);
    assert_eq!(device.parent, Some(one.node.eth0().unwrap()));
    assert!(!has_on(&one.node, "eth0", VIP));
    let during = settings(&one.node);
    let value = |family: &str, interface: &str, key: &str| {
        let path = format!("/proc/sys/net/{family}/conf/{interface}/{key}");
        during[&PathBuf::from(path)].trim().to_owned()
    };
    assert_eq!(value("ipv4", "vrrp.51", "arp_ignore"), "1");
    assert_eq!(value("ipv4", "vrrp.51", "accept_local"), "1");
    assert_eq!(value("ipv4", "vrrp.51", "rp_filter"), "0");
    assert_eq!(value("ipv4", "vrrp.51", "promote_secondaries"), "1");
    assert_eq!(value("ipv6", "vrrp.51", "disable_ipv6"), "1");
    assert_eq!(value("ipv4", "eth0", "arp_ignore"), "1");
    assert_eq!(value("ipv4", "eth0", "arp_filter"), "1");
    let file = std::fs::metadata(state_file(&one.folder, &one.node)).unwrap();
    assert_eq!(file.mode() & 0o777, 0o600);
    one.ends_without_trace(&mut daemon, &before);
}

#[test]
fn a_device_is_called_as_the_file_says() {
    let Some(one) = One::new() else { return };
    let before = settings(&one.node);
    let globals = "global_defs {\nvmac_prefix front\n}\n".to_owned();
    let mut daemon = one.start(&(globals + &text(100, "")));
    wait_for("the address is on the device", SOON, || {
        has_on(&one.node, "front.51", VIP)
    });
    assert_eq!(macvlans(&one.node), ["front.51"]);
    one.ends_without_trace(&mut daemon, &before);
}

#[test]
fn the_reverse_path_filter_of_all_moves_to_each_and_back() {
    let Some(one) = One::new() else { return };
    let set = |key: &str, value| one.node.namespace().set_sysctl(key, value).unwrap();
    let get = |key: &str| one.node.namespace().sysctl(key).unwrap();
    set("net/ipv4/conf/all/rp_filter", "2");
    set("net/ipv4/conf/default/rp_filter", "0");
    set("net/ipv4/conf/eth0/rp_filter", "1");
    let before = settings(&one.node);
    let mut daemon = one.start(&text(100, ""));
    wait_for("the address is on the device", SOON, || holds(&one.node));
    assert_eq!(get("net/ipv4/conf/all/rp_filter"), "0");
    assert_eq!(get("net/ipv4/conf/eth0/rp_filter"), "2");
    assert_eq!(get("net/ipv4/conf/default/rp_filter"), "2");
    assert_eq!(get("net/ipv4/conf/vrrp.51/rp_filter"), "0");
    // A crash, and a successor that has no virtual MAC: it cleans up.
    daemon.kill();
    let file = one.folder.write("plain.conf", &Instance::default().text());
    let mut successor = vipd(&one.node, &file);
    wait_for("the device goes", SOON, || macvlans(&one.node).is_empty());
    wait_for("the settings are back", SOON, || {
        settings(&one.node) == before
    });
    ends_well(&mut successor);
    assert!(!state_file(&one.folder, &one.node).exists());
}

#[test]
fn what_somebody_else_has_set_meanwhile_stays() {
    let Some(one) = One::new() else { return };
    let mut daemon = one.start(&text(100, ""));
    wait_for("the address is on the device", SOON, || holds(&one.node));
    let key = "net/ipv4/conf/eth0/arp_ignore";
    one.node.namespace().set_sysctl(key, "2").unwrap();
    ends_well(&mut daemon);
    assert_eq!(one.node.namespace().sysctl(key).unwrap(), "2");
    let filter = "net/ipv4/conf/eth0/arp_filter";
    assert_eq!(one.node.namespace().sysctl(filter).unwrap(), "0");
}

#[test]
fn a_device_that_a_crash_left_is_taken_over() {
    let Some(one) = One::new() else { return };
    let before = settings(&one.node);
    let mut first = one.start(&text(100, ""));
    wait_for("the address is on the device", SOON, || holds(&one.node));
    let index = link(&one.node, "vrrp.51").unwrap().index;
    first.kill();
    assert_eq!(link(&one.node, "vrrp.51").unwrap().index, index);
    let mut second = one.start(&text(100, ""));
    wait_for("it starts as a backup", SOON, || !holds(&one.node));
    wait_for("it takes the address", SOON, || holds(&one.node));
    assert_eq!(link(&one.node, "vrrp.51").unwrap().index, index);
    ends_well(&mut second);
    assert_eq!(macvlans(&one.node), [""; 0]);
    // Also after the crash, what is restored is what was there before the first run.
    assert_eq!(settings(&one.node), before);
}

#[test]
fn a_reload_that_takes_the_device_away_hands_over_first() {
    let Some(one) = One::new() else { return };
    let before = settings(&one.node);
    let capture = one.lab.capture(|f| f.advert().is_some()).unwrap();
    let mut daemon = one.start(&text(100, ""));
    wait_for("the address is on the device", SOON, || holds(&one.node));
    let plain = text(100, "").replace("use_vmac", "");
    one.folder.write("node1.conf", &plain);
    daemon.signal(libc::SIGHUP);
    let release = capture.find(SOON, |f| f.advert().unwrap().priority == 0);
    assert_eq!(release.unwrap().bytes[6..12], MAC);
    wait_for("the device goes", SOON, || macvlans(&one.node).is_empty());
    wait_for("the address is on eth0", SOON, || {
        has_on(&one.node, "eth0", VIP)
    });
    wait_for("the settings are back", SOON, || {
        settings(&one.node) == before
    });
    // And back again: the device is there before the instance begins.
    one.folder.write("node1.conf", &text(100, ""));
    daemon.signal(libc::SIGHUP);
    wait_for("the address is on the device", SOON, || holds(&one.node));
    ends_well(&mut daemon);
    let faults = daemon.output().into_iter().filter(|l| l.contains("FAULT"));
    assert_eq!(faults.collect::<Vec<_>>(), [""; 0]);
    assert_eq!(settings(&one.node), before);
}

#[test]
fn a_name_that_is_taken_is_left_alone() {
    let Some(one) = One::new() else { return };
    let taken = InterfaceName::new("vrrp.51").unwrap();
    let mut netlink = one.node.netlink().unwrap();
    netlink.create_bridge(&taken).unwrap();
    let mut daemon = one.start(&text(100, ""));
    wait_for("the address is on the device", SOON, || {
        has_on(&one.node, "vrrp1.51", VIP)
    });
    ends_well(&mut daemon);
    assert!(link(&one.node, "vrrp.51").is_some());
    assert_eq!(macvlans(&one.node), [""; 0]);
}

#[test]
fn an_interface_that_has_the_configured_name_is_not_used() {
    let Some(one) = One::new() else { return };
    let taken = InterfaceName::new("mine").unwrap();
    let mut netlink = one.node.netlink().unwrap();
    netlink.create_bridge(&taken).unwrap();
    let index = netlink.link_by_name(&taken).unwrap().unwrap().index;
    netlink.set_up(index, true).unwrap();
    let mut daemon = one.start(&text(100, "").replace("use_vmac", "use_vmac name mine"));
    daemon
        .wait_for_line("exists and is no private macvlan on eth0", SOON)
        .expect("it says why");
    stays("nothing is there", Duration::from_secs(1), || {
        !has_on(&one.node, "mine", VIP)
    });
    // It goes, and the device takes its place.
    netlink.delete_link(index).unwrap();
    wait_for("the address is on the device", SOON, || {
        has_on(&one.node, "mine", VIP)
    });
    ends_well(&mut daemon);
}

#[test]
fn own_addresses_names_and_groups_are_obeyed() {
    let Some(one) = One::new() else { return };
    let options = "use_vmac shared0 02:11:22:33:44 group 42";
    let mut daemon = one.start(&text(100, "").replace("use_vmac", options));
    wait_for("the address is on the device", SOON, || {
        has_on(&one.node, "shared0", VIP)
    });
    let device = link(&one.node, "shared0").unwrap();
    assert_eq!(device.mac(), Some([2, 0x11, 0x22, 0x33, 0x44, 51]));
    assert_eq!(device.group, 42);
    ends_well(&mut daemon);
}

#[test]
fn an_address_for_the_base_interface_is_put_on_the_device() {
    let Some(one) = One::new() else { return };
    let vip = format!("{VIP}/24 dev eth0");
    let mut daemon = one.start(&text(100, "").replace(VIP, &vip));
    wait_for("the address is on the device", SOON, || holds(&one.node));
    assert!(!has_on(&one.node, "eth0", VIP));
    ends_well(&mut daemon);
}

#[test]
fn secondary_addresses_are_promoted_while_an_instance_needs_it() {
    let Some(one) = One::new() else { return };
    let before = settings(&one.node);
    let with = |more: &str| {
        let instance = Instance {
            version: 3,
            interval: "0.1",
            vips: &["192.168.1.100/24"],
            more: &format!("mcast_src_ip 192.168.1.1\n    {more}"),
            ..Instance::default()
        };
        instance.text()
    };
    let key = "net/ipv4/conf/eth0/promote_secondaries";
    let value = || one.node.namespace().sysctl(key).unwrap();
    let active = || has_on(&one.node, "eth0", VIP);
    let mut daemon = one.start(&with("promote_secondaries"));
    wait_for("it is active", SOON, active);
    assert_eq!(value(), "1");
    // The kernel takes the addresses of a subnet along with the first one, unless they move up.
    let first = VirtualAddress::new("192.168.1.1".parse().unwrap(), 24);
    let index = one.node.eth0().unwrap();
    let mut netlink = one.node.netlink().unwrap();
    let removed = netlink.remove_addresses(&[(index, first)]).unwrap();
    assert!(removed.iter().all(Result::is_ok));
    assert!(active());
    one.node.add_address("192.168.1.1/24").unwrap();
    let reload = |more: &str| {
        one.folder.write("node1.conf", &with(more));
        daemon.signal(libc::SIGHUP);
    };
    reload("");
    wait_for("the setting is back", SOON, || value() == "0");
    reload("promote_secondaries");
    wait_for("the setting is there", SOON, || value() == "1");
    let output = daemon.output();
    assert!(
        !output.iter().any(|l| l.contains("put back")),
        "{output:#?}"
    );
    daemon.kill();
    let mut successor = one.start(&with(""));
    wait_for("the setting is back", SOON, || value() == "0");
    one.ends_without_trace(&mut successor, &before);
}
