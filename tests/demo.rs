//! The demo, as a new user runs it.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "helpers speak and fail for the test"
)]

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::Value;

/// `vipd demo`, fast enough for a test.
fn demo() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vipd"));
    command.args(["demo", "--interval", "0.05"]);
    command
}

/// Whether the demo failed because this machine forbids it; prints that the test skips then.
fn forbidden(stderr: &[u8]) -> bool {
    let forbidden = String::from_utf8_lossy(stderr).contains("forbids private namespaces");
    if forbidden {
        println!("skipped: the demo takes root or user namespaces");
    }
    forbidden
}

#[test]
fn the_demo_shows_a_crash_a_return_and_a_drain() {
    let output = demo().args(["--json", "--nodes", "3"]).output().unwrap();
    if forbidden(&output.stderr) {
        return;
    }
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let moves = document["moves"].as_array().unwrap();
    let causes: Vec<_> = moves
        .iter()
        .map(|one| one["cause"].as_str().unwrap())
        .collect();
    assert_eq!(
        causes,
        ["power loss", "return and preemption", "drain (SIGTERM)"]
    );
    let to: Vec<_> = moves
        .iter()
        .map(|one| one["to"].as_str().unwrap())
        .collect();
    assert_eq!(to, ["node2", "node1", "node2"]);

    let crash = &moves[0];
    let announced = crash["announced_after_ms"].as_f64().unwrap();
    let standard = crash["active_down_interval_ms"].as_f64().unwrap();
    assert!(
        announced >= standard - 1.0,
        "took over {announced} ms after, before {standard} ms"
    );
    assert!(
        crash["probes_lost"].as_u64().unwrap() > 0,
        "a crash is not free: {crash}"
    );
    for planned in &moves[1..] {
        assert!(planned["probes_lost"].as_u64().unwrap() <= 1, "{planned}");
    }
}

#[test]
fn a_killed_demo_leaves_nothing_behind() {
    let marker = format!("VIPD_DEMO_TEST={}", std::process::id());
    let (name, value) = marker.split_once('=').unwrap();
    let mut demo = demo()
        .env(name, value)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(demo.stdout.take().unwrap()).lines();
    let began = lines
        .map_while(Result::ok)
        .any(|line| line.contains("MASTER"));
    let processes = marked(&marker);
    demo.kill().unwrap();
    let output = demo.wait_with_output().unwrap();
    if forbidden(&output.stderr) {
        return;
    }
    assert!(began, "{}", String::from_utf8_lossy(&output.stderr));
    assert!(
        processes.len() >= 6,
        "two of the demo, and two on each node: {processes:?}"
    );
    // The kernel kills them all, in its own time.
    for _ in 0..1000 {
        if marked(&marker).is_empty() {
            return;
        }
        thread::sleep(Duration::from_millis(5));
    }
    panic!("left behind: {:?}", marked(&marker));
}

/// Numbers of the processes that have `marker` in their environment.
fn marked(marker: &str) -> Vec<u32> {
    let has_marker = |id: &u32| {
        let environment = fs::read(format!("/proc/{id}/environ")).unwrap_or_default();
        environment
            .split(|&byte| byte == 0)
            .any(|entry| entry == marker.as_bytes())
    };
    let ids = fs::read_dir("/proc").unwrap().flatten();
    let ids = ids.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter(has_marker).collect()
}
