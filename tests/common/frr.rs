//! FRR's vrrpd beside zebra, as a third speaker.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use vipd::lab::{Host, Process};

use super::{Folder, wait_for};

const FOLDER: &str = "/usr/lib/frr";

/// Whether FRR is installed; prints that the test skips where it is not.
pub fn installed() -> bool {
    let found = Path::new(FOLDER).join("vrrpd").exists();
    if !found {
        println!("skipped: frr is not installed (./tests/run installs it when root)");
    }
    found
}

/// A virtual router of FRR's on `eth0`, with its macvlan.
#[derive(Debug, Clone, Copy)]
pub struct Router {
    pub version: u8,
    pub priority: u8,
    pub interval: Duration,
    /// All of one family.
    pub vips: &'static [&'static str],
}

impl Router {
    fn is_v6(&self) -> bool {
        self.vips.iter().any(|vip| vip.contains(':'))
    }
}

/// Both daemons; the virtual router ends with them.
pub struct Frr {
    pub vrrpd: Process,
    pub zebra: Process,
}

/// Makes the macvlan that FRR wants to find, once for a host.
pub fn prepare(host: &Host, router: &Router) {
    let (mac, bits) = if router.is_v6() {
        ("00:00:5e:00:02:33", "128 nodad")
    } else {
        ("00:00:5e:00:01:33", "32")
    };
    let mut lines = vec![
        "link add vrrp51 link eth0 type macvlan mode bridge".to_owned(),
        format!("link set vrrp51 address {mac}"),
    ];
    let address = |vip| format!("addr add {vip}/{bits} dev vrrp51");
    lines.extend(router.vips.iter().map(address));
    lines.push("link set vrrp51 up".to_owned());
    for line in lines {
        let mut command = Command::new("ip");
        let mut process = host.spawn(command.args(line.split(' '))).unwrap();
        let status = process.wait(Duration::from_secs(5)).expect("ip ends");
        assert!(status.success(), "ip {line}: {:?}", process.output());
    }
}

/// Starts zebra and vrrpd on `host`.
pub fn start(host: &Host, folder: &Folder, router: &Router) -> Frr {
    let own = folder.0.join(format!("frr-{}", host.name()));
    let _ = fs::remove_dir_all(&own);
    fs::create_dir_all(&own).unwrap();
    let family = if router.is_v6() { "ipv6" } else { "ip" };
    let mut text = format!(
        "interface eth0\n vrrp 51 version {}\n vrrp 51 priority {}\n \
         vrrp 51 advertisement-interval {}\n",
        router.version,
        router.priority,
        router.interval.as_millis()
    );
    for vip in router.vips {
        text += &format!(" vrrp 51 {family} {vip}\n");
    }
    fs::write(own.join("vrrpd.conf"), text).unwrap();
    fs::write(own.join("zebra.conf"), "").unwrap();
    // Both give up root for a user of their own.
    for path in [
        &folder.0,
        &own,
        &own.join("vrrpd.conf"),
        &own.join("zebra.conf"),
    ] {
        let status = Command::new("chown")
            .arg("frr:frr")
            .arg(path)
            .status()
            .unwrap();
        assert!(status.success());
    }
    let zebra = daemon(host, &own, "zebra");
    let socket = own.join("zserv.api");
    wait_for("zebra listens", Duration::from_secs(10), || socket.exists());
    thread::sleep(Duration::from_millis(200));
    Frr {
        vrrpd: daemon(host, &own, "vrrpd"),
        zebra,
    }
}

fn daemon(host: &Host, own: &Path, name: &str) -> Process {
    let file = |end: &str| -> PathBuf { own.join(format!("{name}.{end}")) };
    let mut command = Command::new(Path::new(FOLDER).join(name));
    command
        .args(["-u", "frr", "-g", "frr", "-P", "0", "-f"])
        .arg(file("conf"));
    command
        .arg("-i")
        .arg(file("pid"))
        .arg("-z")
        .arg(own.join("zserv.api"));
    command.arg("--vty_socket").arg(own);
    host.spawn(&mut command).unwrap()
}
