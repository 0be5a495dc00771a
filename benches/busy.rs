//! False takeovers at short intervals on a busy host, for vipd and keepalived in one go.
//!
//! `cargo bench --bench busy`, as root: 60 s each at 20 ms adverts beside 8 busy loops.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a bench"
)]

#[path = "../tests/common/mod.rs"]
mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use common::{Folder, Instance, SOON, Start, VIP, has, host, lab, speakers, wait_for};
use vipd::lab::Captured;

const LOOPS: usize = 8;
const INTERVAL: Duration = Duration::from_millis(20);

fn main() {
    let seconds = std::env::var("VIPD_BENCH_SECONDS")
        .ok()
        .and_then(|n| n.parse().ok());
    let time = Duration::from_secs(seconds.unwrap_or(60));
    println!("{time:?} at adverts every {INTERVAL:?}, {LOOPS} busy loops");
    println!(
        "{:<12}{:>10}{:>14}{:>12}{:>12}",
        "", "adverts", "longest gap", "late > 10 %", "takeovers"
    );
    for (name, start) in speakers() {
        measure(name, start, time);
    }
}

fn measure(name: &str, start: Start, time: Duration) {
    let Some(lab) = lab() else { return };
    let folder = Folder::new();
    let text = |priority| {
        Instance {
            version: 3,
            priority,
            interval: "0.02",
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
        folder.write("node2.conf", &text(100)),
    ];
    let _daemons = [0, 1].map(|n| start(&nodes[n], &files[n]));
    wait_for("node 1 is active", SOON, || {
        has(&nodes[0], VIP) && !has(&nodes[1], VIP)
    });
    let capture = lab.capture(Captured::is_protocol).unwrap();
    let busy = Arc::new(AtomicBool::new(true));
    let loops: Vec<_> = (0..LOOPS)
        .map(|_| {
            let busy = Arc::clone(&busy);
            thread::spawn(move || while busy.load(Ordering::Relaxed) {})
        })
        .collect();
    thread::sleep(time);
    busy.store(false, Ordering::Relaxed);
    loops.into_iter().for_each(|l| l.join().unwrap());
    let (mut last, mut adverts, mut longest, mut late, mut takeovers) = (None, 0, 0, 0, 0);
    for frame in capture.drain() {
        if frame.advert().is_none() {
            continue;
        }
        adverts += 1;
        if &*frame.port == "node1" {
            let gap = last.map_or(0, |before| frame.at_nanos - before);
            longest = longest.max(gap);
            late += u32::from(Duration::from_nanos(gap) > INTERVAL * 11 / 10);
            last = Some(frame.at_nanos);
        } else {
            takeovers += 1;
        }
    }
    let longest = format!("{:.2?}", Duration::from_nanos(longest));
    println!("{name:<12}{adverts:>10}{longest:>14}{late:>12}{takeovers:>12}");
}
