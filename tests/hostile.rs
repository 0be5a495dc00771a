//! Who may speak: signatures, peers, and what an attacker on the link can do about them.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may panic, and says why"
)]

mod common;

use std::net::Ipv4Addr;
use std::thread;
use std::time::{Duration, Instant};

use common::{
    Folder, Instance, SOON, VIP, has, host, lab, no_errors, raw_socket, stays, target, vipd,
    wait_for,
};
use vipd::lab::{Captured, EchoServer, Host, Lab, Prober, Process};
use vipd::types::{Interval, Priority, Secret, Version, Vrid};
use vipd::wire::auth::hmac::TRAILER_LEN;
use vipd::wire::ip::{GROUP_V4, emit_v4};
use vipd::wire::vrrp::{Authentication, ChecksumForm, Outgoing, emit};

const PORT: u16 = 7000;
const NODE1: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 1);
const NODE2: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 2);
const STRANGER: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 60);

/// `auth_hmac` with these keys, of which the last is signed with.
fn hmac(keys: &[u8]) -> String {
    let key = |id: &u8| format!("key {id} hex:{}\n", format!("{id:02x}").repeat(32));
    let list: String = keys.iter().map(key).collect();
    let active = keys.last().unwrap();
    format!("auth_hmac {{\n{list}active_key {active}\n}}")
}

struct Pair {
    folder: Folder,
    nodes: [Host; 2],
    daemons: Vec<Process>,
    _servers: [EchoServer; 2],
    client: Host,
    lab: Lab,
}

impl Pair {
    fn new() -> Option<Self> {
        let lab = lab()?;
        let nodes = [
            host(&lab, "node1", "192.168.1.1/24"),
            host(&lab, "node2", "192.168.1.2/24"),
        ];
        let client = host(&lab, "client", "192.168.1.50/24");
        let servers = [0, 1].map(|n| EchoServer::start(&nodes[n], PORT).unwrap());
        Some(Self {
            folder: Folder::new(),
            nodes,
            daemons: Vec::new(),
            _servers: servers,
            client,
            lab,
        })
    }

    fn start(&mut self, node: usize, text: &str) {
        let file = self.folder.write(&format!("node{}.conf", node + 1), text);
        self.daemons.push(vipd(&self.nodes[node], &file));
    }

    fn reload(&self, node: usize, text: &str) {
        self.folder.write(&format!("node{}.conf", node + 1), text);
        let seen = self.daemons[node].output().len();
        self.daemons[node].signal(libc::SIGHUP);
        wait_for("the reload", SOON, || {
            let output = self.daemons[node].output();
            output.iter().skip(seen).any(|line| line.contains("eload"))
        });
    }

    fn only_first_holds(&self) -> bool {
        has(&self.nodes[0], VIP) && !has(&self.nodes[1], VIP)
    }

    fn said(&self, node: usize, text: &str) -> usize {
        let output = self.daemons[node].output();
        output.iter().filter(|line| line.contains(text)).count()
    }
}

fn instance(priority: u8, version: u8, interval: &str, more: &str) -> String {
    Instance {
        priority,
        version,
        interval,
        more,
        ..Instance::default()
    }
    .text()
}

#[test]
fn keys_rotate_by_reload_and_no_probe_is_lost() {
    let Some(mut pair) = Pair::new() else { return };
    let text = |priority, keys: &[u8]| instance(priority, 3, "0.1", &hmac(keys));
    pair.start(0, &text(200, &[1]));
    pair.start(1, &text(100, &[1]));
    wait_for("node 1 is active", SOON, || pair.only_first_holds());
    let capture = pair.lab.capture(|f| f.advert().is_some()).unwrap();
    let prober = Prober::start(&pair.client, target(PORT), Duration::from_millis(1)).unwrap();
    // The new key is made known everywhere before anybody signs with it.
    for keys in [&[2, 1][..], &[1, 2], &[2]] {
        for (node, priority) in [(1, 100), (0, 200)] {
            pair.reload(node, &text(priority, keys));
        }
        stays("node 1 is active", Duration::from_millis(500), || {
            pair.only_first_holds()
        });
    }
    // The last thing a key is needed for: a handover between the two.
    pair.daemons[0].terminate();
    wait_for("node 2 takes over", SOON, || has(&pair.nodes[1], VIP));
    pair.daemons[0].wait(SOON).expect("node 1 ends");
    thread::sleep(Duration::from_millis(300));
    let report = prober.finish();
    assert_eq!(report.lost, [], "of {} probes", report.sent);
    let adverts: Vec<_> = capture
        .drain()
        .iter()
        .filter_map(Captured::advert)
        .collect();
    assert!(adverts.iter().all(|a| a.message.len() == 12 + TRAILER_LEN));
    assert_eq!(adverts.last().unwrap().message[13], 2, "the key's id");
    for node in [0, 1] {
        assert_eq!(pair.said(node, "discarded"), 0);
        no_errors(&pair.daemons[node]);
    }
}

#[test]
fn header_numbers_go_on_after_a_reload() {
    let header = "authentication {\nauth_type AH\nauth_pass secret12\n}";
    let Some(mut pair) = Pair::new() else { return };
    pair.start(0, &instance(200, 2, "1", header));
    pair.start(1, &instance(100, 2, "1", header));
    wait_for("node 1 is active", SOON, || pair.only_first_holds());
    thread::sleep(Duration::from_secs(2));
    pair.reload(0, &instance(210, 2, "1", header));
    stays("node 1 is active", Duration::from_secs(4), || {
        pair.only_first_holds()
    });
    assert_eq!(pair.said(1, "discarded"), 0);
}

#[test]
fn what_is_not_signed_rightly_is_not_believed() {
    for (theirs, complaint) in [
        (hmac(&[2]), "signed with a key id that is not configured"),
        (hmac(&[1]).replace("0101", "0102"), "wrong signature"),
        (String::new(), "not signed, and auth_hmac demands it"),
    ] {
        let Some(mut pair) = Pair::new() else { return };
        pair.start(0, &instance(100, 3, "0.1", &hmac(&[1])));
        pair.start(1, &instance(200, 3, "0.1", &theirs));
        wait_for("both are active", SOON, || {
            has(&pair.nodes[0], VIP) && has(&pair.nodes[1], VIP)
        });
        let line = format!("from {NODE2} discarded: {complaint}");
        wait_for(complaint, SOON, || pair.said(0, &line) > 0);
        thread::sleep(Duration::from_millis(500));
        let before = pair.said(0, &line);
        thread::sleep(Duration::from_secs(1));
        assert_eq!(pair.said(0, &line), before, "once for each state");
    }
}

#[test]
fn both_forms_of_a_checksum_elect_and_the_difference_is_said_once() {
    let Some(mut pair) = Pair::new() else { return };
    pair.start(0, &instance(200, 3, "0.1", "v3_checksum_as_v2"));
    pair.start(1, &instance(100, 3, "0.1", ""));
    wait_for("node 1 is active", SOON, || pair.only_first_holds());
    let line = format!("{NODE1} sends checksums without pseudo-header, we with pseudo-header");
    stays("one holder", Duration::from_secs(1), || {
        pair.only_first_holds()
    });
    assert!((1..=2).contains(&pair.said(1, &line)));
    assert_eq!(pair.said(1, "discarded"), 0);
}

#[test]
fn a_range_of_ttls_keeps_out_who_is_too_far_away() {
    let text = |priority, us: u8, ttl: u8, option: &str| {
        let more = format!(
            "unicast_src_ip 192.168.1.{us}\nunicast_ttl {ttl}\n\
             unicast_peer {{\n192.168.1.{} {option}\n}}",
            3 - us
        );
        instance(priority, 3, "0.1", &more)
    };
    let Some(mut pair) = Pair::new() else { return };
    pair.start(0, &text(200, 1, 254, ""));
    pair.start(1, &text(100, 2, 254, "min_ttl 254 max_ttl 254"));
    wait_for("node 1 is active", SOON, || pair.only_first_holds());
    stays("one holder", Duration::from_secs(1), || {
        pair.only_first_holds()
    });
    pair.reload(0, &text(200, 1, 253, ""));
    wait_for("node 2 hears nothing it believes", SOON, || {
        has(&pair.nodes[1], VIP)
    });
    let line = format!("from {NODE1} discarded: TTL is outside the peer's min_ttl and max_ttl");
    assert!(pair.said(1, &line) > 0);
}

#[test]
fn check_unicast_src_keeps_out_who_is_no_peer() {
    let text = |keyword: &str| {
        let more = format!("{keyword}\nunicast_peer {{\n192.168.1.2\n}}");
        instance(100, 2, "1", &more)
    };
    let Some(mut pair) = Pair::new() else { return };
    let stranger = host(&pair.lab, "stranger", "192.168.1.60/24");
    pair.start(0, &text("check_unicast_src"));
    wait_for("node 1 is active", SOON, || has(&pair.nodes[0], VIP));
    let message = advert(&Authentication::None, STRANGER, NODE1, 254, 1);
    let packet = emit_v4(STRANGER, NODE1, 255, 1, &message);
    let claim = || {
        let (socket, _) = stranger.enter(|| (raw_socket(), ())).unwrap();
        socket.send(NODE1.into(), &packet).unwrap();
    };
    claim();
    let line = format!("from {STRANGER} discarded: not from a configured peer");
    wait_for("the complaint", SOON, || pair.said(0, &line) == 1);
    assert!(has(&pair.nodes[0], VIP));
    // keepalived's default believes everybody who knows the address.
    pair.reload(0, &text(""));
    claim();
    wait_for("node 1 gives way", SOON, || !has(&pair.nodes[0], VIP));
    let line = format!("{STRANGER} is none of our peers, but its adverts count");
    assert_eq!(pair.said(0, &line), 1);
}

#[test]
fn one_vrid_serves_several_unicast_groups_on_one_interface() {
    let Some(mut pair) = Pair::new() else { return };
    let node3 = host(&pair.lab, "node3", "192.168.1.3/24");
    let other = "192.168.1.101";
    let text = |name: &str, priority, peer: u8, vip: &str| {
        let more = format!("unicast_peer {{\n192.168.1.{peer}\n}}");
        let instance = Instance {
            priority,
            version: 3,
            interval: "0.1",
            vips: &[vip],
            more: &more,
            ..Instance::default()
        };
        instance.text().replace("VI_1", name)
    };
    pair.start(0, &(text("A", 200, 2, VIP) + &text("B", 100, 3, other)));
    pair.start(1, &text("A", 100, 1, VIP));
    let _third = vipd(
        &node3,
        &pair.folder.write("node3.conf", &text("B", 200, 1, other)),
    );
    let as_meant = || pair.only_first_holds() && has(&node3, other) && !has(&pair.nodes[0], other);
    wait_for("each group elects", SOON, as_meant);
    stays("each has one holder", Duration::from_secs(1), as_meant);
    pair.daemons.iter().for_each(no_errors);
}

#[test]
fn a_flood_against_passwords_delays_no_advert_and_no_client() {
    let password = "authentication {\nauth_type PASS\nauth_pass 1234\n}";
    withstands(
        password,
        &Authentication::Password(Secret::new(b"1234")),
        false,
    );
}

#[test]
fn a_flood_against_headers_delays_no_advert_and_no_client() {
    let header = "authentication {\nauth_type AH\nauth_pass secret12\n}";
    withstands(header, &Authentication::Header, true);
}

#[test]
fn a_flood_against_signatures_delays_no_advert_and_no_client() {
    withstands(&hmac(&[1]), &Authentication::Trailer, true);
}

/// 5,000 packets a second for five seconds: wrong checksum, wrong authentication, wrong interval,
/// and adverts that were true once, as they were and with one bit changed.
fn withstands(authentication: &str, kind: &Authentication, replays: bool) {
    let Some(mut pair) = Pair::new() else { return };
    let attacker = host(&pair.lab, "attacker", "192.168.1.60/24");
    let capture = pair.lab.capture(|frame| frame.advert().is_some()).unwrap();
    // Node 2 says true things while it is alone.
    let (preferred, other) = (
        instance(200, 2, "1", authentication),
        instance(100, 2, "1", authentication),
    );
    let file = pair.folder.write("node2.conf", &other);
    let second = vipd(&pair.nodes[1], &file);
    wait_for("node 2 is active", SOON, || has(&pair.nodes[1], VIP));
    thread::sleep(Duration::from_millis(1500));
    let mut packets = forged(kind);
    if replays {
        for frame in capture.drain() {
            let packet = frame.bytes[14..].to_vec();
            let mut tampered = packet.clone();
            *tampered.last_mut().unwrap() ^= 1;
            packets.extend([packet, tampered]);
        }
    }
    pair.start(0, &preferred);
    wait_for("node 1 preempts", SOON, || pair.only_first_holds());
    thread::sleep(Duration::from_millis(1500));

    drop(capture.drain());
    let prober = Prober::start(&pair.client, target(PORT), Duration::from_millis(1)).unwrap();
    let sent = attacker.enter(|| flood(&packets)).unwrap();
    assert!(sent > 24_000, "{sent} packets");
    let report = prober.finish();
    assert_eq!(report.lost, [], "of {} probes", report.sent);
    assert!(pair.only_first_holds());

    let times: Vec<u64> = capture
        .drain()
        .iter()
        .filter(|frame| &*frame.port == "node1" && frame.advert().is_some())
        .map(|frame| frame.at_nanos / 1_000_000)
        .collect();
    assert!(times.len() >= 4, "{times:?}");
    let gaps: Vec<u64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let on_beat = |gap: &u64| (950..1050).contains(gap);
    assert!(gaps.iter().all(on_beat), "milliseconds: {gaps:?}");
    for daemon in [&pair.daemons[0], &second] {
        no_errors(daemon);
        let output = daemon.output();
        let complaints = output.iter().filter(|line| line.contains("discarded"));
        assert!(
            (2..40).contains(&complaints.count()),
            "{}",
            output.join("\n")
        );
    }
}

fn advert(
    authentication: &Authentication,
    source: Ipv4Addr,
    destination: Ipv4Addr,
    priority: u8,
    interval: u8,
) -> Vec<u8> {
    emit(&Outgoing {
        version: Version::V2,
        vrid: Vrid::new(51).unwrap(),
        priority: Priority::new(priority),
        interval: Interval::from_secs(interval).unwrap(),
        addresses: &[VIP.parse().unwrap()],
        authentication,
        checksum: ChecksumForm::Message,
        source: source.into(),
        destination: destination.into(),
    })
}

/// Packets of somebody who knows everything but the key, in the names of a peer and a stranger.
fn forged(kind: &Authentication) -> Vec<Vec<u8>> {
    let mut packets = Vec::new();
    for source in [NODE2, STRANGER] {
        for authentication in [
            Authentication::None,
            Authentication::Password(Secret::new(b"4321")),
            Authentication::Header,
            Authentication::Trailer,
        ] {
            let message = advert(&authentication, source, GROUP_V4, 254, 1);
            packets.push(emit_v4(source, GROUP_V4, 255, 1, &message));
        }
        let wrong_interval = advert(kind, source, GROUP_V4, 254, 2);
        packets.push(emit_v4(source, GROUP_V4, 255, 1, &wrong_interval));
        let mut wrong_checksum = advert(kind, source, GROUP_V4, 254, 1);
        wrong_checksum[6] ^= 0x55;
        packets.push(emit_v4(source, GROUP_V4, 255, 1, &wrong_checksum));
        let mut unknown = advert(kind, source, GROUP_V4, 254, 1);
        unknown.extend_from_slice(&[1; TRAILER_LEN]);
        packets.push(emit_v4(source, GROUP_V4, 255, 1, &unknown));
    }
    packets
}

/// Sends `packets` over and over; says how many left.
fn flood(packets: &[Vec<u8>]) -> u32 {
    let socket = raw_socket();
    let mut sent = 0;
    let mut next = packets.iter().cycle();
    #[expect(
        clippy::disallowed_methods,
        reason = "a test paces itself by the clock"
    )]
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(5) {
        for packet in next.by_ref().take(25) {
            sent += u32::from(socket.send(GROUP_V4.into(), packet).is_ok());
        }
        let due = Duration::from_micros(u64::from(sent) * 200);
        thread::sleep(due.saturating_sub(start.elapsed()));
    }
    sent
}
