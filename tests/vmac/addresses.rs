//! Virtual MAC addresses of single addresses, and announcements on their devices.

use std::net::IpAddr;
use std::thread;
use std::time::Duration;

use vipd::lab::Captured;
use vipd::types::{InterfaceName, VirtualAddress};

use super::common::{Instance, SECOND_VIP, SOON, VIP, installed, wait_for};
use super::{
    MAC, MAC6, One, delete, ends_well, has_on, link, macvlans, physical, ruleset, run, settings,
    source_mac,
};

const V6: &str = "fd00::101";

/// An instance without a virtual MAC; `SECOND_VIP` has one.
fn text(second: &str, more: &str) -> String {
    let first = format!("{VIP}/24");
    let second = format!("{SECOND_VIP}/24 {second}");
    Instance {
        version: 3,
        interval: "0.1",
        vips: &[&first, &second],
        more,
        ..Instance::default()
    }
    .text()
}

#[test]
fn a_single_address_has_a_virtual_mac_of_its_own() {
    let Some(one) = One::new() else { return };
    let before = settings(&one.node);
    let own = physical(&one.node);
    let globals = "global_defs {\n    vmac_addr_prefix va\n    vrrp_garp_extra_if 1\n}\n";
    let excluded = format!("virtual_ipaddress_excluded {{\n        {V6}/64 use_vmac\n    }}");
    let capture = one.lab.capture(Captured::is_protocol).unwrap();
    let mut daemon = one.start(&(globals.to_owned() + &text("use_vmac", &excluded)));
    wait_for("all are there", SOON, || {
        has_on(&one.node, "eth0", VIP)
            && has_on(&one.node, "va.51", SECOND_VIP)
            && has_on(&one.node, "va6.51", V6)
    });
    assert_eq!(link(&one.node, "va.51").unwrap().mac(), Some(MAC));
    assert_eq!(link(&one.node, "va6.51").unwrap().mac(), Some(MAC6));
    let of = |frame: &Captured, address: &str| frame.announced() == address.parse::<IpAddr>().ok();
    let from = [(VIP, own), (SECOND_VIP, MAC), (V6, MAC6)];
    thread::sleep(Duration::from_millis(200));
    let frames = capture.drain();
    for (address, mac) in from {
        let mut announced = frames.iter().filter(|f| of(f, address)).peekable();
        assert!(announced.peek().is_some(), "{address}");
        assert!(announced.all(|f| source_mac(f) == mac), "{address}");
    }
    let adverts = frames.iter().filter(|f| f.advert().is_some());
    assert!(adverts.into_iter().all(|f| source_mac(f) == own));
    // `vrrp_garp_extra_if` without `all`: again and again, on such devices only.
    let (mut seconds, mut others, mut first) = (0, 0, 0);
    while let Some(frame) = capture.next(Duration::from_millis(1500)) {
        seconds += usize::from(of(&frame, SECOND_VIP));
        others += usize::from(of(&frame, V6));
        first += usize::from(of(&frame, VIP));
        if seconds >= 2 && others >= 2 {
            break;
        }
    }
    assert!((seconds, others) >= (2, 2) && first == 0);
    if installed("arping") {
        let client = super::node(&one.lab, "client", 50);
        let answers = |address| run(&client, "arping", &["-c1", "-w1", "-Ieth0", address]);
        let mac = "00:00:5e:00:01:33";
        assert!(answers(SECOND_VIP).to_lowercase().contains(mac));
        assert!(!answers(VIP).to_lowercase().contains(mac));
    }
    // One that somebody deletes is made again, without a fault.
    delete(&one.node, "va.51");
    wait_for("it is made again", SOON, || {
        has_on(&one.node, "va.51", SECOND_VIP)
    });
    let faults = daemon.output().into_iter().filter(|l| l.contains("FAULT"));
    assert_eq!(faults.collect::<Vec<_>>(), [""; 0]);
    ends_well(&mut daemon);
    assert_eq!(macvlans(&one.node), [""; 0]);
    assert_eq!(settings(&one.node), before);
    if installed("nft") {
        assert_eq!(ruleset(&one.node), "");
    }
}

#[test]
fn a_reload_moves_an_address_to_its_device_and_back() {
    let Some(one) = One::new() else { return };
    let before = settings(&one.node);
    let mut daemon = one.start(&text("", ""));
    wait_for("active", SOON, || has_on(&one.node, "eth0", SECOND_VIP));
    one.folder.write("node1.conf", &text("use_vmac", ""));
    daemon.signal(libc::SIGHUP);
    wait_for("it is on the device", SOON, || {
        has_on(&one.node, "vrrp.51", SECOND_VIP) && !has_on(&one.node, "eth0", SECOND_VIP)
    });
    one.folder.write("node1.conf", &text("", ""));
    daemon.signal(libc::SIGHUP);
    wait_for("it is on the interface", SOON, || {
        has_on(&one.node, "eth0", SECOND_VIP)
    });
    wait_for("the device goes", SOON, || macvlans(&one.node).is_empty());
    wait_for("the settings are back", SOON, || {
        settings(&one.node) == before
    });
    ends_well(&mut daemon);
    let output = daemon.output();
    let entered = output.iter().filter(|l| l.contains("Entering"));
    assert_eq!(entered.count(), 2, "BACKUP, then MASTER: {output:#?}");
}

#[test]
fn addresses_elsewhere_get_devices_there_when_asked_to() {
    let Some(one) = One::new() else { return };
    let mut netlink = one.node.netlink().unwrap();
    let names = ["wan", "peer"].map(|name| InterfaceName::new(name).unwrap());
    netlink
        .create_veth(&names[0], &names[1], one.node.namespace())
        .unwrap();
    let index = netlink.link_by_name(&names[0]).unwrap().unwrap().index;
    for name in &names {
        let index = netlink.link_by_name(name).unwrap().unwrap().index;
        netlink.set_up(index, true).unwrap();
    }
    let address = VirtualAddress::new([10, 7, 0, 1].into(), 24);
    netlink.add_addresses(&[(index, address)]).unwrap();
    let first = format!("{VIP}/24");
    let options = "use_vmac\n    use_vmac_addr\n    virtual_ipaddress_excluded {\n        \
                   fd00::101/64\n        fd07::100/64 dev wan\n    }";
    let config = Instance {
        version: 3,
        interval: "0.1",
        vips: &[&first, "10.7.0.100/24 dev wan"],
        more: options,
        ..Instance::default()
    };
    let mut daemon = one.start(&config.text());
    // The names are keepalived's.
    let places = [
        ("vrrp.51", VIP),
        ("vrrp1.51", "10.7.0.100"),
        ("vrrp6.51", V6),
        ("vrrp2.51", "fd07::100"),
    ];
    wait_for("each is on its device", SOON, || {
        places
            .iter()
            .all(|(device, address)| has_on(&one.node, device, address))
    });
    let mac = |device: &str| link(&one.node, device).unwrap().mac().unwrap();
    assert_eq!(places.map(|p| mac(p.0)), [MAC, MAC, MAC6, MAC6]);
    let parent = |device: &str| link(&one.node, device).unwrap().parent;
    assert_eq!(parent("vrrp1.51"), Some(index));
    let ignore = "net/ipv4/conf/wan/arp_ignore";
    assert_eq!(one.node.namespace().sysctl(ignore).unwrap(), "1");
    // The interface below one of them goes down: the node leaves all addresses to a peer.
    netlink.set_up(index, false).unwrap();
    wait_for("a fault", SOON, || !has_on(&one.node, "vrrp.51", VIP));
    netlink.set_up(index, true).unwrap();
    wait_for("each is back", SOON, || {
        places
            .iter()
            .all(|(device, address)| has_on(&one.node, device, address))
    });
    ends_well(&mut daemon);
    assert_eq!(macvlans(&one.node), [""; 0]);
    assert_eq!(one.node.namespace().sysctl(ignore).unwrap(), "0");
}
