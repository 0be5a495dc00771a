//! Options of instances that show on the wire, each on a node of its own making.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may panic, and says why"
)]

mod common;

use std::net::{IpAddr, Ipv4Addr};
use std::thread;
use std::time::Duration;

use common::{
    Folder, Instance, SOON, VIP, has, host, lab, no_errors, raw_socket, stays, vipd, wait_for,
};
use vipd::config::model::{Config, Gaps, Globals, Transport};
use vipd::config::source::Memory;
use vipd::config::{Options, load};
use vipd::lab::{Captured, Lab};
use vipd::types::{InterfaceName, Interval, Priority, Version, VirtualAddress, Vrid};
use vipd::wire::ip::{GROUP_V4, emit_v4};
use vipd::wire::vrrp::{Authentication, ChecksumForm, Outgoing, emit};

const NODE: &str = "192.168.1.1";
const CLIENT: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 50);

/// An instance with VRID `vrid` and the address 10.9.0.`vrid`.
fn instance(vrid: u8, more: &str) -> String {
    instance_with(vrid, &format!("10.9.0.{vrid}"), more)
}

fn instance_with(vrid: u8, vips: &str, more: &str) -> String {
    let text = Instance {
        version: 3,
        interval: "0.1",
        vips: &[vips],
        more,
        ..Instance::default()
    }
    .text();
    text.replace("VI_1", &format!("V{vrid}"))
        .replace("virtual_router_id 51", &format!("virtual_router_id {vrid}"))
}

fn announcements(frames: &[Captured], address: &str) -> Vec<u64> {
    let address: IpAddr = address.parse().unwrap();
    let ours = frames.iter().filter(|f| f.announced() == Some(address));
    ours.map(|f| f.at_nanos / 1_000_000).collect()
}

/// Sizes of the blocks of announcements, and when they began, in milliseconds after the first.
fn blocks(times: &[u64]) -> Vec<(u64, usize)> {
    let mut blocks: Vec<(u64, usize)> = Vec::new();
    let mut last = 0;
    for at in times {
        let since = at - times[0];
        match blocks.last_mut() {
            Some(block) if at - last < 40 => block.1 += 1,
            _ => blocks.push((since, 1)),
        }
        last = *at;
    }
    blocks
}

#[track_caller]
fn assert_blocks(found: &[(u64, usize)], expected: &[(u64, usize)]) {
    let near = |(a, b): (&(u64, usize), &(u64, usize))| a.1 == b.1 && a.0.abs_diff(b.0) < 60;
    let fits = found.len() == expected.len() && found.iter().zip(expected).all(near);
    assert!(fits, "{found:?}, and not {expected:?}");
}

#[test]
fn announcements_groups_and_sources_are_as_configured() {
    let Some(lab) = lab() else { return };
    let folder = Folder::new();
    let node = host(&lab, "node1", &format!("{NODE}/24"));
    let capture = lab.capture(Captured::is_protocol).unwrap();
    let text = "global_defs {\n    vrrp_mcast_group4 224.0.0.88\n}\n".to_owned()
        + &instance(1, "garp_master_repeat 2\ngarp_master_delay 1")
        + &instance(
            2,
            "garp_master_repeat 1\ngarp_master_delay 0\ngarp_master_refresh 1\ngarp_master_refresh_repeat 3",
        )
        + &instance(
            3,
            "garp_master_delay 0\nmcast_dst_ip 224.0.0.77\nmcast_src_ip 192.168.1.9",
        );
    let daemon = vipd(&node, &folder.write("node1.conf", &text));
    wait_for("all are active", SOON, || {
        (1..=3).all(|n| has(&node, &format!("10.9.0.{n}")))
    });
    thread::sleep(Duration::from_millis(2500));
    let frames = capture.drain();
    let of = |n: u8| blocks(&announcements(&frames, &format!("10.9.0.{n}")));
    assert_blocks(&of(1), &[(0, 2), (1000, 2)]);
    assert_blocks(&of(2), &[(0, 1), (1000, 3), (2000, 3)]);
    assert_blocks(&of(3), &[(0, 5)]);
    let sent = |vrid: u8| {
        let adverts = frames.iter().filter_map(Captured::advert);
        let mut ours = adverts.filter(|a| a.vrid == vrid);
        ours.next()
            .map(|a| (a.source.to_string(), a.destination.to_string()))
    };
    let (node, usual) = (NODE.to_owned(), "224.0.0.88".to_owned());
    assert_eq!(sent(1), Some((node, usual)));
    let own = ("192.168.1.9".to_owned(), "224.0.0.77".to_owned());
    assert_eq!(sent(3), Some(own));
    no_errors(&daemon);
}

#[test]
fn a_lower_priority_is_answered_as_configured() {
    let Some(lab) = lab() else { return };
    let folder = Folder::new();
    let node = host(&lab, "node1", &format!("{NODE}/24"));
    let client = host(&lab, "client", &format!("{CLIENT}/24"));
    let capture = lab.capture(Captured::is_protocol).unwrap();
    let slow = |text: String| text.replace("advert_int 0.1", "advert_int 2");
    let quiet = "garp_master_delay 0\nlower_prio_no_advert";
    let text = slow(instance(
        1,
        "garp_master_delay 0\ngarp_lower_prio_repeat 3\ngarp_lower_prio_delay 1",
    )) + &slow(instance(2, &format!("{quiet}\ngarp_lower_prio_repeat 0")));
    let owner = |text: String| text.replace("priority 100", "priority 255\n    state MASTER");
    let daemon = vipd(&node, &folder.write("node1.conf", &owner(text)));
    wait_for("both are active", SOON, || {
        has(&node, "10.9.0.1") && has(&node, "10.9.0.2")
    });
    thread::sleep(Duration::from_millis(200));
    let _ = capture.drain();
    for vrid in [1, 2] {
        client.enter(|| send(vrid, 90)).unwrap();
    }
    thread::sleep(Duration::from_millis(1400));
    let frames = capture.drain();
    let answers = |vrid: u8| {
        let ours = frames.iter().filter(|f| &*f.port == "node1");
        ours.filter_map(Captured::advert)
            .filter(|a| a.vrid == vrid)
            .count()
    };
    // The next on the beat is due after 2 s.
    assert_eq!((answers(1), answers(2)), (1, 0));
    let of = |n: u8| blocks(&announcements(&frames, &format!("10.9.0.{n}")));
    assert_blocks(&of(1), &[(0, 3), (80, 1), (1000, 3)]);
    assert_blocks(&of(2), &[]);
    no_errors(&daemon);
}

/// An advert of the client's for 10.9.0.`vrid`.
fn send(vrid: u8, priority: u8) {
    let message = emit(&Outgoing {
        version: Version::V3,
        vrid: Vrid::new(vrid).unwrap(),
        priority: Priority::new(priority),
        interval: Interval::from_centis(200).unwrap(),
        addresses: &[Ipv4Addr::new(10, 9, 0, vrid).into()],
        authentication: &Authentication::None,
        checksum: ChecksumForm::PseudoHeader,
        source: CLIENT.into(),
        destination: GROUP_V4.into(),
    });
    let packet = emit_v4(CLIENT, GROUP_V4, 255, 1, &message);
    raw_socket().send(GROUP_V4.into(), &packet).unwrap();
}

#[test]
fn interfaces_of_a_group_take_turns_and_neighbour_adverts_keep_their_gap() {
    let Some(lab) = lab() else { return };
    let folder = Folder::new();
    let node = host(&lab, "node1", &format!("{NODE}/24"));
    let mut netlink = node.netlink().unwrap();
    let [spare, end] = ["spare", "end"].map(|name| InterfaceName::new(name).unwrap());
    let inside = node
        .enter(|| std::fs::File::open("/proc/thread-self/ns/net"))
        .unwrap();
    netlink.create_veth(&spare, &end, inside.unwrap()).unwrap();
    for name in [&spare, &end] {
        let index = netlink.link_by_name(name).unwrap().unwrap().index;
        netlink.set_up(index, true).unwrap();
    }
    let capture = lab.capture(Captured::is_protocol).unwrap();
    let globals = "garp_group {\n    garp_interval 0.05\n    gna_interval 0.05\n    interfaces {\n        eth0\n        spare\n    }\n}\n";
    let twice = "10.9.0.1\n        10.9.1.1 dev spare";
    let six = instance_with(3, "fe80::9:3", "garp_master_delay 0");
    let text = globals.to_owned() + &instance_with(1, twice, "garp_master_delay 0") + &six;
    let daemon = vipd(&node, &folder.write("node1.conf", &text));
    wait_for("both are active", SOON, || {
        has(&node, "10.9.0.1") && has(&node, "fe80::9:3")
    });
    thread::sleep(Duration::from_millis(1300));
    let frames = capture.drain();
    // Each waits for the other interface too.
    for (address, least) in [("10.9.0.1", 99), ("fe80::9:3", 49)] {
        let times = announcements(&frames, address);
        assert_eq!(times.len(), 5, "{address}");
        let gaps: Vec<u64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(gaps.iter().all(|gap| *gap >= least), "{address}: {gaps:?}");
    }
    no_errors(&daemon);
}

#[test]
fn addresses_on_other_interfaces_are_announced_again_and_again() {
    let Some(lab) = lab() else { return };
    let node = host(&lab, "node1", "192.168.1.1/24");
    // Another interface with a way of its own to the same switch.
    let eth1 = InterfaceName::new("eth1").unwrap();
    let mac = [2, 0, 0, 0, 0, 7];
    let mut netlink = node.netlink().unwrap();
    let base = node.eth0().unwrap();
    netlink.create_private_macvlan(&eth1, base, mac, 0).unwrap();
    let index = netlink.link_by_name(&eth1).unwrap().unwrap().index;
    netlink.set_up(index, true).unwrap();
    let capture = lab.capture(|f| f.announced().is_some()).unwrap();
    let folder = Folder::new();
    let more = "garp_extra_if all 1\nvirtual_ipaddress_excluded {\n10.9.1.1 dev eth1\n}";
    let daemon = vipd(&node, &folder.write("node1.conf", &instance(1, more)));
    let of = |frame: &Captured, address: &str| frame.announced() == address.parse::<IpAddr>().ok();
    let mut frames = Vec::new();
    // Those of becoming active, and two rounds.
    while frames.iter().filter(|f| of(f, "10.9.1.1")).count() < 7 {
        frames.push(capture.find(SOON, |_| true).expect("an announcement"));
    }
    let elsewhere = blocks(&announcements(&frames, "10.9.1.1"));
    assert_blocks(&elsewhere, &[(0, 5), (1000, 1), (2000, 1)]);
    assert_blocks(&blocks(&announcements(&frames, "10.9.0.1")), &[(0, 5)]);
    let from_eth1 = |f: &&Captured| f.bytes[6..12] == mac;
    assert_eq!(frames.iter().filter(from_eth1).count(), 7);
    no_errors(&daemon);
}

#[test]
fn dont_track_primary_keeps_an_instance_running_without_its_link() {
    let Some(lab) = lab() else { return };
    let folder = Folder::new();
    let node = host(&lab, "node1", &format!("{NODE}/24"));
    let text = instance(1, "dont_track_primary") + &instance(2, "");
    let daemon = vipd(&node, &folder.write("node1.conf", &text));
    wait_for("both are active", SOON, || {
        has(&node, "10.9.0.1") && has(&node, "10.9.0.2")
    });
    node.unplug().unwrap();
    wait_for("the other is at fault", SOON, || !has(&node, "10.9.0.2"));
    assert!(has(&node, "10.9.0.1"));
    node.plug().unwrap();
    wait_for("both are active again", SOON, || has(&node, "10.9.0.2"));
    let output = daemon.output();
    let faults = output.iter().filter(|l| l.contains("(V1) Entering FAULT"));
    assert_eq!(faults.count(), 0, "{output:#?}");
}

/// A node that prefers itself and does not preempt.
fn patient(interface: &str, more: &str) -> String {
    format!(
        "[instance.web]\ninterface = \"{interface}\"\nvrid = 51\nversion = 3\n\
         interval = \"100ms\"\npriority = 200\npreempt = false\naddresses = [\"{VIP}/32\"]\n\
         {more}\n"
    )
}

#[test]
fn a_node_that_boots_on_a_slow_port_listens_before_it_leads() {
    for (more, takes_over) in [("listen_before_lead = true", false), ("", true)] {
        let folder = Folder::new();
        if lab().is_none() {
            return;
        }
        let lab = Lab::with_spanning_tree().unwrap();
        let one = host(&lab, "node1", "192.168.1.1/24");
        let text = Instance {
            version: 3,
            interval: "0.1",
            ..Instance::default()
        }
        .text();
        let first = vipd(&one, &folder.write("node1.conf", &text));
        wait_for("node 1 is active", SOON, || has(&one, VIP));
        let two = host(&lab, "node2", "192.168.1.2/24");
        let second = vipd(&two, &folder.write("node2.toml", &patient("eth0", more)));
        let line = second.wait_for_line("Entering BACKUP STATE", SOON);
        assert!(line.is_some(), "{:#?}", second.output());
        // Its port has come up, and the switch speaks to it, but forwards nothing yet.
        thread::sleep(Duration::from_millis(2500));
        assert_eq!(has(&two, VIP), takes_over, "{more}");
        if takes_over {
            continue;
        }
        stays("node 1 goes on", Duration::from_millis(3500), || {
            has(&one, VIP) && !has(&two, VIP)
        });
        // Now it knows that its link works: a death is answered in time.
        drop(first);
        one.unplug().unwrap();
        let soon = Duration::from_secs(1);
        wait_for("node 2 takes over", soon, || has(&two, VIP));
        no_errors(&second);
    }
}

#[test]
fn a_lone_listener_leads_after_its_bound() {
    let Some(lab) = lab() else { return };
    let folder = Folder::new();
    let node = lab.host("node").unwrap();
    let mut netlink = node.netlink().unwrap();
    let [near, far] = ["near", "far"].map(|name| InterfaceName::new(name).unwrap());
    let inside = node.enter(|| std::fs::File::open("/proc/thread-self/ns/net"));
    // Without IPv6 the other end has nothing to say.
    let silent = node
        .namespace()
        .set_sysctl("net/ipv6/conf/default/disable_ipv6", "1");
    assert!(silent.is_ok());
    netlink
        .create_veth(&near, &far, inside.unwrap().unwrap())
        .unwrap();
    let index = |name| {
        node.netlink()
            .unwrap()
            .link_by_name(name)
            .unwrap()
            .unwrap()
            .index
    };
    netlink.set_up(index(&near), true).unwrap();
    netlink.set_up(index(&far), true).unwrap();
    let address = VirtualAddress::new("192.168.9.1".parse().unwrap(), 24);
    netlink.add_addresses(&[(index(&near), address)]).unwrap();
    let file = folder.write("node.toml", &patient("near", "listen_before_lead = true"));
    let daemon = vipd(&node, &file);
    let leads = "Entering MASTER STATE";
    let early = daemon.wait_for_line(leads, Duration::from_secs(28));
    assert!(early.is_none(), "{:#?}", daemon.output());
    assert!(
        daemon
            .wait_for_line(leads, Duration::from_secs(5))
            .is_some()
    );
    no_errors(&daemon);
}

fn config(text: &str) -> Config {
    let reader = Memory::default().with("main", text);
    let loaded = load("main", &Options::default(), &reader);
    assert_eq!(loaded.diagnostics, [], "{text}");
    loaded.config
}

/// Options that the wire shows only in rare cases: that they reach who acts on them.
#[test]
fn options_reach_the_protocol() {
    let with = |more: &str| config(&instance(1, more)).instances.remove(0).protocol;
    let seconds = |n| Some(Duration::from_secs(n));
    let usual = with("");
    let late = with("nopreempt\ntimer_expired_backup 120");
    assert_eq!(late.late_timer_priority, Some(Priority::new(120)));
    let late = with("nopreempt\ntimer_expired_backup");
    assert_eq!(late.late_timer_priority, Some(Priority::new(254)));
    assert_eq!(with("down_timer_adverts 7").down_timer_adverts, 7);
    assert_eq!(
        with("garp_extra_if all 30").announcement.elsewhere,
        seconds(30)
    );
    let of_macs = with("garp_extra_if 30").announcement;
    assert_eq!(of_macs.elsewhere, seconds(30));
    assert!(of_macs.elsewhere_devices_only && !usual.announcement.elsewhere_devices_only);
    assert!(with("higher_prio_send_advert").answer_higher_priority);
    let linkbeat = "linkbeat_use_polling\nlinkbeat_interfaces {\n    eth0 MII\n}\n";
    let polled = config(&(linkbeat.to_owned() + &instance(1, "")));
    assert_eq!(polled, config(&instance(1, "")), "the kernel reports links");

    let global = |text: &str| config(&format!("global_defs {{\n{text}\n}}\n{}", instance(1, "")));
    let least = global("vrrp_min_garp").instances[0]
        .protocol
        .announcement
        .clone();
    assert_eq!((least.repeat, least.delay), (1, None));
    let gaps = global("vrrp_garp_interval 0.5\nvrrp_gna_interval 0.25")
        .pacing
        .default;
    let milliseconds = Duration::from_millis;
    let (arp, ndisc) = (milliseconds(500), milliseconds(250));
    assert_eq!(gaps, Gaps { arp, ndisc });
    let group = global("vrrp_mcast_group4 224.0.0.88")
        .instances
        .remove(0)
        .transport;
    let expected = "224.0.0.88".parse().unwrap();
    assert_eq!(
        group,
        Transport::Multicast {
            group: expected,
            source: None
        }
    );
}

#[test]
fn what_is_set_for_all_holds_where_an_instance_says_nothing_else() {
    let protocol = |globals: &str, more: &str| {
        let text = format!("global_defs {{\n{globals}\n}}\n{}", instance(1, more));
        config(&text).instances.remove(0).protocol
    };
    let global = "vrrp_higher_prio_send_advert\nvrrp_lower_prio_no_advert\n\
                  vrrp_down_timer_adverts 7\nvrrp_garp_lower_prio_repeat 3\n\
                  vrrp_garp_lower_prio_delay 2";
    let all = protocol(global, "");
    assert!(all.answer_higher_priority && !all.answer_lower_priority);
    assert_eq!(all.down_timer_adverts, 7);
    let announced = &all.announcement;
    assert_eq!(announced.lower_priority_repeat, 3);
    let delay = Some(Duration::from_secs(2));
    assert_eq!(announced.lower_priority_delay, delay);
    let own = "higher_prio_send_advert no\nlower_prio_no_advert no\ndown_timer_adverts 5\n\
               garp_lower_prio_repeat 1\ngarp_lower_prio_delay 9";
    let one = protocol(global, own);
    assert_eq!(one, protocol("", own));
    assert!(!one.answer_higher_priority && one.answer_lower_priority);

    let listed = instance(1, "");
    let list = "virtual_ipaddress {\n        10.9.0.1\n    }";
    let none = config(&listed.replace(list, "no_virtual_ipaddress"));
    assert!(none.instances[0].addresses.is_empty());
    // Old names are obeyed, and named.
    for (old, new) in [
        ("vmac_garp_intvl all 30", "garp_extra_if all 30"),
        (
            "nopreempt\nthread_timer_expired 120",
            "nopreempt\ntimer_expired_backup 120",
        ),
    ] {
        let reader = Memory::default().with("main", instance(1, old));
        let loaded = load("main", &Options::default(), &reader);
        let codes: Vec<u16> = loaded.diagnostics.iter().map(|d| d.code.0).collect();
        assert_eq!(codes, [402], "{old}");
        assert_eq!(loaded.config.instances, config(&instance(1, new)).instances);
    }
}

#[test]
fn the_longer_of_two_delays_holds_the_start_back() {
    use vipd::types::Instant;
    let second = |n| Instant::default() + Duration::from_secs(n);
    let held = |startup, boot, started| {
        let globals = Globals {
            startup_delay: Duration::from_secs(startup),
            delay_after_boot: Duration::from_secs(boot),
            ..Globals::default()
        };
        globals.held_until(Instant::default(), second(started))
    };
    assert_eq!(held(5, 0, 100), second(105));
    assert_eq!(held(5, 120, 100), second(120));
    assert_eq!(held(30, 120, 100), second(130));
    assert_eq!(
        held(0, 60, 100),
        second(100),
        "the host has been up for long"
    );
}
