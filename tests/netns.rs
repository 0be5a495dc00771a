//! The kernel side against the real kernel, in namespaces that each test makes for itself.
//!
//! Takes root or `unshare -rn`; without either, every test says that it skips.

#![expect(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

mod common;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::Command;
use std::thread;
use std::time::Duration;

use common::{SOON, lab};
use vipd::lab::{self, Captured, EchoServer, Host, Prober};
use vipd::sys::netlink::{Address, Change, Error, KernelEvent, Monitor, VRRP_PROTOCOL};
use vipd::types::{Broadcast, InterfaceName, Scope, VirtualAddress};

fn virtual_address(text: &str) -> VirtualAddress {
    let (address, prefix_len) = text.split_once('/').unwrap();
    VirtualAddress::new(address.parse().unwrap(), prefix_len.parse().unwrap())
}

/// Adds one address to `eth0` and reads it back.
fn read_back(host: &Host, address: &VirtualAddress) -> Address {
    let mut netlink = host.netlink().unwrap();
    let eth0 = host.eth0().unwrap();
    let results = netlink.add_addresses(&[(eth0, address.clone())]).unwrap();
    assert_eq!(results.into_iter().next().unwrap().unwrap(), Change::Done);
    let mut addresses = netlink.addresses(Some(eth0)).unwrap();
    addresses.retain(|found| found.is(eth0, address));
    assert_eq!(addresses.len(), 1, "{addresses:?}");
    addresses.remove(0)
}

#[test]
fn adding_what_exists_and_removing_what_is_gone_succeed() {
    let Some(lab) = lab() else { return };
    let host = lab.host("node").unwrap();
    let (mut netlink, eth0) = (host.netlink().unwrap(), host.eth0().unwrap());
    let addresses = ["192.168.1.100/24", "fd00::100/64"].map(|text| (eth0, virtual_address(text)));
    let changes = |results: Vec<Result<Change, Error>>| -> Vec<Change> {
        results.into_iter().map(Result::unwrap).collect()
    };
    let (done, already_so) = ([Change::Done; 2], [Change::AlreadySo; 2]);
    assert_eq!(changes(netlink.add_addresses(&addresses).unwrap()), done);
    assert_eq!(
        changes(netlink.add_addresses(&addresses).unwrap()),
        already_so
    );
    assert_eq!(changes(netlink.remove_addresses(&addresses).unwrap()), done);
    assert_eq!(
        changes(netlink.remove_addresses(&addresses).unwrap()),
        already_so
    );
    let no_interface = [(9999, virtual_address("192.168.1.100/24"))];
    let removed = netlink.remove_addresses(&no_interface).unwrap();
    assert_eq!(changes(removed), [Change::AlreadySo]);
}

#[test]
fn a_refused_address_says_which_where_and_why() {
    let Some(lab) = lab() else { return };
    let host = lab.host("node").unwrap();
    let (mut netlink, eth0) = (host.netlink().unwrap(), host.eth0().unwrap());
    let refused = (9999, virtual_address("192.168.1.100/24"));
    let accepted = (eth0, virtual_address("192.168.1.101/24"));
    let results = netlink.add_addresses(&[refused, accepted]).unwrap();
    let [Err(error), Ok(Change::Done)] = results.as_slice() else {
        panic!("{results:?}")
    };
    assert_eq!(error.errno(), Some(libc::ENODEV));
    assert_eq!(
        error.to_string(),
        "cannot add 192.168.1.100/24 to interface 9999"
    );
    assert_eq!(netlink.addresses(Some(9999)).unwrap(), []);
}

#[test]
fn an_ipv4_address_has_every_option_it_was_given() {
    let Some(lab) = lab() else { return };
    let host = lab.host("node").unwrap();
    let plain = read_back(&host, &virtual_address("10.0.0.1/24"));
    assert!(plain.permanent() && !plain.secondary() && !plain.no_prefix_route());
    assert_eq!(
        (plain.scope, plain.broadcast, plain.peer),
        (Scope::Global, None, None)
    );
    assert_eq!(plain.protocol, Some(VRRP_PROTOCOL));

    let mut address = virtual_address("10.0.1.1/24");
    address.scope = Scope::Link;
    address.label = Some("eth0:vip".to_owned());
    address.broadcast = Some(Broadcast::HostBitsSet);
    address.no_prefix_route = true;
    let found = read_back(&host, &address);
    assert_eq!(
        (found.scope, found.label.as_deref()),
        (Scope::Link, Some("eth0:vip"))
    );
    assert_eq!(found.broadcast, Some(Ipv4Addr::new(10, 0, 1, 255)));
    assert!(found.no_prefix_route());

    let mut address = virtual_address("10.0.2.1/24");
    address.broadcast = Some(Broadcast::Address(Ipv4Addr::new(10, 0, 2, 127)));
    address.preferred_lifetime = Some(0);
    let found = read_back(&host, &address);
    assert_eq!(found.broadcast, Some(Ipv4Addr::new(10, 0, 2, 127)));
    assert!(found.deprecated());

    let mut address = virtual_address("10.0.3.1/32");
    address.peer = Some((Ipv4Addr::new(10, 0, 3, 2).into(), 31));
    let found = read_back(&host, &address);
    assert_eq!(
        (found.peer, found.prefix_len),
        (Some(Ipv4Addr::new(10, 0, 3, 2).into()), 31)
    );

    let mut address = virtual_address("224.0.0.99/32");
    address.autojoin = true;
    assert!(read_back(&host, &address).autojoin());
}

#[test]
fn an_ipv6_address_has_every_option_it_was_given() {
    let Some(lab) = lab() else { return };
    let host = lab.host("node").unwrap();
    host.namespace()
        .set_sysctl("net/ipv6/conf/eth0/accept_dad", "1")
        .unwrap();
    let single = read_back(&host, &virtual_address("fd00::1/128"));
    assert!(single.undetected() && !single.tentative(), "usable at once");
    assert!(single.deprecated(), "nobody's source address");
    assert_eq!(single.protocol, Some(VRRP_PROTOCOL));

    let mut address = virtual_address("fd00::2/128");
    address.preferred_lifetime = Some(u32::MAX);
    address.duplicate_detection = true;
    let found = read_back(&host, &address);
    assert!(!found.undetected() && found.tentative() && !found.deprecated());

    let mut address = virtual_address("fd00:1::1/64");
    address.home = true;
    address.manage_temporary = true;
    address.no_prefix_route = true;
    let found = read_back(&host, &address);
    assert!(found.home() && found.manage_temporary() && found.no_prefix_route());
    assert_eq!(found.preferred_lifetime, u32::MAX);

    let mut address = virtual_address("fd00:2::1/128");
    address.peer = Some(("fd00:2::2".parse().unwrap(), 127));
    let found = read_back(&host, &address);
    assert_eq!(
        (found.peer, found.prefix_len),
        (Some("fd00:2::2".parse().unwrap()), 127)
    );
}

#[test]
fn the_first_address_of_a_subnet_is_the_primary_one() {
    let Some(lab) = lab() else { return };
    let host = lab.host("node").unwrap();
    for address in ["192.168.1.10/24", "192.168.1.9/24", "192.168.1.100/32"] {
        host.add_address(address).unwrap();
    }
    let addresses = host
        .netlink()
        .unwrap()
        .addresses(Some(host.eth0().unwrap()))
        .unwrap();
    let ipv4: Vec<_> = addresses
        .iter()
        .filter(|found| found.address.is_ipv4())
        .collect();
    assert_eq!(ipv4[0].address, IpAddr::from([192, 168, 1, 10]));
    let secondary: Vec<_> = ipv4.iter().map(|found| found.secondary()).collect();
    assert_eq!(secondary, [false, false, true], "{ipv4:?}");
}

#[test]
fn a_thousand_addresses_go_in_few_datagrams() {
    let Some(lab) = lab() else { return };
    let host = lab.host("node").unwrap();
    let (mut netlink, eth0) = (host.netlink().unwrap(), host.eth0().unwrap());
    let address = |number: u32| Ipv4Addr::from_bits(0x0a00_0000 + number);
    let addresses: Vec<_> = (1..=1000)
        .map(|number| (eth0, VirtualAddress::new(address(number).into(), 32)))
        .collect();
    for expected in [Change::Done, Change::AlreadySo] {
        let results = netlink.add_addresses(&addresses).unwrap();
        assert!(
            results
                .into_iter()
                .all(|result| result.unwrap() == expected)
        );
    }
    let found = netlink.addresses(Some(eth0)).unwrap();
    let ours = found
        .iter()
        .filter(|found| found.protocol == Some(VRRP_PROTOCOL));
    assert_eq!(ours.count(), 1000);
    for expected in [Change::Done, Change::AlreadySo] {
        let results = netlink.remove_addresses(&addresses).unwrap();
        assert!(
            results
                .into_iter()
                .all(|result| result.unwrap() == expected)
        );
    }
}

#[test]
fn links_are_found_by_name_and_number() {
    let Some(lab) = lab() else { return };
    let host = lab.host("node").unwrap();
    let mut netlink = host.netlink().unwrap();
    let name = |name| InterfaceName::new(name).unwrap();
    let eth0 = netlink.link_by_name(&name("eth0")).unwrap().unwrap();
    assert_eq!(
        netlink.link_by_index(eth0.index).unwrap(),
        Some(eth0.clone())
    );
    assert!(eth0.up && eth0.admin_up && eth0.multicast && !eth0.noarp && !eth0.loopback);
    assert_eq!((eth0.kind.as_deref(), eth0.mtu), (Some("veth"), 1500));
    assert!(eth0.mac().is_some());
    assert_eq!(netlink.link_by_name(&name("eth1")).unwrap(), None);
    assert_eq!(netlink.link_by_index(9999).unwrap(), None);
    let links = netlink.links().unwrap();
    assert!(links.contains(&eth0));
    assert!(links.iter().any(|link| link.loopback && link.up));
}

/// Waits for the event that `matches`.
fn await_event(monitor: &mut Monitor, matches: impl Fn(&KernelEvent) -> bool) -> KernelEvent {
    let end = lab::now() + SOON;
    while lab::now() < end {
        match monitor.try_next().unwrap() {
            Some(event) if matches(&event) => return event,
            Some(_) => {}
            None => thread::sleep(Duration::from_millis(1)),
        }
    }
    panic!("no such event within {SOON:?}");
}

#[test]
fn the_monitor_reports_links_and_addresses() {
    let Some(lab) = lab() else { return };
    let host = lab.host("node").unwrap();
    let (mut netlink, eth0) = (host.netlink().unwrap(), host.eth0().unwrap());
    let mut monitor = host.enter(Monitor::open).unwrap().unwrap();
    assert_eq!(monitor.try_next().unwrap(), None);

    let address = virtual_address("192.168.1.100/24");
    netlink.add_addresses(&[(eth0, address.clone())]).unwrap();
    await_event(
        &mut monitor,
        |event| matches!(event, KernelEvent::AddressAdded(found) if found.is(eth0, &address)),
    );
    netlink
        .remove_addresses(&[(eth0, address.clone())])
        .unwrap();
    await_event(
        &mut monitor,
        |event| matches!(event, KernelEvent::AddressRemoved(found) if found.is(eth0, &address)),
    );

    host.unplug().unwrap();
    await_event(&mut monitor, |event| {
        matches!(event, KernelEvent::LinkChanged(link)
            if link.index == eth0 && !link.up && link.admin_up)
    });
    host.plug().unwrap();
    await_event(
        &mut monitor,
        |event| matches!(event, KernelEvent::LinkChanged(link) if link.index == eth0 && link.up),
    );

    netlink.set_up(eth0, false).unwrap();
    let wan = InterfaceName::new("wan0").unwrap();
    netlink.rename(eth0, &wan).unwrap();
    await_event(
        &mut monitor,
        |event| matches!(event, KernelEvent::LinkChanged(link) if link.name == wan && !link.admin_up),
    );
    assert_eq!(netlink.delete_link(eth0).unwrap(), Change::Done);
    assert_eq!(netlink.delete_link(eth0).unwrap(), Change::AlreadySo);
    let gone = KernelEvent::LinkGone {
        index: eth0,
        name: wan,
    };
    await_event(&mut monitor, |event| *event == gone);
}

#[test]
fn a_monitor_that_cannot_keep_up_says_so_and_goes_on() {
    let Some(lab) = lab() else { return };
    let host = lab.host("node").unwrap();
    let (mut netlink, eth0) = (host.netlink().unwrap(), host.eth0().unwrap());
    let mut monitor = host.enter(|| Monitor::with_buffer(4096)).unwrap().unwrap();
    let addresses: Vec<_> = (0..200)
        .map(|number| (eth0, VirtualAddress::new([10, 0, 0, number].into(), 32)))
        .collect();
    netlink.add_addresses(&addresses).unwrap();
    await_event(&mut monitor, |event| *event == KernelEvent::Overrun);
    while monitor.try_next().unwrap().is_some() {}
    netlink.remove_addresses(&addresses[..1]).unwrap();
    await_event(&mut monitor, |event| {
        matches!(event, KernelEvent::AddressRemoved(_))
    });
}

#[test]
fn a_port_that_leaves_its_bridge_is_not_gone() {
    let Some(lab) = lab() else { return };
    let host = lab.host("node").unwrap();
    let mut netlink = host.netlink().unwrap();
    let name = |name| InterfaceName::new(name).unwrap();
    netlink.create_bridge(&name("br0")).unwrap();
    let bridge = netlink.link_by_name(&name("br0")).unwrap().unwrap();
    assert_eq!(bridge.kind.as_deref(), Some("bridge"));
    let eth0 = host.eth0().unwrap();
    netlink.set_master(eth0, Some(bridge.index)).unwrap();
    assert_eq!(
        netlink.link_by_index(eth0).unwrap().unwrap().master,
        Some(bridge.index)
    );
    let mut monitor = host.enter(Monitor::open).unwrap().unwrap();
    netlink.set_master(eth0, None).unwrap();
    await_event(&mut monitor, |event| {
        assert!(!matches!(event, KernelEvent::LinkGone { .. }));
        matches!(event, KernelEvent::LinkChanged(link) if link.index == eth0 && link.master.is_none())
    });
}

/// A server and a client, with probes every millisecond from before `during` until it returns.
fn probes(during: impl FnOnce(&Host)) -> Option<lab::ProbeReport> {
    let lab = lab()?;
    let (server, client) = (lab.host("server").unwrap(), lab.host("client").unwrap());
    server.add_address("192.168.1.10/24").unwrap();
    client.add_address("192.168.1.20/24").unwrap();
    let _echo = EchoServer::start(&server, 7).unwrap();
    let target: SocketAddr = "192.168.1.10:7".parse().unwrap();
    let prober = Prober::start(&client, target, Duration::from_millis(1)).unwrap();
    let end = lab::now() + SOON;
    while prober.so_far().answered_by.is_empty() {
        assert!(lab::now() < end, "no answer within {SOON:?}");
        thread::sleep(Duration::from_millis(1));
    }
    during(&server);
    Some(prober.finish())
}

#[test]
fn a_prober_loses_nothing_on_a_quiet_switch() {
    let quiet = Duration::from_millis(200);
    let Some(report) = probes(|_| thread::sleep(quiet)) else {
        return;
    };
    // On a busy machine the pace suffers, and that is not the point.
    assert!(report.sent > 20, "{report:?}");
    assert_eq!(report.lost, []);
    assert_eq!(report.answered_by.keys().collect::<Vec<_>>(), ["server"]);
}

#[test]
fn a_prober_measures_an_unplugged_cable() {
    let cut = Duration::from_millis(200);
    let Some(report) = probes(|server| {
        server.unplug().unwrap();
        thread::sleep(cut);
        server.plug().unwrap();
        thread::sleep(cut);
    }) else {
        return;
    };
    // To the pace of the probes and of the carrier.
    let longest = report.longest_outage;
    assert!(longest >= cut * 3 / 4 && longest < SOON, "{longest:?}");
    assert!(report.lost.len() >= 100, "{report:?}");
}

#[test]
fn an_isolated_host_keeps_its_carrier() {
    let Some(report) = probes(|server| {
        server.isolate().unwrap();
        thread::sleep(Duration::from_millis(50));
        let eth0 = server.eth0().unwrap();
        assert!(
            server
                .netlink()
                .unwrap()
                .link_by_index(eth0)
                .unwrap()
                .unwrap()
                .up
        );
        server.rejoin().unwrap();
        thread::sleep(Duration::from_millis(200));
    }) else {
        return;
    };
    assert!(
        !report.lost.is_empty() && !report.answered_by.is_empty(),
        "{report:?}"
    );
}

#[test]
fn a_capture_knows_who_sent_a_frame_and_when() {
    let Some(lab) = lab() else { return };
    let (asking, asked) = (lab.host("asking").unwrap(), lab.host("asked").unwrap());
    asking.add_address("192.168.1.1/24").unwrap();
    asked.add_address("192.168.1.2/24").unwrap();
    let capture = lab.capture(Captured::is_protocol).unwrap();
    let before = lab::realtime_nanos();
    let _echo = EchoServer::start(&asked, 7).unwrap();
    let target = "192.168.1.2:7".parse().unwrap();
    let prober = Prober::start(&asking, target, Duration::from_millis(10)).unwrap();
    let arp = |operation| {
        move |frame: &Captured| frame.arp().is_some_and(|arp| arp.operation == operation)
    };
    let request = capture.find(SOON, arp(1)).unwrap();
    let answer = capture.find(SOON, arp(2)).unwrap();
    let _ = prober.finish();
    assert_eq!((&*request.port, &*answer.port), ("asking", "asked"));
    assert_eq!(request.arp().unwrap().target, Ipv4Addr::new(192, 168, 1, 2));
    assert!(before < request.at_nanos && request.at_nanos < answer.at_nanos);
    assert!(answer.at_nanos < lab::realtime_nanos());
    let twice = capture
        .drain()
        .iter()
        .filter(|frame| frame.bytes == request.bytes)
        .count();
    assert_eq!(
        twice, 0,
        "each frame counts once, however many ports it leaves by"
    );
}

#[test]
fn kernel_parameters_belong_to_a_namespace() {
    let Some(lab) = lab() else { return };
    let (one, two) = (lab.host("one").unwrap(), lab.host("two").unwrap());
    one.namespace()
        .set_sysctl("net/ipv4/ip_forward", "1")
        .unwrap();
    two.namespace()
        .set_sysctl("net/ipv4/ip_forward", "0")
        .unwrap();
    assert_eq!(one.namespace().sysctl("net/ipv4/ip_forward").unwrap(), "1");
    assert_eq!(two.namespace().sysctl("net/ipv4/ip_forward").unwrap(), "0");
    assert!(matches!(
        one.namespace().set_sysctl("net/ipv4/no_such", "0"),
        Err(lab::Error::Sysctl { .. })
    ));
}

#[test]
fn a_process_runs_on_its_host_and_dies_with_its_children() {
    let Some(lab) = lab() else { return };
    let host = lab.host("node").unwrap();
    let script = "grep -c . /proc/net/dev; sleep 1000 & echo child $!; wait";
    let mut process = host.spawn(Command::new("sh").args(["-c", script])).unwrap();
    let child = process.wait_for_line("child", SOON).unwrap();
    let interfaces = process.output()[0].parse::<u32>().unwrap() - 2; // two lines of titles
    let links = host.netlink().unwrap().links().unwrap();
    assert_eq!(usize::try_from(interfaces).unwrap(), links.len());
    assert_eq!(process.wait(Duration::ZERO), None);
    process.kill();
    let child = format!("/proc/{}/stat", child.trim_start_matches("child "));
    let end = lab::now() + SOON;
    let alive = || std::fs::read_to_string(&child).is_ok_and(|stat| !stat.contains(") Z "));
    while alive() {
        assert!(lab::now() < end, "{child} is still there");
        thread::sleep(Duration::from_millis(1));
    }
    assert!(
        process
            .wait_for_line("never printed", Duration::ZERO)
            .is_none()
    );
}

#[test]
fn a_program_that_cannot_start_is_named() {
    let Some(lab) = lab() else { return };
    let host = lab.host("node").unwrap();
    let error = host
        .spawn(&mut Command::new("/nonexistent/program"))
        .unwrap_err();
    assert_eq!(error.to_string(), "cannot start /nonexistent/program");
}

#[test]
fn a_host_may_come_back_under_its_name() {
    let Some(lab) = lab() else { return };
    for _ in 0..3 {
        let host = lab.host("node").unwrap();
        let eth0 = host.eth0().unwrap();
        assert!(
            host.netlink()
                .unwrap()
                .addresses(Some(eth0))
                .unwrap()
                .iter()
                .all(|found| found.address.is_ipv6())
        );
        host.add_address("192.168.1.10/24").unwrap();
    }
}
