//! A reload as a transaction: what it says beforehand, what it leaves alone, and a thousand of
//! them at random under traffic.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may panic, and says why"
)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use common::{Folder, SOON, has, host, installed, lab, no_errors, vipd, wait_for};
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_xorshift::XorShiftRng;
use serde_json::Value;
use vipd::lab::{Captured, EchoServer, Host, Prober, Process, realtime_nanos};

const PORT: u16 = 4000;

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

/// What a node's file says of one virtual router.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Router {
    name: String,
    priority: u8,
    /// Tenths of a second.
    interval: u8,
    vips: BTreeSet<u8>,
    more: BTreeSet<&'static str>,
}

const ROUTERS: u8 = 5;
const NODES: usize = 2;
/// Options that move no address.
const OPTIONS: [&str; 8] = [
    "garp_master_delay 1",
    "garp_master_repeat 2",
    "preempt_delay 0",
    "notify_master /bin/true",
    "notify_backup /bin/true",
    "higher_prio_send_advert on",
    "track_script {\n        well\n    }",
    "dont_track_primary",
];

fn vip(vrid: u8, number: u8) -> String {
    format!("192.168.1.{}", vrid * 10 + number)
}

type Node = BTreeMap<u8, Router>;

/// What both files say.
#[derive(Debug, Clone)]
struct Pair {
    nodes: [Node; NODES],
    renames: u32,
    globals: u32,
}

/// What somebody did to the files.
#[derive(Debug)]
struct Edit {
    node: usize,
    vrid: Option<u8>,
    what: &'static str,
    breaks: bool,
}

impl Pair {
    fn new() -> Self {
        let node = |n: u8| {
            (1..=ROUTERS - 1)
                .map(|vrid| (vrid, Router::new(n, vrid)))
                .collect()
        };
        Self {
            nodes: [node(0), node(1)],
            renames: 0,
            globals: 0,
        }
    }

    /// The node that has the higher priority of those that know the virtual router.
    fn holder(&self, vrid: u8) -> Option<usize> {
        let priority = |n: &usize| self.nodes[*n].get(&vrid).map(|r| r.priority);
        (0..NODES)
            .filter(|n| priority(n).is_some())
            .max_by_key(priority)
    }

    /// The addresses that a node is to have.
    fn addresses(&self, node: usize) -> BTreeSet<String> {
        let routers = self.nodes[node].iter();
        let held = routers.filter(|(vrid, _)| self.holder(**vrid) == Some(node));
        held.flat_map(|(vrid, r)| r.vips.iter().map(|number| vip(*vrid, *number)))
            .collect()
    }

    /// Every address that somebody answers for.
    fn served(&self) -> BTreeSet<String> {
        (0..NODES).flat_map(|n| self.addresses(n)).collect()
    }

    /// The file of a node, in an order of its own.
    fn text(&self, node: usize, rng: &mut XorShiftRng) -> String {
        let mut text = format!(
            "# edited\nglobal_defs {{\n    router_id r{}\n}}\n",
            self.globals
        );
        text += "vrrp_script well {\n    script /bin/true\n    interval 1\n}\n";
        let mut routers: Vec<_> = self.nodes[node].iter().collect();
        if rng.random_bool(0.5) {
            routers.reverse();
        }
        for (vrid, router) in routers {
            let vips: Vec<_> = router
                .vips
                .iter()
                .map(|number| vip(*vrid, *number))
                .collect();
            let more: Vec<_> = router.more.iter().copied().collect();
            let _ = write!(
                text,
                "vrrp_instance {} {{\n    interface eth0\n    version 3\n    \
                 virtual_router_id {vrid}\n    priority {}\n    advert_int 0.{}\n    {}\n    \
                 virtual_ipaddress {{\n        {}\n    }}\n}}\n",
                router.name,
                router.priority,
                router.interval,
                more.join("\n    "),
                vips.join("\n        ")
            );
        }
        text
    }

    /// Changes something, or nothing.
    fn edit(&mut self, rng: &mut XorShiftRng) -> Edit {
        let node = rng.random_range(0..NODES);
        let peers: BTreeMap<u8, u8> = self.nodes[1 - node]
            .iter()
            .map(|(vrid, router)| (*vrid, router.interval))
            .collect();
        let mine = &mut self.nodes[node];
        let known: Vec<u8> = mine.keys().copied().collect();
        let missing: Vec<u8> = (1..=ROUTERS).filter(|v| !mine.contains_key(v)).collect();
        let mut edit = Edit {
            node,
            vrid: None,
            what: "nothing",
            breaks: false,
        };
        let choice = rng.random_range(0..10);
        if choice == 0 {
            edit.what = "break";
            edit.breaks = true;
            return edit;
        }
        if choice == 1 {
            self.globals += 1;
            edit.what = "globals";
            return edit;
        }
        if choice == 2
            && let Some(&vrid) = missing.choose(rng)
        {
            let mut router = Router::new(u8::try_from(node).unwrap(), vrid);
            // One that starts knows its own interval alone, and would overrun a slower peer
            // before it has heard the first advert: RFC 9568 section 6.4.1.
            if let Some(interval) = peers.get(&vrid) {
                router.interval = *interval;
            }
            self.renames += 1;
            router.name += &format!("_{}", self.renames);
            mine.insert(vrid, router);
            return Edit {
                vrid: Some(vrid),
                what: "add",
                ..edit
            };
        }
        let Some(&vrid) = known.choose(rng) else {
            return edit;
        };
        edit.vrid = Some(vrid);
        let router = mine.get_mut(&vrid).unwrap();
        match choice {
            3 if known.len() > 1 => {
                mine.remove(&vrid);
                edit.what = "remove";
            }
            4 => {
                self.renames += 1;
                router.name = format!("VI_{vrid}_{}", self.renames);
                edit.what = "rename";
            }
            // Odd on one node and even on the other: there is no tie.
            5 | 6 => {
                router.priority = rng.random_range(20..=120) * 2 + u8::try_from(node).unwrap();
                edit.what = "priority";
            }
            7 => {
                router.interval = rng.random_range(1..=4);
                edit.what = "interval";
            }
            8 => {
                let number = rng.random_range(0..3);
                if !router.vips.remove(&number) || router.vips.is_empty() {
                    router.vips.insert(number);
                }
                edit.what = "address";
            }
            _ => {
                let option = OPTIONS.choose(rng).unwrap();
                if !router.more.remove(option) {
                    router.more.insert(option);
                }
                edit.what = option;
            }
        }
        edit
    }
}

impl Router {
    fn new(node: u8, vrid: u8) -> Self {
        Self {
            name: format!("VI_{vrid}"),
            priority: if (node + vrid).is_multiple_of(2) {
                200
            } else {
                100
            } + node,
            interval: 1,
            vips: BTreeSet::from([0, 1]),
            more: BTreeSet::new(),
        }
    }
}

/// The daemons and what they are watched with.
struct Rig {
    hosts: Vec<Host>,
    daemons: Vec<Process>,
    folder: Folder,
    _servers: Vec<EchoServer>,
    client: Host,
    _lab: vipd::lab::Lab,
}

impl Rig {
    fn start(pair: &Pair, rng: &mut XorShiftRng) -> Option<Self> {
        let lab = lab()?;
        let folder = Folder::new();
        let hosts: Vec<_> = (0..NODES)
            .map(|n| {
                host(
                    &lab,
                    &format!("node{n}"),
                    &format!("192.168.1.{}/24", n + 1),
                )
            })
            .collect();
        let client = host(&lab, "client", "192.168.1.250/24");
        let servers = hosts
            .iter()
            .map(|h| EchoServer::start(h, PORT).unwrap())
            .collect();
        let daemons = hosts.iter().enumerate().map(|(n, host)| {
            let file = folder.write(&format!("node{n}.conf"), &pair.text(n, rng));
            vipd(host, &file)
        });
        Some(Self {
            daemons: daemons.collect(),
            hosts,
            folder,
            _servers: servers,
            client,
            _lab: lab,
        })
    }

    /// The virtual addresses that the kernel of a node has.
    fn addresses(&self, node: usize) -> BTreeSet<String> {
        let host = &self.hosts[node];
        let index = host.eth0().unwrap();
        let all = host.netlink().unwrap().addresses(Some(index)).unwrap();
        let all = all.iter().map(|a| a.address.to_string());
        let own = format!("192.168.1.{}", node + 1);
        all.filter(|a| a.contains('.') && *a != own).collect()
    }

    fn settle(&self, pair: &Pair, what: &str) {
        let end = vipd::lab::now() + SOON;
        for node in 0..NODES {
            let wanted = pair.addresses(node);
            while self.addresses(node) != wanted {
                let log = self.daemons[node].output();
                let last = log.len().saturating_sub(60);
                assert!(
                    vipd::lab::now() < end,
                    "{what}: node {node} has {:?}, not {wanted:?}\n{}",
                    self.addresses(node),
                    log[last..].join("\n")
                );
                thread::sleep(Duration::from_millis(5));
            }
        }
    }

    fn reload(&self, node: usize) -> (Option<i32>, Value) {
        let pid = self.daemons[node].id().to_string();
        let (status, text) = reload(&self.folder.0, &["--json", "--pid", &pid]);
        let value = serde_json::from_str(&text);
        (status, value.unwrap_or_else(|e| panic!("{e}: {text}")))
    }

    /// Resident memory in KiB.
    fn memory(&self, node: usize) -> u64 {
        let path = format!("/proc/{}/status", self.daemons[node].id());
        let status = fs::read_to_string(path).unwrap();
        let line = status.lines().find(|l| l.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Names of the instances that changed their state since line `from`, and where the log ends.
    fn transitions(&self, node: usize, from: usize) -> (Vec<String>, usize) {
        let log = self.daemons[node].output();
        let entered = log[from..]
            .iter()
            .filter(|line| line.contains(") Entering "));
        let name = |line: &String| {
            let (_, rest) = line.rsplit_once(" (").unwrap();
            rest.split_once(')').unwrap().0.to_owned()
        };
        (entered.map(name).collect(), log.len())
    }
}

/// When an address may go unanswered: nanoseconds since 1970.
type Windows = BTreeMap<String, Vec<(u64, u64)>>;

/// Where an address comes back, clients have to learn of it: nanoseconds.
const AFTERWARDS: u64 = 500_000_000;
/// A node may find out so much later that it is backup: nanoseconds.
const LATER: u64 = 1_000_000_000;

#[test]
fn random_reloads_lose_no_probe_that_they_need_not() {
    let number =
        |name: &str, usual: u64| std::env::var(name).map_or(usual, |text| text.parse().unwrap());
    let (reloads, seed) = (number("VIPD_RELOADS", 50), number("VIPD_SEED", 5));
    println!("{reloads} reloads with seed {seed} (VIPD_RELOADS, VIPD_SEED)");
    let mut rng = XorShiftRng::seed_from_u64(seed);
    let mut pair = Pair::new();
    let Some(mut rig) = Rig::start(&pair, &mut rng) else {
        return;
    };
    rig.settle(&pair, "the start");
    let all = (1..=ROUTERS).flat_map(|vrid| (0..3).map(move |number| vip(vrid, number)));
    let probers: BTreeMap<String, Prober> = all
        .map(|vip| {
            let target = SocketAddr::new(vip.parse().unwrap(), PORT);
            let prober = Prober::start(&rig.client, target, Duration::from_millis(20));
            (vip, prober.unwrap())
        })
        .collect();
    let began = realtime_nanos();
    let mut windows = Windows::new();
    for vip in probers.keys().filter(|vip| !pair.served().contains(*vip)) {
        windows.entry(vip.clone()).or_default().push((0, u64::MAX));
    }
    for vip in pair.served() {
        windows.entry(vip).or_default().push((0, began));
    }
    let mut lines = [0, 1].map(|node| rig.transitions(node, 0).1);
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    let mut edits: Vec<(u64, BTreeSet<String>, String)> = Vec::new();
    let mut memory = Vec::new();
    for step in 0..reloads {
        let before = pair.clone();
        let edit = pair.edit(&mut rng);
        let what = format!("reload {step}, {edit:?}");
        *counts
            .entry(edit.what.split_whitespace().next().unwrap())
            .or_default() += 1;
        let mut text = pair.text(edit.node, &mut rng);
        if edit.breaks {
            text = text.replacen("interface eth0", "interface", 1);
        }
        rig.folder.write(&format!("node{}.conf", edit.node), &text);
        let at = realtime_nanos();
        let (gone, new) = difference(&before.served(), &pair.served());
        for vip in gone {
            windows.entry(vip).or_default().push((at, u64::MAX));
        }
        let (status, reply) = rig.reload(edit.node);
        let expected = if edit.breaks {
            (Some(1), "refused")
        } else {
            (Some(0), "reloaded")
        };
        assert_eq!(
            (status, reply["result"].as_str().unwrap()),
            expected,
            "{what}: {reply}"
        );
        only_that_is_touched(&edit, &reply, &before, &pair);
        rig.settle(&pair, &what);
        let end = realtime_nanos();
        for vip in new {
            if let Some(last) = windows.get_mut(&vip).and_then(|w| w.last_mut()) {
                last.1 = end;
            }
        }
        let names: BTreeSet<String> = [&before, &pair]
            .iter()
            .flat_map(|p| p.nodes.iter().filter_map(|n| n.get(&edit.vrid?)))
            .map(|router| router.name.clone())
            .collect();
        edits.push((at, names, what));
        for (node, from) in lines.iter_mut().enumerate() {
            let (entered, length) = rig.transitions(node, *from);
            *from = length;
            // A backup may find out later that it is one.
            let recent = |name: &String| {
                let edits = edits.iter().rev();
                let mut edits = edits.take_while(|(then, ..)| at - then < LATER);
                edits.any(|(_, names, _)| names.contains(name))
            };
            let other = entered.iter().find(|name| !recent(name));
            if let Some(name) = other {
                let log = rig.daemons[node].output();
                panic!(
                    "{name} changed its state on node {node}\n{:#?}\n{:#?}",
                    &edits[edits.len().saturating_sub(12)..],
                    &log[log.len().saturating_sub(60)..]
                );
            }
        }
        if step % (reloads / 10).max(1) == 0 {
            memory.push([rig.memory(0), rig.memory(1)]);
        }
    }
    memory.push([rig.memory(0), rig.memory(1)]);
    thread::sleep(Duration::from_millis(1500));
    let mut lost = Vec::new();
    let (mut sent, mut absent, mut returning) = (0, 0, 0);
    for (vip, prober) in probers {
        let report = prober.finish();
        sent += report.sent;
        let allowed = windows.get(&vip).map(Vec::as_slice).unwrap_or_default();
        for probe in report.lost {
            let at = probe.sent_at_nanos;
            let within = |more: u64| {
                let until = |to: u64| to.saturating_add(more);
                allowed
                    .iter()
                    .any(|(from, to)| (*from..=until(*to)).contains(&at))
            };
            if within(0) {
                absent += 1;
            } else if within(AFTERWARDS) {
                returning += 1;
            } else {
                lost.push((vip.clone(), (at - began) / 1_000_000));
            }
        }
    }
    println!(
        "{counts:?}\n{sent} probes: {absent} lost to addresses that no file had, {returning} to \
         addresses that had just come back, {} to others",
        lost.len()
    );
    println!("memory in KiB: {memory:?}");
    for (vip, millis) in &lost {
        let near = |(at, ..): &&(u64, _, _)| {
            let at = (at - began) / 1_000_000;
            (at..at + 500).contains(millis)
        };
        let near: Vec<_> = edits
            .iter()
            .filter(near)
            .map(|(at, _, what)| (at - began, what))
            .collect();
        println!("{vip} at {millis} ms: {near:#?}");
    }
    assert_eq!(lost, [], "address and milliseconds since the beginning");
    flat(&memory);
    for daemon in &mut rig.daemons {
        daemon.terminate();
        assert!(daemon.wait(SOON).expect("vipd ends").success());
    }
    for node in 0..NODES {
        assert_eq!(rig.addresses(node), BTreeSet::new(), "node {node} leaks");
    }
}

/// What is only in the first, and what is only in the second.
fn difference(a: &BTreeSet<String>, b: &BTreeSet<String>) -> (Vec<String>, Vec<String>) {
    (
        a.difference(b).cloned().collect(),
        b.difference(a).cloned().collect(),
    )
}

/// The daemon says itself what it does: to the virtual router that was edited, and to no other.
fn only_that_is_touched(edit: &Edit, reply: &Value, before: &Pair, after: &Pair) {
    let Some(instances) = reply["instances"].as_array() else {
        return;
    };
    let name = |pair: &Pair| Some(pair.nodes[edit.node].get(&edit.vrid?)?.name.clone());
    let edited = [name(before), name(after)];
    for outcome in instances {
        let is_edited = edited
            .iter()
            .flatten()
            .any(|name| outcome["instance"] == **name);
        assert!(
            is_edited || outcome["fate"] == "untouched",
            "{edit:?}: {outcome}"
        );
    }
}

/// From the second sample on memory does not grow by more than two buffers' worth.
fn flat(memory: &[[u64; NODES]]) {
    let settled = &memory[memory.len() / 3];
    let last = memory.last().unwrap();
    for node in 0..NODES {
        let grown = last[node].saturating_sub(settled[node]);
        assert!(grown < 1024, "node {node} grew by {grown} KiB: {memory:?}");
    }
}
