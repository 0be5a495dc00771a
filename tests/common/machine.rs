//! Tests on a kernel that has what the running one may lack: ipvlan, VRF, VLAN, bonding, netem.
//!
//! User Mode Linux boots in seconds on this host's own files and runs this very test program again.
//! Files outside `/run` are the host's, so a test writes nowhere else.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use vipd::lab;
use vipd::sys::process;

use super::Folder;

/// The kernel as a program.
const KERNEL: &str = "/usr/bin/linux.uml";
/// Set where the tests themselves run.
const INSIDE: &str = "VIPD_TEST_MACHINE";
/// All tests of a program have to be through by then.
const LIMIT: Duration = Duration::from_secs(240);
const POLL: Duration = Duration::from_millis(20);

/// What the first process does. The program with the tests is `$0`.
const INIT: &str = r#"#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs tmpfs /run
mkdir -p /run/m/lib/modules /run/netns /run/tmp
ln -s "/usr/lib/uml/modules/$(uname -r)" "/run/m/lib/modules/$(uname -r)"
for module in MODULES; do
    modprobe -d /run/m "$module" || echo "no module $module" >>FOLDER/output
done
ip link set lo up
cd DIRECTORY
TMPDIR=/run/tmp VIPD_TEST_MACHINE=1 PROGRAM --test-threads=1 >>FOLDER/output 2>&1
echo $? >FOLDER/status
poweroff -f
"#;

/// What the tests need of the kernel.
const MODULES: &str = "ipv6 af_packet veth bridge macvlan ipvlan vrf dummy 8021q nf_tables";

/// What a run of all tests on the other kernel said.
enum Report {
    Skipped(String),
    Ran { output: String, console: String },
}

/// Runs `body`, the closure that a test consists of, on the other kernel.
///
/// The first test of a program boots it for all of them.
#[track_caller]
pub fn elsewhere<F: FnOnce()>(body: F) {
    if std::env::var_os(INSIDE).is_some() {
        return body();
    }
    static REPORT: OnceLock<Report> = OnceLock::new();
    match REPORT.get_or_init(boot) {
        Report::Skipped(reason) => println!("skipped: {reason}"),
        Report::Ran { output, console } => {
            // `program::module::test::{{closure}}`
            let name = std::any::type_name::<F>();
            let name = name.trim_end_matches("::{{closure}}");
            let name = name.split_once("::").map_or(name, |(_, rest)| rest);
            let passed = format!("test {name} ... ok");
            assert!(
                output.lines().any(|line| line == passed),
                "{name} has not passed on the other kernel:\n{output}\n{console}"
            );
        }
    }
}

fn boot() -> Report {
    for needed in [KERNEL, "/usr/lib/uml/modules", "/usr/sbin/modprobe"] {
        if !Path::new(needed).exists() {
            let install = "./tests/run installs user-mode-linux and kmod when root";
            return Report::Skipped(format!("{needed} is not there ({install})"));
        }
    }
    let folder = Folder::new();
    let text = INIT
        .replace("FOLDER", folder.0.to_str().unwrap())
        .replace("DIRECTORY", env!("CARGO_MANIFEST_DIR"))
        .replace(
            "PROGRAM",
            std::env::current_exe().unwrap().to_str().unwrap(),
        )
        .replace("MODULES", MODULES);
    let init = folder.write("init", &text);
    fs::set_permissions(&init, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let console = folder.0.join("console");
    let mut kernel = Command::new(KERNEL);
    kernel
        .args([
            "mem=512M",
            "root=/dev/root",
            "rootfstype=hostfs",
            "rootflags=/",
            "rw",
        ])
        .arg(format!("init={}", init.display()))
        .args(["con=null", "con0=fd:0,fd:1", "quiet"])
        .stdin(Stdio::null())
        .stdout(fs::File::create(&console).unwrap())
        .stderr(Stdio::null())
        .process_group(0);
    let mut kernel = kernel.spawn().unwrap();
    let end = lab::now() + LIMIT;
    while kernel.try_wait().unwrap().is_none() && lab::now() < end {
        thread::sleep(POLL);
    }
    process::kill_group(kernel.id());
    let _ = kernel.wait();
    let read = |name: &str| fs::read(folder.0.join(name)).unwrap_or_default();
    let text = |name: &str| String::from_utf8_lossy(&read(name)).into_owned();
    let status = text("status");
    let ended = match status.trim() {
        "" => format!("the kernel has not come to the end within {LIMIT:?}"),
        status => format!("the tests ended with status {status}"),
    };
    Report::Ran {
        output: format!("{}\n{ended}", text("output")),
        console: text("console"),
    }
}
