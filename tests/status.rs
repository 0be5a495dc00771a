//! `vipd status` as an operator and a monitoring system meet it: the words, the JSON, the exit
//! statuses, and that nobody who asks can disturb the daemon.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test may panic, and says why"
)]

mod common;

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use common::{Folder, SOON, has, host, lab, no_errors, vipd, wait_for};
use serde_json::Value;

const VIPD: &str = env!("CARGO_BIN_EXE_vipd");

/// Exit status, and what was said on both streams.
fn status(folder: &Path, arguments: &[&str]) -> (i32, String) {
    let mut command = Command::new(VIPD);
    command.env("RUNTIME_DIRECTORY", folder).arg("status");
    let output = command.args(arguments).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.code().unwrap(),
        String::from_utf8(text).unwrap(),
    )
}

/// The JSON of the only daemon.
fn json(folder: &Path, arguments: &[&str]) -> Value {
    let (_, text) = status(folder, &[&["--json"], arguments].concat());
    let all: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"));
    let daemons = all["daemons"].as_array().unwrap();
    assert_eq!(daemons.len(), 1, "{text}");
    daemons[0].clone()
}

fn text(priority: u8, script: &Path) -> String {
    format!(
        "global_defs {{\n    script_user root\n}}\n\
         vrrp_script chk {{\n    script {}\n    interval 1\n    weight 5\n}}\n\
         vrrp_script gone {{\n    script \"/bin/true x\"\n    interval 1\n    weight 3\n}}\n\
         vrrp_instance VI_1 {{\n    interface eth0\n    version 3\n    virtual_router_id 51\n    \
         priority {priority}\n    advert_int 0.1\n    virtual_ipaddress {{\n        192.168.1.100/24\n    }}\n    \
         virtual_ipaddress_excluded {{\n        192.168.1.101\n    }}\n    \
         track_script {{\n        chk\n        gone\n    }}\n}}\n\
         vrrp_instance VI_2 {{\n    interface eth0\n    version 2\n    virtual_router_id 52\n    \
         priority 90\n    advert_int 1\n    authentication {{\n        auth_type PASS\n        \
         auth_pass tellnone\n    }}\n    virtual_ipaddress {{\n        192.168.1.110\n    }}\n}}\n",
        script.display()
    )
}

#[test]
fn it_says_who_is_active_and_why_and_ends_as_monitoring_expects() {
    use std::os::unix::fs::PermissionsExt;
    let Some(lab) = lab() else { return };
    let (one, two) = (Folder::new(), Folder::new());
    let script = one.write("chk.sh", "#!/bin/sh\nexit 3\n");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let node1 = host(&lab, "node1", "192.168.1.1/24");
    let node2 = host(&lab, "node2", "192.168.1.2/24");
    let (code, said) = status(&one.0, &[]);
    assert_eq!(code, 3);
    assert!(said.contains("no daemon listens"), "{said}");

    let active = vipd(&node1, &one.write("a.conf", &text(120, &script)));
    wait_for("the first is active", SOON, || has(&node1, "192.168.1.100"));
    let backup = vipd(&node2, &two.write("b.conf", &text(100, &script)));
    let heard = || json(&two.0, &["VI_1"])["instances"][0]["peers"][0]["adverts"].as_u64();
    wait_for("adverts are heard", SOON, || {
        let up = two.0.exists() && !status(&two.0, &[]).1.contains("no daemon");
        up && heard().is_some_and(|n| n > 5)
    });
    let scripts_ran = || {
        let all = json(&one.0, &[]);
        let trackers = all["trackers"].as_array().unwrap().clone();
        trackers.len() == 2 && trackers.iter().all(|t| !t["last"].is_null())
    };
    wait_for("both scripts have run", SOON, scripts_ran);

    let seen = json(&one.0, &["VI_1"]);
    let instance = &seen["instances"][0];
    assert_eq!(seen["instances"].as_array().unwrap().len(), 1);
    assert_eq!(instance["state"], "MASTER");
    assert_eq!(instance["priority"]["base"], 120);
    assert_eq!(instance["priority"]["effective"], 123);
    assert_eq!(instance["priority"]["parts"][0]["name"], "chk");
    assert_eq!(instance["priority"]["parts"][0]["points"], 0);
    assert_eq!(instance["priority"]["parts"][1]["points"], 3);
    assert_eq!(instance["addresses"][0]["address"], "192.168.1.100/24");
    assert_eq!(instance["addresses"][0]["present"], true);
    assert_eq!(instance["addresses"][1]["advertised"], false);
    assert_eq!(
        seen["trackers"][0]["last"]["outcome"],
        "exited with status 3"
    );
    assert_eq!(seen["trackers"][0]["last"]["ran"], true);
    assert_eq!(seen["trackers"][0]["up"], false);
    assert_eq!(seen["trackers"][1]["last"]["success"], true);
    let since = seen["at"].as_f64().unwrap() - instance["since"].as_f64().unwrap();
    assert!((0.0..60.0).contains(&since), "{since}");

    let peer = json(&two.0, &["VI_1"])["instances"][0].clone();
    assert_eq!(peer["state"], "BACKUP");
    assert_eq!(peer["active_router"]["address"], "192.168.1.1");
    assert_eq!(peer["peers"][0]["priority"], 123);
    assert_eq!(peer["peers"][0]["version"], 3);
    assert_eq!(peer["peers"][0]["checksum"], "with pseudo-header");
    assert_eq!(peer["addresses"][0]["wanted"], false);
    assert_eq!(peer["addresses"][0]["present"], false);

    // A tracker that is down is a warning, and the page is readable on any terminal.
    let (code, said) = status(&one.0, &[]);
    println!("{said}");
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("123 = 120 + 0 (script chk down) + 3 (script gone up)"));
    assert!(said.contains("192.168.1.100/24 on eth0, present"));
    assert!(
        said.lines().all(|line| line.chars().count() <= 80),
        "{said}"
    );
    assert!(!said.contains('\u{1b}'), "colours are for terminals");
    let (_, other) = status(&two.0, &[]);
    assert!(
        other.contains("obeys 192.168.1.1 (priority 123)"),
        "{other}"
    );
    for shown in [said, seen.to_string(), json(&one.0, &[]).to_string()] {
        assert!(!shown.contains("tellnone"), "{shown}");
    }
    assert_eq!(status(&one.0, &["VI_2"]).0, 0);
    let (code, said) = status(&one.0, &["VI_9"]);
    assert_eq!(code, 3);
    assert!(
        said.contains("there is no instance VI_9; there is VI_1, VI_2"),
        "{said}"
    );

    node1.unplug().unwrap();
    wait_for("a fault is critical", SOON, || {
        let (code, said) = status(&one.0, &[]);
        code == 2 && said.contains("eth0 is down or does not exist")
    });
    no_errors(&active);
    no_errors(&backup);
}

#[test]
fn several_daemons_are_all_shown_and_a_dead_one_is_not() {
    let Some(lab) = lab() else { return };
    let folder = Folder::new();
    let quick = |name: &str| {
        format!(
            "{name}\nvrrp_instance VI_1 {{\n    interface eth0\n    version 3\n    virtual_router_id 51\n    \
             advert_int 0.1\n    virtual_ipaddress {{\n        192.168.1.100\n    }}\n}}\n"
        )
    };
    let node1 = host(&lab, "node1", "192.168.1.1/24");
    let node2 = host(&lab, "node2", "192.168.1.2/24");
    let mut red = vipd(&node1, &folder.write("red.conf", &quick("instance red")));
    let blue = vipd(&node2, &folder.write("blue.conf", &quick("instance blue")));
    let names = || {
        let (_, text) = status(&folder.0, &["--json"]);
        let all: Value = serde_json::from_str(&text).unwrap_or_default();
        let daemons = all["daemons"].as_array().cloned().unwrap_or_default();
        let mut names: Vec<String> = daemons
            .iter()
            .map(|d| d["instance"].as_str().unwrap_or_default().to_owned())
            .collect();
        names.sort();
        names
    };
    wait_for("both are shown", SOON, || names() == ["blue", "red"]);
    let (code, said) = status(&folder.0, &["--pid", &red.id().to_string()]);
    assert_eq!(code, 0);
    assert!(said.contains("(red)") && !said.contains("(blue)"), "{said}");
    red.kill();
    assert_eq!(names(), ["blue"]);
    assert_eq!(status(&folder.0, &["--pid", &red.id().to_string()]).0, 3);
    let again = vipd(&node1, &folder.write("red.conf", &quick("instance red")));
    wait_for("a successor is shown", SOON, || names() == ["blue", "red"]);
    let sockets = fs::read_dir(folder.0.join("red")).unwrap().flatten();
    let sockets = sockets.filter(|f| f.file_name().to_string_lossy().ends_with(".socket"));
    assert_eq!(sockets.count(), 1, "the dead one's socket is removed");
    no_errors(&again);
    no_errors(&blue);
}

#[test]
fn nobody_but_root_sees_anything() {
    use std::os::unix::fs::PermissionsExt;
    let map = fs::read_to_string("/proc/self/uid_map").unwrap();
    if map.split_whitespace().nth(2) == Some("1") {
        println!("skipped: there is no other user in this namespace");
        return;
    }
    let folder = Folder::new();
    let state = folder.0.join("state");
    fs::create_dir(&state).unwrap();
    fs::set_permissions(&state, fs::Permissions::from_mode(0o700)).unwrap();
    let binary = folder.0.join("vipd");
    fs::copy(VIPD, &binary).unwrap();
    let mut command = Command::new(&binary);
    command
        .env("RUNTIME_DIRECTORY", &state)
        .arg("status")
        .uid(65534);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("is for root alone: use sudo"), "{said}");
}

#[test]
fn watching_ends_cleanly_with_the_first_interrupt() {
    let Some(lab) = lab() else { return };
    let folder = Folder::new();
    let node = host(&lab, "node1", "192.168.1.1/24");
    let text = "vrrp_instance VI_1 {\n    interface eth0\n    version 3\n    virtual_router_id 51\n    \
                advert_int 0.1\n    virtual_ipaddress {\n        192.168.1.100\n    }\n}\n";
    let daemon = vipd(&node, &folder.write("w.conf", text));
    wait_for("the node is active", SOON, || has(&node, "192.168.1.100"));
    let mut command = Command::new(VIPD);
    command.env("RUNTIME_DIRECTORY", &folder.0);
    command.args(["status", "--watch", "--json"]);
    let mut watching = node.spawn(&mut command).unwrap();
    wait_for("two looks", SOON, || watching.output().len() >= 2);
    let lines = watching.output();
    let first: Value = serde_json::from_str(&lines[0]).unwrap();
    assert_eq!(first["daemons"][0]["instances"][0]["state"], "MASTER");
    watching.signal(libc::SIGINT);
    assert_eq!(watching.wait(SOON).and_then(|s| s.code()), Some(0));
    no_errors(&daemon);
}

/// Ends the flood, also where the test fails.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Requests that never end, that are nonsense, and more of them than a daemon would want.
#[test]
fn clients_that_stall_lie_or_flood_cost_no_advert() {
    let Some(lab) = lab() else { return };
    let folder = Folder::new();
    let node1 = host(&lab, "node1", "192.168.1.1/24");
    let node2 = host(&lab, "node2", "192.168.1.2/24");
    let text = |priority: u8| {
        format!(
            "vrrp_instance VI_1 {{\n    interface eth0\n    version 3\n    virtual_router_id 51\n    \
             priority {priority}\n    advert_int 0.1\n    virtual_ipaddress {{\n        192.168.1.100\n    }}\n}}\n"
        )
    };
    let active = vipd(&node1, &folder.write("h.conf", &text(120)));
    wait_for("the first is active", SOON, || has(&node1, "192.168.1.100"));
    let two = Folder::new();
    let backup = vipd(&node2, &two.write("b.conf", &text(100)));
    let peer = || json(&two.0, &[])["instances"][0]["peers"][0].clone();
    wait_for("adverts are heard", SOON, || {
        !status(&two.0, &[]).1.contains("no daemon") && !peer().is_null()
    });
    let socket = folder.0.join(format!("control-{}.socket", active.id()));
    let before = peer();
    // These say nothing, and stay.
    let mute: Vec<_> = (0..20)
        .map(|_| UnixStream::connect(&socket).unwrap())
        .collect();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let _end = Ends(&done);
        for _ in 0..3 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let Ok(mut stream) = UnixStream::connect(&socket) else {
                        continue;
                    };
                    stream
                        .set_read_timeout(Some(Duration::from_secs(2)))
                        .unwrap();
                    let ask = b"GET /v1/status HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
                    if stream.write_all(ask).is_ok() {
                        let _ = stream.read(&mut [0; 4096]);
                    }
                }
            });
        }
        let requests = [
            &b"\0\0\0\0\r\n\r\n"[..],
            b"GET / HTTP/1.1\r\nhost: x\r\n\r\n",
            b"POST /v1/plan HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999\r\n\r\n{",
            b"POST /v1/plan HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 7\r\n\r\n{\"x\":1}",
            b"DELETE /v1/status HTTP/1.1\r\nhost: x\r\n\r\n",
        ];
        for request in requests {
            let mut stream = UnixStream::connect(&socket).unwrap();
            let _ = stream.write_all(request);
            stream
                .set_read_timeout(Some(Duration::from_millis(500)))
                .unwrap();
            let mut answer = [0; 4096];
            let length = stream.read(&mut answer).unwrap_or(0);
            let answer = String::from_utf8_lossy(&answer[..length]);
            assert!(!answer.contains(" 200 "), "{answer}");
        }
        let count = |peer: &Value| peer["adverts"].as_u64().unwrap();
        wait_for("twenty adverts meanwhile", SOON, || {
            count(&peer()) > count(&before) + 20
        });
    });
    drop(mute);
    let after = json(&two.0, &[])["instances"][0].clone();
    assert_eq!(after["state"], "BACKUP");
    assert_eq!(after["statistics"]["become_master"], 0);
    assert_eq!(after["peers"][0]["lost"], before["lost"]);
    wait_for("it answers those who come after", SOON, || {
        status(&folder.0, &[]).0 == 0
    });
    no_errors(&active);
    no_errors(&backup);
}
