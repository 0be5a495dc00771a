//! Virtual MAC addresses over IPv6: who says what, from which address, and who answers.

use std::net::{IpAddr, Ipv6Addr, SocketAddrV6, UdpSocket};
use std::thread;
use std::time::Duration;

use vipd::lab::{Captured, Host};
use vipd::types::VirtualAddress;
use vipd::wire::ndisc::NeighbourAdvert;

use super::common::{Instance, SOON, VIPS6, installed, no_errors, stays, wait_for};
use super::{
    MAC6, One, PORT, Pair, delete, ends_well, holds, link, macvlans, physical, run, settings,
    source_mac, text6,
};

const SOLICITATION: u8 = 135;
const REPORT: u8 = 143;

/// The ICMPv6 message in a frame, also behind a hop-by-hop header, with the packet's source.
fn icmpv6(frame: &Captured) -> Option<(Ipv6Addr, &[u8])> {
    let packet = frame.bytes.get(14..)?;
    if frame.bytes.get(12..14)? != [0x86, 0xdd] {
        return None;
    }
    let source = Ipv6Addr::from(*packet.get(8..24)?.first_chunk::<16>()?);
    let message = match packet.get(6)? {
        58 => packet.get(40..)?,
        0 if *packet.get(40)? == 58 => packet.get(48..)?,
        _ => return None,
    };
    Some((source, message))
}

/// Source, target and link-layer address of a neighbour solicitation.
fn solicitation(frame: &Captured) -> Option<(Ipv6Addr, Ipv6Addr, Option<[u8; 6]>)> {
    let (source, message) = icmpv6(frame).filter(|(_, m)| m.first() == Some(&SOLICITATION))?;
    let target = Ipv6Addr::from(*message.get(8..)?.first_chunk::<16>()?);
    let option = message.get(24..).filter(|o| o.starts_with(&[1, 1]));
    let mac = option.and_then(|o| o.get(2..)?.first_chunk().copied());
    Some((source, target, mac))
}

fn is_virtual(address: Ipv6Addr) -> bool {
    VIPS6.iter().any(|vip| vip.parse() == Ok(address))
}

/// It is neighbour discovery in the name of a virtual address, by a node.
fn speaks_for_a_virtual_address(frame: &Captured) -> bool {
    if &*frame.port == "client" {
        return false;
    }
    let advert = icmpv6(frame).and_then(|(_, m)| NeighbourAdvert::parse(m));
    let asks = solicitation(frame)
        .is_some_and(|(source, target, _)| is_virtual(source) || is_virtual(target));
    asks || advert.is_some_and(|advert| is_virtual(advert.target))
}

fn link_local(host: &Host) -> Ipv6Addr {
    let index = host.eth0().unwrap();
    let addresses = host.netlink().unwrap().addresses(Some(index)).unwrap();
    let v6 = addresses.iter().filter_map(|a| match a.address {
        IpAddr::V6(v6) => Some(v6),
        IpAddr::V4(_) => None,
    });
    let mut link_local = v6.filter(|v6| v6.is_unicast_link_local());
    link_local.next().unwrap()
}

/// Has the client find out where `address` is, as if it had never known.
fn ask(client: &Host, address: Ipv6Addr) {
    run(client, "ip", &["-6", "neigh", "flush", "dev", "eth0"]);
    let index = client.eth0().unwrap();
    let send = || {
        let socket = UdpSocket::bind("[::]:0").unwrap();
        let scope = if address.is_unicast_link_local() {
            index
        } else {
            0
        };
        let _ = socket.send_to(b"?", SocketAddrV6::new(address, PORT, 0, scope));
    };
    client.enter(send).unwrap();
    thread::sleep(Duration::from_millis(150));
}

fn addresses_on(host: &Host, device: &str) -> Vec<IpAddr> {
    let index = link(host, device).unwrap().index;
    let addresses = host.netlink().unwrap().addresses(Some(index)).unwrap();
    addresses.iter().map(|a| a.address).collect()
}

fn vips() -> Vec<IpAddr> {
    VIPS6.iter().map(|vip| vip.parse().unwrap()).collect()
}

#[test]
fn a_device_for_ipv6_comes_with_the_daemon_and_goes_with_it() {
    let Some(one) = One::new() else { return };
    let before = settings(&one.node);
    let mut daemon = one.start(&text6(100, ""));
    wait_for("the address is on the device", SOON, || holds(&one.node));
    let device = link(&one.node, "vrrp.51").unwrap();
    assert_eq!(device.mac(), Some(MAC6));
    assert!(device.private_macvlan && device.up);
    assert_eq!(device.parent, Some(one.node.eth0().unwrap()));
    // Nothing is made of the virtual MAC address, and nothing copied from below.
    let mut there = addresses_on(&one.node, "vrrp.51");
    there.sort();
    let mut wanted = vips();
    wanted.sort();
    assert_eq!(there, wanted);
    let get = |key: &str| one.node.namespace().sysctl(key).unwrap();
    assert_eq!(get("net/ipv6/conf/vrrp.51/disable_ipv6"), "0");
    assert_eq!(get("net/ipv6/conf/vrrp.51/addr_gen_mode"), "1");
    assert_eq!(get("net/ipv6/conf/vrrp.51/accept_ra"), "0");
    assert_eq!(get("net/ipv4/conf/vrrp.51/arp_ignore"), "1");
    assert_eq!(get("net/ipv4/conf/eth0/arp_ignore"), "0");
    let groups = || std::fs::read_to_string("/proc/thread-self/net/igmp6").unwrap();
    let groups = one.node.enter(groups).unwrap();
    for group in [
        "ff0200000000000000000001ff000100",
        "ff0200000000000000000001ff510100",
    ] {
        let joined = |line: &str| line.contains("vrrp.51") && line.contains(group);
        assert!(groups.lines().any(joined), "{groups}");
    }
    one.ends_without_trace(&mut daemon, &before);
}

#[test]
fn a_device_for_ipv6_is_taken_over_and_made_again() {
    let Some(one) = One::new() else { return };
    let mut first = one.start(&text6(100, ""));
    wait_for("the address is on the device", SOON, || holds(&one.node));
    let index = link(&one.node, "vrrp.51").unwrap().index;
    first.kill();
    // keepalived would have left the link-local address of the interface below on it.
    let own = link_local(&one.node);
    let mut netlink = one.node.netlink().unwrap();
    let copy = VirtualAddress::new(own.into(), 64);
    netlink.add_addresses(&[(index, copy)]).unwrap();
    let mut second = one.start(&text6(100, ""));
    wait_for("it starts as a backup", SOON, || {
        addresses_on(&one.node, "vrrp.51").is_empty()
    });
    wait_for("it takes the address", SOON, || holds(&one.node));
    assert_eq!(link(&one.node, "vrrp.51").unwrap().index, index);
    delete(&one.node, "vrrp.51");
    wait_for("it is made again", SOON, || {
        holds(&one.node) && addresses_on(&one.node, "vrrp.51").len() == VIPS6.len()
    });
    let faults = second.output().into_iter().filter(|l| l.contains("FAULT"));
    assert_eq!(faults.collect::<Vec<_>>(), [""; 0]);
    ends_well(&mut second);
    assert_eq!(macvlans(&one.node), [""; 0]);
}

/// Start, stop, return and crash: whatever is said of a virtual address comes from its MAC.
fn speaks_with_the_virtual_mac(more: &str, adverts_from_base: bool) {
    let mut capture = None;
    let texts = [&*text6(200, more), &text6(100, more)];
    let Some(mut pair) = Pair::start_with(texts, |lab| {
        capture = lab.capture(|_| true).ok();
    }) else {
        return;
    };
    let capture = capture.expect("a capture");
    let own = [0, 1].map(|n: usize| physical(&pair.nodes[n]));
    let sources = [0, 1].map(|n: usize| IpAddr::from(link_local(&pair.nodes[n])));
    pair.hand_over();
    pair.take_back();
    pair.daemons[0].kill();
    pair.restart(0);
    wait_for("node 1 lets go", SOON, || !pair.holds(0));
    wait_for("node 1 is active", SOON, || pair.holds(0) && !pair.holds(1));
    ask(&pair.client, VIPS6[1].parse().unwrap());
    let frames = capture.drain();
    let spoken: Vec<_> = frames
        .iter()
        .filter(|f| speaks_for_a_virtual_address(f))
        .collect();
    assert!(spoken.len() > 20, "{spoken:#?}");
    for frame in spoken {
        assert_eq!(source_mac(frame), MAC6, "{frame:?}");
        let advert = icmpv6(frame).and_then(|(_, m)| NeighbourAdvert::parse(m));
        if let Some(advert) = advert {
            assert_eq!(advert.link_address, Some(MAC6), "{frame:?}");
        }
    }
    let adverts = frames.iter().filter(|f| f.advert().is_some());
    for frame in adverts {
        let node = usize::from(&*frame.port == "node2");
        let from = if adverts_from_base { own[node] } else { MAC6 };
        assert_eq!(source_mac(frame), from, "{frame:?}");
        let advert = frame.advert().unwrap();
        assert_eq!((advert.source, advert.hop_limit), (sources[node], 255));
        assert_eq!(frame.bytes[..6], [0x33, 0x33, 0, 0, 0, 0x12]);
    }
    pair.daemons.iter().for_each(no_errors);
}

#[test]
fn over_ipv6_everything_said_of_an_address_comes_from_the_virtual_mac() {
    speaks_with_the_virtual_mac("", false);
}

#[test]
fn over_ipv6_adverts_alone_leave_from_the_base_when_asked_to() {
    speaks_with_the_virtual_mac("vmac_xmit_base", true);
}

#[test]
fn an_ipv6_backup_never_teaches_the_switch_and_a_takeover_moves_the_address() {
    if !installed("nft") || !installed("ip") {
        return;
    }
    let Some(mut pair) = Pair::start([&text6(200, ""), &text6(100, "")]) else {
        return;
    };
    let learned = |pair: &Pair| pair.lab.learned(MAC6).unwrap();
    assert_eq!(learned(&pair).as_deref(), Some("node1"));
    let capture = pair.capture();
    pair.daemons[1].terminate();
    pair.daemons[1].wait(SOON).expect("vipd ends");
    pair.restart(1);
    pair.daemons[1]
        .wait_for_line("Entering BACKUP", SOON)
        .expect("node 2 is there");
    // Joining groups, asking and answering: nothing of it may come from node 2's virtual MAC.
    // keepalived's Backup answers for the link-local address that it has copied to its device.
    let backup = link_local(&pair.nodes[1]);
    for _ in 0..3 {
        ask(&pair.client, VIPS6[1].parse().unwrap());
        ask(&pair.client, backup);
    }
    stays("the switch knows node 1", Duration::from_secs(2), || {
        learned(&pair).as_deref() == Some("node1")
    });
    let from_backup = |f: &Captured| &*f.port == "node2" && source_mac(f) == MAC6;
    let frames = capture.drain();
    let wrong: Vec<_> = frames.iter().filter(|f| from_backup(f)).collect();
    assert_eq!(wrong, [] as [&Captured; 0]);
    // A switch that looks at reports must send it the adverts all the same.
    let group: Ipv6Addr = "ff02::12".parse().unwrap();
    let reports = |frame: &&Captured| {
        let report = icmpv6(frame).filter(|(_, m)| m.first() == Some(&REPORT));
        let listed = |m: &[u8]| m.windows(16).any(|w| w == group.octets());
        report.is_some_and(|(source, m)| source == backup && listed(m))
    };
    assert!(frames.iter().any(|f| reports(&f)), "{frames:#?}");
    pair.daemons[0].terminate();
    wait_for("the switch knows node 2", SOON, || {
        learned(&pair).as_deref() == Some("node2")
    });
    pair.daemons[0].wait(SOON).expect("vipd ends");
    pair.take_back();
    wait_for("the switch knows node 1", SOON, || {
        learned(&pair).as_deref() == Some("node1")
    });
    thread::sleep(Duration::from_millis(300));
    let _ = capture.drain();
    stays("node 2 is silent", Duration::from_secs(2), || {
        !capture.drain().iter().any(from_backup)
    });
    pair.daemons.iter().for_each(no_errors);
}

#[test]
fn over_ipv6_a_sigterm_and_a_preemption_lose_no_probe() {
    if let Some(pair) = Pair::start([&text6(200, ""), &text6(100, "")]) {
        pair.loses_no_probe(VIPS6[1]);
    }
}

#[test]
fn solicitations_are_answered_with_the_virtual_mac_only() {
    if !installed("ip") {
        return;
    }
    let Some(pair) = Pair::start([&text6(200, ""), &text6(100, "")]) else {
        return;
    };
    let own = physical(&pair.nodes[0]);
    let capture = pair.capture();
    let asked = [VIPS6[0], VIPS6[1], "fd00::1"];
    for _ in 0..3 {
        for address in asked {
            ask(&pair.client, address.parse().unwrap());
        }
    }
    let frames = capture.drain();
    let answers: Vec<_> = frames
        .iter()
        .filter_map(|f| Some((f, f.neighbour()?.advert)))
        .filter(|(_, advert)| advert.solicited)
        .collect();
    for (address, mac) in asked.into_iter().zip([MAC6, MAC6, own]) {
        let target: Ipv6Addr = address.parse().unwrap();
        let ours: Vec<_> = answers.iter().filter(|a| a.1.target == target).collect();
        // Whoever has just been asked by it knows it already.
        assert!(!ours.is_empty(), "{address}: {answers:#?}");
        for (frame, advert) in ours {
            assert_eq!(advert.link_address, Some(mac), "{address}");
            assert_eq!(source_mac(frame), mac, "{address}");
        }
    }
    // To answer from a link-local virtual address, the node itself has to ask.
    run(&pair.nodes[0], "ip", &["-6", "neigh", "flush", "all"]);
    ask(&pair.client, VIPS6[0].parse().unwrap());
    let client = link_local(&pair.client);
    let asks = |f: &Captured| {
        let found = solicitation(f).filter(|_| &*f.port == "node1");
        found.filter(|(_, target, _)| *target == client)
    };
    let frame = capture
        .find(SOON, |f| asks(f).is_some_and(|s| is_virtual(s.0)))
        .expect("the virtual router asks");
    assert_eq!(asks(&frame).unwrap().2, Some(MAC6));
    assert_eq!(source_mac(&frame), MAC6);
    pair.daemons.iter().for_each(no_errors);
}

#[test]
fn an_advert_leaves_also_while_the_device_has_no_address() {
    let Some(one) = One::new() else { return };
    let vips: Vec<_> = (0..40).map(|n| format!("fd00::5:{n:x}")).collect();
    let vips: Vec<_> = vips.iter().map(String::as_str).collect();
    let capture = one.lab.capture(Captured::is_protocol).unwrap();
    let text = Instance {
        interval: "0.1",
        vips: &vips,
        more: "use_vmac",
        ..Instance::v6()
    };
    let mut daemon = one.start(&text.text());
    // So many addresses are not waited for: the advert comes first.
    let first = capture.next(SOON).expect("something is said");
    assert!(first.advert().is_some(), "{first:?}");
    assert_eq!(source_mac(&first), MAC6);
    wait_for("all are there", SOON, || {
        addresses_on(&one.node, "vrrp.51").len() == vips.len()
    });
    ends_well(&mut daemon);
}
