//! Nodes, daemons and questions that several tests share.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::print_stdout,
    unreachable_pub,
    missing_docs,
    reason = "every test uses a part of it"
)]

pub mod frr;
pub mod machine;

use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use vipd::lab::{self, Host, Lab, Process};
use vipd::sys::socket::{AdvertSocket, Listen};
use vipd::types::InterfaceName;
use vipd::wire::ip::{GROUP_V4, Protocol};

pub const VIP: &str = "192.168.1.100";
pub const VIP6: &str = "fd00::100";
/// Addresses of a virtual router for IPv6: the link-local one comes first.
pub const VIPS6: &[&str] = &["fe80::51:100", VIP6];
pub const SOON: Duration = Duration::from_secs(10);

/// A lab, or `None` with the reason printed where this process may not have one.
pub fn lab() -> Option<Lab> {
    match Lab::new() {
        Ok(lab) => Some(lab),
        Err(lab::Error::CreateNamespace(error))
            if error.kind() == io::ErrorKind::PermissionDenied =>
        {
            println!("skipped: making a network namespace takes root or `unshare -rn`");
            None
        }
        Err(error) => panic!("no lab: {error:?}"),
    }
}

/// Whether `program` is installed; prints that the test skips where it is not.
pub fn installed(program: &str) -> bool {
    let found = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"]
        .iter()
        .any(|folder| Path::new(folder).join(program).exists());
    if !found {
        println!("skipped: {program} is not installed (./tests/run installs it when root)");
    }
    found
}

/// A folder that goes away with the test.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("vipd-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// `vipd run -f FILE` on `host`.
pub fn vipd(host: &Host, file: &Path) -> Process {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vipd"));
    // What it writes down for its successor goes away with the test.
    command.env("RUNTIME_DIRECTORY", file.parent().unwrap());
    let temporary = file.with_extension("tmp");
    fs::create_dir_all(&temporary).unwrap();
    command.env("TMPDIR", temporary);
    host.spawn(command.arg("run").arg("-v").arg("-f").arg(file))
        .unwrap()
}

/// How one of the daemons that a bench compares is started.
pub type Start = fn(&Host, &Path) -> Process;

/// vipd, and keepalived where it is installed, each by its name.
pub fn speakers() -> Vec<(&'static str, Start)> {
    let mut speakers: Vec<(&str, Start)> = vec![("vipd", vipd)];
    if installed("keepalived") {
        speakers.push(("keepalived", keepalived));
    }
    speakers
}

/// The statistics that vipd with this `file` writes when it is asked.
pub fn statistics(daemon: &Process, file: &Path) -> String {
    let path = file.with_extension("tmp").join("keepalived.stats");
    daemon.signal(libc::SIGUSR2);
    wait_for("statistics", SOON, || path.exists());
    fs::read_to_string(path).unwrap()
}

/// A number of keepalived's statistics text.
pub fn counted(statistics: &str, heading: &str, label: &str) -> u64 {
    let block = statistics.split(&format!("{heading}:\n")).nth(1).unwrap();
    let line = block.lines().find(|l| l.trim_start().starts_with(label));
    line.unwrap().rsplit(' ').next().unwrap().parse().unwrap()
}

/// keepalived in the foreground on `host`, with pid files of its own.
pub fn keepalived(host: &Host, file: &Path) -> Process {
    let mut command = Command::new("keepalived");
    let beside = |end: &str| file.with_extension(end);
    command.args(["-n", "-l", "-D", "-f"]).arg(file);
    for (flag, end) in [("-p", "pid"), ("-r", "vrrp"), ("-c", "checkers")] {
        end_process_of(&beside(end));
        command.arg(flag).arg(beside(end));
    }
    host.spawn(&mut command).unwrap()
}

/// Kills what an earlier run left: keepalived's child outlives its parent for a second, and no
/// other keepalived starts until then.
fn end_process_of(pid_file: &Path) {
    let Ok(text) = fs::read_to_string(pid_file) else {
        return;
    };
    let pid: i32 = text.trim().parse().unwrap();
    let state = || fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let lives = || {
        state()
            .rsplit(") ")
            .next()
            .is_some_and(|s| !s.is_empty() && !s.starts_with('Z'))
    };
    if lives() {
        let _ = Command::new("kill")
            .args(["-KILL", &pid.to_string()])
            .status();
        wait_for("keepalived's child ends", SOON, || !lives());
    }
    let _ = fs::remove_file(pid_file);
}

/// Compares a page of `docs` with what it is made from; `UPDATE_DOCS=1` writes it instead.
#[track_caller]
pub fn page(name: &str, text: &str) {
    written("docs", name, text);
}

/// Compares a file of the project, or writes it.
pub fn written(folder: &str, name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join(folder)
        .join(name);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, text).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == text,
        "{folder}/{name} is stale: run with UPDATE_DOCS=1"
    );
}

/// A host `name` with `address` on the lab's network.
pub fn host(lab: &Lab, name: &str, address: &str) -> Host {
    let host = lab.host(name).unwrap();
    host.add_address(address).unwrap();
    host
}

/// A socket on this namespace's `eth0` for adverts of one's own making.
pub fn raw_socket() -> AdvertSocket {
    let eth0 = InterfaceName::new("eth0").unwrap();
    let index = nix::net::if_::if_nametoindex("eth0").unwrap();
    AdvertSocket::open(&eth0, index, Listen::Group(GROUP_V4.into()), Protocol::Vrrp).unwrap()
}

pub fn target(port: u16) -> SocketAddr {
    SocketAddr::new(VIP.parse().unwrap(), port)
}

/// Whether the kernel of `host` has `address` on `eth0`.
pub fn has(host: &Host, address: &str) -> bool {
    let wanted: IpAddr = address.parse().unwrap();
    let index = host.eth0().unwrap();
    let addresses = host.netlink().unwrap().addresses(Some(index)).unwrap();
    addresses.iter().any(|a| a.address == wanted)
}

/// Waits until `condition` holds; panics with `what` after `timeout`.
#[track_caller]
pub fn wait_for(what: &str, timeout: Duration, mut condition: impl FnMut() -> bool) {
    let end = lab::now() + timeout;
    while !condition() {
        assert!(lab::now() < end, "{what}: not within {timeout:?}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Panics if `condition` stops holding within `time`.
#[track_caller]
pub fn stays(what: &str, time: Duration, mut condition: impl FnMut() -> bool) {
    let end = lab::now() + time;
    while lab::now() < end {
        assert!(condition(), "{what}: no longer");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Panics with the output of `process` if it holds an error line.
#[track_caller]
pub fn no_errors(process: &Process) {
    let output = process.output();
    let bad = output
        .iter()
        .find(|line| line.contains("ERROR") || line.contains("panicked"));
    assert!(bad.is_none(), "{}", output.join("\n"));
}

/// One instance in keepalived's language.
pub struct Instance<'a> {
    pub version: u8,
    pub priority: u8,
    pub interval: &'a str,
    pub password: Option<&'a str>,
    pub vips: &'a [&'a str],
    pub more: &'a str,
}

impl Default for Instance<'_> {
    fn default() -> Self {
        Self {
            version: 2,
            priority: 100,
            interval: "1",
            password: None,
            vips: &[VIP],
            more: "",
        }
    }
}

impl Instance<'_> {
    /// One over IPv6.
    pub fn v6() -> Self {
        Self {
            version: 3,
            interval: "0.5",
            vips: VIPS6,
            ..Self::default()
        }
    }

    pub fn text(&self) -> String {
        let authentication = self.password.map_or_else(String::new, |password| {
            format!("    authentication {{\n        auth_type PASS\n        auth_pass {password}\n    }}\n")
        });
        format!(
            "vrrp_instance VI_1 {{\n    interface eth0\n    virtual_router_id 51\n    \
             version {}\n    priority {}\n    advert_int {}\n{authentication}    \
             virtual_ipaddress {{\n        {}\n    }}\n    {}\n}}\n",
            self.version,
            self.priority,
            self.interval,
            self.vips.join("\n        "),
            self.more
        )
    }
}

pub const SECOND_VIP: &str = "192.168.1.101";

/// Two instances in a sync group, the first with `more` in it.
pub fn group_text(priority: u8, interval: &str, more: &str, group: &str) -> String {
    let instance = |name: &str, vrid: u8, vip: &str, more: &str| {
        format!(
            "vrrp_instance {name} {{\n    interface eth0\n    virtual_router_id {vrid}\n    \
             version 3\n    priority {priority}\n    advert_int {interval}\n    \
             virtual_ipaddress {{\n        {vip}\n    }}\n    {more}\n}}\n"
        )
    };
    format!(
        "vrrp_sync_group VG_1 {{\n    group {{\n        VI_1\n        VI_2\n    }}\n    {group}\n}}\n{}{}",
        instance("VI_1", 51, VIP, more),
        instance("VI_2", 52, SECOND_VIP, "")
    )
}
