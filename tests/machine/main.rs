//! What takes a kernel with ipvlan and VRF: devices, settings and the wire, beside keepalived.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may panic, and says why"
)]

#[path = "../common/mod.rs"]
mod common;

mod boot;
mod ipvlan;
mod vrf;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;
use std::process::Command;

use common::{Folder, SOON, Start, no_errors, vipd};
use vipd::lab::{Host, Lab, Process};
use vipd::sys::netlink::Link;
use vipd::types::InterfaceName;

/// A node with a lab around it and a folder for its file.
struct Node {
    folder: Folder,
    host: Host,
    lab: Lab,
}

impl Node {
    fn new() -> Self {
        let lab = Lab::new().unwrap();
        let host = host(&lab, "node1", 1);
        Self {
            folder: Folder::new(),
            host,
            lab,
        }
    }

    fn start(&self, text: &str) -> Process {
        self.start_by(vipd, text)
    }

    fn start_by(&self, start: Start, text: &str) -> Process {
        start(&self.host, &self.folder.write("node1.conf", text))
    }
}

/// A host with an address of each family.
fn host(lab: &Lab, name: &str, number: u8) -> Host {
    let host = common::host(lab, name, &format!("192.168.1.{number}/24"));
    host.add_address(&format!("fd00::{number}/64")).unwrap();
    host
}

fn link(host: &Host, name: &str) -> Option<Link> {
    let name = InterfaceName::new(name).unwrap();
    host.netlink().unwrap().link_by_name(&name).unwrap()
}

/// The addresses on an interface, with the length of their prefixes.
fn addresses(host: &Host, name: &str) -> BTreeSet<(IpAddr, u8)> {
    let Some(link) = link(host, name) else {
        return BTreeSet::new();
    };
    let all = host.netlink().unwrap().addresses(Some(link.index)).unwrap();
    all.iter().map(|a| (a.address, a.prefix_len)).collect()
}

fn has_on(host: &Host, name: &str, address: &str) -> bool {
    let wanted: IpAddr = address.parse().unwrap();
    addresses(host, name).iter().any(|(ip, _)| *ip == wanted)
}

/// What `ip` makes of its arguments on `host`.
fn ip(host: &Host, arguments: &str) {
    let run = || Command::new("ip").args(arguments.split(' ')).output();
    let output = host.enter(run).unwrap().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {arguments}: {said}");
}

fn ends_well(process: &mut Process) {
    process.terminate();
    let status = process.wait(SOON).expect("it ends");
    assert!(status.success(), "{}", process.output().join("\n"));
    no_errors(process);
}

fn setting(host: &Host, key: &str) -> String {
    host.namespace().sysctl(key).unwrap()
}

fn exists(host: &Host, key: &str) -> bool {
    let path = Path::new("/proc/sys").join(key);
    host.enter(|| path.exists()).unwrap()
}
