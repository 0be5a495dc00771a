//! How long after the standard's Active_Down_Interval a backup announces its takeover, for vipd
//! and keepalived in one go, on the kernel's timestamps.
//!
//! `cargo bench --bench failover`, as root. `VIPD_BENCH_RUNS` sets the number of power losses.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a bench"
)]

#[path = "../tests/common/mod.rs"]
mod common;

use std::thread;
use std::time::Duration;

use common::{Folder, Instance, SOON, Start, VIP, has, host, lab, speakers, wait_for};
use vipd::lab::{Captured, Host};

const RUNS: usize = 20;
const PRIORITY: u8 = 100;
const INTERVAL: Duration = Duration::from_millis(100);

fn main() {
    let runs = std::env::var("VIPD_BENCH_RUNS")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(RUNS);
    println!("first announcement past Active_Down_Interval, {runs} power losses at 0.1 s, in ms");
    println!(
        "{:<12}{:>9}{:>9}{:>9}{:>9}",
        "", "min", "median", "p95", "max"
    );
    let mut medians = Vec::new();
    for (name, start) in speakers() {
        let mut late = power_losses(start, runs);
        late.sort_by(f64::total_cmp);
        let at = |share: f64| late[((late.len() - 1) as f64 * share).round() as usize];
        println!(
            "{name:<12}{:>9.3}{:>9.3}{:>9.3}{:>9.3}",
            at(0.0),
            at(0.5),
            at(0.95),
            at(1.0)
        );
        medians.push(at(0.5));
    }
    if let [ours, theirs] = medians[..] {
        println!("median, vipd / keepalived: {:.2}", ours / theirs);
    }
}

/// Lateness of each takeover in milliseconds.
fn power_losses(start: Start, runs: usize) -> Vec<f64> {
    let Some(lab) = lab() else {
        return vec![f64::NAN];
    };
    let folder = Folder::new();
    let text = |priority| {
        Instance {
            version: 3,
            priority,
            interval: "0.1",
            ..Instance::default()
        }
        .text()
    };
    let nodes = [
        host(&lab, "node1", "192.168.1.1/24"),
        host(&lab, "node2", "192.168.1.2/24"),
    ];
    let files = [
        folder.write("node1.conf", &text(200)),
        folder.write("node2.conf", &text(PRIORITY)),
    ];
    let capture = lab.capture(Captured::is_protocol).unwrap();
    let _second = start(&nodes[1], &files[1]);
    let mut late = Vec::new();
    for run in 0..runs {
        let mut first = start(&nodes[0], &files[0]);
        wait_for("node 1 is active", SOON, || {
            has(&nodes[0], VIP) && !has(&nodes[1], VIP)
        });
        // Another moment of the advert's beat in every run.
        thread::sleep(INTERVAL * 4 + INTERVAL * u32::try_from(run).unwrap() / 20);
        nodes[0].unplug().unwrap();
        first.kill();
        wait_for("node 2 is active", SOON, || has(&nodes[1], VIP));
        thread::sleep(INTERVAL * 2);
        late.push(lateness(&capture.drain()));
        forget_address(&nodes[0]);
        nodes[0].plug().unwrap();
    }
    late
}

/// From the active node's last advert to the backup's first announcement, less the standard's
/// Active_Down_Interval.
fn lateness(frames: &[Captured]) -> f64 {
    let from_first = |frame: &Captured| &*frame.port == "node1" && frame.advert().is_some();
    let last = frames
        .iter()
        .rposition(from_first)
        .expect("node 1 has advertised");
    let announces = |frame: &&Captured| {
        &*frame.port == "node2" && frame.announced().is_some_and(|a| a.to_string() == VIP)
    };
    let first = frames[last..]
        .iter()
        .find(announces)
        .expect("node 2 has announced");
    let silence = Duration::from_nanos(first.at_nanos - frames[last].at_nanos);
    let skew = INTERVAL * (256 - u32::from(PRIORITY)) / 256;
    (silence.as_secs_f64() - (INTERVAL * 3 + skew).as_secs_f64()) * 1e3
}

/// The addresses of a host without power are gone.
fn forget_address(host: &Host) {
    let vip = vipd::types::VirtualAddress::new(VIP.parse().unwrap(), 32);
    let eth0 = host.eth0().unwrap();
    host.netlink()
        .unwrap()
        .remove_addresses(&[(eth0, vip)])
        .unwrap();
}
