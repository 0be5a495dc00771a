//! keepalived's flaws on the wire that are not copied, each under its name, and what a flood costs.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may panic, and says why"
)]

mod common;

use std::net::Ipv4Addr;
use std::thread;
use std::time::Duration;

use common::{Folder, Instance, SECOND_VIP, SOON, VIP, has, host, lab, no_errors, vipd, wait_for};
use vipd::lab::{Capture, Captured, Host, Lab, Process};
use vipd::sys::socket::{AdvertSocket, Ear, Listen};
use vipd::types::{InterfaceName, Interval, Priority, Version, Vrid};
use vipd::wire::ip::{GROUP_V4, Protocol, emit_v4};
use vipd::wire::vrrp::{Authentication, ChecksumForm, Outgoing, emit};

const STRANGER: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 50);
const FLOOD: Duration = Duration::from_secs(3);
const GAP: Duration = Duration::from_millis(1);

/// One Active node, and a client that can send anything.
struct Scene {
    capture: Capture,
    daemon: Process,
    node: Host,
    client: Host,
    _folder: Folder,
    _lab: Lab,
}

impl Scene {
    fn new(text: &str) -> Option<Self> {
        let lab = lab()?;
        let folder = Folder::new();
        let node = host(&lab, "node1", "192.168.1.1/24");
        let client = host(&lab, "client", "192.168.1.50/24");
        let capture = lab.capture(Captured::is_protocol).unwrap();
        let daemon = vipd(&node, &folder.write("node1.conf", text));
        wait_for("the node is active", SOON, || has(&node, VIP));
        Some(Self {
            capture,
            daemon,
            node,
            client,
            _folder: folder,
            _lab: lab,
        })
    }

    /// Has the client send `packet` a thousand times a second, and says what the node sent.
    fn flood(&self, packet: impl Fn(u32) -> Vec<u8> + Send) -> Vec<Captured> {
        let _ = self.capture.drain();
        let sent = self.client.enter(move || send_for(FLOOD, packet)).unwrap();
        println!("{sent} packets sent");
        let frames = self.capture.drain().into_iter();
        frames.filter(|frame| &*frame.port == "node1").collect()
    }
}

fn send_for(time: Duration, packet: impl Fn(u32) -> Vec<u8>) -> u32 {
    let eth0 = InterfaceName::new("eth0").unwrap();
    let index = nix::net::if_::if_nametoindex("eth0").unwrap();
    let socket =
        AdvertSocket::open(&eth0, index, Listen::Group(GROUP_V4.into()), Protocol::Vrrp).unwrap();
    let mut sent = 0;
    let mut waited = Duration::ZERO;
    while waited < time {
        let packet = emit_v4(STRANGER, GROUP_V4, 255, 1, &packet(sent));
        if socket.send(GROUP_V4.into(), &packet).is_ok() {
            sent += 1;
        }
        thread::sleep(GAP);
        waited += GAP;
    }
    sent
}

fn text(more: &str) -> String {
    Instance {
        version: 3,
        priority: 200,
        interval: "0.1",
        more,
        ..Instance::default()
    }
    .text()
}

fn message(priority: u8) -> Vec<u8> {
    emit(&Outgoing {
        version: Version::V3,
        vrid: Vrid::new(51).unwrap(),
        priority: Priority::new(priority),
        interval: Interval::from_centis(10).unwrap(),
        addresses: &[VIP.parse().unwrap()],
        authentication: &Authentication::None,
        checksum: ChecksumForm::PseudoHeader,
        source: STRANGER.into(),
        destination: GROUP_V4.into(),
    })
}

/// Longest time between two adverts.
fn longest_gap(frames: &[Captured]) -> Duration {
    let adverts = frames.iter().filter(|frame| frame.advert().is_some());
    let times: Vec<u64> = adverts.map(|frame| frame.at_nanos).collect();
    let gaps = times.windows(2).map(|pair| pair[1] - pair[0]);
    Duration::from_nanos(gaps.max().unwrap_or(u64::MAX))
}

#[test]
fn bad_packets_never_restart_the_advert_timer() {
    let Some(scene) = Scene::new(&text("")) else {
        return;
    };
    let frames = scene.flood(|number| {
        let mut message = message(100);
        match number % 3 {
            0 => message[6] ^= 0xff,
            1 => message[0] = 0x21,
            _ => message.truncate(7),
        }
        message
    });
    let gap = longest_gap(&frames);
    assert!(
        gap < Duration::from_millis(130),
        "{gap:?} without an advert"
    );
    assert!(has(&scene.node, VIP));
    no_errors(&scene.daemon);
}

#[test]
fn a_checksum_is_verified_with_v3_checksum_as_v2_too() {
    let Some(scene) = Scene::new(&text("v3_checksum_as_v2")) else {
        return;
    };
    scene.flood(|_| {
        let mut message = message(255);
        message[6] ^= 0xff;
        message
    });
    assert!(has(&scene.node, VIP), "a damaged advert won the election");
    let output = scene.daemon.output();
    assert!(output.iter().any(|line| line.contains("wrong checksum")));
}

#[test]
fn a_flood_of_lower_priority_adverts_is_answered_but_not_multiplied() {
    let Some(scene) = Scene::new(&text("")) else {
        return;
    };
    let frames = scene.flood(|_| message(100));
    let adverts = frames.iter().filter(|frame| frame.advert().is_some());
    let adverts = adverts.count();
    let announced = frames.iter().filter(|frame| frame.announced().is_some());
    let announced = announced.count();
    // A busy machine needs longer for the flood.
    let times = || frames.iter().map(|frame| frame.at_nanos);
    let took = Duration::from_nanos(times().max().unwrap() - times().min().unwrap());
    println!("{adverts} adverts and {announced} announcements in {took:?}");
    // At 0.1 s: four answers in each interval, and an announcement of 5 each half interval.
    let intervals = usize::try_from(took.as_millis()).unwrap() / 100;
    assert!((30..=5 * intervals).contains(&adverts), "{adverts} adverts");
    assert!(announced < 16 * intervals, "{announced} announcements");
    assert!(longest_gap(&frames) < Duration::from_millis(130));
}

#[test]
fn skip_check_adv_addr_no_compares_the_address_list_and_the_advert_counts() {
    let Some(lab) = lab() else { return };
    let folder = Folder::new();
    let one = host(&lab, "node1", "192.168.1.1/24");
    let two = host(&lab, "node2", "192.168.1.2/24");
    let other = Instance {
        version: 3,
        priority: 210,
        interval: "0.1",
        vips: &[VIP, SECOND_VIP],
        ..Instance::default()
    };
    let _first = vipd(&one, &folder.write("node1.conf", &other.text()));
    wait_for("node 1 is active", SOON, || has(&one, VIP));
    let text = text("skip_check_adv_addr no");
    let second = vipd(&two, &folder.write("node2.conf", &text));
    wait_for("a complaint", SOON, || {
        let output = second.output();
        output.iter().any(|line| line.contains("advertises other"))
    });
    common::stays("the advert counts", Duration::from_secs(1), || {
        !has(&two, VIP)
    });
}

#[test]
fn announcements_keep_the_gap_that_was_asked_for() {
    let globals = "global_defs {\n    vrrp_garp_interval 0.05\n}\n";
    let Some(scene) = Scene::new(&(globals.to_owned() + &text("garp_master_delay 60"))) else {
        return;
    };
    thread::sleep(Duration::from_millis(500));
    let frames = scene.capture.drain();
    let announced = frames.iter().filter(|frame| frame.announced().is_some());
    let times: Vec<u64> = announced.map(|frame| frame.at_nanos).collect();
    assert_eq!(times.len(), 5);
    for pair in times.windows(2) {
        let gap = Duration::from_nanos(pair[1] - pair[0]);
        assert!(gap >= Duration::from_millis(49), "{gap:?}");
    }
}

#[test]
fn a_start_is_held_back_as_long_as_asked_for() {
    let globals = "global_defs {\n    vrrp_startup_delay 1.5\n}\n";
    let Some(lab) = lab() else { return };
    let folder = Folder::new();
    let node = host(&lab, "node1", "192.168.1.1/24");
    let capture = lab.capture(Captured::is_protocol).unwrap();
    let text = globals.to_owned() + &text("");
    let daemon = vipd(&node, &folder.write("node1.conf", &text));
    let early = capture.find(Duration::from_millis(1500), |f| f.advert().is_some());
    assert!(early.is_none(), "an advert during the delay");
    wait_for("the node is active", SOON, || has(&node, VIP));
    no_errors(&daemon);
}

#[test]
fn a_link_is_proved_by_what_other_hosts_send_and_by_nothing_else() {
    let Some(lab) = lab() else { return };
    let one = host(&lab, "node1", "192.168.1.1/24");
    let two = host(&lab, "node2", "192.168.1.2/24");
    let index = one.eth0().unwrap();
    let ear = one.enter(|| Ear::open(index)).unwrap().unwrap();
    let say = |from: &Host, own: &'static str| {
        from.enter(move || {
            let socket = std::net::UdpSocket::bind((own, 0)).unwrap();
            let _ = socket.send_to(b"x", "224.0.0.200:9");
        })
        .unwrap();
    };
    // What hosts say when their links come up.
    thread::sleep(Duration::from_millis(100));
    let _ = ear.heard();
    say(&one, "192.168.1.1");
    thread::sleep(Duration::from_millis(20));
    assert!(!ear.heard(), "our own multicast came back");
    say(&two, "192.168.1.2");
    wait_for("a frame", SOON, || ear.heard());
}
