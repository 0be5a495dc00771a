//! A reload as a transaction: what it says beforehand, and what it leaves alone. A thousand of them
//! at random under traffic stand in files of their own.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may panic, and says why"
)]

mod common;
#[path = "reload/pair.rs"]
mod pair;
#[path = "reload/random.rs"]
mod random;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use common::{Folder, SOON, has, host, installed, lab, no_errors, vipd, wait_for};
use serde_json::Value;
use vipd::lab::{Captured, Host, Process};

/// Runs `vipd reload` against a daemon that was started on a file in `folder`.
fn reload(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vipd"));
    command.env("RUNTIME_DIRECTORY", folder).arg("reload");
    let output = command.args(arguments).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

/// One instance over a tenth of a second.
fn instance(name: &str, vrid: u8, more: &str, vips: &[&str]) -> String {
    format!(
        "vrrp_instance {name} {{\n    interface eth0\n    version 3\n    virtual_router_id {vrid}\n    \
         advert_int 0.1\n    {more}\n    virtual_ipaddress {{\n        {}\n    }}\n}}\n",
        vips.join("\n        ")
    )
}

/// One node that is alone, with a file.
struct Single {
    node: Host,
    daemon: Process,
    folder: Folder,
    file: PathBuf,
    lab: vipd::lab::Lab,
}

impl Single {
    fn start(text: &str) -> Option<Self> {
        let lab = lab()?;
        let folder = Folder::new();
        let node = host(&lab, "node1", "192.168.1.1/24");
        let file = folder.write("node1.conf", text);
        let daemon = vipd(&node, &file);
        Some(Self {
            node,
            daemon,
            folder,
            file,
            lab,
        })
    }

    fn reload(&self, arguments: &[&str]) -> (Option<i32>, String) {
        reload(&self.folder.0, arguments)
    }

    fn holds(&self, vip: &str) {
        wait_for(vip, SOON, || has(&self.node, vip));
    }
}

#[test]
fn a_dry_run_tells_what_the_reload_then_does() {
    let old = instance("VI_1", 1, "", &["192.168.1.11"])
        + &instance("VI_2", 2, "", &["192.168.1.12", "192.168.1.17"])
        + &instance("VI_4", 4, "", &["192.168.1.14"]);
    let Some(single) = Single::start(&old) else {
        return;
    };
    single.holds("192.168.1.14");
    single.holds("192.168.1.17");
    let new = instance("VI_1", 1, "", &["192.168.1.11"])
        + &instance("VI_2", 2, "", &["192.168.1.12"])
        + &instance("VI_3", 3, "", &["192.168.1.13"]);
    let other = single.folder.write("new.conf", &new);
    let expected = "VI_1 untouched\n\
        VI_2 loses 192.168.1.17/32; keeps its state, sends no priority 0\n\
        VI_3 new, gains 192.168.1.13/32; begins as backup\n\
        VI_4 removed, loses 192.168.1.14/32; sends priority 0 if it is master\n";

    let other = other.to_str().unwrap();
    let (status, text) = single.reload(&["--dry-run", other]);
    assert_eq!(status, Some(0), "{text}");
    assert_eq!(
        text,
        format!("{other} would run; nothing was changed:\n{expected}")
    );
    // Without a daemon, two files say the same.
    let file = single.file.to_str().unwrap();
    let (_, compared) = reload(
        Path::new("/nonexistent"),
        &["--dry-run", "--from", file, other],
    );
    assert_eq!(compared, text);
    let (status, json) = single.reload(&["--dry-run", "--json", other]);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((status, &json["result"]), (Some(0), &"planned".into()));
    assert_eq!(json["instances"][1]["loses"][0], "192.168.1.17/32");
    assert_eq!(json["instances"][0]["fate"], "untouched");
    assert!(has(&single.node, "192.168.1.17") && !has(&single.node, "192.168.1.13"));

    fs::write(&single.file, &new).unwrap();
    let (status, text) = single.reload(&[]);
    assert_eq!(
        (status, text),
        (Some(0), format!("{file} runs now:\n{expected}"))
    );
    single.holds("192.168.1.13");
    wait_for("the others go", SOON, || {
        !has(&single.node, "192.168.1.14") && !has(&single.node, "192.168.1.17")
    });
    no_errors(&single.daemon);
}

#[test]
fn a_file_that_would_not_run_is_refused_whole_and_the_reason_shown() {
    let good = instance("VI_1", 1, "", &["192.168.1.11"]);
    let Some(single) = Single::start(&good) else {
        return;
    };
    single.holds("192.168.1.11");
    let more = instance("VI_2", 2, "", &["192.168.1.12"]);
    let broken = more.clone() + &good.replace("virtual_router_id 1", "virtual_router_id");
    for (text, reason) in [
        (broken.as_str(), "virtual_router_id"),
        ("# all gone\n", "there is nothing in it"),
        ("", "there is nothing in it"),
    ] {
        fs::write(&single.file, text).unwrap();
        for arguments in [&["--dry-run"][..], &[], &["--json"]] {
            let (status, said) = single.reload(arguments);
            assert_eq!(status, Some(1), "{said}");
            assert!(
                said.contains(reason) && said.contains("node1.conf"),
                "{said}"
            );
        }
        let log = single.daemon.output().join("\n");
        assert!(
            log.contains(reason) && log.contains("reload refused"),
            "{log}"
        );
    }
    fs::remove_file(&single.file).unwrap();
    assert_eq!(single.reload(&[]).0, Some(1));
    assert!(has(&single.node, "192.168.1.11") && !has(&single.node, "192.168.1.12"));
    // The daemon goes on, and takes the next good file.
    fs::write(&single.file, good + &more).unwrap();
    assert_eq!(single.reload(&[]).0, Some(0));
    single.holds("192.168.1.12");
}

#[test]
fn only_root_may_ask_and_a_daemon_that_is_gone_is_said_to_be() {
    use std::os::unix::fs::PermissionsExt;
    let Some(mut single) = Single::start(&instance("VI_1", 1, "", &["192.168.1.11"])) else {
        return;
    };
    single.holds("192.168.1.11");
    let socket = single
        .folder
        .0
        .join(format!("control-{}.socket", single.daemon.id()));
    wait_for("the socket", SOON, || socket.exists());
    assert_eq!(
        fs::metadata(&socket).unwrap().permissions().mode() & 0o777,
        0o600
    );
    // Even where the mode would let somebody in, who it is counts.
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o666)).unwrap();
    fs::set_permissions(&single.folder.0, fs::Permissions::from_mode(0o755)).unwrap();
    if nobody_exists() {
        let binary = single.folder.0.join("vipd");
        fs::copy(env!("CARGO_BIN_EXE_vipd"), &binary).unwrap();
        let mut command = Command::new(&binary);
        command
            .env("RUNTIME_DIRECTORY", &single.folder.0)
            .arg("reload");
        std::os::unix::process::CommandExt::uid(&mut command, 65534);
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        single
            .daemon
            .wait_for_line("not root is refused", SOON)
            .unwrap();
    } else {
        println!("skipped in part: there is no other user in this namespace");
    }
    // Nonsense harms nobody.
    for nonsense in [
        "\n\n",
        "{}\r\n\r\n",
        "DANCE / HTTP/1.1\r\nhost: x\r\n\r\n",
        "\u{0}\r\n\r\n",
    ] {
        use std::io::{Read, Write};
        let mut stream = std::os::unix::net::UnixStream::connect(&socket).unwrap();
        stream.write_all(nonsense.as_bytes()).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(!answer.contains(" 200 "), "{answer}");
    }
    assert_eq!(single.reload(&[]).0, Some(0));
    single.daemon.kill();
    let (status, text) = single.reload(&[]);
    assert_eq!(status, Some(2));
    assert!(text.contains("no daemon listens"), "{text}");
}

/// A user namespace made for the test has root alone.
fn nobody_exists() -> bool {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap();
    map.split_whitespace().nth(2) != Some("1")
}

#[test]
fn what_a_reload_does_not_name_is_not_touched_at_all() {
    if !installed("ip") {
        return;
    }
    let folder = Folder::new();
    let log = folder.0.join("notified");
    let script = folder.0.join("notify.sh");
    fs::write(
        &script,
        format!("#!/bin/sh\necho \"$2 $3\" >> {}\n", log.display()),
    )
    .unwrap();
    Command::new("chmod")
        .arg("755")
        .arg(&script)
        .status()
        .unwrap();
    let notify = format!("notify {}", script.display());
    let kept = instance("KEPT", 1, &notify, &["192.168.1.11", "192.168.1.21"]);
    let before = kept.clone()
        + &instance("CHANGED", 2, &notify, &["192.168.1.12", "192.168.1.22"])
        + &instance("GOES", 3, &notify, &["192.168.1.13"]);
    // Everything else is another: names, addresses, order, scripts, globals.
    let globals = "global_defs {\n    router_id other\n    vrrp_garp_interval 0.001\n}\n";
    let after = globals.to_owned()
        + &instance("NEW", 4, &notify, &["192.168.1.14"])
        + &instance("RENAMED", 2, "priority 150", &["192.168.1.12"])
        + &kept;
    let Some(single) = Single::start(&before) else {
        return;
    };
    for vip in [
        "192.168.1.11",
        "192.168.1.21",
        "192.168.1.22",
        "192.168.1.13",
    ] {
        single.holds(vip);
    }
    let capture = single.lab.capture(Captured::is_protocol).unwrap();
    let mut monitor = Command::new("ip");
    let monitor = single
        .node
        .spawn(monitor.args(["-o", "-4", "monitor", "address"]))
        .unwrap();
    let notified = || fs::read_to_string(&log).unwrap_or_default();
    wait_for("the notices of the start", SOON, || {
        notified().matches("MASTER").count() == 3
    });
    // The second block of announcements, 5 s after the takeover, is none of the reload's.
    thread::sleep(Duration::from_millis(5500));
    let _ = capture.drain();
    let start = notified();
    for (round, text) in [&after, &before, &after].into_iter().enumerate() {
        fs::write(&single.file, text).unwrap();
        let (status, said) = single.reload(&[]);
        assert_eq!(status, Some(0), "{said}");
        assert!(said.contains("KEPT untouched\n"), "{said}");
        let there = ["192.168.1.13", "192.168.1.14"][usize::from(round % 2 == 0)];
        single.holds(there);
        thread::sleep(Duration::from_millis(300));
    }
    let frames = capture.drain();
    let adverts: Vec<u64> = frames
        .iter()
        .filter(|f| f.advert().is_some_and(|a| a.vrid == 1))
        .map(|f| f.at_nanos)
        .collect();
    let gaps: Vec<_> = adverts.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let (least, most) = (gaps.iter().min().unwrap(), gaps.iter().max().unwrap());
    println!(
        "{} adverts of KEPT, gaps {least} to {most} ns",
        adverts.len()
    );
    assert!(
        gaps.len() > 10 && *most < 110_000_000,
        "a late advert: {gaps:?}"
    );
    assert!(*least > 90_000_000, "an advert too many: {gaps:?}");
    let announced: BTreeSet<_> = frames.iter().filter_map(Captured::announced).collect();
    for vip in ["192.168.1.11", "192.168.1.21"] {
        assert!(
            !announced.contains(&vip.parse().unwrap()),
            "{vip} was announced"
        );
    }
    let events = monitor.output().join("\n");
    assert!(events.contains("192.168.1.14/32"), "{events}");
    for vip in ["192.168.1.11/", "192.168.1.21/", "192.168.1.12/"] {
        assert!(!events.contains(vip), "{vip} was touched:\n{events}");
    }
    let told = notified();
    let told = told.strip_prefix(&start).unwrap();
    assert!(!told.contains("KEPT"), "{told}");
    assert!(
        told.contains("NEW MASTER") && told.contains("GOES FAULT"),
        "{told}"
    );
    no_errors(&single.daemon);
}

/// The environment, a file and a systemd credential hold the same key on three nodes: those who
/// found it hear each other.
#[test]
fn a_toml_file_with_includes_defaults_and_secrets_runs_and_reloads() {
    const KEY: &str = "0123456789abcdef0123456789abcdef";
    let Some(lab) = lab() else { return };
    let folders = [(); 3].map(|()| Folder::new());
    let secrets = Folder::new();
    fs::write(secrets.0.join("vrrp"), format!("{KEY}\n")).unwrap();
    let kept_in = [
        "{ env = \"VRRP_KEY\" }".to_owned(),
        format!("{{ file = \"{}\" }}", secrets.0.join("vrrp").display()),
        "{ credential = \"vrrp\" }".to_owned(),
    ];
    let instance = |name: &str, vrid: u8| {
        format!("[instance.{name}]\nvrid = {vrid}\naddresses = [\"192.168.1.{vrid}1/24\"]\n")
    };
    let start = |n: usize| {
        let node = host(
            &lab,
            &format!("node{n}"),
            &format!("192.168.1.{}/24", n + 1),
        );
        let folder = &folders[n].0;
        let main = format!(
            "include = \"vipd.d/*.toml\"\n[defaults]\ninterface = \"eth0\"\nversion = 3\n\
             interval = \"100ms\"\npriority = {}\nauth.hmac = {{ keys = {{ 1 = {} }}, active = 1 }}\n",
            200 - n * 50,
            kept_in[n]
        );
        fs::create_dir(folder.join("vipd.d")).unwrap();
        fs::write(folder.join("vipd.toml"), main).unwrap();
        fs::write(folder.join("vipd.d/one.toml"), instance("one", 1)).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_vipd"));
        command
            .env("RUNTIME_DIRECTORY", folder)
            .env("TMPDIR", folder);
        match n {
            0 => command.env("VRRP_KEY", KEY),
            _ => command.env("CREDENTIALS_DIRECTORY", &secrets.0),
        };
        let file = folder.join("vipd.toml");
        let daemon = node
            .spawn(command.args(["run", "-v", "-f"]).arg(file))
            .unwrap();
        (node, daemon)
    };
    let mut nodes: Vec<_> = (0..3).map(start).collect();
    let holders = |nodes: &[(Host, Process)], vip: &str| -> Vec<usize> {
        let held = nodes
            .iter()
            .enumerate()
            .filter(|(_, (node, _))| has(node, vip));
        held.map(|(n, _)| n).collect()
    };
    for (n, (_, daemon)) in nodes.iter().enumerate() {
        let state = if n == 0 { "MASTER" } else { "BACKUP" };
        let line = format!("Entering {state}");
        daemon.wait_for_line(&line, SOON).unwrap();
    }
    common::stays("only node 0 has it", Duration::from_secs(1), || {
        holders(&nodes, "192.168.1.11") == [0]
    });
    // A new file in the folder is a new instance; a secret that is gone refuses everything.
    fs::write(folders[0].0.join("vipd.d/two.toml"), instance("two", 2)).unwrap();
    let (status, text) = reload(&folders[0].0, &[]);
    assert_eq!(status, Some(0), "{text}");
    assert!(
        text.contains("one untouched\ntwo new, gains 192.168.1.21/24"),
        "{text}"
    );
    wait_for("the second address", SOON, || {
        holders(&nodes, "192.168.1.21") == [0]
    });
    fs::remove_file(secrets.0.join("vrrp")).unwrap();
    for n in [1, 2] {
        let (status, text) = reload(&folders[n].0, &[]);
        assert_eq!(status, Some(1), "{text}");
        assert!(text.contains("cannot be used: no such file"), "{text}");
        assert!(!text.contains(KEY), "{text}");
    }
    // They go on with the key that they have.
    nodes[0].1.kill();
    nodes[0].0.unplug().unwrap();
    wait_for("node 1 takes over", SOON, || {
        holders(&nodes[1..], "192.168.1.11") == [0]
    });
    for (_, daemon) in &nodes {
        assert!(!daemon.output().join("\n").contains(KEY));
    }
}
