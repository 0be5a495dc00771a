//! Virtual routers over IPv6, with real packets.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::needless_pass_by_value,
    clippy::cast_possible_truncation,
    reason = "a test may panic, and says why"
)]

mod common;

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::thread;
use std::time::Duration;

use common::{
    Folder, Instance, SOON, VIP, VIP6, VIPS6, has, host, lab, no_errors, stays, vipd, wait_for,
};
use vipd::lab::{Captured, EchoServer, Host, Lab, Prober, Process, SeenNeighbour};
use vipd::types::{InterfaceName, Interval, Priority, Version, VirtualAddress, Vrid};
use vipd::wire::ip::{GROUP_V6, Protocol, emit_v6};
use vipd::wire::vrrp::{Authentication, ChecksumForm, Outgoing, emit};

const PORT: u16 = 7;
const EXCLUDED: &str = "fd00::101";

fn fast(priority: u8, more: &str) -> String {
    Instance {
        priority,
        interval: "0.1",
        more,
        ..Instance::v6()
    }
    .text()
}

/// A node with both families.
fn node(lab: &Lab, number: u8) -> Host {
    let host = host(
        lab,
        &format!("node{number}"),
        &format!("192.168.1.{number}/24"),
    );
    host.add_address(&format!("fd00::{number}/64")).unwrap();
    host
}

fn said(process: &Process, words: &str) -> bool {
    process.output().iter().any(|line| line.contains(words))
}

fn mac(host: &Host) -> [u8; 6] {
    let (mut netlink, index) = (host.netlink().unwrap(), host.eth0().unwrap());
    let link = netlink.link_by_index(index).unwrap().unwrap();
    link.mac().unwrap()
}

/// What is announced of `address`, first.
fn announcement(frames: &vipd::lab::Capture, address: &str) -> Captured {
    let address: IpAddr = address.parse().unwrap();
    let announces = |frame: &Captured| frame.announced() == Some(address);
    frames.find(SOON, announces).expect("it is announced")
}

fn neighbour(frames: &vipd::lab::Capture, address: &str) -> SeenNeighbour {
    announcement(frames, address).neighbour().unwrap()
}

#[test]
fn a_takeover_is_announced_by_neighbour_adverts_that_override() {
    let Some(lab) = lab() else { return };
    let folder = Folder::new();
    let excluded =
        format!("virtual_ipaddress_excluded {{\n        {EXCLUDED}\n        {VIP}\n    }}");
    let node1 = node(&lab, 1);
    let frames = lab.capture(Captured::is_protocol).unwrap();
    let daemon = vipd(&node1, &folder.write("node1.conf", &fast(200, &excluded)));
    let mac = mac(&node1);
    for address in [VIPS6[0], VIP6, EXCLUDED] {
        let seen = neighbour(&frames, address);
        let target: Ipv6Addr = address.parse().unwrap();
        let all_nodes: IpAddr = "ff02::1".parse().unwrap();
        assert_eq!(seen.hop_limit, 255);
        assert_eq!(seen.destination, all_nodes);
        assert_eq!(seen.source, IpAddr::from(target));
        assert!(!seen.advert.solicited && seen.advert.overrides);
        assert!(!seen.advert.router, "this host does not forward");
        assert_eq!(seen.advert.link_address, Some(mac));
    }
    // Excluded addresses may be of the other family, and are announced in its way.
    assert!(announcement(&frames, VIP).arp().is_some());
    assert!(has(&node1, VIP) && has(&node1, EXCLUDED));
    no_errors(&daemon);
}

#[test]
fn a_host_that_forwards_says_so() {
    let Some(lab) = lab() else { return };
    let folder = Folder::new();
    let node1 = node(&lab, 1);
    let frames = lab.capture(Captured::is_protocol).unwrap();
    let refresh = "garp_master_refresh 1";
    let daemon = vipd(&node1, &folder.write("node1.conf", &fast(200, refresh)));
    assert!(!neighbour(&frames, VIP6).advert.router);
    let forwarding = "net/ipv6/conf/eth0/forwarding";
    node1.namespace().set_sysctl(forwarding, "1").unwrap();
    let router = |frame: &Captured| {
        let advert = frame.neighbour().map(|seen| seen.advert);
        advert.is_some_and(|advert| advert.router && !advert.solicited)
    };
    assert!(frames.find(SOON, router).is_some());
    no_errors(&daemon);
}

#[test]
fn an_ipv4_instance_announces_excluded_ipv6_addresses() {
    let Some(lab) = lab() else { return };
    let folder = Folder::new();
    let node1 = node(&lab, 1);
    let frames = lab.capture(Captured::is_protocol).unwrap();
    let excluded = format!("virtual_ipaddress_excluded {{\n        {EXCLUDED}\n    }}");
    let text = Instance {
        version: 3,
        interval: "0.1",
        more: &excluded,
        ..Instance::default()
    }
    .text();
    let daemon = vipd(&node1, &folder.write("node1.conf", &text));
    assert!(announcement(&frames, VIP).arp().is_some());
    assert_eq!(
        neighbour(&frames, EXCLUDED).advert.link_address,
        Some(mac(&node1))
    );
    no_errors(&daemon);
}

#[test]
fn a_sigterm_loses_no_probe() {
    let Some(lab) = lab() else { return };
    let folder = Folder::new();
    let nodes = [node(&lab, 1), node(&lab, 2)];
    let client = host(&lab, "client", "fd00::50/64");
    let _servers = [0, 1].map(|n| EchoServer::start(&nodes[n], PORT).unwrap());
    let mut daemons = [0, 1].map(|n| {
        let text = fast([200, 100][n], "");
        vipd(&nodes[n], &folder.write(&format!("{n}.conf"), &text))
    });
    let holds = |n: usize| VIPS6.iter().all(|vip| has(&nodes[n], vip));
    let free = |n: usize| !VIPS6.iter().any(|vip| has(&nodes[n], vip));
    wait_for("node 1 is active", SOON, || holds(0) && free(1));
    let target = SocketAddr::new(VIP6.parse().unwrap(), PORT);
    let prober = Prober::start(&client, target, Duration::from_millis(1)).unwrap();
    thread::sleep(Duration::from_millis(200));
    daemons[0].terminate();
    wait_for("node 2 is active", SOON, || holds(1) && free(0));
    assert!(daemons[0].wait(SOON).expect("vipd ends").success());
    thread::sleep(Duration::from_millis(300));
    let report = prober.finish();
    assert_eq!(report.lost, [], "of {} probes", report.sent);
    assert!(report.answered_by.contains_key("node2"), "{report:?}");
    daemons.iter().for_each(no_errors);
}

/// An advert of a node with a higher priority, as a stranger would send it.
fn forge(host: &Host, hop_limit: u8, spoil: bool) {
    use vipd::sys::socket::{AdvertSocket, Listen};
    let send = || {
        let eth0 = InterfaceName::new("eth0").unwrap();
        let index = nix::net::if_::if_nametoindex("eth0").unwrap();
        let listen = Listen::Group(GROUP_V6.into());
        let socket = AdvertSocket::open(&eth0, index, listen, Protocol::Vrrp).unwrap();
        let source: Ipv6Addr = "fe80::bad".parse().unwrap();
        let mut message = emit(&Outgoing {
            version: Version::V3,
            vrid: Vrid::new(51).unwrap(),
            priority: Priority::new(254),
            interval: Interval::from_centis(10).unwrap(),
            addresses: &[VIPS6[0].parse().unwrap(), VIP6.parse().unwrap()],
            authentication: &Authentication::None,
            checksum: ChecksumForm::PseudoHeader,
            source: source.into(),
            destination: GROUP_V6.into(),
        });
        message[7] ^= u8::from(spoil);
        let packet = emit_v6(source, GROUP_V6, hop_limit, &message);
        socket.send(GROUP_V6.into(), &packet).unwrap();
    };
    host.enter(send).unwrap();
}

#[test]
fn a_packet_from_afar_or_damaged_is_discarded_with_its_reason() {
    let Some(lab) = lab() else { return };
    let folder = Folder::new();
    let (node1, stranger) = (node(&lab, 1), host(&lab, "stranger", "fd00::bad/64"));
    let daemon = vipd(&node1, &folder.write("node1.conf", &fast(200, "")));
    wait_for("node 1 is active", SOON, || has(&node1, VIP6));
    forge(&stranger, 254, false);
    wait_for("the hop limit is said", SOON, || said(&daemon, "TTL"));
    forge(&stranger, 255, true);
    wait_for("the checksum is said", SOON, || {
        said(&daemon, "wrong checksum")
    });
    stays("node 1 is active", Duration::from_millis(500), || {
        has(&node1, VIP6)
    });
    // The same packet undamaged is obeyed: it was these checks that kept the others out.
    forge(&stranger, 255, false);
    wait_for("node 1 gives way", SOON, || !has(&node1, VIP6));
    no_errors(&daemon);
}

#[test]
fn an_address_in_duplicate_detection_is_a_fault_until_it_can_be_used() {
    let Some(lab) = lab() else { return };
    let folder = Folder::new();
    let node1 = node(&lab, 1);
    let (mut netlink, eth0) = (node1.netlink().unwrap(), node1.eth0().unwrap());
    netlink.set_up(eth0, false).unwrap();
    for (key, value) in [("accept_dad", "1"), ("dad_transmits", "3")] {
        let key = format!("net/ipv6/conf/eth0/{key}");
        node1.namespace().set_sysctl(&key, value).unwrap();
    }
    netlink.set_up(eth0, true).unwrap();
    let tentative = |netlink: &mut vipd::sys::netlink::Netlink| {
        let addresses = netlink.addresses(Some(eth0)).unwrap();
        addresses.iter().any(vipd::sys::netlink::Address::tentative)
    };
    wait_for("detection runs", SOON, || tentative(&mut netlink));
    let daemon = vipd(&node1, &folder.write("node1.conf", &fast(200, "")));
    wait_for("a fault", SOON, || said(&daemon, "Entering FAULT STATE"));
    assert!(said(&daemon, "NoPrimaryAddress"));
    assert!(tentative(&mut netlink) && !has(&node1, VIP6));
    wait_for("it recovers", SOON, || has(&node1, VIP6));
    assert!(!tentative(&mut netlink));
    no_errors(&daemon);
}

#[test]
fn a_link_that_goes_down_takes_its_addresses_along_and_all_return() {
    let Some(lab) = lab() else { return };
    let folder = Folder::new();
    let nodes = [node(&lab, 1), node(&lab, 2)];
    let daemons = [0, 1].map(|n| {
        let text = fast([200, 100][n], "");
        vipd(&nodes[n], &folder.write(&format!("{n}.conf"), &text))
    });
    let holds = || [0, 1].map(|n: usize| has(&nodes[n], VIP6));
    wait_for("node 1 is active", SOON, || holds() == [true, false]);
    let (mut netlink, eth0) = (nodes[0].netlink().unwrap(), nodes[0].eth0().unwrap());
    netlink.set_up(eth0, false).unwrap();
    wait_for("node 2 is active", SOON, || holds() == [false, true]);
    netlink.set_up(eth0, true).unwrap();
    wait_for("node 1 takes it back", SOON, || holds() == [true, false]);
    stays("one has it", Duration::from_secs(1), || {
        holds() == [true, false]
    });
    daemons.iter().for_each(no_errors);
}

/// RFC 9568 §7.1 would discard them; keepalived does not, and pairs rely on it.
#[test]
fn adverts_without_a_link_local_address_in_front_are_taken_and_named() {
    let Some(lab) = lab() else { return };
    let folder = Folder::new();
    let nodes = [node(&lab, 1), node(&lab, 2)];
    let daemons = [0, 1].map(|n| {
        let text = Instance {
            priority: [200, 100][n],
            interval: "0.1",
            vips: &[VIP6],
            ..Instance::v6()
        };
        let file = folder.write(&format!("{n}.conf"), &text.text());
        vipd(&nodes[n], &file)
    });
    let settled = || [0, 1].map(|n: usize| has(&nodes[n], VIP6)) == [true, false];
    wait_for("node 1 is active", SOON, settled);
    wait_for("node 2 says so", SOON, || {
        said(&daemons[1], "not link-local")
    });
    stays("node 1 is active", Duration::from_secs(1), settled);
    daemons.iter().for_each(no_errors);
}

#[test]
fn adverts_without_a_link_local_address_in_front_are_discarded_on_demand() {
    let Some(lab) = lab() else { return };
    let folder = Folder::new();
    let nodes = [node(&lab, 1), node(&lab, 2)];
    let first = Instance {
        priority: 200,
        interval: "0.1",
        vips: &[VIP6],
        ..Instance::v6()
    };
    let first = vipd(&nodes[0], &folder.write("1.conf", &first.text()));
    let second = format!(
        "[instance.web]\ninterface = \"eth0\"\nvrid = 51\ninterval = \"100ms\"\n\
         addresses = [\"{}/64\", \"{VIP6}/64\"]\nrequire_link_local = true\n",
        VIPS6[0]
    );
    let second = vipd(&nodes[1], &folder.write("2.toml", &second));
    wait_for("node 2 says so", SOON, || {
        said(&second, "discarded: the first address is not link-local")
    });
    wait_for("node 2 is active too", SOON, || {
        [0, 1].map(|n: usize| has(&nodes[n], VIP6)) == [true, true]
    });
    for daemon in [&first, &second] {
        no_errors(daemon);
    }
}

#[test]
fn signed_unicast_works_with_the_hop_limit_that_peers_must_keep() {
    let Some(lab) = lab() else { return };
    let folder = Folder::new();
    let nodes = [node(&lab, 1), node(&lab, 2)];
    let start = |n: usize, hop_limit: u8| {
        let key = "5a".repeat(32);
        let more = format!(
            "unicast_src_ip fd00::{}\n    unicast_peer {{\n        fd00::{} min_ttl 255\n    }}\n    \
             unicast_ttl {hop_limit}\n    auth_hmac {{\n        key 1 hex:{key}\n        \
             active_key 1\n    }}",
            n + 1,
            2 - n
        );
        let file = folder.write(&format!("{n}.conf"), &fast([200, 100][n], &more));
        vipd(&nodes[n], &file)
    };
    let holds = || [0, 1].map(|n: usize| has(&nodes[n], VIP6));
    let second = start(1, 255);
    let mut first = start(0, 255);
    wait_for("node 1 is active", SOON, || holds() == [true, false]);
    first.terminate();
    wait_for("node 2 takes over", SOON, || holds() == [false, true]);
    first.wait(SOON).expect("vipd ends");
    assert!(!said(&second, "discarded"), "{:#?}", second.output());
    let _first = start(0, 254);
    let complaint = "from fd00::1 discarded: TTL is outside";
    wait_for("node 2 says why", SOON, || said(&second, complaint));
    no_errors(&second);
}

#[test]
fn a_configured_source_that_goes_is_a_fault_when_it_is_tracked() {
    let Some(lab) = lab() else { return };
    let folder = Folder::new();
    let node1 = node(&lab, 1);
    let more =
        "unicast_src_ip fd00::1\n    track_src_ip\n    unicast_peer {\n        fd00::2\n    }";
    let daemon = vipd(&node1, &folder.write("node1.conf", &fast(200, more)));
    wait_for("node 1 is active", SOON, || has(&node1, VIP6));
    let (mut netlink, eth0) = (node1.netlink().unwrap(), node1.eth0().unwrap());
    let source = VirtualAddress::new("fd00::1".parse().unwrap(), 64);
    netlink.remove_addresses(&[(eth0, source.clone())]).unwrap();
    wait_for("a fault", SOON, || said(&daemon, "NoPrimaryAddress"));
    wait_for("it lets go", SOON, || !has(&node1, VIP6));
    netlink.add_addresses(&[(eth0, source)]).unwrap();
    wait_for("it recovers", SOON, || has(&node1, VIP6));
    no_errors(&daemon);
}

#[test]
fn both_families_may_share_a_vrid() {
    let Some(lab) = lab() else { return };
    let folder = Folder::new();
    let nodes = [node(&lab, 1), node(&lab, 2)];
    let text = |four: u8, six: u8| {
        let four = Instance {
            version: 3,
            priority: four,
            interval: "0.1",
            ..Instance::default()
        };
        four.text() + &fast(six, "").replace("VI_1", "VI_6")
    };
    let daemons = [text(200, 100), text(100, 200)];
    let daemons = [0, 1].map(|n| {
        let file = folder.write(&format!("{n}.conf"), &daemons[n]);
        vipd(&nodes[n], &file)
    });
    let settled = || {
        let held = |vip| [0, 1].map(|n: usize| has(&nodes[n], vip));
        held(VIP) == [true, false] && held(VIP6) == [false, true]
    };
    wait_for("each has one", SOON, settled);
    stays("each has one", Duration::from_secs(1), settled);
    daemons.iter().for_each(no_errors);
    assert!(!daemons.iter().any(|daemon| said(daemon, "discarded")));
}

#[test]
fn more_addresses_than_a_packet_holds_are_moved_all_the_same() {
    let Some(lab) = lab() else { return };
    let folder = Folder::new();
    let node1 = node(&lab, 1);
    let frames = lab.capture(|frame| frame.advert().is_some()).unwrap();
    let vips: Vec<_> = (0..100).map(|n| format!("fe80::51:{n:x}")).collect();
    let vips: Vec<_> = vips.iter().map(String::as_str).collect();
    let text = Instance {
        interval: "0.1",
        vips: &vips,
        ..Instance::v6()
    }
    .text();
    let daemon = vipd(&node1, &folder.write("node1.conf", &text));
    let advert = frames.find(SOON, |_| true).unwrap().advert().unwrap();
    assert_eq!(advert.message[3], 90, "what 1500 bytes hold");
    wait_for("all are there", SOON, || has(&node1, vips[99]));
    assert!(said(&daemon, "has room for 90 addresses: 10 are moved"));
    no_errors(&daemon);
}
