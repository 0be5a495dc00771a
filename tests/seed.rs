//! The configurations that the project was founded on, with real nginx.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::needless_pass_by_value,
    clippy::cast_possible_truncation,
    reason = "a test may panic, and says why"
)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use common::{Folder, SOON, VIP, has, host, installed, lab, no_errors, stays, wait_for};
use vipd::lab::{Host, Lab, Process};

/// A node with a process tree of its own, so that `killall -0 nginx` sees its nginx alone.
struct Node {
    host: Host,
    file: PathBuf,
    folder: PathBuf,
    daemon: Process,
    nginx: Option<Process>,
}

impl Node {
    fn start(lab: &Lab, folder: &Folder, number: u8, file: &Path) -> Self {
        let name = format!("node{number}");
        let host = host(lab, &name, &format!("192.168.1.{number}/24"));
        let daemon = Self::daemon(&host, file);
        let own = folder.0.join(&name);
        fs::create_dir_all(&own).unwrap();
        let file = file.to_owned();
        let mut node = Self {
            host,
            file,
            folder: own,
            daemon,
            nginx: None,
        };
        node.start_nginx();
        node
    }

    fn daemon(host: &Host, file: &Path) -> Process {
        let mut command = Command::new("unshare");
        command.args(["--pid", "--fork", "--mount-proc", "--kill-child"]);
        // The shell is the tree's init and reaps what is orphaned, as a host's init does.
        command.args(["sh", "-c", "\"$0\" run -f \"$1\" & wait $!"]);
        command.arg(env!("CARGO_BIN_EXE_vipd")).arg(file);
        let daemon = host.spawn(&mut command).unwrap();
        daemon
            .wait_for_line("Startup complete", SOON)
            .expect("vipd starts");
        daemon
    }

    /// Runs nginx in the node's process tree.
    fn start_nginx(&mut self) {
        let text = format!(
            "daemon off;\nworker_processes 1;\npid {0}/nginx.pid;\nerror_log {0}/error.log;\n\
             events {{}}\nhttp {{\naccess_log off;\nclient_body_temp_path {0}/body;\n\
             proxy_temp_path {0}/proxy;\nfastcgi_temp_path {0}/fastcgi;\nuwsgi_temp_path {0}/uwsgi;\n\
             scgi_temp_path {0}/scgi;\nserver {{\nlisten 80;\nlocation / {{\nreturn 200 {1};\n}}\n}}\n}}\n",
            self.folder.display(),
            self.host.name()
        );
        let conf = self.folder.join("nginx.conf");
        fs::write(&conf, text).unwrap();
        let mut command = Command::new("nsenter");
        command
            .arg("--target")
            .arg(self.init_pid().to_string())
            .args(["--pid", "--mount"]);
        command.arg("nginx").arg("-c").arg(&conf);
        self.nginx = Some(self.host.spawn(&mut command).unwrap());
    }

    fn stop_nginx(&mut self) {
        self.nginx = None;
    }

    /// The init of the node's process tree is the one child of `unshare`.
    fn init_pid(&self) -> u32 {
        let id = self.daemon.id();
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap();
        children
            .split_whitespace()
            .next()
            .expect("unshare has a child")
            .parse()
            .unwrap()
    }

    fn holds(&self) -> bool {
        has(&self.host, VIP)
    }

    fn power_loss(&mut self) {
        self.host.unplug().unwrap();
        self.daemon.kill();
        self.nginx = None;
    }

    fn power_on(&mut self) {
        // The addresses of a host that lost its power are gone.
        let eth0 = self.host.eth0().unwrap();
        let vip = vipd::types::VirtualAddress::new(VIP.parse().unwrap(), 32);
        self.host
            .netlink()
            .unwrap()
            .remove_addresses(&[(eth0, vip)])
            .unwrap();
        self.host.plug().unwrap();
        self.daemon = Self::daemon(&self.host, &self.file);
        self.start_nginx();
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if thread::panicking() {
            println!("{}: {:#?}", self.host.name(), self.daemon.output());
        }
    }
}

fn ready() -> bool {
    ["nginx", "killall", "unshare", "nsenter"]
        .into_iter()
        .all(installed)
}

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("examples/nginx-pair")
        .join(name)
}

/// What a client gets from the address.
fn page(client: &Host) -> String {
    client
        .enter(|| {
            use std::io::{Read, Write};
            let address = (VIP, 80);
            let mut stream = std::net::TcpStream::connect(address).ok()?;
            stream.set_read_timeout(Some(Duration::from_secs(1))).ok()?;
            stream.write_all(b"GET / HTTP/1.0\r\n\r\n").ok()?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).ok()?;
            answer.rsplit("\r\n").next().map(str::to_owned)
        })
        .unwrap()
        .unwrap_or_default()
}

#[test]
fn the_seeds_files_are_here_byte_for_byte() {
    for (ours, seed) in [
        ("seed/keepalived-master.conf", "keepalived-master.conf"),
        ("seed/keepalived-backup.conf", "keepalived-backup.conf"),
    ] {
        let seed = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../shared/seed")
            .join(seed);
        let Ok(expected) = fs::read(&seed) else {
            println!("skipped: {} is not here", seed.display());
            return;
        };
        assert_eq!(fs::read(example(ours)).unwrap(), expected);
    }
}

#[test]
fn the_seeds_pair_does_what_keepalived_does() {
    if !ready() {
        return;
    }
    let Some(lab) = lab() else { return };
    let folder = Folder::new();
    let client = host(&lab, "client", "192.168.1.50/24");
    let mut one = Node::start(&lab, &folder, 1, &example("seed/keepalived-master.conf"));
    let two = Node::start(&lab, &folder, 2, &example("seed/keepalived-backup.conf"));
    wait_for("node 1 holds the address", SOON, || {
        one.holds() && !two.holds()
    });
    wait_for("node 1 answers", SOON, || page(&client) == "node1");

    one.power_loss();
    wait_for("node 2 holds the address", SOON, || two.holds());
    wait_for("node 2 answers", SOON, || page(&client) == "node2");
    one.power_on();
    wait_for("node 1 holds it again", SOON, || {
        one.holds() && !two.holds()
    });
    wait_for("node 1 answers again", SOON, || page(&client) == "node1");

    // nginx dies: 102 becomes 100, which is still more than 99.
    one.stop_nginx();
    let failed = one
        .daemon
        .wait_for_line("VRRP_Script(check_nginx) failed", SOON);
    assert!(failed.is_some(), "{:#?}", one.daemon.output());
    stays("node 1 keeps it", Duration::from_secs(5), || {
        one.holds() && !two.holds()
    });
    assert_eq!(page(&client), "", "the address is where nobody answers");
    no_errors(&one.daemon);
    no_errors(&two.daemon);
}

#[test]
fn the_corrected_pair_moves_when_nginx_dies_and_returns_when_it_is_back() {
    if !ready() {
        return;
    }
    let Some(lab) = lab() else { return };
    let folder = Folder::new();
    let client = host(&lab, "client", "192.168.1.50/24");
    let mut one = Node::start(&lab, &folder, 1, &example("node1.conf"));
    let two = Node::start(&lab, &folder, 2, &example("node2.conf"));
    wait_for("node 1 answers", SOON, || {
        page(&client) == "node1" && !two.holds()
    });

    one.stop_nginx();
    wait_for("node 2 answers", Duration::from_secs(20), || {
        page(&client) == "node2"
    });
    assert!(two.holds());
    wait_for("node 1 lets go", SOON, || !one.holds());

    one.start_nginx();
    wait_for("node 1 answers again", Duration::from_secs(20), || {
        page(&client) == "node1"
    });
    wait_for("node 2 lets go", SOON, || !two.holds());
    thread::sleep(Duration::from_millis(100));
    no_errors(&one.daemon);
    no_errors(&two.daemon);
}
