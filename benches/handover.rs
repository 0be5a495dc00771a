//! Probes that a client loses at 1 kHz when the active node is stopped, reloads, and is preempted,
//! for vipd and keepalived in one go.
//!
//! `cargo bench --bench handover`, as root.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a bench"
)]

#[path = "../tests/common/mod.rs"]
mod common;

use std::thread;
use std::time::Duration;

use common::{Folder, Instance, SOON, Start, VIP, has, host, lab, speakers, target, wait_for};
use vipd::lab::{EchoServer, Prober};

const PORT: u16 = 7;

fn main() {
    println!("probes lost at 1 kHz");
    println!(
        "{:<12}{:<12}{:>9}{:>9}{:>12}",
        "", "adverts", "SIGTERM", "reload", "preemption"
    );
    for (name, start) in speakers() {
        for (version, interval) in [(2, "1"), (3, "0.1")] {
            if let Some([stop, reload, preemption]) = losses(start, version, interval) {
                let adverts = format!("v{version}, {interval} s");
                println!("{name:<12}{adverts:<12}{stop:>9}{reload:>9}{preemption:>12}");
            }
        }
    }
}

fn losses(start: Start, version: u8, interval: &str) -> Option<[usize; 3]> {
    let lab = lab()?;
    let folder = Folder::new();
    let text = |priority| {
        Instance {
            version,
            priority,
            interval,
            ..Instance::default()
        }
        .text()
    };
    let nodes = [
        host(&lab, "node1", "192.168.1.1/24"),
        host(&lab, "node2", "192.168.1.2/24"),
    ];
    let client = host(&lab, "client", "192.168.1.50/24");
    let files = [
        folder.write("node1.conf", &text(200)),
        folder.write("node2.conf", &text(100)),
    ];
    let _servers = [0, 1].map(|n| EchoServer::start(&nodes[n], PORT).unwrap());
    let mut first = start(&nodes[0], &files[0]);
    let _second = start(&nodes[1], &files[1]);
    let only = |n: usize| has(&nodes[n], VIP) && !has(&nodes[1 - n], VIP);
    wait_for("node 1 is active", SOON, || only(0));
    let lost = |act: &mut dyn FnMut()| {
        thread::sleep(Duration::from_millis(500));
        let prober = Prober::start(&client, target(PORT), Duration::from_millis(1)).unwrap();
        thread::sleep(Duration::from_millis(300));
        act();
        thread::sleep(Duration::from_millis(500));
        prober.finish().lost.len()
    };
    let reload = lost(&mut || {
        folder.write("node1.conf", &text(210));
        first.signal(libc::SIGHUP);
        thread::sleep(Duration::from_secs(2));
    });
    let stop = lost(&mut || {
        first.terminate();
        wait_for("node 2 is active", SOON, || only(1));
    });
    first.wait(SOON).expect("node 1 ends");
    let preemption = lost(&mut || {
        first = start(&nodes[0], &files[0]);
        wait_for("node 1 is active again", SOON, || only(0));
    });
    Some([stop, reload, preemption])
}
