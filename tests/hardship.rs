//! One node against what hosts and neighbours do to it: signals, renamed interfaces, removed
//! addresses, reloads and floods.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may panic, and says why"
)]

mod common;

use std::net::Ipv4Addr;
use std::process::Command;
use std::thread;
use std::time::Duration;

use common::{Folder, Instance, SOON, VIP, has, host, lab, no_errors, stays, vipd, wait_for};
use vipd::lab::{Host, Lab, Process};
use vipd::sys::socket::{AdvertSocket, Listen};
use vipd::types::{InterfaceName, Interval, Priority, Version, Vrid};
use vipd::wire::ip;
use vipd::wire::vrrp::{self, Authentication, ChecksumForm, Outgoing};

const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);

/// A node that is Active.
struct Node {
    folder: Folder,
    host: Host,
    daemon: Process,
    lab: Lab,
}

impl Node {
    fn start(text: &str) -> Option<Self> {
        let lab = lab()?;
        let folder = Folder::new();
        let host = host(&lab, "node", "192.168.1.1/24");
        let daemon = vipd(&host, &folder.write("node.conf", text));
        let node = Self {
            folder,
            host,
            daemon,
            lab,
        };
        wait_for("the node is active", SOON, || node.holds());
        Some(node)
    }

    fn holds(&self) -> bool {
        has(&self.host, VIP)
    }

    fn ip(&self, arguments: &str) {
        let mut ip = Command::new("ip");
        ip.args(arguments.split_whitespace());
        let status = self.host.spawn(&mut ip).unwrap().wait(SOON);
        assert!(status.is_some_and(|s| s.success()), "ip {arguments}");
    }

    fn end(mut self) {
        self.daemon.terminate();
        assert!(self.daemon.wait(SOON).is_some_and(|s| s.success()));
        no_errors(&self.daemon);
        assert!(!self.holds());
    }
}

fn fast(vips: &[&str], more: &str) -> String {
    let instance = Instance {
        version: 3,
        priority: 150,
        interval: "0.1",
        vips,
        more,
        ..Instance::default()
    };
    instance.text()
}

#[test]
fn an_address_that_somebody_removes_is_put_back() {
    let Some(node) = Node::start(&fast(&["192.168.1.100/24"], "")) else {
        return;
    };
    node.ip("address delete 192.168.1.100/24 dev eth0");
    wait_for("it is back", SOON, || node.holds());
    // The kernel removes the others of a subnet with its first.
    node.ip("address add 192.168.2.1/24 dev eth0");
    node.ip("address delete 192.168.1.1/24 dev eth0");
    wait_for("it is back again", SOON, || node.holds());
    node.end();
}

#[test]
fn a_renamed_interface_keeps_no_address() {
    let Some(node) = Node::start(&fast(&["192.168.1.100/32"], "")) else {
        return;
    };
    node.ip("link set eth0 name other0");
    let is_gone = || {
        let all = node.host.netlink().unwrap().addresses(None).unwrap();
        all.iter().all(|a| a.address.to_string() != VIP)
    };
    wait_for("the address is gone", SOON, is_gone);
    node.ip("link set other0 name eth0");
    wait_for("it is back", SOON, || node.holds());
    node.end();
}

#[test]
fn keepaliveds_other_signals_do_not_end_the_daemon() {
    let Some(node) = Node::start(&fast(&["192.168.1.100/32"], "")) else {
        return;
    };
    for number in [libc::SIGRTMIN() + 2, libc::SIGRTMAX() - 1, libc::SIGRTMAX()] {
        let mut kill = Command::new("kill");
        let status = kill
            .args([format!("-{number}"), node.daemon.id().to_string()])
            .status();
        assert!(status.unwrap().success());
    }
    let heard = node.daemon.wait_for_line("no thread dump", SOON);
    assert!(heard.is_some(), "{:?}", node.daemon.output());
    node.end();
}

#[test]
fn a_reload_that_adds_a_tracker_costs_no_address() {
    let Some(node) = Node::start(&fast(&["192.168.1.100/32"], "")) else {
        return;
    };
    let script = "vrrp_script slow {\n    script \"/bin/sleep 0.3\"\n    timeout 2\n}\n";
    let instance = fast(&["192.168.1.100/32"], "track_script {\n        slow\n    }");
    node.folder
        .write("node.conf", &format!("{script}{instance}"));
    node.daemon.signal(libc::SIGHUP);
    stays("the address", Duration::from_millis(800), || node.holds());
    let output = node.daemon.output().join("\n");
    assert!(output.contains("VRRP_Script(slow) succeeded"), "{output}");
    node.end();
}

#[test]
fn a_flood_of_adverts_ends_no_daemon_and_holds_no_address() {
    let vips: Vec<String> = (0..=254)
        .map(|n| format!("10.9.0.{n}/32"))
        .chain(["192.168.1.100/32".to_owned()])
        .collect();
    let vips: Vec<&str> = vips.iter().map(String::as_str).collect();
    let Some(node) = Node::start(&fast(&vips, "")) else {
        return;
    };
    let peer = host(&node.lab, "peer", "192.168.1.2/24");
    send_adverts(&peer, 90, 20_000);
    thread::sleep(Duration::from_secs(3));
    send_adverts(&peer, 200, 1);
    let moment = Duration::from_millis(300);
    wait_for("the node lets go at once", moment, || !node.holds());
    node.end();
}

/// Sends `count` adverts of `priority` without a pause.
fn send_adverts(from: &Host, priority: u8, count: u32) {
    let source = Ipv4Addr::new(192, 168, 1, 2);
    let message = vrrp::emit(&Outgoing {
        version: Version::V3,
        vrid: Vrid::new(51).unwrap(),
        priority: Priority::new(priority),
        interval: Interval::from_centis(10).unwrap(),
        source: source.into(),
        destination: GROUP.into(),
        authentication: &Authentication::None,
        checksum: ChecksumForm::PseudoHeader,
        addresses: &[Ipv4Addr::new(192, 168, 1, 100).into()],
    });
    let packet = ip::emit_v4(source, GROUP, 255, 1, &message);
    let name = InterfaceName::new("eth0").unwrap();
    let index = from.eth0().unwrap();
    from.enter(|| {
        let socket = AdvertSocket::open(
            &name,
            index,
            Listen::Group(GROUP.into()),
            vipd::wire::ip::Protocol::Vrrp,
        )
        .unwrap();
        for _ in 0..count {
            // A full buffer only means fewer packets.
            let _ = socket.send(GROUP.into(), &packet);
        }
    })
    .unwrap();
}

#[test]
fn a_node_that_may_not_install_addresses_leaves_them_to_its_peer() {
    if !common::installed("setpriv") {
        return;
    }
    let Some(lab) = lab() else { return };
    let folder = Folder::new();
    let (one, two) = (
        host(&lab, "node1", "192.168.1.1/24"),
        host(&lab, "node2", "192.168.1.2/24"),
    );
    let text = |priority| {
        Instance {
            version: 3,
            priority,
            interval: "0.1",
            ..Instance::default()
        }
        .text()
    };
    let mut command = std::process::Command::new("setpriv");
    command.args(["--bounding-set=-net_admin", "--inh-caps=-net_admin"]);
    command.arg(env!("CARGO_BIN_EXE_vipd")).arg("run").arg("-f");
    let file = folder.write("node1.conf", &text(200));
    let first = one.spawn(command.arg(file)).unwrap();
    let _second = vipd(&two, &folder.write("node2.conf", &text(100)));
    wait_for("node 2 has the address", SOON, || has(&two, VIP));
    let fault = first.wait_for_line("Entering FAULT STATE", SOON);
    assert!(fault.is_some(), "{:#?}", first.output());
    common::stays("node 2 keeps it", Duration::from_secs(2), || {
        has(&two, VIP) && !has(&one, VIP)
    });
}

#[test]
fn a_notify_script_that_hangs_does_not_cost_the_one_of_the_stop() {
    let Some(lab) = lab() else { return };
    let folder = Folder::new();
    let one = host(&lab, "node1", "192.168.1.1/24");
    let stopped = folder.0.join("stopped");
    let more = format!(
        "notify_master \"/usr/bin/sleep 300\"\n    notify_stop \"/usr/bin/touch {}\"",
        stopped.display()
    );
    let instance = Instance {
        version: 3,
        interval: "0.1",
        more: &more,
        ..Instance::default()
    };
    let mut daemon = vipd(&one, &folder.write("node1.conf", &instance.text()));
    wait_for("node 1 is active", SOON, || has(&one, VIP));
    daemon.terminate();
    assert!(daemon.wait(SOON).expect("vipd ends").success());
    assert!(stopped.exists(), "{:#?}", daemon.output());
}
