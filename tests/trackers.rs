//! Trackers other than scripts, beside keepalived: the same files give the same priorities on
//! the wire.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may panic, and says why"
)]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use common::{Folder, SOON, VIP, has, host, installed, lab, no_errors, stays, vipd, wait_for};
use vipd::lab::{Capture, Captured};

const NODE: &str = "192.168.1.1/24";

/// What the node at the other end of `capture` has said: the last priority of each VRID.
struct Heard {
    capture: Capture,
    last: BTreeMap<u8, u8>,
}

impl Heard {
    fn new(capture: Capture) -> Self {
        let last = BTreeMap::new();
        Self { capture, last }
    }

    /// The priorities of VRIDs 1, 2, 3 …; 0 for one that has given up, or has said nothing yet.
    fn priorities(&mut self, count: u8) -> Vec<u8> {
        for frame in self.capture.drain() {
            if let Some(advert) = Captured::advert(&frame) {
                self.last.insert(advert.vrid, advert.priority);
            }
        }
        let of = |vrid| self.last.get(&vrid).copied().unwrap_or(0);
        (1..=count).map(of).collect()
    }
}

/// An instance that tracks `entry`, with adverts every 100 ms.
fn instance(vrid: u8, kind: &str, entry: &str) -> String {
    format!(
        "vrrp_instance V{vrid} {{\n    interface eth0\n    virtual_router_id {vrid}\n    \
         version 3\n    priority 100\n    advert_int 0.1\n    garp_master_delay 0\n    \
         garp_master_repeat 1\n    virtual_ipaddress {{\n        10.9.0.{vrid}\n    }}\n    \
         {kind} {{\n        {entry}\n    }}\n}}\n"
    )
}

/// Something that is done, and the priorities that follow.
type Step<'a> = (&'a str, Box<dyn FnMut()>, Vec<u8>);

/// Two nodes that never meet, one of vipd's and one of keepalived's, with the same `text`.
///
/// After each of `steps` both say what it expects.
fn same_priorities(text: &str, count: u8, steps: &mut [Step<'_>]) {
    let Some(ours) = lab() else { return };
    if !installed("keepalived") {
        return;
    }
    let theirs = lab().unwrap();
    let folder = Folder::new();
    let is_advert = |frame: &Captured| frame.advert().is_some();
    let mut heard = Vec::new();
    let mut nodes = Vec::new();
    let starts: [(_, _, common::Start); 2] = [
        (&ours, "vipd", vipd),
        (&theirs, "keepalived", common::keepalived),
    ];
    for (lab, name, start) in starts {
        let node = host(lab, "node", NODE);
        heard.push((name, Heard::new(lab.capture(is_advert).unwrap())));
        let daemon = start(&node, &folder.write(&format!("{name}.conf"), text));
        nodes.push((node, daemon));
    }
    for (what, act, expected) in steps {
        act();
        for (name, heard) in &mut heard {
            let mut last = Vec::new();
            let end = vipd::lab::now() + SOON;
            while vipd::lab::now() < end && last != *expected {
                std::thread::sleep(Duration::from_millis(20));
                last = heard.priorities(count);
            }
            assert_eq!(last, *expected, "{what}: {name}");
        }
    }
    no_errors(&nodes[0].1);
}

#[test]
fn files_give_the_priorities_that_keepalived_gives() {
    let folder = Folder::new();
    let path = folder.0.join("number");
    let file = |name: &str, weight: &str| {
        let path = path.display();
        format!("track_file {name} {{\n    file {path}\n    {weight}\n}}\n")
    };
    let entries = [
        "plain",
        "reverse",
        "zero",
        "zero_reverse",
        "least",
        "most",
        "plain weight 1",
        "plain weight -1 reverse",
        "reverse noreverse",
        "reverse weight 3",
    ];
    let mut text = file("plain", "weight 2")
        + &file("reverse", "weight 2 reverse")
        + &file("zero", "weight 0")
        + &file("zero_reverse", "weight 0 reverse")
        + &file("least", "weight -254")
        + &file("most", "weight 254");
    for (vrid, entry) in (1..).zip(entries) {
        text += &instance(vrid, "track_file", entry);
    }
    let write = |text: &'static str| -> Box<dyn FnMut()> {
        let path = path.clone();
        Box::new(move || fs::write(&path, text).unwrap())
    };
    let beside = folder.0.join("beside");
    let rename: Box<dyn FnMut()> = Box::new({
        let path = path.clone();
        move || {
            fs::write(&beside, "3").unwrap();
            fs::rename(&beside, &path).unwrap();
        }
    });
    let remove: Box<dyn FnMut()> = Box::new({
        let path = path.clone();
        move || fs::remove_file(&path).unwrap()
    });
    let none = vec![100, 100, 100, 0, 100, 100, 100, 100, 100, 100];
    same_priorities(
        &text,
        10,
        &mut [
            ("no file", Box::new(|| ()), none.clone()),
            (
                "10",
                write("10\n"),
                vec![120, 80, 0, 100, 0, 254, 110, 110, 100, 70],
            ),
            (
                "-10",
                write("-10\n"),
                vec![80, 120, 0, 100, 254, 0, 90, 90, 100, 130],
            ),
            (
                "no line end",
                write("7"),
                vec![114, 86, 0, 100, 0, 254, 107, 107, 100, 79],
            ),
            (
                "text after",
                write(" \t12abc"),
                vec![124, 76, 0, 100, 0, 254, 112, 112, 100, 64],
            ),
            ("no number", write("abc"), none.clone()),
            (
                "hexadecimal",
                write("0x10"),
                vec![132, 68, 0, 100, 0, 254, 116, 116, 100, 52],
            ),
            (
                "octal",
                write("010"),
                vec![116, 84, 0, 100, 0, 254, 108, 108, 100, 76],
            ),
            (
                "126",
                write("126"),
                vec![254, 1, 0, 100, 0, 254, 226, 226, 100, 0],
            ),
            (
                "127",
                write("127"),
                vec![254, 0, 0, 100, 0, 254, 227, 227, 100, 0],
            ),
            (
                "-127",
                write("-127"),
                vec![0, 254, 0, 100, 254, 0, 1, 1, 100, 254],
            ),
            (
                "1",
                write("1"),
                vec![102, 98, 0, 100, 0, 254, 101, 101, 100, 97],
            ),
            (
                "-1",
                write("-1"),
                vec![98, 102, 0, 100, 254, 0, 99, 99, 100, 103],
            ),
            (
                "second line",
                write("\n5\n"),
                vec![110, 90, 0, 100, 0, 254, 105, 105, 100, 85],
            ),
            (
                "renamed over",
                rename,
                vec![106, 94, 0, 100, 0, 254, 103, 103, 100, 91],
            ),
            ("removed", remove, none),
        ],
    );
}

#[test]
fn a_file_may_come_late_and_keeps_its_number_across_a_reload() {
    let Some(lab) = lab() else { return };
    let folder = Folder::new();
    let node = host(&lab, "node", NODE);
    let path = folder.0.join("a/b/number");
    let made = folder.0.join("made");
    let text = format!(
        "track_file late {{\n    file {}\n}}\ntrack_file made {{\n    file {}\n    \
         init_file 4\n}}\n",
        path.display(),
        made.display()
    ) + &instance(1, "track_file", "late\n        made weight 2");
    let conf = folder.write("node.conf", &text);
    let capture = lab.capture(|f: &Captured| f.advert().is_some()).unwrap();
    let mut heard = Heard::new(capture);
    let daemon = vipd(&node, &conf);
    let mut becomes = |priority: u8| {
        wait_for(&format!("priority {priority}"), SOON, || {
            heard.priorities(1) == [priority]
        });
    };
    becomes(108);
    assert_eq!(fs::read_to_string(&made).unwrap(), "4\n");
    let mode = fs::metadata(&made).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, "20").unwrap();
    becomes(128);
    fs::rename(folder.0.join("a"), folder.0.join("c")).unwrap();
    becomes(108);
    fs::rename(folder.0.join("c"), folder.0.join("a")).unwrap();
    becomes(128);
    // Out of the range of a number: the nearest that fits.
    fs::write(&path, "99999999999").unwrap();
    becomes(254);
    fs::write(&path, "-300").unwrap();
    wait_for("a fault", SOON, || !has(&node, "10.9.0.1"));
    fs::write(&path, "-9").unwrap();
    becomes(99);
    fs::write(&made, "5").unwrap();
    becomes(101);
    fs::write(&conf, text.replace("advert_int 0.1", "advert_int 0.2")).unwrap();
    daemon.signal(libc::SIGHUP);
    let reloaded = || {
        daemon
            .output()
            .iter()
            .any(|l| l.contains("Reload complete"))
    };
    wait_for("the reload", SOON, reloaded);
    stays("the priority", Duration::from_millis(600), || {
        heard.priorities(1) == [101] && has(&node, "10.9.0.1")
    });
    assert_eq!(fs::read_to_string(&made).unwrap(), "5");
    no_errors(&daemon);
    assert!(!has(&node, VIP));
}
